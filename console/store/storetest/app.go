package storetest

import (
	"fmt"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testApp(t *testing.T, db Database) {
	s := open(t, db)
	var owner, app console.ID
	first := console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{4}}}}
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if owner, err = tx.AddPerson(console.Person{Name: "Owner"}); err != nil {
			return err
		}
		app, err = tx.AddApp(console.App{Name: "Perplexity", Owners: []console.ID{owner}, Roles: first, MinimumAdmins: 2})
		return err
	})
	second := console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{4, 5}}, {Name: "Member", Entitlements: []console.EntitlementKey{6}}}}
	update(t, s, by(10), func(tx *store.Tx) error { return tx.SetRoleMap(app, second, 3) })
	view(t, s, func(tx *store.Tx) error {
		for _, get := range []func() (console.App, error){func() (console.App, error) { return tx.App(app) }, func() (console.App, error) { return tx.AppByName("Perplexity") }} {
			a, err := get()
			if want := (console.App{ID: app, Name: "Perplexity", Owners: []console.ID{owner}, Roles: second, MinimumAdmins: 3, Version: 2}); err != nil || fmt.Sprint(a) != fmt.Sprint(want) {
				t.Errorf("%+v, %v; want %+v", a, err, want)
			}
		}
		for minute, want := range map[int]int{-1: 0, 0: 2, 9: 2, 10: 3, 99: 3} {
			if m, n, err := tx.RoleMapAt(app, at(minute)); err != nil || n != want || (len(m.Roles) == 2) != (want == 3) {
				t.Errorf("after %d minutes: %+v, %d, %v", minute, m, n, err)
			}
		}
		return nil
	})
	// Of two changes in one command, the second applies.
	update(t, s, by(20), func(tx *store.Tx) error {
		if err := tx.SetRoleMap(app, first, 4); err != nil {
			return err
		}
		return tx.SetRoleMap(app, second, 5)
	})
	update(t, s, by(21), func(tx *store.Tx) error {
		a, err := tx.LockApp(app)
		if err != nil {
			return err
		}
		if a.MinimumAdmins != 5 {
			t.Errorf("minimum %d", a.MinimumAdmins)
		}
		a.Name, a.Owners = "PPLX", nil
		return tx.ChangeApp(a)
	})
	fails(t, s, by(22), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangeApp(console.App{ID: app, Name: "x", Version: 1}) })
	fails(t, s, by(22), "an unknown owner", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.AddApp(console.App{Name: "y", Owners: []console.ID{"nobody"}})
		return err
	})
	fails(t, s, by(22), "a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddApp(console.App{Name: "PPLX"})
		return err
	})
	fails(t, s, by(22), "a negative minimum", baton.Invalid, func(tx *store.Tx) error { return tx.SetRoleMap(app, first, -1) })
	update(t, s, by(23), func(tx *store.Tx) error {
		_, err := tx.AddApp(console.App{Name: "Another"})
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Apps(store.NameAfter{}, 10)
		if err != nil || len(all) != 2 || all[0].Name != "Another" || all[1].Name != "PPLX" || len(all[1].Owners) != 0 {
			t.Errorf("apps %+v, %v", all, err)
		}
		rest, err := tx.Apps(store.NameAfter{Sort: console.SortKey("Another"), ID: all[0].ID}, 10)
		if err != nil || len(rest) != 1 {
			t.Errorf("after the first: %+v, %v", rest, err)
		}
		return nil
	})
	checkChain(t, s)
}
