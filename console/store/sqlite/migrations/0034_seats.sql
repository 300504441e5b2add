-- The seats that were purchased of an app, as people typed them in: one row for each version.
CREATE TABLE seats (
	app TEXT NOT NULL REFERENCES app (id),
	version INTEGER NOT NULL,
	purchased INTEGER NOT NULL,
	renewal INTEGER,
	block INTEGER NOT NULL,
	otherwise BLOB NOT NULL,
	by_actor BLOB NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (app, version)
) STRICT, WITHOUT ROWID;
