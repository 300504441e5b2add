-- Who said whose an account is; empty before this was kept.
ALTER TABLE account_owner ADD COLUMN set_by BLOB NOT NULL DEFAULT x'';

-- For whom an account is, as people said, as intervals.
CREATE TABLE account_kind (
	account INTEGER NOT NULL,
	from_at INTEGER NOT NULL,
	until_at INTEGER,
	kind INTEGER NOT NULL,
	set_by BLOB NOT NULL,
	PRIMARY KEY (account, from_at)
) STRICT, WITHOUT ROWID;
