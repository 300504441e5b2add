package govern

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// NewAccountView is the form for the account of somebody.
type NewAccountView struct {
	App    console.App
	Person console.Person        // zero until somebody is named
	Plan   *rpcstore.AccountPlan // nil while it is not known what the connector can do
	Exists console.ResourceKey   // the account that the person has already
	Manual bool                  // the connector makes no accounts: a person does it
	Warns  []string
	// Seat holds the effect on the purchased seats; nil if nobody typed seats in.
	Seat *console.SeatChange
}

// NewAccount returns the form for the account of the person with an address, filled as the
// app's settings say; without an address, an empty one.
func (c *Console) NewAccount(ctx context.Context, caller Caller, app console.ID, email string) (v NewAccountView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = NewAccountView{}
		if v.App, err = seeApp(tx, me, app, console.SeeAccess); err != nil {
			return err
		}
		if err := console.ChangeAccess.Check(me, console.Object{App: &v.App}); err != nil {
			return err
		}
		if email == "" {
			return nil
		}
		s, err := c.accountFor(tx, me, v.App, email)
		if err != nil {
			return err
		}
		v.Person, v.Manual = s.Subject, !s.MakesAccounts
		if s.Account != nil {
			v.Exists = s.Account.Key
			return nil
		}
		o := creation(s, "")
		o.Cause.By = console.ByPerson(me.Canonical())
		p, err := tx.Foresee(o, store.Circumstances{ByHand: true})
		if err != nil {
			return err
		}
		v.Warns = p.Warnings()
		seats, err := c.seatsOf(tx, app)
		if err != nil {
			return err
		}
		if v.Seat, err = seats.seatsForGrant(tx, o); err != nil {
			return err
		}
		if v.Seat != nil {
			v.Warns = append(v.Warns, v.Seat.Warnings()...)
		}
		plan, ok, err := rpcstore.PlanAccount(tx, s.Connector.ID, s.App, s.Subject, nil)
		if ok {
			v.Plan = &plan
		}
		return err
	})
	return v, err
}

// accountFor returns what is known about an account for the person with an address.
func (c *Console) accountFor(tx *store.Tx, me console.Person, a console.App, email string) (*approve.Situation, error) {
	person, err := personForAccount(tx, email)
	if err != nil {
		return nil, err
	}
	return approve.Look(tx, console.Request{Kind: console.RequestGrant, App: a.ID, Entitlement: console.AccountItself, Subject: person.Canonical(), Requester: me.Canonical()}, c.now())
}

// creation returns the operation that makes an account by hand.
func creation(s *approve.Situation, why string) console.Operation {
	o := byHand(s.App, s.Connector.ID, 0, console.AccountItself, console.Grant, why)
	o.Person = s.Subject.ID
	return o
}

// CreateAccount makes an account for the person with an address, by hand, with the values
// that somebody entered for the connector's fields. Nobody does it for themselves. It
// returns the operation.
func (c *Console) CreateAccount(ctx context.Context, caller Caller, app console.ID, email string, fields map[string]string, why string) (id console.ID, err error) {
	err = c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return o, err
		}
		if err := console.ChangeAccess.Check(me, console.Object{App: &a}); err != nil {
			return o, err
		}
		if why, err = because(why); err != nil {
			return o, err
		}
		if a, err = tx.LockApp(a.ID); err != nil {
			return o, err
		}
		s, err := c.accountFor(tx, me, a, email)
		if err != nil {
			return o, err
		}
		o = creation(s, why)
		if err := (console.Decision{Actor: me.Canonical(), Subject: s.Subject.ID}).CheckSelf(func(id console.ID) console.ID { return id }); err != nil {
			return o, err
		}
		switch {
		case s.Subject.Status != console.PersonActive:
			return o, baton.Errorf(baton.Refused, "%s is not active", s.Subject.Name)
		case s.Account != nil:
			return o, baton.Errorf(baton.Refused, "%s has an account already", s.Subject.Name).WithFix("Enable it on its page, if it is disabled.")
		}
		alive, err := tx.AccountCreation(a.ID, s.Subject.ID)
		if err != nil {
			return o, err
		}
		if alive != nil && alive.State.Alive() {
			return o, baton.Errorf(baton.Refused, "an account for %s is being made already", s.Subject.Name)
		}
		plan, ok, err := rpcstore.PlanAccount(tx, s.Connector.ID, a, s.Subject, fields)
		if err != nil {
			return o, err
		}
		if ok && s.MakesAccounts && len(plan.Missing) > 0 {
			return o, baton.Errorf(baton.Invalid, "%s", joined(plan.Missing))
		}
		if len(fields) > 0 {
			o.Input.Fields = fields
		}
		if _, err := tx.AddReason(console.Reason{App: a.ID, Person: s.Subject.ID, Entitlement: console.AccountItself, Kind: console.ReasonManual}); err != nil {
			return o, err
		}
		created, err := tx.CreateOperation(o, store.Circumstances{ByHand: true})
		id = created.ID
		return o, err
	})
	return id, err
}

// joined returns sentences as one text without its full stop.
func joined(sentences []string) (text string) {
	for i, s := range sentences {
		if i > 0 {
			text += " "
		}
		text += s
	}
	if n := len(text); n > 0 && text[n-1] == '.' {
		text = text[:n-1]
	}
	return text
}
