package govern

import (
	"context"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/match"
	"baton/console/store"
)

// AccountRecord is what people and the console said about an account: whose it is and for
// whom.
type AccountRecord struct {
	Owner   store.Owner
	OwnerBy console.Person // who said whose it is; zero for the console itself
	// Matched is whom matching gives the account to; "" for nobody. It counts unless a
	// person said otherwise.
	Matched    console.Person
	Type       console.AccountType
	Said       store.AccountKind
	SaidBy     console.Person
	Former     []console.Person // whose it was within [console.RecentOwner] and is no more
	MayCorrect bool
}

// AccountRecord returns what was said about an account.
func (c *Console) AccountRecord(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey) (v AccountRecord, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = AccountRecord{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		v.MayCorrect = console.ConfigureApps.Of(me, console.Object{App: &a})
		if v.Owner, err = tx.AccountOwner(key, time.Time{}); err != nil {
			return err
		}
		if v.OwnerBy, err = personOr(tx, v.Owner.By.Person()); err != nil {
			return err
		}
		if v.Said, err = tx.AccountKind(key, time.Time{}); err != nil {
			return err
		}
		if v.SaidBy, err = personOr(tx, v.Said.By.Person()); err != nil {
			return err
		}
		former, err := tx.RecentOwners(key, c.now())
		if err != nil {
			return err
		}
		now, err := tx.Canonical(v.Owner.Person)
		if err != nil {
			return err
		}
		for _, id := range former {
			if id == now {
				continue
			}
			p, err := tx.Person(id)
			if err != nil {
				return err
			}
			v.Former = append(v.Former, p)
		}
		m, r, err := accountNow(tx, a, key)
		if baton.KindOf(err) == baton.NotFound { // gone: it is corrected no more
			v.MayCorrect, err = false, nil
			return err
		}
		if err != nil {
			return err
		}
		if v.Type, err = tx.AccountType(m, a.Roles, r); err != nil {
			return err
		}
		matched, err := match.Account(tx, m, a.Roles, r)
		if err == nil {
			v.Matched, err = personOr(tx, matched)
		}
		return err
	})
	return v, err
}

// personOr returns a person, or the zero one for no ID or one that is not there.
func personOr(tx *store.Tx, id console.ID) (console.Person, error) {
	if id == "" {
		return console.Person{}, nil
	}
	p, err := tx.Person(id)
	if baton.KindOf(err) == baton.NotFound {
		err = nil
	}
	return p, err
}

// accountNow returns an account of an app that its newest syncs show.
func accountNow(tx *store.Tx, a console.App, key console.ResourceKey) (store.Moment, store.Resource, error) {
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return m, store.Resource{}, err
	}
	r, err := tx.Account(m, key)
	return m, r, err
}

// correctAccount runs a command about an account of an app that the caller may configure.
func (c *Console) correctAccount(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, fn func(tx *store.Tx, a console.App, m store.Moment, r store.Resource) error) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if _, err := seeApp(tx, me, app, console.ConfigureApps); err != nil {
			return err
		}
		a, err := tx.LockApp(app) // the minimum of admins counts matched people
		if err != nil {
			return err
		}
		m, r, err := accountNow(tx, a, key)
		if err != nil {
			return err
		}
		return fn(tx, a, m, r)
	})
}

// SetAccountOwner says that an account belongs to the person with an e-mail address. Matching
// does not change it any more.
func (c *Console) SetAccountOwner(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, email string) error {
	return c.correctAccount(ctx, caller, app, key, func(tx *store.Tx, _ console.App, _ store.Moment, _ store.Resource) error {
		if strings.TrimSpace(email) == "" {
			return baton.Errorf(baton.Invalid, "the address of the owner is missing")
		}
		p, err := tx.PersonByEmail(email)
		if baton.KindOf(err) == baton.NotFound {
			return baton.Errorf(baton.Invalid, "nobody has the address %q", console.NormalizeEmail(email)).WithFix("Add the person first, or clear the owner.")
		}
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(key, p.Canonical(), store.OwnerSet)
	})
}

// ClearAccountOwner says that an account belongs to nobody. Matching does not change it any
// more.
func (c *Console) ClearAccountOwner(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey) error {
	return c.correctAccount(ctx, caller, app, key, func(tx *store.Tx, _ console.App, _ store.Moment, _ store.Resource) error {
		return tx.SetAccountOwner(key, "", store.OwnerCleared)
	})
}

// ResetAccountOwner gives an account to whom matching gives it, now and from now on.
func (c *Console) ResetAccountOwner(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey) error {
	return c.correctAccount(ctx, caller, app, key, func(tx *store.Tx, a console.App, m store.Moment, r store.Resource) error {
		person, err := match.Account(tx, m, a.Roles, r)
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(key, person, store.OwnerMatched)
	})
}

// SetAccountType says for whom an account is; [console.AccountUnspecified]: as its role or
// the upstream says.
func (c *Console) SetAccountType(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, kind console.AccountKind) error {
	return c.correctAccount(ctx, caller, app, key, func(tx *store.Tx, _ console.App, _ store.Moment, _ store.Resource) error {
		return tx.SetAccountKind(key, kind)
	})
}

// MayConfigureApp returns why the caller may not change the settings of an app; nil if the
// caller may.
func (c *Console) MayConfigureApp(ctx context.Context, caller Caller, app console.ID) error {
	return c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		_, err := seeApp(tx, me, app, console.ConfigureApps)
		return err
	})
}
