package worker

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// expire creates the operations that remove access whose last reasons ran out. Rows that are due
// together share a transaction, because the event chain serializes transactions.
func (w *Worker) expire(ctx context.Context, rows []store.Due) error {
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		for _, d := range rows {
			r, err := t.Reason(console.ID(d.Ref))
			if err == nil {
				err = w.endAccess(t, r)
			}
			if err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
			if err := t.FinishDue(d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *Worker) endAccess(t *store.Tx, r console.Reason) error {
	now := w.Now()
	if r.Account == 0 {
		return nil // the account was never created
	}
	a, err := t.Access(r.App, r.Account, r.Entitlement, now)
	if err != nil || len(console.OpenReasons(a.Reasons, a.Bar, now)) > 0 {
		return err
	}
	// A pending grant must be ended too, although no sync shows it yet.
	coming := a.Operation != nil && a.Operation.Verb == console.Grant
	if !a.Held && !coming {
		return nil
	}
	refused, err := w.remove(t, r)
	if refused != nil {
		w.Log.Warn("access whose time is over was not removed", "reason", r.ID, "error", refused)
	}
	return err
}

// holder returns the connector whose syncs show the account.
func holder(t *store.Tx, r console.Reason) (console.ID, error) {
	now, err := t.Moment(r.App, time.Time{})
	if err != nil {
		return "", err
	}
	account, err := t.Resource(now, r.Account)
	if err != nil {
		return "", err
	}
	for _, s := range now.Streams {
		if s.Stream == account.Stream {
			return s.Connector, nil
		}
	}
	return "", baton.Errorf(baton.NotFound, "no connector shows account %d", r.Account)
}
