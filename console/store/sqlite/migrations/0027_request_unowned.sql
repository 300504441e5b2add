-- A request to remove access of an account that nobody owns has no subject.
DROP INDEX request_deciding;
DROP INDEX request_subject;
ALTER TABLE request ADD COLUMN whose TEXT REFERENCES person (id);
UPDATE request SET whose = subject;
ALTER TABLE request DROP COLUMN subject;
ALTER TABLE request RENAME COLUMN whose TO subject;
CREATE UNIQUE INDEX request_deciding ON request (app, subject, entitlement, kind) WHERE state IN ('asking', 'waiting', 'scheduled');
CREATE UNIQUE INDEX request_deciding_unowned ON request (account, entitlement, kind) WHERE subject IS NULL AND state IN ('asking', 'waiting', 'scheduled');
CREATE INDEX request_subject ON request (subject, number);
