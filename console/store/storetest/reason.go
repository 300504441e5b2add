package storetest

import (
	"slices"
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
			if want.How != "" {
				want.By = console.Console
			}
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

	// Who set the owner, and who owned it within 30 days, including somebody who was merged since.
	day := 24 * 60
	update(t, s, byPerson(20*day, ben), func(tx *store.Tx) error { return tx.SetAccountOwner(7, ana, store.OwnerSet) })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.AccountOwners(7)
		if err != nil || len(all) != 5 || all[4].By != console.ByPerson(ben) || all[4].Person != ana || all[0].How != store.OwnerMatched {
			t.Errorf("history %+v, %v", all, err)
		}
		for when, want := range map[int][]console.ID{2: {ana}, 20*day - 1: {ana, ben}, 20*day + 1: {ana, ben}, 40 * day: {ben, ana}, 60 * day: {ana}} {
			if got, err := tx.RecentOwners(7, at(when)); err != nil || !slices.Equal(got, want) {
				t.Errorf("owners before minute %d: %v, %v; want %v", when, got, err, want)
			}
		}
		return nil
	})
	update(t, s, by(21*day), func(tx *store.Tx) error { return tx.MergePersons(ana, ben) })
	view(t, s, func(tx *store.Tx) error {
		if got, err := tx.RecentOwners(7, at(60*day)); err != nil || !slices.Equal(got, []console.ID{ben}) {
			t.Errorf("owners after the merge: %v, %v", got, err)
		}
		return nil
	})
	if got := kinds(t, s); got[len(got)-1] != "person.merged" || got[len(got)-2] != store.OwnerChanged {
		t.Errorf("events %v", got)
	}
	checkChain(t, s)
}

// testAccountKind sets kinds of accounts: the manual kind takes precedence over the upstream,
// affects the minimum of administrators, and has a history.
func testAccountKind(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	w.sync(1, model{accounts: []string{"a", "b"}, groups: []string{"admins"}, grants: pairs("admins", "a", "b")})
	keys := map[string]console.ResourceKey{}
	var admins console.EntitlementKey
	update(t, s, by(2), func(tx *store.Tx) error {
		now := w.now(tx)
		for _, id := range []string{"a", "b"} {
			r, err := tx.ResourceByID(now, "user", id)
			if err != nil {
				return err
			}
			keys[id] = r.Key
			p, err := tx.AddPerson(console.Person{Name: id})
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(r.Key, p, store.OwnerSet); err != nil {
				return err
			}
		}
		e, err := tx.EntitlementByID(now, "group:admins:member")
		if err != nil {
			return err
		}
		admins = e.Key
		return tx.SetRoleMap(w.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{admins}}}}, 1)
	})
	count := func(want int) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			a, err := tx.Admins(w.app)
			if got := a.Count(); err != nil || got != want {
				t.Errorf("%d administrators, %v; want %d", got, err, want)
			}
			return nil
		})
	}
	typ := func(id string) (typ console.AccountType) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			r, err := tx.Account(w.now(tx), keys[id])
			if err != nil {
				return err
			}
			typ, err = tx.AccountType(w.now(tx), a.Roles, r)
			return err
		})
		return typ
	}
	machines := func(want ...string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			for _, kinds := range [][]console.AccountKind{{console.AccountService, console.AccountSystem}, {console.AccountUnspecified, console.AccountHuman}} {
				page, err := tx.FilterAccounts(w.now(tx), store.AccountFilter{Kinds: kinds, Roles: a.Roles}, store.ResourceAfter{}, 10)
				if err != nil {
					return err
				}
				var got []string
				for _, r := range page.Rows {
					got = append(got, r.ID)
				}
				if kinds[0] == console.AccountService && !slices.Equal(got, want) || kinds[0] != console.AccountService && len(got) != 2-len(want) {
					t.Errorf("accounts of types %v: %v; for services are %v", kinds, got, want)
				}
			}
			return nil
		})
	}
	count(2)
	machines()
	update(t, s, byPerson(10, "p"), func(tx *store.Tx) error { return tx.SetAccountKind(keys["a"], console.AccountService) })
	count(1)
	machines("a")
	before := chainHead(t, s)
	update(t, s, by(11), func(tx *store.Tx) error { return tx.SetAccountKind(keys["a"], console.AccountService) })
	if chainHead(t, s) != before {
		t.Error("the same type again is an event")
	}
	if got, want := typ("a"), (console.AccountType{Kind: console.AccountService, By: console.TypeByPerson}); got != want {
		t.Errorf("type %+v, want %+v", got, want)
	}
	update(t, s, by(12), func(tx *store.Tx) error {
		return tx.SetRoleMap(w.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Kind: console.AccountSystem, Entitlements: []console.EntitlementKey{admins}}}}, 1)
	})
	count(0)
	machines("a", "b")
	if got, want := typ("b"), (console.AccountType{Kind: console.AccountSystem, By: console.TypeByRole}); got != want {
		t.Errorf("type %+v, want %+v", got, want)
	}
	update(t, s, by(13), func(tx *store.Tx) error { return tx.SetAccountKind(keys["b"], console.AccountHuman) })
	count(1)
	machines("a")
	update(t, s, by(20), func(tx *store.Tx) error { return tx.SetAccountKind(keys["a"], console.AccountUnspecified) })
	for _, priority := range []console.Priority{console.PriorityUnknown, console.HighestWins, console.LowestWins} {
		update(t, s, by(21), func(tx *store.Tx) error {
			return tx.SetRoleMap(w.app, console.RoleMap{Priority: priority, Roles: []console.AppRole{{Name: "None"}, {Name: "Admin", Admin: true, Kind: console.AccountSystem, Entitlements: []console.EntitlementKey{admins}}}}, 1)
		})
		machines("a")
	}
	if got := typ("a"); got.By != console.TypeByRole {
		t.Errorf("after it was taken back: %+v", got)
	}
	view(t, s, func(tx *store.Tx) error {
		for minute, want := range map[int]console.AccountKind{9: 0, 10: console.AccountService, 19: console.AccountService, 21: 0} {
			if k, err := tx.AccountKind(keys["a"], at(minute)); err != nil || k.Kind != want {
				t.Errorf("at %d: %+v, %v", minute, k, err)
			}
		}
		if k, err := tx.AccountKind(keys["a"], at(15)); err != nil || k.By != console.ByPerson("p") || !k.From.Equal(at(10)) {
			t.Errorf("who said so: %+v, %v", k, err)
		}
		if _, due, err := tx.DueAt(console.DueMatch, string(w.app)); err != nil || !due {
			t.Errorf("the app's accounts are not matched again: %v", err)
		}
		return nil
	})
	fails(t, s, by(30), "an unknown type", baton.Invalid, func(tx *store.Tx) error { return tx.SetAccountKind(keys["a"], 9) })
	fails(t, s, by(30), "no account", baton.NotFound, func(tx *store.Tx) error { return tx.SetAccountKind(99999, console.AccountHuman) })
	checkChain(t, s)
}
