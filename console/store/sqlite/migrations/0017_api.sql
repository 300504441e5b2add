-- What programs call entitlements by.
CREATE TABLE entitlement_alias (
	alias TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entitlement_alias_of ON entitlement_alias (app, entitlement);

-- Programs that ask for a credential, while a person has not confirmed it, or the program has
-- not fetched it. The secrets are hashes.
CREATE TABLE device (
	code BLOB NOT NULL PRIMARY KEY,
	typed BLOB NOT NULL UNIQUE,
	client TEXT NOT NULL,
	address TEXT NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	state TEXT NOT NULL,
	person TEXT REFERENCES person (id),
	scopes TEXT NOT NULL,
	token BLOB UNIQUE
) STRICT, WITHOUT ROWID;
CREATE INDEX device_expires ON device (expires);
