package govern

import (
	"context"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// OwnerChange adds or removes one owner.
type OwnerChange struct {
	Add    string     // e-mail address of a person, or
	Remove console.ID // an owner
	// Alone allows removing the last owner.
	Alone bool
	Why   string // for the second person, where one is needed
}

// ErrOwnersWait is the error of a change of owners that was written down and does not count
// yet.
var ErrOwnersWait = baton.Errorf(baton.Refused, "owners decide who becomes an administrator of this application: the change waits for a second person").
	WithFix("A security officer, a super administrator or another owner confirms it under Policies.")

// ChangeAppOwners adds or removes an owner of an app, who is notified. The error is
// [ErrOwnersWait] if a second person has to confirm it.
func (c *Console) ChangeAppOwners(ctx context.Context, caller Caller, id console.ID, change OwnerChange) error {
	waits := false
	err := c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.ConfigureApps)
		if err != nil {
			return err
		}
		owners, err := change.apply(tx, a.Owners, "the application")
		if err != nil {
			return err
		}
		waits, err = c.setAppOwners(tx, caller, a, owners, change.Why)
		return err
	})
	if err == nil && waits {
		return ErrOwnersWait
	}
	return err
}

// setAppOwners changes an app and sets its owners. Whoever becomes an owner beside others of
// an app with administrators decides about them, so a second person has to confirm it:
// waits is true then, and nothing has changed.
func (c *Console) setAppOwners(tx *store.Tx, caller Caller, a console.App, owners []console.ID, why string) (waits bool, err error) {
	before, after := console.GuardsOf(a), console.GuardsOf(a)
	after.Owners = owners
	if after.AtLeast(before) || len(a.Roles.AdminEntitlements()) == 0 {
		a.Owners = owners
		return false, tx.ChangeApp(a)
	}
	if err := c.recentOrClient(caller); err != nil {
		return false, err
	}
	return true, amend(tx, console.AmendApp, a.ID, string(a.ID), before, after, why)
}

// ChangeConnectorOwners adds or removes an owner of a connector, who is notified.
func (c *Console) ChangeConnectorOwners(ctx context.Context, caller Caller, id console.ID, change OwnerChange) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		if con.Owners, err = change.apply(tx, con.Owners, "the connector"); err != nil {
			return err
		}
		return tx.ChangeConnector(con)
	})
}

// apply returns the owners after the change.
func (o OwnerChange) apply(tx *store.Tx, owners []console.ID, what string) ([]console.ID, error) {
	address := strings.TrimSpace(o.Add)
	if (address == "") == (o.Remove == "") {
		return nil, baton.Errorf(baton.Invalid, "the new owner is missing").WithFix("Enter the e-mail address of a person.")
	}
	if o.Remove != "" {
		i := slices.Index(owners, o.Remove)
		if i < 0 {
			return nil, baton.Errorf(baton.Refused, "the person does not own %s any more", what)
		}
		if len(owners) == 1 && !o.Alone {
			return nil, baton.Errorf(baton.Refused, "nobody would own %s", what).WithFix("Add another owner first, or confirm that it is left without one.")
		}
		return slices.Delete(slices.Clone(owners), i, i+1), nil
	}
	p, err := tx.PersonByEmail(address)
	if err == nil && p.MergedInto != "" {
		p, err = tx.Person(p.MergedInto)
	}
	if baton.KindOf(err) == baton.NotFound || err == nil && p.Status != console.PersonActive {
		return nil, baton.Errorf(baton.Invalid, "nobody who is active has the address %q", address).WithFix("Enter the e-mail address of a person who works here.")
	}
	if err != nil {
		return nil, err
	}
	if slices.Contains(owners, p.ID) {
		return nil, baton.Errorf(baton.AlreadyExists, "%s owns %s already", p.Name, what)
	}
	return append(slices.Clone(owners), p.ID), nil
}

// checkActiveOwners refuses new owners who are not active.
func checkActiveOwners(tx *store.Tx, before, owners []console.ID) error {
	for _, id := range owners {
		if slices.Contains(before, id) {
			continue
		}
		p, err := tx.Person(id)
		if baton.KindOf(err) == baton.NotFound || err == nil && (p.Status != console.PersonActive || p.MergedInto != "") {
			return baton.Errorf(baton.Invalid, "an owner is not active").WithFix("Choose people who work here.")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
