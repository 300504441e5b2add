package plan_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/plan"
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

// world is a console with one app: the administrators cem, dan and own, the members ana and ben, and a
// connector that can grant.
type world struct {
	*govern.Console
	t              testing.TB
	store          *store.Store
	now            time.Time
	app, connector console.ID
	admin, member  console.EntitlementKey
	tenant         ingesttest.Tenant
	callers        map[string]govern.Caller
}

func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, openSQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, openPostgres(t))) })
}

func openSQLite(t testing.TB) *store.Store {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openPostgres(t testing.TB) *store.Store {
	s, err := postgres.Open(ctx, postgres.Config{URL: pgtest.New(t), Now: noon, CallersClock: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newWorld(t testing.TB, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, now: noon, callers: map[string]govern.Caller{}}
	w.Console = govern.New(govern.Config{Store: s, Now: func() time.Time { return w.now }})
	roles := map[string][]console.ConsoleRole{"so": {console.SecurityOfficer}, "sup": {console.SuperAdministrator}, "aud": {console.Auditor}}
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"ana", "ben", "cem", "dan", "own", "mgr", "so", "sup", "aud", "nobody"} {
			id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@example.com"}, Roles: roles[name]})
			if err != nil {
				return err
			}
			person, err := tx.Person(id)
			if err != nil {
				return err
			}
			w.callers[name] = govern.Caller{Person: person, Session: console.Session{Person: id, Began: noon, Proved: noon.Add(1000 * time.Hour), Seen: noon}}
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
	w.tenant.Groups = []ingesttest.Group{{ID: "admins", Name: "Admins", Members: []string{"cem", "dan", "own"}}, {ID: "members", Name: "Members", Members: []string{"ana", "ben", "dan"}}}
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

func (w *world) view(fn func(*store.Tx) error) {
	w.t.Helper()
	w.check(w.store.View(ctx, fn))
}

func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

// sync applies a sync with what the tenant shows, and judges operations like the worker.
func (w *world) sync() console.Sync {
	w.t.Helper()
	w.later(time.Minute)
	s := w.tenant.Receive(w.t, w.store, w.connector, w.now)
	if s.State != console.SyncApplied {
		w.later(time.Minute)
		return s
	}
	w.update(func(tx *store.Tx) error {
		c, err := tx.Connector(w.connector)
		if err != nil {
			return err
		}
		back, err := tx.FindCameBack(c, s)
		for _, b := range back {
			if err == nil {
				err = tx.TellCameBack(b)
			}
		}
		if err != nil {
			return err
		}
		all, err := tx.UnverifiedOperations(w.connector)
		for _, o := range all {
			if err != nil {
				return err
			}
			a, e := tx.Access(o.App, o.Account, o.Entitlement, w.now)
			if e != nil {
				return e
			}
			err = tx.JudgeOperation(o.ID, console.Verify(o, console.Sighting{Kind: s.Kind, Dispatched: s.Dispatched, Covers: true, Held: a.Held, Direct: a.Direct}), s.Number)
		}
		return err
	})
	w.later(time.Minute)
	return s
}

func (w *world) account(name string) (key console.ResourceKey) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", name)
		key = r.Key
		return err
	})
	return key
}

func (w *world) row(name string, e console.EntitlementKey, do console.PlanDo) console.PlanRow {
	w.t.Helper()
	return console.PlanRow{App: w.app, Account: w.account(name), Entitlement: e, Do: do}
}

func (w *world) access(name string, e console.EntitlementKey) (a console.Access) {
	w.t.Helper()
	key := w.account(name)
	w.view(func(tx *store.Tx) (err error) {
		a, err = tx.Access(w.app, key, e, w.now)
		return err
	})
	return a
}

func (w *world) create(who string, rows ...console.PlanRow) (console.ID, error) {
	return w.CreatePlan(ctx, w.callers[who], govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Why: "not needed", Rows: rows})
}

func (w *world) mustCreate(who string, rows ...console.PlanRow) govern.PlanView {
	w.t.Helper()
	id, err := w.create(who, rows...)
	w.check(err)
	return w.plan(id)
}

func (w *world) plan(id console.ID) (v govern.PlanView) {
	w.t.Helper()
	v, err := w.Plan(ctx, w.callers["sup"], id, store.PlanRowFilter{}, 0, 100)
	w.check(err)
	return v
}

// apply applies a plan as it is, like somebody who has just looked at it.
func (w *world) apply(who string, v govern.PlanView) error {
	return w.ApplyPlan(ctx, w.callers[who], v.ID, v.Hash, "")
}

// advance does what is due, like the worker.
func (w *world) advance(id console.ID) {
	w.t.Helper()
	for range 3 {
		w.check(plan.Advance(ctx, w.store, func() time.Time { return w.now }, id))
	}
}

// carryOut dispatches all queued operations, and reports their success.
func (w *world) carryOut() (n int) {
	w.t.Helper()
	var queued []console.Operation
	w.view(func(tx *store.Tx) (err error) {
		queued, err = tx.QueuedOperations(w.connector, w.now, 1000)
		return err
	})
	for _, o := range queued {
		task := console.NewID(w.now)
		var refused error
		w.update(func(tx *store.Tx) (err error) {
			refused, err = tx.DispatchOperation(o.ID, task, w.now, w.now.Add(30*time.Minute), store.Circumstances{})
			return err
		})
		if refused != nil {
			continue
		}
		n++
		w.later(time.Second)
		w.update(func(tx *store.Tx) error {
			return tx.FinishOperation(o.ID, task, store.Answer{At: w.now, State: console.Applied})
		})
	}
	return n
}

// result returns the row of an access.
func (w *world) result(id console.ID, name string, e console.EntitlementKey) govern.PlanRowView {
	w.t.Helper()
	account := w.account(name)
	for _, r := range w.plan(id).Rows {
		if r.Account == account && r.Entitlement == e {
			return r
		}
	}
	w.t.Fatalf("no row of %s", name)
	return govern.PlanRowView{}
}

// none is the kind of no error.
const none baton.Kind = -1

func wantKind(t *testing.T, what string, err error, want baton.Kind) {
	t.Helper()
	if err == nil && want == none {
		return
	}
	if err == nil || baton.KindOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func wantGuard(t *testing.T, what string, err error, want console.Guard) {
	t.Helper()
	if r := (*console.Refusal)(nil); !errors.As(err, &r) || r.Guard != want {
		t.Errorf("%s: %v, want a refusal of %s", what, err, want)
	}
}
