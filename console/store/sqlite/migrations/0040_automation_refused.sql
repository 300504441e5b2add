-- Whether a guard refused a step of an automation: what has begun waits then, too.
ALTER TABLE automation ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;

-- Finds the executions that are not kept any longer.
CREATE INDEX automation_execution_finished ON automation_execution (finished) WHERE finished IS NOT NULL;
