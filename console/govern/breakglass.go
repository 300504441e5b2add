package govern

import (
	"context"
	"crypto/rand"
	"strings"

	"baton"
	"baton/console"
	"baton/console/login"
	"baton/console/store"
)

// BreakGlass is the emergency login; it is displayed once.
type BreakGlass struct {
	Name       string
	Password   baton.Secret
	CodeSecret baton.Secret // of the one-time codes
}

// newBreakGlass returns a new emergency login. Its name is secret, so that nobody can lock it with
// failed logins.
func newBreakGlass() (b BreakGlass, l console.Login, err error) {
	text := rand.Text()
	var groups []string
	for ; len(text) > 5; text = text[5:] {
		groups = append(groups, text[:5])
	}
	b = BreakGlass{Name: "break-glass-" + strings.ToLower(rand.Text()[:10]), Password: baton.NewSecret(strings.Join(append(groups, text), "-")), CodeSecret: login.NewCodeSecret()}
	l = console.Login{Name: b.Name}
	l.Password, err = login.HashPassword(b.Password)
	return b, l, err
}

// NewBreakGlass creates the emergency login. The previous one ends.
func (c *Console) NewBreakGlass(ctx context.Context, caller Caller) (BreakGlass, error) {
	b, l, err := newBreakGlass() // slow, so outside the transaction
	if err != nil {
		return b, err
	}
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConfigureSignIn(caller, me); err != nil {
			return err
		}
		return tx.SetBreakGlass(l, b.CodeSecret)
	})
	if err != nil {
		return BreakGlass{}, err
	}
	return b, nil
}

// OperatorBreakGlass creates the emergency login for somebody with the keys and the database of the
// console. The previous one ends. Refused while nobody can sign in.
func (c *Console) OperatorBreakGlass(ctx context.Context) (BreakGlass, error) {
	b, l, err := newBreakGlass()
	if err != nil {
		return b, err
	}
	err = c.store.Update(ctx, console.By{At: c.now(), Actor: console.Console}, func(tx *store.Tx) error {
		some, err := tx.HasLogins()
		if err == nil && !some {
			err = baton.Errorf(baton.Refused, "the console is not set up yet").WithFix("Sign up at its address with the token that baton-console setup-token prints.")
		}
		if err != nil {
			return err
		}
		return tx.SetBreakGlass(l, b.CodeSecret)
	})
	if err != nil {
		return BreakGlass{}, err
	}
	return b, nil
}

// EndBreakGlass disables the emergency login, and ends its sessions.
func (c *Console) EndBreakGlass(ctx context.Context, caller Caller) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConfigureSignIn(caller, me); err != nil {
			return err
		}
		l, err := tx.BreakGlass()
		if err != nil {
			return err
		}
		p, err := tx.Person(l.Person)
		if err != nil || p.Status == console.PersonDisabled {
			return err
		}
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
}

// HasBreakGlass reports whether there is a working emergency login.
func (c *Console) HasBreakGlass(ctx context.Context, caller Caller) (has bool, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		l, err := tx.BreakGlass()
		if baton.KindOf(err) == baton.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := tx.Person(l.Person)
		has = p.Status == console.PersonActive && l.Password != "" // a restore without the keys clears the password
		return err
	})
	return has, err
}
