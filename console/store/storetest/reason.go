package storetest

import (
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testReason(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	var timed, open console.ID
	ana := console.ByPerson(console.NewID(noon))
	update(t, s, console.By{At: at(1), Actor: ana}, func(tx *store.Tx) (err error) {
		if timed, err = tx.AddReason(console.Reason{App: w.app, Account: 7, Entitlement: 3, Kind: console.ReasonRequest, Ref: "request-1", Until: at(60)}); err != nil {
			return err
		}
		open, err = tx.AddReason(console.Reason{App: w.app, Account: 7, Entitlement: 3, Kind: console.ReasonBefore})
		return err
	})
	reasons := func() (all []console.Reason) {
		view(t, s, func(tx *store.Tx) (err error) {
			all, err = tx.Reasons(w.app, 7, 3)
			return err
		})
		return all
	}
	all := reasons()
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	for _, r := range all {
		want := console.Reason{ID: open, App: w.app, Account: 7, Entitlement: 3, Kind: console.ReasonBefore, Created: at(1), CreatedBy: ana}
		if r.ID == timed {
			want.ID, want.Kind, want.Ref, want.Until = timed, console.ReasonRequest, "request-1", at(60)
		}
		if r != want {
			t.Errorf("%+v, want %+v", r, want)
		}
	}
	expiry := func() (when time.Time, ok bool) {
		view(t, s, func(tx *store.Tx) (err error) {
			when, ok, err = tx.DueAt(store.ExpiryKind, string(timed))
			return err
		})
		return when, ok
	}
	if when, ok := expiry(); !ok || !when.Equal(at(60)) {
		t.Errorf("expires %v, %v", when, ok)
	}
	update(t, s, by(2), func(tx *store.Tx) error { return tx.SetReasonUntil(timed, at(30)) })
	if when, ok := expiry(); !ok || !when.Equal(at(30)) {
		t.Errorf("expires %v, %v after it was shortened", when, ok)
	}
	update(t, s, by(3), func(tx *store.Tx) error { return tx.SetReasonUntil(timed, time.Time{}) })
	if when, ok := expiry(); ok {
		t.Errorf("expires %v after it was made open-ended", when)
	}
	update(t, s, by(4), func(tx *store.Tx) error { return tx.SetReasonUntil(timed, at(40)) })
	update(t, s, console.By{At: at(5), Actor: ana}, func(tx *store.Tx) error { return tx.EndReason(timed, "no longer needed") })
	update(t, s, by(6), func(tx *store.Tx) error { return tx.EndReason(timed, "again") })
	if when, ok := expiry(); ok {
		t.Errorf("expires %v after it was ended", when)
	}
	view(t, s, func(tx *store.Tx) error {
		r, err := tx.Reason(timed)
		if err != nil || !r.Ended.Equal(at(5)) || r.EndedBy != ana || r.EndedWhy != "no longer needed" {
			t.Errorf("%+v, %v", r, err)
		}
		if of, err := tx.ReasonsOf(7); err != nil || len(of) != 2 {
			t.Errorf("of the account: %v, %v", of, err)
		}
		_, err = tx.Reason("none")
		wantKind(t, "no reason", err, baton.NotFound)
		return nil
	})
	fails(t, s, by(7), "move the end of an ended reason", baton.Refused, func(tx *store.Tx) error { return tx.SetReasonUntil(timed, at(50)) })
	for what, r := range map[string]console.Reason{
		"no account": {App: w.app, Kind: console.ReasonRequest}, "no kind": {App: w.app, Account: 1},
		"an end in the past": {App: w.app, Account: 1, Kind: console.ReasonRequest, Until: at(7)},
	} {
		fails(t, s, by(7), what, baton.Invalid, func(tx *store.Tx) error {
			_, err := tx.AddReason(r)
			return err
		})
	}
	checkChain(t, s)
}

func testBar(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	var id console.ID
	ana := console.ByPerson(console.NewID(noon))
	update(t, s, console.By{At: at(1), Actor: ana}, func(tx *store.Tx) (err error) {
		id, err = tx.AddBar(console.Bar{App: w.app, Account: 7, Entitlement: 3, Why: "left the team"})
		return err
	})
	fails(t, s, by(2), "a second bar", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddBar(console.Bar{App: w.app, Account: 7, Entitlement: 3})
		return err
	})
	fails(t, s, by(2), "a bar of nobody", baton.Invalid, func(tx *store.Tx) error {
		_, err := tx.AddBar(console.Bar{App: w.app, Entitlement: 3})
		return err
	})
	bar := func() (b *console.Bar) {
		view(t, s, func(tx *store.Tx) (err error) {
			b, err = tx.Bar(7, 3)
			return err
		})
		return b
	}
	if b := bar(); b == nil || *b != (console.Bar{ID: id, App: w.app, Account: 7, Entitlement: 3, Created: at(1), CreatedBy: ana, Why: "left the team"}) {
		t.Errorf("%+v", b)
	}
	fails(t, s, by(3), "the console lifts it", baton.Refused, func(tx *store.Tx) error { return tx.LiftBar(id, "") })
	update(t, s, console.By{At: at(4), Actor: ana}, func(tx *store.Tx) error { return tx.LiftBar(id, "came back") })
	update(t, s, console.By{At: at(5), Actor: ana}, func(tx *store.Tx) error { return tx.LiftBar(id, "twice") })
	if b := bar(); b != nil {
		t.Errorf("active after it was lifted: %+v", b)
	}
	update(t, s, by(6), func(tx *store.Tx) error {
		_, err := tx.AddBar(console.Bar{App: w.app, Account: 7, Entitlement: 3})
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Bars(7, 3)
		if err != nil || len(all) != 2 || all[0].LiftedWhy != "came back" || !all[0].Lifted.Equal(at(4)) || all[1].Created != at(6) {
			t.Errorf("%+v, %v", all, err)
		}
		return nil
	})
	checkChain(t, s)
}

func testAccountOwner(t *testing.T, db Database) {
	s := open(t, db)
	var ana, ben console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if ana, err = tx.AddPerson(console.Person{Name: "Ana"}); err != nil {
			return err
		}
		ben, err = tx.AddPerson(console.Person{Name: "Ben"})
		return err
	})
	set := func(minute int, p console.ID, how store.OwnerSource) {
		update(t, s, by(minute), func(tx *store.Tx) error { return tx.SetAccountOwner(7, p, how) })
	}
	set(1, ana, store.OwnerMatched)
	set(2, ana, store.OwnerMatched) // no change
	set(3, ben, store.OwnerSet)
	set(5, "", store.OwnerCleared)
	update(t, s, by(7), func(tx *store.Tx) error { // two changes in one command
		return errJoin(tx.SetAccountOwner(7, ana, store.OwnerSet), tx.SetAccountOwner(7, ben, store.OwnerSet))
	})
	view(t, s, func(tx *store.Tx) error {
		for minute, want := range map[int]store.Owner{
			0: {}, 1: {Person: ana, How: store.OwnerMatched, From: at(1), Until: at(3)}, 2: {Person: ana, How: store.OwnerMatched, From: at(1), Until: at(3)},
			4: {Person: ben, How: store.OwnerSet, From: at(3), Until: at(5)}, 5: {How: store.OwnerCleared, From: at(5), Until: at(7)}, 9: {Person: ben, How: store.OwnerSet, From: at(7)},
		} {
			if o, err := tx.AccountOwner(7, at(minute)); err != nil || o != want {
				t.Errorf("after %d minutes: %+v, %v; want %+v", minute, o, err, want)
			}
		}
		if o, err := tx.AccountOwner(7, time.Time{}); err != nil || o.Person != ben {
			t.Errorf("now: %+v, %v", o, err)
		}
		if all, err := tx.AccountsOf(ana); err != nil || len(all) != 0 {
			t.Errorf("of the former owner: %v, %v", all, err)
		}
		if all, err := tx.AccountsOf(ben); err != nil || len(all) != 1 {
			t.Errorf("of the owner: %v, %v", all, err)
		}
		return nil
	})
	fails(t, s, by(9), "nobody known", baton.NotFound, func(tx *store.Tx) error { return tx.SetAccountOwner(7, "none", store.OwnerSet) })
	checkChain(t, s)
}
