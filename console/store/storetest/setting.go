package storetest

import (
	"testing"

	"baton"
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
