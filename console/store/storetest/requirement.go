package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testRequirement(t *testing.T, db Database) {
	s := open(t, db)
	people := addPersons(t, s, "Ana", "Ben")
	ana, ben := people[0], people[1]
	w, courses := newWorld(t, s), namedWorld(t, s, "courses")
	need := console.Need{App: courses.app, Entitlement: 7}
	rule := console.RequirementRule{Needs: []console.Need{need}, Months: 12, Grace: hours(24), Mode: console.RequirementEnforce}
	set := func(minute int, version int, r console.RequirementRule) {
		t.Helper()
		update(t, s, byPerson(minute, ana), func(tx *store.Tx) error {
			return tx.AddRequirement(console.Requirement{App: w.app, Entitlement: 3, Version: version, RequirementRule: r, Second: ben, Weaker: version > 0})
		})
	}
	set(1, 0, rule)
	ref := console.RequirementRef(w.app, 3)
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Requirements(w.app, 3)
		want := []console.Requirement{{App: w.app, Entitlement: 3, Version: 1, RequirementRule: rule, Author: ana, Second: ben, Created: at(1), Enforced: at(1)}}
		if d := cmp.Diff(want, all); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if when, due, err := tx.DueAt(console.DueRequirement, ref); err != nil || !due || !when.Equal(at(1)) {
			t.Errorf("due %t at %s, %v", due, when, err)
		}
		app, e, err := console.ParseRequirementRef(ref)
		if err != nil || app != w.app || e != 3 {
			t.Errorf("%s/%d, %v", app, e, err)
		}
		return nil
	})
	_, _, err := console.ParseRequirementRef("x")
	wantKind(t, "a damaged ref", err, baton.Corrupt)
	fails(t, s, byPerson(2, ana), "after an old version", baton.Refused, func(tx *store.Tx) error {
		return tx.AddRequirement(console.Requirement{App: w.app, Entitlement: 3, RequirementRule: rule})
	})
	fails(t, s, byPerson(2, ana), "no mode", baton.Invalid, func(tx *store.Tx) error {
		return tx.AddRequirement(console.Requirement{App: w.app, Entitlement: 3, Version: 1})
	})

	// The grace period begins again only for other needs.
	shorter := rule
	shorter.Grace = hours(1)
	set(3, 1, shorter)
	other := shorter
	other.Needs = append(other.Needs, console.Need{App: courses.app, Entitlement: 8})
	set(4, 2, other)
	report := other
	report.Mode = console.RequirementReport
	set(5, 3, report)
	set(6, 4, other)
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Requirements(w.app, 3)
		var enforced []time.Time
		for _, r := range all {
			enforced = append(enforced, r.Enforced)
		}
		if d := cmp.Diff([]time.Time{at(6), {}, at(4), at(1), at(1)}, enforced); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		for _, app := range []console.ID{w.app, ""} {
			if active, err := tx.ActiveRequirements(app); err != nil || len(active) != 1 || active[0].Version != 5 {
				t.Errorf("%+v, %v", active, err)
			}
		}
		if none, err := tx.ActiveRequirements(courses.app); err != nil || len(none) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
		return nil
	})

	// Whatever is needed, or holds the entitlement, makes the check due.
	for minute, app := range []console.ID{w.app, courses.app} {
		update(t, s, by(0), func(tx *store.Tx) error { return tx.RemoveDue(console.DueRequirement, ref) })
		update(t, s, by(10+minute), func(tx *store.Tx) error { return tx.NeedsChanged(app) })
		view(t, s, func(tx *store.Tx) error {
			if when, due, err := tx.DueAt(console.DueRequirement, ref); err != nil || !due || !when.Equal(at(10+minute)) {
				t.Errorf("due %t at %s, %v", due, when, err)
			}
			return nil
		})
	}
	set(12, 5, console.RequirementRule{Mode: console.RequirementReport})
	view(t, s, func(tx *store.Tx) error {
		if active, err := tx.ActiveRequirements(w.app); err != nil || len(active) != 0 {
			t.Errorf("%+v, %v", active, err)
		}
		return nil
	})
	testExemption(t, s, w, ana, ben)
	testRequirementEvidence(t, s, w, ana)
	testRequirementLack(t, s, w, ana)
}

func testExemption(t *testing.T, s *store.Store, w *world, ana, ben console.ID) {
	x := console.Exemption{App: w.app, Entitlement: 3, Person: ana, Until: at(90), Why: "on leave", Author: ben, Approver: ben}
	update(t, s, byPerson(20, ben), func(tx *store.Tx) (err error) {
		x, err = tx.AddExemption(x)
		return err
	})
	fails(t, s, byPerson(20, ben), "an exemption without a reason", baton.Invalid, func(tx *store.Tx) error {
		_, err := tx.AddExemption(console.Exemption{App: w.app, Entitlement: 3, Person: ana, Until: at(90)})
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Exemptions(w.app, 3)
		if d := cmp.Diff([]console.Exemption{x}, all); err != nil || d != "" || !all[0].Active(at(20)) || all[0].Active(at(90)) || all[0].Active(at(19)) {
			t.Errorf("%v %s", err, d)
		}
		return nil
	})
	update(t, s, byPerson(30, ben), func(tx *store.Tx) error { return tx.EndExemption(x.ID) })
	fails(t, s, byPerson(31, ben), "end it twice", baton.Refused, func(tx *store.Tx) error { return tx.EndExemption(x.ID) })
	fails(t, s, byPerson(31, ben), "none", baton.NotFound, func(tx *store.Tx) error { return tx.EndExemption("none") })
	view(t, s, func(tx *store.Tx) error {
		if got, err := tx.Exemption(x.ID); err != nil || !got.Ended.Equal(at(30)) || got.Active(at(30)) {
			t.Errorf("%+v, %v", got, err)
		}
		return nil
	})
}

func testRequirementEvidence(t *testing.T, s *store.Store, w *world, ana console.ID) {
	w.sync(40, model{accounts: []string{"ana"}, groups: []string{"g"}, grants: pairs("g", "ana")})
	e := console.RequirementEvidence{App: w.app, Entitlement: w.member("g"), Person: ana, Request: "request", Reason: "reason", Version: 5, Months: 12}
	view(t, s, func(tx *store.Tx) error {
		head, err := tx.HeadSync(w.stream())
		e.Proofs = []console.Proof{{Need: console.Need{App: w.app, Entitlement: 7}, Course: "Security", Login: "ana", Completed: at(1), FirstSeen: at(40), Sync: head.ID, Number: head.Number, SHA256: "ab", Began: at(40)}}
		return err
	})
	update(t, s, by(41), func(tx *store.Tx) error { return tx.AddRequirementEvidence(e) })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.RequirementEvidence(ana, w.app, e.Entitlement)
		want := e
		want.At = at(41)
		if d := cmp.Diff([]console.RequirementEvidence{want}, all, cmpopts.IgnoreFields(console.RequirementEvidence{}, "ID")); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		return nil
	})
	fails(t, s, by(42), "evidence of a sync that does not exist", baton.NotFound, func(tx *store.Tx) error {
		return tx.AddRequirementEvidence(console.RequirementEvidence{App: w.app, Entitlement: 3, Person: ana, Proofs: []console.Proof{{Sync: "none"}}})
	})
}

func testRequirementLack(t *testing.T, s *store.Store, w *world, ana console.ID) {
	l := console.RequirementLack{App: w.app, Entitlement: 3, Account: w.account("ana"), Person: ana, State: console.RequirementUnknown, Why: "no account"}
	lacking := func() (n int) {
		for _, k := range kinds(t, s) {
			if k == "requirement.lacking" {
				n++
			}
		}
		return n
	}
	put := func(minute int) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error { return tx.SetLack(l) })
	}
	put(50)
	if n := lacking(); n != 0 {
		t.Errorf("%d events for what is unknown", n)
	}
	l.State, l.Why, l.Since, l.Ends = console.RequirementLapsed, "too long ago", at(45), at(60)
	put(51)
	l.Ready, l.Refused = true, "the minimum"
	put(52)
	put(53)
	if n := lacking(); n != 1 {
		t.Errorf("%d events", n)
	}
	want := l
	want.Found = at(51)
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.RequirementLacks(w.app, 3, 0, 10)
		if d := cmp.Diff([]console.RequirementLack{want}, all); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if after, err := tx.RequirementLacks(w.app, 3, l.Account, 10); err != nil || len(after) != 0 {
			t.Errorf("%+v, %v", after, err)
		}
		ready, err := tx.ReadyLacks(w.app, 3, 5)
		if err != nil || len(ready) != 1 {
			t.Errorf("%+v, %v", ready, err)
		}
		if c, err := tx.CountLacks(w.app, 3); err != nil || c != (store.LackCounts{Lapsed: 1, Ready: 1}) {
			t.Errorf("%+v, %v", c, err)
		}
		return nil
	})
	update(t, s, by(54), func(tx *store.Tx) error { return tx.RemoveLack(w.app, 3, l.Account) })
	view(t, s, func(tx *store.Tx) error {
		if c, err := tx.CountLacks(w.app, 3); err != nil || c != (store.LackCounts{}) {
			t.Errorf("%+v, %v", c, err)
		}
		return nil
	})
}
