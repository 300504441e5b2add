-- Applications that syncs of other applications show, and the managed app that each became.
CREATE TABLE app_resource (
	resource INTEGER PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id)
) STRICT;
CREATE INDEX app_resource_app ON app_resource (app);
