package console

// MayReadEvent reports whether a person may read an event of the audit log. app and connector are
// those of the event; nil if it has none.
func MayReadEvent(p Person, e Event, app *App, connector *Connector) bool {
	o := Object{App: app, Connector: connector}
	switch me := p.Canonical(); {
	case SeeAudit.Of(p, o):
		return true
	case e.Actor.Person() == me, e.OnBehalfOf == me, e.Person == me:
		return true
	}
	// Connector operators see what happens to connectors, but not who has access.
	return connector != nil && e.Account == 0 && e.Person == "" && SeeConnectors.Of(p, o)
}

// SeesAllEvents reports whether a person may read every event.
func SeesAllEvents(p Person) bool { return SeeAudit.Of(p, Object{}) }
