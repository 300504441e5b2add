package storetest

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testDevice(t *testing.T, db Database) {
	s := open(t, db)
	var ana console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		ana, err = tx.AddPerson(console.Person{Name: "Ana"})
		return err
	})
	code := func(text string) store.DeviceCode { return sha256.Sum256([]byte(text)) }
	add := func(minute int, name string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			return tx.AddDevice(code(name), code("typed "+name), console.Device{Client: "cli", Address: "192.0.2.1", Expires: at(minute).Add(console.DeviceLife)})
		}
	}
	update(t, s, by(1), add(1, "one"))
	update(t, s, by(1), add(1, "two"))
	update(t, s, by(1), add(1, "three"))
	fails(t, s, by(1), "a code that is taken", baton.AlreadyExists, add(1, "one"))
	scopes := []console.Scope{console.ScopeAsk, console.ScopeRead}
	update(t, s, byPerson(1, ana), func(tx *store.Tx) error {
		d, err := tx.TypedDevice(code("typed one"), at(1))
		want := console.Device{Client: "cli", Address: "192.0.2.1", Created: at(1), Expires: at(1).Add(console.DeviceLife), State: console.DeviceWaiting}
		if diff := cmp.Diff(want, d); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		_, err = tx.TypedDevice(code("typed one"), at(20))
		wantKind(t, "a code whose time is over", err, baton.NotFound)
		return tx.DecideDevice(code("typed one"), console.DeviceAllowed, scopes)
	})
	update(t, s, byPerson(1, ana), func(tx *store.Tx) error { return tx.DecideDevice(code("typed two"), console.DeviceRefused, nil) })
	fails(t, s, byPerson(1, ana), "decided again", baton.NotFound, func(tx *store.Tx) error { return tx.DecideDevice(code("typed one"), console.DeviceRefused, nil) })
	fails(t, s, byPerson(20, ana), "decided too late", baton.NotFound, func(tx *store.Tx) error { return tx.DecideDevice(code("typed three"), console.DeviceAllowed, scopes) })
	view(t, s, func(tx *store.Tx) error {
		d, err := tx.Device(code("one"))
		if err != nil || d.State != console.DeviceAllowed || d.Person != ana || len(d.Scopes) != 2 {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := tx.Device(code("two")); err != nil || d.State != console.DeviceRefused {
			t.Errorf("%+v, %v", d, err)
		}
		_, err = tx.Device(code("typed one"))
		wantKind(t, "what a person types is no code", err, baton.NotFound)
		events, err := tx.EventsBefore(store.EventFilter{Person: ana}, 0, 2)
		if err != nil || len(events) != 2 || events[0].Kind != "device.refused" || events[1].Kind != "device.allowed" {
			t.Errorf("%+v, %v", events, err)
		}
		return nil
	})
	for _, name := range []string{"two", "three"} {
		fails(t, s, by(1), "a token for "+name, baton.NotFound, func(tx *store.Tx) error { return tx.AnswerDevice(code(name), code("token")) })
	}
	fails(t, s, by(20), "a token too late", baton.NotFound, func(tx *store.Tx) error { return tx.AnswerDevice(code("one"), code("token")) })
	update(t, s, by(1), func(tx *store.Tx) error { return tx.AnswerDevice(code("one"), code("token")) })
	fails(t, s, by(1), "a second token", baton.NotFound, func(tx *store.Tx) error { return tx.AnswerDevice(code("one"), code("other")) })
	fails(t, s, by(20), "a credential too late", baton.Unauthenticated, func(tx *store.Tx) error { _, err := tx.TakeDevice(code("token")); return err })
	update(t, s, by(1), func(tx *store.Tx) error {
		d, err := tx.TakeDevice(code("token"))
		if d.Person != ana || len(d.Scopes) != 2 {
			t.Errorf("%+v", d)
		}
		return err
	})
	fails(t, s, by(1), "a second credential", baton.Unauthenticated, func(tx *store.Tx) error { _, err := tx.TakeDevice(code("token")); return err })
	// Expired devices are removed, so that new ones can be added.
	update(t, s, by(1), func(tx *store.Tx) error {
		for i := range console.MaxDevices - 2 {
			if err := add(1, time.Duration(i).String())(tx); err != nil {
				return err
			}
		}
		return nil
	})
	fails(t, s, by(1), "too many", baton.RateLimited, add(1, "more"))
	update(t, s, by(20), add(20, "more"))
}
