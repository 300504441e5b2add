-- Addresses to which events are posted, and addresses at which other systems post.

-- events are the kinds of events, separated by spaces; '' for all. The URL and the secrets are in
-- the table secret.
CREATE TABLE webhook (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	kind text COLLATE "C" NOT NULL,
	address bytea NOT NULL,
	description bytea NOT NULL,
	events text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	changed bigint NOT NULL,
	why bytea NOT NULL,
	since bigint NOT NULL,
	created bigint NOT NULL,
	creator text COLLATE "C",
	version bigint NOT NULL,
	previous_until bigint,
	delivered bigint,
	failing bigint,
	failures bigint NOT NULL,
	ready bigint
);

-- One event for one webhook.
CREATE TABLE webhook_delivery (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	webhook text COLLATE "C" NOT NULL REFERENCES webhook (id),
	event bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	created bigint NOT NULL,
	next bigint,
	ended bigint,
	attempts bigint NOT NULL,
	last bigint,
	status bigint NOT NULL,
	answer bytea NOT NULL,
	detail bytea NOT NULL,
	UNIQUE (webhook, event)
);
CREATE INDEX webhook_delivery_next ON webhook_delivery (webhook, next, event) WHERE next IS NOT NULL;
CREATE INDEX webhook_delivery_state ON webhook_delivery (webhook, state, event);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended) WHERE ended IS NOT NULL;

CREATE TABLE hook (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	name bytea NOT NULL,
	enabled boolean NOT NULL,
	created bigint NOT NULL,
	creator text COLLATE "C",
	previous_until bigint,
	received bigint,
	messages bigint NOT NULL,
	refused bigint,
	why bytea NOT NULL,
	version bigint NOT NULL
);

-- sender_hash is the SHA-256 of the id that the sender gave a message.
CREATE TABLE hook_message (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	hook text COLLATE "C" NOT NULL REFERENCES hook (id),
	sender_hash bytea NOT NULL,
	sender bytea NOT NULL,
	sent bigint NOT NULL,
	received bigint NOT NULL,
	type bytea NOT NULL,
	body bytea NOT NULL,
	sha256 bytea NOT NULL,
	size bigint NOT NULL,
	UNIQUE (hook, sender_hash)
);
CREATE INDEX hook_message_received ON hook_message (hook, received, id);
CREATE INDEX hook_message_old ON hook_message (received);
