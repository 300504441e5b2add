package govern

import (
	"context"
	"slices"

	"baton/console"
	"baton/console/store"
)

// HomeView is the content of the start page.
type HomeView struct {
	// Attention are the connectors with a problem that the caller may configure or judge, the held
	// ones first.
	Attention []ConnectorSummary
	Fine      int // how many others of these need nobody
	// Emergencies is how many emergency requests wait for somebody to look at them afterwards,
	// up to [maxEmergencies]; for those who may.
	Emergencies int
	Me          PersonView
}

// maxEmergencies is how far emergency requests are counted.
const maxEmergencies = 100

// urgency orders the states with a problem.
var urgency = []console.ConnectionState{console.Held, console.HeldByConnector, console.ConnectorError, console.Offline, console.NotConnected}

// Home returns the caller's tasks and access.
func (c *Console) Home(ctx context.Context, caller Caller) (v HomeView, err error) {
	if v.Me, err = c.Person(ctx, caller, caller.Person.ID); err != nil {
		return v, err
	}
	if console.ReviewEmergencies.Of(caller.Person, console.Object{}) {
		err := c.read(ctx, caller, reading, func(tx *store.Tx, _ console.Person) error {
			due, err := tx.Requests(store.RequestFilter{Review: true}, 0, maxEmergencies)
			v.Emergencies = len(due)
			return err
		})
		if err != nil {
			return v, err
		}
	}
	connectors, err := c.Connectors(ctx, caller)
	for _, s := range connectors {
		o := console.Object{App: &s.App, Connector: &s.Connector}
		switch {
		case !console.ConfigureConnectors.Of(caller.Person, o) && !console.JudgeHeldSyncs.Of(caller.Person, o):
		case slices.Contains(urgency, s.State):
			v.Attention = append(v.Attention, s)
		default:
			v.Fine++
		}
	}
	slices.SortStableFunc(v.Attention, func(a, b ConnectorSummary) int {
		return slices.Index(urgency, a.State) - slices.Index(urgency, b.State)
	})
	return v, err
}
