package hosted_test

import (
	"errors"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// person adds a person who has just signed in, with an account of the sandbox.
func (c *course) person(name, account string, roles ...console.ConsoleRole) govern.Caller {
	c.t.Helper()
	var p console.Person
	key := console.ResourceKey(0)
	if account != "" {
		key = c.account(account)
	}
	c.update(func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@console.example"}, Roles: roles})
		if err != nil {
			return err
		}
		if key != 0 {
			if err := tx.SetAccountOwner(key, id, store.OwnerSet); err != nil {
				return err
			}
		}
		p, err = tx.Person(id)
		return err
	})
	return govern.Caller{Person: p, Session: console.Session{Person: p.ID, Proved: time.Now().Add(time.Hour)}}
}

// decide decides the current step of a request.
func (c *course) decide(who govern.Caller, id console.ID, approve bool) error {
	c.t.Helper()
	r := c.request(id)
	_, err := c.console.Decide(c.t.Context(), who, govern.NewDecision{Request: id, Step: r.Plan.Steps[r.Step].ID, Version: r.Version, Approve: approve})
	return err
}

func (c *course) request(id console.ID) (r console.Request) {
	c.t.Helper()
	c.view(func(tx *store.Tx) (err error) {
		r, err = tx.Request(id)
		return err
	})
	return r
}

func refusedBy(err error, guard console.Guard) bool {
	refusal := (*console.Refusal)(nil)
	return errors.As(err, &refusal) && refusal.Guard == guard
}

// TestRequestUntilExpiry follows a request against the sandbox: filed, decided by two other people,
// granted upstream, verified by a sync, expired, removed upstream, verified again. Access that the
// minimum of administrators needs cannot be given back.
func TestRequestUntilExpiry(t *testing.T) {
	c := newCourse(t)
	e := c.group(adminGroup)
	u := c.outsider(adminGroup)
	ana, owner, officer := c.person("Ana", u.ID), c.person("Olga", ""), c.person("Sami", "", console.SecurityOfficer)
	var admin govern.Caller
	admins := 0
	group, _ := c.org.State().Group(adminGroup)
	for _, s := range c.org.State().Users {
		for _, m := range group.Members {
			if m == s.ID && s.Active {
				admins++
				admin = c.person("Admin "+s.ID, s.ID)
			}
		}
	}
	if admins == 0 {
		t.Fatal("the sandbox has no administrator")
	}
	c.update(func(tx *store.Tx) error {
		a, err := tx.App(c.app)
		if err != nil {
			return err
		}
		a.Owners = []console.ID{owner.Person.ID, ana.Person.ID}
		if err := tx.ChangeApp(a); err != nil {
			return err
		}
		return tx.SetRoleMap(c.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{e}}}}, admins)
	})
	ctx := t.Context()
	before := c.writes()

	const lasts = 2 * time.Second
	r, err := c.console.SubmitRequest(ctx, ana, govern.NewRequest{App: c.app, Entitlement: e, Term: console.Term{For: console.Duration(lasts)}, Why: "rotate the certificate"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.decide(ana, r.ID, true); !refusedBy(err, console.GuardSelf) {
		t.Errorf("she decides herself: %v", err)
	}
	if err := c.decide(owner, r.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := c.decide(owner, r.ID, true); err == nil {
		t.Error("one person is both people")
	}
	if c.writes() != before || c.request(r.ID).State != console.RequestAsking {
		t.Errorf("%d changes upstream before the second decision", c.writes()-before)
	}
	if err := c.decide(officer, r.ID, true); err != nil {
		t.Fatal(err)
	}
	o := c.state(c.request(r.ID).Operation, console.Verified)
	if !c.member(adminGroup, u.ID) || c.writes() != before+1 {
		t.Errorf("after the grant: member %v, %d changes upstream", c.member(adminGroup, u.ID), c.writes()-before)
	}
	c.wait("granted", func(tx *store.Tx) (bool, error) {
		got, err := tx.Request(r.ID)
		return got.State == console.RequestClosed && got.Outcome == console.OutcomeGranted, err
	})
	if got := c.request(r.ID); got.Operation != o.ID || got.Reason == "" {
		t.Errorf("%+v", got)
	}
	account := c.account(u.ID)
	end := c.newest(account, e, console.Revoke)
	if end.Cause.Kind != console.CauseExpiry || end.Created.Before(o.Finished.Add(lasts)) {
		t.Errorf("it ended %v after it took effect: %+v", end.Created.Sub(o.Finished), end.Cause)
	}
	c.state(end.ID, console.Verified)
	if c.member(adminGroup, u.ID) || c.writes() != before+2 {
		t.Errorf("after its time: member %v, %d changes upstream", c.member(adminGroup, u.ID), c.writes()-before)
	}
	c.view(func(tx *store.Tx) error {
		a, err := tx.Access(c.app, account, e, time.Now())
		if got := a.State(time.Now()); got != console.StateNone {
			t.Errorf("the access is %s", got)
		}
		return err
	})

	if _, err := c.console.GiveBack(ctx, admin, c.app, e, 0, ""); !refusedBy(err, console.GuardAdmins) {
		t.Errorf("an administrator whom the minimum needs gives it back: %v", err)
	}
	if c.writes() != before+2 || c.events("operation.denied") < 2 {
		t.Errorf("%d changes upstream, %d denials", c.writes()-before, c.events("operation.denied"))
	}
}
