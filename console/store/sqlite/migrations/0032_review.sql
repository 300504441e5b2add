-- Campaigns that review access. template is the one that a campaign was made from.
CREATE TABLE campaign (
	id TEXT NOT NULL PRIMARY KEY,
	name BLOB NOT NULL,
	state TEXT NOT NULL,
	settings BLOB NOT NULL,
	template TEXT,
	created INTEGER NOT NULL,
	author BLOB NOT NULL,
	staged BLOB,
	started INTEGER,
	ends INTEGER,
	closed INTEGER,
	finished INTEGER,
	plan TEXT,
	why BLOB NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_state ON campaign (state, created, id);

CREATE TABLE campaign_owner (
	campaign TEXT NOT NULL REFERENCES campaign (id),
	person TEXT NOT NULL REFERENCES person (id),
	PRIMARY KEY (campaign, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_owner_person ON campaign_owner (person);

-- The frozen population. shown is what reviewers see, and hash its hash; neither changes. choice is
-- that of the outcome; '' while there is none.
CREATE TABLE review_item (
	campaign TEXT NOT NULL,
	number INTEGER NOT NULL,
	kind TEXT NOT NULL,
	app TEXT,
	account INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	object TEXT NOT NULL,
	person TEXT,
	admin INTEGER NOT NULL,
	sync INTEGER NOT NULL,
	shown BLOB NOT NULL,
	hash BLOB NOT NULL,
	choice TEXT NOT NULL,
	outcome BLOB,
	settled INTEGER,
	sampled INTEGER NOT NULL,
	gone INTEGER,
	result TEXT NOT NULL,
	operation TEXT,
	detail BLOB NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (campaign, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX review_item_choice ON review_item (campaign, choice, number);
CREATE INDEX review_item_result ON review_item (campaign, result, number) WHERE result <> '';
CREATE INDEX review_item_access ON review_item (app, account, entitlement) WHERE choice <> '';
CREATE INDEX review_item_sampled ON review_item (campaign, number) WHERE sampled;
CREATE INDEX review_item_operation ON review_item (operation) WHERE operation IS NOT NULL;

-- Who reviews an item, and what that person decided. state is 0 while it is undecided, 1 pending, 2
-- submitted and 3 when somebody else was asked instead. place orders the items of a reviewer by person.
CREATE TABLE review_assignment (
	campaign TEXT NOT NULL,
	item INTEGER NOT NULL,
	reviewer TEXT NOT NULL,
	state INTEGER NOT NULL,
	place INTEGER NOT NULL,
	why TEXT NOT NULL,
	by_actor BLOB NOT NULL,
	at INTEGER NOT NULL,
	ended INTEGER,
	ended_why BLOB NOT NULL,
	on_behalf_of TEXT,
	choice TEXT NOT NULL,
	until_at INTEGER,
	note BLOB NOT NULL,
	decided INTEGER,
	hash BLOB NOT NULL,
	sync INTEGER NOT NULL,
	seconds INTEGER NOT NULL,
	batch INTEGER NOT NULL,
	eligible TEXT NOT NULL,
	submitted INTEGER,
	submission TEXT,
	PRIMARY KEY (campaign, item, reviewer)
) STRICT, WITHOUT ROWID;
CREATE INDEX review_assignment_list ON review_assignment (reviewer, campaign, state, item);
CREATE INDEX review_assignment_place ON review_assignment (reviewer, campaign, state, place, item);

-- The acts that made decisions permanent. Rows never change.
CREATE TABLE review_submission (
	id TEXT NOT NULL PRIMARY KEY,
	campaign TEXT NOT NULL,
	reviewer TEXT NOT NULL,
	at INTEGER NOT NULL,
	client TEXT,
	counts BLOB NOT NULL,
	digest BLOB NOT NULL,
	settled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX review_submission_list ON review_submission (campaign, at, id);

-- Counts of a campaign by dimension: app, reviewer and choice. seconds, bulk and batch describe
-- submitted decisions.
CREATE TABLE review_progress (
	campaign TEXT NOT NULL,
	dimension TEXT NOT NULL,
	key TEXT NOT NULL,
	total INTEGER NOT NULL,
	pending INTEGER NOT NULL,
	done INTEGER NOT NULL,
	seconds INTEGER NOT NULL,
	bulk INTEGER NOT NULL,
	batch INTEGER NOT NULL,
	PRIMARY KEY (campaign, dimension, key)
) STRICT, WITHOUT ROWID;

-- Two entitlements that nobody should hold together.
CREATE TABLE incompatible (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	other_app TEXT NOT NULL REFERENCES app (id),
	other_entitlement INTEGER NOT NULL,
	why BLOB NOT NULL,
	created INTEGER NOT NULL,
	author TEXT NOT NULL,
	ended INTEGER,
	ended_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX incompatible_app ON incompatible (app);
CREATE INDEX incompatible_other ON incompatible (other_app);
