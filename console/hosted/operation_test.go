package hosted_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/worker"
	sandbox "baton/sandbox/perplexity"
)

// course is a console that governs the sandbox with a hosted connector and a worker.
type course struct {
	*world
	app console.ID
	by  console.By
}

// newCourse connects the demonstration organisation, applies its first sync and gives its
// accounts to people.
func newCourse(t *testing.T) *course { return startCourse(t, nil, nil) }

// newCourseOver is newCourse with another store for the connectors' server.
func newCourseOver(t *testing.T, calls func(rpc.Store) rpc.Store) *course {
	return startCourse(t, calls, nil)
}

// startCourse is newCourseOver with a worker that is configured further.
func startCourse(t *testing.T, calls func(rpc.Store) rpc.Store, configure func(*world, *worker.Config)) *course {
	w := newWorld(t, loopback())
	w.calls = calls
	c := &course{world: w, by: console.By{Actor: console.Console}}
	c.view(func(tx *store.Tx) error {
		con, err := tx.Connector(w.connector)
		c.app = con.App
		return err
	})
	if err := w.configure(w.url, w.token); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	config := worker.Config{Store: w.store, Owner: "test", Poll: 20 * time.Millisecond, OverdueAfter: time.Second,
		Ingester: &ingest.Ingester{Store: w.store, Now: time.Now, Scratch: t.TempDir()}, Log: slog.New(slog.DiscardHandler)}
	if configure != nil {
		configure(w, &config)
	}
	working := worker.New(config)
	if err := working.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	go func() { working.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	w.run()
	c.wait("the first sync", func(tx *store.Tx) (bool, error) {
		con, err := tx.Connector(w.connector)
		if err != nil {
			return false, err
		}
		head, err := tx.HeadSync(con.Stream)
		return head != nil, err
	})
	return c
}

func (c *course) view(fn func(*store.Tx) error) {
	c.t.Helper()
	if err := c.store.View(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

func (c *course) update(fn func(*store.Tx) error) {
	c.t.Helper()
	by := c.by
	by.At = time.Now()
	if err := c.store.Update(c.t.Context(), by, fn); err != nil {
		c.t.Fatal(err)
	}
}

// wait waits for a condition.
func (c *course) wait(what string, holds func(*store.Tx) (bool, error)) {
	c.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		ok := false
		c.view(func(tx *store.Tx) (err error) {
			ok, err = holds(tx)
			return err
		})
		if ok {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s does not come about", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// state waits until an operation is in a state, and returns it.
func (c *course) state(id console.ID, want console.OperationState) (o console.Operation) {
	c.t.Helper()
	c.wait("operation "+string(want), func(tx *store.Tx) (bool, error) {
		var err error
		o, err = tx.Operation(id)
		if err == nil && !o.State.Alive() && o.State != want {
			c.t.Fatalf("the operation is %s: %s", o.State, o.Answer)
		}
		return o.State == want, err
	})
	return o
}

// newest waits for an operation with a verb on an access.
func (c *course) newest(account console.ResourceKey, e console.EntitlementKey, verb console.Verb) (o console.Operation) {
	c.t.Helper()
	c.wait("an operation to "+string(verb), func(tx *store.Tx) (bool, error) {
		all, err := tx.Operations(account, e)
		for _, found := range all {
			if found.Verb == verb {
				o = found
			}
		}
		return o.ID != "", err
	})
	return o
}

// group returns the key of the entitlement of a group.
func (c *course) group(name string) (key console.EntitlementKey) {
	c.t.Helper()
	g, ok := c.org.State().Group(name)
	if !ok {
		c.t.Fatalf("there is no group %s", name)
	}
	c.view(func(tx *store.Tx) error {
		m, err := tx.Moment(c.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:"+g.ID+":member")
		key = e.Key
		return err
	})
	return key
}

func (c *course) account(id string) (key console.ResourceKey) {
	c.t.Helper()
	c.view(func(tx *store.Tx) error {
		m, err := tx.Moment(c.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", id)
		key = r.Key
		return err
	})
	return key
}

// member reports whether an account is in a group of the sandbox.
func (c *course) member(group, id string) bool {
	g, _ := c.org.State().Group(group)
	for _, m := range g.Members {
		if m == id {
			return true
		}
	}
	return false
}

// outsider returns an enabled account that is not in a group.
func (c *course) outsider(group string) sandbox.UserState {
	c.t.Helper()
	for _, u := range c.org.State().Users {
		if u.Active && !c.member(group, u.ID) {
			return u
		}
	}
	c.t.Fatalf("everybody is in %s", group)
	return sandbox.UserState{}
}

// writes returns the number of changes that the sandbox received.
func (c *course) writes() int { return len(c.org.Writes()) }

func (c *course) events(kind string) (n int) {
	c.t.Helper()
	c.view(func(tx *store.Tx) error {
		var after int64
		for {
			page, err := tx.Events(store.EventFilter{App: c.app}, after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, e := range page {
				after = e.Number
				if e.Kind == kind {
					n++
				}
			}
		}
	})
	return n
}

const adminGroup = "PPLX_Admin"

// TestGrantUntilExpiry grants a group for a limited time: granted upstream, verified by a sync,
// revoked upstream after the time, verified again. Two overlapping reasons end it once, at the later
// time.
func TestGrantUntilExpiry(t *testing.T) {
	c := newCourse(t)
	u, e := c.outsider(adminGroup), c.group(adminGroup)
	account := c.account(u.ID)
	before := c.writes()
	var o console.Operation
	c.update(func(tx *store.Tx) (err error) {
		for _, lasts := range []time.Duration{time.Second, 3 * time.Second} {
			if _, err := tx.AddReason(console.Reason{App: c.app, Account: account, Entitlement: e, Kind: console.ReasonRequest, Lasts: lasts}); err != nil {
				return err
			}
		}
		o, err = tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Account: account, Entitlement: e, Verb: console.Grant,
			Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
		return err
	})
	o = c.state(o.ID, console.Verified)
	if !c.member(adminGroup, u.ID) || c.writes() != before+1 {
		t.Errorf("after the grant: member %v, %d changes upstream", c.member(adminGroup, u.ID), c.writes()-before)
	}
	c.view(func(tx *store.Tx) error {
		reasons, err := tx.Reasons(c.app, account, e)
		for _, r := range reasons {
			if want := o.Finished.Add(r.Lasts); !r.Until.Equal(want) {
				t.Errorf("a reason that lasts %s ends %v, want %v", r.Lasts, r.Until, want)
			}
		}
		return err
	})
	end := c.newest(account, e, console.Revoke)
	if at := o.Finished.Add(3 * time.Second); end.Created.Before(at) {
		t.Errorf("it was ended %v, before the later reason ran out, %v", end.Created, at)
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
		if all, err := tx.Operations(account, e); err != nil || len(all) != 2 {
			t.Errorf("%d operations, %v", len(all), err)
		}
		return err
	})
}

// TestAccountFirst grants two groups to a person without an account: one account is created, and the
// grants wait until a sync shows it.
func TestAccountFirst(t *testing.T) {
	c := newCourse(t)
	groups := []console.EntitlementKey{c.group(adminGroup), c.group("PPLX_Members")}
	var person console.ID
	var ops []console.Operation
	c.update(func(tx *store.Tx) (err error) {
		if person, err = tx.AddPerson(console.Person{Name: "Noor van Dijk", Emails: []string{"noor@acme.example"}}); err != nil {
			return err
		}
		for _, e := range groups {
			if _, err := tx.AddReason(console.Reason{App: c.app, Person: person, Entitlement: e, Kind: console.ReasonRequest}); err != nil {
				return err
			}
			o, err := tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Person: person, Entitlement: e, Verb: console.Grant,
				Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
			if err != nil {
				return err
			}
			ops = append(ops, o)
		}
		return nil
	})
	for _, o := range ops {
		o = c.state(o.ID, console.Verified)
		if o.Account == 0 {
			t.Errorf("the grant has no account: %+v", o)
		}
	}
	u, ok := c.org.State().User("noor@acme.example")
	if !ok || u.GivenName != "Noor" || u.FamilyName != "van Dijk" || !c.member(adminGroup, u.ID) || !c.member("PPLX_Members", u.ID) {
		t.Errorf("upstream: %+v, %v", u, ok)
	}
	c.view(func(tx *store.Tx) error {
		creations, err := tx.Operations(c.account(u.ID), console.AccountItself)
		if err != nil || len(creations) != 1 || creations[0].State != console.Verified {
			t.Errorf("creations %+v, %v", creations, err)
		}
		owner, _, err := tx.AccountPerson(c.account(u.ID), time.Time{})
		if owner != person {
			t.Errorf("the account belongs to %q", owner)
		}
		for _, e := range groups {
			reasons, err := tx.Reasons(c.app, c.account(u.ID), e)
			if err != nil || len(reasons) != 1 {
				t.Errorf("reasons %+v, %v", reasons, err)
			}
		}
		return err
	})
}

// TestDisable disables and enables an account with the connector's actions.
func TestDisable(t *testing.T) {
	c := newCourse(t)
	u := c.outsider(adminGroup)
	account := c.account(u.ID)
	for _, verb := range []console.Verb{console.Revoke, console.Grant} {
		var o console.Operation
		c.update(func(tx *store.Tx) (err error) {
			o, err = tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Account: account, Entitlement: console.AccountItself, Verb: verb,
				Cause: console.Cause{Kind: console.CauseManual, Evidence: console.EvidenceDecision}}, store.Circumstances{})
			return err
		})
		o = c.state(o.ID, console.Verified)
		if now, _ := c.org.State().User(u.ID); now.Active != (verb == console.Grant) {
			t.Errorf("after %s the account is active: %v; %s", verb, now.Active, o.Answer)
		}
	}
}

// TestOverdue lets access expire while the connector is away: it becomes overdue, people are
// notified once, and it is removed when the connector is back.
func TestOverdue(t *testing.T) {
	c := newCourse(t)
	u, e := c.outsider(adminGroup), c.group(adminGroup)
	account := c.account(u.ID)
	var o console.Operation
	c.update(func(tx *store.Tx) (err error) {
		if _, err := tx.AddReason(console.Reason{App: c.app, Account: account, Entitlement: e, Kind: console.ReasonRequest, Lasts: 2 * time.Second}); err != nil {
			return err
		}
		o, err = tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Account: account, Entitlement: e, Verb: console.Grant,
			Cause: console.Cause{Kind: console.CauseApproval, Evidence: console.EvidenceDecision}}, store.Circumstances{})
		return err
	})
	c.state(o.ID, console.Verified)
	pause := func(paused bool) {
		c.update(func(tx *store.Tx) error {
			con, err := tx.Connector(c.connector)
			if err != nil {
				return err
			}
			con.Paused = paused
			return tx.ChangeConnector(con)
		})
	}
	pause(true)
	c.wait("overdue access", func(tx *store.Tx) (bool, error) {
		a, err := tx.Access(c.app, account, e, time.Now())
		if a.Overdue != nil && (a.State(time.Now()) != console.StateOverdue || !strings.Contains(a.Overdue.Why, "paused")) {
			t.Errorf("%s, %+v", a.State(time.Now()), a.Overdue)
		}
		return a.Overdue != nil, err
	})
	if !c.member(adminGroup, u.ID) {
		t.Error("it was removed upstream all the same")
	}
	pause(false)
	c.state(c.newest(account, e, console.Revoke).ID, console.Verified)
	c.wait("drained", func(tx *store.Tx) (bool, error) {
		left, err := tx.CountOverdue(c.app)
		return left == 0, err
	})
	if c.member(adminGroup, u.ID) || c.events("access.overdue") != 1 || c.events("access.drained") != 1 {
		t.Errorf("member %v, overdue told %d times, drained %d times", c.member(adminGroup, u.ID), c.events("access.overdue"), c.events("access.drained"))
	}
}

// TestGuardOnEveryPath tries to remove the last administrator on each path that leads to a change:
// nothing is sent upstream, and an event records the denial.
func TestGuardOnEveryPath(t *testing.T) {
	c := newCourse(t)
	admins, _ := c.org.State().Group(adminGroup)
	last, e := admins.Members[0], c.group(adminGroup)
	account := c.account(last)
	minimum := func(n int) {
		c.update(func(tx *store.Tx) error {
			return tx.SetRoleMap(c.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{e}}}}, n)
		})
	}
	pauseWrites := func(paused bool) {
		c.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{Writes: paused}) })
	}
	// The other accounts have no owner, so they do not count.
	c.update(func(tx *store.Tx) error {
		p, err := tx.AddPerson(console.Person{Name: "The last one"})
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(account, p, store.OwnerSet)
	})
	if err := c.console.AskActions(t.Context(), c.caller, c.connector); err != nil {
		t.Fatal(err)
	}
	c.wait("the actions", func(*store.Tx) (bool, error) {
		v, err := c.console.Actions(t.Context(), c.caller, c.connector)
		return v.Known, err
	})
	minimum(1)
	// refused runs a command that a guard must refuse.
	refused := func(err error) {
		t.Helper()
		var r *console.Refusal
		if !errors.As(err, &r) || r.Guard != console.GuardAdmins {
			t.Errorf("%v, want a refusal by %s", err, console.GuardAdmins)
		}
	}
	// planned creates an allowed removal, and then makes it forbidden.
	planned := func() (o console.Operation) {
		minimum(0)
		pauseWrites(true)
		c.update(func(tx *store.Tx) (err error) {
			o, err = tx.CreateOperation(console.Operation{App: c.app, Connector: c.connector, Account: account, Entitlement: e, Verb: console.Revoke,
				Cause: console.Cause{Kind: console.CauseReview, Ref: "campaign", Evidence: console.EvidenceDecision}}, store.Circumstances{})
			return err
		})
		minimum(1)
		return o
	}
	cancelled := func(id console.ID) {
		if err := c.console.CancelOperation(t.Context(), c.caller, c.app, id, "test"); err != nil {
			t.Error(err)
		}
		pauseWrites(false)
	}
	for _, path := range []struct {
		name string
		try  func()
	}{
		{"by hand", func() {
			_, err := c.console.RemoveAccess(t.Context(), c.caller, c.app, account, e, "test")
			refused(err)
		}},
		{"account disable", func() {
			_, err := c.console.RemoveAccess(t.Context(), c.caller, c.app, account, console.AccountItself, "test")
			refused(err)
		}},
		{"action", func() {
			_, err := c.console.RunAction(t.Context(), c.caller, c.connector, "disable_user", "", map[string]string{"user_id": last}, "test")
			refused(err)
		}},
		{"retry", func() {
			o := planned()
			if err := c.console.DoByHand(t.Context(), c.caller, c.app, o.ID, "test"); err != nil {
				t.Fatal(err)
			}
			refused(c.console.RetryOperation(t.Context(), c.caller, c.app, o.ID))
			cancelled(o.ID)
		}},
		{"manual task", func() {
			o := planned()
			if err := c.console.DoByHand(t.Context(), c.caller, c.app, o.ID, "test"); err != nil {
				t.Fatal(err)
			}
			refused(c.console.DoneByHand(t.Context(), c.caller, c.app, o.ID, "test"))
			cancelled(o.ID)
		}},
		{"dispatch", func() {
			o := planned()
			pauseWrites(false)
			c.state(o.ID, console.Cancelled)
		}},
		{"expiry", func() {
			c.update(func(tx *store.Tx) error {
				_, err := tx.AddReason(console.Reason{App: c.app, Account: account, Entitlement: e, Kind: console.ReasonRequest, Until: time.Now().Add(300 * time.Millisecond)})
				return err
			})
			c.wait("overdue access", func(tx *store.Tx) (bool, error) {
				o, err := tx.Overdue(account, e)
				return o != nil && strings.Contains(o.Why, "minimum is 1"), err
			})
		}},
	} {
		writes, denied := c.writes(), c.events("operation.denied")
		path.try()
		if n := c.writes() - writes; n != 0 {
			t.Errorf("%s: %d changes upstream", path.name, n)
		}
		if n := c.events("operation.denied") - denied; n != 1 {
			t.Errorf("%s: denied %d times in events", path.name, n)
		}
	}
	if !c.member(adminGroup, last) {
		t.Error("the last administrator is gone")
	}

	// People cannot enable their own account, even with every right.
	own := c.outsider(adminGroup)
	c.update(func(tx *store.Tx) error {
		return tx.SetAccountOwner(c.account(own.ID), c.caller.Person.ID, store.OwnerSet)
	})
	var r *console.Refusal
	if _, err := c.console.EnableAccount(t.Context(), c.caller, c.app, c.account(own.ID), "test"); !errors.As(err, &r) || r.Guard != console.GuardSelf {
		t.Errorf("enabling the own account: %v", err)
	}
	if _, err := c.console.RunAction(t.Context(), c.caller, c.connector, "enable_user", "", map[string]string{"user_id": own.ID}, "test"); !errors.As(err, &r) || r.Guard != console.GuardSelf {
		t.Errorf("by an action: %v", err)
	}
}

// TestByHand disables an account with an action, like a person on a page, and removes access with a
// bar.
func TestByHand(t *testing.T) {
	c := newCourse(t)
	if err := c.console.AskActions(t.Context(), c.caller, c.connector); err != nil {
		t.Fatal(err)
	}
	c.wait("the actions", func(*store.Tx) (bool, error) {
		v, err := c.console.Actions(t.Context(), c.caller, c.connector)
		return v.Known, err
	})
	u := c.outsider(adminGroup)
	asked, err := c.console.RunAction(t.Context(), c.caller, c.connector, "disable_user", "", map[string]string{"user_id": u.ID}, "left the company")
	if err != nil || asked.Operation == "" {
		t.Fatalf("%+v, %v", asked, err)
	}
	if o := c.state(asked.Operation, console.Verified); o.Input.Why != "left the company" || o.Cause.By.Person() != c.caller.Person.ID {
		t.Errorf("%+v", o)
	}
	if now, _ := c.org.State().User(u.ID); now.Active {
		t.Error("it is active upstream")
	}
	back, err := c.console.EnableAccount(t.Context(), c.caller, c.app, c.account(u.ID), "is back")
	if err != nil {
		t.Fatal(err)
	}
	c.state(back, console.Verified)

	member, _ := c.org.State().Group("PPLX_Members")
	account, e := c.account(member.Members[0]), c.group("PPLX_Members")
	removed, err := c.console.RemoveAccess(t.Context(), c.caller, c.app, account, e, "not needed")
	if err != nil {
		t.Fatal(err)
	}
	c.state(removed.Operation, console.Verified)
	if c.member("PPLX_Members", member.Members[0]) {
		t.Error("it is still a member upstream")
	}
	c.view(func(tx *store.Tx) error {
		bar, err := tx.Bar(account, e)
		if bar == nil || bar.Why != "not needed" {
			t.Errorf("bar %+v", bar)
		}
		return err
	})
	if _, err := c.console.RemoveAccess(t.Context(), c.caller, c.app, account, e, ""); baton.KindOf(err) != baton.Invalid {
		t.Errorf("without a reason: %v", err)
	}
}
