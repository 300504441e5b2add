package storetest

import (
	"slices"
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
