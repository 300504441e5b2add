-- What connectors are asked to do, and who serves them.

INSERT INTO counter (name, next) VALUES ('task', 1);

CREATE TABLE task (
	id TEXT NOT NULL PRIMARY KEY,
	connector TEXT NOT NULL,
	ref TEXT NOT NULL,
	number INTEGER NOT NULL,
	type TEXT NOT NULL,
	exclusive INTEGER NOT NULL,
	work BLOB NOT NULL,
	only_host BLOB NOT NULL,
	debug INTEGER NOT NULL,
	due INTEGER NOT NULL,
	lease_us INTEGER NOT NULL,
	state TEXT NOT NULL,
	added INTEGER NOT NULL,
	cancelled INTEGER NOT NULL,
	host BLOB NOT NULL,
	lease INTEGER NOT NULL,
	lease_since INTEGER,
	lease_until INTEGER,
	heartbeats INTEGER NOT NULL,
	result BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX task_open ON task (connector, due, number) WHERE state <> 'finished';
CREATE INDEX task_leased ON task (lease_until) WHERE state = 'leased';
CREATE INDEX task_ref ON task (ref) WHERE ref <> '';

-- One row for each connector that ever had a task: whoever leases its tasks locks it.
CREATE TABLE task_queue (
	connector TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What a connector sent for a task. The bytes are the file of the same id.
CREATE TABLE upload (
	id TEXT NOT NULL PRIMARY KEY REFERENCES file (id),
	number INTEGER NOT NULL,
	connector TEXT NOT NULL,
	task TEXT NOT NULL REFERENCES task (id),
	kind TEXT NOT NULL,
	host BLOB NOT NULL,
	lease INTEGER NOT NULL,
	lease_since INTEGER,
	lease_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_task ON upload (task, number);

-- A process that serves a connector, and how it introduced itself.
CREATE TABLE host (
	connector TEXT NOT NULL,
	id BLOB NOT NULL,
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	hellos INTEGER NOT NULL,
	hello BLOB NOT NULL,
	PRIMARY KEY (connector, id)
) STRICT, WITHOUT ROWID;

-- A key of a connector; only the public half. Client ids come from outside.
CREATE TABLE credential (
	client_id BLOB NOT NULL PRIMARY KEY,
	connector TEXT NOT NULL,
	public_key BLOB NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER,
	revoked INTEGER,
	last_used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_connector ON credential (connector, created);

-- Bearer tokens, by their hashes.
CREATE TABLE token (
	hash BLOB NOT NULL PRIMARY KEY,
	client_id BLOB NOT NULL REFERENCES credential (client_id),
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_expires ON token (expires);
CREATE INDEX token_credential ON token (client_id);

-- Hashes of the assertions that were exchanged for tokens: each may be used once.
CREATE TABLE assertion (
	hash BLOB NOT NULL PRIMARY KEY,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX assertion_expires ON assertion (expires);
