package review

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// The intervals at which the worker looks at a campaign again.
const (
	retryPrepare = time.Hour        // one whose sources are not accurate enough
	pollPlan     = 30 * time.Second // one whose plan is not over
	upkeepEvery  = 24 * time.Hour   // a running one
	watchEvery   = 24 * time.Hour   // a complete one, for access that comes back
	watchFor     = 90 * 24 * time.Hour
)

// Advance does what is to be done about a campaign or a template: it makes campaigns from templates,
// freezes populations, starts, reminds and closes. next is when it must be called again; zero: not
// before something changes. It can be interrupted at any time. extend extends the lease of the caller.
func Advance(ctx context.Context, s *store.Store, now func() time.Time, id console.ID, extend func() error) (next time.Time, err error) {
	by := func() console.By { return console.By{At: now(), Actor: console.Console} }
	var c console.Campaign
	if err := s.View(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Campaign(id)
		return err
	}); err != nil {
		return next, err
	}
	switch c.State {
	case console.CampaignTemplate:
		return c.Next(now()), fromTemplate(ctx, s, by(), c)
	case console.CampaignDraft:
		if !c.StartsByItself() {
			return next, nil
		}
		return now().Add(retryPrepare), prepareByItself(ctx, s, by(), c)
	case console.CampaignPreparing:
		return next, Stage(ctx, s, by(), id, extend)
	case console.CampaignStaged:
		if !c.AutoStart {
			return next, nil
		}
		return next, s.Update(ctx, by(), func(tx *store.Tx) error {
			_, err := Start(tx, id)
			return err
		})
	case console.CampaignRunning:
		return running(ctx, s, now, c, extend)
	case console.CampaignClosing, console.CampaignRemediating, console.CampaignVerifying:
		return ended(ctx, s, now, c, extend)
	case console.CampaignComplete:
		if c.Plan == "" || now().Sub(c.Finished) > watchFor {
			return next, nil
		}
		return now().Add(watchEvery), watch(ctx, s, by(), c)
	}
	return next, nil
}

// fromTemplate makes a campaign from a template, if its time has come.
func fromTemplate(ctx context.Context, s *store.Store, by console.By, t console.Campaign) error {
	return s.Update(ctx, by, func(tx *store.Tx) error {
		made, err := tx.Campaigns(store.CampaignFilter{Template: t.ID, States: console.CampaignStates()}, "", 1)
		if err != nil {
			return err
		}
		last := t.Created
		if len(made) > 0 {
			last = made[0].Created
		}
		if due := t.Next(last); due.IsZero() || due.After(by.At) {
			return nil
		}
		settings := t.CampaignSettings
		settings.Name, settings.Repeats, settings.First = t.Name+", "+by.At.UTC().Format("2 Jan 2006"), console.Once, time.Time{}
		_, err = tx.AddCampaign(console.Campaign{CampaignSettings: settings, Owners: t.Owners, Template: t.ID})
		return err
	})
}

// prepareByItself prepares a campaign that starts by itself as soon as its sources are accurate enough.
func prepareByItself(ctx context.Context, s *store.Store, by console.By, c console.Campaign) error {
	err := s.Update(ctx, by, func(tx *store.Tx) error {
		_, err := Prepare(tx, c.ID, "")
		return err
	})
	if baton.KindOf(err) != baton.Refused {
		return err
	}
	why := err.Error()
	return s.Update(ctx, by, func(tx *store.Tx) error {
		c, err := tx.LockCampaign(c.ID)
		if err != nil || c.State != console.CampaignDraft {
			return err
		}
		return tx.CampaignWaits(c, why)
	})
}

// running replaces reviewers who left, reminds those with open items, and closes at the end.
func running(ctx context.Context, s *store.Store, now func() time.Time, c console.Campaign, extend func() error) (next time.Time, err error) {
	by := console.By{At: now(), Actor: console.Console}
	if c.AutoClose && !by.At.Before(c.Ends) {
		return next, s.Update(ctx, by, func(tx *store.Tx) error {
			_, err := Close(tx, c.ID)
			return err
		})
	}
	var reviewers []store.ReviewerProgress
	if err := s.View(ctx, func(tx *store.Tx) error {
		p, err := tx.ReviewProgress(c.ID)
		reviewers = p.Reviewers
		return err
	}); err != nil {
		return next, err
	}
	for _, r := range reviewers {
		if r.Total == r.Submitted {
			continue
		}
		for after, more := 0, true; more; more = after > 0 {
			if err := extend(); err != nil {
				return next, err
			}
			if err := s.Update(ctx, by, func(tx *store.Tx) (err error) {
				if c, err = tx.HoldCampaign(c.ID); err == nil && c.State == console.CampaignRunning {
					after, err = Replace(tx, c, r.Reviewer, after)
				}
				return err
			}); err != nil {
				return next, err
			}
		}
	}
	if err := s.Update(ctx, by, func(tx *store.Tx) error { return remindIfDue(tx, c.ID) }); err != nil {
		return next, err
	}
	next = by.At.Add(upkeepEvery)
	if at := c.NextReminder(by.At); !at.IsZero() && at.Before(next) {
		next = at
	}
	if c.AutoClose && c.Ends.After(by.At) && c.Ends.Before(next) {
		next = c.Ends
	}
	return next, nil
}

// remindIfDue reminds reviewers if a time to do so passed since they were reminded last.
func remindIfDue(tx *store.Tx, id console.ID) error {
	c, err := tx.LockCampaign(id)
	if err != nil || c.State != console.CampaignRunning {
		return err
	}
	last, err := tx.LastReminder(c)
	if err != nil {
		return err
	}
	if last.Before(c.Started) {
		last = c.Started
	}
	if due := c.NextReminder(last); due.IsZero() || due.After(tx.By().At) {
		return nil
	}
	return Remind(tx, c)
}

// ended follows a campaign after its decisions.
func ended(ctx context.Context, s *store.Store, now func() time.Time, c console.Campaign, extend func() error) (next time.Time, err error) {
	by := console.By{At: now(), Actor: console.Console}
	if c.State == console.CampaignClosing {
		if err := closing(ctx, s, by, c, extend); err != nil {
			return next, err
		}
	}
	var p console.RemovalPlan
	open := 0 // removals of the console itself that are not carried out
	if err := s.View(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.Campaign(c.ID); err != nil {
			return err
		}
		if open, err = tx.CountConsoleRemovals(c.ID); err != nil || c.Plan == "" {
			return err
		}
		p, err = tx.Plan(c.Plan)
		return err
	}); err != nil {
		return next, err
	}
	if c.Plan != "" {
		if err := follow(ctx, s, by, c, p.State == console.PlanDiscarded); err != nil {
			return next, err
		}
	}
	to := target(c, p, open)
	for c.State != to {
		step := map[console.CampaignState]console.CampaignState{console.CampaignClosing: console.CampaignRemediating, console.CampaignRemediating: console.CampaignVerifying, console.CampaignVerifying: console.CampaignComplete}[c.State]
		if err := s.Update(ctx, by, func(tx *store.Tx) (err error) {
			counts, err := tx.ResultCounts(c.ID)
			if err != nil {
				return err
			}
			c, err = tx.MoveCampaign(c.ID, store.CampaignMove{To: step, Data: map[string]any{"results": counts}})
			return err
		}); err != nil {
			return next, err
		}
	}
	if c.State == console.CampaignComplete {
		return now().Add(watchEvery), nil
	}
	return now().Add(pollPlan), nil
}

// watch looks for removed access that came back after a campaign was complete.
func watch(ctx context.Context, s *store.Store, by console.By, c console.Campaign) error {
	var p console.RemovalPlan
	if err := s.View(ctx, func(tx *store.Tx) (err error) {
		p, err = tx.Plan(c.Plan)
		return err
	}); err != nil || p.State != console.PlanComplete {
		return err
	}
	return follow(ctx, s, by, c, false)
}

// over reports whether a plan has nothing left to carry out: it is complete or discarded, or none of its
// rows can be carried out.
func over(p console.RemovalPlan) bool {
	return p.State == console.PlanComplete || p.State == console.PlanDiscarded || p.State == console.PlanReady && p.Summary.Planned == 0
}

// target returns the state that a campaign whose decisions ended comes to, by that of its plan.
func target(c console.Campaign, p console.RemovalPlan, open int) console.CampaignState {
	switch {
	case open > 0 && c.State == console.CampaignClosing && (c.Plan == "" || over(p)):
		return c.State // somebody has to carry them out first
	case c.Plan == "" || over(p):
		if open > 0 {
			return console.CampaignRemediating
		}
		return console.CampaignComplete
	case p.State == console.PlanApplying:
		return console.CampaignRemediating
	case p.State == console.PlanVerifying:
		if open > 0 {
			return console.CampaignRemediating
		}
		return console.CampaignVerifying
	}
	return c.State
}
