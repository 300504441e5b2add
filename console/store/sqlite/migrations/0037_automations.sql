-- Automations. state says whether it runs; what began before counted does not count for its limits.
CREATE TABLE automation (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	name BLOB NOT NULL,
	owner TEXT NOT NULL REFERENCES person (id),
	state TEXT NOT NULL,
	why BLOB NOT NULL,
	changed INTEGER NOT NULL,
	counted INTEGER NOT NULL,
	draft BLOB NOT NULL,
	author TEXT NOT NULL REFERENCES person (id),
	edited INTEGER NOT NULL,
	published INTEGER NOT NULL,
	created INTEGER NOT NULL,
	removed INTEGER,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX automation_app ON automation (app);

-- Published versions. They never change.
CREATE TABLE automation_version (
	automation TEXT NOT NULL REFERENCES automation (id),
	version INTEGER NOT NULL,
	rule BLOB NOT NULL,
	author TEXT NOT NULL,
	publisher TEXT NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (automation, version)
) STRICT, WITHOUT ROWID;

-- Runs of automations. cause names the cause within the automation.
CREATE TABLE automation_execution (
	id TEXT NOT NULL PRIMARY KEY,
	automation TEXT NOT NULL REFERENCES automation (id),
	version INTEGER NOT NULL,
	app TEXT NOT NULL,
	cause TEXT NOT NULL,
	data BLOB NOT NULL,
	person TEXT,
	account INTEGER NOT NULL,
	parent TEXT,
	chain BLOB NOT NULL,
	state TEXT NOT NULL,
	step INTEGER NOT NULL,
	waits BLOB NOT NULL,
	created INTEGER NOT NULL,
	created_by BLOB NOT NULL,
	began INTEGER,
	finished INTEGER,
	confirmed TEXT,
	why BLOB NOT NULL,
	changes INTEGER NOT NULL,
	UNIQUE (automation, cause)
) STRICT, WITHOUT ROWID;
CREATE INDEX automation_execution_created ON automation_execution (automation, created, id);
CREATE INDEX automation_execution_began ON automation_execution (automation, began) WHERE began IS NOT NULL;
CREATE INDEX automation_execution_state ON automation_execution (automation, state, created) WHERE finished IS NULL;

CREATE INDEX automation_execution_asking ON automation_execution (created, id) WHERE state = 'asking';

-- Requests of people that an automation runs, with the decisions about them.
CREATE TABLE automation_request (
	execution TEXT NOT NULL PRIMARY KEY REFERENCES automation_execution (id),
	body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The steps of runs. operation, run and child are what a step waits for.
CREATE TABLE automation_step (
	execution TEXT NOT NULL REFERENCES automation_execution (id),
	number INTEGER NOT NULL,
	step TEXT NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	input BLOB NOT NULL,
	changes BLOB NOT NULL,
	result BLOB NOT NULL,
	why BLOB NOT NULL,
	began INTEGER NOT NULL,
	ended INTEGER,
	operation TEXT,
	run TEXT,
	child TEXT,
	PRIMARY KEY (execution, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX automation_step_operation ON automation_step (operation) WHERE operation IS NOT NULL;
CREATE INDEX automation_step_run ON automation_step (run) WHERE run IS NOT NULL;
CREATE INDEX automation_step_child ON automation_step (child) WHERE child IS NOT NULL;
