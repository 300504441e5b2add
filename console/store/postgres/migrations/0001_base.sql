-- Text columns hold words of the console only. Whatever comes from outside is bytea.
-- Times are microseconds since 1970. The other dialect's file of this number makes the
-- same tables.

-- Numbers that are handed out in blocks.
CREATE TABLE counter (
	name text COLLATE "C" NOT NULL PRIMARY KEY,
	next bigint NOT NULL
);
INSERT INTO counter (name, next) VALUES ('stream', 1), ('resource', 1), ('entitlement', 1), ('sync', 1), ('source_set', 1);

CREATE TABLE setting (
	name text COLLATE "C" NOT NULL PRIMARY KEY,
	value bytea NOT NULL,
	changed bigint NOT NULL
);

-- Events, chained by their hashes. The one row of chain is the last event.
CREATE TABLE chain (
	id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
	epoch bigint NOT NULL,
	number bigint NOT NULL,
	hash bytea NOT NULL,
	at bigint NOT NULL
);
INSERT INTO chain (id, epoch, number, hash, at) VALUES (1, 1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000', 0);

CREATE TABLE event (
	number bigint NOT NULL PRIMARY KEY,
	epoch bigint NOT NULL,
	at bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	actor text COLLATE "C" NOT NULL,
	app text COLLATE "C",
	connector text COLLATE "C",
	person text COLLATE "C",
	account bigint,
	entitlement bigint,
	object text COLLATE "C",
	payload bytea NOT NULL,
	previous bytea NOT NULL,
	hash bytea NOT NULL
);
CREATE INDEX event_app ON event (app, number) WHERE app IS NOT NULL;
CREATE INDEX event_connector ON event (connector, number) WHERE connector IS NOT NULL;
CREATE INDEX event_person ON event (person, number) WHERE person IS NOT NULL;
CREATE INDEX event_access ON event (account, entitlement, number) WHERE account IS NOT NULL;
CREATE INDEX event_object ON event (object, number) WHERE object IS NOT NULL;

-- Rows that wait for a time. ready is the time, or the end of a lease.
CREATE TABLE due (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	kind text COLLATE "C" NOT NULL,
	ref text COLLATE "C" NOT NULL,
	at bigint NOT NULL,
	ready bigint NOT NULL,
	payload bytea NOT NULL,
	attempts bigint NOT NULL,
	lease bigint NOT NULL,
	owner text COLLATE "C",
	UNIQUE (kind, ref)
);
CREATE INDEX due_ready ON due (kind, ready);

-- Values sealed with a key that lies outside the database.
CREATE TABLE secret (
	owner text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	key_name text COLLATE "C" NOT NULL,
	sealed bytea NOT NULL,
	changed bigint NOT NULL,
	PRIMARY KEY (owner, name)
);
CREATE INDEX secret_key_name ON secret (key_name);

CREATE TABLE person (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	merged_into text COLLATE "C" REFERENCES person (id),
	name bytea NOT NULL,
	sort_key bytea NOT NULL,
	status text COLLATE "C" NOT NULL,
	manager text COLLATE "C",
	department bytea NOT NULL,
	created bigint NOT NULL,
	version bigint NOT NULL
);
CREATE INDEX person_sort ON person (sort_key, id);
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE person_email (
	email bytea NOT NULL PRIMARY KEY,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	position bigint NOT NULL
);
CREATE INDEX person_email_person ON person_email (person);

CREATE TABLE person_role (
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	role text COLLATE "C" NOT NULL,
	PRIMARY KEY (person, role)
);

-- The status of a person, as intervals.
CREATE TABLE person_status (
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	from_at bigint NOT NULL,
	until_at bigint,
	status text COLLATE "C" NOT NULL,
	PRIMARY KEY (person, from_at)
);

CREATE TABLE app (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	name bytea NOT NULL UNIQUE,
	sort_key bytea NOT NULL,
	created bigint NOT NULL,
	version bigint NOT NULL
);
CREATE INDEX app_sort ON app (sort_key, id);

CREATE TABLE app_owner (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	PRIMARY KEY (app, person)
);
CREATE INDEX app_owner_person ON app_owner (person);

-- The role map and the minimum of admins of an app, as intervals.
CREATE TABLE role_map (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	from_at bigint NOT NULL,
	until_at bigint,
	minimum bigint NOT NULL,
	priority text COLLATE "C" NOT NULL,
	roles bytea NOT NULL,
	PRIMARY KEY (app, from_at)
);

CREATE TABLE connector (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	name bytea NOT NULL UNIQUE,
	product bytea NOT NULL,
	hosting text COLLATE "C" NOT NULL,
	interval_us bigint NOT NULL,
	paused boolean NOT NULL,
	directory boolean NOT NULL,
	stream bigint NOT NULL UNIQUE,
	created bigint NOT NULL,
	version bigint NOT NULL
);
CREATE INDEX connector_app ON connector (app);

CREATE TABLE connector_owner (
	connector text COLLATE "C" NOT NULL REFERENCES connector (id),
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	PRIMARY KEY (connector, person)
);

-- What a stream shows: rows of syncs up to head. staging is the sync that is being
-- written; 0 when none is.
CREATE TABLE head (
	stream bigint NOT NULL PRIMARY KEY,
	head bigint NOT NULL,
	staging bigint NOT NULL
);

CREATE TABLE sync (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	number bigint UNIQUE,
	connector text COLLATE "C" NOT NULL REFERENCES connector (id),
	stream bigint NOT NULL,
	task text COLLATE "C",
	kind text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	dispatched bigint,
	began bigint NOT NULL,
	received bigint NOT NULL,
	applied bigint,
	file text COLLATE "C",
	sha256 bytea NOT NULL,
	size bigint NOT NULL,
	counts bytea NOT NULL,
	holds bytea NOT NULL,
	why bytea NOT NULL
);
CREATE INDEX sync_connector ON sync (connector, received, id);
CREATE INDEX sync_file ON sync (file) WHERE file IS NOT NULL;
CREATE INDEX sync_applied ON sync (stream, began, number) WHERE state = 'applied';

-- A resource is one identity under a type and id; a version is what syncs showed of it.
CREATE TABLE resource (
	key bigint NOT NULL PRIMARY KEY,
	stream bigint NOT NULL,
	type bytea NOT NULL,
	id bytea NOT NULL,
	incarnation bigint NOT NULL,
	UNIQUE (stream, type, id, incarnation)
);

CREATE TABLE resource_version (
	resource bigint NOT NULL,
	opened bigint NOT NULL,
	closed bigint NOT NULL,
	digest bytea NOT NULL,
	name bytea NOT NULL,
	parent bigint NOT NULL,
	status bigint NOT NULL,
	created bigint,
	account boolean NOT NULL,
	kind bigint NOT NULL,
	login bytea NOT NULL,
	detail bytea NOT NULL,
	PRIMARY KEY (resource, opened)
);

-- Attributes without history. before is the value that the syncs before this one showed.
CREATE TABLE volatile (
	resource bigint NOT NULL PRIMARY KEY,
	sync bigint NOT NULL,
	last_login bigint,
	before bigint
);

CREATE TABLE entitlement (
	key bigint NOT NULL PRIMARY KEY,
	stream bigint NOT NULL,
	id bytea NOT NULL,
	UNIQUE (stream, id)
);

CREATE TABLE entitlement_version (
	entitlement bigint NOT NULL,
	opened bigint NOT NULL,
	closed bigint NOT NULL,
	digest bytea NOT NULL,
	resource bigint NOT NULL,
	slug bytea NOT NULL,
	name bytea NOT NULL,
	description bytea NOT NULL,
	purpose bigint NOT NULL,
	immutable boolean NOT NULL,
	PRIMARY KEY (entitlement, opened)
);
CREATE INDEX entitlement_version_resource ON entitlement_version (resource);

-- Versions in the order of their names, e-mail addresses and logins.
CREATE TABLE lookup (
	stream bigint NOT NULL,
	list bigint NOT NULL,
	value bytea NOT NULL,
	key bigint NOT NULL,
	opened bigint NOT NULL,
	PRIMARY KEY (stream, list, value, key, opened)
);

CREATE TABLE fact (
	stream bigint NOT NULL,
	entitlement bigint NOT NULL,
	principal bigint NOT NULL,
	opened bigint NOT NULL,
	closed bigint NOT NULL,
	sources bigint NOT NULL,
	flags bigint NOT NULL,
	detail bytea,
	PRIMARY KEY (stream, entitlement, principal, opened)
);

-- The facts in the order of their principals.
CREATE TABLE fact_by_principal (
	principal bigint NOT NULL,
	entitlement bigint NOT NULL,
	opened bigint NOT NULL,
	PRIMARY KEY (principal, entitlement, opened)
);

CREATE TABLE source_set (
	key bigint NOT NULL PRIMARY KEY,
	stream bigint NOT NULL,
	digest bytea NOT NULL,
	sources bytea NOT NULL,
	UNIQUE (stream, digest)
);

-- What an unfinished sync has written, to undo it.
CREATE TABLE staged (
	sync bigint NOT NULL,
	chunk bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	changes bytea NOT NULL,
	PRIMARY KEY (sync, chunk)
);

-- Whose an account is, as intervals.
CREATE TABLE account_owner (
	account bigint NOT NULL,
	from_at bigint NOT NULL,
	until_at bigint,
	person text COLLATE "C" REFERENCES person (id),
	how text COLLATE "C" NOT NULL,
	PRIMARY KEY (account, from_at)
);
CREATE INDEX account_owner_person ON account_owner (person, account) WHERE until_at IS NULL;

CREATE TABLE reason (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	account bigint NOT NULL,
	entitlement bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	ref text COLLATE "C" NOT NULL,
	created bigint NOT NULL,
	created_by bytea NOT NULL,
	until bigint,
	ended bigint,
	ended_by bytea,
	ended_why bytea
);
CREATE INDEX reason_access ON reason (account, entitlement, app);

CREATE TABLE bar (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	account bigint NOT NULL,
	entitlement bigint NOT NULL,
	created bigint NOT NULL,
	created_by bytea NOT NULL,
	why bytea NOT NULL,
	lifted bigint,
	lifted_by bytea,
	lifted_why bytea
);
CREATE UNIQUE INDEX bar_active ON bar (account, entitlement) WHERE lifted IS NULL;
CREATE INDEX bar_access ON bar (account, entitlement, created);

CREATE TABLE operation (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	connector text COLLATE "C" NOT NULL REFERENCES connector (id),
	account bigint NOT NULL,
	person text COLLATE "C" REFERENCES person (id),
	entitlement bigint NOT NULL,
	verb text COLLATE "C" NOT NULL,
	cause bytea NOT NULL,
	cause_ref text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	alive boolean NOT NULL,
	attempt bigint NOT NULL,
	created bigint NOT NULL,
	not_before bigint,
	dispatched bigint,
	lease_until bigint,
	finished bigint,
	task text COLLATE "C",
	answer bytea NOT NULL,
	verified bigint NOT NULL,
	version bigint NOT NULL
);
CREATE UNIQUE INDEX operation_alive ON operation (account, entitlement) WHERE alive AND account <> 0;
CREATE UNIQUE INDEX operation_alive_person ON operation (app, person, entitlement) WHERE alive AND account = 0;
CREATE UNIQUE INDEX operation_waiting ON operation (account, entitlement) WHERE state = 'waiting' AND account <> 0;
CREATE INDEX operation_access ON operation (account, entitlement, created);
CREATE INDEX operation_app ON operation (app, created, id);
CREATE INDEX operation_cause ON operation (cause_ref);
CREATE INDEX operation_connector ON operation (connector, state) WHERE alive;

-- Raw files in chunks. The row stays when the chunks are dropped: its hash is evidence.
CREATE TABLE file (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	began bigint NOT NULL,
	finished bigint,
	size bigint NOT NULL,
	sha256 bytea NOT NULL,
	chunks bigint NOT NULL,
	dropped bigint
);
CREATE INDEX file_unfinished ON file (began) WHERE finished IS NULL;

CREATE TABLE file_chunk (
	file text COLLATE "C" NOT NULL,
	number bigint NOT NULL,
	data bytea NOT NULL,
	PRIMARY KEY (file, number)
);

-- Who needs a file: a pack, a hold, a decision.
CREATE TABLE file_keep (
	file text COLLATE "C" NOT NULL REFERENCES file (id),
	holder text COLLATE "C" NOT NULL,
	PRIMARY KEY (file, holder)
);
