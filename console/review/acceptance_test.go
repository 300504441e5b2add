package review_test

import (
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/plan"
	"baton/console/review"
	"baton/console/store"
)

// TestAcceptance5 removes an access in a review, which the identity provider adds again: the item says
// not effective, or that it came back.
func TestAcceptance5(t *testing.T) { onBoth(t, testAcceptance5) }

func testAcceptance5(t *testing.T, w *world) {
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove, "ben Members": console.ChooseRemove}))
	w.closed(id)
	if n := w.CarryOut(); n != 2 {
		t.Fatalf("%d operations", n)
	}
	w.Tenant.Groups[1].Members = []string{"ana", "dan"} // ana was added again at once
	w.Later(console.SettleTime)                         // a sync right after the removal could show the state before it
	w.ApplySync()
	w.advance(id)
	items := w.items(id)
	if r := items["ana Members"].Result; r != console.ItemNotEffective {
		t.Errorf("ana: %s", r)
	}
	if r := items["ben Members"].Result; r != console.ItemVerified {
		t.Errorf("ben: %s", r)
	}
	if c := w.campaign(id); c.State != console.CampaignComplete {
		t.Errorf("the campaign is %s", c.State)
	}
	w.Tenant.Groups[1].Members = []string{"ana", "ben", "dan"}
	w.ApplySync()
	w.Later(25 * time.Hour)
	w.advance(id)
	if r := w.items(id)["ben Members"].Result; r != console.ItemCameBack {
		t.Errorf("ben, later: %s", r)
	}
}

// TestPlansWakeCampaigns shows that a campaign follows its plan at once: when the plan is complete, and
// when access that it removed came back.
func TestPlansWakeCampaigns(t *testing.T) { onBoth(t, testPlansWakeCampaigns) }

func testPlansWakeCampaigns(t *testing.T, w *world) {
	id := w.started()
	due := func(what string) {
		t.Helper()
		w.View(func(tx *store.Tx) error {
			when, ok, err := tx.DueAt(console.DueCampaign, string(id))
			if !ok || when.After(w.Time) {
				t.Errorf("%s: the campaign is looked at on %s, and it is %s", what, when, w.Time)
			}
			return err
		})
	}
	// look does what the worker would do, and forgets when it would do so again.
	look := func() {
		t.Helper()
		_, err := review.Advance(ctx, w.Store, func() time.Time { return w.Time }, id, func() error { return nil })
		w.Check(err)
		w.Update(func(tx *store.Tx) error { return tx.RemoveDue(console.DueCampaign, string(id)) })
		w.Later(time.Second)
	}
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ben Members": console.ChooseRemove}))
	w.closed(id)
	w.CarryOut()
	look()
	w.Tenant.Groups[1].Members = []string{"ana", "dan"}
	w.ApplySync()
	w.Check(plan.Advance(ctx, w.Store, func() time.Time { return w.Time }, w.campaign(id).Plan))
	due("the plan is complete")
	look()
	if c := w.campaign(id); c.State != console.CampaignComplete {
		t.Fatalf("the campaign is %s", c.State)
	}
	w.Tenant.Groups[1].Members = []string{"ana", "ben", "dan"}
	w.ApplySync()
	due("the access came back")
	look()
	if r := w.items(id)["ben Members"].Result; r != console.ItemCameBack {
		t.Errorf("ben: %s", r)
	}
}

// TestLastAdministrator decides to remove more administrators than the minimum allows.
func TestLastAdministrator(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started(func(s *console.CampaignSettings) { s.Scope.Admins = true })
	if n := len(w.items(id)); n != 3 {
		t.Fatalf("%d items of administrators", n)
	}
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"cem Admins": console.ChooseRemove, "dan Admins": console.ChooseRemove}))
	w.closed(id)
	w.CarryOut()
	w.advance(id)
	results := map[console.ReviewResult]int{}
	for _, i := range w.items(id) {
		results[i.Result]++
	}
	if results[console.ItemBlocked] != 1 || results[console.ItemApplied] != 1 {
		t.Errorf("results: %v", results)
	}
}

// TestScopes freezes populations of several scopes, and counts what is left out.
func TestScopes(t *testing.T) { onBoth(t, testScopes) }

func testScopes(t *testing.T, w *world) {
	w.Update(func(tx *store.Tx) error {
		if _, err := tx.AddIncompatible(console.Incompatible{App: w.AppID, Entitlement: w.Admins, OtherApp: w.AppID, OtherEntitlement: w.Members, Why: "two hats"}); err != nil {
			return err
		}
		_, err := tx.AddReason(console.Reason{App: w.AppID, Account: w.accountKey(tx, "ana"), Entitlement: w.Members, Kind: console.ReasonRequest, Until: w.Time.Add(100 * time.Hour)})
		return err
	})
	w.Later(time.Hour)
	since := w.Time
	w.Tenant.Groups[0].Members = append(w.Tenant.Groups[0].Members, "ben")
	w.ApplySync()
	for name, tt := range map[string]struct {
		scope console.ReviewScope
		want  int
	}{
		"everything":   {console.ReviewScope{}, 7},
		"with having":  {console.ReviewScope{Existence: true}, 12},
		"admins":       {console.ReviewScope{Admins: true}, 4},
		"one":          {console.ReviewScope{Entitlements: []console.EntitlementKey{w.Members}}, 3},
		"by manager":   {console.ReviewScope{Managers: []console.ID{w.ID("mgr")}}, 1},
		"new":          {console.ReviewScope{NewSince: since}, 1},
		"unexplained":  {console.ReviewScope{States: []console.State{console.StateUnexplained}}, 1},
		"permanent":    {console.ReviewScope{Permanent: true}, 6},
		"incompatible": {console.ReviewScope{Incompatible: true}, 4}, // ben and dan, both entitlements
		"nobody":       {console.ReviewScope{Accounts: []console.ReviewAccounts{console.AccountsUnowned}}, 0},
		"console":      {console.ReviewScope{OnlyConsole: true}, 6}, // five roles, one ownership
	} {
		p, err := w.PreviewCampaign(ctx, w.Callers["camp"], console.CampaignSettings{Scope: tt.scope})
		w.Check(err)
		excluded := 0
		for _, s := range p.Sources {
			for _, n := range s.Excluded {
				excluded += n
			}
		}
		if p.Items != tt.want {
			t.Errorf("%s: %d items, want %d", name, p.Items, tt.want)
		}
		if total := 7; !tt.scope.OnlyConsole && !tt.scope.Existence && p.Items+excluded != total {
			t.Errorf("%s: %d items and %d left out do not make %d facts", name, p.Items, excluded, total)
		}
	}
}

// TestGateOverride freezes a population whose source is too old only with a name and a reason.
func TestGateOverride(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	w.Later(72 * time.Hour)
	id, err := w.AddCampaign(ctx, w.Callers["camp"], govern.NewCampaign{CampaignSettings: settings()})
	w.Check(err)
	governtest.WantKind(t, "an old source", w.PrepareCampaign(ctx, w.Callers["camp"], id, ""), baton.Refused)
	governtest.WantKind(t, "by somebody else", w.PrepareCampaign(ctx, w.Callers["other"], id, "why not"), baton.NotFound)
	w.Check(w.PrepareCampaign(ctx, w.Callers["camp"], id, "the application is down this week"))
	w.advance(id)
	c := w.campaign(id)
	if c.State != console.CampaignStaged || c.Staged.Override == nil || c.Staged.Override.Person != w.ID("camp") || len(c.Staged.Override.Problems) != 1 || c.Staged.Sources[0].Problem == "" {
		t.Errorf("staged: %+v", c.Staged)
	}
	if s := c.Staged.Sources[0]; s.Items != 6 || s.Counts.Facts != 6 || s.Sync == "" || len(s.SHA256) != 64 {
		t.Errorf("the source: %+v", s)
	}
	w.View(func(tx *store.Tx) error {
		var hashes []console.Hash
		items, err := tx.ReviewItems(id, store.ItemFilter{}, 0, 100)
		for _, i := range items {
			stored, e := tx.ReviewItemStored(id, i.Number)
			if e != nil {
				return e
			}
			if console.HashShown(stored) != i.Hash {
				t.Errorf("item %d: the hash is not that of what is shown", i.Number)
			}
			hashes = append(hashes, i.Hash)
		}
		if console.DigestItems(hashes) != c.Staged.Digest {
			t.Error("the digest is not that of the items")
		}
		return err
	})
}

// TestTemplate makes a campaign every quarter that prepares and starts by itself.
func TestTemplate(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	first := w.Time.Add(24 * time.Hour)
	id, err := w.AddCampaign(ctx, w.Callers["camp"], govern.NewCampaign{Template: true, CampaignSettings: settings(func(s *console.CampaignSettings) {
		s.Repeats, s.First, s.AutoStart, s.AutoClose = console.Quarterly, first, true, true
	})})
	w.Check(err)
	made := func() (all []console.Campaign) {
		w.View(func(tx *store.Tx) (err error) {
			all, err = tx.Campaigns(store.CampaignFilter{Template: id}, "", 100)
			return err
		})
		return all
	}
	w.advance(id)
	if n := len(made()); n != 0 {
		t.Errorf("%d before the first day", n)
	}
	w.Later(25 * time.Hour)
	w.advance(id)
	w.advance(id)
	if n := len(made()); n != 1 {
		t.Fatalf("%d on the first day", n)
	}
	c := made()[0]
	w.Later(48 * time.Hour) // the source is too old now
	w.advance(c.ID)
	if c = w.campaign(c.ID); c.State != console.CampaignDraft || c.Why == "" {
		t.Errorf("it does not wait for a sync: %s %q", c.State, c.Why)
	}
	w.ApplySync()
	w.advance(c.ID)
	if c = w.campaign(c.ID); c.State != console.CampaignRunning {
		t.Errorf("it did not start: %s %q", c.State, c.Why)
	}
	w.Later(15 * 24 * time.Hour)
	w.advance(c.ID)
	if c = w.campaign(c.ID); c.State != console.CampaignComplete {
		t.Errorf("it did not end: %s", c.State)
	}
	w.Later(60 * 24 * time.Hour)
	w.advance(id)
	if n := len(made()); n != 1 {
		t.Errorf("%d before the second quarter", n)
	}
	w.Later(20 * 24 * time.Hour)
	w.advance(id)
	if n := len(made()); n != 2 {
		t.Errorf("%d in the second quarter", n)
	}
}

// TestReviewerLeaves replaces a reviewer who left, and keeps what that person submitted.
func TestReviewerLeaves(t *testing.T) { onBoth(t, testReviewerLeaves) }

func testReviewerLeaves(t *testing.T, w *world) {
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseKeep}))
	w.Update(func(tx *store.Tx) error {
		p, err := tx.Person(w.ID("own"))
		if err != nil {
			return err
		}
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
	v, err := w.Campaign(ctx, w.Callers["aud"], id)
	w.Check(err)
	if len(v.Left) != 1 || v.Left[0] != w.ID("own") {
		t.Errorf("who left: %v", v.Left)
	}
	w.advance(id)
	items := w.items(id)
	ben := items["ben Members"].Assignments
	if len(ben) != 2 || ben[0].Ended.IsZero() == ben[1].Ended.IsZero() {
		t.Errorf("ben: %+v", ben)
	}
	if ana := items["ana Members"]; len(ana.Assignments) != 1 || ana.Assignments[0].Decision == nil {
		t.Errorf("ana: %+v", ana.Assignments)
	}
	if v, err = w.Campaign(ctx, w.Callers["aud"], id); err != nil || len(v.Left) != 0 {
		t.Errorf("who left, after: %v, %v", v.Left, err)
	}
}

// TestKeepUntil shortens access, and never extends it.
func TestKeepUntil(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	ends := w.Time.Add(30 * 24 * time.Hour)
	w.Update(func(tx *store.Tx) error {
		_, err := tx.AddReason(console.Reason{App: w.AppID, Account: w.accountKey(tx, "ana"), Entitlement: w.Members, Kind: console.ReasonRequest, Until: ends})
		return err
	})
	id := w.started()
	items := w.items(id)
	until := func(name string, at time.Time) error {
		_, err := w.DecideReview(ctx, w.Callers["own"], id, []review.Choice{{Item: items[name].Number, Choice: console.ChooseKeepUntil, Until: at}}, 0, false)
		return err
	}
	governtest.WantKind(t, "longer than it lasts", until("ana Members", ends.Add(time.Hour)), baton.Refused)
	earlier := w.Time.Add(20 * 24 * time.Hour)
	w.Check(until("ana Members", earlier))
	w.Check(until("ben Members", earlier))
	_, err := w.SubmitReview(ctx, w.Callers["own"], id)
	w.Check(err)
	w.closed(id)
	for _, name := range []string{"ana", "ben"} {
		a := w.AccessOf(name, w.Members)
		if end, ok := console.Expiry(a.Reasons, a.Bar, w.Time); !ok || !end.Equal(earlier) {
			t.Errorf("%s ends %v, %v", name, end, ok)
		}
		if r := w.items(id)[name+" Members"].Result; r != console.ItemShortened {
			t.Errorf("%s: %s", name, r)
		}
	}
}

// TestManyRemovals asks for the number of many removals, in bulk.
func TestManyRemovals(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	d, err := w.DecideReviewBulk(ctx, w.Callers["own"], id, govern.ReviewBulk{Choice: console.ChooseAcknowledge, DryRun: true})
	w.Check(err)
	if d.Made != 0 || len(d.Blocked) != 5 {
		t.Errorf("blockers of each row: %+v", d)
	}
	_, err = w.DecideReviewBulk(ctx, w.Callers["own"], id, govern.ReviewBulk{Choice: console.ChooseKeep, Expect: 4})
	governtest.WantKind(t, "another number than was shown", err, baton.Refused)
	var many []review.Choice
	for n := range 26 {
		many = append(many, review.Choice{Item: n + 1, Choice: console.ChooseRemove})
	}
	_, err = w.DecideReview(ctx, w.Callers["own"], id, many, 0, true)
	governtest.WantKind(t, "26 removals without their number", err, baton.Invalid)
	d, err = w.DecideReview(ctx, w.Callers["own"], id, many, 26, true)
	w.Check(err)
	if d.Made != 5 || len(d.Blocked) != 21 {
		t.Errorf("26 removals: %d, %d blocked", d.Made, len(d.Blocked))
	}
}

// TestGoneMeanwhile marks a decided item whose access is gone.
func TestGoneMeanwhile(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	w.Tenant.Groups[1].Members = []string{"ben", "dan"}
	w.ApplySync()
	if i := w.items(id)["ana Members"]; !i.GoneNow {
		t.Error("the list does not say that it is gone")
	}
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove}))
	if i := w.items(id)["ana Members"]; i.Gone.IsZero() {
		t.Error("the decision is not marked")
	}
	w.closed(id)
	w.advance(id)
	if i := w.items(id)["ana Members"]; i.Result != console.ItemGone {
		t.Errorf("the removal: %s", i.Result)
	}
}

// TestSample lets a second person look at decided items: the outcomes stay, and disagreements show.
func TestSample(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	w.Check(w.decide("own", id, map[string]console.ReviewChoice{"ana Members": console.ChooseKeep, "ben Members": console.ChooseKeep}))
	n, err := w.SampleCampaign(ctx, w.Callers["camp"], id, 100, w.ID("mgr"))
	w.Check(err)
	if n != 2 {
		t.Fatalf("%d in the sample", n)
	}
	w.Check(w.decide("mgr", id, map[string]console.ReviewChoice{"ana Members": console.ChooseRemove, "ben Members": console.ChooseKeep}))
	v, err := w.Campaign(ctx, w.Callers["aud"], id)
	w.Check(err)
	if v.Disagree != 1 || w.items(id)["ana Members"].Outcome.Choice != console.ChooseKeep {
		t.Errorf("%d disagree, %+v", v.Disagree, w.items(id)["ana Members"].Outcome)
	}
}

// TestConsoleReview takes a role of the console, an ownership and nothing of oneself.
func TestConsoleReview(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started(func(s *console.CampaignSettings) {
		s.Scope = console.ReviewScope{OnlyConsole: true}
		s.Reviewers = []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}}
	})
	w.Check(w.decide("so", id, map[string]console.ReviewChoice{"aud Auditor": console.ChooseRemove, "own Owner of Perplexity": console.ChooseRemove}))
	w.Check(w.CloseCampaign(ctx, w.Callers["camp"], id))
	w.advance(id)
	if c := w.campaign(id); c.State != console.CampaignClosing {
		t.Errorf("before they are carried out: %s", c.State)
	}
	governtest.WantKind(t, "by a Campaign Administrator", w.CarryOutConsoleRemovals(ctx, w.Callers["camp"], id), baton.PermissionDenied)
	w.Check(w.CarryOutConsoleRemovals(ctx, w.Callers["sup"], id))
	w.advance(id)
	if c := w.campaign(id); c.State != console.CampaignComplete {
		t.Errorf("after they were carried out: %s", c.State)
	}
	w.View(func(tx *store.Tx) error {
		aud, err := tx.Person(w.ID("aud"))
		if len(aud.Roles) != 0 {
			t.Errorf("the roles: %v", aud.Roles)
		}
		a, e := tx.App(w.AppID)
		if len(a.Owners) != 0 {
			t.Errorf("the owners: %v", a.Owners)
		}
		if err == nil {
			err = e
		}
		return err
	})
}

// TestWhoSeesReviews lets owners, auditors and reviewers see a review, and nobody else.
func TestWhoSeesReviews(t *testing.T) {
	w := newWorld(t, governtest.OpenSQLite(t))
	id := w.started()
	for who, want := range map[string][2]baton.Kind{ // the campaign, and all its items
		"camp": {governtest.None, governtest.None}, "aud": {governtest.None, governtest.None}, "so": {governtest.None, governtest.None}, "sup": {governtest.None, governtest.None}, "own": {governtest.None, baton.PermissionDenied}, "other": {baton.NotFound, baton.NotFound}, "mgr": {baton.NotFound, baton.NotFound}, "ana": {baton.NotFound, baton.NotFound},
	} {
		_, err := w.Campaign(ctx, w.Callers[who], id)
		governtest.WantKind(t, who+" sees the campaign", err, want[0])
		_, err = w.CampaignItems(ctx, w.Callers[who], id, store.ItemFilter{}, 0, 10)
		governtest.WantKind(t, who+" sees the items", err, want[1])
		list, err := w.Campaigns(ctx, w.Callers[who], govern.CampaignsQuery{N: 10})
		w.Check(err)
		if (len(list.Campaigns) == 1) != (want[0] == governtest.None) {
			t.Errorf("%s lists %d campaigns", who, len(list.Campaigns))
		}
	}
	for _, who := range []string{"aud", "so", "own"} {
		governtest.WantKind(t, who+" closes it", w.CloseCampaign(ctx, w.Callers[who], id), baton.PermissionDenied)
	}
}
