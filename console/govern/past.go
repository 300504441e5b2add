package govern

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// AsOf returns the console at a past time, for queries about access: the content of the newest syncs
// that had begun by then, with the owners, roles and reasons of that time. Rights are checked as of
// now. Its commands are refused. The zero time is now.
func (c *Console) AsOf(at time.Time) *Console {
	if at.IsZero() {
		return c
	}
	past := *c
	past.at = at
	return &past
}

// errPast refuses commands about the past.
var errPast = baton.Errorf(baton.Refused, "the past cannot be changed").WithFix("Go back to now.")

// moment returns the moment of an app, now or at the console's time.
func (c *Console) moment(tx *store.Tx, app console.ID) (store.Moment, error) {
	return tx.Moment(app, c.at)
}

// seeAppThen is [seeApp] with the role map of the console's moment.
func (c *Console) seeAppThen(tx *store.Tx, me console.Person, id console.ID, right console.Right) (console.App, error) {
	a, err := seeAppAt(tx, me, id, right, c.at)
	if err == nil {
		err = c.rolesThen(tx, &a)
	}
	return a, err
}

// rolesThen gives an app the role map of the console's moment.
func (c *Console) rolesThen(tx *store.Tx, a *console.App) (err error) {
	if !c.at.IsZero() {
		a.Roles, a.MinimumAdmins, err = tx.RoleMapAt(a.ID, c.at)
	}
	return err
}

// syncThen returns the newest sync of a stream, now or at the console's moment; nil if there was
// none.
func (c *Console) syncThen(tx *store.Tx, stream console.Stream) (*console.Sync, error) {
	if c.at.IsZero() {
		return tx.HeadSync(stream)
	}
	s, err := tx.StreamAt(stream, c.at)
	if err != nil || s.Sync == 0 {
		return nil, err
	}
	sync, err := tx.SyncByNumber(s.Sync)
	return &sync, err
}

// errNotYet returns the error for an object that did not exist at the moment.
func errNotYet(what string, m store.Moment) error {
	return baton.Errorf(baton.NotFound, "no sync that had begun by %s UTC shows %s", m.At.UTC().Format("2 Jan 2006 15:04:05"), what).WithFix("Go back to now, or choose a later moment.")
}
