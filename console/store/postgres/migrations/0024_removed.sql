-- When an app or a connector was removed. Its history stays.
ALTER TABLE app ADD COLUMN removed bigint;
ALTER TABLE connector ADD COLUMN removed bigint;

CREATE TABLE policy_removed (
	policy text COLLATE "C" NOT NULL PRIMARY KEY,
	at bigint NOT NULL
);
