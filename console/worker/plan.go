package worker

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/plan"
	"baton/console/store"
)

// plan does what is to be done about a plan to remove access.
func (w *Worker) plan(ctx context.Context, d store.Due) error {
	if err := w.Store.AwaitDue(ctx, d); err != nil {
		return err
	}
	if err := plan.Advance(ctx, w.Store, w.Now, console.ID(d.Ref)); err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
}
