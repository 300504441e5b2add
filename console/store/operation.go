package store

import (
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// OperationTopic is woken when an operation of a connector can be dispatched.
func OperationTopic(connector console.ID) string { return "operation:" + string(connector) }

func inputOrNil(in console.Input) []byte {
	if in.Fields == nil && in.ID == nil && in.Why == "" && in.Late == 0 {
		return nil
	}
	return encode(in)
}

func (t *Tx) operationEvent(o console.Operation, kind string, data any) error {
	return t.event(console.Event{Kind: kind, App: o.App, Connector: o.Connector, Person: o.Person, Account: o.Account, Entitlement: o.Entitlement, Object: string(o.ID)}, data)
}

// moveOperation changes the state of an operation and, when it ends, queues the one that
// waits for it.
func (t *Tx) moveOperation(o console.Operation, to console.OperationState, data any) error {
	if !o.State.CanBecome(to) {
		return baton.Errorf(baton.Refused, "the operation is %s and cannot become %s", o.State, to)
	}
	from := o.State
	o.State = to
	err := t.insert("another operation", `UPDATE operation SET state = $2, alive = $3, attempt = $4, not_before = $5, dispatched = $6, lease_until = $7, finished = $8,
		task = $9, answer = $10, verified = $11, account = $12, input = $13, version = version + 1 WHERE id = $1`,
		o.ID, o.State, o.State.Alive(), o.Attempt, o.NotBefore, o.Dispatched, o.LeaseUntil, o.Finished, null(o.Task), []byte(o.Answer), o.Verified, o.Account, inputOrNil(o.Input))
	if err != nil {
		return err
	}
	t.moved = append(t.moved, movedOperation{o, from})
	if to == console.Manual {
		err = t.manualEvent(o)
	} else {
		err = t.operationEvent(o, "operation."+string(to), data)
	}
	if err != nil {
		return err
	}
	if err := t.operationMoved(o, data); err != nil {
		return err
	}
	if err := t.missedExpiry(o); err != nil {
		return err
	}
	if err := t.planMoved(o); err != nil {
		return err
	}
	if !from.Alive() || to.Alive() || to == console.Superseded {
		return nil
	}
	w, err := t.waitingOperation(o)
	if err != nil || w == nil {
		return err
	}
	con, err := t.Connector(w.Connector)
	if err != nil {
		return err
	}
	if con.Hosting == console.ByFile {
		w.Answer = noConnector
		return t.moveOperation(*w, console.Manual, nil)
	}
	t.Wake(OperationTopic(w.Connector))
	return t.moveOperation(*w, console.Queued, nil)
}

// noConnector says why a person has to carry out an operation.
const noConnector = "No connector makes changes: its files are uploaded by hand."

// DoByHand assigns an operation that the connector cannot carry out to a person. why is shown to
// that person.
func (t *Tx) DoByHand(id console.ID, why string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if err := t.checkRevival(o); err != nil {
		return err
	}
	o.Answer = strings.ToValidUTF8(why, "\ufffd")
	return t.moveOperation(o, console.Manual, map[string]any{"why": o.Answer})
}

// DoneByHand records that a person made the change. The next sync that is dispatched shows whether
// that is true.
func (t *Tx) DoneByHand(id console.ID, why string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if o.State != console.Manual {
		return baton.Errorf(baton.Refused, "the operation is %s and does not wait for a person", o.State)
	}
	o.Finished = t.by.At
	if o.Dispatched.IsZero() {
		o.Dispatched = t.by.At
	}
	if err := t.moveOperation(o, console.Applied, map[string]any{"by_hand": true, "why": why}); err != nil {
		return err
	}
	if o.Verb == console.Grant {
		if err := t.beginReasons(o, t.by.At); err != nil {
			return err
		}
	}
	return t.DueBy(console.DueOperations, string(o.Connector), t.by.At)
}

// RetryOperation queues an operation again that failed, was declined, or waits for a person. Refused
// if another operation on the access is alive.
func (t *Tx) RetryOperation(id console.ID, notBefore time.Time) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if err := t.checkRevival(o); err != nil {
		return err
	}
	o.NotBefore = notBefore
	t.Wake(OperationTopic(o.Connector))
	if err := t.moveOperation(o, console.Queued, map[string]any{"not_before": timeOrNil(notBefore)}); err != nil {
		return err
	}
	return t.DueBy(console.DueOperations, string(o.Connector), t.by.At.Add(console.OverdueAfter))
}

// CancelOperation ends an operation that was not dispatched.
func (t *Tx) CancelOperation(id console.ID, why string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	o.Answer = strings.ToValidUTF8(why, "\ufffd")
	return t.moveOperation(o, console.Cancelled, map[string]any{"why": why})
}

const operationColumns = `id, app, connector, account, person, entitlement, verb, cause, state, attempt, created, not_before, dispatched, lease_until, finished, task, answer, verified, version, input, trace`

func scanOperation(r engine.Row) console.Operation {
	o := console.Operation{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Connector: console.ID(r.Text(2)), Account: console.ResourceKey(r.Int(3)),
		Person: console.ID(r.Text(4)), Entitlement: console.EntitlementKey(r.Int(5)), Verb: console.Verb(r.Text(6)), State: console.OperationState(r.Text(8)),
		Attempt: int(r.Int(9)), Created: at(r, 10), NotBefore: at(r, 11), Dispatched: at(r, 12), LeaseUntil: at(r, 13), Finished: at(r, 14),
		Task: console.ID(r.Text(15)), Answer: str(r, 16), Verified: console.SyncNumber(r.Int(17)), Version: r.Int(18), Trace: r.Text(20)}
	decode(r.Bytes(7), &o.Cause)
	if b := r.Bytes(19); b != nil {
		decode(b, &o.Input)
	}
	return o
}

// Operation returns an operation.
func (t *Tx) Operation(id console.ID) (console.Operation, error) {
	return get(t, scanOperation, "operation", "SELECT "+operationColumns+" FROM operation WHERE id = $1", id)
}

func (t *Tx) lockOperation(id console.ID) (console.Operation, error) {
	return get(t, scanOperation, "operation", "SELECT "+operationColumns+" FROM operation WHERE id = $1 FOR UPDATE", id)
}

// aliveOperation returns the live operation on the access of o, or nil.
func (t *Tx) aliveOperation(o console.Operation) (*console.Operation, error) {
	if o.Account == 0 {
		return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND entitlement = $3 AND account = 0 AND alive FOR UPDATE", o.App, o.Person, o.Entitlement)
	}
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE account = $1 AND entitlement = $2 AND alive AND account <> 0 FOR UPDATE", o.Account, o.Entitlement)
}

// checkRevival returns a Refused error if o has ended and another operation on its access is alive.
func (t *Tx) checkRevival(o console.Operation) error {
	if o.State.Alive() {
		return nil
	}
	other, err := t.aliveOperation(o)
	if err == nil && other != nil {
		err = baton.Errorf(baton.Refused, "operation %s is alive on the same access", other.ID)
	}
	return err
}

func (t *Tx) waitingOperation(o console.Operation) (*console.Operation, error) {
	if o.Account == 0 {
		return nil, nil
	}
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE account = $1 AND entitlement = $2 AND state = 'waiting' AND account <> 0 FOR UPDATE", o.Account, o.Entitlement)
}
