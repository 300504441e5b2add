-- A cron expression and its time zone, in place of the interval between syncs.
ALTER TABLE connector ADD COLUMN cron BLOB NOT NULL DEFAULT x'';
ALTER TABLE connector ADD COLUMN zone BLOB NOT NULL DEFAULT x'';
