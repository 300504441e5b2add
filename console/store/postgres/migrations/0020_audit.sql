-- Who reads the stream of events, and how far.
CREATE TABLE audit_reader (
	reader text COLLATE "C" NOT NULL PRIMARY KEY,
	began bigint NOT NULL,
	seen bigint NOT NULL,
	number bigint NOT NULL
);
