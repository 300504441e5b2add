package store

import (
	"cmp"
	"slices"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Operations returns all operations of an access, oldest first.
func (t *Tx) Operations(account console.ResourceKey, e console.EntitlementKey) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE account = $1 AND entitlement = $2 ORDER BY created, id", account, e)
}

// AccountCreation returns the newest operation that creates an account for a person in an app; nil
// if there is none.
func (t *Tx) AccountCreation(app, person console.ID) (*console.Operation, error) {
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND entitlement = $3 AND verb = $4 ORDER BY created DESC, id DESC LIMIT 1",
		app, person, console.AccountItself, console.Grant)
}

// QueuedOperations returns up to n operations of a connector that can be dispatched at a time,
// oldest first. A grant waits for a live operation that creates or enables its account.
func (t *Tx) QueuedOperations(connector console.ID, now time.Time, n int) ([]console.Operation, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND state = 'queued' AND (not_before IS NULL OR not_before <= $2)
		AND (entitlement = 0 OR account <> 0 AND (verb <> $4 OR NOT EXISTS (SELECT 1 FROM operation a
			WHERE a.account = operation.account AND a.entitlement = 0 AND a.alive AND a.account <> 0 AND a.verb = $4)))
		ORDER BY created, id LIMIT $3`, connector, now, n, console.Grant)
}

// UnverifiedOperations returns the operations of a connector that a later sync may verify
// or contradict, oldest first.
func (t *Tx) UnverifiedOperations(connector console.ID) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND alive AND state IN ('dispatched', 'applied', 'unknown', 'manual') ORDER BY created, id`, connector)
}

// LateExpiries returns up to n operations of a connector that were created up to a time, remove
// access because its time is over, and have not started; the oldest first. It leaves out those whose
// access is marked as overdue.
func (t *Tx) LateExpiries(connector console.ID, created time.Time, n int) ([]console.Operation, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	// Only the causes of these operations refer to reasons.
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND alive AND state IN ('queued', 'manual') AND verb = $2 AND created <= $3
		AND EXISTS (SELECT 1 FROM reason r WHERE r.id = operation.cause_ref)
		AND NOT EXISTS (SELECT 1 FROM overdue o WHERE o.account = operation.account AND o.entitlement = operation.entitlement)
		ORDER BY created, id LIMIT $4`, connector, console.Revoke, created, n)
}

// OperationFilter selects operations of an app.
type OperationFilter struct {
	App    console.ID
	States []console.OperationState // empty: all
}

// OperationBefore is a place in a list of operations, the newest first. The zero value is the
// beginning.
type OperationBefore struct {
	Created time.Time
	ID      console.ID
}

// OperationsOf returns up to n operations of an app, the newest first.
func (t *Tx) OperationsOf(f OperationFilter, before OperationBefore, n int) ([]console.Operation, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	last := int64(1<<63 - 1)
	if !before.Created.IsZero() {
		last = engine.Micros(before.Created)
	}
	if len(f.States) == 0 {
		return list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND (created, id) < ($2, $3) ORDER BY created DESC, id DESC LIMIT $4", f.App, last, before.ID, n)
	}
	var all []console.Operation
	for _, s := range f.States {
		part, err := list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND state = $5 AND (created, id) < ($2, $3) ORDER BY created DESC, id DESC LIMIT $4", f.App, last, before.ID, n, s)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.SortFunc(all, func(a, b console.Operation) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return all[:min(n, len(all))], nil
}

// CountOperations returns the number of operations of an app in a state.
func (t *Tx) CountOperations(app console.ID, state console.OperationState) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "operation", "SELECT count(*) FROM operation WHERE app = $1 AND state = $2", app, state)
}

// OperationsByCause returns the operations with a request, campaign or rule as their cause, oldest
// first.
func (t *Tx) OperationsByCause(ref string) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE cause_ref = $1 ORDER BY created, id", ref)
}

// OperationAlive returns an operation of an app, or of one of its connectors, that is not over; nil
// if there is none.
func (t *Tx) OperationAlive(app, connector console.ID) (*console.Operation, error) {
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND alive AND ($2 = '' OR connector = $2) LIMIT 1", app, connector)
}
