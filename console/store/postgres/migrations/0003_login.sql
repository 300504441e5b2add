-- How people sign in.

-- A person's login. The secret of the one-time codes is a sealed value of the person.
CREATE TABLE login (
	person text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES person (id),
	name bytea NOT NULL UNIQUE,
	password text COLLATE "C" NOT NULL,
	last_step bigint NOT NULL,
	break_glass boolean NOT NULL
);
CREATE UNIQUE INDEX login_break_glass ON login (break_glass) WHERE break_glass;

-- Browsers that are signed in, by the hash of what they show.
CREATE TABLE session (
	hash bytea NOT NULL PRIMARY KEY,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	began bigint NOT NULL,
	proved bigint NOT NULL,
	seen bigint NOT NULL,
	address bytea NOT NULL
);
CREATE INDEX session_person ON session (person);
CREATE INDEX session_seen ON session (seen);

-- Links that work once, by their hashes: with one, a person sets up the login.
CREATE TABLE invitation (
	hash bytea NOT NULL PRIMARY KEY,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	expires bigint NOT NULL
);
CREATE INDEX invitation_person ON invitation (person);

-- Failed logins in a row, of a name or an address, by the hash of it.
CREATE TABLE attempt (
	hash bytea NOT NULL PRIMARY KEY,
	failures bigint NOT NULL,
	last bigint NOT NULL
);
CREATE INDEX attempt_last ON attempt (last);
