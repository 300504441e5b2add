package plan_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern/governtest"
	"baton/console/ingest/ingesttest"
	"baton/console/plan"
	"baton/console/store"
)

// planned is the number of rows of the benchmark.
const planned = 10_000

// BenchmarkPlan computes a plan of 10,000 rows, half of them memberships and half of them accounts, and
// carries it out. It reports the CPU of this process; that of a PostgreSQL server is apart.
func BenchmarkPlan(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": governtest.OpenSQLite, "postgres": governtest.OpenPostgres} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				benchPlan(b, newWorld(b, open(b)))
			}
		})
	}
}

func benchPlan(b *testing.B, w *world) {
	b.StopTimer()
	w.many(planned)
	rows := w.manyRows(planned)
	b.StartTimer()
	var p console.RemovalPlan
	begin := cpu(b)
	w.Update(func(tx *store.Tx) (err error) {
		p, err = tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Title: "Many", Why: "not needed"}, rows)
		return err
	})
	added := cpu(b)
	w.Check(plan.Compute(ctx, w.Store, console.By{At: w.Time, Actor: console.Console}, p.ID))
	computed := cpu(b)
	w.View(func(tx *store.Tx) (err error) {
		p, err = tx.Plan(p.ID)
		return err
	})
	if p.Summary.Planned != planned {
		b.Fatalf("%+v", p.Summary)
	}
	w.Check(w.ApplyPlan(ctx, w.Callers["sup"], p.ID, p.Hash, fmt.Sprint(planned)))
	applied := cpu(b)
	w.Check(plan.Advance(ctx, w.Store, func() time.Time { return w.Time }, p.ID))
	carried := cpu(b)
	begun := time.Now()
	v := w.plan(p.ID)
	shown := time.Since(begun)
	if v.Results[console.ResultUnderWay] != planned {
		b.Fatalf("%+v", v.Results)
	}
	b.ReportMetric((added - begin).Seconds(), "add-cpu-s")
	b.ReportMetric((computed - added).Seconds(), "compute-cpu-s")
	b.ReportMetric((applied - computed).Seconds(), "apply-cpu-s")
	b.ReportMetric((carried - applied).Seconds(), "carry-cpu-s")
	b.ReportMetric(float64(shown.Microseconds())/1000, "page-ms")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// many adds accounts that are members, each of a person of its own, and a reason for each membership.
func (w *world) many(n int) {
	w.T.Helper()
	for i := range n / 2 {
		id := fmt.Sprintf("u%05d", i)
		w.Tenant.Accounts = append(w.Tenant.Accounts, ingesttest.Account(id, "User "+id, id+"@example.com"))
		w.Tenant.Groups[1].Members = append(w.Tenant.Groups[1].Members, id)
	}
	w.ApplySync()
	for at := 0; at < n/2; at += 1000 {
		w.Update(func(tx *store.Tx) error {
			m, err := tx.Moment(w.AppID, time.Time{})
			if err != nil {
				return err
			}
			for i := at; i < min(at+1000, n/2); i++ {
				id := fmt.Sprintf("u%05d", i)
				r, err := tx.ResourceByID(m, "user", id)
				if err != nil {
					return err
				}
				person, err := tx.AddPerson(console.Person{Name: "User " + id, Emails: []string{id + "@example.com"}})
				if err != nil {
					return err
				}
				if err := tx.SetAccountOwner(r.Key, person, store.OwnerMatched); err != nil {
					return err
				}
				if _, err := tx.AddReason(console.Reason{App: w.AppID, Account: r.Key, Entitlement: w.Members, Kind: console.ReasonManual}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.Check(w.Store.Engine().Analyze(ctx, "resource", "resource_version", "fact", "reason", "account_owner", "person"))
}

// manyRows returns the rows that remove the memberships and disable the accounts of [world.many].
func (w *world) manyRows(n int) (rows []console.PlanRow) {
	w.T.Helper()
	w.View(func(tx *store.Tx) error {
		m, err := tx.Moment(w.AppID, time.Time{})
		if err != nil {
			return err
		}
		for i := range n / 2 {
			r, err := tx.ResourceByID(m, "user", fmt.Sprintf("u%05d", i))
			if err != nil {
				return err
			}
			rows = append(rows, console.PlanRow{App: w.AppID, Account: r.Key, Entitlement: w.Members, Do: console.PlanRemove}, console.PlanRow{App: w.AppID, Account: r.Key, Do: console.PlanRemove})
		}
		return nil
	})
	return rows
}
