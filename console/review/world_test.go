package review_test

import (
	"context"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/plan"
	"baton/console/review"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var ctx = context.Background()

// world adds reviews to the console of the tests.
type world struct{ *governtest.World }

func newWorld(t testing.TB, s *store.Store) *world { return &world{governtest.New(t, s)} }

func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, governtest.OpenSQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, governtest.OpenPostgres(t))) })
}

// settings returns those of a campaign about everything, which the owners of the app review.
func settings(edits ...func(*console.CampaignSettings)) console.CampaignSettings {
	s := console.CampaignSettings{Name: "Review", Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}}, Fallback: []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}},
		Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove}, Unanswered: console.UnansweredKeep, Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

// advance does what is due about a campaign and its plan, like the worker.
func (w *world) advance(id console.ID) {
	w.T.Helper()
	for range 4 {
		_, err := review.Advance(ctx, w.Store, func() time.Time { return w.Time }, id, func() error { return nil })
		w.Check(err)
		if c := w.campaign(id); c.Plan != "" {
			w.Check(plan.Advance(ctx, w.Store, func() time.Time { return w.Time }, c.Plan))
		}
	}
}

func (w *world) campaign(id console.ID) (c console.Campaign) {
	w.T.Helper()
	w.View(func(tx *store.Tx) (err error) {
		c, err = tx.Campaign(id)
		return err
	})
	return c
}

// staged returns a campaign whose population is frozen.
func (w *world) staged(edits ...func(*console.CampaignSettings)) console.ID {
	w.T.Helper()
	id, err := w.AddCampaign(ctx, w.Callers["camp"], govern.NewCampaign{CampaignSettings: settings(edits...)})
	w.Check(err)
	w.Check(w.PrepareCampaign(ctx, w.Callers["camp"], id, ""))
	w.advance(id)
	if c := w.campaign(id); c.State != console.CampaignStaged {
		w.T.Fatalf("the campaign is %s: %s", c.State, c.Why)
	}
	return id
}

// started returns a campaign that runs.
func (w *world) started(edits ...func(*console.CampaignSettings)) console.ID {
	w.T.Helper()
	id := w.staged(edits...)
	w.Check(w.StartCampaign(ctx, w.Callers["camp"], id))
	w.Later(time.Minute)
	return id
}

// items returns the items of a campaign by their logins and groups, "ana members".
func (w *world) items(id console.ID) map[string]govern.ItemView {
	w.T.Helper()
	p, err := w.CampaignItems(ctx, w.Callers["aud"], id, store.ItemFilter{}, 0, 500)
	w.Check(err)
	all := map[string]govern.ItemView{}
	for _, i := range p.Items {
		name := i.Shown.AccountName + " " + i.Shown.ResourceName
		if i.Kind != console.ReviewAccess {
			name = i.Shown.PersonName + " " + i.Shown.EntitlementName
		}
		all[name] = i
	}
	return all
}

// decide makes decisions of one person about items, and submits them.
func (w *world) decide(who string, id console.ID, choices map[string]console.ReviewChoice) error {
	w.T.Helper()
	items := w.items(id)
	var all []review.Choice
	for name, choice := range choices {
		i, there := items[name]
		if !there {
			w.T.Fatalf("no item %s", name)
		}
		all = append(all, review.Choice{Item: i.Number, Choice: choice, Seconds: 3, Hash: i.Hash})
	}
	if _, err := w.DecideReview(ctx, w.Callers[who], id, all, 0, false); err != nil {
		return err
	}
	_, err := w.SubmitReview(ctx, w.Callers[who], id)
	return err
}

// closed ends the decisions of a campaign, and applies its plan.
func (w *world) closed(id console.ID) {
	w.T.Helper()
	w.Check(w.CloseCampaign(ctx, w.Callers["camp"], id))
	w.advance(id)
	c := w.campaign(id)
	if c.Plan == "" {
		return
	}
	var p console.RemovalPlan
	w.View(func(tx *store.Tx) (err error) {
		p, err = tx.Plan(c.Plan)
		return err
	})
	w.Check(w.ApplyPlan(ctx, w.Callers["camp"], p.ID, p.Hash, ""))
	w.advance(id)
}

// accountKey is [world.account] in a transaction.
func (w *world) accountKey(tx *store.Tx, name string) console.ResourceKey {
	w.T.Helper()
	m, err := tx.Moment(w.AppID, time.Time{})
	w.Check(err)
	r, err := tx.ResourceByID(m, "user", name)
	w.Check(err)
	return r.Key
}
