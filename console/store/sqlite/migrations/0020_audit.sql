-- Who reads the stream of events, and how far.
CREATE TABLE audit_reader (
	reader TEXT NOT NULL PRIMARY KEY,
	began INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
