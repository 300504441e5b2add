-- Operations that are carried out.

-- What an operation needs beside its access, as JSON.
ALTER TABLE operation ADD COLUMN input bytea;
CREATE INDEX operation_person ON operation (app, person) WHERE alive AND account = 0;
CREATE INDEX operation_state ON operation (app, state, created, id);

-- A reason of somebody who has no account yet, and one that begins with the access.
ALTER TABLE reason ADD COLUMN person text COLLATE "C" REFERENCES person (id);
ALTER TABLE reason ADD COLUMN lasts_us bigint;
CREATE INDEX reason_person ON reason (app, person) WHERE account = 0;

-- The entitlements that a targeted sync speaks about, as JSON.
ALTER TABLE sync ADD COLUMN scope bytea;

-- Access whose time is over and that could not be removed.
CREATE TABLE overdue (
	account bigint NOT NULL,
	entitlement bigint NOT NULL,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	connector text COLLATE "C" NOT NULL REFERENCES connector (id),
	reason text COLLATE "C" NOT NULL,
	expired bigint NOT NULL,
	since bigint NOT NULL,
	why bytea NOT NULL,
	PRIMARY KEY (account, entitlement)
);
CREATE INDEX overdue_app ON overdue (app, since);

-- Actions of connectors that people ran.
CREATE TABLE action_run (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	connector text COLLATE "C" NOT NULL REFERENCES connector (id),
	name bytea NOT NULL,
	resource_type bytea NOT NULL,
	arguments bytea NOT NULL,
	why bytea NOT NULL,
	created bigint NOT NULL,
	created_by bytea NOT NULL,
	state text COLLATE "C" NOT NULL,
	task text COLLATE "C",
	finished bigint,
	answer bytea NOT NULL,
	returned bytea NOT NULL
);
CREATE INDEX action_run_connector ON action_run (connector, created, id);
