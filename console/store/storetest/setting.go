package storetest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testSetting(t *testing.T, db Database) {
	s := open(t, db)
	for i, v := range []string{"a", "\x00\xff", ""} {
		update(t, s, by(i), func(tx *store.Tx) error { return tx.SetSetting("name", []byte(v)) })
		view(t, s, func(tx *store.Tx) error {
			if got, err := tx.Setting("name"); err != nil || string(got) != v {
				t.Errorf("%q, %v; want %q", got, err, v)
			}
			_, err := tx.Setting("other")
			wantKind(t, "never set", err, baton.NotFound)
			return nil
		})
	}
}

func testAddSetting(t *testing.T, db Database) {
	s := open(t, db)
	update(t, s, by(1), func(tx *store.Tx) error { return tx.AddSetting("name", []byte("first")) })
	fails(t, s, by(2), "set already", baton.AlreadyExists, func(tx *store.Tx) error { return tx.AddSetting("name", []byte("second")) })
	var added atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := s.Update(t.Context(), by(i), func(tx *store.Tx) error { return tx.AddSetting("together", []byte{byte(i)}) })
			if err == nil {
				added.Add(1)
			} else if baton.KindOf(err) != baton.AlreadyExists {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx *store.Tx) error {
		if got, err := tx.Setting("name"); err != nil || string(got) != "first" || added.Load() != 1 {
			t.Errorf("%q, %v; %d of 8 set the other one", got, err, added.Load())
		}
		return nil
	})
}

func testPauses(t *testing.T, db Database) {
	s := open(t, db)
	view(t, s, func(tx *store.Tx) error {
		if p, err := tx.Pauses(); p.Any() || err != nil {
			t.Errorf("%+v, %v", p, err)
		}
		return nil
	})
	want := console.Pauses{Writes: true, Webhooks: true, Why: "a copy"}
	update(t, s, by(1), func(tx *store.Tx) error { return tx.SetPauses(want) })
	view(t, s, func(tx *store.Tx) error {
		if p, err := tx.Pauses(); p != want || err != nil {
			t.Errorf("%+v, %v", p, err)
		}
		return nil
	})
	if !slices.Contains(kinds(t, s), "console.paused") {
		t.Errorf("no event says it: %q", kinds(t, s))
	}
}

func testConnectorSettings(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	set := func(minute int, values map[string]string, secrets map[string]baton.Secret) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error { return tx.SetConnectorSettings(w.connector, values, secrets) })
	}
	check := func(version int64, values map[string]string, token string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.ConnectorSettings(w.connector)
			if err != nil || !maps.Equal(got, values) {
				t.Errorf("settings %q, %v; want %q", got, err, values)
			}
			secret, err := tx.ConnectorSecret(w.connector, "token")
			if token == "" {
				wantKind(t, "no secret", err, baton.NotFound)
			} else if err != nil || secret.Reveal() != token {
				t.Errorf("secret %q, %v; want %q", secret.Reveal(), err, token)
			}
			c, err := tx.Connector(w.connector)
			if err == nil && c.Version != version {
				t.Errorf("version %d, want %d", c.Version, version)
			}
			return err
		})
	}
	check(1, map[string]string{}, "")
	set(1, map[string]string{"url": "https://a", "region": "us"}, map[string]baton.Secret{"token": baton.NewSecret("one")})
	check(2, map[string]string{"url": "https://a", "region": "us"}, "one")
	set(2, map[string]string{"url": "https://a", "region": "us"}, map[string]baton.Secret{"token": {}})
	check(2, map[string]string{"url": "https://a", "region": "us"}, "one") // nothing changed
	set(3, map[string]string{"url": "https://b"}, nil)
	check(3, map[string]string{"url": "https://b"}, "one")
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{Connector: w.connector}, 0, store.PageSize)
		for _, e := range events {
			if e.Kind == "connector.configured" && strings.Contains(string(e.Data), "https") {
				t.Errorf("the event holds values: %s", e.Data)
			}
		}
		if last := events[len(events)-1]; last.Kind != "connector.configured" || string(last.Data) != `{"changed":["region","url"]}` {
			t.Errorf("event %s %s", last.Kind, last.Data)
		}
		return err
	})
	fails(t, s, by(4), "no connector", baton.NotFound, func(tx *store.Tx) error { return tx.SetConnectorSettings("nothing", nil, nil) })
}
