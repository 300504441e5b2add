-- Automations. state says whether it runs; what began before counted does not count for its limits.
CREATE TABLE automation (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	name bytea NOT NULL,
	owner text COLLATE "C" NOT NULL REFERENCES person (id),
	state text COLLATE "C" NOT NULL,
	why bytea NOT NULL,
	changed bigint NOT NULL,
	counted bigint NOT NULL,
	draft bytea NOT NULL,
	author text COLLATE "C" NOT NULL REFERENCES person (id),
	edited bigint NOT NULL,
	published bigint NOT NULL,
	created bigint NOT NULL,
	removed bigint,
	version bigint NOT NULL
);
CREATE INDEX automation_app ON automation (app);

-- Published versions. They never change.
CREATE TABLE automation_version (
	automation text COLLATE "C" NOT NULL REFERENCES automation (id),
	version bigint NOT NULL,
	rule bytea NOT NULL,
	author text COLLATE "C" NOT NULL,
	publisher text COLLATE "C" NOT NULL,
	at bigint NOT NULL,
	PRIMARY KEY (automation, version)
);

-- Runs of automations. cause names the cause within the automation.
CREATE TABLE automation_execution (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	automation text COLLATE "C" NOT NULL REFERENCES automation (id),
	version bigint NOT NULL,
	app text COLLATE "C" NOT NULL,
	cause text COLLATE "C" NOT NULL,
	data bytea NOT NULL,
	person text COLLATE "C",
	account bigint NOT NULL,
	parent text COLLATE "C",
	chain bytea NOT NULL,
	state text COLLATE "C" NOT NULL,
	step bigint NOT NULL,
	waits bytea NOT NULL,
	created bigint NOT NULL,
	created_by bytea NOT NULL,
	began bigint,
	finished bigint,
	confirmed text COLLATE "C",
	why bytea NOT NULL,
	changes bigint NOT NULL,
	UNIQUE (automation, cause)
);
CREATE INDEX automation_execution_created ON automation_execution (automation, created, id);
CREATE INDEX automation_execution_began ON automation_execution (automation, began) WHERE began IS NOT NULL;
CREATE INDEX automation_execution_state ON automation_execution (automation, state, created) WHERE finished IS NULL;

CREATE INDEX automation_execution_asking ON automation_execution (created, id) WHERE state = 'asking';

-- Requests of people that an automation runs, with the decisions about them.
CREATE TABLE automation_request (
	execution text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES automation_execution (id),
	body bytea NOT NULL
);

-- The steps of runs. operation, run and child are what a step waits for.
CREATE TABLE automation_step (
	execution text COLLATE "C" NOT NULL REFERENCES automation_execution (id),
	number bigint NOT NULL,
	step text COLLATE "C" NOT NULL,
	kind text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	input bytea NOT NULL,
	changes bytea NOT NULL,
	result bytea NOT NULL,
	why bytea NOT NULL,
	began bigint NOT NULL,
	ended bigint,
	operation text COLLATE "C",
	run text COLLATE "C",
	child text COLLATE "C",
	PRIMARY KEY (execution, number)
);
CREATE INDEX automation_step_operation ON automation_step (operation) WHERE operation IS NOT NULL;
CREATE INDEX automation_step_run ON automation_step (run) WHERE run IS NOT NULL;
CREATE INDEX automation_step_child ON automation_step (child) WHERE child IS NOT NULL;
