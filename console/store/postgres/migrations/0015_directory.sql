-- What directories say about the people whom their accounts stand for.
CREATE TABLE directory_account (
	account bigint NOT NULL PRIMARY KEY,
	stream bigint NOT NULL,
	person text COLLATE "C" REFERENCES person (id),
	given bytea NOT NULL,
	missing bigint NOT NULL,
	why bytea NOT NULL
);
CREATE INDEX directory_account_stream ON directory_account (stream, account);
CREATE INDEX directory_account_person ON directory_account (person) WHERE person IS NOT NULL;
