package worker

import (
	"context"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// overdueAtOnce limits the overdue accesses that are retried in one transaction, because other
// commands wait for it.
const overdueAtOnce = 100

// overdue tries again to remove the overdue access of an app, and ends the record of access that is
// no longer overdue.
func (w *Worker) overdue(ctx context.Context, d store.Due) error {
	if err := w.Store.AwaitDue(ctx, d); err != nil {
		return err
	}
	var after store.OverdueAfter
	for more := true; more; {
		var all []console.Overdue
		err := w.Store.Update(ctx, w.by(), func(t *store.Tx) (err error) {
			all, err = t.AllOverdue(console.ID(d.Ref), after, overdueAtOnce)
			for _, o := range all {
				if err == nil {
					err = w.retryOverdue(t, o)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if more = len(all) == overdueAtOnce; len(all) > 0 {
			last := all[len(all)-1]
			after = store.OverdueAfter{Since: last.Since, Account: last.Account, Entitlement: last.Entitlement}
		}
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		left, err := t.AllOverdue(console.ID(d.Ref), store.OverdueAfter{}, 1)
		if err == nil && len(left) == 0 {
			return t.FinishDue(d)
		}
		if err != nil {
			return err
		}
		return t.RetryDue(d, w.Now().Add(console.RetryOverdue))
	})
}

func (w *Worker) retryOverdue(t *store.Tx, o console.Overdue) error {
	now := w.Now()
	a, err := t.Access(o.App, o.Account, o.Entitlement, now)
	if err != nil {
		return err
	}
	if open := len(console.OpenReasons(a.Reasons, a.Bar, now)) > 0; !a.Held || open {
		if missing, err := t.Missing(o.Account); err != nil || missing && !open {
			return err
		}
		return t.EndOverdue(o.Account, o.Entitlement, !a.Held)
	}
	if a.Operation != nil {
		return nil // the removal is in progress
	}
	if may, err := t.MayRetryRemoval(o.Account, o.Entitlement); err != nil || !may {
		return err
	}
	r, err := t.Reason(o.Reason)
	if err != nil {
		return err
	}
	_, err = w.remove(t, r)
	return err
}

// remove creates the operation that removes expired access. refused is the error of a guard that
// forbids it.
func (w *Worker) remove(t *store.Tx, r console.Reason) (refused, err error) {
	now, err := t.Moment(r.App, time.Time{})
	if err != nil {
		return nil, err
	}
	c, err := holder(t, now, r)
	if err != nil {
		return nil, err
	}
	person, _, err := t.AccountPerson(r.Account, time.Time{})
	if err != nil {
		return nil, err
	}
	return w.createRemoval(t, r, c, person, 0, nil)
}

// createRemoval implements remove for an account of a connector and a person. late is how long after its end
// the console came to it; 0 if it was in time. ground may be nil.
func (w *Worker) createRemoval(t *store.Tx, r console.Reason, c, person console.ID, late time.Duration, ground *store.Ground) (refused, err error) {
	o := console.Operation{App: r.App, Connector: c, Account: r.Account, Person: person, Entitlement: r.Entitlement, Verb: console.Revoke,
		Cause: console.Cause{Kind: console.CauseExpiry, Ref: string(r.ID), By: console.Console, Evidence: console.EvidenceTime},
		Input: console.Input{Late: console.Duration(late.Truncate(time.Second))}}
	_, err = t.CreateOperation(o, store.Circumstances{Ground: ground})
	if err == nil && o.Input.Late > 0 {
		why := "The console did not run when its time was over, or had too much to do, and came to it " + o.Input.Late.Words() + " late."
		err = t.MarkOverdue(console.Overdue{App: r.App, Connector: c, Account: r.Account, Entitlement: r.Entitlement, Reason: r.ID, Expired: r.Until, Why: why})
	}
	if err == nil {
		return nil, t.DueBy(console.DueOperations, string(c), t.By().At.Add(w.OverdueAfter))
	}
	if refusal := (*console.Refusal)(nil); !errors.As(err, &refusal) {
		return nil, err
	}
	already, e := t.Overdue(r.Account, r.Entitlement)
	if e != nil || already != nil {
		return err, e
	}
	if e := t.DenyOperation(o, err); e != nil {
		return err, e
	}
	why := "A guard forbids it: " + err.Error() + "."
	if fix := baton.FixOf(err); fix != "" {
		why += " " + fix
	}
	return err, t.MarkOverdue(console.Overdue{App: r.App, Connector: c, Account: r.Account, Entitlement: r.Entitlement, Reason: r.ID, Expired: r.Until, Why: why})
}
