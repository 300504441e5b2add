package worker

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
)

// academy is a second app, with courses, beside the app of a course of access.
type academy struct {
	*course
	academy   console.ID
	connector console.Connector
	tenant    ingesttest.Tenant
	persons   map[string]console.ID
}

// newAcademy gives everybody in the app a person and an account in the academy. Old completed the
// course long ago.
func newAcademy(c *course) *academy {
	a := &academy{course: c, persons: map[string]console.ID{}}
	c.dan()
	c.update(func(tx *store.Tx) (err error) {
		if a.academy, err = tx.AddApp(console.App{Name: "Percipio"}); err != nil {
			return err
		}
		id, err := tx.AddConnector(console.Connector{App: a.academy, Name: "percipio", Interval: time.Hour})
		if err == nil {
			a.connector, err = tx.Connector(id)
		}
		return err
	})
	names := []string{"ana", "ben", "cem", "dan", "old", "new", "two", "six"}
	for _, name := range names {
		a.tenant.Accounts = append(a.tenant.Accounts, ingesttest.Account(name, name, name+"@example.test"))
	}
	a.tenant.Courses = []ingesttest.Course{{ID: "security", Name: "Security Basics", Completed: map[string]string{"old": "2016-01-01T00:00:00Z"}},
		{ID: "other", Name: "Other"}}
	if s := a.learn(); s.State != console.SyncApplied {
		a.t.Fatalf("%+v", s)
	}
	a.update(func(tx *store.Tx) error {
		m, err := tx.Moment(a.academy, time.Time{})
		if err != nil {
			return err
		}
		for _, name := range names {
			r, err := tx.ResourceByID(m, "user", name)
			if err != nil {
				return err
			}
			if a.persons[name], err = tx.AddPerson(console.Person{Name: name}); err != nil {
				return err
			}
			if err := tx.SetAccountOwner(r.Key, a.persons[name], store.OwnerSet); err != nil {
				return err
			}
			if mine, err := tx.ResourceByID(mustMoment(tx, a.app), "user", name); err == nil {
				if err := tx.SetAccountOwner(mine.Key, a.persons[name], store.OwnerSet); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return a
}

func mustMoment(tx *store.Tx, app console.ID) store.Moment {
	m, err := tx.Moment(app, time.Time{})
	if err != nil {
		panic(err)
	}
	return m
}

// learn lets the worker read a sync of the academy.
func (a *academy) learn() (s console.Sync) {
	a.t.Helper()
	a.advance(time.Minute)
	file, err := os.Open(a.tenant.Write(a.t, a.now))
	if err != nil {
		a.t.Fatal(err)
	}
	defer file.Close()
	id, err := a.w.Ingester.Receive(a.t.Context(), console.Console, ingest.Origin{Connector: a.connector.ID, Kind: console.SyncFull, Dispatched: a.now}, file)
	if err != nil {
		a.t.Fatal(err)
	}
	a.update(func(tx *store.Tx) error { return tx.SetDue(console.DueIngest, string(id), a.now, nil) })
	a.advance(time.Second)
	a.work()
	a.work()
	a.quiet()
	a.view(func(tx *store.Tx) (err error) {
		s, err = tx.Sync(id)
		return err
	})
	return s
}

// fails lets a sync of the academy fail.
func (a *academy) fails() {
	a.t.Helper()
	a.advance(time.Minute)
	a.update(func(tx *store.Tx) error { return tx.ScheduleSync(a.connector, a.now) })
	a.work()
	l, err := a.tasks.Lease(a.t.Context(), a.now, rpc.LeaseRequest{Connector: string(a.connector.ID), Host: "host", Max: 9})
	if err != nil || len(l.Tasks) != 1 {
		a.t.Fatalf("%+v, %v", l, err)
	}
	a.finish(l.Tasks[0], rpc.Result{Code: 14, Message: "the report came to nothing"})
	a.work()
	a.work()
}

func (a *academy) complete(who string, at time.Time) {
	all := maps.Clone(a.tenant.Courses[0].Completed)
	all[who] = at.UTC().Format(time.RFC3339)
	a.tenant.Courses[0].Completed = all
}

func (a *academy) forget(who string) {
	all := maps.Clone(a.tenant.Courses[0].Completed)
	delete(all, who)
	a.tenant.Courses[0].Completed = all
}

func (a *academy) require(mode console.RequirementMode, grace time.Duration, limit int) {
	a.t.Helper()
	a.update(func(tx *store.Tx) error {
		e, err := tx.EntitlementByID(mustMoment(tx, a.academy), ingesttest.Completed("security"))
		if err != nil {
			return err
		}
		have, err := tx.Requirements(a.app, a.member("staff"))
		next := console.Requirement{App: a.app, Entitlement: a.member("staff"), RequirementRule: console.RequirementRule{
			Needs: []console.Need{{App: a.academy, Entitlement: e.Key}}, Months: 12, Grace: console.Duration(grace), Mode: mode, Cap: limit}}
		if len(have) > 0 {
			next.Version = have[0].Version
		}
		if err != nil {
			return err
		}
		return tx.AddRequirement(next)
	})
	a.work()
}

func (a *academy) lacks() (all map[string]console.RequirementLack) {
	a.t.Helper()
	all = map[string]console.RequirementLack{}
	a.view(func(tx *store.Tx) error {
		rows, err := tx.RequirementLacks(a.app, a.member("staff"), 0, 100)
		for _, l := range rows {
			for name, id := range a.persons {
				if id == l.Person {
					all[name] = l
				}
			}
		}
		return err
	})
	return all
}

// TestAcceptance7CourseBeforeAccess lets a request wait for a course. It goes on by itself after the
// sync that shows the completion, the evidence is stamped, and a failed report revokes nothing.
func TestAcceptance7CourseBeforeAccess(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		a := newAcademy(newCourse(x))
		a.complete("cem", a.now.AddDate(0, -1, 0))
		a.learn()
		a.require(console.RequirementEnforce, 0, 0)
		r := a.asks(a.persons["dan"], time.Hour)
		a.noWrite("before the course")
		if r = a.requested(r.ID); r.State != console.RequestWaiting {
			t.Fatalf("%+v", r)
		}
		a.complete("dan", a.now)
		done := a.learn()
		effect := a.granted()
		if r = a.requested(r.ID); r.Outcome != console.OutcomeGranted {
			t.Fatalf("%+v", r)
		}
		a.view(func(tx *store.Tx) error {
			all, err := tx.RequirementEvidence(a.persons["dan"], a.app, a.member("staff"))
			if err != nil || len(all) != 1 || all[0].Reason != r.Reason || len(all[0].Proofs) != 1 || all[0].Proofs[0].Sync != done.ID || len(all[0].Proofs[0].SHA256) != 64 {
				t.Errorf("%+v, %v", all, err)
			}
			return nil
		})
		for range 3 {
			a.fails()
			a.noWrite("a failed report")
		}
		if got := a.lacks(); len(got) != 0 || a.now.After(effect.Add(time.Hour)) {
			t.Errorf("%+v", got)
		}
	})
}

// TestRequirementEnforced reports holders first, and ends their access when the requirement is
// enforced, the grace period is over, and a sync after it still shows the lack.
func TestRequirementEnforced(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		c.up.accounts["old"] = 1
		c.up.members["staff"] = []string{"cem", "old", "ana"}
		c.sync()
		a := newAcademy(c)
		a.complete("cem", a.now.AddDate(0, -1, 0))
		a.learn()
		a.require(console.RequirementReport, 24*time.Hour, 0)
		got := a.lacks()
		if len(got) != 2 || got["old"].State != console.RequirementLapsed || got["ana"].State != console.RequirementMissing || !got["old"].Ends.IsZero() {
			t.Fatalf("reported: %+v", got)
		}
		a.advance(72 * time.Hour)
		a.learn()
		a.noWrite("only reported")

		a.require(console.RequirementEnforce, 24*time.Hour, 0)
		deadline := a.now.Add(24 * time.Hour)
		if got = a.lacks(); got["old"].Ready || got["old"].Ends.Sub(deadline).Abs() > time.Minute {
			t.Fatalf("enforced: %+v", got["old"])
		}
		a.learn()
		a.noWrite("in the grace period")
		a.advance(25 * time.Hour)
		a.work()
		a.noWrite("after it, without a sync since then")
		for range 2 {
			a.fails()
			a.noWrite("after a failed sync")
		}
		a.complete("ana", a.now) // in time
		a.learn()
		task := a.write("the end of the access")
		if task.Work.Revoke == nil || task.Work.Revoke.Principal.ID.ID != "old" {
			t.Fatalf("%+v", task)
		}
		a.does(task)
		a.learn()
		if got = a.lacks(); len(got) != 0 {
			t.Errorf("afterwards: %+v", got)
		}
		if o := c.found("operation.verified"); len(o) != 1 {
			t.Errorf("%d verified", len(o))
		}
		for range 2 {
			a.learn()
			a.noWrite("all is well")
		}
	})
}

// TestRequirementRevokesNothing has holders with an enforced requirement without a grace period, and
// syncs that do not establish that they lack the course.
func TestRequirementRevokesNothing(t *testing.T) {
	x := newWorld(t)
	a := newAcademy(newCourse(x))
	a.complete("cem", a.now.AddDate(0, -1, 0))
	a.learn()
	a.require(console.RequirementEnforce, 0, 0)
	calm := func(what string) {
		t.Helper()
		a.advance(time.Hour)
		a.work()
		a.noWrite(what)
	}
	calm("the course is completed")
	before := a.tenant

	a.fails()
	calm("a failed sync")

	a.tenant.Courses = before.Courses[1:]
	for range 3 {
		a.learn()
		calm("a narrowed list of courses")
	}
	a.tenant = before
	a.learn()

	a.tenant.Accounts = before.Accounts[:1]
	if s := a.learn(); s.State != console.SyncHeld {
		t.Fatalf("the sync is %s", s.State)
	}
	calm("a held sync")
	a.tenant = before
	a.learn()
	calm("the sync after it")

	path := upstream{members: map[string][]string{}, only: []string{"none"}}.file(t, a.now)
	a.partial(path)
	calm("a partial sync")

	a.forget("cem")
	a.learn()
	calm("one sync without it")
	a.complete("cem", a.now.AddDate(0, -1, 0))
	a.learn()
	calm("and back")

	a.forget("cem")
	a.learn()
	a.learn()
	a.learn()
	if task := a.write("two syncs without it"); task.Work.Revoke == nil {
		t.Errorf("%+v", task)
	}
}

// partial receives a partial file.
func (a *academy) partial(file []byte) {
	a.t.Helper()
	id, err := a.w.Ingester.Receive(a.t.Context(), console.Console, ingest.Origin{Connector: a.connector.ID, Kind: console.SyncFull, Dispatched: a.now}, strings.NewReader(string(file)))
	if err != nil {
		a.t.Fatal(err)
	}
	a.update(func(tx *store.Tx) error { return tx.SetDue(console.DueIngest, string(id), a.now, nil) })
	a.work()
	a.view(func(tx *store.Tx) error {
		if s, err := tx.Sync(id); err != nil || s.State != console.SyncStored {
			a.t.Errorf("%+v, %v", s, err)
		}
		return nil
	})
}

// TestRequirementCap ends the access of more holders than the cap only when a person confirmed it,
// and of an administrator below the minimum not at all.
func TestRequirementCap(t *testing.T) {
	x := newWorld(t)
	c := newCourse(x)
	for _, name := range []string{"old", "new", "two", "six"} {
		c.up.accounts[name] = baton.StatusEnabled
	}
	c.up.members["staff"] = []string{"old", "new", "two", "cem"}
	c.sync()
	a := newAcademy(c)
	a.update(func(tx *store.Tx) error {
		return tx.SetRoleMap(a.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{a.member("staff")}}}}, 2)
	})
	a.learn()
	a.require(console.RequirementEnforce, 0, 3)
	a.learn()
	a.noWrite("four, and the cap is three")
	told := 0
	for range 2 {
		a.learn()
	}
	if told = len(a.found("requirement.capped")); told != 1 {
		t.Errorf("told %d times", told)
	}
	by := console.By{At: a.now, Actor: console.Actor{Kind: console.ActorPerson, ID: string(a.persons["six"])}}
	if err := a.s.Update(t.Context(), by, func(tx *store.Tx) error {
		n, err := tx.ConfirmLacks(a.app, a.member("staff"))
		if n != 4 {
			t.Errorf("%d confirmed", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	a.work()
	changes := a.writes()
	if len(changes) != 2 {
		t.Errorf("%d changes, and two administrators have to remain: %+v", len(changes), changes)
	}
	refused := 0
	for _, l := range a.lacks() {
		if strings.Contains(l.Refused, "minimum") {
			refused++
		}
	}
	if denied := len(a.found("operation.denied")); refused != 2 || denied != 2 {
		t.Errorf("%d refused, %d denied", refused, denied)
	}
}
