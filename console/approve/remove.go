package approve

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Removed holds the result of a removal. Both fields are empty if nothing is left to do.
type Removed struct {
	Request   console.ID // the request; "" for an account without an owner
	Operation console.ID // the operation; "" while people are asked, and if a rule denies it
}

// Remove removes an access according to the policy for its revocation. o is the revocation, by the
// person who runs the command.
func Remove(t *store.Tx, o console.Operation) (Removed, error) {
	subject, _, err := t.AccountPerson(o.Account, time.Time{})
	if err != nil {
		return Removed{}, err
	}
	r := console.Request{Kind: console.RequestRevoke, App: o.App, Entitlement: o.Entitlement, Account: o.Account, Subject: subject, Requester: t.By().Actor.Person(),
		Why: o.Input.Why, Removal: o.Cause.Kind}
	if subject == "" {
		return removeUnowned(t, r, o)
	}
	r, err = File(t, r)
	return Removed{r.ID, r.Operation}, err
}

// removeUnowned removes an access of an account without an owner. A request needs a subject, so the
// policy either allows the removal at once or not at all.
func removeUnowned(t *store.Tx, r console.Request, o console.Operation) (Removed, error) {
	s, err := Look(t, r, t.By().At)
	if err != nil {
		return Removed{}, err
	}
	plan, err := s.Policy.Plan(s.Case(), func() console.ID { return console.NewID(s.now) })
	if err != nil {
		return Removed{}, err
	}
	switch plan.Outcome {
	case console.OutcomeAsk:
		return Removed{}, baton.Errorf(baton.Refused, "the policy “%s” asks others before this is removed, and the account belongs to nobody about whom they could be asked", s.Policy.Name).
			WithFix("Set the owner of the account first.")
	case console.OutcomeDeny:
		return Removed{}, baton.Errorf(baton.Refused, "%s", denialText(plan))
	}
	created, err := t.CreateOperation(o, store.Circumstances{ByHand: true})
	if err != nil {
		return Removed{}, err
	}
	access, err := t.Access(o.App, o.Account, o.Entitlement, s.now)
	if err != nil {
		return Removed{}, err
	}
	return Removed{Operation: created.ID}, endAll(t, access, o)
}

// remove carries out a removal: it ends all reasons, and adds a bar so that rules do not grant the
// access again.
func (s *Situation) remove() error {
	if s.Account == nil {
		return s.tx.CloseRequest(s.r, console.OutcomeError, "The account does not belong to "+s.Subject.Name+" any more.")
	}
	a, err := s.tx.Access(s.App.ID, s.Account.Key, s.r.Entitlement, s.now)
	if err != nil {
		return err
	}
	if err := endAll(s.tx, a, s.operation()); err != nil {
		return err
	}
	if !a.Held && a.Operation == nil {
		return s.tx.CloseRequest(s.r, console.OutcomeRevoked, "")
	}
	return s.operate()
}

// endAll ends the reasons of an access and bars it.
func endAll(t *store.Tx, access console.Access, o console.Operation) error {
	for _, r := range access.Reasons {
		if r.Open(t.By().At) {
			if err := t.EndReason(r.ID, o.Input.Why); err != nil {
				return err
			}
		}
	}
	if access.Bar != nil {
		return nil
	}
	_, err := t.AddBar(console.Bar{App: o.App, Account: o.Account, Entitlement: o.Entitlement, Why: o.Input.Why})
	return err
}
