-- Applications that syncs of other applications show, and the managed app that each became.
CREATE TABLE app_resource (
	resource bigint NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id)
);
CREATE INDEX app_resource_app ON app_resource (app);
