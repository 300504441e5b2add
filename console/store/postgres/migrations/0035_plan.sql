-- Lists of access to remove, which are carried out as one. owners, summary and created_by are
-- JSON.
CREATE TABLE plan (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	number bigint NOT NULL,
	cause text COLLATE "C" NOT NULL,
	cause_ref text COLLATE "C" NOT NULL,
	title bytea NOT NULL,
	why bytea NOT NULL,
	row_cap bigint NOT NULL,
	owners bytea NOT NULL,
	state text COLLATE "C" NOT NULL,
	row_count bigint NOT NULL,
	hash bytea,
	computed bigint,
	summary bytea NOT NULL,
	created bigint NOT NULL,
	created_by bytea NOT NULL,
	applied bigint,
	applied_by text COLLATE "C",
	ended bigint,
	version bigint NOT NULL
);
CREATE UNIQUE INDEX plan_number ON plan (number);
CREATE INDEX plan_cause ON plan (cause_ref, number);
INSERT INTO counter (name, next) VALUES ('plan', 1);

-- The apps of each plan.
CREATE TABLE plan_app (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	plan text COLLATE "C" NOT NULL REFERENCES plan (id),
	PRIMARY KEY (app, plan)
);
CREATE INDEX plan_app_plan ON plan_app (plan);

-- The rows of plans. place is their order. facts is what a row relies on, as JSON.
CREATE TABLE plan_row (
	plan text COLLATE "C" NOT NULL REFERENCES plan (id),
	account bigint NOT NULL,
	entitlement bigint NOT NULL,
	place bigint NOT NULL,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	what text COLLATE "C" NOT NULL,
	ref text COLLATE "C" NOT NULL,
	person text COLLATE "C",
	facts bytea NOT NULL,
	mastered bytea NOT NULL,
	pending text COLLATE "C",
	manual boolean NOT NULL,
	asks boolean NOT NULL,
	state text COLLATE "C" NOT NULL,
	said bytea NOT NULL,
	fix bytea NOT NULL,
	operation text COLLATE "C",
	grant_operation text COLLATE "C",
	request text COLLATE "C",
	came_back bigint,
	PRIMARY KEY (plan, account, entitlement)
);
CREATE INDEX plan_row_place ON plan_row (plan, place);
CREATE INDEX plan_row_state ON plan_row (plan, state, place);
CREATE INDEX plan_row_person ON plan_row (plan, person, place);
CREATE INDEX plan_row_operation ON plan_row (operation) WHERE operation IS NOT NULL;
CREATE INDEX plan_row_request ON plan_row (request) WHERE request IS NOT NULL;
