-- What people are told, and the mails that tell it.

-- How far each reader of the events has come.
CREATE TABLE follower (
	name TEXT NOT NULL PRIMARY KEY,
	number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How people want notices that do not concern security.
CREATE TABLE mail_choice (
	person TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
	choice TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mail (
	id TEXT NOT NULL PRIMARY KEY,
	person TEXT NOT NULL REFERENCES person (id),
	state TEXT NOT NULL,
	subject BLOB NOT NULL,
	address BLOB NOT NULL,
	created INTEGER NOT NULL,
	ended INTEGER,
	attempts INTEGER NOT NULL,
	detail BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_state ON mail (state, created, id);
CREATE INDEX mail_created ON mail (created, id);
CREATE INDEX mail_person ON mail (person, created);

-- One person is told about one event at most once. mail is the mail that tells it.
CREATE TABLE notice (
	id TEXT NOT NULL PRIMARY KEY,
	event INTEGER NOT NULL,
	person TEXT NOT NULL REFERENCES person (id),
	class TEXT NOT NULL,
	created INTEGER NOT NULL,
	mail TEXT REFERENCES mail (id),
	content BLOB NOT NULL,
	UNIQUE (event, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_waiting ON notice (person, created, id) WHERE mail IS NULL;
CREATE INDEX notice_mail ON notice (mail) WHERE mail IS NOT NULL;

-- The states of connectors that people were told of.
CREATE TABLE connector_state (
	connector TEXT NOT NULL PRIMARY KEY REFERENCES connector (id),
	state TEXT NOT NULL,
	since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
