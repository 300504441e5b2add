package storetest

import (
	"testing"
	"time"

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

// testConnectorSchedule checks when a connector is due to sync.
func testConnectorSchedule(t *testing.T, db Database) {
	s := open(t, db)
	due := func(id console.ID) (when time.Time) {
		view(t, s, func(tx *store.Tx) error {
			at, ok, err := tx.DueAt(console.DueSync, string(id))
			if ok {
				when = at
			}
			return err
		})
		return when
	}
	var c console.Connector
	var never []console.ID
	update(t, s, by(0), func(tx *store.Tx) error {
		app, err := tx.AddApp(console.App{Name: "app"})
		if err != nil {
			return err
		}
		for name, hosting := range map[string]console.Hosting{"files": console.ByFile, "no interval": console.SelfHosted} {
			add := console.Connector{App: app, Name: name, Hosting: hosting}
			if hosting == console.ByFile {
				add.Interval = time.Hour
			}
			id, err := tx.AddConnector(add)
			if err != nil {
				return err
			}
			never = append(never, id)
		}
		id, err := tx.AddConnector(console.Connector{App: app, Name: "self-hosted", Interval: time.Hour})
		if err == nil {
			c, err = tx.Connector(id)
		}
		return err
	})
	for _, id := range never {
		if !due(id).IsZero() {
			t.Errorf("connector %s is due to sync", id)
		}
	}
	if !due(c.ID).Equal(at(0)) {
		t.Errorf("a new connector is due at %v", due(c.ID))
	}
	change := func(minute int, want time.Time, edit func(*console.Connector)) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) (err error) {
			if c, err = tx.Connector(c.ID); err != nil {
				return err
			}
			edit(&c)
			return tx.ChangeConnector(c)
		})
		if !due(c.ID).Equal(want) {
			t.Errorf("minute %d: due at %v, want %v", minute, due(c.ID), want)
		}
	}
	update(t, s, by(1), func(tx *store.Tx) error { return tx.ScheduleSync(c, at(60)) })
	change(2, at(60), func(c *console.Connector) { c.Name = "renamed" })
	change(3, at(60), func(c *console.Connector) { c.Paused = true })
	change(4, at(4), func(c *console.Connector) { c.Paused = false })
	change(5, at(5), func(c *console.Connector) { c.Interval = time.Minute })
	change(6, time.Time{}, func(c *console.Connector) { c.Interval = 0 })
	// A cron expression starts with its next time, also after a pause. A requested sync comes first.
	change(600, at(12*60), func(c *console.Connector) { c.Cron, c.Zone = "0 1 * * *", "Europe/Berlin" })
	change(610, at(12*60), func(c *console.Connector) { c.Paused = true })
	change(620, at(12*60), func(c *console.Connector) { c.Paused = false })
	change(630, at(13*60), func(c *console.Connector) { c.Zone, c.Interval = "", time.Hour })
	update(t, s, by(640), func(tx *store.Tx) error { return tx.ScheduleSync(c, at(640)) })
	if !due(c.ID).Equal(at(640)) {
		t.Errorf("sync now: due at %v", due(c.ID))
	}
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Connector(c.ID)
		if err != nil || got.Cron != "0 1 * * *" || got.Zone != "" || got.Interval != time.Hour {
			t.Errorf("stored %+v, %v", got, err)
		}
		return nil
	})
	change(650, at(650), func(c *console.Connector) { c.Cron = "" })
}
