-- The content of the recovery card of each app, without names, and the content of which people were
-- told last.
CREATE TABLE recovery_card (
	app text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES app (id),
	version bigint NOT NULL,
	body bytea NOT NULL,
	changed bigint NOT NULL,
	told_body bytea NOT NULL,
	told bigint
);

-- Who keeps a copy of a card, and of which version.
CREATE TABLE recovery_copy (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	version bigint NOT NULL,
	body bytea NOT NULL,
	printed bigint NOT NULL,
	PRIMARY KEY (app, person)
);
CREATE INDEX recovery_copy_person ON recovery_copy (person);
