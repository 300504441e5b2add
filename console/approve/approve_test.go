package approve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	ctx  = context.Background()
	noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
)

const hour = console.Duration(time.Hour)

// world is a console with one app: two administrators, members, and a connector that can grant and
// create accounts.
type world struct {
	*govern.Console
	t              *testing.T
	store          *store.Store
	now            time.Time
	app, connector console.ID
	admin, member  console.EntitlementKey
	tenant         ingesttest.Tenant
	callers        map[string]govern.Caller
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) {
		s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		test(t, newWorld(t, s))
	})
	t.Run("postgres", func(t *testing.T) {
		s, err := postgres.Open(ctx, postgres.Config{URL: pgtest.New(t), Now: noon, CallersClock: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		test(t, newWorld(t, s))
	})
}

func onSQLite(t *testing.T) *world {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return newWorld(t, s)
}

// people are the persons of the world: ana and ben are members, cem and dan administrators, new has
// no account. own owns the app, so is the security officer, sup the super administrator.
var people = []struct {
	name  string
	roles []console.ConsoleRole
}{{"ana", nil}, {"ben", nil}, {"cem", nil}, {"dan", nil}, {"new", nil}, {"own", nil}, {"own2", nil}, {"mgr", nil}, {"del", nil},
	{"so", []console.ConsoleRole{console.SecurityOfficer}}, {"sup", []console.ConsoleRole{console.SuperAdministrator}}, {"help", []console.ConsoleRole{console.Helpdesk}}}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, now: noon, callers: map[string]govern.Caller{}}
	w.Console = govern.New(govern.Config{Store: s, Now: func() time.Time { return w.now }})
	w.update(func(tx *store.Tx) error {
		for _, p := range people {
			id, err := tx.AddPerson(console.Person{Name: p.name, Emails: []string{p.name + "@example.com"}, Roles: p.roles})
			if err != nil {
				return err
			}
			person, err := tx.Person(id)
			if err != nil {
				return err
			}
			w.callers[p.name] = govern.Caller{Person: person, Session: console.Session{Person: id, Began: noon, Proved: noon.Add(1000 * time.Hour), Seen: noon}}
		}
		ana := w.callers["ana"].Person
		ana.Manager = w.id("mgr")
		if err := tx.ChangePerson(ana); err != nil {
			return err
		}
		var err error
		if w.app, err = tx.AddApp(console.App{Name: "Perplexity", Owners: []console.ID{w.id("own")}}); err != nil {
			return err
		}
		w.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "perplexity"})
		return err
	})
	w.hello(rpc.CanProvision, rpc.CanCreateAccounts)
	for _, name := range []string{"ana", "ben", "cem", "dan", "own"} {
		w.tenant.Accounts = append(w.tenant.Accounts, ingesttest.Account(name, name, name+"@example.com"))
	}
	w.tenant.Groups = []ingesttest.Group{{ID: "admins", Name: "Admins", Members: []string{"cem", "dan"}}, {ID: "members", Name: "Members", Members: []string{"ben"}}}
	w.sync()
	w.update(func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		for group, key := range map[string]*console.EntitlementKey{"admins": &w.admin, "members": &w.member} {
			e, err := tx.EntitlementByID(m, ingesttest.Member(group))
			if err != nil {
				return err
			}
			*key = e.Key
		}
		for _, a := range w.tenant.Accounts {
			r, err := tx.ResourceByID(m, "user", a.ID.ID)
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(r.Key, w.id(a.ID.ID), store.OwnerMatched); err != nil {
				return err
			}
		}
		return tx.SetRoleMap(w.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{
			{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{w.admin}}, {Name: "Member", Entitlements: []console.EntitlementKey{w.member}}}}, 2)
	})
	return w
}

func (w *world) hello(capabilities ...rpc.Capability) {
	w.t.Helper()
	w.check(rpcstore.New(w.store).Hello(ctx, w.now, string(w.connector), rpc.Hello{Host: "h", Connector: rpc.Description{Capabilities: capabilities}}))
}

func (w *world) id(name string) console.ID { return w.callers[name].Person.ID }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v (%s)", err, baton.FixOf(err))
	}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	w.check(w.store.Update(ctx, console.By{At: w.now, Actor: console.Console}, fn))
}

func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) sync() console.Sync {
	w.t.Helper()
	w.later(time.Minute)
	s := w.tenant.Receive(w.t, w.store, w.connector, w.now)
	if s.State == console.SyncApplied {
		w.update(func(tx *store.Tx) error { return w.judge(tx, s) })
	}
	w.later(time.Minute)
	return s
}

// judge applies a sync's verdicts about the operations, like the worker.
func (w *world) judge(tx *store.Tx, s console.Sync) error {
	all, err := tx.UnverifiedOperations(w.connector)
	for _, o := range all {
		if err != nil || o.Account == 0 {
			continue
		}
		a, accessErr := tx.Access(o.App, o.Account, o.Entitlement, w.now)
		if accessErr != nil {
			return accessErr
		}
		err = tx.JudgeOperation(o.ID, console.Verify(o, console.Sighting{Kind: s.Kind, Dispatched: s.Dispatched, Covers: true, Held: a.Held, Direct: a.Direct}), s.Number)
	}
	return err
}

// ask files a request for four hours.
func (w *world) ask(who, subject string, e console.EntitlementKey) (console.Request, error) {
	n := govern.NewRequest{App: w.app, Entitlement: e, Term: console.Term{For: 4 * hour}, Why: "ticket 7"}
	if subject != who {
		n.For = w.id(subject)
	}
	return w.SubmitRequest(ctx, w.callers[who], n)
}

func (w *world) mustAsk(who, subject string, e console.EntitlementKey) console.Request {
	w.t.Helper()
	r, err := w.ask(who, subject, e)
	w.check(err)
	return w.get(r.ID)
}

func (w *world) get(id console.ID) (r console.Request) {
	w.t.Helper()
	w.check(w.store.View(ctx, func(tx *store.Tx) (err error) {
		r, err = tx.Request(id)
		return err
	}))
	return r
}

// decide decides the current step of a request.
func (w *world) decide(who string, r console.Request, approve bool) error {
	_, err := w.decided(who, r, approve)
	return err
}

func (w *world) decided(who string, r console.Request, approves bool) (approve.Decided, error) {
	return w.Decide(ctx, w.callers[who], govern.NewDecision{Request: r.ID, Step: r.Plan.Steps[r.Step].ID, Version: r.Version, Approve: approves})
}

// asked returns the names of the people who are asked about a request.
func (w *world) asked(r console.Request) string {
	w.t.Helper()
	var names []string
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		asked, err := tx.AskedAbout(r.ID)
		for _, a := range asked {
			for name, c := range w.callers {
				if c.Person.ID == a.Person {
					names = append(names, name)
				}
			}
		}
		return err
	}))
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (w *world) operation(id console.ID) (o console.Operation) {
	w.t.Helper()
	w.check(w.store.View(ctx, func(tx *store.Tx) (err error) {
		o, err = tx.Operation(id)
		return err
	}))
	return o
}

// writes returns the number of operations.
func (w *world) writes() (n int) {
	w.t.Helper()
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.QueuedOperations(w.connector, w.now, 1000)
		n = len(all)
		return err
	}))
	return n
}

// count returns the number of events of a kind.
func (w *world) count(kind string) (n int) {
	w.t.Helper()
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			if e.Kind == kind {
				n++
			}
		}
		return err
	}))
	return n
}

// tick does the due work of requests, like the worker.
func (w *world) tick() {
	w.t.Helper()
	due, err := w.store.Claim(ctx, w.now, console.DueRequest, "test", time.Minute, 100)
	w.check(err)
	for _, d := range due {
		w.update(func(tx *store.Tx) error {
			if err := tx.FinishDue(d); err != nil {
				return err
			}
			return approve.Advance(tx, console.ID(d.Ref))
		})
	}
}

func (w *world) recheck() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		all, err := tx.AskingRequests(0, 100)
		for _, r := range all {
			if err == nil {
				err = approve.Recheck(tx, r.ID)
			}
		}
		return err
	})
}

// finish dispatches an operation and reports its success.
func (w *world) finish(id console.ID) {
	w.t.Helper()
	task := console.NewID(w.now)
	w.update(func(tx *store.Tx) error {
		refused, err := tx.DispatchOperation(id, task, w.now, w.now.Add(30*time.Minute), store.Circumstances{})
		if refused != nil {
			w.t.Errorf("refused: %v", refused)
		}
		return err
	})
	w.later(time.Second)
	w.update(func(tx *store.Tx) error {
		return tx.FinishOperation(id, task, store.Answer{At: w.now, State: console.Applied})
	})
}

func wantGuard(t *testing.T, what string, err error, want console.Guard) {
	t.Helper()
	refusal := (*console.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Guard != want || baton.FixOf(err) == "" {
		t.Errorf("%s: %v, want a refusal of %s", what, err, want)
	}
}

func wantKind(t *testing.T, what string, err error, want baton.Kind) {
	t.Helper()
	if err == nil || baton.KindOf(err) != want {
		t.Errorf("%s: %v (%v), want an error of kind %v", what, err, baton.KindOf(err), want)
	}
}

// TestRequest follows a request until the access ends.
func TestRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		form, err := w.RequestForm(ctx, w.callers["ana"], govern.NewRequest{App: w.app, Entitlement: w.member, Term: console.Term{For: hour}})
		w.check(err)
		if form.Refused != nil || len(form.Steps) != 1 || form.Names.Of(form.Steps[0].Asked[0].Person) != "own" {
			t.Errorf("who will decide: %+v, %v", form.Steps, form.Refused)
		}
		r := w.mustAsk("ana", "ana", w.member)
		if r.State != console.RequestAsking || w.asked(r) != "own" || w.writes() != 0 {
			t.Fatalf("%+v, asked %s", r, w.asked(r))
		}
		_, err = w.ask("ana", "ana", w.member)
		duplicate := (*approve.Duplicate)(nil)
		if !errors.As(err, &duplicate) || duplicate.Request != r.ID {
			t.Errorf("again: %v", err)
		}
		done, err := w.Decide(ctx, w.callers["own"], govern.NewDecision{Request: r.ID, Step: r.Plan.Steps[0].ID, Version: r.Version, Approve: true, Term: console.Term{For: 2 * hour}, Comment: "two are enough"})
		w.check(err)
		r = w.get(r.ID)
		if done.Reset || r.State != console.RequestCarrying || r.Operation == "" || r.Reason == "" || r.Term.For != 2*hour || r.Asked.For != 4*hour {
			t.Fatalf("approved: %+v", r)
		}
		if o := w.operation(r.Operation); o.State != console.Queued || o.Verb != console.Grant || o.Cause.Kind != console.CauseApproval || o.Cause.Ref != string(r.ID) || o.Cause.By.Person() != w.id("own") {
			t.Errorf("%+v", o)
		}
		w.later(10 * time.Minute)
		w.finish(r.Operation)
		if got := w.get(r.ID); got.State != console.RequestCarrying {
			t.Errorf("applied counts as verified: %+v", got)
		}
		w.check(w.store.View(ctx, func(tx *store.Tx) error {
			reason, err := tx.Reason(r.Reason)
			if want := w.now.Add(2 * time.Hour); err != nil || !reason.Until.Equal(want) {
				t.Errorf("until %v, want %v from when it took effect: %v", reason.Until, want, err)
			}
			return nil
		}))
		w.tenant.Groups[1].Members = append(w.tenant.Groups[1].Members, "ana")
		w.later(time.Minute)
		w.sync()
		if got := w.get(r.ID); got.State != console.RequestClosed || got.Outcome != console.OutcomeGranted {
			t.Errorf("verified: %+v", got)
		}
		v, err := w.Request(ctx, w.callers["ana"], r.ID)
		w.check(err)
		if v.AccessState != console.StateExplained || !v.MayGiveBack || !v.MayExtend || v.MayCancel || v.Mine != nil {
			t.Errorf("%+v", v)
		}
		var kinds []string
		for _, e := range v.Entries {
			kinds = append(kinds, string(e.Kind))
		}
		if got := strings.Join(kinds, " "); got != "asked step approved carried effect closed" {
			t.Errorf("the time line is %s", got)
		}

		back, err := w.GiveBack(ctx, w.callers["ana"], w.app, w.member, 0, "")
		w.check(err)
		if back = w.get(back.ID); back.State != console.RequestCarrying || w.operation(back.Operation).Verb != console.Revoke {
			t.Errorf("give back: %+v", back)
		}
		w.finish(back.Operation)
		w.tenant.Groups[1].Members = []string{"ben"}
		w.later(time.Minute)
		w.sync()
		if got := w.get(back.ID); got.Outcome != console.OutcomeRevoked {
			t.Errorf("given back: %+v", got)
		}
	})
}

// TestSelf checks on every path that people do not decide about their own access or requests.
func TestSelf(t *testing.T) {
	w := onSQLite(t)
	delegate := func(from, to string) {
		w.check(w.store.Update(ctx, console.By{At: w.now, Actor: console.ByPerson(w.id(from))}, func(tx *store.Tx) error {
			return tx.SetDelegation(console.Delegation{Person: w.id(from), Delegate: w.id(to), From: w.now.Add(-time.Hour), Until: w.now.Add(10000 * time.Hour)})
		}))
	}
	owners := func(names ...string) {
		w.update(func(tx *store.Tx) error {
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			a.Owners = nil
			for _, n := range names {
				a.Owners = append(a.Owners, w.id(n))
			}
			return tx.ChangeApp(a)
		})
	}
	policy := func(steps ...console.PolicyStep) {
		w.update(func(tx *store.Tx) error {
			p, err := tx.Policy(console.StandardPolicy)
			if err != nil {
				return err
			}
			version := p.Version
			p.Rules = []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: steps}}
			_, err = tx.AddPolicyVersion(p, version)
			return err
		})
	}
	step := func(reassign bool, ask ...console.Approver) console.PolicyStep {
		s := console.PolicyStep{Ask: ask}
		if reassign {
			s.Reassign = []console.Approver{{Kind: console.ApproverPerson, Person: w.id("ana")}, {Kind: console.ApproverPerson, Person: w.id("help")}, {Kind: console.ApproverPerson, Person: w.id("so")}}
		}
		return s
	}
	owner := console.Approver{Kind: console.ApproverAppOwner}
	group := console.Approver{Kind: console.ApproverGroup, App: w.app, Entitlement: ingesttest.Member("admins")}
	decide := func(who string, r console.Request) error { return w.decide(who, r, true) }
	bulk := func(who string, r console.Request) error {
		done, err := w.DecideMany(ctx, w.callers[who], []govern.NewDecision{{Request: r.ID, Step: r.Plan.Steps[r.Step].ID, Approve: true}}, 1)
		if err != nil {
			return err
		}
		return done[0].Err
	}
	reassign := func(to string) func(string, console.Request) error {
		return func(who string, r console.Request) error {
			return w.Reassign(ctx, w.callers[who], r.ID, r.Plan.Steps[r.Step].ID, w.id(to), "away")
		}
	}
	for name, tt := range map[string]struct {
		prepare        func()
		who, requester string // the person who tries, and the requester
		subject        string
		do             func(who string, r console.Request) error
	}{
		"the subject":                         {nil, "ana", "ana", "ana", decide},
		"the subject in bulk":                 {nil, "ana", "ana", "ana", bulk},
		"the requester for somebody else":     {nil, "help", "help", "ana", decide},
		"the requester in bulk":               {nil, "help", "help", "ana", bulk},
		"the manager who asked":               {nil, "mgr", "mgr", "ana", decide},
		"the owner about the own access":      {func() { owners("own", "own2") }, "own", "own", "own", decide},
		"a super administrator, own access":   {nil, "sup", "sup", "sup", decide},
		"a super administrator who asked":     {nil, "sup", "sup", "ana", decide},
		"the subject as delegate":             {func() { delegate("own", "ana") }, "ana", "ana", "ana", decide},
		"the requester as delegate":           {func() { delegate("own", "help") }, "help", "help", "ana", decide},
		"a member of the group that is asked": {func() { policy(step(false, group, owner)) }, "cem", "cem", "cem", decide},
		"passed on to the subject":            {func() { policy(step(true, owner)) }, "own", "ana", "ana", reassign("ana")},
		"passed on to the requester":          {func() { policy(step(true, owner)) }, "own", "help", "ana", reassign("help")},
		"the subject passes it on":            {func() { policy(step(true, owner)) }, "ana", "ana", "ana", reassign("so")},
	} {
		t.Run(name, func(t *testing.T) {
			owners("own")
			policy(console.BuiltInPolicies()[0].Rules[0].Steps...)
			w.check(w.store.Update(ctx, console.By{At: w.now, Actor: console.Console}, func(tx *store.Tx) error {
				return tx.SetDelegation(console.Delegation{Person: w.id("own")})
			}))
			if tt.prepare != nil {
				tt.prepare()
			}
			r := w.mustAsk(tt.requester, tt.subject, w.member)
			before, denials := w.writes(), w.count("operation.denied")
			wantGuard(t, name, tt.do(tt.who, r), console.GuardSelf)
			if got := w.get(r.ID); w.writes() != before || got.State != console.RequestAsking || got.Version != r.Version {
				t.Errorf("something was written: %+v", got)
			}
			if w.count("operation.denied") != denials+1 {
				t.Error("no event says that it was denied")
			}
			w.check(w.CancelRequest(ctx, w.callers[tt.requester], r.ID, "test"))
		})
	}

	// A merged person is the same person.
	owners("own")
	policy(console.PolicyStep{Ask: []console.Approver{owner, {Kind: console.ApproverPerson, Person: w.id("del")}}})
	r := w.mustAsk("ana", "ana", w.member)
	w.update(func(tx *store.Tx) error { return tx.MergePersons(w.id("del"), w.id("ana")) })
	if err := w.decide("del", r, true); err == nil {
		t.Error("a person who was merged into the subject decides")
	}
	w.recheck()
	if w.asked(r) != "own" {
		t.Errorf("asked: %s", w.asked(r))
	}
	w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))

	// Neither may a recent owner of the account.
	w.update(func(tx *store.Tx) error {
		keys, err := tx.AccountsOf(w.id("ana"))
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(keys[0], w.id("own"), store.OwnerSet)
	})
	w.later(time.Hour)
	w.update(func(tx *store.Tx) error {
		keys, err := tx.AccountsOf(w.id("own"))
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(keys[0], w.id("ana"), store.OwnerSet)
	})
	_, err := w.ask("ana", "ana", w.member)
	wantGuard(t, "a former owner of the account", err, console.GuardNobody)
	w.later(31 * 24 * time.Hour)
	w.mustAsk("ana", "ana", w.member)
}

// TestTwoAtOnce lets two people decide at the same time: one succeeds, the other is told who
// decided.
func TestTwoAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.update(func(tx *store.Tx) error {
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			a.Owners = append(a.Owners, w.id("own2"))
			return tx.ChangeApp(a)
		})
		for i := range 5 {
			r := w.mustAsk("ana", "ana", w.member)
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for j, who := range []string{"own", "own2"} {
				wg.Go(func() { errs[j] = w.decide(who, r, (i+j)%2 == 0) })
			}
			wg.Wait()
			failed := errs[0]
			if failed == nil {
				failed = errs[1]
			}
			if (errs[0] == nil) == (errs[1] == nil) || baton.KindOf(failed) != baton.Refused {
				t.Fatalf("round %d: %v; %v", i, errs[0], errs[1])
			}
			late := errors.Join(w.decide("own", r, true), w.decide("own2", r, true))
			if late == nil || !strings.Contains(late.Error(), "it already, at") {
				t.Errorf("afterwards: %v", late)
			}
			got := w.get(r.ID)
			approvals := 0
			w.check(w.store.View(ctx, func(tx *store.Tx) error {
				entries, err := tx.Entries(r.ID)
				for _, e := range entries {
					if e.Kind == console.EntryApproved || e.Kind == console.EntryDenied {
						approvals++
					}
				}
				return err
			}))
			if approvals != 1 {
				t.Errorf("%d decisions", approvals)
			}
			if got.State == console.RequestCarrying {
				w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, "again"))
			}
		}
	})
}

// TestMeanwhile changes things while a request is open.
func TestMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		// The policy changes: the filed request keeps its version.
		r := w.mustAsk("ana", "ana", w.member)
		w.update(func(tx *store.Tx) error {
			p, _ := console.BuiltInPolicy(console.StandardPolicy)
			p.Rules = []console.PolicyRule{{Outcome: console.OutcomeDeny}}
			_, err := tx.AddPolicyVersion(p, 0)
			return err
		})
		w.check(w.decide("own", r, true))
		if got := w.get(r.ID); got.State != console.RequestCarrying || got.PolicyVersion != 0 {
			t.Errorf("%+v", got)
		}
		w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))
		r2, err := w.ask("ana", "ana", w.member)
		w.check(err)
		if got := w.get(r2.ID); got.Outcome != console.OutcomeDenied || got.PolicyVersion != 1 {
			t.Errorf("under the new version: %+v", got)
		}
		w.update(func(tx *store.Tx) error {
			p, _ := console.BuiltInPolicy(console.StandardPolicy)
			_, err := tx.AddPolicyVersion(p, 1)
			return err
		})

		// The approver leaves: the manager is asked instead.
		r = w.mustAsk("ana", "ana", w.member)
		w.check(w.SetPersonStatus(ctx, w.callers["sup"], w.id("own"), console.PersonDisabled))
		if err := w.decide("own", r, true); baton.KindOf(err) != baton.Unauthenticated {
			t.Errorf("somebody who left: %v", err)
		}
		w.recheck()
		if w.asked(r) != "mgr" {
			t.Errorf("asked: %s", w.asked(r))
		}
		v, err := w.Request(ctx, w.callers["mgr"], r.ID)
		w.check(err)
		if v.Mine == nil || v.Stuck {
			t.Errorf("%+v", v.Mine)
		}
		w.check(w.SetPersonStatus(ctx, w.callers["sup"], w.id("own"), console.PersonActive))

		// A sync is held: the decision counts, and the operation waits.
		full := w.tenant
		w.tenant.Accounts = w.tenant.Accounts[:1]
		w.tenant.Groups = []ingesttest.Group{{ID: "admins", Name: "Admins"}, {ID: "members", Name: "Members"}}
		if s := w.sync(); s.State != console.SyncHeld {
			t.Fatalf("the sync is %s", s.State)
		}
		w.recheck()
		r = w.get(r.ID)
		w.check(w.decide("own", r, true))
		r = w.get(r.ID)
		var refused error
		w.update(func(tx *store.Tx) (err error) {
			refused, err = tx.DispatchOperation(r.Operation, console.NewID(w.now), w.now, w.now.Add(time.Minute), store.Circumstances{})
			return err
		})
		wantGuard(t, "dispatch while held", refused, console.GuardHeld)
		if o := w.operation(r.Operation); o.State != console.Queued {
			t.Errorf("%+v", o)
		}
		w.tenant = full
		w.sync()
		w.finish(r.Operation)
	})
}

// TestMaterial checks that decisions no longer count when their basis changes.
func TestMaterial(t *testing.T) {
	w := onSQLite(t)
	r := w.mustAsk("ana", "ana", w.member)
	w.update(func(tx *store.Tx) error {
		return tx.SetRoleMap(w.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{w.admin, w.member}}}}, 2)
	})
	done, err := w.decided("own", r, true)
	w.check(err)
	r = w.get(r.ID)
	if !done.Reset || r.State != console.RequestAsking || r.Round != 2 || r.Policy != console.PrivilegedPolicy || len(r.Plan.Steps) != 2 || w.writes() != 0 {
		t.Fatalf("%+v", r)
	}
	w.check(w.decide("own", r, true))
	r = w.get(r.ID)
	if r.State != console.RequestAsking || w.asked(r) != "so" {
		t.Fatalf("%+v, asked %s", r, w.asked(r))
	}
	w.check(w.decide("so", r, true))
	if r = w.get(r.ID); r.State != console.RequestCarrying {
		t.Errorf("%+v", r)
	}
}

// TestPrivileged checks that two different people decide about administrators, each with a recent
// login.
func TestPrivileged(t *testing.T) {
	w := onSQLite(t)
	w.update(func(tx *store.Tx) error {
		if err := tx.SetRoles(w.id("own"), []console.ConsoleRole{console.SecurityOfficer}); err != nil {
			return err
		}
		return nil
	})
	r := w.mustAsk("ana", "ana", w.admin)
	old := w.callers["own"]
	stale := old
	stale.Session.Proved = w.now.Add(-time.Hour)
	w.callers["own"] = stale
	if err := w.decide("own", r, true); !errors.Is(err, govern.ErrStepUp) {
		t.Errorf("without a recent login: %v", err)
	}
	w.callers["own"] = old
	w.check(w.decide("own", r, true))
	r = w.get(r.ID)
	if w.asked(r) != "so" { // own is an officer too, but has decided already
		t.Errorf("asked: %s", w.asked(r))
	}
	wantKind(t, "the same person twice", w.decide("own", r, true), baton.PermissionDenied)
	wantKind(t, "somebody who is not asked", w.decide("sup", r, true), baton.PermissionDenied)
	wantKind(t, "somebody who sees nothing", w.decide("ben", r, true), baton.NotFound)
	first := r.Plan.Steps[0].ID
	_, err := w.Decide(ctx, w.callers["so"], govern.NewDecision{Request: r.ID, Step: first, Approve: true})
	wantKind(t, "a step that is over", err, baton.Refused)
	other := w.mustAsk("ben", "ben", w.admin)
	_, err = w.Decide(ctx, w.callers["so"], govern.NewDecision{Request: r.ID, Step: other.Plan.Steps[1].ID, Approve: true})
	wantKind(t, "a step of another request", err, baton.NotFound)
	_, err = w.Decide(ctx, w.callers["so"], govern.NewDecision{Request: r.ID, Step: r.Plan.Steps[1].ID, Version: r.Version - 1, Approve: true})
	wantKind(t, "an older version", err, baton.Refused)
	_, err = w.Decide(ctx, w.callers["so"], govern.NewDecision{Request: r.ID, Step: r.Plan.Steps[1].ID, Approve: true, Term: console.Term{For: 5 * hour}})
	wantKind(t, "longer", err, baton.Refused)
	w.check(w.decide("so", r, false))
	if r = w.get(r.ID); r.Outcome != console.OutcomeDenied || w.writes() != 0 {
		t.Errorf("%+v", r)
	}
}

// TestNobody checks that a request that nobody may decide is refused when it is filed, with advice.
func TestNobody(t *testing.T) {
	w := onSQLite(t)
	w.update(func(tx *store.Tx) error {
		a, err := tx.App(w.app)
		if err != nil {
			return err
		}
		a.Owners = nil
		if err := tx.ChangeApp(a); err != nil {
			return err
		}
		p, _ := console.BuiltInPolicy(console.StandardPolicy)
		p.Rules[0].Steps[0].Fallback = nil
		_, err = tx.AddPolicyVersion(p, 0)
		return err
	})
	_, err := w.ask("ana", "ana", w.member)
	wantGuard(t, "nobody", err, console.GuardNobody)
	if !strings.Contains(err.Error(), "owner of the application") || w.count("request.filed") != 0 || w.count("operation.denied") != 1 {
		t.Errorf("%v", err)
	}
	form, err := w.RequestForm(ctx, w.callers["ana"], govern.NewRequest{App: w.app, Entitlement: w.member})
	w.check(err)
	wantGuard(t, "the form", form.Refused, console.GuardNobody)
}

// TestLastAdmin checks on every path that access which the minimum of administrators needs cannot be
// given back.
func TestLastAdmin(t *testing.T) {
	w := onSQLite(t)
	_, err := w.GiveBack(ctx, w.callers["cem"], w.app, w.admin, 0, "")
	wantGuard(t, "give back", err, console.GuardAdmins)
	_, err = w.GiveBack(ctx, w.callers["cem"], w.app, console.AccountItself, 0, "")
	wantGuard(t, "give back the account", err, console.GuardAdmins)
	if w.writes() != 0 || w.count("operation.denied") != 2 {
		t.Errorf("%d operations, %d denials", w.writes(), w.count("operation.denied"))
	}
	// A role that would make an administrator uncertain is refused when it is requested.
	w.update(func(tx *store.Tx) error {
		a, err := tx.App(w.app)
		if err != nil {
			return err
		}
		a.Roles.Priority = console.PriorityUnknown
		return tx.SetRoleMap(w.app, a.Roles, 2)
	})
	_, err = w.ask("cem", "cem", w.member)
	wantGuard(t, "ask", err, console.GuardAdmins)
}

// TestOverlap requests one hour and three hours: the access ends once, at the later time.
func TestOverlap(t *testing.T) {
	w := onSQLite(t)
	term := func(n int) govern.NewRequest {
		return govern.NewRequest{App: w.app, Entitlement: w.member, Term: console.Term{For: console.Duration(n) * hour}, Why: "x"}
	}
	short, err := w.SubmitRequest(ctx, w.callers["ana"], term(1))
	w.check(err)
	w.check(w.decide("own", w.get(short.ID), true))
	long, err := w.SubmitRequest(ctx, w.callers["ana"], term(3))
	w.check(err)
	w.check(w.decide("own", w.get(long.ID), true))
	a, b := w.get(short.ID), w.get(long.ID)
	if a.Operation == "" || a.Operation != b.Operation {
		t.Fatalf("two operations: %+v, %+v", a, b)
	}
	w.finish(a.Operation)
	effect := w.now
	w.tenant.Groups[1].Members = append(w.tenant.Groups[1].Members, "ana")
	w.later(time.Minute)
	w.sync()
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		keys, err := tx.AccountsOf(w.id("ana"))
		if err != nil {
			return err
		}
		reasons, err := tx.Reasons(w.app, keys[0], w.member)
		if err != nil {
			return err
		}
		end, ok := console.Expiry(reasons, nil, w.now)
		if !ok || !end.Equal(effect.Add(3*time.Hour)) || len(reasons) != 2 {
			t.Errorf("ends %v, want %v", end, effect.Add(3*time.Hour))
		}
		return nil
	}))
	// Existing access is extended without a change in the application.
	more, err := w.ExtendRequest(ctx, w.callers["ana"], long.ID)
	w.check(err)
	before := w.writes()
	w.check(w.decide("own", w.get(more.ID), true))
	if got := w.get(more.ID); got.Outcome != console.OutcomeGranted || got.Operation != "" || w.writes() != before {
		t.Errorf("%+v", got)
	}
}

// TestBefore checks that access from before the request does not end with it.
func TestBefore(t *testing.T) {
	w := onSQLite(t)
	r := w.mustAsk("ben", "ben", w.member) // ben has been a member since the first sync
	w.check(w.decide("own", r, true))
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		keys, err := tx.AccountsOf(w.id("ben"))
		if err != nil {
			return err
		}
		reasons, err := tx.Reasons(w.app, keys[0], w.member)
		if _, limited := console.Expiry(reasons, nil, w.now); limited || len(reasons) != 2 {
			t.Errorf("%+v, %v", reasons, err)
		}
		return err
	}))
}

// TestWithoutAccount requests access for a person without an account, which is created first.
func TestWithoutAccount(t *testing.T) {
	w := onSQLite(t)
	r := w.mustAsk("help", "new", w.member)
	w.check(w.decide("own", r, true))
	if r = w.get(r.ID); r.State != console.RequestCarrying || r.Account != 0 {
		t.Fatalf("%+v", r)
	}
	if o := w.operation(r.Operation); o.Account != 0 || o.Person != w.id("new") || o.Entitlement != w.member {
		t.Errorf("%+v", o)
	}
	summary := func() govern.RequestView {
		t.Helper()
		v, err := w.Console.Request(ctx, w.callers["help"], r.ID)
		w.check(err)
		return v
	}
	creation := summary().Creation
	if creation == nil || creation.State != console.Queued || creation.Person != w.id("new") {
		t.Fatalf("the creation of the account: %+v", creation)
	}
	if n := w.writes(); n != 1 { // the account's; the grant that waits for it cannot be dispatched yet
		t.Errorf("%d operations", n)
	}
	task := console.NewID(w.now)
	w.update(func(tx *store.Tx) error {
		if refused, err := tx.DispatchOperation(creation.ID, task, w.now, w.now.Add(time.Hour), store.Circumstances{}); err != nil || refused != nil {
			return errors.Join(err, refused)
		}
		return tx.FinishOperation(creation.ID, task, store.Answer{At: w.now, State: console.Failed, Text: "the domain is not verified"})
	})
	if c := summary().Creation; c == nil || c.State != console.Manual || !strings.Contains(c.Answer, "the domain is not verified") {
		t.Errorf("the request does not say that its account was not made: %+v", c)
	}
	w.hello(rpc.CanProvision) // the connector can no longer create accounts
	_, err := w.ask("help", "so", w.member)
	if baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), "has no account") {
		t.Errorf("%v", err)
	}
	w.hello()
	_, err = w.ask("ana", "ana", w.member)
	if baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), "cannot give this") {
		t.Errorf("%v", err)
	}
	w.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: w.app, Entitlement: w.member, Settings: console.RequestSettings{Manual: true}})
	})
	r = w.mustAsk("ana", "ana", w.member)
	w.check(w.decide("own", r, true))
	if o := w.operation(w.get(r.ID).Operation); o.State != console.Manual {
		t.Errorf("by hand: %+v", o)
	}
}

// TestRoleNotSaid checks that an entitlement that looks like administrator is treated as one while
// the roles of the app are not mapped.
func TestRoleNotSaid(t *testing.T) {
	w := onSQLite(t)
	w.update(func(tx *store.Tx) error { return tx.SetRoleMap(w.app, console.RoleMap{}, 2) })
	if r := w.mustAsk("ana", "ana", w.admin); r.Policy != console.PrivilegedPolicy {
		t.Errorf("the group Admins is decided about under the policy %q", r.Policy)
	}
	if r := w.mustAsk("ana", "ana", w.member); r.Policy != console.StandardPolicy {
		t.Errorf("the group Members is decided about under the policy %q", r.Policy)
	}
}

// TestTime checks limits, escalation, waits and a scheduled start.
func TestTime(t *testing.T) {
	w := onSQLite(t)
	policy := func(steps ...console.PolicyStep) {
		w.update(func(tx *store.Tx) error {
			p, err := tx.Policy(console.StandardPolicy)
			if err != nil {
				return err
			}
			version := p.Version
			p.Rules = []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: steps}}
			_, err = tx.AddPolicyVersion(p, version)
			return err
		})
	}
	owner, officer := []console.Approver{{Kind: console.ApproverAppOwner}}, []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}}

	policy(console.PolicyStep{Ask: owner, Limit: hour, Escalate: officer})
	r := w.mustAsk("ana", "ana", w.member)
	w.later(59 * time.Minute)
	w.tick()
	if w.asked(r) != "own" {
		t.Errorf("before the limit: %s", w.asked(r))
	}
	w.later(2 * time.Minute)
	w.tick()
	if w.asked(r) != "so" {
		t.Errorf("after the limit: %s", w.asked(r))
	}
	w.later(time.Hour)
	w.tick()
	if got := w.get(r.ID); got.Outcome != console.OutcomeTimedOut {
		t.Errorf("after the second limit: %+v", got)
	}

	policy(console.PolicyStep{Wait: &console.PolicyWait{Until: `"` + ingesttest.Member("admins") + `" in subject.entitlements`}, Limit: 10 * hour},
		console.PolicyStep{Wait: &console.PolicyWait{For: hour}}, console.PolicyStep{Ask: owner})
	r = w.mustAsk("ana", "ana", w.member)
	if r.State != console.RequestWaiting || w.asked(r) != "" {
		t.Errorf("%+v", r)
	}
	w.later(2 * time.Minute)
	w.tick()
	if got := w.get(r.ID); got.Step != 0 || got.Version != r.Version {
		t.Errorf("while it does not hold: %+v", got)
	}
	w.tenant.Groups[0].Members = append(w.tenant.Groups[0].Members, "ana")
	w.sync()
	w.later(2 * time.Minute)
	w.tick()
	if got := w.get(r.ID); got.Step != 1 || got.State != console.RequestWaiting {
		t.Errorf("when it holds: %+v", got)
	}
	w.later(time.Hour)
	w.tick()
	if r = w.get(r.ID); r.State != console.RequestAsking || w.asked(r) != "own" {
		t.Errorf("after the wait: %+v", r)
	}
	w.check(w.decide("own", r, true))
	w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))

	policy(console.PolicyStep{Wait: &console.PolicyWait{Until: `request.form["never"] == "x"`}, Limit: hour}, console.PolicyStep{Ask: owner})
	r = w.mustAsk("ana", "ana", w.member)
	w.later(2 * time.Hour)
	w.tick()
	if got := w.get(r.ID); got.Outcome != console.OutcomeTimedOut {
		t.Errorf("a condition that cannot be told: %+v", got)
	}

	// It begins tomorrow, and is carried out then.
	policy(console.PolicyStep{Ask: owner})
	start := w.now.Add(24 * time.Hour)
	n := govern.NewRequest{App: w.app, Entitlement: w.member, Term: console.Term{Until: start.Add(3 * time.Hour)}, Start: start, Why: "x"}
	filed, err := w.SubmitRequest(ctx, w.callers["ana"], n)
	w.check(err)
	w.check(w.decide("own", w.get(filed.ID), true))
	if got := w.get(filed.ID); got.State != console.RequestScheduled || got.Operation != "" {
		t.Errorf("%+v", got)
	}
	w.now = start
	w.tick()
	if r = w.get(filed.ID); r.State != console.RequestCarrying {
		t.Errorf("at its start: %+v", r)
	}
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		reason, err := tx.Reason(r.Reason)
		if !reason.Until.Equal(n.Term.Until) || reason.Lasts != 0 {
			t.Errorf("%+v", reason)
		}
		return err
	}))
}

// TestRules checks policies that decide without asking, and the facts they use.
func TestRules(t *testing.T) {
	w := onSQLite(t)
	w.update(func(tx *store.Tx) error {
		p, _ := console.BuiltInPolicy(console.StandardPolicy)
		p.Rules = append([]console.PolicyRule{
			{When: `request.duration <= duration("1h")`, Outcome: console.OutcomeApprove},
			{When: `subject.email == "ben@example.com"`, Outcome: console.OutcomeDeny, Why: "not for ben"},
			{When: `request.form["x"] == "y"`, Outcome: console.OutcomeApprove}}, p.Rules...)
		_, err := tx.AddPolicyVersion(p, 0)
		return err
	})
	file := func(who string, d console.Duration, form map[string]string) (console.Request, error) {
		r, err := w.SubmitRequest(ctx, w.callers[who], govern.NewRequest{App: w.app, Entitlement: w.member, Term: console.Term{For: d}, Why: "x", Form: form})
		if err != nil {
			return r, err
		}
		return w.get(r.ID), nil
	}
	r, err := file("ana", hour, nil)
	w.check(err)
	if r.State != console.RequestCarrying {
		t.Errorf("a short one: %+v", r)
	}
	w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))
	r, err = file("ben", 2*hour, nil)
	w.check(err)
	if r.Outcome != console.OutcomeDenied || r.OutcomeWhy != "not for ben" {
		t.Errorf("%+v", r)
	}
	_, err = file("ana", 2*hour, nil)
	wantGuard(t, "a condition that cannot be told", err, console.GuardPolicy)
	r, err = file("ana", 2*hour, map[string]string{"x": "n"})
	w.check(err)
	if r.State != console.RequestAsking {
		t.Errorf("%+v", r)
	}
}

// TestAuthor checks that a weaker version does not apply to the people who wrote or confirmed it.
func TestAuthor(t *testing.T) {
	w := onSQLite(t)
	w.update(func(tx *store.Tx) error {
		p, _ := console.BuiltInPolicy(console.StandardPolicy)
		p.Rules = []console.PolicyRule{{Outcome: console.OutcomeApprove}}
		p.Author, p.Second, p.Weaker = w.id("ana"), w.id("ben"), true
		_, err := tx.AddPolicyVersion(p, 0)
		return err
	})
	for who, version := range map[string]int{"ana": 0, "ben": 0, "cem": 1, "help": 1} {
		r := w.mustAsk(who, who, w.member)
		if r.PolicyVersion != version {
			t.Errorf("%s: version %d, want %d", who, r.PolicyVersion, version)
		}
	}
	r := w.mustAsk("help", "dan", w.member)
	if r.PolicyVersion != 1 {
		t.Errorf("%+v", r)
	}
	w.update(func(tx *store.Tx) error { return nil })
}

// TestEmergency checks the emergency policy and the review afterwards.
func TestEmergency(t *testing.T) {
	w := onSQLite(t)
	n := govern.NewRequest{App: w.app, Entitlement: w.admin, Term: console.Term{For: hour}, Why: "outage", Emergency: true}
	_, err := w.SubmitRequest(ctx, w.callers["ana"], n)
	wantKind(t, "where there are none", err, baton.Refused)
	w.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: w.app, Entitlement: w.admin, Settings: console.RequestSettings{Emergency: console.EmergencyPolicy}})
	})
	r, err := w.SubmitRequest(ctx, w.callers["ana"], n)
	w.check(err)
	r = w.get(r.ID)
	if r.Policy != console.EmergencyPolicy || w.asked(r) != "own so sup" {
		t.Errorf("%+v, asked %s", r, w.asked(r))
	}
	w.check(w.decide("sup", r, true))
	if r = w.get(r.ID); r.Review != console.ReviewDue || r.State != console.RequestCarrying {
		t.Errorf("%+v", r)
	}
	wantKind(t, "whoever approved looks at it", w.ReviewEmergency(ctx, w.callers["sup"], r.ID, "fine"), baton.PermissionDenied)
	wantKind(t, "an owner looks at it", w.ReviewEmergency(ctx, w.callers["own"], r.ID, "fine"), baton.PermissionDenied)
	w.check(w.ReviewEmergency(ctx, w.callers["so"], r.ID, "it was one"))
	if r = w.get(r.ID); r.Review != console.ReviewDone {
		t.Errorf("%+v", r)
	}
}

// TestBulk decides several requests at once: each one separately, with the reason if it fails.
func TestBulk(t *testing.T) {
	w := onSQLite(t)
	var all []govern.NewDecision
	for _, who := range []string{"ana", "cem"} {
		r := w.mustAsk(who, who, w.member)
		all = append(all, govern.NewDecision{Request: r.ID, Step: r.Plan.Steps[0].ID, Approve: true})
	}
	_, err := w.DecideMany(ctx, w.callers["own"], all, 3)
	wantKind(t, "another number", err, baton.Invalid)
	rows, _, err := w.Approvals(ctx, w.callers["own"], 0, 10)
	w.check(err)
	if len(rows) != 2 || rows[0].Blocker != "" || rows[0].Mine == nil {
		t.Errorf("%+v", rows)
	}
	w.check(w.decide("own", w.get(all[0].Request), false))
	done, err := w.DecideMany(ctx, w.callers["own"], all, 2)
	w.check(err)
	if baton.KindOf(done[0].Err) != baton.Refused || done[1].Err != nil {
		t.Errorf("%+v", done)
	}
	if got := w.get(all[1].Request); got.State != console.RequestCarrying {
		t.Errorf("%+v", got)
	}
}

// TestVisible checks who may see a request.
func TestVisible(t *testing.T) {
	w := onSQLite(t)
	r := w.mustAsk("help", "ana", w.member)
	for _, p := range people {
		_, err := w.Request(ctx, w.callers[p.name], r.ID)
		want := slices.Contains([]string{"ana", "help", "own", "so", "sup"}, p.name)
		if (err == nil) != want || err != nil && baton.KindOf(err) != baton.NotFound {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	_, err := w.ask("ben", "ana", w.member)
	wantKind(t, "ask for somebody else", err, baton.NotFound)
	wantKind(t, "cancel what is not seen", w.CancelRequest(ctx, w.callers["ben"], r.ID, "x"), baton.NotFound)
	wantKind(t, "cancel without the right", w.CancelRequest(ctx, w.callers["so"], r.ID, "x"), baton.PermissionDenied)
	w.check(w.CommentRequest(ctx, w.callers["own"], r.ID, "which ticket?"))
	cat, err := w.RequestCatalog(ctx, w.callers["ana"], govern.CatalogQuery{N: 20})
	w.check(err)
	var names []string
	for _, row := range cat.Apps[0].Rows {
		names = append(names, fmt.Sprintf("%s %t %t", row.Entitlement.Name, row.Have, row.Pending != nil))
	}
	if got := strings.Join(names, ", "); got != "An account true false, Admins member false false, Members member false true" {
		t.Errorf("the catalogue: %s", got)
	}
}

// TestSecondPerson weakens the guards of an app: the change waits for a second person, and never
// applies to requests of its author.
func TestSecondPerson(t *testing.T) {
	w := onSQLite(t)
	owners := func(names ...string) {
		w.update(func(tx *store.Tx) error {
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			a.Owners = nil
			for _, n := range names {
				a.Owners = append(a.Owners, w.id(n))
			}
			return tx.ChangeApp(a)
		})
	}
	owners("ana", "own")
	app := func() (a console.App) {
		w.check(w.store.View(ctx, func(tx *store.Tx) (err error) {
			a, err = tx.App(w.app)
			return err
		}))
		return a
	}
	waiting := func() console.ID {
		t.Helper()
		v, err := w.Policies(ctx, w.callers["so"])
		w.check(err)
		if len(v.Amendments) != 1 || !v.Amendments[0].MayDecide {
			t.Fatalf("%+v", v.Amendments)
		}
		return v.Amendments[0].ID
	}
	// ana unmarks the administrator entitlement.
	a := app()
	n := govern.NewRoles{Map: console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Entitlements: []console.EntitlementKey{w.admin}},
		{Name: "Member", Entitlements: []console.EntitlementKey{w.member}}}}, MinimumAdmins: 2, Version: a.Version}
	wantKind(t, "without a reason", w.SetAppRoles(ctx, w.callers["ana"], w.app, n), baton.Invalid)
	n.Why = "tidy"
	if err := w.SetAppRoles(ctx, w.callers["ana"], w.app, n); !errors.Is(err, govern.ErrWaits) {
		t.Fatal(err)
	}
	if !app().Roles.GivesAdmin(w.admin) {
		t.Error("it counts before it was confirmed")
	}
	change := waiting()
	wantGuard(t, "the author confirms", w.DecideAmendment(ctx, w.callers["ana"], change, true), console.GuardSelf)
	wantKind(t, "somebody without the right", w.DecideAmendment(ctx, w.callers["ben"], change, true), baton.NotFound)
	w.check(w.DecideAmendment(ctx, w.callers["own"], change, true))
	if app().Roles.GivesAdmin(w.admin) {
		t.Error("it does not count after it was confirmed")
	}
	wantKind(t, "twice", w.DecideAmendment(ctx, w.callers["so"], change, true), baton.Refused)
	if r := w.mustAsk("ben", "ben", w.admin); r.Policy != console.StandardPolicy {
		t.Errorf("for somebody else: %s", r.Policy)
	}
	if r := w.mustAsk("ana", "ana", w.admin); r.Policy != console.PrivilegedPolicy {
		t.Errorf("for its author: %s", r.Policy)
	}

	// A smaller minimum waits too; a larger one does not.
	a = app()
	n = govern.NewRoles{Map: a.Roles, MinimumAdmins: 3, Version: a.Version}
	w.check(w.SetAppRoles(ctx, w.callers["own"], w.app, n))
	n.MinimumAdmins, n.Version, n.Why = 1, app().Version, "too many"
	if err := w.SetAppRoles(ctx, w.callers["own"], w.app, n); !errors.Is(err, govern.ErrWaits) {
		t.Fatal(err)
	}
	change = waiting()
	n.MinimumAdmins = 4 // somebody changes it in the meantime
	w.check(w.SetAppRoles(ctx, w.callers["own"], w.app, n))
	wantKind(t, "an outdated change", w.DecideAmendment(ctx, w.callers["so"], change, true), baton.Refused)
	w.check(w.DecideAmendment(ctx, w.callers["own"], change, false)) // the author withdraws it
	if app().MinimumAdmins != 4 {
		t.Errorf("%+v", app())
	}

	// An owner whom the requester appointed does not decide about the requester.
	before, after := console.AppGuards{Owners: []console.ID{w.id("own")}}, console.AppGuards{Owners: []console.ID{w.id("own"), w.id("own2")}}
	if after.AtLeast(before) || !before.AtLeast(after) || !after.AtLeast(console.AppGuards{}) {
		t.Error("owners")
	}
	w.check(w.store.Update(ctx, console.By{At: w.now, Actor: console.ByPerson(w.id("ben"))}, func(tx *store.Tx) error {
		b, _ := json.Marshal(before)
		a, _ := json.Marshal(after)
		id, err := tx.AddAmendment(console.Amendment{Kind: console.AmendApp, App: w.app, Object: string(w.app), Before: b, After: a})
		if err != nil {
			return err
		}
		return tx.DecideAmendment(id, console.AmendmentConfirmed)
	}))
	owners("own", "own2")
	if r := w.mustAsk("ben", "ben", w.member); w.asked(r) != "own" {
		t.Errorf("asked: %s", w.asked(r))
	}
	if r := w.mustAsk("cem", "cem", w.member); w.asked(r) != "own own2" {
		t.Errorf("asked: %s", w.asked(r))
	}
}
