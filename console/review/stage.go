package review

import (
	"context"
	"slices"
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// stageBatch is the number of items that are written in one transaction, so that staging blocks
// others only briefly.
const stageBatch = 2000

// Prepare begins to freeze the population of a draft. Sources that do not pass the accuracy gate are
// Refused, unless override says why that is all right.
func Prepare(tx *store.Tx, id console.ID, override string) (console.Campaign, error) {
	c, err := tx.LockCampaign(id)
	if err != nil {
		return c, err
	}
	now := tx.By().At
	sources, err := Gate(tx, c.Scope, now)
	if err != nil {
		return c, err
	}
	problems := console.Gate(sources, c.MaxAge, now)
	move := store.CampaignMove{To: console.CampaignPreparing}
	if len(problems) > 0 {
		if override == "" {
			few := "a source is"
			if n := len(problems); n > 1 {
				few = strconv.Itoa(n) + " sources are"
			}
			return c, baton.Errorf(baton.Refused, "%s not accurate enough: %s", few, problems[0]).WithFix("Sync first, or say why the review may start without that.")
		}
		move.Staged = &console.Population{Override: &console.GateOverride{Person: tx.By().Actor.Person(), Why: override, At: now, Problems: problems}}
		move.Data = map[string]any{"override": override, "problems": problems}
	}
	return tx.MoveCampaign(id, move)
}

// Stage freezes the population of a campaign that is being prepared: it reads it in one transaction,
// and writes it in several. If it was interrupted, it begins again. extend extends the lease of the
// caller.
func Stage(ctx context.Context, s *store.Store, by console.By, id console.ID, extend func() error) error {
	var p population
	var digest console.Hash
	err := s.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		p = population{tx: tx, now: by.At, settings: c.CampaignSettings, people: people{tx: tx}}
		if err := p.read(); err != nil {
			return err
		}
		if c.Staged != nil {
			p.staged.Override = c.Staged.Override
		}
		return p.assign()
	})
	if err == nil && len(p.items) == 0 {
		err = baton.Errorf(baton.Refused, "nothing is in the scope").WithFix("Widen the scope.")
	}
	if err != nil {
		return failed(ctx, s, by, id, err)
	}
	digest = p.number()
	if err := s.Update(ctx, by, func(tx *store.Tx) error { return tx.ClearReview(id) }); err != nil {
		return err
	}
	rows := make([]*store.NewItem, len(p.items))
	for n, i := range p.items {
		rows[n] = &i.NewItem
	}
	for batch := range slices.Chunk(rows, stageBatch) {
		if err := extend(); err != nil {
			return err
		}
		if err := s.Update(ctx, by, func(tx *store.Tx) error { return tx.AddReviewItems(id, batch) }); err != nil {
			return err
		}
	}
	s.AnalyzeReviews(ctx)
	p.staged.Digest = digest
	return s.Update(ctx, by, func(tx *store.Tx) error {
		if err := tx.CountPopulation(id, rows); err != nil {
			return err
		}
		for _, source := range p.staged.Sources {
			if source.File == "" {
				continue
			}
			if err := tx.KeepFile(source.File, "campaign "+string(id)); err != nil && baton.KindOf(err) != baton.Refused {
				return err
			}
		}
		_, err := tx.MoveCampaign(id, store.CampaignMove{To: console.CampaignStaged, Staged: &p.staged,
			Data: map[string]any{"items": p.staged.Items, "digest": p.staged.Digest, "sources": len(p.staged.Sources), "unassigned": p.staged.Unassigned}})
		return err
	})
}

// failed sends a campaign whose population cannot be frozen back to the draft, if trying again does
// not help.
func failed(ctx context.Context, s *store.Store, by console.By, id console.ID, err error) error {
	switch baton.KindOf(err) {
	case baton.Refused, baton.Invalid, baton.NotFound:
		return s.Update(ctx, by, func(tx *store.Tx) error {
			c, e := tx.LockCampaign(id)
			if e != nil {
				return e
			}
			to := console.CampaignDraft
			if c.ByAutomation() { // nobody waits for it, and the access is gone
				to = console.CampaignCancelled
			}
			_, e = tx.MoveCampaign(id, store.CampaignMove{To: to, Why: err.Error(), Data: map[string]any{"why": err.Error()}})
			return e
		})
	}
	return err
}

// assign finds the reviewers of all items.
func (p *population) assign() error {
	a := newAssigner(&p.people, p.settings, p.now)
	for _, i := range p.items {
		asked, err := a.of(i.app, i.person, i.Entitlement, i.former)
		if err != nil {
			return err
		}
		if i.Asked = asked; len(asked) == 0 {
			p.staged.Unassigned++
		}
	}
	return nil
}

// Start lets the reviewers decide.
func Start(tx *store.Tx, id console.ID) (console.Campaign, error) {
	c, err := tx.LockCampaign(id)
	if err != nil {
		return c, err
	}
	if c.State != console.CampaignStaged {
		return c, baton.Errorf(baton.Refused, "a review that is %s cannot start", c.State).WithFix("Prepare it first.")
	}
	p, err := tx.ReviewProgress(id)
	if err != nil {
		return c, err
	}
	reviewers := make([]console.ID, len(p.Reviewers))
	for i, r := range p.Reviewers {
		reviewers[i] = r.Reviewer
	}
	ends := tx.By().At.Add(time.Duration(c.Lasts))
	return tx.MoveCampaign(id, store.CampaignMove{To: console.CampaignRunning, Ends: ends, Data: map[string]any{"name": c.Name, "ends": ends.UTC(), "items": c.Staged.Items, "reviewers": reviewers}})
}
