package worker

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// advance does the due work of a request: the time limit of its step, the end of a wait, or its
// start.
func (w *Worker) advance(ctx context.Context, d store.Due) error {
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if err := t.FinishDue(d); err != nil { // finished first, because the work may set it again
			return err
		}
		err := approve.Advance(t, console.ID(d.Ref))
		if baton.KindOf(err) == baton.NotFound {
			return nil
		}
		return err
	})
}

// rechecked is the number of requests that are checked in one transaction.
const rechecked = 50

// recheck determines the approvers of open requests again, after owners, managers, roles or
// delegates changed.
func (w *Worker) recheck(ctx context.Context, d store.Due) error {
	var after int64
	for {
		var requests []console.Request
		err := w.Store.View(ctx, func(t *store.Tx) (err error) {
			requests, err = t.AskingRequests(after, rechecked)
			return err
		})
		if err != nil {
			return err
		}
		if len(requests) == 0 {
			return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
		}
		for _, r := range requests {
			after = r.Number
			if err := w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return approve.Recheck(t, r.ID) }); err != nil {
				return err
			}
		}
	}
}
