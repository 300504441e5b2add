-- The keys that configuration files give objects. They stay the same when names change.
ALTER TABLE configuration_object ADD COLUMN key TEXT NOT NULL DEFAULT '';
