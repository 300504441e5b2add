//go:build unix

package review_test

import (
	"testing"
	"time"

	"baton/console"
	"baton/console/plan"
	"baton/console/review"
	"baton/console/store"
	"baton/internal/longtest"
)

// The budgets of acceptance check 14, as CPU of the process, which does not depend on what else the
// machine does.
const (
	pageBudget = 20 * time.Millisecond // a page of a review
	planBudget = 5 * time.Second       // computing a plan of 2,000 rows
)

// TestAcceptance14 reviews a fifth of the access of accounts that hold 50 entitlements each: in its
// long size 10,000 accounts, of whose 500,000 grants 100,000 are items. The pages of reviewers and the
// plan of the removals stay within their budgets.
func TestAcceptance14(t *testing.T) { onBoth(t, testAcceptance14) }

func testAcceptance14(t *testing.T, w *world) {
	accounts := longtest.Pick(200, 10_000)
	app := w.addLarge(accounts, 50)
	var groups []console.EntitlementKey
	w.View(func(tx *store.Tx) error {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		all, err := tx.Entitlements(m, store.EntitlementAfter{}, 80)
		for _, e := range all {
			groups = append(groups, e.Key)
		}
		return err
	})
	id := w.started(func(s *console.CampaignSettings) { s.Scope.Apps, s.Scope.Entitlements = []console.ID{app}, groups })
	items := w.campaign(id).Staged.Items
	if want := accounts * 50 / 5; items < want*9/10 || items > want*11/10 {
		t.Fatalf("%d items, want about %d", items, want)
	}

	const pages = 40
	used := cpuOf(func() {
		for n := range pages {
			place := store.AssignmentPlace{Place: n * accounts / pages, Item: n * items / pages}
			_, err := w.MyReviewItems(ctx, w.Callers["own"], id, store.ReviewerFilter{ByPerson: n%2 == 0}, place, 50)
			w.Check(err)
		}
	})
	if each := time.Duration(used / pages * float64(time.Second)); each > pageBudget {
		t.Errorf("a page takes %s of CPU, at most %s are expected", each, pageBudget)
	} else {
		t.Logf("%d items: a page takes %s of CPU", items, each)
	}

	removals := min(items, 2000)
	var choices []review.Choice
	for n := range removals {
		choices = append(choices, review.Choice{Item: n + 1, Choice: console.ChooseRemove, Seconds: 3})
	}
	_, err := w.DecideReview(ctx, w.Callers["own"], id, choices, removals, false)
	w.Check(err)
	_, err = w.SubmitReview(ctx, w.Callers["own"], id)
	w.Check(err)
	w.Check(w.CloseCampaign(ctx, w.Callers["camp"], id))
	now := func() time.Time { return w.Time }
	_, err = review.Advance(ctx, w.Store, now, id, func() error { return nil })
	w.Check(err)
	used = cpuOf(func() { w.Check(plan.Advance(ctx, w.Store, now, w.campaign(id).Plan)) })
	w.View(func(tx *store.Tx) error {
		p, err := tx.Plan(w.campaign(id).Plan)
		if p.State != console.PlanReady || p.Rows != removals {
			t.Errorf("the plan is %s and has %d rows, want %d", p.State, p.Rows, removals)
		}
		return err
	})
	if took := time.Duration(used * float64(time.Second)); took > planBudget {
		t.Errorf("the plan of %d rows takes %s of CPU, at most %s are expected", removals, took, planBudget)
	} else {
		t.Logf("a plan of %d rows takes %s of CPU", removals, took)
	}
}

// TestReviewerOfFewItems lists the items of somebody who has none in a campaign of many: what others
// are asked about is not read.
func TestReviewerOfFewItems(t *testing.T) { onBoth(t, testReviewerOfFewItems) }

func testReviewerOfFewItems(t *testing.T, w *world) {
	app := w.addLarge(2500, 4)
	id := w.started(func(s *console.CampaignSettings) { s.Scope.Apps = []console.ID{app} })
	for _, byPerson := range []bool{false, true} {
		const rounds = 20
		used := cpuOf(func() {
			for range rounds {
				w.View(func(tx *store.Tx) error {
					rows, err := tx.ReviewerItems(id, store.ReviewerFilter{Reviewer: w.ID("mgr"), ByPerson: byPerson}, store.AssignmentPlace{}, 51)
					if len(rows) > 0 {
						t.Errorf("%d rows", len(rows))
					}
					return err
				})
			}
		})
		if each := time.Duration(used / rounds * float64(time.Second)); each > 3*time.Millisecond {
			t.Errorf("by person %t: a page without a row takes %s of CPU", byPerson, each)
		} else {
			t.Logf("by person %t: %s of CPU", byPerson, each)
		}
	}
}
