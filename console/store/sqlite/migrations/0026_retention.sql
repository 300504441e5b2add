-- What ended with this sync of a stream, or before, is not kept any more: 0 while all is.
ALTER TABLE head ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;

-- Tasks that are over, by their age.
CREATE INDEX task_finished ON task (added) WHERE state = 'finished';
