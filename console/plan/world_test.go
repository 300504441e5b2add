package plan_test

import (
	"context"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/plan"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var ctx = context.Background()

// world adds plans to the console of the tests.
type world struct{ *governtest.World }

func newWorld(t testing.TB, s *store.Store) *world { return &world{governtest.New(t, s)} }

func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, governtest.OpenSQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, governtest.OpenPostgres(t))) })
}

func (w *world) row(name string, e console.EntitlementKey, do console.PlanDo) console.PlanRow {
	w.T.Helper()
	return console.PlanRow{App: w.AppID, Account: w.AccountOf(name), Entitlement: e, Do: do}
}

func (w *world) create(who string, rows ...console.PlanRow) (console.ID, error) {
	return w.CreatePlan(ctx, w.Callers[who], govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Why: "not needed", Rows: rows})
}

func (w *world) mustCreate(who string, rows ...console.PlanRow) govern.PlanView {
	w.T.Helper()
	id, err := w.create(who, rows...)
	w.Check(err)
	return w.plan(id)
}

func (w *world) plan(id console.ID) (v govern.PlanView) {
	w.T.Helper()
	v, err := w.Plan(ctx, w.Callers["sup"], id, store.PlanRowFilter{}, 0, 100)
	w.Check(err)
	return v
}

// apply applies a plan as it is, like somebody who has just looked at it.
func (w *world) apply(who string, v govern.PlanView) error {
	return w.ApplyPlan(ctx, w.Callers[who], v.ID, v.Hash, "")
}

// advance does what is due, like the worker.
func (w *world) advance(id console.ID) {
	w.T.Helper()
	for range 3 {
		w.Check(plan.Advance(ctx, w.Store, func() time.Time { return w.Time }, id))
	}
}

// result returns the row of an access.
func (w *world) result(id console.ID, name string, e console.EntitlementKey) govern.PlanRowView {
	w.T.Helper()
	account := w.AccountOf(name)
	for _, r := range w.plan(id).Rows {
		if r.Account == account && r.Entitlement == e {
			return r
		}
	}
	w.T.Fatalf("no row of %s", name)
	return govern.PlanRowView{}
}
