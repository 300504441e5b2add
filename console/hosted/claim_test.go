package hosted_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/internal/longtest"
)

// TestApproveToClaimable measures the time from an approver's decision until a host of the connector
// has the task, on both databases.
func TestApproveToClaimable(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			r := replica{Key: store.NewKey(), Groups: 1, Users: longtest.Pick(50, 500)}
			if database == "sqlite" {
				r.Path = filepath.Join(t.TempDir(), "console.db")
			} else {
				r.URL = pgtest.New(t).Reveal()
			}
			s, err := r.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			took := approveToClaimable(t, s, r)
			slices.Sort(took)
			at := func(percent int) time.Duration { return took[len(took)*percent/100].Round(10 * time.Microsecond) }
			fmt.Fprintf(os.Stderr, "%s: %d decisions, from the decision to the task in the host's hands: p50 %s, p95 %s, p99 %s\n", database, len(took), at(50), at(95), at(99))
			// The target is a p95 of 50 ms on an idle machine. A decision that waits for a poll or a lock
			// shows in the median on a busy one, too.
			if at(50) > 5*time.Second {
				t.Errorf("half of them took more than %s", at(50))
			}
		})
	}
}

func approveToClaimable(t *testing.T, s *store.Store, r replica) (took []time.Duration) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	update := func(fn func(*store.Tx) error) {
		t.Helper()
		must(s.Update(t.Context(), console.By{At: time.Now(), Actor: console.Console}, fn))
	}
	person := func(p console.Person) (c govern.Caller) {
		t.Helper()
		update(func(tx *store.Tx) error {
			id, err := tx.AddPerson(p)
			if err == nil {
				c.Person, err = tx.Person(id)
			}
			return err
		})
		c.Session = console.Session{Person: c.Person.ID, Proved: time.Now().Add(time.Hour)}
		return c
	}
	c := r.console(s)
	root, owner := person(console.Person{Name: "Root", Roles: []console.ConsoleRole{console.SuperAdministrator}}), person(console.Person{Name: "Olga"})
	id, err := c.AddConnector(t.Context(), root, govern.NewConnector{Name: "tally", Product: "tally", NewApp: "Tally"})
	must(err)
	tenant := tallyTenant(r.Groups, r.Users)
	for i := range tenant.Groups {
		tenant.Groups[i].Members = nil
	}
	tenant.Apply(t, s, id, time.Now())
	tasks := rpcstore.New(s)
	must(tasks.Hello(t.Context(), time.Now(), string(id), rpc.Hello{Host: "test", Connector: rpc.Description{Capabilities: []rpc.Capability{rpc.CanProvision}}}))
	var app console.App
	var group console.EntitlementKey
	update(func(tx *store.Tx) error {
		con, err := tx.Connector(id)
		if err != nil {
			return err
		}
		if err := tx.RemoveDue(console.DueSync, string(id)); err != nil {
			return err
		}
		if app, err = tx.App(con.App); err != nil {
			return err
		}
		app.Owners = []console.ID{owner.Person.ID}
		if err := tx.ChangeApp(app); err != nil {
			return err
		}
		m, err := tx.Moment(app.ID, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, ingesttest.Member("g000"))
		group = e.Key
		return err
	})
	for _, a := range tenant.Accounts {
		who := person(console.Person{Name: a.ID.ID})
		update(func(tx *store.Tx) error {
			m, err := tx.Moment(app.ID, time.Time{})
			if err != nil {
				return err
			}
			account, err := tx.ResourceByID(m, "user", a.ID.ID)
			if err != nil {
				return err
			}
			return tx.SetAccountOwner(account.Key, who.Person.ID, store.OwnerMatched)
		})
		asked, err := c.SubmitRequest(t.Context(), who, govern.NewRequest{App: app.ID, Entitlement: group, Term: console.Term{For: console.Duration(time.Hour)}, Why: "test"})
		must(err)
		decision := govern.NewDecision{Request: asked.ID, Step: asked.Plan.Steps[asked.Step].ID, Version: asked.Version, Approve: true}
		began := time.Now()
		_, err = c.Decide(t.Context(), owner, decision)
		must(err)
		l, err := tasks.Lease(t.Context(), time.Now(), rpc.LeaseRequest{Connector: string(id), Host: "test", Max: 1})
		must(err)
		took = append(took, time.Since(began))
		if len(l.Tasks) != 1 || l.Tasks[0].Work.Grant == nil || l.Tasks[0].Work.Grant.Principal.ID != (baton.ResourceID{Type: "user", ID: a.ID.ID}) {
			t.Fatalf("%+v", l.Tasks)
		}
		_, err = tasks.Finish(t.Context(), time.Now(), rpc.Holder{Connector: string(id), Host: "test", Task: l.Tasks[0].ID}, rpc.Result{})
		must(err)
	}
	return took
}
