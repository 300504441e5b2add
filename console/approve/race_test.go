package approve_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// newest returns the number of the last event.
func (w *world) newest() int64 {
	w.t.Helper()
	var n int64
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		head, err := tx.ChainHead()
		n = head.Number
		return err
	}))
	return n
}

// placeOf returns the number of the first matching event after another event; 0 if there is none.
func (w *world) placeOf(after int64, is func(store.Event) bool) (n int64) {
	w.t.Helper()
	w.check(w.store.View(ctx, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, after, store.PageSize)
		for _, e := range events {
			if n == 0 && is(e) {
				n = e.Number
			}
		}
		return err
	}))
	return n
}

// atOnce runs an approval by the owner and another command at the same time. The order varies with
// the round.
func (w *world) atOnce(round int, r console.Request, other func() error) (decided, changed error) {
	decide := func() { decided = w.decide("own", r, true) }
	change := func() { changed = other() }
	if round%2 == 0 {
		decide, change = change, decide
	}
	var wg sync.WaitGroup
	wg.Go(decide)
	change()
	wg.Wait()
	return decided, changed
}

// TestApproveWhilePolicyChanges approves a request while its policy changes to deny
// everything: the request keeps the version that it was filed under, and the decision counts.
func TestApproveWhilePolicyChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for version := range 6 {
			r := w.mustAsk("ana", "ana", w.member)
			decided, changed := w.atOnce(version, r, func() error {
				return w.store.Update(ctx, console.By{At: w.now, Actor: console.Console}, func(tx *store.Tx) error {
					p, _ := console.BuiltInPolicy(console.StandardPolicy)
					p.Rules = []console.PolicyRule{{Outcome: console.OutcomeDeny}}
					_, err := tx.AddPolicyVersion(p, 2*version)
					return err
				})
			})
			w.check(changed)
			w.check(decided)
			if got := w.get(r.ID); got.State != console.RequestCarrying || got.PolicyVersion != r.PolicyVersion {
				t.Errorf("%s, version %d", got.State, got.PolicyVersion)
			}
			w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))
			w.update(func(tx *store.Tx) error {
				p, _ := console.BuiltInPolicy(console.StandardPolicy)
				_, err := tx.AddPolicyVersion(p, 2*version+1)
				return err
			})
		}
	})
}

// TestApproveWhileApproverLeaves approves a request while the approver leaves: either the decision
// came first and counts, or it is refused and another person is asked.
func TestApproveWhileApproverLeaves(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		counted := 0
		for round := range 20 {
			r := w.mustAsk("ana", "ana", w.member)
			before := w.newest()
			decided, changed := w.atOnce(round, r, func() error {
				return w.SetPersonStatus(ctx, w.callers["sup"], w.id("own"), console.PersonDisabled)
			})
			w.check(changed)
			left := w.placeOf(before, func(e store.Event) bool { return strings.HasPrefix(e.Kind, "person.") && e.Person == w.id("own") })
			approved := w.placeOf(before, func(e store.Event) bool {
				return strings.HasPrefix(e.Kind, "request.") && e.Object == string(r.ID) && e.Actor.Person() == w.id("own")
			})
			got := w.get(r.ID)
			switch {
			case decided == nil:
				counted++
				if got.State != console.RequestCarrying || w.writes() != 1 || approved == 0 || approved > left {
					t.Errorf("the decision counts: %s, %d operations, event %d after the approver left in %d", got.State, w.writes(), approved, left)
				}
			case baton.KindOf(decided) != baton.Unauthenticated && baton.KindOf(decided) != baton.PermissionDenied && baton.KindOf(decided) != baton.Refused:
				t.Errorf("%v", decided)
			default:
				w.recheck()
				if got.State != console.RequestAsking || w.writes() != 0 || w.asked(got) != "mgr" {
					t.Errorf("the decision was refused: %s, %d operations, asked: %s", got.State, w.writes(), w.asked(got))
				}
			}
			w.check(w.CancelRequest(ctx, w.callers["ana"], r.ID, ""))
			w.check(w.SetPersonStatus(ctx, w.callers["sup"], w.id("own"), console.PersonActive))
		}
		t.Logf("%d of 20 decisions came first", counted)
	})
}

// TestApproveWhileSyncIsHeld approves a request while a sync becomes held: the decision counts, and
// nothing is dispatched before the hold is decided.
func TestApproveWhileSyncIsHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		full := w.tenant
		for range 3 {
			r := w.mustAsk("ana", "ana", w.member)
			w.later(time.Minute)
			w.tenant.Accounts = w.tenant.Accounts[:1]
			w.tenant.Groups = []ingesttest.Group{{ID: "admins", Name: "Admins"}, {ID: "members", Name: "Members"}}
			decided, _ := w.atOnce(1, r, func() error { // t.Fatal must run in the test's goroutine
				if s := w.tenant.Receive(t, w.store, w.connector, w.now); s.State != console.SyncHeld {
					t.Errorf("the sync is %s", s.State)
				}
				return nil
			})
			w.check(decided)
			got := w.get(r.ID)
			if got.State != console.RequestCarrying {
				t.Fatalf("the request is %s", got.State)
			}
			var refused error
			w.update(func(tx *store.Tx) (err error) {
				refused, err = tx.DispatchOperation(got.Operation, console.NewID(w.now), w.now, w.now.Add(time.Minute), store.Circumstances{})
				return err
			})
			wantGuard(t, "dispatch while held", refused, console.GuardHeld)
			if o := w.operation(got.Operation); o.State != console.Queued {
				t.Errorf("the operation is %s", o.State)
			}
			w.tenant = full
			if s := w.sync(); s.State != console.SyncApplied { // a newer sync replaces the held one
				t.Fatalf("the sync is %s", s.State)
			}
			w.update(func(tx *store.Tx) error { // nothing delays it now
				refused, err := tx.DispatchOperation(got.Operation, console.NewID(w.now), w.now, w.now.Add(time.Minute), store.Circumstances{})
				if refused != nil {
					t.Errorf("after the sync: %v", refused)
				}
				return err
			})
			w.update(func(tx *store.Tx) error {
				o, err := tx.Operation(got.Operation)
				if err != nil {
					return err
				}
				return tx.FinishOperation(o.ID, o.Task, store.Answer{At: w.now, State: console.Declined, Text: "the next round"})
			})
		}
	})
}
