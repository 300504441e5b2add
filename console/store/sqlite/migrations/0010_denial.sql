-- Calls that were refused for want of a right: the first of an actor, a route and an object is
-- an event, and the next ones are counted here.
CREATE TABLE denial (
	actor TEXT NOT NULL,
	route TEXT NOT NULL,
	object TEXT NOT NULL,
	began INTEGER NOT NULL,
	last INTEGER NOT NULL,
	calls INTEGER NOT NULL,
	PRIMARY KEY (actor, route, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX denial_began ON denial (actor, began);
CREATE INDEX denial_last ON denial (last);

-- What somebody did.
CREATE INDEX event_actor ON event (actor, number);
