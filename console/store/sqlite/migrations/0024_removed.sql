-- When an app or a connector was removed. Its history stays.
ALTER TABLE app ADD COLUMN removed INTEGER;
ALTER TABLE connector ADD COLUMN removed INTEGER;

CREATE TABLE policy_removed (
	policy TEXT NOT NULL PRIMARY KEY,
	at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
