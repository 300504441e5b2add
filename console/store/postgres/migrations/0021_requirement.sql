-- What people must hold to get an entitlement, and to keep it, in versions.
CREATE TABLE requirement (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	version bigint NOT NULL,
	rule bytea NOT NULL,
	enforced bigint,
	author text COLLATE "C" NOT NULL,
	second text COLLATE "C",
	weaker boolean NOT NULL,
	created bigint NOT NULL,
	PRIMARY KEY (app, entitlement, version)
);

-- What the newest version of each requirement needs.
CREATE TABLE requirement_need (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	need_app text COLLATE "C" NOT NULL REFERENCES app (id),
	need_entitlement bigint NOT NULL,
	PRIMARY KEY (app, entitlement, need_app, need_entitlement)
);
CREATE INDEX requirement_need_app ON requirement_need (need_app);

CREATE TABLE exemption (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	until_at bigint NOT NULL,
	why bytea NOT NULL,
	author text COLLATE "C" NOT NULL,
	approver text COLLATE "C" NOT NULL,
	created bigint NOT NULL,
	ended bigint
);
CREATE INDEX exemption_access ON exemption (app, entitlement, created);

-- What met a requirement when an access was granted. Rows never change.
CREATE TABLE requirement_evidence (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	person text COLLATE "C" NOT NULL REFERENCES person (id),
	request text COLLATE "C",
	reason text COLLATE "C",
	at bigint NOT NULL,
	body bytea NOT NULL
);
CREATE INDEX requirement_evidence_person ON requirement_evidence (person, app, entitlement, at);

-- Holders who do not, or may not, meet a requirement, as the newest check found them.
CREATE TABLE requirement_lack (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	entitlement bigint NOT NULL,
	account bigint NOT NULL,
	person text COLLATE "C",
	state text COLLATE "C" NOT NULL,
	why bytea NOT NULL,
	since bigint,
	ends bigint,
	ready boolean NOT NULL,
	refused bytea NOT NULL,
	found bigint NOT NULL,
	PRIMARY KEY (app, entitlement, account)
);
