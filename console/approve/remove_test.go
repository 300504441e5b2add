package approve_test

import (
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/govern"
	"baton/console/store"
)

// writePolicy adds the next version of a policy, or a new policy.
func (w *world) writePolicy(p console.Policy) (id console.ID) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		version := 0
		if p.ID != "" {
			have, err := tx.Policy(p.ID)
			if err != nil {
				return err
			}
			version = have.Version
		}
		added, err := tx.AddPolicyVersion(p, version)
		id = added.ID
		return err
	})
	return id
}

// settings sets the request settings of an entitlement.
func (w *world) settings(e console.EntitlementKey, s console.RequestSettings) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		have, err := tx.RequestSettings(w.app, e)
		if err != nil {
			return err
		}
		return tx.AddRequestSettings(console.SettingsVersion{App: w.app, Entitlement: e, Version: len(have), Settings: s})
	})
}

func (w *world) account(name string) (key console.ResourceKey) {
	w.t.Helper()
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", name)
		key = r.Key
		return err
	}))
	return key
}

func (w *world) access(name string, e console.EntitlementKey) (a console.Access) {
	w.t.Helper()
	key := w.account(name)
	w.check(w.store.View(ctx, func(tx *store.Tx) (err error) {
		a, err = tx.Access(w.app, key, e, w.now)
		return err
	}))
	return a
}

func (w *world) remove(who, name string, e console.EntitlementKey) (approve.Removed, error) {
	return w.RemoveAccess(ctx, w.callers[who], w.app, w.account(name), e, "left the team")
}

func askOwner() []console.PolicyRule {
	return []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{{Ask: []console.Approver{{Kind: console.ApproverAppOwner}, {Kind: console.ApproverRole, Role: console.SecurityOfficer}}}}}}
}

// TestRemoval removes access of others according to the policy for its revocation.
func TestRemoval(t *testing.T) {
	onBoth(t, testRemoval)
}

func testRemoval(t *testing.T, w *world) {
	// Without a policy of its own, it is removed at once, and there is a request for it.
	done, err := w.remove("own", "ben", w.member)
	w.check(err)
	r := w.get(done.Request)
	if r.Kind != console.RequestRevoke || r.Policy != console.RemovalPolicy || r.State != console.RequestCarrying || r.Operation != done.Operation || r.Subject != w.id("ben") || r.Requester != w.id("own") {
		t.Fatalf("%+v", r)
	}
	if a := w.access("ben", w.member); a.Bar == nil || a.Bar.Why != "left the team" {
		t.Errorf("%+v", a)
	}
	if o := w.operation(done.Operation); o.Verb != console.Revoke || o.Cause.Kind != console.CauseManual || o.Cause.Ref != string(r.ID) || o.Cause.By.Person() != w.id("own") || o.Input.Why != "left the team" {
		t.Errorf("%+v", o)
	}
	w.finish(done.Operation)
	w.tenant.Groups[1].Members = nil
	w.sync()
	if r = w.get(r.ID); r.Outcome != console.OutcomeRevoked {
		t.Errorf("%+v", r)
	}

	// With one, people are asked, but not about their own access.
	policy := w.writePolicy(console.Policy{Name: "Asked removal", Kind: console.PolicyRevoke, Rules: askOwner()})
	w.settings(w.admin, console.RequestSettings{Revoke: policy})
	w.tenant.Groups[0].Members = []string{"cem", "dan", "own"}
	w.sync()
	done, err = w.remove("sup", "own", w.admin)
	w.check(err)
	if r = w.get(done.Request); done.Operation != "" || r.State != console.RequestAsking || r.Policy != policy || w.asked(r) != "so" {
		t.Fatalf("%+v, asked %s", r, w.asked(r))
	}
	if w.writes() != 0 || w.access("own", w.admin).Bar != nil {
		t.Error("something changed before anybody decided")
	}
	if _, err := w.remove("so", "own", w.admin); baton.KindOf(err) != baton.AlreadyExists {
		t.Errorf("asked twice: %v", err)
	}
	wantGuard(t, "the subject decides", w.decide("own", r, false), console.GuardSelf)
	w.check(w.decide("so", r, false))
	if r = w.get(r.ID); r.Outcome != console.OutcomeDenied || w.access("own", w.admin).Bar != nil {
		t.Errorf("%+v", r)
	}
	done, err = w.remove("sup", "own", w.admin)
	w.check(err)
	r = w.get(done.Request)
	w.check(w.decide("so", r, true))
	if r = w.get(r.ID); r.State != console.RequestCarrying || w.access("own", w.admin).Bar == nil || w.operation(r.Operation).Verb != console.Revoke {
		t.Errorf("%+v", r)
	}
}

// TestRemovalGuards checks that guards refuse removals, both when they are filed and when they are
// approved.
func TestRemovalGuards(t *testing.T) {
	w := onSQLite(t)
	_, err := w.remove("own", "cem", w.admin)
	wantGuard(t, "below the minimum of admins", err, console.GuardAdmins)
	if w.count("request.filed") != 0 || w.count("operation.denied") != 1 || w.access("cem", w.admin).Bar != nil {
		t.Errorf("%d requests, %d denials", w.count("request.filed"), w.count("operation.denied"))
	}

	// Each of two removals is allowed when it is filed, but only one when they are approved.
	w.tenant.Groups[0].Members = []string{"cem", "dan", "own"}
	w.sync()
	policy := w.writePolicy(console.Policy{Name: "Asked removal", Kind: console.PolicyRevoke, Rules: askOwner()})
	w.settings(w.admin, console.RequestSettings{Revoke: policy})
	var asked []console.Request
	for _, name := range []string{"cem", "dan"} {
		done, err := w.remove("sup", name, w.admin)
		w.check(err)
		asked = append(asked, w.get(done.Request))
	}
	w.check(w.decide("so", asked[0], true))
	wantGuard(t, "the second", w.decide("so", asked[1], true), console.GuardAdmins)
	if r := w.get(asked[1].ID); r.State != console.RequestAsking || w.access("dan", w.admin).Bar != nil {
		t.Errorf("%+v", r)
	}
}

// TestRemovalOfNobody removes access of an account without an owner: people are asked, too, but
// nobody who is found by the owner.
func TestRemovalOfNobody(t *testing.T) {
	onBoth(t, testRemovalOfNobody)
}

func testRemovalOfNobody(t *testing.T, w *world) {
	owned := func(person console.ID, how store.OwnerSource) {
		t.Helper()
		ben := w.account("ben")
		w.update(func(tx *store.Tx) error { return tx.SetAccountOwner(ben, person, how) })
	}
	owned("", store.OwnerCleared)
	manager := []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{{Ask: []console.Approver{{Kind: console.ApproverManager}, {Kind: console.ApproverExpression, Expression: "subject.manager"}},
		Fallback: []console.Approver{{Kind: console.ApproverAppOwner}, {Kind: console.ApproverRole, Role: console.SecurityOfficer}}}}}}
	policy := w.writePolicy(console.Policy{Name: "Asked removal", Kind: console.PolicyRevoke, Rules: manager})
	w.settings(w.member, console.RequestSettings{Revoke: policy})
	done, err := w.remove("own", "ben", w.member)
	w.check(err)
	r := w.get(done.Request)
	if r.State != console.RequestAsking || r.Subject != "" || w.asked(r) != "so" || done.Operation != "" || w.access("ben", w.member).Bar != nil {
		t.Fatalf("%+v, asked %s", r, w.asked(r))
	}
	wantGuard(t, "the requester decides", w.decide("own", r, true), console.GuardSelf)
	if _, err := w.remove("sup", "ben", w.member); baton.KindOf(err) != baton.AlreadyExists {
		t.Errorf("asked twice: %v", err)
	}
	v, err := w.Request(ctx, w.callers["so"], r.ID)
	w.check(err)
	if v.RequestSummary.Subject.Name != "The account “ben” of nobody" || v.Mine == nil || v.Gone {
		t.Errorf("%+v", v)
	}
	w.check(w.decide("so", r, true))
	if r = w.get(r.ID); r.State != console.RequestCarrying || w.operation(r.Operation).Verb != console.Revoke || w.access("ben", w.member).Bar == nil {
		t.Errorf("%+v", r)
	}
	w.finish(r.Operation)
	w.tenant.Groups[1].Members = nil
	w.sync()
	if r = w.get(r.ID); r.Outcome != console.OutcomeRevoked {
		t.Errorf("%+v", r)
	}

	// Somebody owns the account before the decision: the decisions start again, without the owner.
	w.tenant.Groups[1].Members = []string{"ben"}
	w.sync()
	done, err = w.remove("sup", "ben", w.member)
	w.check(err)
	if r = w.get(done.Request); w.asked(r) != "own" {
		t.Fatalf("%+v, asked %s", r, w.asked(r))
	}
	owned(w.id("own"), store.OwnerSet)
	wantGuard(t, "the new owner decides", w.decide("own", r, true), console.GuardSelf)
	w.recheck()
	if r = w.get(r.ID); r.Subject != w.id("own") || r.Whose != "" || r.Round != 2 || w.asked(r) != "so" {
		t.Errorf("%+v, asked %s", r, w.asked(r))
	}
	w.check(w.decide("so", r, false))
	owned("", store.OwnerCleared)

	// The guards hold: removing the last administrators needs others, whoever owns the account.
	cem := w.account("cem")
	w.update(func(tx *store.Tx) error { return tx.SetAccountOwner(cem, "", store.OwnerCleared) })
	_, err = w.remove("own", "dan", w.admin)
	wantGuard(t, "below the minimum of admins", err, console.GuardAdmins)

	// A rule decides by what it knows.
	w.writePolicy(console.Policy{ID: policy, Name: "Asked removal", Kind: console.PolicyRevoke, Rules: []console.PolicyRule{
		{When: `subject.email != ""`, Outcome: console.OutcomeDeny}, {Outcome: console.OutcomeApprove}}})
	done, err = w.remove("own", "ben", w.member)
	w.check(err)
	if r = w.get(done.Request); r.Operation != done.Operation || w.operation(done.Operation).State != console.Queued || w.access("ben", w.member).Bar == nil {
		t.Errorf("%+v", r)
	}
}

// TestRemovalByManager lets managers, and owners of the entitlement, remove access of others as the
// policy says, and managers give access of their reports back. Others may do neither.
func TestRemovalByManager(t *testing.T) {
	onBoth(t, testRemovalByManager)
}

func testRemovalByManager(t *testing.T, w *world) {
	w.tenant.Groups[1].Members = []string{"ana", "ben"}
	w.sync()
	for _, name := range []string{"ben", "del", "own2"} {
		_, err := w.remove(name, "ana", w.member)
		wantKind(t, name+" is not her manager", err, baton.NotFound)
		_, err = w.Removal(ctx, w.callers[name], w.app, w.account("ana"), w.member)
		wantKind(t, name+" sees the form", err, baton.NotFound)
		_, err = w.RemoveAccessOf(ctx, w.callers[name], w.app, w.id("ana"), 0, w.member, "x")
		wantKind(t, name+" by person", err, baton.NotFound)
		_, err = w.GiveBackOf(ctx, w.callers[name], w.app, w.id("ana"), w.member, 0, "")
		wantKind(t, name+" gives back for her", err, baton.NotFound)
	}
	_, err := w.remove("mgr", "ben", w.member)
	wantKind(t, "not a report", err, baton.NotFound)

	// The form says whom the policy asks.
	v, err := w.Removal(ctx, w.callers["mgr"], w.app, w.account("ana"), w.member)
	w.check(err)
	if d := v.Remove.Decides; !v.Remove.May || d == nil || d.Plan.Outcome != console.OutcomeApprove || d.Policy.ID != console.RemovalPolicy {
		t.Errorf("%+v", v.Remove)
	}
	policy := w.writePolicy(console.Policy{Name: "Asked removal", Kind: console.PolicyRevoke, Rules: askOwner()})
	w.settings(w.member, console.RequestSettings{Revoke: policy, Owners: []console.ID{w.id("own2")}})
	v, err = w.Removal(ctx, w.callers["mgr"], w.app, w.account("ana"), w.member)
	w.check(err)
	if d := v.Remove.Decides; d == nil || d.Plan.Outcome != console.OutcomeAsk || len(d.Steps) != 1 || len(d.Steps[0].Asked) != 2 || d.Names.Of(d.Steps[0].Asked[0].Person) != "own" {
		t.Errorf("%+v", v.Remove)
	}
	done, err := w.remove("mgr", "ana", w.member)
	w.check(err)
	r := w.get(done.Request)
	if r.State != console.RequestAsking || r.Requester != w.id("mgr") || r.Subject != w.id("ana") || w.asked(r) != "own so" {
		t.Fatalf("%+v, asked %s", r, w.asked(r))
	}
	if v, err = w.Removal(ctx, w.callers["mgr"], w.app, w.account("ana"), w.member); err != nil || v.Remove.Refusal == "" {
		t.Errorf("the form says nothing of the open request: %+v, %v", v.Remove, err)
	}
	wantGuard(t, "the manager decides about his own request", w.decide("mgr", r, true), console.GuardSelf)
	w.check(w.decide("own", r, false))

	// The owner of the entitlement, for whoever holds it, and for nothing else.
	done, err = w.remove("own2", "ben", w.member)
	w.check(err)
	if r = w.get(done.Request); r.State != console.RequestAsking || r.Requester != w.id("own2") {
		t.Errorf("%+v", r)
	}
	_, err = w.remove("own2", "cem", w.admin)
	wantKind(t, "another entitlement", err, baton.NotFound)
	w.check(w.decide("own", r, true))
	if o := w.operation(w.get(r.ID).Operation); o.Verb != console.Revoke {
		t.Errorf("%+v", o)
	}

	// A manager gives access of a report back; the report is told, and nothing bars the access.
	back, err := w.GiveBackOf(ctx, w.callers["mgr"], w.app, w.id("ana"), w.member, 0, "the project is over")
	w.check(err)
	if r = w.get(back.ID); r.State != console.RequestCarrying || r.Policy != console.GiveBackPolicy || r.Requester != w.id("mgr") || r.Subject != w.id("ana") || w.access("ana", w.member).Bar != nil {
		t.Errorf("%+v", r)
	}
	// The guards hold for managers, too.
	cem := w.callers["cem"].Person
	w.update(func(tx *store.Tx) error {
		p, err := tx.Person(cem.ID)
		if err != nil {
			return err
		}
		p.Manager = w.id("mgr")
		return tx.ChangePerson(p)
	})
	_, err = w.remove("mgr", "cem", w.admin)
	wantGuard(t, "below the minimum of admins", err, console.GuardAdmins)
	_, err = w.GiveBackOf(ctx, w.callers["mgr"], w.app, cem.ID, w.admin, 0, "")
	wantGuard(t, "given back below the minimum", err, console.GuardAdmins)
}

// TestGiveBackMeanwhile checks that giving access back does not wait for the decision about its
// removal.
func TestGiveBackMeanwhile(t *testing.T) {
	w := onSQLite(t)
	policy := w.writePolicy(console.Policy{Name: "Asked removal", Kind: console.PolicyRevoke, Rules: askOwner()})
	w.settings(w.member, console.RequestSettings{Revoke: policy})
	done, err := w.remove("own", "ben", w.member)
	w.check(err)
	back, err := w.GiveBack(ctx, w.callers["ben"], w.app, w.member, 0, "")
	w.check(err)
	if r := w.get(done.Request); r.Outcome != console.OutcomeCancelled {
		t.Errorf("the removal: %+v", r)
	}
	if r := w.get(back.ID); r.State != console.RequestCarrying || r.Policy != console.GiveBackPolicy {
		t.Errorf("%+v", r)
	}
}

// TestMaterialMeanwhile checks that decisions start again when their basis changes while a request
// waits, or before it begins.
func TestMaterialMeanwhile(t *testing.T) {
	w := onSQLite(t)
	owner := []console.Approver{{Kind: console.ApproverAppOwner}}
	w.writePolicy(console.Policy{ID: console.StandardPolicy, Name: "Standard", Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk,
		Steps: []console.PolicyStep{{Ask: owner}, {Wait: &console.PolicyWait{For: hour}}}}}})
	becomesAdmin := func(admin bool) {
		roles := []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{w.admin}}, {Name: "Member", Admin: admin, Entitlements: []console.EntitlementKey{w.member}}}
		w.update(func(tx *store.Tx) error {
			return tx.SetRoleMap(w.app, console.RoleMap{Priority: console.HighestWins, Roles: roles}, 2)
		})
	}
	restarted := func(what string, r console.Request) {
		t.Helper()
		r = w.get(r.ID)
		if r.State != console.RequestAsking || r.Round != 2 || r.Policy != console.PrivilegedPolicy || w.asked(r) != "own" || w.writes() != 0 {
			t.Errorf("%s: %+v, asked %s", what, r, w.asked(r))
		}
		w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))
		becomesAdmin(false)
	}

	r := w.mustAsk("ana", "ana", w.member)
	w.check(w.decide("own", r, true))
	becomesAdmin(true)
	w.later(2 * time.Hour)
	w.tick()
	restarted("while it waits", r)

	start := w.now.Add(24 * time.Hour)
	w.writePolicy(console.Policy{ID: console.StandardPolicy, Name: "Standard", Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{{Ask: owner}}}}})
	r, err := w.SubmitRequest(ctx, w.callers["ana"], govern.NewRequest{App: w.app, Entitlement: w.member, Term: console.Term{For: hour}, Start: start, Why: "x"})
	w.check(err)
	w.check(w.decide("own", w.get(r.ID), true))
	becomesAdmin(true)
	w.now = start
	w.tick()
	restarted("before it begins", r)

	r = w.mustAsk("ana", "ana", w.member)
	becomesAdmin(true)
	w.recheck()
	restarted("while people are asked", r)
}

// TestMergedDecider checks that a merged person who decided counts as the person that it was merged
// into.
func TestMergedDecider(t *testing.T) {
	w := onSQLite(t)
	person := func(name string) console.Approver {
		return console.Approver{Kind: console.ApproverPerson, Person: w.id(name)}
	}
	w.writePolicy(console.Policy{ID: console.StandardPolicy, Name: "Standard", Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk,
		Steps: []console.PolicyStep{{Ask: []console.Approver{person("own")}}, {Ask: []console.Approver{person("own2"), person("mgr")}, Distinct: true}}}}})
	r := w.mustAsk("ana", "ana", w.member)
	w.check(w.decide("own", r, true))
	w.update(func(tx *store.Tx) error { return tx.MergePersons(w.id("own"), w.id("own2")) })
	w.recheck()
	if r = w.get(r.ID); w.asked(r) != "mgr" {
		t.Errorf("asked: %s", w.asked(r))
	}
	if err := w.decide("own2", r, true); baton.KindOf(err) != baton.PermissionDenied {
		t.Errorf("the same person twice: %v", err)
	}
}

// TestEverybodyLeft checks who is asked about an open request when everybody whom its policy names
// has left, and that it says so if there is nobody.
func TestEverybodyLeft(t *testing.T) {
	w := onSQLite(t)
	w.writePolicy(console.Policy{ID: console.StandardPolicy, Name: "Standard", Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk,
		Steps: []console.PolicyStep{{Ask: []console.Approver{{Kind: console.ApproverPerson, Person: w.id("own")}}}}}}})
	r := w.mustAsk("sup", "ana", w.member) // so sup does not decide
	leave := func(name string) {
		w.update(func(tx *store.Tx) error {
			p, err := tx.Person(w.id(name))
			if err != nil {
				return err
			}
			p.Status = console.PersonDisabled
			return tx.ChangePerson(p)
		})
		w.recheck()
	}
	for _, step := range []struct{ leaves, asked string }{{"own", "so"}, {"so", ""}} {
		leave(step.leaves)
		if w.asked(r) != step.asked {
			t.Errorf("after %s left: asked %s", step.leaves, w.asked(r))
		}
	}
	if w.count("request.stuck") != 1 {
		t.Errorf("%d events say that nobody may decide", w.count("request.stuck"))
	}
	v, err := w.Request(ctx, w.callers["ana"], r.ID)
	w.check(err)
	if !v.Stuck || !slices.ContainsFunc(v.Entries, func(e console.RequestEntry) bool { return e.Kind == console.EntryEscalated && len(e.To) == 0 }) {
		t.Errorf("%+v", v.Entries)
	}
	// A new request is refused, with advice.
	w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))
	_, err = w.ask("ana", "ana", w.member)
	wantGuard(t, "a new request", err, console.GuardNobody)
}
