package plan_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/plan"
	"baton/console/store"
)

// TestPlan makes a plan, applies it and follows it until a sync shows everything.
func TestPlan(t *testing.T) { onBoth(t, testPlan) }

func testPlan(t *testing.T, w *world) {
	v := w.mustCreate("own", w.row("ana", w.Members, console.PlanRemove), w.row("ben", console.AccountItself, console.PlanRemove), w.row("dan", w.Admins, console.PlanLower))
	if v.State != console.PlanReady || v.Title != "Selected access in Perplexity" || v.Hash == (console.Hash{}) {
		t.Fatalf("%+v", v.RemovalPlan)
	}
	want := console.PlanSummary{Planned: 3, Disable: 1, Lower: 1, People: 3, Apps: []console.PlanApp{{App: w.AppID, Planned: 3, AdminsBefore: 3, AdminsAfter: 2, Minimum: 2, SeatsBefore: 5, SeatsAfter: 4}}}
	if got := v.Summary; got.Planned != want.Planned || got.Disable != 1 || got.Lower != 1 || got.People != 3 || len(got.Apps) != 1 || got.Apps[0] != want.Apps[0] {
		t.Errorf("%+v", got)
	}
	if r := w.result(v.ID, "dan", w.Admins); r.To != "" || r.Facts.Admin != "yes" || r.Facts.Since == 0 || !r.Facts.Direct { // dan is a member already
		t.Errorf("%+v", r)
	}
	w.Check(w.apply("own", v))
	governtest.WantKind(t, "applied twice", w.apply("own", v), baton.Refused)
	w.advance(v.ID)
	v = w.plan(v.ID)
	if v.State != console.PlanVerifying || v.Results[console.ResultUnderWay] != 3 || v.AppliedBy != w.ID("own") {
		t.Fatalf("%+v %+v", v.RemovalPlan, v.Results)
	}
	for _, r := range v.Rows {
		access := w.AccessOf(r.Owner.Name, r.Entitlement)
		if access.Bar == nil || access.Bar.Why != "not needed" || access.Bar.CreatedBy.Person() != w.ID("own") {
			t.Errorf("%s: %+v", r.Owner.Name, access.Bar)
		}
		o := access.Operation
		if o == nil || o.Verb != console.Revoke || o.Cause.Kind != console.CausePlan || o.Cause.Ref != string(v.ID) || o.Cause.By.Person() != w.ID("own") || o.Input.Why != "not needed" {
			t.Errorf("%s: %+v", r.Owner.Name, o)
		}
	}
	if n := w.CarryOut(); n != 3 {
		t.Fatalf("%d operations were handed out", n)
	}
	w.advance(v.ID)
	if v = w.plan(v.ID); v.Results[console.ResultApplied] != 3 || v.State != console.PlanVerifying {
		t.Errorf("%+v", v.Results)
	}
	// The connector said it did all three, but the next sync still shows ben.
	w.Tenant.Groups[0].Members = []string{"cem", "own"}
	w.Tenant.Groups[1].Members = []string{"ben", "dan"}
	w.Later(console.SettleTime) // a sync right after it could show the state before it
	w.ApplySync()
	w.advance(v.ID)
	v = w.plan(v.ID)
	if v.State != console.PlanComplete || v.Results[console.ResultVerified] != 2 || v.Results[console.ResultNotEffective] != 1 {
		t.Errorf("%s %+v", v.State, v.Results)
	}
	if r := w.result(v.ID, "ben", console.AccountItself); r.Result != console.ResultNotEffective {
		t.Errorf("%+v", r)
	}
	// Something puts ana back.
	w.Tenant.Groups[1].Members = []string{"ana", "ben", "dan"}
	w.ApplySync()
	if r := w.result(v.ID, "ana", w.Members); r.Result != console.ResultCameBack || r.CameBack.IsZero() {
		t.Errorf("%+v", r)
	}
}

// TestPlanHash recomputes the hash of a plan from its lines, as the documentation describes it.
func TestPlanHash(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	v := w.mustCreate("own", w.row("ana", w.Members, console.PlanRemove), w.row("ben", w.Members, console.PlanRemove))
	lines := []string{string(v.HeadLine(2))}
	for _, r := range v.Rows {
		lines = append(lines, string(r.Line()))
	}
	if got := console.Hash(sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))); got != v.Hash {
		t.Errorf("%s, want %s of\n%s", got, v.Hash, strings.Join(lines, "\n"))
	}
	if !strings.HasPrefix(lines[1], `{"app":"`+string(w.AppID)+`","account":`) || !strings.Contains(lines[1], `"do":"remove","state":"planned","since":1,"direct":true,"owner":"`+string(w.ID("ana"))+`"`) {
		t.Error(lines[1])
	}
	governtest.WantKind(t, "another hash", w.ApplyPlan(ctx, w.Callers["own"], v.ID, console.Hash{1}, ""), baton.Refused)
}

// TestPlanFloor blocks the rows that would leave fewer administrators than the minimum, and carries
// out the others.
func TestPlanFloor(t *testing.T) { onBoth(t, testPlanFloor) }

func testPlanFloor(t *testing.T, w *world) {
	v := w.mustCreate("sup", w.row("cem", w.Admins, console.PlanRemove), w.row("dan", console.AccountItself, console.PlanRemove), w.row("own", w.Admins, console.PlanRemove), w.row("ana", w.Members, console.PlanRemove))
	a := v.Summary.Apps[0]
	if v.Summary.Planned != 2 || v.Summary.Blocked != 2 || a.AdminsBefore != 3 || a.AdminsAfter != 2 || a.Minimum != 2 {
		t.Fatalf("%+v", v.Summary)
	}
	for _, r := range v.Rows {
		if blocked := r.State == console.RowBlocked; blocked != (r.Facts.Guard == console.GuardAdmins) || blocked && !strings.Contains(r.Said, "1 of 2 administrators; the minimum is 2") {
			t.Errorf("%+v", r.PlanRow)
		}
	}
	w.Check(w.apply("sup", v))
	w.advance(v.ID)
	if v = w.plan(v.ID); v.Results[console.ResultUnderWay] != 2 || v.Results[console.PlanResult(console.RowBlocked)] != 2 || w.CarryOut() != 2 {
		t.Errorf("%+v", v.Results)
	}

	// A plan of which nothing is left cannot be applied.
	v = w.mustCreate("sup", w.row("own", w.Admins, console.PlanRemove))
	governtest.WantKind(t, "only a blocked row", w.apply("sup", v), baton.Refused)
}

// TestPlanFloorMeanwhile checks the guards again when a plan is carried out, and when its operations
// are handed out.
func TestPlanFloorMeanwhile(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	v := w.mustCreate("sup", w.row("cem", w.Admins, console.PlanRemove))
	w.Check(w.apply("sup", v))
	// Before the worker comes to it, somebody else removes an administrator.
	_, err := w.RemoveAccess(ctx, w.Callers["sup"], w.AppID, w.AccountOf("dan"), w.Admins, "first")
	w.Check(err)
	w.advance(v.ID)
	if r := w.result(v.ID, "cem", w.Admins); r.State != console.RowRefused || !strings.Contains(r.Said, "the minimum is 2") || w.AccessOf("cem", w.Admins).Bar != nil {
		t.Errorf("%+v", r.PlanRow)
	}
	if v = w.plan(v.ID); v.State != console.PlanComplete {
		t.Errorf("the plan is %s", v.State)
	}

	// What was queued is refused when an administrator was removed in the application meanwhile.
	w = newWorld(t, governtest.OpenSQLite(t))
	v = w.mustCreate("sup", w.row("cem", w.Admins, console.PlanRemove))
	w.Check(w.apply("sup", v))
	w.advance(v.ID)
	w.Update(func(tx *store.Tx) error {
		p, err := tx.Person(w.ID("dan"))
		if err != nil {
			return err
		}
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
	if n := w.CarryOut(); n != 0 {
		t.Errorf("%d operations were handed out", n)
	}
	w.advance(v.ID)
	if r := w.result(v.ID, "cem", w.Admins); r.Result != console.PlanResult(console.RowRefused) || !strings.Contains(r.Said, "the minimum is 2") {
		t.Errorf("%+v", r.PlanRow)
	}
}

// TestPlanStale refuses to apply a plan if what a row relies on has changed, names the rows, and
// computes it again.
func TestPlanStale(t *testing.T) { onBoth(t, testPlanStale) }

func testPlanStale(t *testing.T, w *world) {
	for _, c := range []struct {
		what, says string
		change     func()
	}{
		{"an unchanged sync", "", func() { w.ApplySync() }},
		{"a reason", "The reasons of the access changed.", func() {
			w.Update(func(tx *store.Tx) error {
				_, err := tx.AddReason(console.Reason{App: w.AppID, Account: w.AccountOf("ben"), Entitlement: w.Members, Kind: console.ReasonManual})
				return err
			})
		}},
		{"an owner", "The account belongs to somebody else now.", func() {
			w.Update(func(tx *store.Tx) error { return tx.SetAccountOwner(w.AccountOf("ben"), w.ID("so"), store.OwnerSet) })
		}},
		{"an administrator", "The roles of the account", func() {
			w.Tenant.Groups[0].Members = append(w.Tenant.Groups[0].Members, "ben")
			w.ApplySync()
		}},
		{"another way", "A sync shows the access in another way.", func() {
			members := w.Tenant.Groups[1].Members
			w.Tenant.Groups[1].Members = []string{"ana", "dan"}
			w.ApplySync()
			w.Tenant.Groups[1].Members = members
			w.ApplySync()
		}},
		{"gone", "The account does not hold it any more.", func() {
			w.Tenant.Groups[1].Members = []string{"ana", "dan"}
			w.ApplySync()
		}},
	} {
		v := w.mustCreate("so", w.row("ben", w.Members, console.PlanRemove), w.row("ana", w.Members, console.PlanRemove))
		c.change()
		if c.says == "" {
			w.Check(w.apply("own", v))
			w.Update(func(tx *store.Tx) error {
				_, err := tx.StopPlan(v.ID, "a test")
				return err
			})
			w.advance(v.ID)
			continue
		}
		err := w.apply("own", v)
		governtest.WantKind(t, c.what, err, baton.Refused)
		if err == nil || !strings.Contains(err.Error(), "“Members member” of") || !strings.Contains(err.Error(), strings.TrimSuffix(c.says, ".")) || strings.Contains(err.Error(), "ana") {
			t.Errorf("%s: %v", c.what, err)
		}
		if r := w.result(v.ID, "ben", w.Members); r.State != console.RowChanged || !strings.HasPrefix(r.Said, c.says) {
			t.Errorf("%s: %+v", c.what, r.PlanRow)
		}
		before := v.Hash
		v = w.plan(v.ID)
		governtest.WantKind(t, "a stale plan", w.apply("own", v), baton.Refused)
		w.Check(w.RecomputePlan(ctx, w.Callers["own"], v.ID))
		if v = w.plan(v.ID); v.State != console.PlanReady || v.Hash == before {
			t.Errorf("%s: computed again: %+v", c.what, v.RemovalPlan)
		}
		w.Check(w.DiscardPlan(ctx, w.Callers["own"], v.ID))
	}
}

// TestPlanChangedRow leaves a row alone that changed between the click and the worker.
func TestPlanChangedRow(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	v := w.mustCreate("own", w.row("ben", w.Members, console.PlanRemove), w.row("ana", w.Members, console.PlanRemove))
	w.Check(w.apply("own", v))
	w.Update(func(tx *store.Tx) error {
		_, err := tx.AddReason(console.Reason{App: w.AppID, Account: w.AccountOf("ben"), Entitlement: w.Members, Kind: console.ReasonManual})
		return err
	})
	w.advance(v.ID)
	if r := w.result(v.ID, "ben", w.Members); r.State != console.RowChanged || w.AccessOf("ben", w.Members).Bar != nil {
		t.Errorf("%+v", r.PlanRow)
	}
	if r := w.result(v.ID, "ana", w.Members); r.Result != console.ResultUnderWay {
		t.Errorf("%+v", r.PlanRow)
	}
}

// TestPlanLower grants the lower role to whoever does not have it, and removes the higher one.
func TestPlanLower(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	v := w.mustCreate("sup", w.row("cem", w.Admins, console.PlanLower), w.row("ana", w.Members, console.PlanLower))
	if r := w.result(v.ID, "cem", w.Admins); r.To != "Members member" || r.State != console.RowPlanned {
		t.Errorf("%+v", r)
	}
	if r := w.result(v.ID, "ana", w.Members); r.State != console.RowBlocked || r.Said != "The application has no lower role." {
		t.Errorf("%+v", r)
	}
	w.Check(w.apply("sup", v))
	w.advance(v.ID)
	r := w.result(v.ID, "cem", w.Admins)
	member := w.AccessOf("cem", w.Members)
	if member.Operation == nil || member.Operation.ID != r.Grant || member.Operation.Verb != console.Grant || len(member.Reasons) != 1 || member.Reasons[0].Ref != string(v.ID) {
		t.Errorf("%+v", member)
	}
	if o := w.AccessOf("cem", w.Admins).Operation; o == nil || o.ID != r.Operation {
		t.Errorf("%+v", o)
	}
}

// TestPlanOwn refuses that somebody decides about their own access by applying a plan; others may.
func TestPlanOwn(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	v := w.mustCreate("own", w.row("own", w.Admins, console.PlanRemove), w.row("ana", w.Members, console.PlanRemove))
	w.Check(w.apply("own", v))
	w.advance(v.ID)
	if r := w.result(v.ID, "own", w.Admins); r.State != console.RowRefused || r.Said != "Nobody decides about their own access." {
		t.Errorf("%+v", r.PlanRow)
	}
	v = w.mustCreate("own", w.row("own", w.Admins, console.PlanRemove))
	own, err := w.Plan(ctx, w.Callers["own"], v.ID, store.PlanRowFilter{}, 0, 10)
	w.Check(err)
	if !own.Rows[0].Own {
		t.Errorf("%+v", own.Rows[0])
	}
	governtest.WantGuard(t, "a plan with nothing else", w.apply("own", v), console.GuardSelf)
	w.Check(w.apply("sup", v))
	w.advance(v.ID)
	if r := w.result(v.ID, "own", w.Admins); r.Result != console.ResultUnderWay {
		t.Errorf("%+v", r.PlanRow)
	}
}

// TestPlanAsks lets people decide first about access whose policy says so, and refuses to file a
// second request for it.
func TestPlanAsks(t *testing.T) { onBoth(t, testPlanAsks) }

func testPlanAsks(t *testing.T, w *world) {
	w.Update(func(tx *store.Tx) error {
		p, err := tx.AddPolicyVersion(console.Policy{Name: "Asked removal", Kind: console.PolicyRevoke, Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk,
			Steps: []console.PolicyStep{{Ask: []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}}}}}}}, 0)
		if err != nil {
			return err
		}
		return tx.AddRequestSettings(console.SettingsVersion{App: w.AppID, Entitlement: w.Members, Settings: console.RequestSettings{Revoke: p.ID}})
	})
	v := w.mustCreate("own", w.row("ana", w.Members, console.PlanRemove), w.row("ben", w.Members, console.PlanRemove), w.row("dan", w.Admins, console.PlanRemove))
	if v.Summary.Asks != 2 {
		t.Errorf("%+v", v.Summary)
	}
	_, err := w.RemoveAccess(ctx, w.Callers["sup"], w.AppID, w.AccountOf("ben"), w.Members, "asked before")
	w.Check(err)
	w.Check(w.apply("own", v))
	w.advance(v.ID)
	if r := w.result(v.ID, "dan", w.Admins); r.Result != console.ResultUnderWay {
		t.Errorf("%+v", r.PlanRow)
	}
	if r := w.result(v.ID, "ben", w.Members); r.State != console.RowRefused || !strings.Contains(r.Said, "asks for the same") {
		t.Errorf("%+v", r.PlanRow)
	}
	r := w.result(v.ID, "ana", w.Members)
	if r.Result != console.PlanResult(console.RowAsked) || w.AccessOf("ana", w.Members).Bar != nil {
		t.Fatalf("%+v", r.PlanRow)
	}
	request, err := w.Request(ctx, w.Callers["so"], r.Request)
	w.Check(err)
	if request.Requester.ID != w.ID("own") || request.Request.Why != "not needed" {
		t.Errorf("%+v", request.Request)
	}
	_, err = w.Decide(ctx, w.Callers["so"], govern.NewDecision{Request: r.Request, Step: request.Request.Plan.Steps[0].ID, Version: request.Request.Version, Approve: true})
	w.Check(err)
	if r = w.result(v.ID, "ana", w.Members); r.Result != console.ResultUnderWay || r.Operation == "" || w.AccessOf("ana", w.Members).Bar == nil {
		t.Errorf("%+v", r.PlanRow)
	}

	// Reviewers have decided about the rows of a campaign.
	var p console.RemovalPlan
	w.Update(func(tx *store.Tx) (err error) {
		p, err = tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanCampaign, Ref: "campaign"}, Title: "Q4", Why: "decided", Owners: []console.ID{w.ID("nobody")}}, []console.PlanRow{w.row("dan", w.Members, console.PlanRemove)})
		return err
	})
	w.advance(p.ID)
	v = w.plan(p.ID)
	if v.State != console.PlanReady || v.Summary.Asks != 0 {
		t.Errorf("%+v", v.RemovalPlan)
	}
	w.Check(w.apply("nobody", v))
	w.advance(p.ID)
	if o := w.AccessOf("dan", w.Members).Operation; o == nil || o.Cause.Kind != console.CauseReview || o.Cause.Ref != "campaign" {
		t.Errorf("%+v", o)
	}
}

// TestPlanRights checks who may make, see and apply plans.
func TestPlanRights(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	row := w.row("ana", w.Members, console.PlanRemove)
	for who, want := range map[string]baton.Kind{"nobody": baton.NotFound, "ben": baton.NotFound, "aud": baton.PermissionDenied} {
		_, err := w.create(who, row)
		governtest.WantKind(t, who+" makes a plan", err, want)
	}
	_, err := w.create("mgr", row, w.row("ben", w.Members, console.PlanRemove))
	governtest.WantKind(t, "a manager, about others", err, baton.NotFound)
	_, err = w.create("mgr", w.row("ana", w.Members, console.PlanLower))
	governtest.WantKind(t, "a manager grants", err, baton.PermissionDenied)
	_, err = w.CreatePlan(ctx, w.Callers["sup"], govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanCampaign}, Why: "x", Rows: []console.PlanRow{row}})
	governtest.WantKind(t, "a campaign of nobody", err, baton.Invalid)
	_, err = w.CreatePlan(ctx, w.Callers["sup"], govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Rows: []console.PlanRow{row}})
	governtest.WantKind(t, "no reason", err, baton.Invalid)
	other := row
	other.App = "none"
	_, err = w.create("sup", other)
	governtest.WantKind(t, "another app", err, baton.NotFound)

	v := w.mustCreate("mgr", row)
	for who, want := range map[string]baton.Kind{"nobody": baton.NotFound, "ana": baton.NotFound, "aud": governtest.None, "own": governtest.None, "mgr": governtest.None, "so": governtest.None} {
		_, err := w.Plan(ctx, w.Callers[who], v.ID, store.PlanRowFilter{}, 0, 10)
		governtest.WantKind(t, who+" sees it", err, want)
		page, err := w.Plans(ctx, w.Callers[who], true, 0, 10)
		w.Check(err)
		if (len(page.Plans) == 1) != (want == governtest.None) {
			t.Errorf("%s sees %d plans", who, len(page.Plans))
		}
	}
	governtest.WantKind(t, "an auditor applies it", w.apply("aud", v), baton.PermissionDenied)
	governtest.WantKind(t, "an auditor discards it", w.DiscardPlan(ctx, w.Callers["aud"], v.ID), baton.PermissionDenied)
	governtest.WantKind(t, "nobody applies it", w.apply("nobody", v), baton.NotFound)
	w.Check(w.apply("mgr", v))
}

// TestPlanLimits checks the cap and the typed count.
func TestPlanLimits(t *testing.T) {
	ready := console.RemovalPlan{State: console.PlanReady, Hash: console.Hash{1}, Summary: console.PlanSummary{Planned: 26}}
	capped := ready
	capped.Cap = 25
	for _, c := range []struct {
		what  string
		plan  console.RemovalPlan
		count string
		want  baton.Kind
	}{{"no count", ready, "", baton.Invalid}, {"another count", ready, "25", baton.Invalid}, {"the count", ready, "26", governtest.None}, {"over the cap", capped, "26", baton.Refused}} {
		governtest.WantKind(t, c.what, c.plan.CheckApply(console.Hash{1}, c.count), c.want)
	}
	ready.Summary.Planned = 25
	governtest.WantKind(t, "few rows", ready.CheckApply(console.Hash{1}, ""), governtest.None)
}

// TestPlanWaits lets a manual task, a held sync and a stopped plan wait or end as they should.
func TestPlanWaits(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	w.Hello() // a host that can change nothing
	v := w.mustCreate("own", w.row("ana", w.Members, console.PlanRemove))
	if v.Summary.Manual != 1 {
		t.Errorf("%+v", v.Summary)
	}
	w.Check(w.apply("own", v))
	w.advance(v.ID)
	r := w.result(v.ID, "ana", w.Members)
	if r.Result != console.ResultManual || w.plan(v.ID).State != console.PlanVerifying {
		t.Errorf("%+v", r.PlanRow)
	}
	w.Check(w.DoneByHand(ctx, w.Callers["own"], w.AppID, r.Operation, "done"))
	w.Tenant.Groups[1].Members = []string{"ben", "dan"}
	w.ApplySync()
	w.advance(v.ID)
	if v = w.plan(v.ID); v.State != console.PlanComplete || v.Results[console.ResultVerified] != 1 {
		t.Errorf("%s %+v", v.State, v.Results)
	}

	v = w.mustCreate("own", w.row("ben", w.Members, console.PlanRemove), w.row("dan", w.Members, console.PlanRemove))
	governtest.WantKind(t, "stop what is not applied", w.StopPlan(ctx, w.Callers["own"], v.ID, "enough"), baton.Refused)
	w.Check(w.apply("own", v))
	governtest.WantKind(t, "no reason", w.StopPlan(ctx, w.Callers["own"], v.ID, " "), baton.Invalid)
	w.Check(w.StopPlan(ctx, w.Callers["own"], v.ID, "enough"))
	w.advance(v.ID)
	if v = w.plan(v.ID); v.State != console.PlanComplete || v.Results[console.PlanResult(console.RowStopped)] != 2 {
		t.Errorf("%s %+v", v.State, v.Results)
	}
	governtest.WantKind(t, "discard what is over", w.DiscardPlan(ctx, w.Callers["own"], v.ID), baton.Refused)
}

// TestPlanDraft leaves a long plan to the worker.
func TestPlanDraft(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	var p console.RemovalPlan
	w.Update(func(tx *store.Tx) (err error) {
		p, err = tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Title: "Draft", Why: "x"}, []console.PlanRow{w.row("ana", w.Members, console.PlanRemove)})
		return err
	})
	governtest.WantKind(t, "a draft", w.ApplyPlan(ctx, w.Callers["sup"], p.ID, console.Hash{}, ""), baton.Refused)
	w.Check(plan.Compute(ctx, w.Store, console.By{At: w.Time, Actor: console.Console}, p.ID))
	w.Check(plan.Compute(ctx, w.Store, console.By{At: w.Time.Add(time.Hour), Actor: console.Console}, p.ID))
	if v := w.plan(p.ID); v.State != console.PlanReady || !v.Computed.Equal(w.Time) {
		t.Errorf("%+v", v.RemovalPlan)
	}
}

// TestPlanResumes stops the worker while it carries out a plan, and lets another go on: each row is
// carried out once.
func TestPlanResumes(t *testing.T) { onBoth(t, testPlanResumes) }

func testPlanResumes(t *testing.T, w *world) {
	const rows = 240
	w.many(rows)
	v := w.mustCreate("sup", w.manyRows(rows)...)
	if v.Summary.Planned != rows {
		t.Fatalf("%+v", v.Summary)
	}
	w.Check(w.ApplyPlan(ctx, w.Callers["sup"], v.ID, v.Hash, "240"))
	for stops := 0; ; stops++ {
		working, stop := context.WithCancel(ctx)
		transactions := 0
		err := plan.Advance(working, w.Store, func() time.Time {
			if transactions++; transactions == 3 {
				stop() // before the third transaction
			}
			return w.Time
		}, v.ID)
		stop()
		if w.plan(v.ID).State != console.PlanApplying {
			w.Check(err)
			if stops < 2 {
				t.Errorf("it was stopped %d times", stops)
			}
			break
		}
		if err == nil || stops > rows {
			t.Fatalf("it was not stopped: %v", err)
		}
	}
	if v = w.plan(v.ID); v.State != console.PlanVerifying || v.Results[console.ResultUnderWay] != rows {
		t.Errorf("%s %+v", v.State, v.Results)
	}
	counts := map[string]int{}
	for after := int64(0); ; {
		var events []store.Event
		w.View(func(tx *store.Tx) (err error) {
			events, err = tx.Events(store.EventFilter{}, after, store.PageSize)
			return err
		})
		for _, e := range events {
			counts[e.Kind]++
			after = e.Number
		}
		if len(events) < store.PageSize {
			break
		}
	}
	if counts["operation.queued"] != rows || counts["bar.added"] != rows || counts["reason.ended"] != rows/2 {
		t.Errorf("%v", counts)
	}
}
