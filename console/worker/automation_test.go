package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/automate"
	"baton/console/condition"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// robots is a course with automations, and people who own the accounts.
type robots struct {
	*course
	people map[string]console.ID
	boss   console.ID // author of the automations, and an owner of the app
	second console.ID // publisher
}

func newRobots(x *world) *robots {
	r := &robots{course: newCourse(x), people: map[string]console.ID{}}
	if err := r.w.Prepare(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.hello(false, rpc.CanRunActions)
	r.update(func(tx *store.Tx) (err error) {
		for _, name := range []string{"ana", "ben", "cem", "dan", "boss", "second"} {
			if r.people[name], err = tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@example.test"}}); err != nil {
				return err
			}
		}
		r.boss, r.second = r.people["boss"], r.people["second"]
		a, err := tx.App(r.app)
		if err != nil {
			return err
		}
		a.Owners = []console.ID{r.boss, r.second}
		return tx.ChangeApp(a)
	})
	for _, name := range []string{"ana", "ben", "cem", "dan"} {
		r.update(func(tx *store.Tx) error {
			return tx.SetAccountOwner(r.account(name), r.people[name], store.OwnerSet)
		})
	}
	r.offer(rpc.Action{Name: "disable_user", Types: []baton.ActionType{baton.ActionAccountDisable}, Arguments: []rpc.Field{{Name: "user_id", Kind: rpc.StringField, Required: true}}},
		rpc.Action{Name: "enable_user", Types: []baton.ActionType{baton.ActionAccountEnable}, Arguments: []rpc.Field{{Name: "user_id", Kind: rpc.StringField, Required: true}}},
		rpc.Action{Name: "wipe", Arguments: []rpc.Field{{Name: "who", Kind: rpc.StringField, Required: true}}})
	for range 3 { // what happened before is read
		r.work()
		r.follow()
	}
	return r
}

// offer lets the connector say which actions it has.
func (r *robots) offer(actions ...rpc.Action) {
	r.t.Helper()
	r.update(func(tx *store.Tx) error { return rpcstore.AskActions(tx, string(r.connector.ID)) })
	task := r.take("the question about actions")
	r.finish(task, rpc.Result{Actions: actions})
}

// follow lets the readers of events read all of them.
func (r *robots) follow() {
	r.t.Helper()
	for _, x := range r.w.readers() {
		for more := true; more; {
			var err error
			if more, err = r.w.readEvents(r.t.Context(), x); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// runs works until nothing is due any more.
func (r *robots) runs() {
	r.t.Helper()
	for range 12 {
		r.work()
		r.follow()
	}
	r.quiet()
}

// publish publishes an automation of the boss.
func (r *robots) publish(name string, rule console.AutomationRule) console.ID {
	r.t.Helper()
	if err := rule.CheckDraft(condition.CheckAutomation); err != nil {
		r.t.Fatal(err)
	}
	if err := rule.CheckComplete(); err != nil {
		r.t.Fatal(err)
	}
	var a console.Automation
	r.update(func(tx *store.Tx) (err error) {
		if a, err = tx.AddAutomation(console.Automation{App: r.app, Name: name, Owner: r.boss, Author: r.boss, Draft: rule}); err != nil {
			return err
		}
		_, err = tx.PublishAutomation(a.ID, 1, r.second)
		return err
	})
	return a.ID
}

// starts runs an automation on demand for an account.
func (r *robots) starts(automation console.ID, account string) (x console.AutomationExecution) {
	r.t.Helper()
	err := r.s.Update(r.t.Context(), console.By{At: r.now, Actor: console.ByPerson(r.boss)}, func(tx *store.Tx) error {
		a, err := tx.Automation(automation)
		if err != nil {
			return err
		}
		v, err := tx.AutomationVersion(automation, a.Published)
		if err != nil {
			return err
		}
		if x = (console.AutomationExecution{}); account != "" {
			x.Account, x.Person = r.account(account), r.people[account]
		}
		x, err = automate.RunNow(tx, v, x)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return x
}

func (r *robots) execution(id console.ID) (x console.AutomationExecution, steps []console.AutomationStepRun) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) {
		if x, err = tx.Execution(id); err == nil {
			steps, err = tx.AutomationSteps(id)
		}
		return err
	})
	return x, steps
}

func (r *robots) ended(step string, id console.ID, state console.ExecutionState, why string) console.AutomationExecution {
	r.t.Helper()
	x, steps := r.execution(id)
	if x.State != state || !strings.Contains(x.Why+x.Waits, why) {
		r.t.Errorf("%s: %s, %q, %q; want %s, %q; %+v", step, x.State, x.Why, x.Waits, state, why, steps)
	}
	return x
}

func (r *robots) automation(id console.ID) (a console.Automation) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) { a, err = tx.Automation(id); return err })
	return a
}

// executions returns the executions of an automation, the oldest first.
func (r *robots) executions(id console.ID) (all []console.AutomationExecution) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) {
		all, err = tx.Executions(id, "", store.ExecutionBefore{}, store.PageSize)
		return err
	})
	slices.Reverse(all)
	return all
}

// carries lets the connector carry out whatever is queued, and a sync show it.
func (r *robots) carries() (n int) {
	r.t.Helper()
	for range 8 {
		for _, task := range r.lease() {
			switch w := task.Work; {
			case w.Sync != nil:
				r.answerSync(task)
				continue
			case w.RunAction != nil:
				n++
				r.act(*w.RunAction)
			default:
				n++
				r.carryOut(task)
			}
			r.finish(task, rpc.Result{})
		}
		r.advance(time.Second)
		r.runs()
	}
	return n
}

// act carries out an action upstream.
func (r *robots) act(w rpc.RunActionWork) {
	id, _ := w.Arguments["user_id"].(string)
	switch w.Name {
	case "disable_user":
		r.up.accounts[id] = baton.StatusDisabled
	case "enable_user":
		r.up.accounts[id] = baton.StatusEnabled
	}
	r.changes++
}

func demand(steps ...console.AutomationStep) console.AutomationRule {
	return console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerOnDemand}, Steps: steps}
}

func (r *robots) disables() console.AutomationStep {
	return console.AutomationStep{ID: "disable", Kind: console.StepAction, Connector: r.connector.ID, Action: "disable_user", Fields: map[string]string{"user_id": "=account.id"}}
}

// dry returns the list of a dry run for an account.
func (r *robots) dry(id console.ID, account string) (list []byte) {
	r.t.Helper()
	err := r.s.Update(r.t.Context(), console.By{At: r.now, Actor: console.ByPerson(r.boss)}, func(tx *store.Tx) error {
		a, err := tx.Automation(id)
		if err != nil {
			return err
		}
		v, err := tx.AutomationVersion(id, a.Published)
		if err != nil {
			return err
		}
		steps, err := automate.DryRun(tx, a, v, console.AutomationExecution{Account: r.account(account), Person: r.people[account], Trigger: console.TriggerData{Kind: console.TriggerOnDemand}})
		if err != nil {
			return err
		}
		var all []console.AutomationChange
		for _, s := range steps {
			all = append(all, s.Changes...)
		}
		list = console.ChangeList(all)
		return automate.ErrDry
	})
	if err != automate.ErrDry {
		r.t.Fatal(err)
	}
	return list
}

func (r *robots) list(execution console.ID) (list []byte) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		all, err := automate.Changes(tx, execution)
		list = console.ChangeList(all)
		return err
	})
	return list
}

// TestDryRun compares the list of a dry run with that of the run that follows, byte by byte. The dry
// run changes nothing and sends nothing.
func TestDryRun(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		r := newRobots(x)
		child := r.publish("child", demand(console.AutomationStep{ID: "staff", Kind: console.StepRevoke, Entitlement: r.member("staff")}, console.AutomationStep{ID: "again", Kind: console.StepRevoke, Entitlement: r.member("admins")}))
		for _, tt := range []struct {
			name, account string
			steps         []console.AutomationStep
			changes       int
			want          string // part of the list
		}{
			{"an action", "dan", []console.AutomationStep{r.disables()}, 1, `"action":"disable_user"`},
			{"what is so already", "dan", []console.AutomationStep{r.disables()}, 0, `"nothing":"The account is disabled already."`},
			{"a grant, a mail, a wait and a child", "cem", []console.AutomationStep{
				{ID: "give", Kind: console.StepGrant, Entitlement: r.member("admins"), For: console.Duration(time.Hour)},
				{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Minute)},
				{ID: "tell", Kind: console.StepMail, To: console.MailSubject, Subject: "=\"Hello \" + subject.name", Text: "Bye."},
				{ID: "if", Kind: console.StepCondition, When: `steps.give.state == "verified" && subject.name == "cem"`},
				{ID: "skipped", Kind: console.StepDisable, Skip: "account.login != \"\""},
				{ID: "run", Kind: console.StepRun, Automation: child}}, 3, `"do":"run"`},
			{"a refusal", "ana", []console.AutomationStep{{ID: "first", Kind: console.StepRevoke, Entitlement: r.member("admins")}, r.disables()}, 0, `"refused":"It would leave`},
			{"a condition that ends it", "ben", []console.AutomationStep{{ID: "if", Kind: console.StepCondition, When: "false"}, r.disables()}, 0, ""},
		} {
			if tt.name == "a refusal" {
				r.minimum(2)
			}
			before := len(r.events())
			id := r.publish(tt.name, demand(tt.steps...))
			dry := r.dry(id, tt.account)
			if again := r.dry(id, tt.account); string(again) != string(dry) {
				t.Errorf("%s: two dry runs differ:\n%s%s", tt.name, dry, again)
			}
			if r.nothing(tt.name); len(r.events()) != before {
				t.Errorf("%s: the dry run changed something", tt.name)
			}
			x := r.starts(id, tt.account)
			r.runs()
			n := r.carries()
			r.advance(2 * time.Minute)
			r.runs()
			n += r.carries()
			if list := r.list(x.ID); string(list) != string(dry) || !strings.Contains(string(list), tt.want) {
				t.Errorf("%s: the dry run has\n%sthe run has\n%s", tt.name, dry, list)
			}
			if n != tt.changes {
				t.Errorf("%s: %d changes, want %d", tt.name, n, tt.changes)
			}
		}
	})
}

// minimum sets the minimum of administrators of the app.
func (r *robots) minimum(n int) {
	r.t.Helper()
	admins := console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{r.member("admins")}}}}
	r.update(func(tx *store.Tx) error { return tx.SetRoleMap(r.app, admins, n) })
}

// TestLastAdmin lets automations try to disable the last administrators in every way they have. Each
// is refused every time, the circuit breaker trips, and nobody is locked out.
func TestLastAdmin(t *testing.T) {
	ways := map[string]func(*robots) console.AutomationRule{
		"the action of the connector": func(r *robots) console.AutomationRule { return demand(r.disables()) },
		"another action on the account": func(r *robots) console.AutomationRule {
			return demand(console.AutomationStep{ID: "wipe", Kind: console.StepAction, Connector: r.connector.ID, Action: "wipe", Fields: map[string]string{"who": "=account.id"}})
		},
		"an action on a named account": func(r *robots) console.AutomationRule {
			return demand(console.AutomationStep{ID: "wipe", Kind: console.StepAction, Connector: r.connector.ID, Action: "wipe", Fields: map[string]string{"who": "ana"}})
		},
		"a revocation": func(r *robots) console.AutomationRule {
			return demand(console.AutomationStep{ID: "revoke", Kind: console.StepRevoke, Entitlement: r.member("admins")})
		},
		"disabling": func(r *robots) console.AutomationRule {
			return demand(console.AutomationStep{ID: "off", Kind: console.StepDisable})
		},
		"after a wait": func(r *robots) console.AutomationRule {
			return demand(console.AutomationStep{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Second)}, console.AutomationStep{ID: "off", Kind: console.StepDisable})
		},
		"another automation": func(r *robots) console.AutomationRule {
			inner := r.publish("inner", demand(r.disables()))
			middle := r.publish("middle", demand(console.AutomationStep{ID: "run", Kind: console.StepRun, Automation: inner}))
			return demand(console.AutomationStep{ID: "run", Kind: console.StepRun, Automation: middle})
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			r := newRobots(newWorld(t))
			r.minimum(2)
			id := r.publish("attack", way(r))
			for range 2 { // also after somebody resumed it
				x := r.starts(id, "ana")
				r.runs()
				r.advance(2 * time.Second)
				r.runs()
				if n := r.carries(); n != 0 {
					t.Fatalf("%d changes were made", n)
				}
				r.ended("the attack", x.ID, console.ExecutionFailed, "minimum is 2")
				tripped := r.tripped()
				if len(tripped) != 1 {
					t.Errorf("%d automations are stopped: %+v", len(tripped), tripped)
				}
				for _, a := range tripped {
					r.update(func(tx *store.Tx) error { return tx.SetAutomationState(a.ID, console.AutomationOn, "") })
				}
			}
			if r.up.accounts["ana"] != 1 || r.up.accounts["ben"] != 1 || !slices.Equal(r.up.members["admins"], []string{"ana", "ben"}) {
				t.Errorf("upstream: %+v", r.up)
			}
		})
	}
	t.Run("a thousand at once", func(t *testing.T) {
		r := newRobots(newWorld(t))
		r.minimum(2)
		rule := demand(r.disables())
		rule.Limits = console.AutomationLimits{Runs: 10000, Changes: 10000} // not what stops it
		id := r.publish("attack", rule)
		var all []console.AutomationExecution
		for i := range 1000 {
			all = append(all, r.starts(id, []string{"ana", "ben"}[i%2]))
		}
		for range 120 {
			r.work()
		}
		r.runs()
		if n := r.carries(); n != 0 {
			t.Fatalf("%d changes were made", n)
		}
		counts := map[console.ExecutionState]int{}
		for _, x := range all {
			x, _ := r.execution(x.ID)
			counts[x.State]++
		}
		if counts[console.ExecutionFailed] == 0 || counts[console.ExecutionFailed] > 20 || counts[console.ExecutionHeld] != 1000-counts[console.ExecutionFailed] || r.automation(id).State != console.AutomationTripped {
			t.Errorf("%v, %+v", counts, r.automation(id))
		}
		// Whoever lets them run all the same locks nobody out.
		r.update(func(tx *store.Tx) error {
			if err := tx.SetAutomationState(id, console.AutomationOn, ""); err != nil {
				return err
			}
			_, err := tx.ReleaseHeld(id, true, "", 1000)
			return err
		})
		for range 120 {
			r.work()
		}
		if r.runs(); r.carries() != 0 || r.automation(id).State != console.AutomationTripped {
			t.Errorf("%+v", r.automation(id))
		}
	})
	t.Run("a loop", func(t *testing.T) {
		r := newRobots(newWorld(t))
		r.minimum(2)
		first := r.publish("first", demand(r.disables()))
		second := r.publish("second", demand(console.AutomationStep{ID: "run", Kind: console.StepRun, Automation: first}))
		r.update(func(tx *store.Tx) error {
			a, err := tx.Automation(first)
			if err != nil {
				return err
			}
			a.Draft = demand(console.AutomationStep{ID: "run", Kind: console.StepRun, Automation: second}, r.disables())
			if err := tx.ChangeAutomation(a); err != nil {
				return err
			}
			_, err = tx.PublishAutomation(first, a.Version+1, r.second)
			return err
		})
		x := r.starts(first, "ana")
		r.runs()
		r.ended("the loop", x.ID, console.ExecutionFailed, "the same automation")
		if n := r.carries(); n != 0 || len(r.executions(first)) != 1 || len(r.executions(second)) != 1 {
			t.Errorf("%d changes, %d and %d runs", n, len(r.executions(first)), len(r.executions(second)))
		}
	})
}

func (r *robots) tripped() (all []console.Automation) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		rows, err := tx.Automations("")
		for _, a := range rows {
			if a.State == console.AutomationTripped {
				all = append(all, a)
			}
		}
		return err
	})
	return all
}

// TestBreaker lets an automation exceed its limits: the rest waits until somebody lets it run or
// cancels it.
func TestBreaker(t *testing.T) {
	for name, limits := range map[string]console.AutomationLimits{"runs": {Runs: 2}, "changes": {Changes: 2}} {
		t.Run(name, func(t *testing.T) {
			r := newRobots(newWorld(t))
			rule := demand(r.disables())
			rule.Limits = limits
			id := r.publish("breaker", rule)
			var all []console.AutomationExecution
			for _, who := range []string{"ana", "ben", "cem", "dan"} {
				all = append(all, r.starts(id, who))
				r.advance(time.Second)
			}
			r.runs()
			if n := r.carries(); n != 2 {
				t.Errorf("%d changes, want 2", n)
			}
			if a := r.automation(id); a.State != console.AutomationTripped || !strings.Contains(a.Why, "more than 2") {
				t.Errorf("%+v", a)
			}
			counts := func(step string, done int) {
				t.Helper()
				got := map[console.ExecutionState]int{}
				for _, x := range all {
					x, _ := r.execution(x.ID)
					got[x.State]++
					if x.State == console.ExecutionHeld && !strings.Contains(x.Waits, "more than 2") {
						t.Errorf("%s: it waits because %q", step, x.Waits)
					}
				}
				if want := map[console.ExecutionState]int{console.ExecutionDone: done, console.ExecutionHeld: 4 - done}; !maps.Equal(got, want) {
					t.Errorf("%s: %v, want %v", step, got, want)
				}
			}
			counts("up to the limit", 2)
			if len(r.found("automation.tripped")) != 1 {
				t.Error("it is told more than once, or not")
			}
			r.update(func(tx *store.Tx) error {
				if err := tx.SetAutomationState(id, console.AutomationOn, ""); err != nil {
					return err
				}
				_, err := tx.ReleaseHeld(id, true, "", 1)
				return err
			})
			r.runs()
			if n := r.carries(); n != 1 {
				t.Errorf("%d changes after the confirmation of one, want 1", n)
			}
			counts("after the confirmation of one", 3)
			r.update(func(tx *store.Tx) error {
				_, err := tx.ReleaseHeld(id, false, "not needed", 9)
				return err
			})
			r.runs()
			if n := r.carries(); n != 0 {
				t.Errorf("%d changes after the rest was cancelled", n)
			}
		})
	}
}

// TestTriggers fires every kind of triggers that events and syncs fire, and lets an automation not
// react to its own effects.
func TestTriggers(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		r := newRobots(x)
		tell := []console.AutomationStep{{ID: "tell", Kind: console.StepCondition, When: "true"}}
		on := map[string]console.ID{}
		for name, tr := range map[string]console.AutomationTrigger{
			"person created":   {Kind: console.TriggerPersonCreated},
			"person changed":   {Kind: console.TriggerPersonChanged},
			"person disabled":  {Kind: console.TriggerPersonDisabled, When: `account.id != ""`},
			"account created":  {Kind: console.TriggerAccountCreated},
			"account changed":  {Kind: console.TriggerAccountChanged},
			"account disabled": {Kind: console.TriggerAccountDisabled},
			"grant found":      {Kind: console.TriggerGrantFound, Entitlement: r.member("admins")},
			"unexplained":      {Kind: console.TriggerGrantFound, Entitlement: r.member("staff"), Origin: console.OriginUnexplained},
			"explained":        {Kind: console.TriggerGrantFound, Entitlement: r.member("staff"), Origin: console.OriginExplained},
			"grant gone":       {Kind: console.TriggerGrantGone, When: `trigger.entitlement == "group:staff:member"`},
			"a wrong one":      {Kind: console.TriggerAccountCreated, When: `message.nothing == 1`},
		} {
			on[name] = r.publish(name, console.AutomationRule{Trigger: tr, Steps: tell})
		}
		ran := func(step string, want map[string]string) {
			t.Helper()
			r.runs()
			for name, id := range on {
				var got []string
				for _, x := range r.executions(id) {
					for who, person := range r.people {
						if x.Person == person {
							got = append(got, who)
						}
					}
					if x.Person == "" {
						got = append(got, fmt.Sprint(x.State))
					}
				}
				slices.Sort(got)
				if all := strings.Join(got, " "); all != want[name] {
					t.Errorf("%s: %s ran for %q, want %q", step, name, all, want[name])
				}
			}
		}
		ran("nothing happened", nil)

		r.update(func(tx *store.Tx) (err error) {
			r.people["eva"], err = tx.AddPerson(console.Person{Name: "eva", Emails: []string{"eva@example.test"}})
			return err
		})
		leaves := func(who string) {
			r.update(func(tx *store.Tx) error {
				p, err := tx.Person(r.people[who])
				p.Status = console.PersonDisabled
				if err == nil {
					err = tx.ChangePerson(p)
				}
				return err
			})
		}
		leaves("dan")
		leaves("eva") // who has no account
		want := map[string]string{"person created": "eva", "person disabled": "dan"}
		ran("people", want)

		// A grant that nobody asked for, one that an operation made, a disabled account and a new one.
		o := r.create(r.op("ana", "staff", console.Grant))
		task := r.take("the grant")
		r.carryOut(task)
		r.finish(task, rpc.Result{})
		r.up.members["staff"] = append(r.up.members["staff"], "ben")
		r.up.members["admins"] = append(r.up.members["admins"], "cem")
		r.up.accounts["dan"] = baton.StatusDisabled
		r.up.accounts["new"] = baton.StatusEnabled
		r.sync()
		r.want("the grant", o.ID, console.Verified)
		want["grant found"], want["explained"], want["unexplained"] = "cem", "ana", "ben"
		want["account disabled"], want["account changed"], want["account created"], want["a wrong one"] = "dan", "dan", "done", "failed"
		ran("a sync", want)

		// What a sync does not show any more, with its account, is no evidence.
		r.up.members["staff"] = []string{"cem"}
		r.up.members["admins"] = []string{"ben", "cem"}
		delete(r.up.accounts, "ana")
		r.sync()
		want["grant gone"] = "ben"
		ran("another sync", want)

		// The same sync fires nothing twice.
		r.update(func(tx *store.Tx) error {
			all, err := tx.Syncs(r.connector.ID, store.SyncBefore{}, 1)
			if err != nil {
				return err
			}
			return tx.DueBy(console.DueTriggers, string(all[0].ID), r.now)
		})
		ran("the same sync again", want)
	})
}

// TestOwnEcho lets a grant that an automation made be found by a sync: the automation does not react to
// it, another one does.
func TestOwnEcho(t *testing.T) {
	r := newRobots(newWorld(t))
	found := console.AutomationTrigger{Kind: console.TriggerGrantFound}
	own := r.publish("own", console.AutomationRule{Trigger: found, Steps: []console.AutomationStep{{ID: "more", Kind: console.StepGrant, Entitlement: r.member("admins")}}})
	other := r.publish("other", console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerGrantFound, Entitlement: r.member("admins")}, Steps: []console.AutomationStep{{ID: "if", Kind: console.StepCondition, When: "true"}}})
	r.up.members["staff"] = append(r.up.members["staff"], "dan")
	r.sync()
	r.runs()
	if n := r.carries(); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	if mine, others := r.executions(own), r.executions(other); len(mine) != 1 || len(others) != 1 || !slices.Equal(others[0].Chain, []console.ID{own, other}) {
		t.Errorf("%d runs, %+v", len(mine), others)
	}
}

// TestWebhookTrigger starts an automation with messages of an incoming webhook, hostile ones included.
func TestWebhookTrigger(t *testing.T) {
	r := newRobots(newWorld(t))
	var hook console.ID
	r.update(func(tx *store.Tx) (err error) {
		hook, err = tx.AddHook(console.Hook{Name: "HR"}, baton.NewSecret("whsec_x"))
		return err
	})
	id := r.publish("hook", console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerWebhook, Hook: hook, Person: "message.user.email", When: `message.type == "user.left"`}, Steps: []console.AutomationStep{r.disables()}})
	n := 0
	receive := func(body string) {
		t.Helper()
		n++
		r.update(func(tx *store.Tx) error {
			_, err := tx.ReceiveHookMessage(console.HookMessage{Hook: hook, Sender: fmt.Sprint(n), Sent: r.now, Body: []byte(body)})
			return err
		})
		r.runs()
	}
	deep := strings.Repeat(`{"user":`, 40) + "1" + strings.Repeat("}", 40)
	long, err := json.Marshal(map[string]any{"type": "user.left", "user": map[string]string{"email": strings.Repeat("a", 60000)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{}`, `{"type":"user.left"}`, `{"type":"user.left","user":7}`, `{"type":"user.left","user":{"email":"nobody@example.test"}}`, `{"type":"user.left","user":{"email":["dan@example.test","ana@example.test"]}}`,
		`{"type":"other","user":{"email":"dan@example.test"}}`, `{"type":"user.left","user":{"email":"' OR 1=1 --"}}`, deep, string(long)} {
		receive(body)
	}
	for _, x := range r.executions(id) {
		if x.State != console.ExecutionFailed || x.Why == "" {
			t.Errorf("a hostile message: %s %s", x.State, x.Why)
		}
	}
	if n := r.carries(); n != 0 {
		t.Fatalf("%d changes after hostile messages", n)
	}
	receive(`{"type":"user.left","user":{"email":"Dan@example.test"}}`)
	if a := r.automation(id); r.carries() != 0 || a.State != console.AutomationStopped || a.Why != "boss, who wrote it, may not manage webhooks." {
		t.Errorf("without the right to webhooks: %+v", a)
	}
	r.promote("boss", "second")
	r.update(func(tx *store.Tx) error {
		if err := tx.SetAutomationState(id, console.AutomationOn, ""); err != nil {
			return err
		}
		_, err := tx.ReleaseHeld(id, true, "", 1)
		return err
	})
	r.runs()
	if n := r.carries(); n != 1 || r.up.accounts["dan"] != baton.StatusDisabled {
		t.Errorf("%d changes, %v", n, r.up.accounts)
	}
}

// promote makes people Super Administrators.
func (r *robots) promote(names ...string) {
	r.t.Helper()
	for _, name := range names {
		r.update(func(tx *store.Tx) error {
			return tx.SetRoles(r.people[name], []console.ConsoleRole{console.SuperAdministrator})
		})
	}
}

// TestRightsEnd stops an automation whose owner left, or whose author or publisher lost a right, also
// between two steps.
func TestRightsEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*robots, *store.Tx) error
		want string
	}{
		"the author and owner left": {func(r *robots, tx *store.Tx) error {
			p, err := tx.Person(r.boss)
			p.Status = console.PersonDisabled
			if err == nil {
				err = tx.ChangePerson(p)
			}
			return err
		}, "boss, who owns it, is not active."},
		"the publisher owns the app no more": {func(r *robots, tx *store.Tx) error {
			a, err := tx.App(r.app)
			if a.Owners = []console.ID{r.boss}; err == nil {
				err = tx.ChangeApp(a)
			}
			return err
		}, "second, who published it, may not"},
		"all automations are paused": {func(r *robots, tx *store.Tx) error {
			return tx.SetPauses(console.Pauses{Automations: true})
		}, "All automations are paused."},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRobots(newWorld(t))
			id := r.publish("x", demand(console.AutomationStep{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Hour)}, r.disables()))
			x := r.starts(id, "dan")
			r.runs()
			r.update(func(tx *store.Tx) error { return tt.end(r, tx) })
			r.advance(2 * time.Hour)
			r.runs()
			if n := r.carries(); n != 0 {
				t.Fatalf("%d changes", n)
			}
			got, _ := r.execution(x.ID)
			if a := r.automation(id); !strings.Contains(got.Waits, tt.want) || got.State.Ended() || (a.State == console.AutomationStopped) != !strings.HasPrefix(tt.want, "All") {
				t.Errorf("%+v, %+v", got, a)
			}
			if strings.HasPrefix(tt.want, "All") {
				r.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{}) })
				r.advance(time.Minute)
				r.runs()
				if n := r.carries(); n != 1 {
					t.Errorf("%d changes after all automations were resumed", n)
				}
			}
		})
	}
}

// TestVersionPinned lets an execution finish with the version that it began with.
func TestVersionPinned(t *testing.T) {
	r := newRobots(newWorld(t))
	id := r.publish("x", demand(console.AutomationStep{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Hour)}, r.disables()))
	old := r.starts(id, "dan")
	r.runs()
	r.update(func(tx *store.Tx) error {
		a, err := tx.Automation(id)
		if err != nil {
			return err
		}
		a.Draft = demand(console.AutomationStep{ID: "if", Kind: console.StepCondition, When: "true"})
		if err := tx.ChangeAutomation(a); err != nil {
			return err
		}
		_, err = tx.PublishAutomation(id, a.Version+1, r.second)
		return err
	})
	current := r.starts(id, "cem")
	r.runs()
	r.advance(2 * time.Hour)
	r.runs()
	if n := r.carries(); n != 1 || r.up.accounts["dan"] != baton.StatusDisabled {
		t.Errorf("%d changes, %v", n, r.up.accounts)
	}
	if x := r.ended("the old version", old.ID, console.ExecutionDone, ""); x.Version != 1 {
		t.Errorf("%+v", x)
	}
	if x := r.ended("the new version", current.ID, console.ExecutionDone, ""); x.Version != 2 {
		t.Errorf("%+v", x)
	}
}

// TestOwnAccess refuses to give access to whoever wrote, published or ran an automation.
func TestOwnAccess(t *testing.T) {
	r := newRobots(newWorld(t))
	r.update(func(tx *store.Tx) error {
		return tx.SetAccountOwner(r.account("dan"), r.boss, store.OwnerSet)
	})
	r.people["dan"] = r.boss
	id := r.publish("x", demand(console.AutomationStep{ID: "give", Kind: console.StepGrant, Entitlement: r.member("admins")}))
	x := r.starts(id, "dan")
	r.runs()
	r.ended("one's own access", x.ID, console.ExecutionFailed, "decides about their own access")
	if n := r.carries(); n != 0 {
		t.Errorf("%d changes", n)
	}
}

// TestFailedAction ends an execution whose action the connector does not offer, or refuses.
func TestFailedAction(t *testing.T) {
	r := newRobots(newWorld(t))
	step := r.disables()
	step.Action = "destroy_user"
	x := r.starts(r.publish("x", demand(step)), "dan")
	r.runs()
	r.ended("an action that is not offered", x.ID, console.ExecutionFailed, `does not offer the action "destroy_user"`)

	wipe := console.AutomationStep{ID: "wipe", Kind: console.StepAction, Connector: r.connector.ID, Action: "wipe", Fields: map[string]string{"who": "=account.id"}}
	y := r.starts(r.publish("y", demand(wipe, console.AutomationStep{ID: "if", Kind: console.StepCondition, When: `steps.wipe.returned.code == 7.0`})), "dan")
	r.runs()
	task := r.take("the action")
	r.finish(task, rpc.Result{Action: &rpc.ActionRun{State: rpc.ActionComplete, Values: baton.Profile{"code": float64(7)}}})
	r.runs()
	r.ended("an action whose result a condition uses", y.ID, console.ExecutionDone, "")
	_, steps := r.execution(y.ID)
	if len(steps) != 2 || !strings.Contains(string(steps[0].Result), `"code":7`) || string(steps[0].Input) != `{"who":"dan"}` {
		t.Errorf("%+v", steps)
	}
}

// TestReviewStep starts a review of just the access that nobody asked for, with the template for
// unexplained administrators. A second look at the same sync starts no second one.
func TestReviewStep(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		r := newRobots(x)
		r.promote("boss", "second")
		r.minimum(1)
		template, _ := console.TemplateNamed("unexplained")
		id := r.publish("unexplained", template.Rule)
		r.up.members["staff"] = append(r.up.members["staff"], "dan") // no administrator
		r.up.members["admins"] = append(r.up.members["admins"], "cem")
		r.sync()
		r.runs()
		r.runs()
		all := r.executions(id)
		if len(all) != 1 || all[0].State != console.ExecutionDone || all[0].Person != r.people["cem"] {
			t.Fatalf("%+v", all)
		}
		r.view(func(tx *store.Tx) error {
			found, err := tx.Campaigns(store.CampaignFilter{}, "", store.PageSize)
			if err != nil {
				return err
			}
			if len(found) != 1 {
				t.Fatalf("%d reviews", len(found))
			}
			c := found[0]
			if c.Name != "Unexplained administrator: cem" || !slices.Equal(c.Scope.Principals, []console.ResourceKey{r.account("cem")}) || !slices.Equal(c.Scope.Entitlements, []console.EntitlementKey{r.member("admins")}) ||
				!c.AutoStart || c.Reviewers[0].Kind != console.ApproverAppOwner {
				t.Errorf("%+v", c.CampaignSettings)
			}
			return nil
		})
	})
}
