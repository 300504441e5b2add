package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
)

// TestCampaignSeesWhatItIsDueFor shows that the worker reads a campaign only after the command that made
// it due: otherwise nobody would look at it again.
func TestCampaignSeesWhatItIsDueFor(t *testing.T) {
	ctx := context.Background()
	s, err := mailDatabase{Postgres: pgtest.New(t).Reveal()}.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	by := console.By{At: noon, Actor: console.Console}
	update := func(fn func(tx *store.Tx) error) {
		t.Helper()
		if err := s.Update(ctx, by, fn); err != nil {
			t.Fatal(err)
		}
	}
	var c console.Campaign
	update(func(tx *store.Tx) (err error) {
		settings := console.CampaignSettings{Name: "Empty", Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}}, Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove},
			Unanswered: console.UnansweredKeep, Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge}
		if c, err = tx.AddCampaign(console.Campaign{CampaignSettings: settings}); err != nil {
			return err
		}
		return tx.DueBy(console.DueCampaign, string(c.ID), noon)
	})
	moved, commit, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Update(ctx, by, func(tx *store.Tx) error {
			if _, err := tx.MoveCampaign(c.ID, store.CampaignMove{To: console.CampaignPreparing}); err != nil {
				return err
			}
			close(moved)
			<-commit
			return nil
		})
	}()
	<-moved
	due, err := s.Claim(ctx, noon, console.DueCampaign, "one", time.Minute, 1)
	if err != nil || len(due) != 1 {
		t.Fatalf("claimed %+v, %v", due, err)
	}
	time.AfterFunc(200*time.Millisecond, func() { close(commit) })
	w := New(Config{Store: s, Now: func() time.Time { return noon }})
	if err := w.campaign(ctx, due[0]); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.View(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Campaign(c.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if c.State != console.CampaignDraft || !strings.Contains(c.Why, "nothing is in the scope") {
		t.Errorf("the campaign is %s: %q", c.State, c.Why)
	}
}
