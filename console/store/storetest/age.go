package storetest

import (
	"context"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// Age moves all unanswered dispatches and leases into the past, so that tests need not wait for the
// leases to expire.
func Age(t testing.TB, s *store.Store, by time.Duration) {
	t.Helper()
	err := s.Update(context.Background(), console.By{At: time.Now(), Actor: console.Console}, func(tx *store.Tx) error {
		e := tx.Engine()
		for _, sql := range []string{
			"UPDATE task SET lease_since = lease_since - $1, lease_until = lease_until - $1 WHERE state = 'leased'",
			"UPDATE operation SET dispatched = dispatched - $1, lease_until = lease_until - $1 WHERE state IN ('dispatched', 'unknown')",
		} {
			if _, err := e.Exec(sql, by); err != nil {
				return err
			}
		}
		connectors, err := engine.List(e, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM connector")
		if err != nil {
			return err
		}
		for _, c := range connectors {
			if err := tx.SetDue(console.DueOperations, string(c), tx.By().At, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
