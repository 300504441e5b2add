-- Campaigns that review access. template is the one that a campaign was made from.
CREATE TABLE campaign (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	name bytea NOT NULL,
	state text COLLATE "C" NOT NULL,
	settings bytea NOT NULL,
	template text COLLATE "C",
	created bigint NOT NULL,
	author bytea NOT NULL,
	staged bytea,
	started bigint,
	ends bigint,
	closed bigint,
	finished bigint,
	plan text COLLATE "C",
	why bytea NOT NULL,
	version bigint NOT NULL
);
CREATE INDEX campaign_state ON campaign (state, created, id);

CREATE TABLE campaign_owner (
	campaign text COLLATE "C" NOT NULL REFERENCES campaign (id),
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	PRIMARY KEY (campaign, person)
);
CREATE INDEX campaign_owner_person ON campaign_owner (person);

-- The frozen population. shown is what reviewers see, and hash its hash; neither changes. choice is
-- that of the outcome; '' while there is none.
CREATE TABLE review_item (
	campaign text COLLATE "C" NOT NULL,
	number bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	app text COLLATE "C",
	account bigint NOT NULL,
	entitlement bigint NOT NULL,
	object text COLLATE "C" NOT NULL,
	person text COLLATE "C",
	admin boolean NOT NULL,
	sync bigint NOT NULL,
	shown bytea NOT NULL,
	hash bytea NOT NULL,
	choice text COLLATE "C" NOT NULL,
	outcome bytea,
	settled bigint,
	sampled boolean NOT NULL,
	gone bigint,
	result text COLLATE "C" NOT NULL,
	operation text COLLATE "C",
	detail bytea NOT NULL,
	version bigint NOT NULL,
	PRIMARY KEY (campaign, number)
);
CREATE INDEX review_item_choice ON review_item (campaign, choice, number);
CREATE INDEX review_item_result ON review_item (campaign, result, number) WHERE result <> '';
CREATE INDEX review_item_access ON review_item (app, account, entitlement) WHERE choice <> '';
CREATE INDEX review_item_sampled ON review_item (campaign, number) WHERE sampled;
CREATE INDEX review_item_operation ON review_item (operation) WHERE operation IS NOT NULL;

-- Who reviews an item, and what that person decided. state is 0 while it is undecided, 1 pending, 2
-- submitted and 3 when somebody else was asked instead. place orders the items of a reviewer by person.
CREATE TABLE review_assignment (
	campaign text COLLATE "C" NOT NULL,
	item bigint NOT NULL,
	reviewer text COLLATE "C" NOT NULL,
	state bigint NOT NULL,
	place bigint NOT NULL,
	why text COLLATE "C" NOT NULL,
	by_actor bytea NOT NULL,
	at bigint NOT NULL,
	ended bigint,
	ended_why bytea NOT NULL,
	on_behalf_of text COLLATE "C",
	choice text COLLATE "C" NOT NULL,
	until_at bigint,
	note bytea NOT NULL,
	decided bigint,
	hash bytea NOT NULL,
	sync bigint NOT NULL,
	seconds bigint NOT NULL,
	batch bigint NOT NULL,
	eligible text COLLATE "C" NOT NULL,
	submitted bigint,
	submission text COLLATE "C",
	PRIMARY KEY (campaign, item, reviewer)
);
CREATE INDEX review_assignment_list ON review_assignment (reviewer, campaign, state, item);
CREATE INDEX review_assignment_place ON review_assignment (reviewer, campaign, state, place, item);

-- The acts that made decisions permanent. Rows never change.
CREATE TABLE review_submission (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	campaign text COLLATE "C" NOT NULL,
	reviewer text COLLATE "C" NOT NULL,
	at bigint NOT NULL,
	client text COLLATE "C",
	counts bytea NOT NULL,
	digest bytea NOT NULL,
	settled bigint NOT NULL
);
CREATE INDEX review_submission_list ON review_submission (campaign, at, id);

-- Counts of a campaign by dimension: app, reviewer and choice. seconds, bulk and batch describe
-- submitted decisions.
CREATE TABLE review_progress (
	campaign text COLLATE "C" NOT NULL,
	dimension text COLLATE "C" NOT NULL,
	key text COLLATE "C" NOT NULL,
	total bigint NOT NULL,
	pending bigint NOT NULL,
	done bigint NOT NULL,
	seconds bigint NOT NULL,
	bulk bigint NOT NULL,
	batch bigint NOT NULL,
	PRIMARY KEY (campaign, dimension, key)
);

-- Two entitlements that nobody should hold together.
CREATE TABLE incompatible (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	other_app text COLLATE "C" NOT NULL REFERENCES app (id),
	other_entitlement bigint NOT NULL,
	why bytea NOT NULL,
	created bigint NOT NULL,
	author text COLLATE "C" NOT NULL,
	ended bigint,
	ended_by text COLLATE "C"
);
CREATE INDEX incompatible_app ON incompatible (app);
CREATE INDEX incompatible_other ON incompatible (other_app);
