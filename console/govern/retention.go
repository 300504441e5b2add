package govern

import (
	"context"
	"time"

	"baton/console"
	"baton/console/store"
)

// RetentionView is how long records are kept.
type RetentionView struct {
	Retention console.Retention
	Kept      time.Time // since when the history of all applications is there; zero if it is complete
	MayChange bool
}

// Retention returns how long records are kept.
func (c *Console) Retention(ctx context.Context, caller Caller) (v RetentionView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		v.MayChange = console.ConfigureSettings.Of(me, console.Object{})
		if v.Retention, err = tx.Retention(); err == nil {
			v.Kept, err = tx.HistoryKept("")
		}
		return err
	})
	return v, err
}

// SetRetention sets how long records are kept. A recent login is needed, because what is removed
// does not come back.
func (c *Console) SetRetention(ctx context.Context, caller Caller, r console.Retention, why string) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ConfigureSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.SetRetention(r, why)
	})
}

// HistoryKept returns since when the history of an app, or of all, is kept; zero if all of it is.
// Everybody who sees a page of history may know.
func (c *Console) HistoryKept(ctx context.Context, caller Caller, app console.ID) (since time.Time, err error) {
	err = c.read(ctx, caller, own, func(tx *store.Tx, _ console.Person) (err error) {
		since, err = tx.HistoryKept(app)
		return err
	})
	return since, err
}
