-- The seats that were purchased of an app, as people typed them in: one row for each version.
CREATE TABLE seats (
	app text COLLATE "C" NOT NULL REFERENCES app (id),
	version bigint NOT NULL,
	purchased bigint NOT NULL,
	renewal bigint,
	block boolean NOT NULL,
	otherwise bytea NOT NULL,
	by_actor bytea NOT NULL,
	at bigint NOT NULL,
	PRIMARY KEY (app, version)
);
