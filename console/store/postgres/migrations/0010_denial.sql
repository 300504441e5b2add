-- Calls that were refused for want of a right: the first of an actor, a route and an object is
-- an event, and the next ones are counted here.
CREATE TABLE denial (
	actor text COLLATE "C" NOT NULL,
	route text COLLATE "C" NOT NULL,
	object text COLLATE "C" NOT NULL,
	began bigint NOT NULL,
	last bigint NOT NULL,
	calls bigint NOT NULL,
	PRIMARY KEY (actor, route, object)
);
CREATE INDEX denial_began ON denial (actor, began);
CREATE INDEX denial_last ON denial (last);

-- What somebody did.
CREATE INDEX event_actor ON event (actor, number);
