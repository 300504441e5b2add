package worker

import (
	"context"

	"baton/console"
	"baton/console/review"
	"baton/console/store"
)

// campaign does what is to be done about a review or a template: it makes, freezes, starts, reminds,
// closes and follows it.
func (w *Worker) campaign(ctx context.Context, d store.Due) error {
	if err := w.Store.AwaitDue(ctx, d); err != nil {
		return err
	}
	extend := func() error {
		return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.ExtendDue(d, w.Lease) })
	}
	next, err := review.Advance(ctx, w.Store, w.Now, console.ID(d.Ref), extend)
	if err != nil {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if err := t.FinishDue(d); err != nil || next.IsZero() {
			return err
		}
		return t.DueBy(console.DueCampaign, d.Ref, next)
	})
}
