package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// removals is a draft of three rows: two administrators and an account.
func (st *staff) removals(minute int) (console.RemovalPlan, []console.PlanRow) {
	st.t.Helper()
	rows := []console.PlanRow{{App: st.app, Account: st.account("ana"), Entitlement: st.admin, Do: console.PlanRemove, Ref: "item-1"},
		{App: st.app, Account: st.account("ben"), Entitlement: st.admin, Do: console.PlanLower}, {App: st.app, Account: st.account("dan"), Entitlement: console.AccountItself, Do: console.PlanRemove}}
	var p console.RemovalPlan
	update(st.t, st.s, byPerson(minute, st.people["cem"]), func(tx *store.Tx) (err error) {
		p, err = tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanCampaign, Ref: "campaign"}, Title: "Q4", Why: "not needed", Cap: 5, Owners: []console.ID{st.people["dan"]}}, rows)
		return err
	})
	return p, rows
}

func (st *staff) move(minute int, p console.RemovalPlan, to console.PlanState) (moved console.RemovalPlan) {
	st.t.Helper()
	update(st.t, st.s, byPerson(minute, st.people["dan"]), func(tx *store.Tx) (err error) {
		moved, err = tx.MovePlan(p, to)
		return err
	})
	return moved
}

func testRemovalPlan(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	p, rows := st.removals(3)
	want := console.RemovalPlan{ID: p.ID, Number: 1, Cause: console.PlanCause{Kind: console.PlanCampaign, Ref: "campaign"}, Title: "Q4", Why: "not needed", Cap: 5, Owners: []console.ID{st.people["dan"]},
		State: console.PlanDraft, Rows: 3, Created: at(3), By: console.ByPerson(st.people["cem"]), Version: 1}
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Plan(p.ID)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		of, err := tx.PlansOf(p.Cause)
		if d := cmp.Diff([]console.RemovalPlan{want}, of); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if apps, err := tx.PlanApps(p.ID); err != nil || !slices.Equal(apps, []console.ID{st.app}) {
			t.Errorf("%v, %v", apps, err)
		}
		if when, due, err := tx.DueAt(console.DuePlan, string(p.ID)); err != nil || !due || !when.Equal(at(3)) {
			t.Errorf("due %t at %s, %v", due, when, err)
		}
		got1, err := tx.PlanRows(p.ID, store.PlanRowFilter{}, 0, 2)
		got2, err2 := tx.PlanRows(p.ID, store.PlanRowFilter{}, 2, 2)
		for i := range rows {
			rows[i].Place, rows[i].State, rows[i].Result = i+1, console.RowPlanned, console.PlanResult(console.RowPlanned)
		}
		if d := cmp.Diff(rows, append(got1, got2...)); err != nil || err2 != nil || d != "" {
			t.Errorf("%v %v %s", err, err2, d)
		}
		return nil
	})
	fails(t, s, by(4), "the same access twice", baton.Invalid, func(tx *store.Tx) error {
		_, err := tx.AddPlan(console.RemovalPlan{Cause: p.Cause, Why: "x"}, append(rows, rows[0]))
		return err
	})

	// What is computed; the places change.
	rows[0].Place, rows[2].Place = 3, 1
	rows[0].Facts = console.PlanFacts{Since: 1, Direct: true, Owner: st.people["ana"], Admin: "yes", Reasons: []console.PlanReason{{ID: "r", Until: at(90)}}}
	rows[0].State, rows[0].Said, rows[0].Fix, rows[0].Facts.Guard = console.RowBlocked, "It would leave nobody.", "Name others.", console.GuardAdmins
	rows[1].Mastered, rows[1].Pending, rows[1].Manual, rows[1].Asks = "Okta", "operation", true, true
	rows[0].Result = console.PlanResult(console.RowBlocked)
	update(t, s, by(5), func(tx *store.Tx) error { return tx.ComputedPlanRows(p.ID, rows) })
	p.Hash, p.Summary = console.Hash{1}, console.PlanSummary{Planned: 2, Blocked: 1, Apps: []console.PlanApp{{App: st.app, Planned: 2}}, Mastered: map[string]int{"Okta": 1}}
	stale := p
	p = st.move(6, p, console.PlanReady)
	fails(t, s, by(6), "an old version", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.MovePlan(stale, console.PlanReady)
		return err
	})
	fails(t, s, by(6), "not applied yet", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.MovePlan(p, console.PlanComplete)
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Plan(p.ID)
		if d := cmp.Diff(p, got); err != nil || d != "" || !got.Computed.Equal(at(6)) {
			t.Errorf("%v %s", err, d)
		}
		all, err := tx.PlanRows(p.ID, store.PlanRowFilter{}, 0, 10)
		if d := cmp.Diff([]console.PlanRow{rows[2], rows[1], rows[0]}, all); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		for _, f := range []store.PlanRowFilter{{Result: console.PlanResult(console.RowBlocked)}, {Person: st.people["ana"], App: st.app}} {
			if some, err := tx.PlanRows(p.ID, f, 0, 10); err != nil || len(some) != 1 || some[0].Account != rows[0].Account {
				t.Errorf("%+v: %+v, %v", f, some, err)
			}
		}
		if planned, err := tx.PlannedRows(p.ID, 10); err != nil || len(planned) != 2 || planned[0].Account != rows[2].Account {
			t.Errorf("%+v, %v", planned, err)
		}
		return nil
	})
	// A draft again, and ready.
	p = st.move(7, p, console.PlanStale)
	p = st.move(7, p, console.PlanDraft)
	if p.Hash != (console.Hash{}) || !p.Computed.IsZero() {
		t.Errorf("%+v", p)
	}
	p = st.move(8, p, console.PlanReady)
	testPlanResults(t, st, p, rows)

	second, _ := st.removals(40)
	if second = st.move(41, second, console.PlanDiscarded); second.Number != 2 || second.State.Open() || !second.Ended.Equal(at(41)) {
		t.Errorf("%+v", second)
	}
	view(t, s, func(tx *store.Tx) error {
		for _, q := range []struct {
			open   bool
			before int64
			want   []int64
		}{{false, 0, []int64{2, 1}}, {true, 0, nil}, {false, 2, []int64{1}}} {
			all, err := tx.Plans(q.open, q.before, 10)
			var numbers []int64
			for _, p := range all {
				numbers = append(numbers, p.Number)
			}
			if err != nil || !slices.Equal(numbers, q.want) {
				t.Errorf("%+v: %v, %v", q, numbers, err)
			}
		}
		return nil
	})
}

// testPlanResults carries out a plan, and follows what becomes of its rows.
func testPlanResults(t *testing.T, st *staff, p console.RemovalPlan, rows []console.PlanRow) {
	p = st.move(9, p, console.PlanApplying)
	if p.AppliedBy != st.people["dan"] || !p.Applied.Equal(at(9)) {
		t.Errorf("%+v", p)
	}
	o := st.mustCreate(10, st.op("ben", st.admin, console.Revoke))
	rows[1].State, rows[1].Operation = console.RowCarried, o.ID
	update(t, st.s, by(10), func(tx *store.Tx) error { return tx.EndPlanRow(p.ID, rows[1]) })
	result := func(when string, row int, want console.PlanResult) {
		t.Helper()
		view(t, st.s, func(tx *store.Tx) error {
			all, err := tx.PlanRows(p.ID, store.PlanRowFilter{Result: want}, 0, 10)
			if err != nil || !slices.ContainsFunc(all, func(r console.PlanRow) bool { return r.Account == rows[row].Account && r.Result == want }) {
				t.Errorf("%s: no row is %s, %v", when, want, err)
			}
			return nil
		})
	}
	result("created", 1, console.ResultUnderWay)
	st.dispatch(11, o.ID, "task", store.Circumstances{})
	update(t, st.s, by(12), func(tx *store.Tx) error { return finish(tx, o.ID, "task", console.Applied, "done") })
	result("answered", 1, console.ResultApplied)
	due := func(when string, want bool) {
		t.Helper()
		update(t, st.s, by(30), func(tx *store.Tx) error {
			if _, due, err := tx.DueAt(console.DuePlan, string(p.ID)); err != nil || due != want {
				t.Errorf("%s: due %t, %v", when, due, err)
			}
			return tx.RemoveDue(console.DuePlan, string(p.ID))
		})
	}
	due("applied", true)
	update(t, st.s, by(13), func(tx *store.Tx) error { return tx.JudgeOperation(o.ID, console.Verifies, 1) })
	result("verified", 1, console.ResultVerified)
	due("verified", true)
	update(t, st.s, by(14), func(tx *store.Tx) error { return tx.TellCameBack(store.CameBack{Operation: o, Times: 1}) })
	result("came back", 1, console.ResultCameBack)

	update(t, st.s, by(15), func(tx *store.Tx) error {
		n, err := tx.StopPlan(p.ID, "enough")
		if n != 1 {
			t.Errorf("%d rows stopped", n)
		}
		return err
	})
	result("stopped", 2, console.PlanResult(console.RowStopped))
	p = st.move(16, p, console.PlanVerifying)
	p = st.move(17, p, console.PlanComplete)
	if !p.Ended.Equal(at(17)) {
		t.Errorf("%+v", p)
	}
	view(t, st.s, func(tx *store.Tx) error {
		counts, err := tx.CountPlanResults(p.ID)
		want := map[console.PlanResult]int{console.ResultCameBack: 1, console.PlanResult(console.RowStopped): 1, console.PlanResult(console.RowBlocked): 1}
		if d := cmp.Diff(want, counts); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		var kinds []string
		events, err := tx.EventsBefore(store.EventFilter{Object: string(p.ID)}, 0, 20)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		if !slices.Equal(kinds, []string{"plan.complete", "plan.verifying", "plan.stopped", "plan.applying", "plan.ready", "plan.draft", "plan.stale", "plan.ready", "plan.added"}) {
			t.Errorf("%v", kinds)
		}
		return err
	})
}

// testPlanAsked follows a row about which people decide first.
func testPlanAsked(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	p, rows := st.removals(3)
	var r console.Request
	update(t, s, byPerson(4, st.people["cem"]), func(tx *store.Tx) (err error) {
		r, err = tx.AddRequest(console.Request{Kind: console.RequestRevoke, Removal: console.CausePlan, App: st.app, Entitlement: st.admin, Account: rows[0].Account,
			Subject: st.people["ana"], Requester: st.people["cem"], State: console.RequestAsking})
		if err != nil {
			return err
		}
		rows[0].State, rows[0].Request = console.RowAsked, r.ID
		if err := tx.EndPlanRow(p.ID, rows[0]); err != nil {
			return err
		}
		return tx.RemoveDue(console.DuePlan, string(p.ID))
	})
	row := func() (row console.PlanRow) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.PlanRows(p.ID, store.PlanRowFilter{}, 0, 1)
			if err == nil {
				row = all[0]
			}
			return err
		})
		return row
	}
	if got := row(); got.Result != console.PlanResult(console.RowAsked) || !got.Result.Open() {
		t.Errorf("%+v", got)
	}
	rows[1].State, rows[1].Operation, rows[1].Grant = console.RowCarried, "revoke", "grant"
	update(t, s, by(5), func(tx *store.Tx) error {
		if err := tx.EndPlanRow(p.ID, rows[1]); err != nil {
			return err
		}
		carried, err := tx.PlanCarriedBy(p.ID, []console.ID{"grant", "other", "revoke"})
		if len(carried) != 2 || !carried["revoke"] || !carried["grant"] {
			t.Errorf("carried out: %v", carried)
		}
		return err
	})
	update(t, s, by(5), func(tx *store.Tx) error { return tx.CloseRequest(r, console.OutcomeDenied, "still needed") })
	if got := row(); got.Result != console.PlanResult(console.RowRefused) || got.Said != "still needed" {
		t.Errorf("%+v", got)
	}
	view(t, s, func(tx *store.Tx) error {
		if when, due, err := tx.DueAt(console.DuePlan, string(p.ID)); err != nil || !due || !when.Equal(at(5)) {
			t.Errorf("due %t at %s, %v", due, when.Format(time.TimeOnly), err)
		}
		return nil
	})
}
