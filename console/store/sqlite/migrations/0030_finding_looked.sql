-- Up to which event of the chain each kind of findings about accounts was looked for in an app.
CREATE TABLE finding_looked (
	app TEXT NOT NULL REFERENCES app (id),
	kind TEXT NOT NULL,
	event INTEGER NOT NULL,
	PRIMARY KEY (app, kind)
) STRICT, WITHOUT ROWID;

-- Findings in the order of their accounts, and accounts in the order of their keys, which every index contains: both are read
-- side by side.
CREATE INDEX finding_account ON finding (app, kind, account) WHERE state <> 'resolved';
CREATE INDEX resource_stream ON resource (stream);

-- Events about people, of which the apps of their accounts may need a look.
CREATE INDEX event_of_person ON event (number) WHERE app IS NULL AND person IS NOT NULL;
