package approve_test

import (
	"sync"
	"testing"
	"time"

	"baton/console"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// TestAcceptance4TwoRevokesAtOnce removes two administrators at the same time where one has to
// remain: exactly one of the removals is refused.
func TestAcceptance4TwoRevokesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts := map[string]console.ResourceKey{}
		w.update(func(tx *store.Tx) error {
			a, err := tx.App(w.app)
			if err != nil {
				return err
			}
			for _, who := range []string{"cem", "dan"} {
				keys, err := tx.AccountsOf(w.id(who))
				if err != nil {
					return err
				}
				accounts[who] = keys[0]
			}
			return tx.SetRoleMap(w.app, a.Roles, 1)
		})
		for round := range 10 {
			denied := w.count("operation.denied")
			ids, errs := make([]console.ID, 2), make([]error, 2)
			var wg sync.WaitGroup
			for i, who := range []string{"cem", "dan"} {
				wg.Go(func() {
					done, err := w.RemoveAccess(ctx, w.callers["own"], w.app, accounts[who], w.admin, "test")
					ids[i], errs[i] = done.Operation, err
				})
			}
			wg.Wait()
			refused := 0
			for i, err := range errs {
				if err == nil {
					w.check(w.CancelOperation(ctx, w.callers["own"], w.app, ids[i], "again"))
					continue
				}
				refused++
				wantGuard(t, "the other one", err, console.GuardAdmins)
			}
			if refused != 1 || w.count("operation.denied") != denied+1 {
				t.Fatalf("round %d: %d refused, %d denials", round, refused, w.count("operation.denied")-denied)
			}
		}
	})
}

// TestAcceptance6OwnRequest lets somebody decide about the own request as the only approver, as
// a delegate, as a member of the group that is asked, and as a super administrator: all of it
// is refused.
func TestAcceptance6OwnRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		asks := func(approvers ...console.Approver) {
			w.update(func(tx *store.Tx) error {
				p, err := tx.Policy(console.StandardPolicy)
				if err != nil {
					return err
				}
				p.Rules = []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{{Ask: approvers}}}}
				_, err = tx.AddPolicyVersion(p, p.Version)
				return err
			})
		}
		person := func(who string) console.Approver {
			return console.Approver{Kind: console.ApproverPerson, Person: w.id(who)}
		}
		group := console.Approver{Kind: console.ApproverGroup, App: w.app, Entitlement: ingesttest.Member("admins")}
		denied := w.count("operation.denied")

		// The only approver is told at once that nobody else may decide.
		asks(person("ana"))
		_, err := w.ask("ana", "ana", w.member)
		wantGuard(t, "the only approver", err, console.GuardNobody)
		for name, tt := range map[string]struct {
			who     string
			prepare func()
		}{
			"a delegate": {"ana", func() {
				asks(person("own"))
				w.update(func(tx *store.Tx) error {
					return tx.SetDelegation(console.Delegation{Person: w.id("own"), Delegate: w.id("ana"), From: w.now.Add(-time.Hour), Until: w.now.Add(time.Hour)})
				})
			}},
			"a member of the group": {"cem", func() { asks(group) }},
			"a super administrator": {"sup", func() {
				asks(console.Approver{Kind: console.ApproverRole, Role: console.SuperAdministrator}, person("own"))
			}},
			"one of two approvers": {"ana", func() { asks(person("ana"), person("own")) }},
			"the owner of the app": {"own", func() { asks(console.Approver{Kind: console.ApproverAppOwner}, person("own2")) }},
		} {
			t.Run(name, func(t *testing.T) {
				tt.prepare()
				r := w.mustAsk(tt.who, tt.who, w.member)
				before := w.count("operation.denied")
				wantGuard(t, name, w.decide(tt.who, r, true), console.GuardSelf)
				if got := w.get(r.ID); got.State != console.RequestAsking || w.writes() != 0 || w.count("operation.denied") != before+1 {
					t.Errorf("%+v, %d operations", got, w.writes())
				}
				w.check(w.CancelRequest(ctx, w.callers[tt.who], r.ID, "test"))
			})
		}
		if w.count("operation.denied") <= denied {
			t.Error("nothing is denied")
		}
	})
}
