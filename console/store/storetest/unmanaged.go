package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testUnmanaged finds applications that the syncs of other apps show, and apps without a connector.
func testUnmanaged(t *testing.T, db Database) {
	s := open(t, db)
	first, second := namedWorld(t, s, "first"), namedWorld(t, s, "second")
	var byHand console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		byHand, err = tx.AddApp(console.App{Name: "by hand"})
		return err
	})
	discovered := func(n int) (ids []string, keys []console.ResourceKey) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			for after := (store.ResourceAfter{}); ; {
				page, err := tx.DiscoveredApps(after, n)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, d := range page {
					ids, keys, after = append(ids, d.ID), append(keys, d.Key), d.After()
					if one, err := tx.DiscoveredApp(d.Key); err != nil || one.Source != d.Source || !one.App {
						t.Errorf("%s alone: %+v, %v", d.ID, one, err)
					}
				}
			}
		})
		return ids, keys
	}
	first.sync(1, model{accounts: []string{"u"}, groups: []string{"g"}, apps: []string{"a", "c", "e"}})
	second.sync(2, model{accounts: []string{"u"}, apps: []string{"b", "d"}})
	for n := 1; n < 7; n++ {
		if ids, _ := discovered(n); fmt.Sprint(ids) != "[a b c d e]" {
			t.Errorf("pages of %d: %v", n, ids)
		}
	}
	_, keys := discovered(10)
	view(t, s, func(tx *store.Tx) error {
		if all, err := tx.Resources(first.now(tx), store.ResourceAfter{}, 10); err != nil || len(all) != 4 {
			t.Errorf("resources %v, %v", all, err)
		}
		account, err := tx.ResourceByID(first.now(tx), "user", "u")
		if err != nil {
			return err
		}
		_, err = tx.DiscoveredApp(account.Key)
		wantKind(t, "an account", err, baton.NotFound)
		_, err = tx.DiscoveredApp(99999)
		wantKind(t, "nothing", err, baton.NotFound)
		without, err := tx.AppsWithoutConnector(store.NameAfter{}, 10)
		if err != nil || len(without) != 1 || without[0].ID != byHand {
			t.Errorf("without connector: %+v, %v", without, err)
		}
		managed, err := tx.ManagedApps(time.Time{}, store.NameAfter{}, 10)
		if err != nil || len(managed) != 2 || managed[0].ID != first.app {
			t.Errorf("managed: %+v, %v", managed, err)
		}
		return nil
	})

	// A managed application is no longer in the list, even after it disappears and comes back.
	update(t, s, by(3), func(tx *store.Tx) error { return tx.ManageDiscovered(keys[1], byHand) })
	fails(t, s, by(4), "managed twice", baton.AlreadyExists, func(tx *store.Tx) error { return tx.ManageDiscovered(keys[1], first.app) })
	second.sync(5, model{accounts: []string{"u"}, apps: []string{"d"}})
	first.sync(6, model{accounts: []string{"u"}, apps: []string{"a", "e"}})
	if ids, _ := discovered(1); fmt.Sprint(ids) != "[a d e]" {
		t.Errorf("after two went: %v", ids)
	}
	second.sync(7, model{accounts: []string{"u"}, apps: []string{"b", "d"}})
	first.sync(8, model{accounts: []string{"u"}, apps: []string{"a", "c", "e"}})
	if ids, _ := discovered(2); fmt.Sprint(ids) != "[a c d e]" {
		t.Errorf("after they came back: %v", ids)
	}
	view(t, s, func(tx *store.Tx) error {
		if app, err := tx.ManagedAs(keys[1]); err != nil || app != byHand {
			t.Errorf("managed as %s, %v", app, err)
		}
		return nil
	})
	if got := kinds(t, s); !slices.Contains(got, "app.managed") {
		t.Errorf("events %v", got)
	}
	checkChain(t, s)
}
