package worker

import (
	"context"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// expire ends access when the last reason for it runs out: it creates the operation that
// removes it.
func (w *Worker) expire(ctx context.Context, d store.Due) error {
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		r, err := t.Reason(console.ID(d.Ref))
		if baton.KindOf(err) == baton.NotFound {
			return t.FinishDue(d)
		}
		if err == nil {
			err = w.endAccess(t, r)
		}
		if err != nil {
			return err
		}
		return t.FinishDue(d)
	})
}

func (w *Worker) endAccess(t *store.Tx, r console.Reason) error {
	now := w.Now()
	a, err := t.Access(r.App, r.Account, r.Entitlement, now)
	if err != nil || !a.Held || len(console.OpenReasons(a.Reasons, a.Bar, now)) > 0 {
		return err
	}
	c, err := holder(t, r)
	if err != nil {
		return err
	}
	person, _, err := t.AccountPerson(r.Account, time.Time{})
	if err != nil {
		return err
	}
	_, err = t.CreateOperation(console.Operation{App: r.App, Connector: c, Account: r.Account, Person: person, Entitlement: r.Entitlement, Verb: console.Revoke,
		Cause: console.Cause{Kind: console.CauseExpiry, Ref: string(r.ID), By: console.Console, Evidence: console.EvidenceTime}}, store.Circumstances{})
	if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) {
		// A guard forbids it. The access shows as overdue until somebody decides.
		w.Log.Warn("access whose time is over was not removed", "reason", r.ID, "guard", refusal.Guard, "error", err)
		return nil
	}
	return err
}

// holder returns the connector whose rows show the account.
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
