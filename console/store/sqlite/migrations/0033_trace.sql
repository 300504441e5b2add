-- Where operations belong in the traces that are exported.
ALTER TABLE operation ADD COLUMN trace TEXT NOT NULL DEFAULT '';
