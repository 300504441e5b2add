package store

import (
	"slices"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// These questions are answered by the database, because very many operations may wait for the same
// sync.

// lastSign is the SQL expression for the last sign of life from the host with an operation's task;
// $1 is [console.WriteLease]. It must agree with the rule in package console.
const lastSign = "CASE WHEN lease_until - $1 > dispatched THEN lease_until - $1 ELSE dispatched END"

// HasUnverified reports whether a connector has operations that a later sync may verify or
// contradict.
func (t *Tx) HasUnverified(connector console.ID) (bool, error) {
	found, err := find(t, func(engine.Row) bool { return true },
		"SELECT id FROM operation WHERE connector = $1 AND alive AND state IN ('dispatched', 'applied', 'unknown', 'manual') LIMIT 1", connector)
	return found != nil, err
}

// SilentOperations returns up to n dispatched operations of a connector whose host has been silent
// for so long that the result is unknown.
func (t *Tx) SilentOperations(connector console.ID, now time.Time, n int) ([]console.Operation, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	all, err := list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND alive AND state = 'dispatched' AND dispatched <= $2
		AND COALESCE(lease_until, 0) <= $3 ORDER BY created, id LIMIT $4`, connector, now.Add(-console.UnknownAfter), now.Add(console.WriteLease-console.UnknownAfter), n)
	return slices.DeleteFunc(all, func(o console.Operation) bool { return !o.Silent(now) }), err
}

// NextLook returns when operations of a connector that wait for an answer must be looked at again;
// zero if there are none.
func (t *Tx) NextLook(connector console.ID, now time.Time) (next time.Time, err error) {
	for _, s := range []struct {
		state console.OperationState
		after time.Duration
	}{{console.Dispatched, console.UnknownAfter}, {console.Unknown, console.AskAfter}} {
		sign, err := find(t, func(r engine.Row) time.Time { return at(r, 0) },
			"SELECT min("+lastSign+") FROM operation WHERE connector = $2 AND alive AND state = $3 AND "+lastSign+" > $4", console.WriteLease, connector, s.state, now.Add(-s.after))
		if err != nil {
			return next, err
		}
		if sign == nil || sign.IsZero() {
			continue
		}
		if when := sign.Add(s.after); next.IsZero() || when.Before(next) {
			next = when
		}
	}
	return next, nil
}

// WantingSync returns the entitlements of up to n operations of a connector that need a sync that
// was dispatched after a time to find out their result.
func (t *Tx) WantingSync(connector console.ID, now, before time.Time, n int) ([]console.EntitlementKey, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	since := int64(0)
	if !before.IsZero() {
		since = engine.Micros(before)
	}
	key := func(r engine.Row) console.EntitlementKey { return console.EntitlementKey(r.Int(0)) }
	// Separate statements, because the first one can use its own index: very many operations may
	// wait for one sync.
	done, err := list(t, key, "SELECT DISTINCT entitlement FROM operation WHERE connector = $1 AND state = 'applied' AND finished >= $2 LIMIT $3", connector, since, n)
	if err != nil {
		return nil, err
	}
	unanswered, err := list(t, key, "SELECT DISTINCT entitlement FROM operation WHERE connector = $2 AND alive AND state IN ('dispatched', 'unknown') AND "+lastSign+` <= $3
		AND CASE WHEN lease_until < $4 THEN lease_until ELSE dispatched END >= $5 LIMIT $6`, console.WriteLease, connector, now.Add(-console.AskAfter), now, since, n)
	for _, e := range unanswered {
		if !slices.Contains(done, e) {
			done = append(done, e)
		}
	}
	return done[:min(n, len(done))], err
}

// NextLate returns the creation time of a connector's oldest removal that was created after a time;
// zero if there is none.
func (t *Tx) NextLate(connector console.ID, created time.Time) (oldest time.Time, err error) {
	for _, state := range []string{"state = 'queued'", "alive AND state = 'manual'"} {
		found, err := find(t, func(r engine.Row) time.Time { return at(r, 0) },
			"SELECT created FROM operation WHERE connector = $1 AND "+state+" AND verb = $2 AND created > $3 ORDER BY created LIMIT 1", connector, console.Revoke, created)
		if err != nil {
			return oldest, err
		}
		if found != nil && (oldest.IsZero() || found.Before(oldest)) {
			oldest = *found
		}
	}
	return oldest, nil
}

// PendingRemovals returns the number of removals of a connector that were handed out and that no
// sync has shown yet: those that it has reported as done, and those without an answer.
func (t *Tx) PendingRemovals(connector console.ID) (int64, error) {
	return get(t, func(r engine.Row) int64 { return r.Int(0) }, "operation",
		"SELECT count(*) FROM operation WHERE connector = $1 AND alive AND state IN ('applied', 'dispatched', 'unknown') AND verb = 'revoke'", connector)
}
