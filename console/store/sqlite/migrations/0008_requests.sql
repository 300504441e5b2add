-- What people ask for, and who decides about it.
INSERT INTO counter (name, next) VALUES ('request', 1);

-- Versions of policies never change. The policies that the console comes with have no rows.
CREATE TABLE policy_version (
	policy TEXT NOT NULL,
	version INTEGER NOT NULL,
	kind TEXT NOT NULL,
	name BLOB NOT NULL,
	rules BLOB NOT NULL,
	author TEXT NOT NULL,
	second TEXT,
	weaker INTEGER NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (policy, version)
) STRICT, WITHOUT ROWID;

-- What may be asked for, how long, and under which policy, in versions. The entitlement -1
-- is the whole app.
CREATE TABLE request_setting (
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	version INTEGER NOT NULL,
	settings BLOB NOT NULL,
	author TEXT NOT NULL,
	second TEXT,
	weaker INTEGER NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (app, entitlement, version)
) STRICT, WITHOUT ROWID;

-- Changes that ask for less than before: a second person confirms them.
CREATE TABLE amendment (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	app TEXT,
	object TEXT NOT NULL,
	before BLOB NOT NULL,
	after BLOB NOT NULL,
	why BLOB NOT NULL,
	author TEXT NOT NULL,
	created INTEGER NOT NULL,
	state TEXT NOT NULL,
	decided INTEGER,
	decided_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX amendment_open ON amendment (created, id) WHERE state = 'open';
CREATE INDEX amendment_author ON amendment (author, app);

CREATE TABLE delegation (
	person TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
	delegate TEXT NOT NULL REFERENCES person (id),
	from_at INTEGER NOT NULL,
	until_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
	id TEXT NOT NULL PRIMARY KEY,
	number INTEGER NOT NULL,
	kind TEXT NOT NULL,
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	account INTEGER NOT NULL,
	subject TEXT NOT NULL REFERENCES person (id),
	requester TEXT NOT NULL REFERENCES person (id),
	state TEXT NOT NULL,
	outcome TEXT NOT NULL,
	operation TEXT,
	reason TEXT,
	review TEXT NOT NULL,
	body BLOB NOT NULL,
	created INTEGER NOT NULL,
	closed INTEGER,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX request_number ON request (number);
CREATE UNIQUE INDEX request_deciding ON request (app, subject, entitlement, kind) WHERE state IN ('asking', 'waiting', 'scheduled');
CREATE INDEX request_open ON request (state, number) WHERE state <> 'closed';
CREATE INDEX request_subject ON request (subject, number);
CREATE INDEX request_requester ON request (requester, number);
CREATE INDEX request_app ON request (app, number);
CREATE INDEX request_operation ON request (operation) WHERE operation IS NOT NULL;
CREATE INDEX request_review ON request (number) WHERE review = 'due';

-- Who is asked at the step of a request that is open.
CREATE TABLE request_asked (
	person TEXT NOT NULL REFERENCES person (id),
	request TEXT NOT NULL REFERENCES request (id),
	instead_of TEXT,
	why BLOB NOT NULL,
	since INTEGER NOT NULL,
	PRIMARY KEY (person, request)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_asked_request ON request_asked (request);

-- The time lines of requests.
CREATE TABLE request_entry (
	request TEXT NOT NULL REFERENCES request (id),
	number INTEGER NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (request, number)
) STRICT, WITHOUT ROWID;
