package worker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// expire creates the operations that remove access whose last reasons ran out. Rows that are due
// together share a transaction, because the event chain serializes transactions.
func (w *Worker) expire(ctx context.Context, rows []store.Due) error {
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		var ended []console.Reason
		for _, d := range rows {
			r, err := t.Reason(console.ID(d.Ref))
			if err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
			if err == nil && r.Account != 0 { // otherwise the account was never created
				ended = append(ended, r)
			}
			if err := t.FinishDue(d); err != nil {
				return err
			}
		}
		// Apps are locked in a fixed order.
		slices.SortStableFunc(ended, func(a, b console.Reason) int {
			return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Entitlement, b.Entitlement))
		})
		var e *expiring
		for i, r := range ended {
			if e == nil || e.app != r.App {
				var err error
				if e, err = newExpiring(t, r.App); err != nil {
					return err
				}
			}
			if i == 0 || ended[i-1].App != r.App || ended[i-1].Entitlement != r.Entitlement {
				if err := e.read(t, ended[i:], w.Now()); err != nil {
					return err
				}
			}
			if err := w.endAccess(t, e, r); err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
		}
		return nil
	})
}

// expiring caches data for reasons of one app that ran out together. The app is locked.
type expiring struct {
	app     console.ID
	moment  store.Moment
	grounds map[console.ID]*store.Ground
	// For the accounts whose reasons for one entitlement ran out.
	accesses map[console.ResourceKey]console.Access
	owners   map[console.ResourceKey]console.Person
}

func newExpiring(t *store.Tx, app console.ID) (*expiring, error) {
	if _, err := t.LockApp(app); err != nil {
		return nil, err
	}
	m, err := t.Moment(app, time.Time{})
	return &expiring{app: app, moment: m, grounds: map[console.ID]*store.Ground{}}, err
}

// read reads the accesses of the leading reasons for the same entitlement.
func (e *expiring) read(t *store.Tx, ended []console.Reason, now time.Time) (err error) {
	var accounts []console.ResourceKey
	for _, r := range ended {
		if r.App != e.app || r.Entitlement != ended[0].Entitlement {
			break
		}
		accounts = append(accounts, r.Account)
	}
	var shown console.SyncNumber
	if entitlement := ended[0].Entitlement; entitlement != console.AccountItself {
		if shown, err = t.FirstShown(entitlement); err != nil {
			return err
		}
	}
	if e.accesses, err = t.Accesses(e.moment, e.app, accounts, ended[0].Entitlement, shown, now); err != nil {
		return err
	}
	e.owners, err = t.OwnersNow(accounts)
	return err
}

// ground returns the facts for guards about changes of a connector.
func (e *expiring) ground(t *store.Tx, connector console.ID) (_ *store.Ground, err error) {
	if e.grounds[connector] == nil {
		e.grounds[connector], err = t.Ground(connector)
	}
	return e.grounds[connector], err
}

func (w *Worker) endAccess(t *store.Tx, e *expiring, r console.Reason) error {
	now := w.Now()
	a := e.accesses[r.Account]
	if len(console.OpenReasons(a.Reasons, a.Bar, now)) > 0 {
		return nil
	}
	// A pending grant must be ended too, although no sync shows it yet.
	coming := a.Operation != nil && a.Operation.Verb == console.Grant
	if !a.Held && !coming {
		// What one sync does not show is not gone yet.
		if missing, err := t.Missing(r.Account); err != nil || !missing {
			return err
		}
	}
	c, err := holder(t, e.moment, r)
	if err != nil {
		return err
	}
	ground, err := e.ground(t, c)
	if err != nil {
		return err
	}
	late := now.Sub(r.Until)
	if late < max(w.OverdueAfter, console.OverdueAfter) {
		late = 0
	}
	refused, err := w.createRemoval(t, r, c, e.owners[r.Account].Canonical(), late, ground)
	if refused != nil {
		w.Log.Warn("access whose time is over was not removed", "reason", r.ID, "error", refused)
	}
	return err
}

// holder returns the connector whose syncs show the account, or did when it was last shown.
func holder(t *store.Tx, now store.Moment, r console.Reason) (console.ID, error) {
	account, err := t.Resource(now, r.Account)
	if baton.KindOf(err) == baton.NotFound {
		return t.LastConnector(r.Account)
	}
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
