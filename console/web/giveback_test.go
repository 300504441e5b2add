package web

import (
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestGiveBackWarns: one click gives access back, but for what cannot be had again at once, and for what
// the connector does not take away.
func TestGiveBackWarns(t *testing.T) {
	f := withPeople(t)
	ben := f.addPerson("ben")
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "ana")
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(a.Key, ben, store.OwnerSet)
	})
	const byHand = "an owner of the application is asked to do it by hand"
	b := f.as("ben")
	b.get("/").wants(t, "the connector changes nothing", 200, byHand, "Give it back")
	f.able()
	page := b.get("/")
	page.wants(t, "the connector can", 200, "Give back", warnAdmin) // Ana is an administrator, too
	page.without(t, "the connector can", byHand)
	b.get("/request").wants(t, "one's account", 200, "Your account is disabled", "Give it back")
	f.update(func(tx *store.Tx) error { return tx.SetRoleMap(f.app, console.RoleMap{}, 1) })
	b.get("/").without(t, "nobody said what makes an administrator", warnAdmin, "Give it back")
}
