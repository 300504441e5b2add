-- How people sign in.

-- A person's login. The secret of the one-time codes is a sealed value of the person.
CREATE TABLE login (
	person TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
	name BLOB NOT NULL UNIQUE,
	password TEXT NOT NULL,
	last_step INTEGER NOT NULL,
	break_glass INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX login_break_glass ON login (break_glass) WHERE break_glass;

-- Browsers that are signed in, by the hash of what they show.
CREATE TABLE session (
	hash BLOB NOT NULL PRIMARY KEY,
	person TEXT NOT NULL REFERENCES person (id),
	began INTEGER NOT NULL,
	proved INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	address BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_person ON session (person);
CREATE INDEX session_seen ON session (seen);

-- Links that work once, by their hashes: with one, a person sets up the login.
CREATE TABLE invitation (
	hash BLOB NOT NULL PRIMARY KEY,
	person TEXT NOT NULL REFERENCES person (id),
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_person ON invitation (person);

-- Failed logins in a row, of a name or an address, by the hash of it.
CREATE TABLE attempt (
	hash BLOB NOT NULL PRIMARY KEY,
	failures INTEGER NOT NULL,
	last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_last ON attempt (last);
