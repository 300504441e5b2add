package store

import (
	"errors"
	"slices"
	"time"

	"baton"
	"baton/console"
)

// Circumstances are the facts about a proposal that are not in the database.
type Circumstances struct {
	Override *console.Override
	// MasteredBy names where it is decided who holds the entitlement, if the app's own settings do not
	// say so; see [console.Provisioning].
	MasteredBy string
	ByHand     bool // a person makes the change now, after seeing the warnings
	// WritesPaused means that the console dispatches no operations.
	WritesPaused bool
	// Ground avoids reading the same facts for every change. It must be a result of [Tx.Ground] in
	// the same transaction. nil: read them.
	Ground *Ground
}

// Ground holds the facts for guards that are the same for every change of one connector.
type Ground struct {
	app       console.App
	connector console.Connector
	stream    StreamAt
	held      bool // the connector's newest sync is
	// provisioning says where it is decided who holds what.
	provisioning console.Provisioning
}

// Ground locks the app of a connector and returns the current facts for guards that are the same for
// every change of the connector. If the transaction then changes the app or the connector, it must
// read them again.
func (t *Tx) Ground(connector console.ID) (*Ground, error) {
	c, err := t.Connector(connector)
	if err != nil {
		return nil, err
	}
	app, err := t.LockApp(c.App)
	if err != nil {
		return nil, err
	}
	g, err := t.ground(app, connector)
	return &g, err
}

func (t *Tx) ground(app console.App, connector console.ID) (g Ground, err error) {
	g.app = app
	if g.connector, err = t.Connector(connector); err != nil {
		return g, err
	}
	held, err := t.HeldSync(connector)
	if err != nil {
		return g, err
	}
	g.held = held != nil
	if g.provisioning, err = t.Provisioning(app.ID); err != nil {
		return g, err
	}
	g.stream, err = t.StreamAt(g.connector.Stream, time.Time{})
	return g, err
}

// Proposal locks the app and returns the current facts for all guards.
func (t *Tx) Proposal(o console.Operation, c Circumstances) (console.Proposal, error) {
	if c.Ground != nil {
		return t.propose(*c.Ground, o, c)
	}
	app, err := t.LockApp(o.App)
	if err != nil {
		return console.Proposal{}, err
	}
	g, err := t.ground(app, o.Connector)
	if err != nil {
		return console.Proposal{}, err
	}
	return t.propose(g, o, c)
}

// Foresee is [Tx.Proposal] without the lock, for pages that show the effect of a change. Decisions
// must not be based on it.
func (t *Tx) Foresee(o console.Operation, c Circumstances) (console.Proposal, error) {
	app, err := t.App(o.App)
	if err != nil {
		return console.Proposal{}, err
	}
	g, err := t.ground(app, o.Connector)
	if err != nil {
		return console.Proposal{}, err
	}
	return t.propose(g, o, c)
}

func (t *Tx) propose(g Ground, o console.Operation, c Circumstances) (p console.Proposal, err error) {
	p = console.Proposal{Change: o.Change(), Cause: o.Cause, Override: c.Override, MasteredBy: c.MasteredBy, ByHand: c.ByHand, WritesPaused: c.WritesPaused}
	app, con := g.app, g.connector
	if con.ID != o.Connector || con.App != o.App {
		return p, baton.Errorf(baton.Invalid, "connector %q belongs to another app", con.Name)
	}
	p.ConnectorPaused, p.ConnectorHeld = con.Paused, g.held
	p.Admins.Minimum, p.Admins.Roles = app.MinimumAdmins, app.Roles
	if o.Verb == console.Grant {
		if p.Unmet, err = t.unmet(o); err != nil {
			return p, err
		}
		if p.Seats, err = t.checkSeats(o); err != nil {
			return p, err
		}
	}
	if o.Account == 0 {
		return p, nil
	}
	// Other entitlements do not affect who is an administrator.
	if o.Entitlement == console.AccountItself || slices.Contains(app.Roles.Entitlements(), o.Entitlement) {
		// No change of an account that gives no administrator now can lower their number.
		held, err := t.HeldOf([]StreamAt{g.stream}, app.Roles.AdminEntitlements(), []console.ResourceKey{o.Account})
		if err != nil {
			return p, err
		}
		if len(held) > 0 {
			if p.Admins, err = t.Admins(o.App); err != nil {
				return p, err
			}
		}
		// The proposed operation does not count as another change in flight.
		p.Admins.InFlight = slices.DeleteFunc(p.Admins.InFlight, func(f console.Change) bool { return f == o.Change() })
	}
	if p.Bar, err = t.Bar(o.Account, o.Entitlement); err != nil {
		return p, err
	}
	if o.Entitlement != console.AccountItself {
		where, known := g.provisioning.MasterOf(o.Entitlement)
		if known {
			p.MasteredBy = where
		} else if p.MasteredBy == "" {
			if p.MasteredBy, err = t.masteredBy(con, o.Entitlement); err != nil {
				return p, err
			}
		}
		if p.Fact, err = t.Fact(Moment{Streams: []StreamAt{g.stream}}, o.Entitlement, o.Account); err != nil {
			return p, err
		}
	}
	if p.Fact == nil {
		if p.Missing, err = t.Missing(o.Account); err != nil {
			return p, err
		}
	}
	p.ComeBacks, err = t.comeBacks(o.Account, o.Entitlement)
	return p, err
}

// ForeseeGround is [Tx.Ground] without the lock, for [Tx.ForeseeRemovals].
func (t *Tx) ForeseeGround(app console.App, connector console.ID) (*Ground, error) {
	g, err := t.ground(app, connector)
	return &g, err
}

// Held reports whether the newest sync of the connector is held.
func (g *Ground) Held() bool { return g.held }

// ForeseeRemovals is [Tx.Foresee] for removals of one entitlement from many accounts of a connector,
// whose rows it reads together. accesses are those of the accounts, and shown are the accounts that the
// head shows. It does not read who is an administrator: the caller sets that.
func (t *Tx) ForeseeRemovals(g *Ground, e console.EntitlementKey, accounts []console.ResourceKey, accesses map[console.ResourceKey]console.Access, shown map[console.ResourceKey]bool) (map[console.ResourceKey]console.Proposal, error) {
	all := make(map[console.ResourceKey]console.Proposal, len(accounts))
	master, err := t.masterOf(g, e)
	if err != nil {
		return nil, err
	}
	facts := map[console.ResourceKey]*console.Fact{}
	if e != console.AccountItself {
		histories, err := t.factHistories(g.stream.Stream, e, accounts)
		if err != nil {
			return nil, err
		}
		for account, history := range histories {
			for _, f := range history {
				if f.Visible(g.stream.Sync) {
					facts[account] = &f
				}
			}
		}
	}
	back, err := t.comeBacksOf(accounts, e)
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		p := console.Proposal{Change: console.Change{Account: account, Entitlement: e, Verb: console.Revoke}, Bar: accesses[account].Bar, Fact: facts[account],
			MasteredBy: master, ComeBacks: back[account], ConnectorPaused: g.connector.Paused, ConnectorHeld: g.held}
		if p.Fact == nil && !shown[account] {
			if p.Missing, err = t.Missing(account); err != nil {
				return nil, err
			}
		}
		all[account] = p
	}
	return all, nil
}

// masterOf returns where it is decided who holds an entitlement; "" in the app, or if nobody knows.
func (t *Tx) masterOf(g *Ground, e console.EntitlementKey) (string, error) {
	if e == console.AccountItself {
		return "", nil
	}
	if where, known := g.provisioning.MasterOf(e); known {
		return where, nil
	}
	return t.masteredBy(g.connector, e)
}

// DenyOperation appends the event of a change that a guard refused.
func (t *Tx) DenyOperation(o console.Operation, refusal error) error {
	data := map[string]any{"verb": o.Verb, "cause": o.Cause.Kind, "ref": o.Cause.Ref, "why": refusal.Error()}
	if r := (*console.Refusal)(nil); errors.As(refusal, &r) {
		data["guard"] = r.Guard
		if r.Waits {
			data["waits"] = true
		}
	}
	return t.operationEvent(o, "operation.denied", data)
}
