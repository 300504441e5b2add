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
}

// ChangeAppOwners adds or removes an owner of an app, who is notified.
func (c *Console) ChangeAppOwners(ctx context.Context, caller Caller, id console.ID, change OwnerChange) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.ConfigureApps)
		if err != nil {
			return err
		}
		if a.Owners, err = change.apply(tx, a.Owners, "the application"); err != nil {
			return err
		}
		return tx.ChangeApp(a)
	})
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
