-- Text columns hold words of the console only. Whatever comes from outside is a BLOB.
-- Times are microseconds since 1970. The other dialect's file of this number makes the
-- same tables.

-- Numbers that are handed out in blocks.
CREATE TABLE counter (
	name TEXT NOT NULL PRIMARY KEY,
	next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, next) VALUES ('stream', 1), ('resource', 1), ('entitlement', 1), ('sync', 1), ('source_set', 1);

CREATE TABLE setting (
	name TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL,
	changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events, chained by their hashes. The one row of chain is the last event.
CREATE TABLE chain (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	epoch INTEGER NOT NULL,
	number INTEGER NOT NULL,
	hash BLOB NOT NULL,
	at INTEGER NOT NULL
) STRICT;
INSERT INTO chain (id, epoch, number, hash, at) VALUES (1, 1, 0, x'0000000000000000000000000000000000000000000000000000000000000000', 0);

CREATE TABLE event (
	number INTEGER PRIMARY KEY,
	epoch INTEGER NOT NULL,
	at INTEGER NOT NULL,
	kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	app TEXT,
	connector TEXT,
	person TEXT,
	account INTEGER,
	entitlement INTEGER,
	object TEXT,
	payload BLOB NOT NULL,
	previous BLOB NOT NULL,
	hash BLOB NOT NULL
) STRICT;
CREATE INDEX event_app ON event (app, number) WHERE app IS NOT NULL;
CREATE INDEX event_connector ON event (connector, number) WHERE connector IS NOT NULL;
CREATE INDEX event_person ON event (person, number) WHERE person IS NOT NULL;
CREATE INDEX event_access ON event (account, entitlement, number) WHERE account IS NOT NULL;
CREATE INDEX event_object ON event (object, number) WHERE object IS NOT NULL;

-- Rows that wait for a time. ready is the time, or the end of a lease.
CREATE TABLE due (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	ref TEXT NOT NULL,
	at INTEGER NOT NULL,
	ready INTEGER NOT NULL,
	payload BLOB NOT NULL,
	attempts INTEGER NOT NULL,
	lease INTEGER NOT NULL,
	owner TEXT,
	UNIQUE (kind, ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX due_ready ON due (kind, ready);

-- Values sealed with a key that lies outside the database.
CREATE TABLE secret (
	owner TEXT NOT NULL,
	name TEXT NOT NULL,
	key_name TEXT NOT NULL,
	sealed BLOB NOT NULL,
	changed INTEGER NOT NULL,
	PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_key_name ON secret (key_name);

CREATE TABLE person (
	id TEXT NOT NULL PRIMARY KEY,
	merged_into TEXT REFERENCES person (id),
	name BLOB NOT NULL,
	sort_key BLOB NOT NULL,
	status TEXT NOT NULL,
	manager TEXT,
	department BLOB NOT NULL,
	created INTEGER NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_sort ON person (sort_key, id);
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE person_email (
	email BLOB NOT NULL PRIMARY KEY,
	person TEXT NOT NULL REFERENCES person (id),
	position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_email_person ON person_email (person);

CREATE TABLE person_role (
	person TEXT NOT NULL REFERENCES person (id),
	role TEXT NOT NULL,
	PRIMARY KEY (person, role)
) STRICT, WITHOUT ROWID;

-- The status of a person, as intervals.
CREATE TABLE person_status (
	person TEXT NOT NULL REFERENCES person (id),
	from_at INTEGER NOT NULL,
	until_at INTEGER,
	status TEXT NOT NULL,
	PRIMARY KEY (person, from_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE app (
	id TEXT NOT NULL PRIMARY KEY,
	name BLOB NOT NULL UNIQUE,
	sort_key BLOB NOT NULL,
	created INTEGER NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX app_sort ON app (sort_key, id);

CREATE TABLE app_owner (
	app TEXT NOT NULL REFERENCES app (id),
	person TEXT NOT NULL REFERENCES person (id),
	PRIMARY KEY (app, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_owner_person ON app_owner (person);

-- The role map and the minimum of admins of an app, as intervals.
CREATE TABLE role_map (
	app TEXT NOT NULL REFERENCES app (id),
	from_at INTEGER NOT NULL,
	until_at INTEGER,
	minimum INTEGER NOT NULL,
	priority TEXT NOT NULL,
	roles BLOB NOT NULL,
	PRIMARY KEY (app, from_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE connector (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	name BLOB NOT NULL UNIQUE,
	product BLOB NOT NULL,
	hosting TEXT NOT NULL,
	interval_us INTEGER NOT NULL,
	paused INTEGER NOT NULL,
	directory INTEGER NOT NULL,
	stream INTEGER NOT NULL UNIQUE,
	created INTEGER NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX connector_app ON connector (app);

CREATE TABLE connector_owner (
	connector TEXT NOT NULL REFERENCES connector (id),
	person TEXT NOT NULL REFERENCES person (id),
	PRIMARY KEY (connector, person)
) STRICT, WITHOUT ROWID;

-- What a stream shows: rows of syncs up to head. staging is the sync that is being
-- written; 0 when none is.
CREATE TABLE head (
	stream INTEGER PRIMARY KEY,
	head INTEGER NOT NULL,
	staging INTEGER NOT NULL
) STRICT;

CREATE TABLE sync (
	id TEXT NOT NULL PRIMARY KEY,
	number INTEGER UNIQUE,
	connector TEXT NOT NULL REFERENCES connector (id),
	stream INTEGER NOT NULL,
	task TEXT,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	dispatched INTEGER,
	began INTEGER NOT NULL,
	received INTEGER NOT NULL,
	applied INTEGER,
	file TEXT,
	sha256 BLOB NOT NULL,
	size INTEGER NOT NULL,
	counts BLOB NOT NULL,
	holds BLOB NOT NULL,
	why BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sync_connector ON sync (connector, received, id);
CREATE INDEX sync_file ON sync (file) WHERE file IS NOT NULL;
CREATE INDEX sync_applied ON sync (stream, began, number) WHERE state = 'applied';

-- A resource is one identity under a type and id; a version is what syncs showed of it.
CREATE TABLE resource (
	key INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL,
	type BLOB NOT NULL,
	id BLOB NOT NULL,
	incarnation INTEGER NOT NULL,
	UNIQUE (stream, type, id, incarnation)
) STRICT;

CREATE TABLE resource_version (
	resource INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	closed INTEGER NOT NULL,
	digest BLOB NOT NULL,
	name BLOB NOT NULL,
	parent INTEGER NOT NULL,
	status INTEGER NOT NULL,
	created INTEGER,
	account INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	login BLOB NOT NULL,
	detail BLOB NOT NULL,
	PRIMARY KEY (resource, opened)
) STRICT, WITHOUT ROWID;

-- Attributes without history. before is the value that the syncs before this one showed.
CREATE TABLE volatile (
	resource INTEGER PRIMARY KEY,
	sync INTEGER NOT NULL,
	last_login INTEGER,
	before INTEGER
) STRICT;

CREATE TABLE entitlement (
	key INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL,
	id BLOB NOT NULL,
	UNIQUE (stream, id)
) STRICT;

CREATE TABLE entitlement_version (
	entitlement INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	closed INTEGER NOT NULL,
	digest BLOB NOT NULL,
	resource INTEGER NOT NULL,
	slug BLOB NOT NULL,
	name BLOB NOT NULL,
	description BLOB NOT NULL,
	purpose INTEGER NOT NULL,
	immutable INTEGER NOT NULL,
	PRIMARY KEY (entitlement, opened)
) STRICT, WITHOUT ROWID;
CREATE INDEX entitlement_version_resource ON entitlement_version (resource);

-- Versions in the order of their names, e-mail addresses and logins.
CREATE TABLE lookup (
	stream INTEGER NOT NULL,
	list INTEGER NOT NULL,
	value BLOB NOT NULL,
	key INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	PRIMARY KEY (stream, list, value, key, opened)
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
	stream INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	principal INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	closed INTEGER NOT NULL,
	sources INTEGER NOT NULL,
	flags INTEGER NOT NULL,
	detail BLOB,
	PRIMARY KEY (stream, entitlement, principal, opened)
) STRICT, WITHOUT ROWID;

-- The facts in the order of their principals.
CREATE TABLE fact_by_principal (
	principal INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	PRIMARY KEY (principal, entitlement, opened)
) STRICT, WITHOUT ROWID;

CREATE TABLE source_set (
	key INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL,
	digest BLOB NOT NULL,
	sources BLOB NOT NULL,
	UNIQUE (stream, digest)
) STRICT;

-- What an unfinished sync has written, to undo it.
CREATE TABLE staged (
	sync INTEGER NOT NULL,
	chunk INTEGER NOT NULL,
	kind TEXT NOT NULL,
	changes BLOB NOT NULL,
	PRIMARY KEY (sync, chunk)
) STRICT, WITHOUT ROWID;

-- Whose an account is, as intervals.
CREATE TABLE account_owner (
	account INTEGER NOT NULL,
	from_at INTEGER NOT NULL,
	until_at INTEGER,
	person TEXT REFERENCES person (id),
	how TEXT NOT NULL,
	PRIMARY KEY (account, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_owner_person ON account_owner (person, account) WHERE until_at IS NULL;

CREATE TABLE reason (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	account INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	kind TEXT NOT NULL,
	ref TEXT NOT NULL,
	created INTEGER NOT NULL,
	created_by BLOB NOT NULL,
	until INTEGER,
	ended INTEGER,
	ended_by BLOB,
	ended_why BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX reason_access ON reason (account, entitlement, app);

CREATE TABLE bar (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	account INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	created INTEGER NOT NULL,
	created_by BLOB NOT NULL,
	why BLOB NOT NULL,
	lifted INTEGER,
	lifted_by BLOB,
	lifted_why BLOB
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bar_active ON bar (account, entitlement) WHERE lifted IS NULL;
CREATE INDEX bar_access ON bar (account, entitlement, created);

CREATE TABLE operation (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	connector TEXT NOT NULL REFERENCES connector (id),
	account INTEGER NOT NULL,
	person TEXT REFERENCES person (id),
	entitlement INTEGER NOT NULL,
	verb TEXT NOT NULL,
	cause BLOB NOT NULL,
	cause_ref TEXT NOT NULL,
	state TEXT NOT NULL,
	alive INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	created INTEGER NOT NULL,
	not_before INTEGER,
	dispatched INTEGER,
	lease_until INTEGER,
	finished INTEGER,
	task TEXT,
	answer BLOB NOT NULL,
	verified INTEGER NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX operation_alive ON operation (account, entitlement) WHERE alive AND account <> 0;
CREATE UNIQUE INDEX operation_alive_person ON operation (app, person, entitlement) WHERE alive AND account = 0;
CREATE UNIQUE INDEX operation_waiting ON operation (account, entitlement) WHERE state = 'waiting' AND account <> 0;
CREATE INDEX operation_access ON operation (account, entitlement, created);
CREATE INDEX operation_app ON operation (app, created, id);
CREATE INDEX operation_cause ON operation (cause_ref);
CREATE INDEX operation_connector ON operation (connector, state) WHERE alive;

-- Raw files in chunks. The row stays when the chunks are dropped: its hash is evidence.
CREATE TABLE file (
	id TEXT NOT NULL PRIMARY KEY,
	began INTEGER NOT NULL,
	finished INTEGER,
	size INTEGER NOT NULL,
	sha256 BLOB NOT NULL,
	chunks INTEGER NOT NULL,
	dropped INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX file_unfinished ON file (began) WHERE finished IS NULL;

CREATE TABLE file_chunk (
	file TEXT NOT NULL,
	number INTEGER NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (file, number)
) STRICT;

-- Who needs a file: a pack, a hold, a decision.
CREATE TABLE file_keep (
	file TEXT NOT NULL REFERENCES file (id),
	holder TEXT NOT NULL,
	PRIMARY KEY (file, holder)
) STRICT, WITHOUT ROWID;
