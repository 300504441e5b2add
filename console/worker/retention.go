package worker

import (
	"context"
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// sweepEvery is how often old records are removed.
const sweepEvery = time.Hour

// sweep removes what is not kept any more, in small transactions, and records what that was.
func (w *Worker) sweep(ctx context.Context, d store.Due) error {
	removed, err := w.retain(ctx)
	// What was removed before an error is recorded, too.
	recorded := w.Store.Update(context.WithoutCancel(ctx), w.by(), func(t *store.Tx) error { return t.RetentionApplied(removed) })
	if err == nil {
		err = recorded
	}
	if err == nil {
		err = w.forget(ctx)
	}
	if err != nil {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.RetryDue(d, w.Now().Add(sweepEvery)) })
}

// retain removes the records that the settings limit.
func (w *Worker) retain(ctx context.Context) (removed store.Removed, err error) {
	by := w.by()
	var keep console.Retention
	var connectors []console.Connector
	err = w.Store.View(ctx, func(t *store.Tx) (err error) {
		if keep, err = t.Retention(); err == nil {
			connectors, err = t.Connectors("")
		}
		return err
	})
	for _, c := range connectors {
		if err != nil {
			return removed, err
		}
		n := 0
		n, err = w.Store.DropFiles(ctx, by, c.ID, keep.SyncFiles)
		removed.Files += n
		if before := keep.Before(by.At, keep.HistoryDays); err == nil && !before.IsZero() {
			n, err = w.Store.ForgetHistory(ctx, by, c.ID, before)
			removed.Facts += n
		}
	}
	if before := keep.Before(by.At, keep.TaskDays); err == nil && !before.IsZero() {
		for place, more := int64(0), true; more && err == nil; more = place > 0 {
			err = w.Store.Update(ctx, by, func(t *store.Tx) error {
				n, next, err := t.ForgetTasks(before, place, sweepBatch)
				removed.Tasks, place = removed.Tasks+n, next
				return err
			})
		}
	}
	err = w.repeat(ctx, err, func(t *store.Tx) (n int, err error) {
		n, err = t.ForgetMails(by.At.AddDate(0, 0, -keep.MailDays), store.PageSize)
		removed.Mails += n
		return n, err
	})
	return removed, err
}

// sweepBatch is the number of tasks that are removed in one transaction.
const sweepBatch = 100

// forget removes what is of no use any more: unfinished files, ended sessions, counts of denials.
func (w *Worker) forget(ctx context.Context) error {
	by := w.by()
	err := w.Store.SweepFiles(ctx, by, by.At.Add(-2*rpc.UploadTime))
	err = w.repeat(ctx, err, func(t *store.Tx) (int, error) { return t.ForgetSessions(by.At, store.PageSize) })
	err = w.repeat(ctx, err, func(t *store.Tx) (int, error) { return t.ForgetDenials(by.At, store.PageSize) })
	err = w.repeat(ctx, err, func(t *store.Tx) (int, error) {
		return t.ForgetFindings(by.At.Add(-console.FindingsKept), store.PageSize)
	})
	if err == nil {
		err = w.sweepWebhooks(ctx, by)
	}
	return err
}

// repeat runs fn, each time in a transaction of its own, until it removes nothing. It does nothing
// after an error.
func (w *Worker) repeat(ctx context.Context, err error, fn func(*store.Tx) (int, error)) error {
	for n := 1; err == nil && n > 0; {
		err = w.Store.Update(ctx, w.by(), func(t *store.Tx) (err error) {
			n, err = fn(t)
			return err
		})
	}
	return err
}
