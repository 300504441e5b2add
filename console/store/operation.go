package store

import (
	"cmp"
	"errors"
	"slices"
	"strings"
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
	app, err := t.LockApp(o.App)
	if err != nil {
		return console.Proposal{}, err
	}
	return t.propose(app, o, c)
}

// Foresee returns what [Tx.Proposal] does without locking the app: for pages that say what
// a change would lead to, and never for a decision.
func (t *Tx) Foresee(o console.Operation, c Circumstances) (console.Proposal, error) {
	app, err := t.App(o.App)
	if err != nil {
		return console.Proposal{}, err
	}
	return t.propose(app, o, c)
}

func (t *Tx) propose(app console.App, o console.Operation, c Circumstances) (console.Proposal, error) {
	p := console.Proposal{Change: o.Change(), Cause: o.Cause, Override: c.Override, MasteredBy: c.MasteredBy, ByHand: c.ByHand, WritesPaused: c.WritesPaused}
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
	p.Admins.Minimum, p.Admins.Roles = app.MinimumAdmins, app.Roles
	if o.Account == 0 {
		return p, nil
	}
	// Other entitlements do not matter for who is an administrator.
	if o.Entitlement == console.AccountItself || slices.Contains(app.Roles.Entitlements(), o.Entitlement) {
		if p.Admins, err = t.Admins(o.App); err != nil {
			return p, err
		}
		// The operation itself is not in flight beside the change that it proposes.
		p.Admins.InFlight = slices.DeleteFunc(p.Admins.InFlight, func(f console.Change) bool { return f == o.Change() })
	}
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

// comeBacks counts the verified removals of an access since its newest reason and since the
// console last granted it: each one came back, or nobody would propose to remove it again.
func (t *Tx) comeBacks(o console.Operation) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "operation", `SELECT count(*) FROM operation
		WHERE account = $1 AND entitlement = $2 AND verb = $3 AND state = $4
		AND created > COALESCE((SELECT max(created) FROM reason WHERE account = $1 AND entitlement = $2), 0)
		AND created > COALESCE((SELECT max(created) FROM operation WHERE account = $1 AND entitlement = $2 AND verb = $5 AND state IN ($6, $4)), 0)`,
		o.Account, o.Entitlement, console.Revoke, console.Verified, console.Grant, console.Applied)
}

// CreateOperation creates an operation, if the guards allow it. It locks the app, checks
// the guards, and meets the operation that is alive on the same access:
//
//   - one that does the same is returned, and nothing is created;
//   - one that was not handed out is superseded;
//   - one that was handed out is waited for: the new one is Waiting.
//
// A grant to a person without an account (Account is 0) waits for one: the operation that
// creates it is created first, unless one is alive. Grants to one person share it. An
// operation that no connector will ask for, because people upload its files, is Manual.
//
// The error of a guard is a [*console.Refusal].
func (t *Tx) CreateOperation(o console.Operation, c Circumstances) (console.Operation, error) {
	if o.Account == 0 && (o.Person == "" || o.Verb != console.Grant) {
		return o, baton.Errorf(baton.Invalid, "an operation needs an account, or a person who is to get one")
	}
	p, err := t.Proposal(o, c)
	if err != nil {
		return o, err
	}
	if err := p.Check(); err != nil {
		return o, err
	}
	if o.Account == 0 && o.Entitlement != console.AccountItself {
		creation := console.Operation{App: o.App, Connector: o.Connector, Person: o.Person, Entitlement: console.AccountItself, Verb: console.Grant, Cause: o.Cause}
		if _, err := t.CreateOperation(creation, c); err != nil {
			return o, err
		}
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
	if o.State == console.Queued {
		con, err := t.Connector(o.Connector)
		if err != nil {
			return o, err
		}
		if con.Hosting == console.ByFile {
			o.State, o.Answer = console.Manual, noConnector
		}
	}
	if err := t.insertOperation(o); err != nil {
		return o, err
	}
	return o, t.DueBy(console.DueOperations, string(o.Connector), t.by.At.Add(console.OverdueAfter))
}

func (t *Tx) insertOperation(o console.Operation) error {
	err := t.insert("operation", `INSERT INTO operation (id, app, connector, account, person, entitlement, verb, cause, cause_ref, state, alive, attempt, created, not_before, answer, input, verified, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, 0, 1)`,
		o.ID, o.App, o.Connector, o.Account, null(o.Person), o.Entitlement, o.Verb, encode(o.Cause), o.Cause.Ref, o.State, o.State.Alive(), o.Created, o.NotBefore, []byte(o.Answer), inputOrNil(o.Input))
	if err != nil {
		return err
	}
	t.Wake(OperationTopic(o.Connector))
	data := map[string]any{"verb": o.Verb, "cause": o.Cause.Kind, "ref": o.Cause.Ref}
	if o.Input.Why != "" {
		data["why"] = o.Input.Why
	}
	return t.operationEvent(o, "operation."+string(o.State), data)
}

func inputOrNil(in console.Input) []byte {
	if in.Fields == nil && in.ID == nil && in.Why == "" {
		return nil
	}
	return encode(in)
}

// DenyOperation appends the event of a change that a guard refused.
func (t *Tx) DenyOperation(o console.Operation, refusal error) error {
	data := map[string]any{"verb": o.Verb, "cause": o.Cause.Kind, "ref": o.Cause.Ref, "why": refusal.Error()}
	if r := (*console.Refusal)(nil); errors.As(refusal, &r) {
		data["guard"] = r.Guard
	}
	return t.operationEvent(o, "operation.denied", data)
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
		task = $9, answer = $10, verified = $11, account = $12, input = $13, version = version + 1 WHERE id = $1`,
		o.ID, o.State, o.State.Alive(), o.Attempt, o.NotBefore, o.Dispatched, o.LeaseUntil, o.Finished, null(o.Task), []byte(o.Answer), o.Verified, o.Account, inputOrNil(o.Input))
	if err != nil {
		return err
	}
	if err := t.operationEvent(o, "operation."+string(to), data); err != nil {
		return err
	}
	if err := t.operationMoved(o, data); err != nil {
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

// DispatchOperation records that the task of an operation is handed out now, under a lease
// until a time, if the guards still allow it. It runs in the transaction that makes the
// task. A refusal for which the operation has to wait leaves it queued; every other one ends
// it as Cancelled, and refused says why.
func (t *Tx) DispatchOperation(id, task console.ID, now, until time.Time, c Circumstances) (refused, err error) {
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
	if o.NotBefore.After(now) {
		return nil, baton.Errorf(baton.Refused, "the operation is not due before %s", o.NotBefore.UTC().Format(time.RFC3339))
	}
	if err := p.CheckDispatch(); err != nil {
		if p.Check() == nil {
			return err, nil // held or paused: it waits
		}
		if err := t.DenyOperation(o, err); err != nil {
			return nil, err
		}
		o.Answer = err.Error()
		return err, t.moveOperation(o, console.Cancelled, map[string]any{"why": err.Error()})
	}
	o.Task, o.Attempt, o.Dispatched, o.LeaseUntil, o.Finished, o.Answer = task, o.Attempt+1, now, until, time.Time{}, ""
	if err := t.moveOperation(o, console.Dispatched, map[string]any{"task": task, "attempt": o.Attempt}); err != nil {
		return nil, err
	}
	return nil, t.DueBy(console.DueOperations, string(o.Connector), now.Add(console.UnknownAfter))
}

// Answer is the answer to a task of an operation.
type Answer struct {
	At    time.Time
	State console.OperationState // Applied, Failed, Declined, Manual, or Unknown if it says nothing
	Text  string                 // the connector's words
	// Type and ID name the account that was created.
	Type, ID string
	// Again is when the operation may be handed out again; zero: not by itself.
	Again time.Time
}

// FinishOperation records the answer to the newest task of an operation. An answer to an
// older task, and a second answer, change nothing. Reasons that last from when the access
// takes effect begin with it.
func (t *Tx) FinishOperation(id, task console.ID, a Answer) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if o.Task != task || o.State != console.Dispatched && o.State != console.Unknown {
		return nil
	}
	o.Finished, o.Answer = a.At, strings.ToValidUTF8(a.Text, "\ufffd")
	if a.ID != "" {
		o.Input.Type, o.Input.ID = []byte(a.Type), []byte(a.ID)
	}
	if a.State == console.Unknown {
		o.Finished = time.Time{}
		if o.State == console.Unknown {
			return nil
		}
	}
	if err := t.moveOperation(o, a.State, map[string]any{"task": task, "answer": o.Answer}); err != nil {
		return err
	}
	if a.State == console.Applied && o.Verb == console.Grant {
		if err := t.beginReasons(o, a.At); err != nil {
			return err
		}
	}
	if !a.Again.IsZero() && a.State == console.Failed {
		if alive, err := t.aliveOperation(o); err != nil || alive != nil {
			return err // a newer cause took over
		}
		if o, err = t.lockOperation(id); err != nil {
			return err
		}
		o.NotBefore = a.Again
		if err := t.moveOperation(o, console.Queued, map[string]any{"not_before": a.Again.UTC()}); err != nil {
			return err
		}
	}
	// Answers that come together are looked at together.
	return t.DueBy(console.DueOperations, string(o.Connector), t.by.At.Add(proveAfter))
}

// proveAfter is how long after an answer a sync is asked for.
const proveAfter = 250 * time.Millisecond

// beginReasons begins the reasons of an access that last from when it takes effect.
func (t *Tx) beginReasons(o console.Operation, at time.Time) error {
	where, args := "account = $1 AND entitlement = $2", []any{o.Account, o.Entitlement}
	if o.Account == 0 {
		where, args = "account = 0 AND person = $1 AND entitlement = $2 AND app = $3", []any{o.Person, o.Entitlement, o.App}
	}
	reasons, err := list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE "+where+" AND lasts_us IS NOT NULL AND until IS NULL AND ended IS NULL", args...)
	for _, r := range reasons {
		if err == nil {
			err = t.SetReasonUntil(r.ID, at.Add(r.Lasts))
		}
	}
	return err
}

// DoByHand hands an operation that the connector cannot carry out to a person. The reason is
// for people.
func (t *Tx) DoByHand(id console.ID, why string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if !o.State.Alive() {
		if alive, err := t.aliveOperation(o); err != nil {
			return err
		} else if alive != nil {
			return baton.Errorf(baton.Refused, "operation %s is alive on the same access", alive.ID)
		}
	}
	o.Answer = strings.ToValidUTF8(why, "\ufffd")
	return t.moveOperation(o, console.Manual, map[string]any{"why": o.Answer})
}

// DoneByHand records that a person did what the connector cannot do. A sync that is handed
// out from now on shows whether it is so.
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

// ExtendOperation records that the newest task of an operation is still under way, until a
// time.
func (t *Tx) ExtendOperation(id, task console.ID, until time.Time) error {
	_, err := t.e.Exec("UPDATE operation SET lease_until = $3 WHERE id = $1 AND task = $2 AND state IN ('dispatched', 'unknown')", id, task, until)
	return err
}

// LoseOperation records that the lease of an operation's task ended without an answer.
func (t *Tx) LoseOperation(id, task console.ID) error {
	o, err := t.lockOperation(id)
	if err != nil || o.Task != task || o.State != console.Dispatched {
		return err
	}
	return t.moveOperation(o, console.Unknown, map[string]any{"task": task})
}

// RetryOperation queues an operation again that failed, was declined, or waits for a person. Refused if another one is
// alive on the access.
func (t *Tx) RetryOperation(id console.ID, notBefore time.Time) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if !o.State.Alive() {
		if alive, err := t.aliveOperation(o); err != nil {
			return err
		} else if alive != nil {
			return baton.Errorf(baton.Refused, "operation %s is alive on the same access", alive.ID)
		}
	}
	o.NotBefore = notBefore
	t.Wake(OperationTopic(o.Connector))
	if err := t.moveOperation(o, console.Queued, map[string]any{"not_before": timeOrNil(notBefore)}); err != nil {
		return err
	}
	return t.DueBy(console.DueOperations, string(o.Connector), t.by.At.Add(console.OverdueAfter))
}

// CancelOperation ends an operation that was not handed out.
func (t *Tx) CancelOperation(id console.ID, why string) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	return t.moveOperation(o, console.Cancelled, map[string]any{"why": why})
}

// JudgeOperation records what an applied sync says about an operation. One that had no
// answer, and that the sync shows was not carried out, failed; it is queued again, unless it
// was tried often enough or a newer cause took over.
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
		if o.State == console.Unknown || o.State == console.Dispatched {
			return t.failUnanswered(o, by)
		}
	}
	if o.Entitlement == console.AccountItself {
		t.Wake(OperationTopic(o.Connector)) // grants may have waited for the account
	}
	return t.moveOperation(o, to, map[string]any{"sync": by})
}

func (t *Tx) failUnanswered(o console.Operation, by console.SyncNumber) error {
	o.Finished, o.Answer = t.by.At, "No answer came, and a later sync shows that it was not carried out."
	if err := t.moveOperation(o, console.Failed, map[string]any{"sync": by, "answer": o.Answer}); err != nil || o.Attempt >= console.MaxAttempts {
		return err
	}
	if alive, err := t.aliveOperation(o); err != nil || alive != nil {
		return err
	}
	o.State, o.Verified = console.Failed, 0
	t.Wake(OperationTopic(o.Connector))
	return t.moveOperation(o, console.Queued, nil)
}

// NameAccount records which account an operation created for a person without one. From
// now on the account is the person's, and everything that waited for it is about it: the
// operations and the reasons of the person in the app.
func (t *Tx) NameAccount(id console.ID, account console.ResourceKey) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if o.Account != 0 {
		return baton.Errorf(baton.Refused, "the operation has an account already")
	}
	waiting, err := list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND account = 0 AND alive ORDER BY created, id FOR UPDATE", o.App, o.Person)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		w.Account = account
		alive, err := t.aliveOperation(w)
		if err != nil {
			return err
		}
		if alive != nil && w.ID == id {
			return baton.Errorf(baton.AlreadyExists, "operation %s is alive on the account", alive.ID)
		}
		if alive != nil { // what came first stays
			w.Account = 0
			if err := t.moveOperation(w, console.Superseded, map[string]any{"by": alive.ID}); err != nil {
				return err
			}
			continue
		}
		if err := t.insert("an operation on the account", "UPDATE operation SET account = $2, version = version + 1 WHERE id = $1", w.ID, account); err != nil {
			return err
		}
		if err := t.operationEvent(w, "operation.account-named", nil); err != nil {
			return err
		}
	}
	reasons, err := list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE app = $1 AND person = $2 AND account = 0", o.App, o.Person)
	if err != nil {
		return err
	}
	if _, err := t.e.Exec("UPDATE request SET account = $3 WHERE app = $1 AND subject = $2 AND account = 0 AND state <> 'closed'", o.App, o.Person, account); err != nil {
		return err
	}
	for _, r := range reasons {
		if err := t.change("reason", "UPDATE reason SET account = $2 WHERE id = $1", r.ID, account); err != nil {
			return err
		}
		if err := t.event(console.Event{Kind: "reason.account-named", App: r.App, Person: r.Person, Account: account, Entitlement: r.Entitlement, Object: string(r.ID)}, nil); err != nil {
			return err
		}
	}
	owner, err := t.AccountOwner(account, time.Time{})
	if err != nil || owner.Person != "" {
		return err
	}
	return t.SetAccountOwner(account, o.Person, OwnerCreated)
}

const operationColumns = `id, app, connector, account, person, entitlement, verb, cause, state, attempt, created, not_before, dispatched, lease_until, finished, task, answer, verified, version, input`

func scanOperation(r engine.Row) console.Operation {
	o := console.Operation{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Connector: console.ID(r.Text(2)), Account: console.ResourceKey(r.Int(3)),
		Person: console.ID(r.Text(4)), Entitlement: console.EntitlementKey(r.Int(5)), Verb: console.Verb(r.Text(6)), State: console.OperationState(r.Text(8)),
		Attempt: int(r.Int(9)), Created: at(r, 10), NotBefore: at(r, 11), Dispatched: at(r, 12), LeaseUntil: at(r, 13), Finished: at(r, 14),
		Task: console.ID(r.Text(15)), Answer: str(r, 16), Verified: console.SyncNumber(r.Int(17)), Version: r.Int(18)}
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

// AccountCreation returns the newest operation that creates an account for a person in an app;
// nil if there is none.
func (t *Tx) AccountCreation(app, person console.ID) (*console.Operation, error) {
	return find(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND entitlement = $3 AND verb = $4 ORDER BY created DESC, id DESC LIMIT 1",
		app, person, console.AccountItself, console.Grant)
}

// QueuedOperations returns up to n operations of a connector that can be dispatched at a
// time, oldest first. A grant waits until a sync shows that its account is there and
// enabled, if the console is about to see to that.
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

// LateOperations returns up to n queued operations of a connector that remove access and
// were created before a time, oldest first.
func (t *Tx) LateOperations(connector console.ID, created time.Time, n int) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation WHERE connector = $1 AND alive AND state IN ('queued', 'manual') AND verb = $2 AND created <= $3
		AND NOT EXISTS (SELECT 1 FROM overdue o WHERE o.account = operation.account AND o.entitlement = operation.entitlement)
		ORDER BY created, id LIMIT $4`, connector, console.Revoke, created, n)
}

// OperationFilter selects operations of an app.
type OperationFilter struct {
	App    console.ID
	States []console.OperationState // none: all
}

// OperationBefore is the place in a list of operations, the newest first. The zero value
// begins it.
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

// CountOperations returns how many operations of an app are in a state.
func (t *Tx) CountOperations(app console.ID, state console.OperationState) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "operation", "SELECT count(*) FROM operation WHERE app = $1 AND state = $2", app, state)
}

// OperationsByCause returns the operations that a request, a campaign or a rule caused,
// oldest first.
func (t *Tx) OperationsByCause(ref string) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE cause_ref = $1 ORDER BY created, id", ref)
}
