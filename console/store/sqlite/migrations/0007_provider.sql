-- People sign in with OpenID Connect providers.

-- The secret of the console's client is a sealed value of the provider.
CREATE TABLE provider (
	name TEXT NOT NULL PRIMARY KEY,
	label BLOB NOT NULL,
	issuer BLOB NOT NULL UNIQUE,
	client_id BLOB NOT NULL,
	scopes BLOB NOT NULL,
	groups_claim BLOB NOT NULL,
	add_people INTEGER NOT NULL,
	enabled INTEGER NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Roles that the groups of a provider give.
CREATE TABLE provider_group (
	provider TEXT NOT NULL REFERENCES provider (name),
	group_name BLOB NOT NULL,
	role TEXT NOT NULL,
	PRIMARY KEY (provider, group_name, role)
) STRICT, WITHOUT ROWID;

-- Roles that people have from the groups of a provider. The others were given by hand.
CREATE TABLE mapped_role (
	person TEXT NOT NULL REFERENCES person (id),
	provider TEXT NOT NULL REFERENCES provider (name),
	role TEXT NOT NULL,
	PRIMARY KEY (person, provider, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX mapped_role_provider ON mapped_role (provider);

-- Who people are at issuers.
CREATE TABLE identity (
	issuer BLOB NOT NULL,
	subject BLOB NOT NULL,
	person TEXT NOT NULL REFERENCES person (id),
	email BLOB NOT NULL,
	bound INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_person ON identity (person);

-- Logins with a provider that are under way, by the hash of their state.
CREATE TABLE sign_in (
	hash BLOB NOT NULL PRIMARY KEY,
	provider TEXT NOT NULL REFERENCES provider (name),
	browser BLOB NOT NULL,
	nonce TEXT NOT NULL,
	verifier TEXT NOT NULL,
	next BLOB NOT NULL,
	session BLOB,
	began INTEGER NOT NULL,
	address BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_began ON sign_in (began);
CREATE INDEX sign_in_address ON sign_in (address);

-- How a session began: with which provider; NULL for a password.
ALTER TABLE session ADD COLUMN provider TEXT;
