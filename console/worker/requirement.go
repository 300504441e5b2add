package worker

import (
	"context"
	"time"

	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// checkedHolders is the number of holders that are checked in one transaction.
const checkedHolders = 200

// requirement checks the holders of an entitlement with a requirement, and ends the access of those
// whose time is over if the requirement is enforced. It runs after each sync that may change the
// result, and when a deadline passes.
func (w *Worker) requirement(ctx context.Context, d store.Due) error {
	app, e, err := console.ParseRequirementRef(d.Ref)
	if err != nil {
		return err
	}
	next, changed, err := w.checkHolders(ctx, app, e)
	if err != nil {
		return err
	}
	if err := w.endUnmet(ctx, app, e); err != nil {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if err := t.FinishDue(d); err != nil {
			return err
		}
		if changed {
			if err := t.DueBy(console.DueFindings, console.FindingsRef(app, console.CourseLapsed), w.Now()); err != nil {
				return err
			}
		}
		if next.IsZero() {
			return nil
		}
		return t.DueBy(console.DueRequirement, d.Ref, next)
	})
}

// findingsGap is how long after a change findings are brought up to date while a check is running. It
// changes many holders, in several transactions.
const findingsGap = 10 * time.Second

// checkHolders stores who does not meet a requirement, and returns when that may change without a
// sync; zero: never.
func (w *Worker) checkHolders(ctx context.Context, app console.ID, e console.EntitlementKey) (next time.Time, changed bool, err error) {
	for after, more := console.ResourceKey(0), true; more; {
		var set []console.RequirementLack
		var remove []console.ResourceKey
		err := w.Store.View(ctx, func(t *store.Tx) error {
			set, remove = nil, nil
			m, err := t.Moment(app, time.Time{})
			if err != nil {
				return err
			}
			holders, err := t.HolderKeys(m, e, after, checkedHolders)
			if err != nil {
				return err
			}
			last := console.ResourceKey(1<<63 - 1)
			if more = len(holders) == checkedHolders; more {
				last = holders[len(holders)-1]
			}
			known, err := t.LacksBetween(app, e, after, last)
			if err != nil {
				return err
			}
			before := map[console.ResourceKey]console.RequirementLack{}
			for _, l := range known {
				before[l.Account] = l
			}
			q, now := t.RequirementReader(), w.Now()
			for _, account := range holders {
				c, err := approve.CheckHolder(t, q, app, e, account, now)
				if err != nil {
					return err
				}
				if c.Next.After(now) && (next.IsZero() || c.Next.Before(next)) {
					next = c.Next
				}
				if c.Lack == nil {
					continue
				}
				if was, is := before[account]; is {
					delete(before, account)
					if c.Lack.Ready {
						c.Lack.Refused, c.Lack.Confirmed = was.Refused, was.Confirmed
					}
					if c.Lack.Found = was.Found; *c.Lack == was {
						continue
					}
				}
				set = append(set, *c.Lack)
			}
			for account := range before {
				remove = append(remove, account)
			}
			after = last
			return nil
		})
		if err != nil {
			return next, changed, err
		}
		if len(set)+len(remove) == 0 {
			continue
		}
		changed = true
		err = w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
			if err := t.DueBy(console.DueFindings, console.FindingsRef(app, console.CourseLapsed), w.Now().Add(findingsGap)); err != nil {
				return err
			}
			for _, l := range set {
				if err := t.SetLack(l); err != nil {
					return err
				}
			}
			for _, account := range remove {
				if err := t.RemoveLack(app, e, account); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return next, changed, err
		}
	}
	return next, changed, nil
}

// endUnmet ends the access of the holders whose time is over. If there are more than the cap of the
// requirement, in one day, it ends only what a person confirmed.
func (w *Worker) endUnmet(ctx context.Context, app console.ID, e console.EntitlementKey) error {
	var ready []console.RequirementLack
	capped := false
	err := w.Store.View(ctx, func(t *store.Tx) error {
		versions, err := t.Requirements(app, e)
		if err != nil || len(versions) == 0 {
			return err
		}
		if ready, err = t.ReadyLacks(app, e, store.PageSize); err != nil {
			return err
		}
		ended, err := t.EndedByRequirement(app, e, w.Now().Add(-console.RequirementWindow))
		waiting := 0
		for _, l := range ready {
			if l.Confirmed == "" && l.Refused == "" {
				waiting++
			}
		}
		capped = waiting > 0 && ended+waiting > versions[0].Limit()
		return err
	})
	if err != nil {
		return err
	}
	for _, l := range ready {
		if capped && l.Confirmed == "" {
			continue
		}
		if err := w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
			_, err := approve.EndUnmet(t, l)
			return err
		}); err != nil {
			return err
		}
	}
	if !capped {
		return nil
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.TellCapped(app, e, len(ready)) })
}
