-- Persons whose personal data was removed. body holds none.
CREATE TABLE erasure (
	person TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
	at BIGINT NOT NULL,
	body BYTEA NOT NULL
);

-- The events that say which events were replaced by which payloads.
CREATE INDEX event_erasure ON event (number) WHERE kind = 'person.payloads-erased';
