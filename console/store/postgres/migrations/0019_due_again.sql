-- When a row that somebody works on is to be due again.
ALTER TABLE due ADD COLUMN again bigint;

-- The operations of a connector that a sync has to prove, by when they were done.
CREATE INDEX operation_applied ON operation (connector, finished) WHERE state = 'applied';

-- Tasks of which a connector does one at a time.
CREATE INDEX task_exclusive ON task (connector, lease_until) WHERE state = 'leased' AND exclusive;
