-- Configuration files: one row for each set of files that was applied, and for each object that such a
-- set describes, with the object as the files describe it.
CREATE TABLE configuration_source (
	name text COLLATE "C" NOT NULL PRIMARY KEY,
	applied bigint NOT NULL,
	actor bytea NOT NULL,
	client text COLLATE "C" NOT NULL,
	digest text COLLATE "C" NOT NULL,
	objects bigint NOT NULL
);

CREATE TABLE configuration_object (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	source text COLLATE "C" NOT NULL REFERENCES configuration_source (name),
	kind text COLLATE "C" NOT NULL,
	object text COLLATE "C" NOT NULL,
	name bytea NOT NULL,
	place bytea NOT NULL,
	described bytea NOT NULL,
	former boolean NOT NULL
);
CREATE UNIQUE INDEX configuration_object_of ON configuration_object (source, kind, object);
CREATE INDEX configuration_object_managed ON configuration_object (kind, object);
