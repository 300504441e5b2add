-- A request to remove access of an account that nobody owns has no subject.
ALTER TABLE request ALTER COLUMN subject DROP NOT NULL;
CREATE UNIQUE INDEX request_deciding_unowned ON request (account, entitlement, kind) WHERE subject IS NULL AND state IN ('asking', 'waiting', 'scheduled');
