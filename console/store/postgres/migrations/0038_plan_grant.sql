-- Evidence packs look up which plan an operation belongs to.
CREATE INDEX plan_row_grant ON plan_row (grant_operation) WHERE grant_operation IS NOT NULL;
