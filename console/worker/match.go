package worker

import (
	"context"

	"baton/console"
	"baton/console/match"
	"baton/console/store"
)

// match matches the accounts of one app, or of all apps.
func (w *Worker) match(ctx context.Context, d store.Due) error {
	apps := []console.ID{console.ID(d.Ref)}
	if d.Ref == console.MatchAll {
		if err := w.Store.AwaitDue(ctx, d); err != nil {
			return err
		}
		apps = nil
		err := w.Store.View(ctx, func(t *store.Tx) error {
			var after store.NameAfter
			for {
				page, err := t.Apps(after, store.PageSize)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, a := range page {
					after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
					apps = append(apps, a.ID)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	for _, app := range apps {
		changed, err := match.App(ctx, w.Store, w.by(), app)
		if err != nil {
			return err
		}
		if changed > 0 {
			w.Log.InfoContext(ctx, "accounts were matched to people", "app", app, "changed", changed)
		}
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
}
