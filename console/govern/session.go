package govern

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/store"
)

// SessionView is one of the caller's sessions.
type SessionView struct {
	console.Session
	This bool // the session of this call
}

// Sessions returns the caller's sessions, the most recently used first.
func (c *Console) Sessions(ctx context.Context, caller Caller) (all []SessionView, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		all = nil
		sessions, err := tx.Sessions(me.ID, c.now())
		for _, s := range sessions {
			all = append(all, SessionView{s, s.Hash == caller.token})
		}
		return err
	})
	return all, err
}

// EndSession ends one of the caller's sessions, identified by its hash.
func (c *Console) EndSession(ctx context.Context, caller Caller, hash [32]byte) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		s, _, err := tx.Session(hash, c.now())
		if err == nil && s.Person != me.ID {
			err = baton.Errorf(baton.NotFound, "no session")
		}
		if err != nil {
			return err
		}
		return tx.EndSession(hash)
	})
}

// EndOtherSessions ends the caller's other sessions.
func (c *Console) EndOtherSessions(ctx context.Context, caller Caller) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		sessions, err := tx.Sessions(me.ID, c.now())
		for _, s := range sessions {
			if err == nil && s.Hash != caller.token {
				err = tx.EndSession(s.Hash)
			}
		}
		return err
	})
}
