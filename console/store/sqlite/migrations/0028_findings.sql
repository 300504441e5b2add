-- What needs somebody: one row for each cause that was ever found. subject names the cause within
-- its app and kind. until, why and by_actor belong to an acceptance or a snooze.
CREATE TABLE finding (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	state TEXT NOT NULL,
	connector TEXT,
	account INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	object TEXT NOT NULL,
	detail BLOB NOT NULL,
	appeared INTEGER NOT NULL,
	resolved INTEGER,
	told INTEGER,
	until INTEGER,
	why BLOB NOT NULL,
	by_actor BLOB NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX finding_subject ON finding (app, kind, subject);
CREATE INDEX finding_kind ON finding (state, kind, appeared, id);
CREATE INDEX finding_app ON finding (state, app, kind, appeared, id);
CREATE INDEX finding_until ON finding (app, kind, until) WHERE until IS NOT NULL;

-- Up to which sync of a stream changes were looked at.
CREATE TABLE finding_seen (
	stream INTEGER PRIMARY KEY,
	sync INTEGER NOT NULL
) STRICT;
