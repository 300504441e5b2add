package approve

import (
	"time"

	"baton/console"
	"baton/console/store"
)

// Removed holds the result of a removal.
type Removed struct {
	Request   console.ID
	Operation console.ID // the operation; "" while people are asked, and if a rule denies it
}

// Remove removes an access according to the policy for its revocation. o is the revocation, by the
// person who runs the command. If nobody owns the account, the request has no subject: the people
// whom the policy finds by the subject are nobody.
func Remove(t *store.Tx, o console.Operation) (Removed, error) {
	subject, _, err := t.AccountPerson(o.Account, time.Time{})
	if err != nil {
		return Removed{}, err
	}
	r := console.Request{Kind: console.RequestRevoke, App: o.App, Entitlement: o.Entitlement, Account: o.Account, Subject: subject, Requester: t.By().Actor.Person(),
		Why: o.Input.Why, Removal: o.Cause.Kind}
	r, err = File(t, r)
	return Removed{r.ID, r.Operation}, err
}

// remove carries out a removal: it ends all reasons, and adds a bar so that rules do not grant the
// access again.
func (s *Situation) remove() error {
	if s.Account == nil && s.Subject.ID == "" {
		return s.tx.CloseRequest(s.r, console.OutcomeError, "The account is gone.")
	}
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
