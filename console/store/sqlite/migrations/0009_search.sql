-- What lists are filtered by, and what people are searched by.

-- Words of the names of people.
CREATE TABLE person_word (
	word BLOB NOT NULL,
	person TEXT NOT NULL REFERENCES person (id),
	PRIMARY KEY (word, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_word_person ON person_word (person);
CREATE INDEX person_inactive ON person (id) WHERE status <> 'active';

-- What ended, the newest first.
CREATE INDEX fact_ended ON fact (stream, entitlement, closed, principal) WHERE closed < 9223372036854775807;

-- Events about an entitlement, whoever holds it.
CREATE INDEX event_entitlement ON event (entitlement, number) WHERE entitlement > 0;

-- Names that are here already, cut at their spaces. Those that come are cut at everything
-- that is no letter or digit.
WITH RECURSIVE cut (person, word, rest) AS (
	SELECT id, x'', sort_key FROM person WHERE merged_into IS NULL
	UNION ALL
	SELECT person, CASE WHEN instr(rest, x'20') > 0 THEN substr(rest, 1, instr(rest, x'20') - 1) ELSE rest END,
		CASE WHEN instr(rest, x'20') > 0 THEN substr(rest, instr(rest, x'20') + 1) ELSE x'' END
	FROM cut WHERE length(rest) > 0
)
INSERT OR IGNORE INTO person_word (word, person) SELECT word, person FROM cut WHERE length(word) > 0;

-- Lists 7: disabled accounts; 8: service and system accounts; 9: accounts by further words of
-- their names; 10: entitlements by further words of theirs.
INSERT INTO lookup (stream, list, value, key, opened)
	SELECT l.stream, 7, l.value, l.key, l.opened FROM lookup l JOIN resource_version v ON v.resource = l.key AND v.opened = l.opened WHERE l.list = 1 AND v.status IN (2, 3);
INSERT INTO lookup (stream, list, value, key, opened)
	SELECT l.stream, 8, l.value, l.key, l.opened FROM lookup l JOIN resource_version v ON v.resource = l.key AND v.opened = l.opened WHERE l.list = 1 AND v.kind IN (2, 3);
WITH RECURSIVE cut (stream, list, key, opened, word, rest) AS (
	SELECT stream, CASE list WHEN 1 THEN 9 ELSE 10 END, key, opened, x'', CASE WHEN instr(value, x'20') > 0 THEN substr(value, instr(value, x'20') + 1) ELSE x'' END
	FROM lookup WHERE list IN (1, 3)
	UNION ALL
	SELECT stream, list, key, opened, CASE WHEN instr(rest, x'20') > 0 THEN substr(rest, 1, instr(rest, x'20') - 1) ELSE rest END,
		CASE WHEN instr(rest, x'20') > 0 THEN substr(rest, instr(rest, x'20') + 1) ELSE x'' END
	FROM cut WHERE length(rest) > 0
)
INSERT OR IGNORE INTO lookup (stream, list, value, key, opened) SELECT stream, list, word, key, opened FROM cut WHERE length(word) > 0;
