package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// OperationTopic is woken when an operation of a connector can be dispatched.
func OperationTopic(connector console.ID) string { return "operation:" + string(connector) }

// Circumstances are the facts for judging a proposal that the store does not have.
type Circumstances struct {
	Override   *console.Override
	MasteredBy string // the identity provider that masters the entitlement's group
	ByHand     bool   // a person does it now, having seen the warnings
	// WritesPaused says that no operation of the whole console is dispatched.
	WritesPaused bool
}

// Proposal locks the app and returns everything that guards judge a change by, as of now.
func (t *Tx) Proposal(o console.Operation, c Circumstances) (console.Proposal, error) {
	p := console.Proposal{Change: o.Change(), Cause: o.Cause, Override: c.Override, MasteredBy: c.MasteredBy, ByHand: c.ByHand, WritesPaused: c.WritesPaused}
	if _, err := t.LockApp(o.App); err != nil {
		return p, err
	}
	con, err := t.Connector(o.Connector)
	if err != nil {
		return p, err
	}
	if con.App != o.App {
		return p, baton.Errorf(baton.Invalid, "connector %q belongs to another app", con.Name)
	}
	p.ConnectorPaused = con.Paused
	held, err := t.HeldSync(o.Connector)
	if err != nil {
		return p, err
	}
	p.ConnectorHeld = held != nil
	if p.Admins, err = t.Admins(o.App); err != nil {
		return p, err
	}
	if o.Account == 0 {
		return p, nil
	}
	// The operation itself is not in flight beside the change that it proposes.
	own := 0
	for _, f := range p.Admins.InFlight {
		if f != o.Change() {
			p.Admins.InFlight[own] = f
			own++
		}
	}
	p.Admins.InFlight = p.Admins.InFlight[:own]
	if p.Bar, err = t.Bar(o.Account, o.Entitlement); err != nil {
		return p, err
	}
	if o.Entitlement != console.AccountItself {
		s, err := t.StreamAt(con.Stream, time.Time{})
		if err != nil {
			return p, err
		}
		if p.Fact, err = t.Fact(Moment{Streams: []StreamAt{s}}, o.Entitlement, o.Account); err != nil {
			return p, err
		}
	}
	p.ComeBacks, err = t.comeBacks(o)
	return p, err
}

// comeBacks counts the verified removals of an access since its newest reason: each one
// came back, or nobody would propose to remove it again.
func (t *Tx) comeBacks(o console.Operation) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "operation", `SELECT count(*) FROM operation
		WHERE account = $1 AND entitlement = $2 AND verb = $3 AND state = $4
		AND created > COALESCE((SELECT max(created) FROM reason WHERE account = $1 AND entitlement = $2), 0)`,
		o.Account, o.Entitlement, console.Revoke, console.Verified)
}

// CreateOperation creates an operation, if the guards allow it. It locks the app, checks
// the guards, and meets the operation that is alive on the same access:
//
//   - one that does the same is returned, and nothing is created;
//   - one that was not handed out is superseded;
//   - one that was handed out is waited for: the new one is Waiting.
//
// The error of a guard is a [*console.Refusal].
func (t *Tx) CreateOperation(o console.Operation, c Circumstances) (console.Operation, error) {
	p, err := t.Proposal(o, c)
	if err != nil {
		return o, err
	}
	if err := p.Check(); err != nil {
		return o, err
	}
	alive, err := t.aliveOperation(o)
	if err != nil {
		return o, err
	}
	if o.ID == "" {
		o.ID = console.NewID(t.by.At)
	}
	if o.Created = t.by.At; o.Cause.By == (console.Actor{}) {
		o.Cause.By = t.by.Actor
	}
	o.State = console.Queued
	encounter := console.Meet(alive, o.Verb)
	switch encounter {
	case console.Same:
		// A waiting operation wanted the opposite, and nobody wants that any more.
		return *alive, t.supersedeWaiting(o)
	case console.Supersede:
		if err := t.moveOperation(*alive, console.Superseded, map[string]any{"by": o.ID}); err != nil {
			return o, err
		}
	case console.Wait:
		if err := t.supersedeWaiting(o); err != nil {
			return o, err
		}
		o.State = console.Waiting
	}
	return o, t.insertOperation(o)
}

func (t *Tx) insertOperation(o console.Operation) error {
	err := t.insert("operation", `INSERT INTO operation (id, app, connector, account, person, entitlement, verb, cause, cause_ref, state, alive, attempt, created, not_before, answer, verified, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, 0, 1)`,
		o.ID, o.App, o.Connector, o.Account, null(o.Person), o.Entitlement, o.Verb, encode(o.Cause), o.Cause.Ref, o.State, o.State.Alive(), o.Created, o.NotBefore, []byte{})
	if err != nil {
		return err
	}
	t.Wake(OperationTopic(o.Connector))
	return t.operationEvent(o, "operation."+string(o.State), map[string]any{"verb": o.Verb, "cause": o.Cause.Kind, "ref": o.Cause.Ref})
}

func (t *Tx) operationEvent(o console.Operation, kind string, data any) error {
	return t.event(console.Event{Kind: kind, App: o.App, Connector: o.Connector, Person: o.Person, Account: o.Account, Entitlement: o.Entitlement, Object: string(o.ID)}, data)
}

func (t *Tx) supersedeWaiting(o console.Operation) error {
	w, err := t.waitingOperation(o)
	if err != nil || w == nil {
		return err
	}
	return t.moveOperation(*w, console.Superseded, map[string]any{"by": o.ID})
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
		task = $9, answer = $10, verified = $11, account = $12, version = version + 1 WHERE id = $1`,
		o.ID, o.State, o.State.Alive(), o.Attempt, o.NotBefore, o.Dispatched, o.LeaseUntil, o.Finished, null(o.Task), []byte(o.Answer), o.Verified, o.Account)
	if err != nil {
		return err
	}
	if err := t.operationEvent(o, "operation."+string(to), data); err != nil {
		return err
	}
	if !from.Alive() || to.Alive() || to == console.Superseded {
		return nil
	}
	w, err := t.waitingOperation(o)
	if err != nil || w == nil {
		return err
	}
	t.Wake(OperationTopic(w.Connector))
	return t.moveOperation(*w, console.Queued, nil)
}

// DispatchOperation records that the task of an operation is handed out, if the guards
// still allow it. It runs in the transaction that queues the task. A refusal for which the
// operation has to wait leaves it queued; every other one ends it as Cancelled, and
// refused says why.
func (t *Tx) DispatchOperation(id, task console.ID, lease time.Duration, c Circumstances) (refused, err error) {
	o, err := t.Operation(id)
	if err != nil {
		return nil, err
	}
	p, err := t.Proposal(o, c) // locks the app, always before the operation
	if err != nil {
		return nil, err
	}
	if o, err = t.lockOperation(id); err != nil {
		return nil, err
	}
	if o.State != console.Queued {
		return nil, baton.Errorf(baton.Refused, "the operation is %s and not queued", o.State)
	}
	if o.NotBefore.After(t.by.At) {
		return nil, baton.Errorf(baton.Refused, "the operation is not due before %s", o.NotBefore.UTC().Format(time.RFC3339))
	}
	if err := p.CheckDispatch(); err != nil {
		if p.Check() == nil {
			return err, nil // held or paused: it waits
		}
		return err, t.moveOperation(o, console.Cancelled, map[string]any{"why": err.Error()})
	}
	o.Task, o.Attempt, o.Dispatched, o.LeaseUntil, o.Finished, o.Answer = task, o.Attempt+1, t.by.At, t.by.At.Add(lease), time.Time{}, ""
	return nil, t.moveOperation(o, console.Dispatched, map[string]any{"task": task, "attempt": o.Attempt})
}

// FinishOperation records the answer to the newest task of an operation: Applied, Failed
// or Declined. An answer to an older task, and a second answer, change nothing.
func (t *Tx) FinishOperation(id, task console.ID, state console.OperationState, answer string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if o.Task != task || o.State != console.Dispatched && o.State != console.Unknown {
		return nil
	}
	o.Finished, o.Answer = t.by.At, answer
	return t.moveOperation(o, state, map[string]any{"task": task, "answer": answer})
}

// LoseOperation records that the lease of an operation's task ended without an answer.
func (t *Tx) LoseOperation(id, task console.ID) error {
	o, err := t.lockOperation(id)
	if err != nil || o.Task != task || o.State != console.Dispatched {
		return err
	}
	return t.moveOperation(o, console.Unknown, map[string]any{"task": task})
}

// RetryOperation queues a failed or declined operation again. Refused if another one is
// alive on the access.
func (t *Tx) RetryOperation(id console.ID, notBefore time.Time) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	alive, err := t.aliveOperation(o)
	if err != nil {
		return err
	}
	if alive != nil {
		return baton.Errorf(baton.Refused, "operation %s is alive on the same access", alive.ID)
	}
	o.NotBefore = notBefore
	t.Wake(OperationTopic(o.Connector))
	return t.moveOperation(o, console.Queued, map[string]any{"not_before": timeOrNil(notBefore)})
}

// CancelOperation ends an operation that was not handed out.
func (t *Tx) CancelOperation(id console.ID, why string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	return t.moveOperation(o, console.Cancelled, map[string]any{"why": why})
}

// JudgeOperation records what an applied sync says about an operation.
func (t *Tx) JudgeOperation(id console.ID, v console.Verdict, by console.SyncNumber) error {
	if v == console.NoEvidence {
		return nil
	}
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	o.Verified = by
	to := console.Verified
	if v == console.Contradicts {
		to = console.Contradicted
	}
	return t.moveOperation(o, to, map[string]any{"sync": by})
}

// NameAccount records which account an operation created for a person without one. From
// now on it is the operation of that account.
func (t *Tx) NameAccount(id console.ID, account console.ResourceKey) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if o.Account != 0 {
		return baton.Errorf(baton.Refused, "the operation has an account already")
	}
	o.Account = account
	if err := t.insert("an operation on the account", "UPDATE operation SET account = $2, version = version + 1 WHERE id = $1", id, account); err != nil {
		return err
	}
	return t.operationEvent(o, "operation.account-named", nil)
}

const operationColumns = `id, app, connector, account, person, entitlement, verb, cause, state, attempt, created, not_before, dispatched, lease_until, finished, task, answer, verified, version`

func scanOperation(r engine.Row) console.Operation {
	o := console.Operation{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Connector: console.ID(r.Text(2)), Account: console.ResourceKey(r.Int(3)),
		Person: console.ID(r.Text(4)), Entitlement: console.EntitlementKey(r.Int(5)), Verb: console.Verb(r.Text(6)), State: console.OperationState(r.Text(8)),
		Attempt: int(r.Int(9)), Created: at(r, 10), NotBefore: at(r, 11), Dispatched: at(r, 12), LeaseUntil: at(r, 13), Finished: at(r, 14),
		Task: console.ID(r.Text(15)), Answer: str(r, 16), Verified: console.SyncNumber(r.Int(17)), Version: r.Int(18)}
	decode(r.Bytes(7), &o.Cause)
	return o
}

// Operation returns an operation.
func (t *Tx) Operation(id console.ID) (console.Operation, error) {
	return get(t, scanOperation, "operation", "SELECT "+operationColumns+" FROM operation WHERE id = $1", id)
}

func (t *Tx) lockOperation(id console.ID) (console.Operation, error) {
	return get(t, scanOperation, "operation", "SELECT "+operationColumns+" FROM operation WHERE id = $1 FOR UPDATE", id)
}

// aliveOperation returns the operation that is alive on the access of another, or nil.
func (t *Tx) aliveOperation(o console.Operation) (*console.Operation, error) {
	if o.Account == 0 {
		return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND entitlement = $3 AND account = 0 AND alive FOR UPDATE", o.App, o.Person, o.Entitlement)
	}
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE account = $1 AND entitlement = $2 AND alive AND account <> 0 FOR UPDATE", o.Account, o.Entitlement)
}

func (t *Tx) waitingOperation(o console.Operation) (*console.Operation, error) {
	if o.Account == 0 {
		return nil, nil
	}
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE account = $1 AND entitlement = $2 AND state = 'waiting' AND account <> 0 FOR UPDATE", o.Account, o.Entitlement)
}

// Operations returns all operations of an access, oldest first.
func (t *Tx) Operations(account console.ResourceKey, e console.EntitlementKey) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE account = $1 AND entitlement = $2 ORDER BY created, id", account, e)
}

// QueuedOperations returns up to n operations of a connector that can be dispatched at a
// time, oldest first.
func (t *Tx) QueuedOperations(connector console.ID, now time.Time, n int) ([]console.Operation, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND alive AND state = $2 AND (not_before IS NULL OR not_before <= $3)
		ORDER BY created, id LIMIT $4`, connector, console.Queued, now, n)
}

// UnverifiedOperations returns the operations of a connector that a later sync may verify
// or contradict, oldest first.
func (t *Tx) UnverifiedOperations(connector console.ID) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND alive AND state IN ('dispatched', 'applied', 'unknown') ORDER BY created, id`, connector)
}
