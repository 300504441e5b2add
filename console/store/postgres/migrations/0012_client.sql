-- Programs that call the REST interface for people, or as services.

-- A service is a person without a login: its clients act as it.
ALTER TABLE person ADD COLUMN service boolean NOT NULL DEFAULT false;

-- A key of a person; only the public half. Scopes are separated by spaces.
CREATE TABLE client (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	client_id bytea NOT NULL UNIQUE,
	name bytea NOT NULL,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	service boolean NOT NULL,
	scopes text COLLATE "C" NOT NULL,
	public_key bytea NOT NULL,
	creator text COLLATE "C" NOT NULL REFERENCES person (id),
	created bigint NOT NULL,
	expires bigint NOT NULL,
	revoked bigint,
	last_used bigint
);
CREATE INDEX client_person ON client (person, id);

-- Their bearer tokens, by hashes.
CREATE TABLE client_token (
	hash bytea NOT NULL PRIMARY KEY,
	client text COLLATE "C" NOT NULL REFERENCES client (id),
	expires bigint NOT NULL
);
CREATE INDEX client_token_expires ON client_token (expires);
CREATE INDEX client_token_client ON client_token (client);
