package worker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/approve"
	"baton/console/notify"
	"baton/console/rpc"
	"baton/console/store"
)

// The acceptance checks of the research on governance that are about the course of access, by
// their numbers.

// dan gives an account to a person who may ask for the group staff without anybody deciding.
func (c *course) dan() (person, owner console.ID) {
	c.t.Helper()
	c.hello(false, rpc.CanProvision)
	c.update(func(tx *store.Tx) (err error) {
		if person, err = tx.AddPerson(console.Person{Name: "Dan"}); err != nil {
			return err
		}
		if owner, err = tx.AddPerson(console.Person{Name: "Olga"}); err != nil {
			return err
		}
		if err := tx.SetAccountOwner(c.account("dan"), person, store.OwnerSet); err != nil {
			return err
		}
		a, err := tx.App(c.app)
		if err != nil {
			return err
		}
		a.Owners = []console.ID{owner}
		if err := tx.ChangeApp(a); err != nil {
			return err
		}
		p, err := tx.AddPolicyVersion(console.Policy{Name: "At once", Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeApprove}}}, 0)
		if err != nil {
			return err
		}
		return tx.AddRequestSettings(console.SettingsVersion{App: c.app, Entitlement: c.member("staff"), Settings: console.RequestSettings{Policy: p.ID}})
	})
	return person, owner
}

// asks files a request for the group staff.
func (c *course) asks(person console.ID, lasts time.Duration) (r console.Request) {
	c.t.Helper()
	c.update(func(tx *store.Tx) (err error) {
		r, err = approve.File(tx, console.Request{Kind: console.RequestGrant, App: c.app, Entitlement: c.member("staff"), Subject: person, Requester: person,
			Term: console.Term{For: console.Duration(lasts)}, Why: "ticket 7"})
		return err
	})
	return c.requested(r.ID)
}

func (c *course) requested(id console.ID) (r console.Request) {
	c.t.Helper()
	c.view(func(tx *store.Tx) (err error) {
		r, err = tx.Request(id)
		return err
	})
	return r
}

func (c *course) view(fn func(*store.Tx) error) {
	c.t.Helper()
	if err := c.s.View(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

// writes leases what there is to do, lets syncs see the upstream, and returns the changes.
func (c *course) writes() (changes []rpc.Task) {
	c.t.Helper()
	for range 2 { // the host may be told to ask again at once
		for _, task := range c.lease() {
			if task.Work.Sync != nil {
				c.answerSync(task)
				continue
			}
			changes = append(changes, task)
		}
	}
	return changes
}

// write returns the one change that is expected.
func (c *course) write(step string) rpc.Task {
	c.t.Helper()
	changes := c.writes()
	if len(changes) != 1 {
		c.t.Fatalf("%s: %d changes: %+v", step, len(changes), changes)
	}
	return changes[0]
}

func (c *course) noWrite(step string) {
	c.t.Helper()
	if changes := c.writes(); len(changes) != 0 {
		c.t.Errorf("%s: %+v", step, changes)
	}
}

// does lets the connector carry out a change, and a sync prove it. It returns when the
// connector said that it was done.
func (c *course) does(task rpc.Task) (effect time.Time) {
	c.t.Helper()
	c.carryOut(task)
	c.advance(time.Second)
	effect = c.now
	c.finish(task, rpc.Result{})
	c.work()
	c.noWrite("the proof")
	return effect
}

func (c *course) granted() (effect time.Time) {
	c.t.Helper()
	return c.does(c.write("the grant"))
}

// found returns the events of a kind.
func (c *course) found(kind string) (all []store.Event) {
	c.t.Helper()
	c.view(func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{App: c.app}, 0, store.PageSize)
		for _, e := range events {
			if e.Kind == kind {
				all = append(all, e)
			}
		}
		return err
	})
	return all
}

// tells returns who is told of an event, and the first notice.
func (c *course) tells(e store.Event) (people []console.ID, n console.Notice) {
	c.t.Helper()
	c.view(func(tx *store.Tx) error {
		all, err := notify.Notices(e.Number, e.Event, tx)
		for _, one := range all {
			people, n = append(people, one.Person), one
		}
		return err
	})
	return people, n
}

// TestAcceptance3OverlappingRequests has two requests for one and three hours that overlap:
// access ends once, after three hours.
func TestAcceptance3OverlappingRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		person, _ := c.dan()
		short, long := c.asks(person, time.Hour), c.asks(person, 3*time.Hour)
		if short.Operation == "" || short.Operation != long.Operation {
			t.Fatalf("one grant for both: %+v, %+v", short, long)
		}
		effect := c.granted()
		for _, id := range []console.ID{short.ID, long.ID} {
			if r := c.requested(id); r.Outcome != console.OutcomeGranted {
				t.Errorf("%+v", r)
			}
		}
		for _, after := range []time.Duration{time.Hour, 2 * time.Hour, 3*time.Hour - time.Minute} {
			c.now = effect.Add(after)
			c.work()
			c.noWrite("before its end")
		}
		c.now = effect.Add(3 * time.Hour)
		c.work()
		task := c.write("its end")
		if task.Work.Revoke == nil {
			t.Fatalf("%+v", task)
		}
		c.does(task)
		for range 3 {
			c.advance(time.Hour)
			c.work()
			c.noWrite("after its end")
		}
		c.view(func(tx *store.Tx) error {
			a, err := tx.Access(c.app, c.account("dan"), c.member("staff"), c.now)
			if got := a.State(c.now); got != console.StateNone {
				t.Errorf("the access is %s", got)
			}
			return err
		})
		if c.changes != 2 || slices.Contains(c.up.members["staff"], "dan") {
			t.Errorf("%d changes upstream, members %q", c.changes, c.up.members["staff"])
		}
	})
}

// TestAcceptance5CameBack removes access that something else puts back: within one sync it is
// said, and told, that it came back. After the second time the console stops and says so.
func TestAcceptance5CameBack(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		x.s.SetMasters(func(string, string) string { return "Okta" })
		c := newCourse(x)
		_, owner := c.dan()
		for n := 1; n <= 2; n++ {
			o := c.create(c.op("cem", "staff", console.Revoke))
			c.does(c.write("the removal"))
			c.want("removed", o.ID, console.Verified)
			if len(c.found("access.came-back")) != n-1 {
				t.Error("it is told before it came back")
			}
			c.up.members["staff"] = []string{"cem"}
			c.sync()
			c.view(func(tx *store.Tx) error {
				a, err := tx.Access(c.app, c.account("cem"), c.member("staff"), c.now)
				if got := a.State(c.now); got != console.StateCameBack {
					t.Errorf("after one sync the access is %s", got)
				}
				return err
			})
			back := c.found("access.came-back")
			if len(back) != n {
				t.Fatalf("told %d times, want %d", len(back), n)
			}
			people, notice := c.tells(back[n-1])
			if !slices.Equal(people, []console.ID{owner}) || strings.Contains(notice.Text, "Remove it in Okta") != (n == 2) {
				t.Errorf("told %v: %s", people, notice.Text)
			}
			c.sync()
			if len(c.found("access.came-back")) != n {
				t.Error("it is told again although nothing happened")
			}
		}
		err := c.s.Update(t.Context(), console.By{At: c.now, Actor: console.Console}, func(tx *store.Tx) error {
			_, err := tx.CreateOperation(c.op("cem", "staff", console.Revoke), store.Circumstances{})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "2 times") || !strings.Contains(err.Error(), "Okta") {
			t.Errorf("the third removal: %v", err)
		}
	})
}

// TestAcceptance8LostAnswer drops the answer to a grant that was made: a sync verifies it, and
// nothing is sent a second time.
func TestAcceptance8LostAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		person, _ := c.dan()
		r := c.asks(person, 3*time.Hour)
		c.carryOut(c.write("the grant")) // and its answer is lost
		for _, after := range []time.Duration{console.UnknownAfter, console.AskAfter - console.UnknownAfter} {
			c.advance(after)
			c.work()
		}
		began := c.now
		c.noWrite("a sync is asked for")
		c.want("reconciled", r.Operation, console.Verified)
		if got := c.requested(r.ID); got.Outcome != console.OutcomeGranted {
			t.Errorf("%+v", got)
		}
		c.view(func(tx *store.Tx) error {
			reason, err := tx.Reason(c.requested(r.ID).Reason)
			if end := reason.Until.Sub(began.Add(3 * time.Hour)); end < -time.Minute || end > time.Minute {
				t.Errorf("it ends %v, and the sync that shows it began %v", reason.Until, began)
			}
			return err
		})
		c.advance(time.Hour) // the lease ends
		c.expireLeases()
		c.work()
		c.noWrite("after the lease has ended")
		if c.changes != 1 {
			t.Errorf("%d changes upstream", c.changes)
		}
	})
}

// TestAcceptance12AwayAtExpiry stops the console for two hours around the end of an access:
// when it runs again, it removes the access, says that this is late, and tells the owner.
func TestAcceptance12AwayAtExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		person, owner := c.dan()
		c.asks(person, time.Hour)
		effect := c.granted()
		c.now = effect.Add(3 * time.Hour) // it does not run
		c.w = New(c.w.Config)
		c.work()
		late := c.found("access.overdue")
		if len(late) != 1 {
			t.Fatalf("told %d times that it is overdue", len(late))
		}
		people, notice := c.tells(late[0])
		if !slices.Equal(people, []console.ID{owner}) || !strings.Contains(notice.Text, "2 hours late") {
			t.Errorf("told %v: %s", people, notice.Text)
		}
		task := c.write("the removal")
		if task.Work.Revoke == nil {
			t.Fatalf("%+v", task)
		}
		c.view(func(tx *store.Tx) error {
			a, err := tx.Access(c.app, c.account("dan"), c.member("staff"), c.now)
			if a.Operation == nil || time.Duration(a.Operation.Input.Late) != 2*time.Hour || !strings.Contains(a.Operation.Sentence(c.now), "2 hours late") || a.State(c.now) != console.StateOverdue {
				t.Errorf("%s, %+v", a.State(c.now), a.Operation)
			}
			return err
		})
		c.does(task)
		if len(c.found("access.drained")) != 1 || len(c.found("access.overdue")) != 1 || c.changes != 2 {
			t.Errorf("drained %d times, told %d times, %d changes", len(c.found("access.drained")), len(c.found("access.overdue")), c.changes)
		}

		// What is removed in time is not late.
		c.asks(person, time.Hour)
		effect = c.granted()
		c.now = effect.Add(time.Hour)
		c.work()
		c.view(func(tx *store.Tx) error {
			a, err := tx.Access(c.app, c.account("dan"), c.member("staff"), c.now)
			if a.Operation == nil || a.Operation.Input.Late != 0 || a.Overdue != nil {
				t.Errorf("in time: %+v, %+v", a.Operation, a.Overdue)
			}
			return err
		})
	})
}

// TestFailedForGood lets the connector fail for good: the request says that an owner has to
// make the change by hand, both are told, and it ends with what the owner does about it.
func TestFailedForGood(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		person, owner := c.dan()
		fail := func() console.Request {
			t.Helper()
			r := c.asks(person, time.Hour)
			c.finish(c.write("the grant"), rpc.Result{Code: 7, Message: "403 forbidden", NonRetryable: true})
			c.want("failed for good", r.Operation, console.Manual)
			return c.requested(r.ID)
		}
		r := fail()
		manual, byHand := c.found("operation.manual"), c.found("request.by-hand")
		if len(manual) != 1 || len(byHand) != 1 || r.State != console.RequestCarrying {
			t.Fatalf("%d and %d events; %+v", len(manual), len(byHand), r)
		}
		if people, n := c.tells(manual[0]); !slices.Equal(people, []console.ID{owner}) || !strings.Contains(n.Text, "403 forbidden") || !strings.Contains(n.Path, string(r.Operation)) {
			t.Errorf("the owner: %v, %+v", people, n)
		}
		if people, n := c.tells(byHand[0]); !slices.Equal(people, []console.ID{person}) || !strings.Contains(n.Text, "403 forbidden") {
			t.Errorf("the requester: %v, %+v", people, n)
		}
		o := c.get(r.Operation)
		if got := o.Sentence(c.now); !strings.Contains(got, "Waits for a person") || !strings.Contains(got, "403 forbidden") {
			t.Errorf("%q", got)
		}
		if steps := o.Steps(console.Names{App: "app", Account: "dan", Entitlement: "staff member"}); len(steps) < 3 || !strings.Contains(strings.Join(steps, " "), "staff member") {
			t.Errorf("%q", steps)
		}

		// The owner does not make it: the request ends, and both are told.
		c.update(func(tx *store.Tx) error { return tx.CancelOperation(o.ID, "dan is in another team") })
		if r = c.requested(r.ID); r.Outcome != console.OutcomeError || !strings.Contains(r.OutcomeWhy, "dan is in another team") {
			t.Errorf("%+v", r)
		}
		ended := c.found("request.error")
		if people, _ := c.tells(ended[0]); len(ended) != 1 || !slices.Contains(people, person) || !slices.Contains(people, owner) {
			t.Errorf("told of the end: %v", people)
		}

		// The owner makes it: a sync proves it, and the request is granted.
		r = fail()
		c.update(func(tx *store.Tx) error { return tx.DoneByHand(r.Operation, "in the admin console") })
		c.up.members["staff"] = append(c.up.members["staff"], "dan")
		c.advance(time.Second)
		c.work()
		c.noWrite("the proof")
		if r = c.requested(r.ID); r.Outcome != console.OutcomeGranted {
			t.Errorf("%+v", r)
		}

		// Its end cannot be carried out either: overdue, and told.
		c.view(func(tx *store.Tx) error {
			reason, err := tx.Reason(r.Reason)
			c.now = reason.Until
			return err
		})
		c.work()
		c.finish(c.write("the end"), rpc.Result{Code: 9, Message: "no", Refusal: "not on a Friday", NonRetryable: true})
		overdue := c.found("access.overdue")
		if len(overdue) != 1 {
			t.Fatalf("told %d times that it is overdue", len(overdue))
		}
		if people, n := c.tells(overdue[0]); !slices.Equal(people, []console.ID{owner}) || !strings.Contains(n.Text, "not on a Friday") {
			t.Errorf("%v: %s", people, n.Text)
		}
		for range 3 { // what was refused is not asked for again at once
			c.advance(console.RetryOverdue)
			c.work()
			c.noWrite("refused a moment ago")
		}
		c.advance(time.Hour)
		c.work()
		if task := c.write("an hour later"); task.Work.Revoke == nil {
			t.Errorf("%+v", task)
		}
	})
}

// TestMissingOnce lets an account be missing from one sync: its access that runs out is not
// taken for gone, and is removed when the account is shown again.
func TestMissingOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		c := newCourse(x)
		person, _ := c.dan()
		c.asks(person, time.Hour)
		effect := c.granted()
		dan, staff := c.account("dan"), c.member("staff")
		status, members := c.up.accounts["dan"], c.up.members["staff"]
		delete(c.up.accounts, "dan")
		c.up.members["staff"] = []string{"cem"}
		c.sync()
		c.now = effect.Add(time.Hour)
		c.work()
		c.view(func(tx *store.Tx) error {
			o, err := tx.Overdue(dan, staff)
			if o == nil || !strings.Contains(o.Why, "no evidence") {
				t.Errorf("%+v", o)
			}
			return err
		})
		c.up.accounts["dan"], c.up.members["staff"] = status, members
		c.sync()
		c.advance(console.RetryOverdue)
		c.work()
		task := c.write("it is shown again")
		if task.Work.Revoke == nil {
			t.Fatalf("%+v", task)
		}
		c.does(task)
		c.view(func(tx *store.Tx) error {
			n, err := tx.CountOverdue(c.app)
			if n != 0 {
				t.Error("it is still overdue")
			}
			return err
		})

		// Two syncs without it are evidence.
		delete(c.up.accounts, "dan")
		c.sync()
		missing := func() (m bool) {
			c.view(func(tx *store.Tx) (err error) {
				m, err = tx.Missing(dan)
				return err
			})
			return m
		}
		if !missing() {
			t.Error("one sync is taken for evidence")
		}
		c.sync()
		if missing() {
			t.Error("two syncs are no evidence")
		}
	})
}
