package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

const overdueColumns = "account, entitlement, app, connector, reason, expired, since, why"

func scanOverdue(r engine.Row) console.Overdue {
	return console.Overdue{Account: console.ResourceKey(r.Int(0)), Entitlement: console.EntitlementKey(r.Int(1)), App: console.ID(r.Text(2)), Connector: console.ID(r.Text(3)),
		Reason: console.ID(r.Text(4)), Expired: at(r, 5), Since: at(r, 6), Why: str(r, 7)}
}

// Overdue returns the record of an overdue access; nil if it is not overdue.
func (t *Tx) Overdue(account console.ResourceKey, e console.EntitlementKey) (*console.Overdue, error) {
	return find(t, scanOverdue, "SELECT "+overdueColumns+" FROM overdue WHERE account = $1 AND entitlement = $2", account, e)
}

// OverdueAfter is a place in a list of overdue access, the longest overdue first: after the last row
// of the previous page. The zero value is the beginning.
type OverdueAfter struct {
	Since       time.Time
	Account     console.ResourceKey
	Entitlement console.EntitlementKey
}

// AllOverdue returns up to n overdue accesses of an app, the longest overdue first.
func (t *Tx) AllOverdue(app console.ID, after OverdueAfter, n int) ([]console.Overdue, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	since := int64(-1)
	if !after.Since.IsZero() {
		since = engine.Micros(after.Since)
	}
	return list(t, scanOverdue, "SELECT "+overdueColumns+" FROM overdue WHERE app = $1 AND (since, account, entitlement) > ($2, $3, $4) ORDER BY since, account, entitlement LIMIT $5",
		app, since, after.Account, after.Entitlement, n)
}

// CountOverdue returns the number of overdue accesses of an app.
func (t *Tx) CountOverdue(app console.ID) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "overdue access", "SELECT count(*) FROM overdue WHERE app = $1", app)
}

// MarkOverdue records that an access is overdue, with one event, and schedules further attempts to
// remove it.
func (t *Tx) MarkOverdue(o console.Overdue) error {
	n, err := t.e.Exec("INSERT INTO overdue ("+overdueColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account, entitlement) DO NOTHING",
		o.Account, o.Entitlement, o.App, o.Connector, o.Reason, o.Expired, t.by.At, []byte(o.Why))
	if err != nil || n == 0 {
		return err
	}
	person, _, err := t.AccountPerson(o.Account, time.Time{})
	if err != nil {
		return err
	}
	what, err := t.accessName(o.Entitlement)
	if err != nil {
		return err
	}
	if err := t.event(console.Event{Kind: "access.overdue", App: o.App, Connector: o.Connector, Person: person, Account: o.Account, Entitlement: o.Entitlement, Object: string(o.Reason)},
		map[string]any{"expired": timeOrNil(o.Expired), "why": o.Why, "what": what}); err != nil {
		return err
	}
	return t.DueBy(console.DueOverdue, string(o.App), t.by.At.Add(console.RetryOverdue))
}

// EndOverdue records that an access is no longer overdue: it is gone, or has a reason again. It does
// nothing if it was not overdue.
func (t *Tx) EndOverdue(account console.ResourceKey, e console.EntitlementKey, gone bool) error {
	o, err := t.Overdue(account, e)
	if err != nil || o == nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM overdue WHERE account = $1 AND entitlement = $2", account, e); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "access.drained", App: o.App, Connector: o.Connector, Account: account, Entitlement: e, Object: string(o.Reason)},
		map[string]any{"overdue_since": timeOrNil(o.Since), "gone": gone})
}
