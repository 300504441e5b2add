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

// AccountRecord holds what people and the console know about an account: its owner and its type.
type AccountRecord struct {
	Owner   store.Owner
	OwnerBy console.Person // who set the owner; zero for the console itself
	// Matched is the owner according to the matching rules; "" for none. It applies unless a person
	// set the owner.
	Matched    console.Person
	Type       console.AccountType
	Said       store.AccountKind
	SaidBy     console.Person
	Former     []console.Person // owners within [console.RecentOwner] who no longer own it
	MayCorrect bool
}

// AccountRecord returns the record of an account.
func (c *Console) AccountRecord(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey) (v AccountRecord, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = AccountRecord{}
		a, err := c.seeAppThen(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		then := c.now()
		if !c.at.IsZero() {
			then = c.at
		}
		v.MayCorrect = c.at.IsZero() && console.ConfigureApps.Of(me, console.Object{App: &a})
		if v.Owner, err = tx.AccountOwner(key, c.at); err != nil {
			return err
		}
		if v.OwnerBy, err = personOr(tx, v.Owner.By.Person()); err != nil {
			return err
		}
		if v.Said, err = tx.AccountKind(key, c.at); err != nil {
			return err
		}
		if v.SaidBy, err = personOr(tx, v.Said.By.Person()); err != nil {
			return err
		}
		former, err := tx.RecentOwners(key, then)
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
		m, err := c.moment(tx, a.ID)
		if err != nil {
			return err
		}
		r, err := tx.Account(m, key)
		if baton.KindOf(err) == baton.NotFound { // no sync shows it, so it can no longer be corrected
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

// personOr returns a person, or the zero one if the ID is empty or unknown.
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

// accountNow returns an account that the newest syncs of an app show.
func accountNow(tx *store.Tx, a console.App, key console.ResourceKey) (store.Moment, store.Resource, error) {
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return m, store.Resource{}, err
	}
	r, err := tx.Account(m, key)
	return m, r, err
}

// correctAccount runs a command on an account of an app that the caller may configure.
func (c *Console) correctAccount(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, fn func(tx *store.Tx, a console.App, m store.Moment, r store.Resource) error) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if _, err := seeApp(tx, me, app, console.ConfigureApps); err != nil {
			return err
		}
		a, err := tx.LockApp(app) // the minimum of administrators counts matched people
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

// SetAccountOwner sets the owner of an account, by e-mail address. Matching no longer changes it.
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

// ClearAccountOwner records that an account has no owner. Matching no longer changes that.
func (c *Console) ClearAccountOwner(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey) error {
	return c.correctAccount(ctx, caller, app, key, func(tx *store.Tx, _ console.App, _ store.Moment, _ store.Resource) error {
		return tx.SetAccountOwner(key, "", store.OwnerCleared)
	})
}

// ResetAccountOwner returns an account to matching, which sets its owner now and in future.
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
// the upstream says. The error is [ErrWaits] if the account would count as an administrator
// from then on, who is a person: a second person has to confirm it, and reads why.
func (c *Console) SetAccountType(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey, kind console.AccountKind, why string) error {
	waits := false
	return waiting(&waits, c.correctAccount(ctx, caller, app, key, func(tx *store.Tx, a console.App, m store.Moment, r store.Resource) error {
		waits = false
		if !kind.Valid() {
			return tx.SetAccountKind(key, kind) // which says what is wrong
		}
		role, typ, err := tx.AccountRoles(m, a.Roles, r)
		if err != nil {
			return err
		}
		said, err := tx.AccountKind(key, time.Time{})
		if err != nil {
			return err
		}
		admin := role.Risk != nil && role.Risk.Admin
		if waits = admin && !typ.Kind.Human() && console.TypeOf(r.Account.Kind, kind, role).Kind.Human(); waits {
			return amend(tx, console.AmendAccount, a.ID, string(a.ID), console.AccountTypeChange{Account: key, Kind: said.Kind}, console.AccountTypeChange{Account: key, Kind: kind}, why)
		}
		return tx.SetAccountKind(key, kind)
	}))
}

// MayConfigureApp returns an error if the caller may not change the settings of an app.
func (c *Console) MayConfigureApp(ctx context.Context, caller Caller, app console.ID) error {
	return c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		_, err := seeApp(tx, me, app, console.ConfigureApps)
		return err
	})
}
