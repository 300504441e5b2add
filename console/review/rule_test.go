package review_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/review"
	"baton/console/store"
)

// TestRuleR1 shows that a removal is done only when a later sync shows it.
func TestRuleR1(t *testing.T) { onBoth(t, testRuleR1) }

func testRuleR1(t *testing.T, w *world) {
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove, "ben Members": console.ChooseKeep}))
	w.closed(id)
	if r := w.items(id)["ana Members"].Result; r != console.ItemApplying {
		t.Errorf("before the connector took it: %s", r)
	}
	w.CarryOut()
	w.advance(id)
	if r := w.items(id)["ana Members"].Result; r != console.ItemApplied {
		t.Errorf("the connector reported success: %s", r)
	}
	if c := w.campaign(id); c.State == console.CampaignComplete {
		t.Error("the campaign is complete before a sync shows the removal")
	}
	w.Tenant.Groups[1].Members = []string{"ben", "dan"}
	w.ApplySync()
	w.advance(id)
	if r := w.items(id)["ana Members"].Result; r != console.ItemVerified {
		t.Errorf("after the sync: %s", r)
	}
	if c := w.campaign(id); c.State != console.CampaignComplete {
		t.Errorf("the campaign is %s", c.State)
	}
	if a := w.AccessOf("ana", w.Members); a.Bar == nil {
		t.Error("the removal left no bar")
	}
	if a := w.AccessOf("ben", w.Members); a.Bar != nil || len(a.Reasons) != 0 {
		t.Errorf("a keep is a decision and no reason: %+v", a)
	}
}

// TestRuleR5 shows that every item is undecided at first, and that nothing decides by itself.
func TestRuleR5(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	for name, i := range w.items(id) {
		if i.Outcome != nil || i.Result != console.ItemNone {
			t.Errorf("%s: %+v", name, i.ReviewItem)
		}
		for _, a := range i.Assignments {
			if a.Decision != nil {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
	w.closed(id)
	if c := w.campaign(id); c.State != console.CampaignComplete || c.Plan != "" {
		t.Errorf("nobody decided: %s, plan %q", c.State, c.Plan)
	}
	for name, i := range w.items(id) {
		if i.Outcome != nil || i.Operation != "" {
			t.Errorf("%s: %+v", name, i.ReviewItem)
		}
	}
}

// TestRuleR6 shows that unanswered items are removed only by a plan that a person applies, and not at
// all above the cap.
func TestRuleR6(t *testing.T) {
	for _, tt := range []struct{ limit, rows int }{{6, 6}, {5, 0}} {
		w := newWorld(t, governtest.OpenSQLite(t))
		id := w.started(func(s *console.CampaignSettings) { s.Unanswered, s.Cap = console.UnansweredRemove, tt.limit })
		w.Check(w.CloseCampaign(ctx, w.Callers["camp"], id))
		w.advance(id)
		c, rows := w.campaign(id), 0
		if c.Plan != "" {
			w.View(func(tx *store.Tx) error {
				p, err := tx.Plan(c.Plan)
				rows = p.Rows
				return err
			})
		}
		if rows != tt.rows {
			t.Errorf("cap %d: a plan of %d rows, want %d", tt.limit, rows, tt.rows)
		}
		if n := w.CarryOut(); n != 0 {
			t.Errorf("cap %d: %d operations before anybody applied the plan", tt.limit, n)
		}
	}
}

// TestRuleR7 tries to review the own access on every path.
func TestRuleR7(t *testing.T) { onBoth(t, testRuleR7) }

func testRuleR7(t *testing.T, w *world) {
	id := w.started(func(s *console.CampaignSettings) {
		s.Reviewers = append(s.Reviewers, console.Approver{Kind: console.ApproverPerson, Person: "dan@example.com"})
	})
	items := w.items(id)
	own := items["own Admins"]
	if slices.ContainsFunc(own.Assignments, func(a console.ReviewAssignment) bool { return a.Reviewer == w.ID("own") }) {
		t.Error("the owner of the application is asked about the own access")
	}
	choice := []review.Choice{{Item: own.Number, Choice: console.ChooseKeep}}
	_, err := w.DecideReview(ctx, w.Callers["own"], id, choice, 0, false)
	governtest.WantGuard(t, "a decision", err, console.GuardSelf)
	_, err = w.ReassignReview(ctx, w.Callers["dan"], id, []int{own.Number}, w.ID("dan"), w.ID("own"), "you know")
	governtest.WantGuard(t, "a reassignment", err, console.GuardSelf)
	_, err = w.ReassignReview(ctx, w.Callers["camp"], id, []int{own.Number}, "", w.ID("own"), "you know")
	governtest.WantGuard(t, "an assignment", err, console.GuardSelf)
	for _, i := range []govern.ItemView{items["dan Admins"], items["dan Members"]} {
		w.Check(w.EscalateReview(ctx, w.Callers["own"], id, []int{i.Number}, "", "above me"))
		for _, a := range w.items(id)["dan "+i.Shown.ResourceName].Assignments {
			if a.Reviewer == w.ID("dan") {
				t.Error("an escalation asks the person")
			}
		}
	}
	d, err := w.DecideReviewBulk(ctx, w.Callers["dan"], id, govern.ReviewBulk{Choice: console.ChooseKeep})
	w.Check(err)
	if d.Made != 4 { // all but the two of dan
		t.Errorf("in bulk: %+v", d)
	}
	// Whoever became the person by a merge after the decision does not submit it.
	w.Update(func(tx *store.Tx) error { return tx.MergePersons(w.ID("cem"), w.ID("dan")) })
	_, err = w.SubmitReview(ctx, w.Callers["dan"], id)
	governtest.WantGuard(t, "a submission after a merge", err, console.GuardSelf)
}

// TestRuleR7Accounts shows that a recent owner of an account does not review it.
func TestRuleR7Accounts(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	w.Later(time.Hour)
	w.Update(func(tx *store.Tx) error {
		return tx.SetAccountOwner(w.accountKey(tx, "ana"), w.ID("nobody"), store.OwnerMatched)
	})
	id := w.started(func(s *console.CampaignSettings) {
		s.Reviewers = []console.Approver{{Kind: console.ApproverPerson, Person: "ana@example.com"}}
	})
	i := w.items(id)["ana Members"]
	if len(i.Assignments) != 1 || i.Assignments[0].Reviewer != w.ID("so") {
		t.Errorf("the former owner: %+v", i.Assignments)
	}
	_, err := w.ReassignReview(ctx, w.Callers["camp"], id, []int{i.Number}, "", w.ID("ana"), "she knows it")
	governtest.WantGuard(t, "a reassignment", err, console.GuardSelf)
}

// TestRuleR8 shows that decisions and assignments never disappear.
func TestRuleR8(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	items := w.items(id)
	_, err := w.ReassignReview(ctx, w.Callers["own"], id, []int{items["ana Members"].Number}, w.ID("own"), w.ID("mgr"), "she is her manager")
	w.Check(err)
	w.Check(w.decide("mgr", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove}))
	governtest.WantKind(t, "another decision", w.decide("mgr", id, map[string]console.ReviewChoice{"ana Members": console.ChooseKeep}), baton.Refused)
	_, err = w.ReassignReview(ctx, w.Callers["camp"], id, []int{items["ana Members"].Number}, w.ID("mgr"), w.ID("so"), "again")
	governtest.WantKind(t, "a reassignment of a decided item", err, baton.Refused)
	w.Check(w.CancelCampaign(ctx, w.Callers["camp"], id, "wrong scope"))
	i := w.items(id)["ana Members"]
	if len(i.Assignments) != 2 || i.Assignments[0].Reviewer != w.ID("own") || i.Assignments[0].EndedWhy != "she is her manager" || i.Assignments[1].Decision == nil {
		t.Errorf("after all: %+v", i.Assignments)
	}
	if i.Outcome == nil || i.Outcome.Choice != console.ChooseRemove {
		t.Errorf("the outcome: %+v", i.Outcome)
	}
}

// TestRuleR9 shows that access that is decided elsewhere says so, and can be acknowledged.
func TestRuleR9(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	w.Store.SetMasters(func(_, resourceType string) string { return map[string]string{"group": "Okta"}[resourceType] })
	id := w.started()
	i := w.items(id)["ana Members"]
	if i.Shown.MasteredBy != "Okta" || !slices.Contains(i.Offers, console.ChooseAcknowledge) {
		t.Errorf("before the click: %+v, %v", i.Shown, i.Offers)
	}
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseAcknowledge}))
	w.closed(id)
	if c := w.campaign(id); c.Plan != "" || w.items(id)["ana Members"].Outcome.Choice != console.ChooseAcknowledge {
		t.Errorf("the campaign: %+v", c)
	}
}

// TestRuleR10 shows that nothing beside an item says that access is not used.
func TestRuleR10(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.staged()
	for name, i := range w.items(id) {
		if text := strings.ToLower(string(i.Shown.Encode())); strings.Contains(text, "used") || strings.Contains(text, "last_login") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestRuleR12 reminds only reviewers who have something to decide.
func TestRuleR12(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started(func(s *console.CampaignSettings) {
		s.Reviewers = []console.Approver{{Kind: console.ApproverManager}, {Kind: console.ApproverAppOwner}}
		s.Outcome.Kind = console.OutcomeAll
	})
	w.Check(w.decide("mgr", id, map[string]console.ReviewChoice{"ana Members": console.ChooseKeep}))
	reminded := func() (n int, last string) {
		w.View(func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{Object: string(id)}, 0, store.PageSize)
			for _, e := range events {
				if e.Kind == "review.reminded" {
					n, last = n+1, string(e.Data)
				}
			}
			return err
		})
		return n, last
	}
	w.advance(id)
	if n, _ := reminded(); n != 0 {
		t.Errorf("%d reminders at the start", n)
	}
	w.Later(8 * 24 * time.Hour)
	w.advance(id)
	n, last := reminded()
	if n != 1 || strings.Contains(last, string(w.ID("mgr"))) || !strings.Contains(last, string(w.ID("own"))) {
		t.Errorf("%d reminders: %s", n, last)
	}
	d, err := w.DecideReviewBulk(ctx, w.Callers["own"], id, govern.ReviewBulk{Choice: console.ChooseKeep})
	w.Check(err)
	if d.Made == 0 {
		t.Error("nothing to decide")
	}
	_, err = w.SubmitReview(ctx, w.Callers["own"], id)
	w.Check(err)
	var rest []int
	for _, i := range w.items(id) {
		for _, a := range i.Assignments {
			if a.Reviewer == w.ID("so") {
				rest = append(rest, i.Number)
			}
		}
	}
	if _, err := w.DecideReviewBulk(ctx, w.Callers["so"], id, govern.ReviewBulk{Choice: console.ChooseKeep, Expect: len(rest)}); len(rest) > 0 {
		w.Check(err)
		_, err = w.SubmitReview(ctx, w.Callers["so"], id)
		w.Check(err)
	}
	w.Later(4 * 24 * time.Hour)
	w.advance(id)
	if n, _ := reminded(); n != 1 {
		t.Errorf("%d reminders although everybody is done", n)
	}
}

// TestRuleR13 shows that what happened to access has different words.
func TestRuleR13(t *testing.T) {
	all := []console.ReviewResult{console.ItemKept, console.ItemUnanswered, console.ItemShortened, console.ItemAcknowledged, console.ItemPlanned, console.ItemBlocked, console.ItemLeftOut, console.ItemApplying,
		console.ItemApplied, console.ItemVerified, console.ItemNotEffective, console.ItemCameBack, console.ItemFailed, console.ItemGone}
	seen := map[console.ReviewResult]bool{}
	for _, r := range all {
		if r == "" || seen[r] {
			t.Errorf("%q is there twice", r)
		}
		seen[r] = true
	}
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ben Members": console.ChooseKeep}))
	w.Check(w.CloseCampaign(ctx, w.Callers["camp"], id))
	items, c := w.items(id), w.campaign(id)
	if r := items["ben Members"].ResultIn(c.State); r != console.ItemKept {
		t.Errorf("decided to keep: %s", r)
	}
	if r := items["ana Members"].ResultIn(c.State); r != console.ItemUnanswered {
		t.Errorf("nobody answered: %s", r)
	}
}

// TestReviewDelegate asks the delegate of a reviewer from the time of the delegation until its end, except
// about the delegate's own access. A decision that is pending stays with whoever made it.
func TestReviewDelegate(t *testing.T) { onBoth(t, testReviewDelegate) }

func testReviewDelegate(t *testing.T, w *world) {
	id := w.started()
	names := map[console.ID]string{}
	for name, c := range w.Callers {
		names[c.Person.ID] = name
	}
	asked := func() map[string]string {
		t.Helper()
		w.advance(id)
		all := map[string]string{}
		for name, i := range w.items(id) {
			for _, a := range i.Assignments {
				if a.Ended.IsZero() {
					all[name] += names[a.Reviewer] + " " + names[a.For] + ";"
				}
			}
		}
		return all
	}
	before := asked()
	if before["ana Members"] != "own ;" || before["dan Members"] != "own ;" {
		t.Fatalf("before: %v", before)
	}
	items := w.items(id)
	_, err := w.DecideReview(ctx, w.Callers["own"], id, []review.Choice{{Item: items["ben Members"].Number, Choice: console.ChooseKeep}}, 0, false)
	w.Check(err)
	w.Check(w.SetDelegation(ctx, w.Callers["own"], "dan@example.com", console.Delegation{From: w.Time, Until: w.Time.Add(48 * time.Hour)}))
	w.View(func(tx *store.Tx) error {
		if due, there, err := tx.DueAt(console.DueCampaign, string(id)); err != nil || !there || due.After(w.Time) {
			t.Errorf("reviewers are looked at %s (%v, %v), want at once", due, there, err)
		}
		return nil
	})
	w.Later(time.Minute)
	during := asked()
	for name, want := range map[string]string{"ana Members": "dan own;", "ben Members": "own ;", "dan Members": "own ;", "own Admins": before["own Admins"]} {
		if during[name] != want {
			t.Errorf("%s: %q is asked during the delegation, want %q", name, during[name], want)
		}
	}
	_, err = w.DecideReview(ctx, w.Callers["own"], id, []review.Choice{{Item: items["ana Members"].Number, Choice: console.ChooseKeep}}, 0, false)
	if baton.KindOf(err) != baton.Refused {
		t.Errorf("whoever delegated decides: %v", err)
	}
	w.Check(w.decide("dan", id, map[string]console.ReviewChoice{"ana Members": console.ChooseKeep}))
	for _, a := range w.items(id)["ana Members"].Assignments {
		if a.Decision != nil && (a.Decision.For != w.ID("own") || !strings.Contains(a.Decision.Eligible, "delegate")) {
			t.Errorf("the decision of the delegate: %+v", a.Decision)
		}
	}
	w.Later(48 * time.Hour)
	after := asked()
	for name, who := range after {
		if strings.Contains(who, "dan") && name != "ana Members" && before[name] != who {
			t.Errorf("%s: %q is asked after the delegation", name, who)
		}
	}
}
