package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Access returns the current state of one account and entitlement of an app, for
// [console.Access.State].
func (t *Tx) Access(app console.ID, account console.ResourceKey, e console.EntitlementKey, now time.Time) (console.Access, error) {
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return console.Access{}, err
	}
	return t.AccessIn(m, app, account, e, 0, now)
}

// AccessIn is [Tx.Access] at a moment of the app, for callers that need many. now is the time if the
// moment is the current one; a moment of the past has its own. firstShown is the
// result of [Tx.FirstShown] for the entitlement; 0 if it was not read.
func (t *Tx) AccessIn(m Moment, app console.ID, account console.ResourceKey, e console.EntitlementKey, firstShown console.SyncNumber, now time.Time) (a console.Access, err error) {
	var rows accessRows
	if rows.reasons, err = t.Reasons(app, account, e); err != nil {
		return a, err
	}
	if rows.bars, err = t.Bars(account, e); err != nil {
		return a, err
	}
	if rows.overdue, err = t.Overdue(account, e); err != nil {
		return a, err
	}
	if rows.operations, err = t.Operations(account, e); err != nil {
		return a, err
	}
	for _, s := range m.Streams {
		intervals, err := t.heldIntervals(s, account, e)
		if err != nil {
			return a, err
		}
		rows.intervals = append(rows.intervals, intervals)
	}
	return t.accessOf(m, rows, e, firstShown, now)
}

// Accesses is [Tx.AccessIn] for one entitlement and many accounts, whose rows it reads together.
func (t *Tx) Accesses(m Moment, app console.ID, accounts []console.ResourceKey, e console.EntitlementKey, firstShown console.SyncNumber, now time.Time) (map[console.ResourceKey]console.Access, error) {
	all := make(map[console.ResourceKey]console.Access, len(accounts))
	reasons, err := listOf(t, scanReason, accounts, "SELECT "+reasonColumns+" FROM reason WHERE account IN (keys) AND entitlement = $1 AND app = $2 ORDER BY created, id", e, app)
	if err != nil {
		return nil, err
	}
	bars, err := listOf(t, scanBar, accounts, "SELECT "+barColumns+" FROM bar WHERE account IN (keys) AND entitlement = $1 ORDER BY created, id", e)
	if err != nil {
		return nil, err
	}
	overdue, err := listOf(t, scanOverdue, accounts, "SELECT "+overdueColumns+" FROM overdue WHERE account IN (keys) AND entitlement = $1", e)
	if err != nil {
		return nil, err
	}
	operations, err := listOf(t, scanOperation, accounts, "SELECT "+operationColumns+" FROM operation WHERE account IN (keys) AND entitlement = $1 ORDER BY created, id", e)
	if err != nil {
		return nil, err
	}
	rows := make(map[console.ResourceKey]*accessRows, len(accounts))
	for _, account := range accounts {
		rows[account] = &accessRows{}
	}
	for _, r := range reasons {
		rows[r.Account].reasons = append(rows[r.Account].reasons, r)
	}
	for _, b := range bars {
		rows[b.Account].bars = append(rows[b.Account].bars, b)
	}
	for _, o := range overdue {
		rows[o.Account].overdue = &o
	}
	for _, o := range operations {
		rows[o.Account].operations = append(rows[o.Account].operations, o)
	}
	for _, s := range m.Streams {
		facts, err := t.histories(s, e, accounts)
		if err != nil {
			return nil, err
		}
		for account, r := range rows {
			r.intervals = append(r.intervals, joined(facts[account], s))
		}
	}
	for account, r := range rows {
		if all[account], err = t.accessOf(m, *r, e, firstShown, now); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// accessRows holds the rows about one account and entitlement.
type accessRows struct {
	reasons    []console.Reason
	bars       []console.Bar // oldest first
	bar        *console.Bar  // the active one
	overdue    *console.Overdue
	operations []console.Operation
	intervals  [][]console.Fact // one element for each stream of the moment
}

func (t *Tx) accessOf(m Moment, rows accessRows, e console.EntitlementKey, firstShown console.SyncNumber, now time.Time) (a console.Access, err error) {
	for _, b := range rows.bars {
		if b.Lifted.IsZero() {
			rows.bar = &b
		}
	}
	if !m.At.IsZero() {
		if rows, err = rows.asOf(t, m.At); err != nil {
			return a, err
		}
		now = m.At
	}
	a.Reasons, a.Bar, a.Overdue = rows.reasons, rows.bar, rows.overdue
	for _, o := range rows.operations {
		if o.State.Alive() {
			a.Operation = &o
		}
		if o.Verb == console.Revoke && o.State == console.Verified {
			a.Removal = &o
		}
	}
	for i, s := range m.Streams {
		for _, f := range rows.intervals[i] {
			if f.Visible(s.Sync) {
				a.Held, a.From, a.Direct = true, f.From, f.Direct()
			}
			after, err := t.heldAfter(s, f, console.OpenReasons(a.Reasons, a.Bar, now))
			if err != nil {
				return a, err
			}
			a.LastHeld = a.LastHeld || after
		}
		if len(rows.intervals[i]) > 0 && e == console.AccountItself {
			a.FirstShown = rows.intervals[i][0].From
		}
	}
	if a.FirstShown == 0 && firstShown != 0 {
		a.FirstShown = firstShown
	} else if e != console.AccountItself {
		a.FirstShown, err = t.FirstShown(e)
	}
	return a, err
}

// heldIntervals returns the intervals in which an account held an entitlement, oldest first.
// Adjacent intervals are merged, with the sources of the last one.
func (t *Tx) heldIntervals(s StreamAt, account console.ResourceKey, e console.EntitlementKey) ([]console.Fact, error) {
	if e == console.AccountItself {
		histories, err := t.histories(s, e, []console.ResourceKey{account})
		return joined(histories[account], s), err
	}
	history, err := t.FactHistory(s.Stream, e, account)
	return joined(history, s), err
}

// histories returns the facts about an entitlement and accounts. The versions of an account are its
// facts about [console.AccountItself].
func (t *Tx) histories(s StreamAt, e console.EntitlementKey, accounts []console.ResourceKey) (map[console.ResourceKey][]console.Fact, error) {
	if e != console.AccountItself {
		return t.factHistories(s.Stream, e, accounts)
	}
	facts, err := listOf(t, func(r engine.Row) console.Fact {
		f := console.Fact{Principal: console.ResourceKey(r.Int(3)), From: console.SyncNumber(r.Int(0)), Until: console.SyncNumber(r.Int(1))}
		if !console.HasAccount(true, console.Status(r.Int(2))) || console.Stream(r.Int(4)) != s.Stream {
			f.Principal = 0
		}
		return f
	}, accounts, `SELECT v.opened, v.closed, v.status, v.resource, r.stream FROM resource_version v JOIN resource r ON r.key = v.resource
		WHERE v.resource IN (keys) AND v.opened <= $1 ORDER BY v.opened`, s.Sync)
	held := grouped(facts, func(f console.Fact) console.ResourceKey { return f.Principal })
	delete(held, 0)
	return held, err
}

// joined merges the adjacent facts of one principal and entitlement up to a sync, oldest first.
func joined(history []console.Fact, s StreamAt) (all []console.Fact) {
	for _, f := range history {
		if f.From > s.Sync {
			break
		}
		if n := len(all); n > 0 && all[n-1].Until == f.From {
			f.From, all = all[n-1].From, all[:n-1]
		}
		all = append(all, f)
	}
	return all
}

// heldAfter reports whether the last sync of a closed interval began after the oldest open reason
// was added.
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
