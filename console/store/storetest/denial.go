package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// testDenial checks that the first denial of an object is an event, that repeats are counted, and
// that a caller who tries everything adds a limited number of both.
func testDenial(t *testing.T, db Database) {
	s := open(t, db)
	eve := console.ByPerson("eve")
	deny := func(at time.Time, object string) {
		t.Helper()
		b := console.By{At: at, Actor: eve, Request: "r1", Address: "192.0.2.1"}
		update(t, s, b, func(tx *store.Tx) error {
			return tx.Deny(console.Denial{Route: "GET /people/{person}", Object: object, Why: "you may not see people", Hidden: true})
		})
	}
	events := func() (n int) {
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.Events(store.EventFilter{Actor: eve}, 0, store.PageSize)
			for _, e := range all {
				if e.Kind != "call.denied" || e.Address != "192.0.2.1" || !strings.Contains(string(e.Data), `"hidden":true`) {
					t.Errorf("event %+v", e.Event)
				}
			}
			n = len(all)
			return err
		})
		return n
	}
	count := func(object string) (n int64) {
		view(t, s, func(tx *store.Tx) (err error) {
			n, err = tx.Denials(eve, "GET /people/{person}", object)
			return err
		})
		return n
	}
	for i := range 3 {
		deny(at(i), "/people/ana%00")
	}
	deny(at(3), "/people/ben")
	if n := events(); n != 2 {
		t.Errorf("%d events of two objects", n)
	}
	if n := count("/people/ana%00"); n != 3 {
		t.Errorf("%d denials counted, want 3", n)
	}
	deny(at(3).Add(console.DenialQuiet), "/people/ana%00")
	if n := events(); n != 3 {
		t.Errorf("%d events after a quiet day, want 3", n)
	}
	later := at(10).Add(48 * time.Hour)
	for i := range console.MaxDenials + 50 {
		deny(later.Add(time.Duration(i)*time.Second), fmt.Sprint("/people/", i))
	}
	if n := events(); n != 3+console.MaxDenials+1 {
		t.Errorf("%d events of somebody who tries every address, want %d", n, 3+console.MaxDenials+1)
	}
	if n := count(""); n != 50 {
		t.Errorf("%d of them counted as others, want 50", n)
	}
	update(t, s, console.By{At: later.Add(2 * console.DenialKept), Actor: console.Console}, func(tx *store.Tx) error {
		n, err := tx.ForgetDenials(later.Add(2*console.DenialKept), 1000)
		if n != 2+console.MaxDenials+1 {
			t.Errorf("%d counts forgotten", n)
		}
		return err
	})
	checkChain(t, s)
}
