-- Identity providers that push people and groups by SCIM.

-- A source is a directory. Its stream is a number of those of connectors, and shows no syncs.
CREATE TABLE scim_source (
	id TEXT NOT NULL PRIMARY KEY,
	name BLOB NOT NULL UNIQUE,
	stream INTEGER NOT NULL UNIQUE,
	created INTEGER NOT NULL,
	creator TEXT NOT NULL REFERENCES person (id),
	error BLOB NOT NULL,
	error_at INTEGER
) STRICT, WITHOUT ROWID;

-- Bearer tokens of sources, by hashes.
CREATE TABLE scim_token (
	id TEXT NOT NULL PRIMARY KEY,
	source TEXT NOT NULL REFERENCES scim_source (id),
	hash BLOB NOT NULL UNIQUE,
	created INTEGER NOT NULL,
	revoked INTEGER,
	last_used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_token_source ON scim_token (source, id);

-- Users as they were pushed. key is a resource's, under which directory_account has the person.
-- ended ones were deleted, and come back under the same external id.
CREATE TABLE scim_user (
	key INTEGER PRIMARY KEY,
	source TEXT NOT NULL REFERENCES scim_source (id),
	id TEXT NOT NULL UNIQUE,
	user_name BLOB NOT NULL,
	external_id BLOB NOT NULL,
	manager BLOB NOT NULL,
	unsettled INTEGER NOT NULL,
	created INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	ended INTEGER,
	version INTEGER NOT NULL,
	entry BLOB NOT NULL,
	document BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX scim_user_name ON scim_user (source, user_name) WHERE ended IS NULL;
CREATE INDEX scim_user_source ON scim_user (source, key) WHERE ended IS NULL;
CREATE INDEX scim_user_external ON scim_user (source, external_id, key) WHERE length(external_id) > 0;
CREATE INDEX scim_user_unsettled ON scim_user (source, key) WHERE unsettled;
CREATE INDEX scim_user_manager ON scim_user (source, manager, key) WHERE unsettled;

-- The addresses by which users are looked up.
CREATE TABLE scim_address (
	source TEXT NOT NULL,
	address BLOB NOT NULL,
	key INTEGER NOT NULL REFERENCES scim_user (key),
	PRIMARY KEY (source, address, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_address_user ON scim_address (key);

-- Groups as they were pushed. role is the role in the console that a group gives.
CREATE TABLE scim_group (
	id TEXT NOT NULL PRIMARY KEY,
	source TEXT NOT NULL REFERENCES scim_source (id),
	name BLOB NOT NULL,
	name_key BLOB NOT NULL,
	external_id BLOB NOT NULL,
	role TEXT,
	created INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	version INTEGER NOT NULL,
	UNIQUE (source, name_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_group_source ON scim_group (source, id);
CREATE INDEX scim_group_external ON scim_group (source, external_id) WHERE length(external_id) > 0;

CREATE TABLE scim_member (
	grp TEXT NOT NULL REFERENCES scim_group (id),
	key INTEGER NOT NULL REFERENCES scim_user (key),
	PRIMARY KEY (grp, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_member_user ON scim_member (key, grp);

-- Roles come from groups of sources, too: provider is then scim: and the id of the source.
CREATE TABLE mapped_role_of_any (
	person TEXT NOT NULL REFERENCES person (id),
	provider TEXT NOT NULL,
	role TEXT NOT NULL,
	PRIMARY KEY (person, provider, role)
) STRICT, WITHOUT ROWID;
INSERT INTO mapped_role_of_any SELECT person, provider, role FROM mapped_role;
DROP TABLE mapped_role;
ALTER TABLE mapped_role_of_any RENAME TO mapped_role;
CREATE INDEX mapped_role_provider ON mapped_role (provider);
