package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/internal/longtest"
)

// staff is a world with the administrators ana, ben and cem, a member dan, and a person for each.
type staff struct {
	*world
	admin, member console.EntitlementKey
	people        map[string]console.ID
}

func newStaff(t *testing.T, s *store.Store, minimum int) *staff {
	t.Helper()
	w := newWorld(t, s)
	m := model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members"},
		grants: join(pairs("admins", "ana", "ben", "cem"), pairs("members", "dan"))}
	w.sync(1, m)
	st := &staff{world: w, admin: w.member("admins"), member: w.member("members"), people: map[string]console.ID{}}
	keys := map[string]console.ResourceKey{}
	for _, name := range m.accounts {
		keys[name] = w.account(name)
	}
	update(t, s, by(2), func(tx *store.Tx) error {
		for _, name := range m.accounts {
			p, err := tx.AddPerson(console.Person{Name: name})
			if err != nil {
				return err
			}
			st.people[name] = p
			if err := tx.SetAccountOwner(keys[name], p, store.OwnerMatched); err != nil {
				return err
			}
		}
		return tx.SetRoleMap(w.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{
			{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{st.admin}}, {Name: "Member", Entitlements: []console.EntitlementKey{st.member}}}}, minimum)
	})
	return st
}

// op returns an operation on an account.
func (st *staff) op(name string, e console.EntitlementKey, verb console.Verb) console.Operation {
	return console.Operation{App: st.app, Connector: st.connector, Account: st.account(name), Entitlement: e, Verb: verb,
		Cause: console.Cause{Kind: console.CauseReview, Ref: "campaign-1", Evidence: console.EvidenceDecision}}
}

func (st *staff) create(minute int, o console.Operation) (created console.Operation, err error) {
	err = st.s.Update(ctx, by(minute), func(tx *store.Tx) (err error) {
		created, err = tx.CreateOperation(o, store.Circumstances{})
		return err
	})
	return created, err
}

func (st *staff) mustCreate(minute int, o console.Operation) console.Operation {
	st.t.Helper()
	created, err := st.create(minute, o)
	if err != nil {
		st.t.Fatal(err)
	}
	return created
}

func (st *staff) get(id console.ID) (o console.Operation) {
	st.t.Helper()
	view(st.t, st.s, func(tx *store.Tx) (err error) {
		o, err = tx.Operation(id)
		return err
	})
	return o
}

func (st *staff) dispatch(minute int, id, task console.ID, c store.Circumstances) (refused error) {
	st.t.Helper()
	update(st.t, st.s, by(minute), func(tx *store.Tx) (err error) {
		refused, err = tx.DispatchOperation(id, task, at(minute), at(minute+30), c)
		return err
	})
	return refused
}

// finish records the answer to a task as of the command's time.
func finish(tx *store.Tx, id, task console.ID, state console.OperationState, text string) error {
	return tx.FinishOperation(id, task, store.Answer{At: tx.By().At, State: state, Text: text})
}

func wantGuard(t testing.TB, what string, err error, want console.Guard) {
	t.Helper()
	var r *console.Refusal
	if !errors.As(err, &r) || r.Guard != want {
		t.Errorf("%s: %v, want a refusal by %s", what, err, want)
	}
}

func testAdmins(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 2)
	count := func() (n int) {
		view(t, s, func(tx *store.Tx) error {
			a, err := tx.Admins(st.app)
			n = a.Count()
			return err
		})
		return n
	}
	if n := count(); n != 3 {
		t.Errorf("%d admins", n)
	}
	update(t, s, by(3), func(tx *store.Tx) error {
		p, err := tx.Person(st.people["cem"])
		if err != nil {
			return err
		}
		p.Status = console.PersonGone
		return tx.ChangePerson(p)
	})
	if n := count(); n != 2 {
		t.Errorf("%d admins after one left", n)
	}
	// One person with two admin accounts counts once, also after a merge.
	update(t, s, by(4), func(tx *store.Tx) error { return tx.MergePersons(st.people["ben"], st.people["ana"]) })
	if n := count(); n != 1 {
		t.Errorf("%d admins after a merge", n)
	}
	st.sync(5, model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members"}, statuses: map[string]console.Status{"ana": console.StatusDisabled},
		grants: join(pairs("admins", "ana", "cem", "members"), pairs("members", "dan"))})
	if n := count(); n != 0 {
		t.Errorf("%d admins; one is disabled, one left, one is a group", n)
	}
	// The owners of the past moment decide who was an administrator then. Only merges apply to the
	// past, because the two were always one person.
	view(t, s, func(tx *store.Tx) error {
		for minute, want := range map[int]int{1: 0, 2: 2, 3: 1, 6: 0} { // no account had an owner at first
			m, err := tx.Moment(st.app, at(minute))
			if err != nil {
				return err
			}
			a, err := tx.AdminsAt(st.app, m)
			if err != nil {
				return err
			}
			if n := a.Count(); n != want {
				t.Errorf("after %d minutes %d admins, want %d", minute, n, want)
			}
		}
		return nil
	})
}

func testOperation(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	woken, stop := s.Watch(store.OperationTopic(st.connector))
	defer stop()
	o := st.mustCreate(5, st.op("dan", st.member, console.Revoke))
	<-woken
	if o.State != console.Queued || o.Created != at(5) || o.Cause.By != console.Console {
		t.Errorf("%+v", o)
	}
	if got := st.get(o.ID); got.Cause != o.Cause || got.State != console.Queued || got.Version != 1 {
		t.Errorf("%+v, want %+v", got, o)
	}
	view(t, s, func(tx *store.Tx) error {
		for connector, want := range map[console.ID]bool{"": true, st.connector: true, "x": false} {
			if alive, err := tx.OperationAlive(st.app, connector); err != nil || (alive != nil) != want {
				t.Errorf("alive in %q: %+v, %v", connector, alive, err)
			}
		}
		alive, err := tx.OperationAlive("x", "")
		if alive != nil {
			t.Errorf("alive in another app: %+v", alive)
		}
		return err
	})
	queued := func(minute int) (ids []console.ID) {
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.QueuedOperations(st.connector, at(minute), 10)
			for _, o := range all {
				ids = append(ids, o.ID)
			}
			return err
		})
		return ids
	}
	if got := queued(5); !slices.Equal(got, []console.ID{o.ID}) {
		t.Errorf("queued %v", got)
	}
	task := console.NewID(at(6))
	if err := st.dispatch(6, o.ID, task, store.Circumstances{}); err != nil {
		t.Fatal(err)
	}
	if got := st.get(o.ID); got.State != console.Dispatched || got.Attempt != 1 || !got.LeaseUntil.Equal(at(36)) || got.Task != task {
		t.Errorf("%+v", got)
	}
	fails(t, s, by(7), "dispatch twice", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.DispatchOperation(o.ID, task, tx.By().At, tx.By().At.Add(time.Minute), store.Circumstances{})
		return err
	})
	fails(t, s, by(7), "cancel what was handed out", baton.Refused, func(tx *store.Tx) error { return tx.CancelOperation(o.ID, "") })
	update(t, s, by(8), func(tx *store.Tx) error { return finish(tx, o.ID, "another task", console.Failed, "late") })
	update(t, s, by(8), func(tx *store.Tx) error { return finish(tx, o.ID, task, console.Failed, "503") })
	update(t, s, by(8), func(tx *store.Tx) error { return finish(tx, o.ID, task, console.Applied, "late") })
	if got := st.get(o.ID); got.State != console.Manual || got.Answer != "The connector could not do it: 503" {
		t.Errorf("%+v", got)
	}
	update(t, s, by(9), func(tx *store.Tx) error { return tx.RetryOperation(o.ID, at(15)) })
	if got := queued(14); len(got) != 0 {
		t.Errorf("queued before its time: %v", got)
	}
	fails(t, s, by(14), "dispatch before its time", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.DispatchOperation(o.ID, task, tx.By().At, tx.By().At.Add(time.Minute), store.Circumstances{})
		return err
	})
	second := console.NewID(at(15))
	if err := st.dispatch(15, o.ID, second, store.Circumstances{}); err != nil {
		t.Fatal(err)
	}
	update(t, s, by(16), func(tx *store.Tx) error { return tx.LoseOperation(o.ID, task) }) // the first task: no effect
	update(t, s, by(50), func(tx *store.Tx) error { return tx.LoseOperation(o.ID, second) })
	if got := st.get(o.ID); got.State != console.Unknown || got.Attempt != 2 {
		t.Errorf("%+v", got)
	}
	view(t, s, func(tx *store.Tx) error {
		if all, err := tx.UnverifiedOperations(st.connector); err != nil || len(all) != 1 {
			t.Errorf("unverified %v, %v", all, err)
		}
		return nil
	})
	update(t, s, by(51), func(tx *store.Tx) error { return finish(tx, o.ID, second, console.Applied, "late answer") })
	update(t, s, by(52), func(tx *store.Tx) error { return tx.JudgeOperation(o.ID, console.NoEvidence, 9) })
	update(t, s, by(52), func(tx *store.Tx) error { return tx.JudgeOperation(o.ID, console.Verifies, 9) })
	if got := st.get(o.ID); got.State != console.Verified || got.Verified != 9 {
		t.Errorf("%+v", got)
	}
	fails(t, s, by(53), "retry what is verified", baton.Refused, func(tx *store.Tx) error { return tx.RetryOperation(o.ID, time.Time{}) })
	want := []string{"operation.queued", "operation.dispatched", "operation.failed", "operation.manual", "operation.queued", "operation.dispatched", "operation.unknown", "operation.applied", "operation.verified"}
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{Object: string(o.ID)}, 0, 100)
		var got []string
		for _, e := range events {
			got = append(got, e.Kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		return err
	})
	fails(t, s, by(54), "a connector of another app", baton.Invalid, func(tx *store.Tx) error {
		app, err := tx.AddApp(console.App{Name: "another"})
		if err != nil {
			return err
		}
		o := st.op("dan", st.member, console.Revoke)
		o.App = app
		_, err = tx.CreateOperation(o, store.Circumstances{})
		return err
	})
	checkChain(t, s)
}

func testOperationGuards(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 2)
	first := st.mustCreate(5, st.op("ana", st.admin, console.Revoke)) // leaves 2
	_, err := st.create(6, st.op("ben", st.admin, console.Revoke))
	wantGuard(t, "with a removal in flight", err, console.GuardAdmins)
	_, err = st.create(6, st.op("ben", console.AccountItself, console.Revoke))
	wantGuard(t, "disabling instead", err, console.GuardAdmins)
	// Two people may override the guard.
	update(t, s, by(7), func(tx *store.Tx) error {
		_, err := tx.CreateOperation(st.op("ben", st.admin, console.Revoke), store.Circumstances{Override: &console.Override{First: "a", Second: "b", Why: "the team is dissolved"}})
		return err
	})
	// The first was allowed, but would now leave one. It is checked again and cancelled.
	wantGuard(t, "dispatch", st.dispatch(8, first.ID, "task", store.Circumstances{}), console.GuardAdmins)
	if got := st.get(first.ID); got.State != console.Cancelled {
		t.Errorf("%+v", got)
	}
	// A pause delays an operation without ending it.
	o := st.mustCreate(9, st.op("dan", st.member, console.Revoke))
	wantGuard(t, "all writes paused", st.dispatch(10, o.ID, "task", store.Circumstances{WritesPaused: true}), console.GuardPaused)
	hold := st.receive(11, console.SyncFull)
	sg, err := s.BeginSync(ctx, by(11), hold)
	if err != nil {
		t.Fatal(err)
	}
	if err := sg.Hold(ctx, by(11), []console.Hold{{Kind: console.HoldShrink}}); err != nil {
		t.Fatal(err)
	}
	wantGuard(t, "a held sync", st.dispatch(12, o.ID, "task", store.Circumstances{}), console.GuardHeld)
	if got := st.get(o.ID); got.State != console.Queued {
		t.Errorf("%+v", got)
	}
	update(t, s, by(13), func(tx *store.Tx) error { return tx.EndSync(hold, console.SyncDiscarded, "") })
	if err := st.dispatch(14, o.ID, "task", store.Circumstances{}); err != nil {
		t.Errorf("after the sync was discarded: %v", err)
	}
	// Access through a group cannot be removed by itself.
	st.sync(20, model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members"}, grants: join(pairs("admins", "ana", "ben", "cem"),
		map[[2]string]grant{{"members", "ana"}: {sources: []console.Source{{Entitlement: "group:admins:member"}}}})})
	_, err = st.create(21, st.op("ana", st.member, console.Revoke))
	wantGuard(t, "held through a group", err, console.GuardDirect)
	update(t, s, by(22), func(tx *store.Tx) error {
		_, err := tx.AddBar(console.Bar{App: st.app, Account: st.account("dan"), Entitlement: st.admin})
		return err
	})
	auto := st.op("dan", st.admin, console.Grant)
	auto.Cause = console.Cause{Kind: console.CauseAutomation, Evidence: console.EvidenceShown}
	_, err = st.create(23, auto)
	wantGuard(t, "an automation under a bar", err, console.GuardBar)
	checkChain(t, s)
}

// testOperationRace lets several processes remove different administrators at once: no more succeed
// than the minimum allows.
func testOperationRace(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 2)
	var wg sync.WaitGroup
	var mu sync.Mutex
	created, refused := 0, 0
	ops := []console.Operation{st.op("ana", st.admin, console.Revoke), st.op("ben", console.AccountItself, console.Revoke), st.op("cem", st.admin, console.Revoke)}
	for i := range 9 {
		o, s := ops[i%3], open(t, db)
		wg.Go(func() {
			err := s.Update(ctx, by(5), func(tx *store.Tx) error {
				_, err := tx.CreateOperation(o, store.Circumstances{})
				return err
			})
			var r *console.Refusal
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				created++ // or the same operation existed
			case errors.As(err, &r) && r.Guard == console.GuardAdmins:
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	alive := 0
	view(t, s, func(tx *store.Tx) error {
		a, err := tx.Admins(st.app)
		alive = len(a.InFlight)
		if n := a.Count(); n != 2 {
			t.Errorf("%d admins would remain", n)
		}
		return err
	})
	if alive != 1 || created != 3 || refused != 6 {
		t.Errorf("%d operations are alive; %d were created or found, %d refused", alive, created, refused)
	}
	checkChain(t, s)
}

// testOperationLastAdmins removes the last two administrators at the same time, from two processes,
// with a minimum of one. In every round, exactly one of the removals is refused. The entitlement or
// the account is removed.
func testOperationLastAdmins(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 1)
	update(t, s, by(4), func(tx *store.Tx) error { // cem does not count
		p, err := tx.Person(st.people["cem"])
		if err != nil {
			return err
		}
		p.Status = console.PersonGone
		return tx.ChangePerson(p)
	})
	processes := []*store.Store{open(t, db), open(t, db)}
	ops := [][]console.Operation{
		{st.op("ana", st.admin, console.Revoke), st.op("ben", st.admin, console.Revoke)},
		{st.op("ana", st.admin, console.Revoke), st.op("ben", console.AccountItself, console.Revoke)},
		{st.op("ana", console.AccountItself, console.Revoke), st.op("ben", console.AccountItself, console.Revoke)},
	}
	for round := range longtest.Pick(60, 1000) {
		created, errs := make([]console.Operation, 2), make([]error, 2)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i, p := range processes {
			wg.Go(func() {
				<-start
				errs[i] = p.Update(ctx, by(5), func(tx *store.Tx) (err error) {
					created[i], err = tx.CreateOperation(ops[round%len(ops)][i], store.Circumstances{})
					return err
				})
			})
		}
		close(start)
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("round %d: %v, %v: exactly one must be refused", round, errs[0], errs[1])
		}
		for i, err := range errs {
			if err != nil {
				wantGuard(t, "the other one", err, console.GuardAdmins)
				continue
			}
			update(t, s, by(6), func(tx *store.Tx) error { return tx.CancelOperation(created[i].ID, "") })
		}
	}
	checkChain(t, s)
}

func testOperationWaits(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	state := func(o console.Operation) console.OperationState { return st.get(o.ID).State }
	check := func(step string, want ...any) {
		t.Helper()
		for i := 0; i < len(want); i += 2 {
			if got := state(want[i].(console.Operation)); got != want[i+1].(console.OperationState) {
				t.Errorf("%s: operation %d is %s, want %s", step, i/2+1, got, want[i+1])
			}
		}
	}
	grantOp, revokeOp := st.op("dan", st.admin, console.Grant), st.op("dan", st.admin, console.Revoke)
	a := st.mustCreate(5, grantOp)
	if same := st.mustCreate(6, grantOp); same.ID != a.ID {
		t.Errorf("a second grant is another operation: %+v", same)
	}
	b := st.mustCreate(7, revokeOp)
	check("a newer cause", a, console.Superseded, b, console.Queued)
	if err := st.dispatch(8, b.ID, "task-b", store.Circumstances{}); err != nil {
		t.Fatal(err)
	}
	c := st.mustCreate(9, grantOp)
	check("one is handed out", b, console.Dispatched, c, console.Waiting)
	c2 := st.mustCreate(10, grantOp)
	check("a newer cause for the same", b, console.Dispatched, c, console.Superseded, c2, console.Waiting)
	if same := st.mustCreate(11, revokeOp); same.ID != b.ID {
		t.Errorf("%+v", same)
	}
	check("nobody wants the grant any more", b, console.Dispatched, c2, console.Superseded)
	d := st.mustCreate(12, grantOp)
	update(t, s, by(13), func(tx *store.Tx) error { return finish(tx, b.ID, "task-b", console.Applied, "") })
	check("answered, not seen yet", b, console.Applied, d, console.Waiting)
	update(t, s, by(14), func(tx *store.Tx) error { return tx.JudgeOperation(b.ID, console.Verifies, 3) })
	check("its end", b, console.Verified, d, console.Queued)
	update(t, s, by(15), func(tx *store.Tx) error { return tx.CancelOperation(d.ID, "changed my mind") })
	check("cancelled", d, console.Cancelled)
	checkChain(t, s)
}

// testOperationWithoutAccount checks that two requests for a person without an account share the
// creation.
func testOperationWithoutAccount(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	o := console.Operation{App: st.app, Connector: st.connector, Person: st.people["ana"], Entitlement: console.AccountItself, Verb: console.Grant,
		Cause: console.Cause{Kind: console.CauseApproval, Evidence: console.EvidenceDecision}}
	a := st.mustCreate(5, o)
	if b := st.mustCreate(6, o); b.ID != a.ID {
		t.Errorf("two creations: %+v, %+v", a, b)
	}
	o.Person = st.people["ben"]
	other := st.mustCreate(7, o)
	if other.ID == a.ID {
		t.Error("two people share a creation")
	}
	account := st.account("dan")
	update(t, s, by(8), func(tx *store.Tx) error { return tx.NameAccount(a.ID, account) })
	if got := st.get(a.ID); got.Account != account {
		t.Errorf("%+v", got)
	}
	fails(t, s, by(9), "name it twice", baton.Refused, func(tx *store.Tx) error { return tx.NameAccount(a.ID, account) })
	fails(t, s, by(9), "an account that has one", baton.AlreadyExists, func(tx *store.Tx) error { return tx.NameAccount(other.ID, account) })
	o.Person, o.Account = "", account
	if same := st.mustCreate(10, o); same.ID != a.ID {
		t.Errorf("not found by its account: %+v", same)
	}
	checkChain(t, s)
}

func testAccess(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	dan := st.account("dan")
	check := func(minute int, e console.EntitlementKey, want console.State) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			a, err := tx.Access(st.app, dan, e, at(minute))
			if err != nil {
				return err
			}
			if got := a.State(at(minute)); got != want {
				t.Errorf("after %d minutes the access is %s, want %s: %+v", minute, got, want, a)
			}
			return sameAccesses(t, tx, st.now(tx), st.app, []console.ResourceKey{st.account("ana"), dan}, e, at(minute))
		})
	}
	base := func(grants ...map[[2]string]grant) model {
		return model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members"}, grants: join(append(grants, pairs("admins", "ana", "ben", "cem"))...)}
	}
	check(3, st.member, console.StateBaseline)
	check(3, st.admin, console.StateNone)
	check(3, console.AccountItself, console.StateBaseline)
	st.sync(5, base(pairs("members", "dan"), pairs("admins", "dan")))
	check(6, st.admin, console.StateUnexplained)
	update(t, s, by(7), func(tx *store.Tx) error {
		_, err := tx.AddReason(console.Reason{App: st.app, Account: dan, Entitlement: st.admin, Kind: console.ReasonRequest, Until: at(60)})
		return err
	})
	check(8, st.admin, console.StateExplained)
	st.sync(9, base(pairs("members", "dan")))
	check(10, st.admin, console.StatePending) // no sync has shown it since the reason was added
	st.sync(11, base(pairs("members", "dan"), pairs("admins", "dan")))
	check(12, st.admin, console.StateExplained)
	st.sync(13, base(pairs("members", "dan")))
	check(14, st.admin, console.StateUndone)
	st.sync(15, base(pairs("members", "dan"), pairs("admins", "dan")))
	check(16, st.admin, console.StateExplained)
	check(61, st.admin, console.StateOverdue)

	update(t, s, by(62), func(tx *store.Tx) error {
		_, err := tx.AddBar(console.Bar{App: st.app, Account: dan, Entitlement: st.member, Why: "review"})
		return err
	})
	o := st.mustCreate(63, st.op("dan", st.member, console.Revoke))
	check(63, st.member, console.StateEnding)
	if err := st.dispatch(64, o.ID, "task", store.Circumstances{}); err != nil {
		t.Fatal(err)
	}
	update(t, s, by(65), func(tx *store.Tx) error { return finish(tx, o.ID, "task", console.Applied, "") })
	check(66, st.member, console.StateEnding)
	n := st.sync(67, base(pairs("admins", "dan")))
	update(t, s, by(68), func(tx *store.Tx) error { return tx.JudgeOperation(o.ID, console.Verifies, n) })
	check(69, st.member, console.StateNone)
	st.sync(70, base(pairs("members", "dan"), pairs("admins", "dan")))
	check(71, st.member, console.StateCameBack)
	st.sync(72, base(map[[2]string]grant{{"members", "dan"}: {sources: []console.Source{{Entitlement: "group:admins:member"}}}}, pairs("admins", "dan")))
	check(73, st.member, console.StateHeldThrough)

	// The account itself.
	m := base()
	m.statuses = map[string]console.Status{"dan": console.StatusDisabled}
	st.sync(80, m)
	check(81, console.AccountItself, console.StateNone)
	st.sync(82, base())
	check(83, console.AccountItself, console.StateUnexplained)
	st.sync(84, model{accounts: []string{"ana"}})
	check(85, console.AccountItself, console.StateNone)
}
