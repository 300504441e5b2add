-- The tasks of a connector in the order in which they were added.
CREATE INDEX task_connector ON task (connector, number);
CREATE INDEX task_type ON task (connector, type, state, number);
