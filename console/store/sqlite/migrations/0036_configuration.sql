-- Configuration files: one row for each set of files that was applied, and for each object that such a
-- set describes, with the object as the files describe it.
CREATE TABLE configuration_source (
	name TEXT NOT NULL PRIMARY KEY,
	applied INTEGER NOT NULL,
	actor BLOB NOT NULL,
	client TEXT NOT NULL,
	digest TEXT NOT NULL,
	objects INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE configuration_object (
	id TEXT NOT NULL PRIMARY KEY,
	source TEXT NOT NULL REFERENCES configuration_source (name),
	kind TEXT NOT NULL,
	object TEXT NOT NULL,
	name BLOB NOT NULL,
	place BLOB NOT NULL,
	described BLOB NOT NULL,
	former INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX configuration_object_of ON configuration_object (source, kind, object);
CREATE INDEX configuration_object_managed ON configuration_object (kind, object);
