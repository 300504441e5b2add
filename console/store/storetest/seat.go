package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testSeats keeps each version of the purchased seats of an app, counts the seats that are used or
// reserved, and refuses accounts for which no seat is left, if an owner chose that.
func testSeats(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	other := namedWorld(t, s, "other")
	day := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	first := console.Seats{App: st.app, Purchased: 6, Renewal: day, Otherwise: []string{"SCIM"}}
	update(t, s, byPerson(3, st.people["ana"]), func(tx *store.Tx) error { return tx.SetSeats(first) })
	update(t, s, byPerson(4, st.people["ana"]), func(tx *store.Tx) error {
		same := first
		same.Version = 1
		return tx.SetSeats(same) // which changes nothing
	})
	fails(t, s, by(4), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.SetSeats(first) })
	fails(t, s, by(4), "less than nothing", baton.Invalid, func(tx *store.Tx) error {
		return tx.SetSeats(console.Seats{App: st.app, Version: 1, Purchased: -1})
	})
	fails(t, s, by(4), "no app", baton.NotFound, func(tx *store.Tx) error { return tx.SetSeats(console.Seats{App: "nothing", Purchased: 1}) })
	second := console.Seats{App: st.app, Version: 1, Purchased: 5, Block: true}
	update(t, s, byPerson(5, st.people["ben"]), func(tx *store.Tx) error { return tx.SetSeats(second) })
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.SeatsVersions(st.app, 10)
		first.Version, first.By, first.At = 1, console.ByPerson(st.people["ana"]), at(3)
		second.Version, second.By, second.At = 2, console.ByPerson(st.people["ben"]), at(5)
		if d := cmp.Diff([]console.Seats{second, first}, got); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if now, err := tx.Seats(st.app); err != nil || now.Version != 2 {
			t.Errorf("%+v, %v", now, err)
		}
		if none, err := tx.Seats(other.app); err != nil || none.Known() || none.Version != 0 {
			t.Errorf("nobody typed anything in: %+v, %v", none, err)
		}
		events, err := tx.Events(store.EventFilter{App: st.app}, 0, store.PageSize)
		n := 0
		for _, e := range events {
			if e.Kind == "app.seats-changed" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d events", n)
		}
		return err
	})
	testSeatUse(t, s, st)
	checkChain(t, s)
}

func testSeatUse(t *testing.T, s *store.Store, st *staff) {
	used := func(what string, want console.SeatUse) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.SeatUse(st.app)
			if got != want {
				t.Errorf("%s: %+v, want %+v", what, got, want)
			}
			return err
		})
	}
	// Dan is disabled; then a sync has service accounts, too, and one that was disabled before it was deleted.
	m := model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members"}, grants: join(pairs("admins", "ana", "ben", "cem"), pairs("members", "dan")),
		statuses: map[string]console.Status{"dan": console.StatusDisabled}, kinds: map[string]console.AccountKind{"cem": console.AccountService}}
	used("all are enabled", console.SeatUse{Shown: 4})
	st.sync(6, m)
	used("one is disabled", console.SeatUse{Shown: 3})

	var eve, fay console.ID
	update(t, s, by(7), func(tx *store.Tx) (err error) {
		if eve, err = tx.AddPerson(console.Person{Name: "eve"}); err != nil {
			return err
		}
		fay, err = tx.AddPerson(console.Person{Name: "fay"})
		return err
	})
	grant := func(person console.ID, e console.EntitlementKey) console.Operation {
		return console.Operation{App: st.app, Connector: st.connector, Person: person, Entitlement: e, Verb: console.Grant, Cause: console.Cause{Kind: console.CauseApproval, Evidence: console.EvidenceDecision}}
	}
	member := st.mustCreate(8, grant(eve, st.member)) // which makes an account first
	used("an account is to be made", console.SeatUse{Shown: 3, Waiting: 1})
	if again, err := st.create(8, grant(eve, st.admin)); err != nil {
		t.Errorf("a second grant shares the account: %+v, %v", again, err)
	}
	enable := st.op("dan", console.AccountItself, console.Grant)
	enable = st.mustCreate(9, enable)
	used("and one to be enabled", console.SeatUse{Shown: 3, Waiting: 2})
	for _, e := range []console.EntitlementKey{console.AccountItself, st.member} {
		_, err := st.create(9, grant(fay, e))
		wantKind(t, "a sixth account of five", err, baton.Refused)
	}
	if _, err := st.create(9, st.op("ana", st.member, console.Grant)); err != nil {
		t.Errorf("who has an account needs no further seat: %v", err)
	}
	var creation console.Operation
	view(t, s, func(tx *store.Tx) error {
		o, err := tx.AccountCreation(st.app, eve)
		if err == nil {
			creation = *o
		}
		for o, want := range map[*console.Operation]bool{&creation: false, &member: false, {App: st.app, Person: fay, Verb: console.Grant}: true,
			{App: st.app, Account: st.account("ana"), Verb: console.Grant}: false, {App: st.app, Account: st.account("dan"), Verb: console.Revoke}: false} {
			if needs, reserved, err := tx.NeedsSeat(*o); err != nil || (needs && !reserved) != want {
				t.Errorf("%+v needs a further seat: %v, %v, %v", o, needs, reserved, err)
			}
		}
		return err
	})

	// Fewer seats: what was handed out goes on, and what waits is not handed out.
	if err := st.dispatch(10, enable.ID, "t1", store.Circumstances{}); err != nil {
		t.Errorf("within the seats: %v", err)
	}
	used("a host has one", console.SeatUse{Shown: 3, Underway: 1, Waiting: 1})
	seats := func(minute, purchased int, block bool) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error {
			now, err := tx.Seats(st.app)
			if err != nil {
				return err
			}
			now.Purchased, now.Block = purchased, block
			return tx.SetSeats(now)
		})
	}
	seats(11, 4, true)
	wantKind(t, "handed out without a seat", st.dispatch(12, creation.ID, "t2", store.Circumstances{}), baton.Refused)
	if got := st.get(creation.ID); got.State != console.Queued {
		t.Errorf("it waits for a seat: %s", got.State)
	}
	update(t, s, by(13), func(tx *store.Tx) error {
		return tx.FinishOperation(enable.ID, "t1", store.Answer{At: at(13), State: console.Applied})
	})
	used("one was enabled", console.SeatUse{Shown: 3, Made: 1, Waiting: 1})
	m.statuses["dan"] = console.StatusEnabled
	st.sync(14, m)
	used("a sync shows it", console.SeatUse{Shown: 4, Waiting: 1})
	seats(15, 4, false)
	if err := st.dispatch(16, creation.ID, "t2", store.Circumstances{}); err != nil {
		t.Errorf("only warned: %v", err)
	}
	update(t, s, by(17), func(tx *store.Tx) error {
		return tx.FinishOperation(creation.ID, "t2", store.Answer{At: at(17), State: console.Applied, Type: "user", ID: "eve"})
	})
	used("one was made", console.SeatUse{Shown: 4, Made: 1})
	st.receive(18, console.SyncTargeted)
	used("a targeted sync", console.SeatUse{Shown: 4, Made: 1})
}
