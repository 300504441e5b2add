-- What each sync after the first of its stream changed: a resource (1), an entitlement (2) or
-- a fact (3). A key that plays no part is 0.
CREATE TABLE changed (
	stream INTEGER NOT NULL,
	sync INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	principal INTEGER NOT NULL,
	PRIMARY KEY (stream, sync, kind, entitlement, principal)
) STRICT, WITHOUT ROWID;

INSERT INTO changed (stream, sync, kind, entitlement, principal)
SELECT x.stream, x.n, 1, 0, x.resource FROM (
	SELECT r.stream AS stream, v.opened AS n, v.resource AS resource FROM resource_version v JOIN resource r ON r.key = v.resource
	UNION SELECT r.stream, v.closed, v.resource FROM resource_version v JOIN resource r ON r.key = v.resource WHERE v.closed < 9223372036854775807) x
WHERE x.n > (SELECT min(s.number) FROM sync s WHERE s.stream = x.stream AND s.state = 'applied');
INSERT INTO changed (stream, sync, kind, entitlement, principal)
SELECT x.stream, x.n, 2, x.entitlement, 0 FROM (
	SELECT e.stream AS stream, v.opened AS n, v.entitlement AS entitlement FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement
	UNION SELECT e.stream, v.closed, v.entitlement FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement WHERE v.closed < 9223372036854775807) x
WHERE x.n > (SELECT min(s.number) FROM sync s WHERE s.stream = x.stream AND s.state = 'applied');
INSERT INTO changed (stream, sync, kind, entitlement, principal)
SELECT x.stream, x.n, 3, x.entitlement, x.principal FROM (
	SELECT f.stream AS stream, f.opened AS n, f.entitlement AS entitlement, f.principal AS principal FROM fact f
	WHERE f.opened > (SELECT min(s.number) FROM sync s WHERE s.stream = f.stream AND s.state = 'applied')
	UNION SELECT f.stream, f.closed, f.entitlement, f.principal FROM fact f WHERE f.closed < 9223372036854775807) x;

-- Why a change that nobody asked for was made, as a person found out.
CREATE TABLE explanation (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	stream INTEGER NOT NULL,
	sync INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	entitlement INTEGER NOT NULL,
	principal INTEGER NOT NULL,
	at INTEGER NOT NULL,
	by_actor BLOB NOT NULL,
	why BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX explanation_change ON explanation (stream, sync, kind, entitlement, principal);

-- Whose accounts were, for the pages of the past.
CREATE INDEX account_owner_past ON account_owner (person, account) WHERE until_at IS NOT NULL;
-- What the console removed.
CREATE INDEX operation_removed ON operation (app, account, entitlement) WHERE verb = 'revoke' AND state = 'verified';
