-- The content of the recovery card of each app, without names, and the content of which people were
-- told last.
CREATE TABLE recovery_card (
	app TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
	version INTEGER NOT NULL,
	body BLOB NOT NULL,
	changed INTEGER NOT NULL,
	told_body BLOB NOT NULL,
	told INTEGER
) STRICT, WITHOUT ROWID;

-- Who keeps a copy of a card, and of which version.
CREATE TABLE recovery_copy (
	app TEXT NOT NULL REFERENCES app (id),
	person TEXT NOT NULL REFERENCES person (id),
	version INTEGER NOT NULL,
	body BLOB NOT NULL,
	printed INTEGER NOT NULL,
	PRIMARY KEY (app, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_copy_person ON recovery_copy (person);
