-- What programs call entitlements by.
CREATE TABLE entitlement_alias (
	alias text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL
);
CREATE UNIQUE INDEX entitlement_alias_of ON entitlement_alias (app, entitlement);

-- Programs that ask for a credential, while a person has not confirmed it, or the program has
-- not fetched it. The secrets are hashes.
CREATE TABLE device (
	code bytea NOT NULL PRIMARY KEY,
	typed bytea NOT NULL UNIQUE,
	client text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	created bigint NOT NULL,
	expires bigint NOT NULL,
	state text COLLATE "C" NOT NULL,
	person text COLLATE "C" REFERENCES person (id),
	scopes text COLLATE "C" NOT NULL,
	token bytea UNIQUE
);
CREATE INDEX device_expires ON device (expires);
