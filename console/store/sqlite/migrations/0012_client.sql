-- Programs that call the REST interface for people, or as services.

-- A service is a person without a login: its clients act as it.
ALTER TABLE person ADD COLUMN service INTEGER NOT NULL DEFAULT 0;

-- A key of a person; only the public half. Scopes are separated by spaces.
CREATE TABLE client (
	id TEXT NOT NULL PRIMARY KEY,
	client_id BLOB NOT NULL UNIQUE,
	name BLOB NOT NULL,
	person TEXT NOT NULL REFERENCES person (id),
	service INTEGER NOT NULL,
	scopes TEXT NOT NULL,
	public_key BLOB NOT NULL,
	creator TEXT NOT NULL REFERENCES person (id),
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	revoked INTEGER,
	last_used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX client_person ON client (person, id);

-- Their bearer tokens, by hashes.
CREATE TABLE client_token (
	hash BLOB NOT NULL PRIMARY KEY,
	client TEXT NOT NULL REFERENCES client (id),
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX client_token_expires ON client_token (expires);
CREATE INDEX client_token_client ON client_token (client);
