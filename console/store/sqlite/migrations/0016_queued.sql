-- The operations of a connector that can be handed out, in their order.
CREATE INDEX operation_queued ON operation (connector, created, id) WHERE state = 'queued';
