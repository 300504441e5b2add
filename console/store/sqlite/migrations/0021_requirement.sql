-- What people must hold to get an entitlement, and to keep it, in versions.
CREATE TABLE requirement (
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	version INTEGER NOT NULL,
	rule BLOB NOT NULL,
	enforced INTEGER,
	author TEXT NOT NULL,
	second TEXT,
	weaker INTEGER NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (app, entitlement, version)
) STRICT, WITHOUT ROWID;

-- What the newest version of each requirement needs.
CREATE TABLE requirement_need (
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	need_app TEXT NOT NULL REFERENCES app (id),
	need_entitlement INTEGER NOT NULL,
	PRIMARY KEY (app, entitlement, need_app, need_entitlement)
) STRICT, WITHOUT ROWID;
CREATE INDEX requirement_need_app ON requirement_need (need_app);

CREATE TABLE exemption (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	person TEXT NOT NULL REFERENCES person (id),
	until_at INTEGER NOT NULL,
	why BLOB NOT NULL,
	author TEXT NOT NULL,
	approver TEXT NOT NULL,
	created INTEGER NOT NULL,
	ended INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX exemption_access ON exemption (app, entitlement, created);

-- What met a requirement when an access was granted. Rows never change.
CREATE TABLE requirement_evidence (
	id TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	person TEXT NOT NULL REFERENCES person (id),
	request TEXT,
	reason TEXT,
	at INTEGER NOT NULL,
	body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requirement_evidence_person ON requirement_evidence (person, app, entitlement, at);

-- Holders who do not, or may not, meet a requirement, as the newest check found them.
CREATE TABLE requirement_lack (
	app TEXT NOT NULL REFERENCES app (id),
	entitlement INTEGER NOT NULL,
	account INTEGER NOT NULL,
	person TEXT,
	state TEXT NOT NULL,
	why BLOB NOT NULL,
	since INTEGER,
	ends INTEGER,
	ready INTEGER NOT NULL,
	refused BLOB NOT NULL,
	found INTEGER NOT NULL,
	PRIMARY KEY (app, entitlement, account)
) STRICT, WITHOUT ROWID;
