-- What needs somebody: one row for each cause that was ever found. subject names the cause within
-- its app and kind. until, why and by_actor belong to an acceptance or a snooze.
CREATE TABLE finding (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	kind text COLLATE "C" NOT NULL,
	subject text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	connector text COLLATE "C",
	account bigint NOT NULL,
	entitlement bigint NOT NULL,
	object text COLLATE "C" NOT NULL,
	detail bytea NOT NULL,
	appeared bigint NOT NULL,
	resolved bigint,
	told bigint,
	until bigint,
	why bytea NOT NULL,
	by_actor bytea NOT NULL,
	version bigint NOT NULL
);
CREATE UNIQUE INDEX finding_subject ON finding (app, kind, subject);
CREATE INDEX finding_kind ON finding (state, kind, appeared, id);
CREATE INDEX finding_app ON finding (state, app, kind, appeared, id);
CREATE INDEX finding_until ON finding (app, kind, until) WHERE until IS NOT NULL;

-- Up to which sync of a stream changes were looked at.
CREATE TABLE finding_seen (
	stream bigint NOT NULL PRIMARY KEY,
	sync bigint NOT NULL
);
