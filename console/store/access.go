package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Access returns what is known now about one account and entitlement of an app, for
// [console.Access.State].
func (t *Tx) Access(app console.ID, account console.ResourceKey, e console.EntitlementKey, now time.Time) (console.Access, error) {
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return console.Access{}, err
	}
	return t.AccessIn(m, app, account, e, 0, now)
}

// AccessIn is [Tx.Access] in the app's current moment, for callers that ask for many.
// firstShown is what [Tx.FirstShown] returned for the entitlement; 0 if it was not asked.
func (t *Tx) AccessIn(m Moment, app console.ID, account console.ResourceKey, e console.EntitlementKey, firstShown console.SyncNumber, now time.Time) (a console.Access, err error) {
	if a.Reasons, err = t.Reasons(app, account, e); err != nil {
		return a, err
	}
	if a.Bar, err = t.Bar(account, e); err != nil {
		return a, err
	}
	if a.Overdue, err = t.Overdue(account, e); err != nil {
		return a, err
	}
	operations, err := t.Operations(account, e)
	if err != nil {
		return a, err
	}
	for _, o := range operations {
		if o.State.Alive() {
			a.Operation = &o
		}
		if o.Verb == console.Revoke && o.State == console.Verified {
			a.Removal = &o
		}
	}
	for _, s := range m.Streams {
		intervals, err := t.heldIntervals(s, account, e)
		if err != nil {
			return a, err
		}
		for _, f := range intervals {
			if f.Visible(s.Sync) {
				a.Held, a.From, a.Direct = true, f.From, f.Direct()
			}
			after, err := t.heldAfter(s, f, console.OpenReasons(a.Reasons, a.Bar, now))
			if err != nil {
				return a, err
			}
			a.LastHeld = a.LastHeld || after
		}
		if len(intervals) > 0 && e == console.AccountItself {
			a.FirstShown = intervals[0].From
		}
	}
	if a.FirstShown == 0 && firstShown != 0 {
		a.FirstShown = firstShown
	} else if e != console.AccountItself {
		a.FirstShown, err = t.FirstShown(e)
	}
	return a, err
}

// heldIntervals returns when an account held an entitlement, oldest first. Intervals that
// meet are one, with the sources of the last.
func (t *Tx) heldIntervals(s StreamAt, account console.ResourceKey, e console.EntitlementKey) ([]console.Fact, error) {
	var history []console.Fact
	var err error
	if e != console.AccountItself {
		history, err = t.FactHistory(s.Stream, e, account)
	} else {
		history, err = t.accountHistory(s, account)
	}
	var joined []console.Fact
	for _, f := range history {
		if n := len(joined); n > 0 && joined[n-1].Until == f.From {
			f.From, joined = joined[n-1].From, joined[:n-1]
		}
		joined = append(joined, f)
	}
	return joined, err
}

// accountHistory returns when an account was present and enabled.
func (t *Tx) accountHistory(s StreamAt, account console.ResourceKey) ([]console.Fact, error) {
	var held []console.Fact
	err := t.e.Query(func(r engine.Row) error {
		if console.HasAccount(true, console.Status(r.Int(2))) {
			held = append(held, console.Fact{Principal: account, From: console.SyncNumber(r.Int(0)), Until: console.SyncNumber(r.Int(1))})
		}
		return nil
	}, `SELECT v.opened, v.closed, v.status FROM resource_version v JOIN resource r ON r.key = v.resource
		WHERE v.resource = $1 AND r.stream = $2 AND v.opened <= $3 ORDER BY v.opened`, account, s.Stream, s.Sync)
	return held, err
}

// heldAfter reports whether the last sync of an interval that has ended began after the
// oldest open reason was written.
func (t *Tx) heldAfter(s StreamAt, f console.Fact, open []console.Reason) (bool, error) {
	if len(open) == 0 || f.Until > s.Sync {
		return false, nil
	}
	last, err := find(t, func(r engine.Row) time.Time { return at(r, 0) },
		"SELECT began FROM sync WHERE stream = $1 AND state = 'applied' AND number < $2 ORDER BY number DESC LIMIT 1", s.Stream, f.Until)
	if err != nil || last == nil {
		return false, err
	}
	return last.After(open[0].Created), nil
}
