package store

import (
	"errors"
	"strings"
	"time"

	"baton"
	"baton/console"
)

// DispatchOperation records that the task of an operation is dispatched now, with a lease until a
// time, if the guards still allow it. It runs in the transaction that creates the task. If a guard
// only delays the operation, it stays queued; any other refusal cancels it. refused is the guard's
// reason. The error is [ErrNotQueued] if the operation changed meanwhile.
func (t *Tx) DispatchOperation(id, task console.ID, now, until time.Time, c Circumstances) (refused, err error) {
	o, err := t.Operation(id)
	if err != nil {
		return nil, err
	}
	p, err := t.Proposal(o, c) // locks the app, which must come before the operation
	if err != nil {
		return nil, err
	}
	if o, err = t.lockOperation(id); err != nil {
		return nil, err
	}
	if o.State != console.Queued {
		return nil, baton.Errorf(baton.Refused, "the operation is %s: %w", o.State, ErrNotQueued)
	}
	if o.NotBefore.After(now) {
		return nil, baton.Errorf(baton.Refused, "the operation is not due before %s", o.NotBefore.UTC().Format(time.RFC3339))
	}
	if err := p.CheckDispatch(); err != nil {
		if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) && refusal.Waits {
			return err, nil
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

// ErrNotQueued is wrapped by the error of [Tx.DispatchOperation] for an operation that is not
// queued.
var ErrNotQueued = errors.New("it is not queued")

// Answer is the answer to a task of an operation.
type Answer struct {
	At    time.Time
	State console.OperationState // Applied, Failed, Declined, Manual, or Unknown if it says nothing
	Text  string                 // the connector's text
	// Type and ID name the account that was created.
	Type, ID string
	// Again is when the operation may be dispatched again; zero: only by a person.
	Again time.Time
}

// FinishOperation records the answer to the newest task of an operation. It ignores answers to older
// tasks and second answers. Reasons whose duration counts from when the access takes effect start
// now.
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
	if a.State == console.Failed {
		if err := t.afterFailure(id, a.Again); err != nil {
			return err
		}
	}
	// A short delay, so that one sync verifies several answers.
	return t.DueBy(console.DueOperations, string(o.Connector), t.by.At.Add(proveAfter))
}

// proveAfter is the delay between an answer and the sync that verifies it.
const proveAfter = 250 * time.Millisecond

// beginReasons starts the duration of reasons that count from when the access takes effect.
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

// ExtendOperation extends the lease of the newest task of an operation until a time.
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

// JudgeOperation records what an applied sync proves about an operation. An unanswered operation
// whose change did not happen has failed. It is queued again, unless it has no attempts left or a
// newer operation replaced it.
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
		t.Wake(OperationTopic(o.Connector)) // grants may be waiting for the account
	}
	return t.moveOperation(o, to, map[string]any{"sync": by})
}

func (t *Tx) failUnanswered(o console.Operation, by console.SyncNumber) error {
	o.Finished, o.Answer, o.Verified = t.by.At, "No answer came, and a later sync shows that it was not carried out.", 0
	if err := t.moveOperation(o, console.Failed, map[string]any{"sync": by, "answer": o.Answer}); err != nil {
		return err
	}
	again := t.by.At
	if o.Attempt >= console.MaxAttempts {
		again = time.Time{}
	}
	return t.afterFailure(o.ID, again)
}
