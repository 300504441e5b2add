-- Identity providers that push people and groups by SCIM.

-- A source is a directory. Its stream is a number of those of connectors, and shows no syncs.
CREATE TABLE scim_source (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	name bytea NOT NULL UNIQUE,
	stream bigint NOT NULL UNIQUE,
	created bigint NOT NULL,
	creator text COLLATE "C" NOT NULL REFERENCES person (id),
	error bytea NOT NULL,
	error_at bigint
);

-- Bearer tokens of sources, by hashes.
CREATE TABLE scim_token (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	source text COLLATE "C" NOT NULL REFERENCES scim_source (id),
	hash bytea NOT NULL UNIQUE,
	created bigint NOT NULL,
	revoked bigint,
	last_used bigint
);
CREATE INDEX scim_token_source ON scim_token (source, id);

-- Users as they were pushed. key is a resource's, under which directory_account has the person.
-- ended ones were deleted, and come back under the same external id.
CREATE TABLE scim_user (
	key bigint NOT NULL PRIMARY KEY,
	source text COLLATE "C" NOT NULL REFERENCES scim_source (id),
	id text COLLATE "C" NOT NULL UNIQUE,
	user_name bytea NOT NULL,
	external_id bytea NOT NULL,
	manager bytea NOT NULL,
	unsettled boolean NOT NULL,
	created bigint NOT NULL,
	modified bigint NOT NULL,
	ended bigint,
	version bigint NOT NULL,
	entry bytea NOT NULL,
	document bytea NOT NULL
);
CREATE UNIQUE INDEX scim_user_name ON scim_user (source, user_name) WHERE ended IS NULL;
CREATE INDEX scim_user_source ON scim_user (source, key) WHERE ended IS NULL;
CREATE INDEX scim_user_external ON scim_user (source, external_id, key) WHERE length(external_id) > 0;
CREATE INDEX scim_user_unsettled ON scim_user (source, key) WHERE unsettled;
CREATE INDEX scim_user_manager ON scim_user (source, manager, key) WHERE unsettled;

-- The addresses by which users are looked up.
CREATE TABLE scim_address (
	source text COLLATE "C" NOT NULL,
	address bytea NOT NULL,
	key bigint NOT NULL REFERENCES scim_user (key),
	PRIMARY KEY (source, address, key)
);
CREATE INDEX scim_address_user ON scim_address (key);

-- Groups as they were pushed. role is the role in the console that a group gives.
CREATE TABLE scim_group (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	source text COLLATE "C" NOT NULL REFERENCES scim_source (id),
	name bytea NOT NULL,
	name_key bytea NOT NULL,
	external_id bytea NOT NULL,
	role text COLLATE "C",
	created bigint NOT NULL,
	modified bigint NOT NULL,
	version bigint NOT NULL,
	UNIQUE (source, name_key)
);
CREATE INDEX scim_group_source ON scim_group (source, id);
CREATE INDEX scim_group_external ON scim_group (source, external_id) WHERE length(external_id) > 0;

CREATE TABLE scim_member (
	grp text COLLATE "C" NOT NULL REFERENCES scim_group (id),
	key bigint NOT NULL REFERENCES scim_user (key),
	PRIMARY KEY (grp, key)
);
CREATE INDEX scim_member_user ON scim_member (key, grp);

-- Roles come from groups of sources, too: provider is then scim: and the id of the source.
ALTER TABLE mapped_role DROP CONSTRAINT mapped_role_provider_fkey;
