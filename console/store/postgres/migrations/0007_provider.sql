-- People sign in with OpenID Connect providers.

-- The secret of the console's client is a sealed value of the provider.
CREATE TABLE provider (
	name text COLLATE "C" NOT NULL PRIMARY KEY,
	label bytea NOT NULL,
	issuer bytea NOT NULL UNIQUE,
	client_id bytea NOT NULL,
	scopes bytea NOT NULL,
	groups_claim bytea NOT NULL,
	add_people boolean NOT NULL,
	enabled boolean NOT NULL,
	version bigint NOT NULL
);

-- Roles that the groups of a provider give.
CREATE TABLE provider_group (
	provider text COLLATE "C" NOT NULL REFERENCES provider (name),
	group_name bytea NOT NULL,
	role text COLLATE "C" NOT NULL,
	PRIMARY KEY (provider, group_name, role)
);

-- Roles that people have from the groups of a provider. The others were given by hand.
CREATE TABLE mapped_role (
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	provider text COLLATE "C" NOT NULL REFERENCES provider (name),
	role text COLLATE "C" NOT NULL,
	PRIMARY KEY (person, provider, role)
);
CREATE INDEX mapped_role_provider ON mapped_role (provider);

-- Who people are at issuers.
CREATE TABLE identity (
	issuer bytea NOT NULL,
	subject bytea NOT NULL,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	email bytea NOT NULL,
	bound bigint NOT NULL,
	seen bigint NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_person ON identity (person);

-- Logins with a provider that are under way, by the hash of their state.
CREATE TABLE sign_in (
	hash bytea NOT NULL PRIMARY KEY,
	provider text COLLATE "C" NOT NULL REFERENCES provider (name),
	browser bytea NOT NULL,
	nonce text COLLATE "C" NOT NULL,
	verifier text COLLATE "C" NOT NULL,
	next bytea NOT NULL,
	session bytea,
	began bigint NOT NULL,
	address bytea NOT NULL
);
CREATE INDEX sign_in_began ON sign_in (began);
CREATE INDEX sign_in_address ON sign_in (address);

-- How a session began: with which provider; NULL for a password.
ALTER TABLE session ADD COLUMN provider text COLLATE "C";
