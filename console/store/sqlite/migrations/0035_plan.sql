-- Lists of access to remove, which are carried out as one. owners, summary and created_by are
-- JSON.
CREATE TABLE plan (
	id TEXT NOT NULL PRIMARY KEY,
	number INTEGER NOT NULL,
	cause TEXT NOT NULL,
	cause_ref TEXT NOT NULL,
	title BLOB NOT NULL,
	why BLOB NOT NULL,
	row_cap INTEGER NOT NULL,
	owners BLOB NOT NULL,
	state TEXT NOT NULL,
	row_count INTEGER NOT NULL,
	hash BLOB,
	computed INTEGER,
	summary BLOB NOT NULL,
	created INTEGER NOT NULL,
	created_by BLOB NOT NULL,
	applied INTEGER,
	applied_by TEXT,
	ended INTEGER,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plan_number ON plan (number);
CREATE INDEX plan_cause ON plan (cause_ref, number);
INSERT INTO counter (name, next) VALUES ('plan', 1);

-- The apps of each plan.
CREATE TABLE plan_app (
	app TEXT NOT NULL REFERENCES app (id),
	plan TEXT NOT NULL REFERENCES plan (id),
	PRIMARY KEY (app, plan)
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_app_plan ON plan_app (plan);

-- The rows of plans. place is their order. facts is what a row relies on, as JSON.
CREATE TABLE plan_row (
	plan TEXT NOT NULL REFERENCES plan (id),
	account INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	place INTEGER NOT NULL,
	app TEXT NOT NULL REFERENCES app (id),
	what TEXT NOT NULL,
	ref TEXT NOT NULL,
	person TEXT,
	facts BLOB NOT NULL,
	mastered BLOB NOT NULL,
	pending TEXT,
	manual INTEGER NOT NULL,
	asks INTEGER NOT NULL,
	state TEXT NOT NULL,
	said BLOB NOT NULL,
	fix BLOB NOT NULL,
	operation TEXT,
	grant_operation TEXT,
	request TEXT,
	came_back INTEGER,
	PRIMARY KEY (plan, account, entitlement)
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_row_place ON plan_row (plan, place);
CREATE INDEX plan_row_state ON plan_row (plan, state, place);
CREATE INDEX plan_row_person ON plan_row (plan, person, place);
CREATE INDEX plan_row_operation ON plan_row (operation) WHERE operation IS NOT NULL;
CREATE INDEX plan_row_request ON plan_row (request) WHERE request IS NOT NULL;
