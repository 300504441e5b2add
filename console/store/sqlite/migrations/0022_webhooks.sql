-- Addresses to which events are posted, and addresses at which other systems post.

-- events are the kinds of events, separated by spaces; '' for all. The URL and the secrets are in
-- the table secret.
CREATE TABLE webhook (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	address BLOB NOT NULL,
	description BLOB NOT NULL,
	events TEXT NOT NULL,
	state TEXT NOT NULL,
	changed INTEGER NOT NULL,
	why BLOB NOT NULL,
	since INTEGER NOT NULL,
	created INTEGER NOT NULL,
	creator TEXT,
	version INTEGER NOT NULL,
	previous_until INTEGER,
	delivered INTEGER,
	failing INTEGER,
	failures INTEGER NOT NULL,
	ready INTEGER
) STRICT, WITHOUT ROWID;

-- One event for one webhook.
CREATE TABLE webhook_delivery (
	id TEXT NOT NULL PRIMARY KEY,
	webhook TEXT NOT NULL REFERENCES webhook (id),
	event INTEGER NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	created INTEGER NOT NULL,
	next INTEGER,
	ended INTEGER,
	attempts INTEGER NOT NULL,
	last INTEGER,
	status INTEGER NOT NULL,
	answer BLOB NOT NULL,
	detail BLOB NOT NULL,
	UNIQUE (webhook, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_delivery_next ON webhook_delivery (webhook, next, event) WHERE next IS NOT NULL;
CREATE INDEX webhook_delivery_state ON webhook_delivery (webhook, state, event);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended) WHERE ended IS NOT NULL;

CREATE TABLE hook (
	id TEXT NOT NULL PRIMARY KEY,
	name BLOB NOT NULL,
	enabled INTEGER NOT NULL,
	created INTEGER NOT NULL,
	creator TEXT,
	previous_until INTEGER,
	received INTEGER,
	messages INTEGER NOT NULL,
	refused INTEGER,
	why BLOB NOT NULL,
	version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- sender_hash is the SHA-256 of the id that the sender gave a message.
CREATE TABLE hook_message (
	id TEXT NOT NULL PRIMARY KEY,
	hook TEXT NOT NULL REFERENCES hook (id),
	sender_hash BLOB NOT NULL,
	sender BLOB NOT NULL,
	sent INTEGER NOT NULL,
	received INTEGER NOT NULL,
	type BLOB NOT NULL,
	body BLOB NOT NULL,
	sha256 BLOB NOT NULL,
	size INTEGER NOT NULL,
	UNIQUE (hook, sender_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX hook_message_received ON hook_message (hook, received, id);
CREATE INDEX hook_message_old ON hook_message (received);
