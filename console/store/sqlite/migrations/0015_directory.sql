-- What directories say about the people whom their accounts stand for.
CREATE TABLE directory_account (
	account INTEGER PRIMARY KEY,
	stream INTEGER NOT NULL,
	person TEXT REFERENCES person (id),
	given BLOB NOT NULL,
	missing INTEGER NOT NULL,
	why BLOB NOT NULL
) STRICT;
CREATE INDEX directory_account_stream ON directory_account (stream, account);
CREATE INDEX directory_account_person ON directory_account (person) WHERE person IS NOT NULL;
