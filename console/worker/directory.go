package worker

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/store"
)

// directory updates people from the newest sync of a directory.
func (w *Worker) directory(ctx context.Context, d store.Due) error {
	by := w.by()
	by.Actor = console.Actor{Kind: console.ActorConnector, ID: d.Ref}
	r, err := directory.Sync(ctx, w.Store, by, console.ID(d.Ref))
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	if r != (directory.Result{}) {
		w.Log.InfoContext(ctx, "people follow a directory", "connector", d.Ref, "added", r.Added, "changed", r.Changed, "gone", r.Gone, "conflicts", r.Conflicts, "without_address", r.WithoutAddress)
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
}

// settlePushed applies what was left of the users that an identity provider pushed, and tries again
// later if something still is.
func (w *Worker) settlePushed(ctx context.Context, d store.Due) error {
	by := w.by()
	by.Actor = console.BySCIM(console.ID(d.Ref))
	left, err := directory.Settle(ctx, w.Store, by, console.ID(d.Ref))
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if err := t.FinishDue(d); err != nil || !left {
			return err
		}
		return t.DueBy(d.Kind, d.Ref, w.Now().Add(directory.SettleAgain))
	})
}
