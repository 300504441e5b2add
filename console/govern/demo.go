package govern

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/store"
)

// DemoPerson returns a person of the demo.
func (c *Console) DemoPerson(ctx context.Context, email string) (p console.Person, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		p, err = tx.PersonByEmail(email)
		return err
	})
	return p, err
}

// DemoSignIn begins a session of a person without authentication, and returns its token. Only the
// demo, whose data is generated, may offer it.
func (c *Console) DemoSignIn(ctx context.Context, email, address string) (baton.Secret, error) {
	p, err := c.DemoPerson(ctx, email)
	if err != nil {
		return baton.Secret{}, err
	}
	now := c.now()
	token, hash := newToken()
	err = c.store.Update(ctx, console.By{At: now, Actor: console.ByPerson(p.ID), Address: address}, func(tx *store.Tx) error {
		return tx.BeginSession(hash, console.Session{Person: p.ID, Began: now, Proved: now, Seen: now, Address: address})
	})
	return token, err
}
