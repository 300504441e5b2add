package storetest

import (
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testRemoval removes a connector, its app and a policy: they are not there any more, their past is,
// and their names are free.
func testRemoval(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"ana"}, groups: []string{"g"}, grants: pairs("g", "ana")}
	w.sync(1, m)
	fails(t, s, by(2), "an app with a connector", baton.Refused, func(tx *store.Tx) error { return tx.RemoveApp(w.app) })
	fails(t, s, by(2), "a connector that shows access", baton.Refused, func(tx *store.Tx) error { return tx.RemoveConnector(w.connector) })
	fails(t, s, by(2), "no connector", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveConnector("x") })
	fails(t, s, by(2), "no app", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveApp("x") })
	w.sync(3, model{groups: []string{"g"}})
	waits := w.receive(4, console.SyncFull)
	fails(t, s, by(4), "a connector with a sync that is not read", baton.Unavailable, func(tx *store.Tx) error { return tx.RemoveConnector(w.connector) })
	update(t, s, by(4), func(tx *store.Tx) error { return tx.EndSync(waits, console.SyncRefused, "damaged") })
	update(t, s, by(5), func(tx *store.Tx) error {
		if err := tx.SetConnectorSettings(w.connector, map[string]string{"a": "b"}, map[string]baton.Secret{"c": baton.NewSecret("d")}); err != nil {
			return err
		}
		return tx.RemoveConnector(w.connector)
	})
	fails(t, s, by(6), "a removed connector", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveConnector(w.connector) })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Connectors("")
		then, err2 := tx.ConnectorsAt(w.app, at(2))
		now, err3 := tx.Moment(w.app, time.Time{})
		past, err4 := tx.Moment(w.app, at(2))
		_, err5 := tx.ConnectorSecret(w.connector, "c")
		if len(all) != 0 || len(then) != 1 || len(now.Streams) != 0 || len(past.Streams) != 1 || past.Streams[0].Sync != 1 || baton.KindOf(err5) != baton.NotFound || err != nil || err2 != nil || err3 != nil || err4 != nil {
			t.Errorf("%+v, %+v, %+v, %+v, %v: %v, %v, %v, %v", all, then, now, past, err5, err, err2, err3, err4)
		}
		return nil
	})
	c, err := removed(s, w.connector)
	if err != nil || c.Removed != at(5) || !c.Paused {
		t.Errorf("the removed connector: %+v, %v", c, err)
	}
	fails(t, s, by(6), "a change of a removed connector", baton.NotFound, func(tx *store.Tx) error { return tx.ChangeConnector(c) })

	update(t, s, by(7), func(tx *store.Tx) error { return tx.RemoveApp(w.app) })
	fails(t, s, by(8), "a removed app", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveApp(w.app) })
	fails(t, s, by(8), "a connector of a removed app", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.AddConnector(console.Connector{App: w.app, Name: "x"})
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		a, err := tx.App(w.app)
		if err != nil || a.Removed != at(7) || a.ThereAt(time.Time{}) || !a.ThereAt(at(6)) || a.ThereAt(at(7)) {
			t.Errorf("the removed app: %+v, %v", a, err)
		}
		all, err := tx.Apps(store.NameAfter{}, 10)
		without, err2 := tx.AppsWithoutConnector(store.NameAfter{}, 10)
		now, err3 := tx.ManagedApps(time.Time{}, store.NameAfter{}, 10)
		then, err4 := tx.ManagedApps(at(2), store.NameAfter{}, 10)
		if len(all) != 0 || len(without) != 0 || len(now) != 0 || len(then) != 1 || err != nil || err2 != nil || err3 != nil || err4 != nil {
			t.Errorf("%+v, %+v, %+v, %+v: %v, %v, %v, %v", all, without, now, then, err, err2, err3, err4)
		}
		return nil
	})
	fails(t, s, by(8), "a change of a removed app", baton.NotFound, func(tx *store.Tx) error { return tx.ChangeApp(console.App{ID: w.app, Name: "y", Version: 2}) })
	next := newWorld(t, s) // with the same names
	if next.app == w.app {
		t.Error("the new app is the old one")
	}

	var p console.Policy
	update(t, s, by(9), func(tx *store.Tx) (err error) {
		p, err = tx.AddPolicyVersion(console.Policy{Kind: console.PolicyRequest, Name: "p"}, 0)
		if err != nil {
			return err
		}
		return tx.AddRequestSettings(console.SettingsVersion{App: next.app, Entitlement: 1, Settings: console.RequestSettings{Policy: p.ID}})
	})
	chosen := func() (n int) {
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.ChoosingSettings(p.ID)
			n = len(all)
			return err
		})
		return n
	}
	if n := chosen(); n != 1 {
		t.Errorf("the policy is chosen %d times", n)
	}
	update(t, s, by(10), func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: next.app, Entitlement: 1, Version: 1})
	})
	if n := chosen(); n != 0 {
		t.Errorf("the policy is chosen %d times", n)
	}
	update(t, s, by(11), func(tx *store.Tx) error { return tx.RemovePolicy(p.ID) })
	fails(t, s, by(12), "a removed policy", baton.NotFound, func(tx *store.Tx) error { return tx.RemovePolicy(p.ID) })
	fails(t, s, by(12), "a version of a removed policy", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.AddPolicyVersion(p, 1)
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Policies()
		version, err2 := tx.PolicyVersion(p.ID, 1)
		if len(all) != len(console.BuiltInPolicies()) || version.Name != "p" || err != nil || err2 != nil {
			t.Errorf("%+v, %+v, %v, %v", all, version, err, err2)
		}
		return nil
	})
	checkChain(t, s)
}

func removed(s *store.Store, id console.ID) (c console.Connector, err error) {
	err = s.View(ctx, func(tx *store.Tx) error {
		c, err = tx.Connector(id)
		return err
	})
	return c, err
}
