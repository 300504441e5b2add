package govern

import (
	"context"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// ScopeChoices lists what the scope of a review can name.
type ScopeChoices struct {
	Apps         []console.App      // managed ones
	Entitlements []ScopeEntitlement // of the apps that were asked for
}

// ScopeEntitlement is an entitlement that a scope can name.
type ScopeEntitlement struct {
	App   console.App
	Key   console.EntitlementKey
	Name  string
	Admin bool
}

// The limits of the lists of choices.
const (
	maxScopeApps         = 200
	maxScopeEntitlements = 300
)

// ScopeChoices returns the apps that a review can be limited to, and the entitlements of some of them. It
// is also for those who declare entitlements incompatible.
func (c *Console) ScopeChoices(ctx context.Context, caller Caller, apps []console.ID) (s ScopeChoices, err error) {
	err = c.read(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		s = ScopeChoices{}
		if err := console.DeclareIncompatible.Check(me, console.Object{}); err != nil { // includes whoever makes reviews
			return err
		}
		var err error
		if s.Apps, err = tx.ManagedApps(time.Time{}, store.NameAfter{}, maxScopeApps); err != nil {
			return err
		}
		for _, id := range apps {
			a, err := presentApp(tx, id)
			if baton.KindOf(err) == baton.NotFound {
				continue // a scope can name an app that was removed later
			}
			if err != nil {
				return err
			}
			m, err := tx.Moment(id, time.Time{})
			if err != nil {
				return err
			}
			n := maxScopeEntitlements - len(s.Entitlements)
			if n == 0 {
				break
			}
			all, err := tx.Entitlements(m, store.EntitlementAfter{}, n)
			if err != nil {
				return err
			}
			for _, e := range all {
				s.Entitlements = append(s.Entitlements, ScopeEntitlement{App: a, Key: e.Key, Name: e.Name, Admin: a.Roles.GivesAdmin(e.Key)})
			}
		}
		return nil
	})
	return s, err
}

// personNamed returns the id of a person who is given by an id or by an e-mail address.
func personNamed(tx *store.Tx, who console.ID) (console.ID, error) {
	if who == "" {
		return "", baton.Errorf(baton.Invalid, "nobody is named").WithFix("Write an e-mail address.")
	}
	if !strings.Contains(string(who), "@") {
		_, err := tx.Person(who)
		return who, err
	}
	p, err := tx.PersonByEmail(string(who))
	if baton.KindOf(err) == baton.NotFound {
		err = baton.Errorf(baton.Invalid, "nobody has the address %s", who).WithFix("Add the person, or write another address.")
	}
	return p.Canonical(), err
}
