-- What connectors are asked to do, and who serves them.

INSERT INTO counter (name, next) VALUES ('task', 1);

CREATE TABLE task (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	connector text COLLATE "C" NOT NULL,
	ref text COLLATE "C" NOT NULL,
	number bigint NOT NULL,
	type text COLLATE "C" NOT NULL,
	exclusive boolean NOT NULL,
	work bytea NOT NULL,
	only_host bytea NOT NULL,
	debug boolean NOT NULL,
	due bigint NOT NULL,
	lease_us bigint NOT NULL,
	state text COLLATE "C" NOT NULL,
	added bigint NOT NULL,
	cancelled boolean NOT NULL,
	host bytea NOT NULL,
	lease bigint NOT NULL,
	lease_since bigint,
	lease_until bigint,
	heartbeats bigint NOT NULL,
	result bytea
);
CREATE INDEX task_open ON task (connector, due, number) WHERE state <> 'finished';
CREATE INDEX task_leased ON task (lease_until) WHERE state = 'leased';
CREATE INDEX task_ref ON task (ref) WHERE ref <> '';

-- One row for each connector that ever had a task: whoever leases its tasks locks it.
CREATE TABLE task_queue (
	connector text COLLATE "C" NOT NULL PRIMARY KEY
);

-- What a connector sent for a task. The bytes are the file of the same id.
CREATE TABLE upload (
	id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES file (id),
	number bigint NOT NULL,
	connector text COLLATE "C" NOT NULL,
	task text COLLATE "C" NOT NULL REFERENCES task (id),
	kind text COLLATE "C" NOT NULL,
	host bytea NOT NULL,
	lease bigint NOT NULL,
	lease_since bigint,
	lease_until bigint
);
CREATE INDEX upload_task ON upload (task, number);

-- A process that serves a connector, and how it introduced itself.
CREATE TABLE host (
	connector text COLLATE "C" NOT NULL,
	id bytea NOT NULL,
	first bigint NOT NULL,
	last bigint NOT NULL,
	seen bigint NOT NULL,
	hellos bigint NOT NULL,
	hello bytea NOT NULL,
	PRIMARY KEY (connector, id)
);

-- A key of a connector; only the public half. Client ids come from outside.
CREATE TABLE credential (
	client_id bytea NOT NULL PRIMARY KEY,
	connector text COLLATE "C" NOT NULL,
	public_key bytea NOT NULL,
	created bigint NOT NULL,
	expires bigint,
	revoked bigint,
	last_used bigint
);
CREATE INDEX credential_connector ON credential (connector, created);

-- Bearer tokens, by their hashes.
CREATE TABLE token (
	hash bytea NOT NULL PRIMARY KEY,
	client_id bytea NOT NULL REFERENCES credential (client_id),
	expires bigint NOT NULL
);
CREATE INDEX token_expires ON token (expires);
CREATE INDEX token_credential ON token (client_id);

-- Hashes of the assertions that were exchanged for tokens: each may be used once.
CREATE TABLE assertion (
	hash bytea NOT NULL PRIMARY KEY,
	expires bigint NOT NULL
);
CREATE INDEX assertion_expires ON assertion (expires);
