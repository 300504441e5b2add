-- Who said whose an account is; empty before this was kept.
ALTER TABLE account_owner ADD COLUMN set_by bytea NOT NULL DEFAULT '';

-- For whom an account is, as people said, as intervals.
CREATE TABLE account_kind (
	account bigint NOT NULL,
	from_at bigint NOT NULL,
	until_at bigint,
	kind bigint NOT NULL,
	set_by bytea NOT NULL,
	PRIMARY KEY (account, from_at)
);
