package approve_test

import (
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// academy is an app of courses beside the app of a world. Everybody but new has an account.
type academy struct {
	*world
	app, connector console.ID
	tenant         ingesttest.Tenant
}

func newAcademy(w *world) *academy {
	a := &academy{world: w}
	w.update(func(tx *store.Tx) (err error) {
		if a.app, err = tx.AddApp(console.App{Name: "Percipio"}); err != nil {
			return err
		}
		a.connector, err = tx.AddConnector(console.Connector{App: a.app, Name: "percipio"})
		return err
	})
	for _, name := range []string{"ana", "ben", "cem", "dan", "own"} {
		a.tenant.Accounts = append(a.tenant.Accounts, ingesttest.Account(name, name, name+"@example.com"))
	}
	a.tenant.Courses = []ingesttest.Course{
		{ID: "security", Name: "Security Basics", Link: "https://percipio.example/security", Completed: map[string]string{"dan": "2020-01-01T08:00:00Z"}},
		{ID: "ai", Name: "AI Ethics", Completed: map[string]string{"dan": "2026-11-01T08:00:00Z"}},
	}
	a.sync()
	w.update(func(tx *store.Tx) error {
		m, err := tx.Moment(a.app, time.Time{})
		if err != nil {
			return err
		}
		for _, x := range a.tenant.Accounts {
			r, err := tx.ResourceByID(m, "user", x.ID.ID)
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(r.Key, w.id(x.ID.ID), store.OwnerMatched); err != nil {
				return err
			}
		}
		return nil
	})
	return a
}

// sync applies a sync of the academy and does what the worker does then.
func (a *academy) sync() console.Sync {
	a.t.Helper()
	a.later(time.Minute)
	s := a.tenant.Receive(a.t, a.store, a.connector, a.now)
	if s.State == console.SyncApplied {
		a.update(func(tx *store.Tx) error { return tx.NeedsChanged(a.app) })
	}
	a.later(time.Minute)
	return s
}

func (a *academy) complete(course int, who, date string) {
	c := &a.tenant.Courses[course]
	all := map[string]string{who: date}
	for k, v := range c.Completed {
		if _, set := all[k]; !set {
			all[k] = v
		}
	}
	c.Completed = all
}

func (a *academy) completed(course string) (n console.Need) {
	a.t.Helper()
	a.check(a.store.View(ctx, func(tx *store.Tx) error {
		m, err := tx.Moment(a.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, ingesttest.Completed(course))
		n = console.Need{App: a.app, Entitlement: e.Key}
		return err
	}))
	return n
}

// require sets the requirement of an entitlement of the world's app.
func (a *academy) require(e console.EntitlementKey, r console.RequirementRule) {
	a.t.Helper()
	a.update(func(tx *store.Tx) error {
		have, err := tx.Requirements(a.world.app, e)
		if err != nil {
			return err
		}
		next := console.Requirement{App: a.world.app, Entitlement: e, RequirementRule: r}
		if len(have) > 0 {
			next.Version = have[0].Version
		}
		return tx.AddRequirement(next)
	})
}

func (a *academy) evidence(who string, e console.EntitlementKey) (all []console.RequirementEvidence) {
	a.t.Helper()
	a.check(a.store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.RequirementEvidence(a.id(who), a.world.app, e)
		return err
	}))
	return all
}

// TestRequirementWaits lets a request wait until a sync shows the course as completed. Nobody is
// asked before that, and syncs that show nothing new, are held or refused change nothing.
func TestRequirementWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a := newAcademy(w)
		a.require(w.member, console.RequirementRule{Needs: []console.Need{a.completed("security")}, Months: 12, Mode: console.RequirementReport})
		r := w.mustAsk("ana", "ana", w.member)
		if r.State != console.RequestWaiting || w.asked(r) != "" || !r.Plan.Steps[0].Wait.Requirement || len(r.Plan.Steps) != 2 {
			t.Fatalf("%+v, asked %s", r, w.asked(r))
		}
		a.sync()
		a.tenant.Courses[0].InProgress = []string{"ana"}
		a.sync()
		w.tick()
		if r = w.get(r.ID); r.State != console.RequestWaiting {
			t.Fatalf("goes on without the course: %+v", r)
		}
		a.tenant.Courses[0].InProgress = nil
		a.complete(0, "ana", "2026-11-29T11:00:00Z")
		done := a.sync()
		w.tick()
		if r = w.get(r.ID); r.State != console.RequestAsking || w.asked(r) != "own" {
			t.Fatalf("%+v, asked %s", r, w.asked(r))
		}
		w.check(w.decide("own", r, true))
		r = w.get(r.ID)
		w.finish(r.Operation)
		all := a.evidence("ana", w.member)
		if len(all) != 1 || len(all[0].Proofs) != 1 || all[0].Request != r.ID || all[0].Reason != r.Reason || all[0].Version != 1 {
			t.Fatalf("evidence: %+v", all)
		}
		p := all[0].Proofs[0]
		if p.Course != "Security Basics" || p.Login != "ana@example.com" || p.Completed.Format(time.RFC3339) != "2026-11-29T11:00:00Z" || p.Sync != done.ID || p.SHA256 == "" ||
			p.Link != "https://percipio.example/security" || p.Baseline || p.AppName != "Percipio" {
			t.Errorf("proof: %+v", p)
		}

		// The stamp stays as it is when the learner restarts the course, and when its title changes.
		a.tenant.Courses[0].Name, a.tenant.Courses[0].InProgress = "Security", []string{"ana"}
		delete(a.tenant.Courses[0].Completed, "ana")
		a.sync()
		a.sync()
		if again := a.evidence("ana", w.member); len(again) != 1 || again[0].Proofs[0] != p {
			t.Errorf("evidence was rewritten: %+v", again)
		}
		if s := a.status("ana"); s.State != console.RequirementMet {
			t.Errorf("a restarted course counts as %s: %s", s.State, s.Why)
		}
	})
}

func (a *academy) status(who string) (s store.RequirementStatus) {
	a.t.Helper()
	a.check(a.store.View(ctx, func(tx *store.Tx) (err error) {
		s, err = tx.RequirementStatus(a.id(who), a.world.app, a.world.member, a.now)
		return err
	}))
	return s
}

// TestRequirementMetBefore asks for approval at once, and stores what met the requirement.
func TestRequirementMetBefore(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	a.require(w.admin, console.RequirementRule{Needs: []console.Need{a.completed("ai")}, Mode: console.RequirementReport})
	a.complete(1, "ana", "")
	a.sync()
	r := w.mustAsk("ana", "ana", w.admin)
	if r.State != console.RequestAsking || len(r.Plan.Steps) != 2 {
		t.Fatalf("%+v", r)
	}
	w.check(w.decide("own", r, true))
	w.check(w.decide("so", w.get(r.ID), true))
	if all := a.evidence("ana", w.admin); len(all) != 1 || !all[0].Proofs[0].Completed.IsZero() || all[0].Proofs[0].FirstSeen.IsZero() || all[0].Proofs[0].Baseline {
		t.Errorf("%+v", all)
	}
}

// TestRequirementBaseline proves no date from what the first sync showed.
func TestRequirementBaseline(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	a.tenant.Courses = append(a.tenant.Courses, ingesttest.Course{ID: "late", Name: "Late", Completed: map[string]string{"ana": ""}})
	a.sync() // the first appearance of the course is baseline
	for _, tt := range []struct {
		months int
		want   console.RequirementState
	}{{0, console.RequirementMet}, {12, console.RequirementUnknown}} {
		a.require(w.member, console.RequirementRule{Needs: []console.Need{a.completed("late")}, Months: tt.months, Mode: console.RequirementReport})
		if s := a.status("ana"); s.State != tt.want {
			t.Errorf("within %d months: %s %s", tt.months, s.State, s.Why)
		}
	}
}

// TestRequirementAgain decides again when the request is carried out, and when the operation is
// dispatched.
func TestRequirementAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a := newAcademy(w)
		a.complete(0, "ana", "2025-12-01T00:00:00Z") // counts until 1 Dec 2026
		a.sync()
		a.require(w.member, console.RequirementRule{Needs: []console.Need{a.completed("security")}, Months: 12, Mode: console.RequirementReport})
		r := w.mustAsk("ana", "ana", w.member)
		if r.State != console.RequestAsking {
			t.Fatalf("%+v", r)
		}
		w.later(48 * time.Hour)
		w.check(w.decide("own", r, true))
		if r = w.get(r.ID); r.State != console.RequestWaiting || r.Operation != "" || len(a.evidence("ana", w.member)) != 0 {
			t.Fatalf("approved, and the course has lapsed: %+v", r)
		}
		a.complete(0, "ana", w.now.UTC().Format(time.RFC3339))
		a.sync()
		w.tick()
		if r = w.get(r.ID); r.State != console.RequestCarrying || r.Operation == "" {
			t.Fatalf("does not go on: %+v", r)
		}

		// The requirement becomes stricter before the connector takes the change: it waits.
		a.require(w.member, console.RequirementRule{Needs: []console.Need{a.completed("security"), a.completed("ai")}, Months: 12, Mode: console.RequirementReport})
		dispatch := func() (refused error) {
			w.update(func(tx *store.Tx) (err error) {
				refused, err = tx.DispatchOperation(r.Operation, console.NewID(w.now), w.now, w.now.Add(30*time.Minute), store.Circumstances{})
				return err
			})
			return refused
		}
		wantGuard(t, "dispatch", dispatch(), console.GuardRequired)
		if o := w.operation(r.Operation); o.State != console.Queued {
			t.Fatalf("%+v", o)
		}
		a.complete(1, "ana", w.now.UTC().Format(time.RFC3339))
		a.sync()
		if err := dispatch(); err != nil {
			t.Errorf("refused: %v", err)
		}
	})
}

// TestRequirementExemption lets an exempt person pass for a time, and says so in the evidence.
func TestRequirementExemption(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	a.require(w.member, console.RequirementRule{Needs: []console.Need{a.completed("security")}, Mode: console.RequirementEnforce})
	r := w.mustAsk("ana", "ana", w.member)
	w.update(func(tx *store.Tx) error {
		_, err := tx.AddExemption(console.Exemption{App: w.app, Entitlement: w.member, Person: w.id("ana"), Until: w.now.Add(24 * time.Hour), Why: "on leave", Author: w.id("own"), Approver: w.id("so")})
		return err
	})
	w.tick()
	if r = w.get(r.ID); r.State != console.RequestAsking {
		t.Fatalf("%+v", r)
	}
	w.check(w.decide("own", r, true))
	if all := a.evidence("ana", w.member); len(all) != 1 || all[0].Exemption == nil || all[0].Exemption.Approver != w.id("so") || len(all[0].Proofs) != 0 {
		t.Errorf("%+v", all)
	}
	w.later(25 * time.Hour)
	if s := a.status("ana"); s.State != console.RequirementMissing {
		t.Errorf("after its end: %s", s.State)
	}
	if s := a.status("ben"); s.State != console.RequirementMissing {
		t.Errorf("another person: %s", s.State)
	}
}

// TestRequirementTimesOut ends a request that waited too long.
func TestRequirementTimesOut(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	a.require(w.member, console.RequirementRule{Needs: []console.Need{a.completed("security")}, Mode: console.RequirementReport})
	r := w.mustAsk("ana", "ana", w.member)
	w.later(time.Duration(console.RequirementLimit) - time.Hour)
	w.tick()
	if got := w.get(r.ID); got.State != console.RequestWaiting {
		t.Fatalf("%+v", got)
	}
	w.later(time.Hour)
	w.tick()
	if got := w.get(r.ID); got.Outcome != console.OutcomeTimedOut || !strings.Contains(got.OutcomeWhy, "requirement") {
		t.Errorf("%s: %s", got.Outcome, got.OutcomeWhy)
	}
}

// TestRequirementUnknown shows what syncs do not establish: a course that left the list, a completion
// that one sync alone does not show, a look-back that became shorter.
func TestRequirementUnknown(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	a.complete(0, "ana", "2026-01-05T00:00:00Z")
	a.complete(0, "ben", "2026-06-01T00:00:00Z")
	a.sync()
	need := a.completed("security")
	a.require(w.member, console.RequirementRule{Needs: []console.Need{need}, Mode: console.RequirementEnforce})
	want := func(what, who string, want console.RequirementState) {
		t.Helper()
		if s := a.status(who); s.State != want {
			t.Errorf("%s: %s (%s), want %s", what, s.State, s.Why, want)
		}
	}
	want("completed", "ana", console.RequirementMet)
	want("no account", "new", console.RequirementUnknown)
	before := a.tenant.Courses[0].Completed
	a.tenant.Courses[0].Completed = map[string]string{"ben": before["ben"], "dan": before["dan"]}
	a.sync()
	want("one sync without it", "ana", console.RequirementUnknown)
	a.sync()
	want("two syncs without it", "ana", console.RequirementMissing)
	a.tenant.Courses[0].Completed = before
	a.sync()
	want("shown again", "ana", console.RequirementMet)

	// Nothing as old as Ana's completion is shown any more: a shorter look-back explains that.
	a.tenant.Courses[0].Completed = map[string]string{"ben": before["ben"]}
	a.sync()
	a.sync()
	want("a shorter look-back", "ana", console.RequirementUnknown)
	want("within it", "ben", console.RequirementMet)

	a.tenant.Courses[0].Completed = before
	a.sync()
	courses := a.tenant.Courses
	a.tenant.Courses = courses[1:]
	a.sync()
	a.sync()
	want("a narrowed list", "ana", console.RequirementUnknown)
	want("a narrowed list, never completed", "cem", console.RequirementUnknown)
	a.tenant.Courses = courses
	a.sync()
	want("listed again", "ana", console.RequirementMet)

	accounts := a.tenant.Accounts
	a.tenant.Accounts, a.tenant.Courses[0].Completed = nil, nil
	for _, x := range accounts {
		if x.ID.ID == "ana" {
			a.tenant.Accounts = append(a.tenant.Accounts, x)
		}
	}
	if s := a.sync(); s.State != console.SyncHeld {
		t.Fatalf("the sync is %s", s.State)
	}
	want("a held sync", "ana", console.RequirementMet)
	want("a held sync, never completed", "cem", console.RequirementUnknown)
	w.check(errOf(w.store.View(ctx, func(tx *store.Tx) error {
		_, _, err := tx.NeedScope(console.Need{App: "none", Entitlement: need.Entitlement})
		return err
	}), baton.NotFound))
}

// errOf returns nil if an error has a kind.
func errOf(err error, want baton.Kind) error {
	if baton.KindOf(err) == want {
		return nil
	}
	return baton.Errorf(baton.Internal, "%v is no %v", err, want)
}
