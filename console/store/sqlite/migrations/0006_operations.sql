-- Operations that are carried out.

-- What an operation needs beside its access, as JSON.
ALTER TABLE operation ADD COLUMN input BLOB;
CREATE INDEX operation_person ON operation (app, person) WHERE alive AND account = 0;
CREATE INDEX operation_state ON operation (app, state, created, id);

-- A reason of somebody who has no account yet, and one that begins with the access.
ALTER TABLE reason ADD COLUMN person TEXT REFERENCES person (id);
ALTER TABLE reason ADD COLUMN lasts_us INTEGER;
CREATE INDEX reason_person ON reason (app, person) WHERE account = 0;

-- The entitlements that a targeted sync speaks about, as JSON.
ALTER TABLE sync ADD COLUMN scope BLOB;

-- Access whose time is over and that could not be removed.
CREATE TABLE overdue (
	account INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	app TEXT NOT NULL REFERENCES app (id),
	connector TEXT NOT NULL REFERENCES connector (id),
	reason TEXT NOT NULL,
	expired INTEGER NOT NULL,
	since INTEGER NOT NULL,
	why BLOB NOT NULL,
	PRIMARY KEY (account, entitlement)
) STRICT, WITHOUT ROWID;
CREATE INDEX overdue_app ON overdue (app, since);

-- Actions of connectors that people ran.
CREATE TABLE action_run (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	connector TEXT NOT NULL REFERENCES connector (id),
	name BLOB NOT NULL,
	resource_type BLOB NOT NULL,
	arguments BLOB NOT NULL,
	why BLOB NOT NULL,
	created INTEGER NOT NULL,
	created_by BLOB NOT NULL,
	state TEXT NOT NULL,
	task TEXT,
	finished INTEGER,
	answer BLOB NOT NULL,
	returned BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX action_run_connector ON action_run (connector, created, id);
