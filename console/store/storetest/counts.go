package storetest

import (
	"errors"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testSyncCounts checks that a targeted sync, which counts its own rows only, does not hide the others.
func testSyncCounts(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"ana", "ben", "cleo"}, groups: []string{"g"}, grants: pairs("g", "ana", "ben")}
	shown := func(step string, number console.SyncNumber, want console.Counts) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			if got, err := tx.CountsAt(w.stream(), number); err != nil || got.Accounts != want.Accounts || got.Facts != want.Facts {
				t.Errorf("%s: %+v, %v; want %+v", step, got, err, want)
			}
			return nil
		})
	}
	shown("nothing yet", 0, console.Counts{})
	first := w.sync(1, m)
	shown("a full sync", first, console.Counts{Accounts: 3, Facts: 2})
	var last console.SyncNumber
	targeted := func(minute int) {
		t.Helper()
		st, err := s.BeginSync(ctx, by(minute), w.receive(minute, console.SyncTargeted))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(stage(ctx, st, m), st.Publish(ctx, by(minute), console.Counts{Facts: int64(len(m.grants))})); err != nil {
			t.Fatal(err)
		}
		last = st.Number
	}
	m.grants = pairs("g", "ana", "ben", "cleo")
	targeted(2)
	shown("a targeted sync with one more", last, console.Counts{Accounts: 3, Facts: 3})
	m.grants = nil
	targeted(3)
	shown("another with three fewer", last, console.Counts{Accounts: 3})
	fails(t, s, by(3), "a connector that shows accounts is removed", baton.Refused, func(tx *store.Tx) error { return tx.RemoveConnector(w.connector) })
	shown("the moment of the full one", first, console.Counts{Accounts: 3, Facts: 2})
	m.accounts = append(m.accounts, "dan")
	shown("the next full sync", w.sync(4, m), console.Counts{Accounts: 4})
}
