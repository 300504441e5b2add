-- What people are told, and the mails that tell it.

-- How far each reader of the events has come.
CREATE TABLE follower (
	name text COLLATE "C" NOT NULL PRIMARY KEY,
	number bigint NOT NULL
);

-- How people want notices that do not concern security.
CREATE TABLE mail_choice (
	person text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES person (id),
	choice text COLLATE "C" NOT NULL
);

CREATE TABLE mail (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	state text COLLATE "C" NOT NULL,
	subject bytea NOT NULL,
	address bytea NOT NULL,
	created bigint NOT NULL,
	ended bigint,
	attempts bigint NOT NULL,
	detail bytea NOT NULL
);
CREATE INDEX mail_state ON mail (state, created, id);
CREATE INDEX mail_created ON mail (created, id);
CREATE INDEX mail_person ON mail (person, created);

-- One person is told about one event at most once. mail is the mail that tells it.
CREATE TABLE notice (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	event bigint NOT NULL,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	class text COLLATE "C" NOT NULL,
	created bigint NOT NULL,
	mail text COLLATE "C" REFERENCES mail (id),
	content bytea NOT NULL,
	UNIQUE (event, person)
);
CREATE INDEX notice_waiting ON notice (person, created, id) WHERE mail IS NULL;
CREATE INDEX notice_mail ON notice (mail) WHERE mail IS NOT NULL;

-- The states of connectors that people were told of.
CREATE TABLE connector_state (
	connector text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES connector (id),
	state text COLLATE "C" NOT NULL,
	since bigint NOT NULL
);
