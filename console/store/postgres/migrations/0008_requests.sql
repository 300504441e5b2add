-- What people ask for, and who decides about it.
INSERT INTO counter (name, next) VALUES ('request', 1);

-- Versions of policies never change. The policies that the console comes with have no rows.
CREATE TABLE policy_version (
	policy text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	name bytea NOT NULL,
	rules bytea NOT NULL,
	author text COLLATE "C" NOT NULL,
	second text COLLATE "C",
	weaker boolean NOT NULL,
	created bigint NOT NULL,
	PRIMARY KEY (policy, version)
);

-- What may be asked for, how long, and under which policy, in versions. The entitlement -1
-- is the whole app.
CREATE TABLE request_setting (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	version bigint NOT NULL,
	settings bytea NOT NULL,
	author text COLLATE "C" NOT NULL,
	second text COLLATE "C",
	weaker boolean NOT NULL,
	created bigint NOT NULL,
	PRIMARY KEY (app, entitlement, version)
);

-- Changes that ask for less than before: a second person confirms them.
CREATE TABLE amendment (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	kind text COLLATE "C" NOT NULL,
	app text COLLATE "C",
	object text COLLATE "C" NOT NULL,
	before bytea NOT NULL,
	after bytea NOT NULL,
	why bytea NOT NULL,
	author text COLLATE "C" NOT NULL,
	created bigint NOT NULL,
	state text COLLATE "C" NOT NULL,
	decided bigint,
	decided_by text COLLATE "C"
);
CREATE INDEX amendment_open ON amendment (created, id) WHERE state = 'open';
CREATE INDEX amendment_author ON amendment (author, app);

CREATE TABLE delegation (
	person text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES person (id),
	delegate text COLLATE "C" NOT NULL REFERENCES person (id),
	from_at bigint NOT NULL,
	until_at bigint NOT NULL
);

CREATE TABLE request (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	number bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	account bigint NOT NULL,
	subject text COLLATE "C" NOT NULL REFERENCES person (id),
	requester text COLLATE "C" NOT NULL REFERENCES person (id),
	state text COLLATE "C" NOT NULL,
	outcome text COLLATE "C" NOT NULL,
	operation text COLLATE "C",
	reason text COLLATE "C",
	review text COLLATE "C" NOT NULL,
	body bytea NOT NULL,
	created bigint NOT NULL,
	closed bigint,
	version bigint NOT NULL
);
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
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	request text COLLATE "C" NOT NULL REFERENCES request (id),
	instead_of text COLLATE "C",
	why bytea NOT NULL,
	since bigint NOT NULL,
	PRIMARY KEY (person, request)
);
CREATE INDEX request_asked_request ON request_asked (request);

-- The time lines of requests.
CREATE TABLE request_entry (
	request text COLLATE "C" NOT NULL REFERENCES request (id),
	number bigint NOT NULL,
	body bytea NOT NULL,
	PRIMARY KEY (request, number)
);
