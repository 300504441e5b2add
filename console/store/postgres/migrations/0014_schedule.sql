-- A cron expression and its time zone, in place of the interval between syncs.
ALTER TABLE connector ADD COLUMN cron bytea NOT NULL DEFAULT '';
ALTER TABLE connector ADD COLUMN zone bytea NOT NULL DEFAULT '';
