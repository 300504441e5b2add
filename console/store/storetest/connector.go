package storetest

import (
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testConnector(t *testing.T, db Database) {
	s := open(t, db)
	var app, c1, c2 console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: "app"}); err != nil {
			return err
		}
		if c1, err = tx.AddConnector(console.Connector{App: app, Name: "one", Interval: 90e9, Directory: true}); err != nil {
			return err
		}
		c2, err = tx.AddConnector(console.Connector{App: app, Name: "two", Hosting: console.Hosted})
		return err
	})
	var one console.Connector
	view(t, s, func(tx *store.Tx) (err error) {
		if one, err = tx.Connector(c1); err != nil {
			return err
		}
		two, err := tx.ConnectorByName("two")
		if err != nil || two.ID != c2 || two.Hosting != console.Hosted || two.Stream == one.Stream {
			t.Errorf("%+v, %v", two, err)
		}
		if one.Interval != 90e9 || !one.Directory || one.Hosting != console.SelfHosted || one.Stream == 0 {
			t.Errorf("%+v", one)
		}
		all, err := tx.Connectors(app)
		every, err2 := tx.Connectors("")
		none, err3 := tx.Connectors("other")
		if len(all) != 2 || len(every) != 2 || len(none) != 0 || err != nil || err2 != nil || err3 != nil {
			t.Errorf("%v, %v, %v; %v, %v, %v", all, every, none, err, err2, err3)
		}
		return nil
	})
	one.Paused, one.Product, one.Name = true, "baton-perplexity", "uno"
	update(t, s, by(1), func(tx *store.Tx) error { return tx.ChangeConnector(one) })
	fails(t, s, by(2), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangeConnector(one) })
	one.Version, one.Name = 2, "two"
	fails(t, s, by(2), "a taken name", baton.AlreadyExists, func(tx *store.Tx) error { return tx.ChangeConnector(one) })
	fails(t, s, by(2), "an unknown app", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.AddConnector(console.Connector{App: "x", Name: "three"})
		return err
	})
	checkChain(t, s)
}

func testConnectorContinues(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"ana", "ben"}, groups: []string{"g"}, grants: pairs("g", "ana", "ben")}
	w.sync(1, m)
	var next console.ID
	update(t, s, by(2), func(tx *store.Tx) (err error) {
		next, err = tx.AddConnector(console.Connector{App: w.app, Name: "self-hosted"})
		return err
	})
	update(t, s, by(3), func(tx *store.Tx) error { return tx.ContinueConnector(next, w.connector) })
	former := w.connector
	w.connector = next
	w.check(at(4), m)
	m.grants = pairs("g", "ana")
	w.sync(5, m)
	w.check(at(6), m)
	view(t, s, func(tx *store.Tx) error {
		c, err := tx.Connector(former)
		if err != nil || !c.Paused || c.Stream == w.stream() {
			t.Errorf("the former one: %+v, %v", c, err)
		}
		return nil
	})
	fails(t, s, by(7), "one that has syncs", baton.Refused, func(tx *store.Tx) error { return tx.ContinueConnector(next, former) })
	fails(t, s, by(7), "itself", baton.Refused, func(tx *store.Tx) error { return tx.ContinueConnector(next, next) })
	checkChain(t, s)
}
