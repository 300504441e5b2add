package rpc

import (
	"bytes"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
)

// This file has the rules for tasks as pure functions. A store reads a task, applies the rule and
// writes the task in one transaction.

// Lease times. Connectors send heartbeats for syncs. Many send none for writes, so their
// leases must outlast the write.
const (
	SyncLease  = 5 * time.Minute
	WriteLease = 30 * time.Minute
	ReadLease  = 5 * time.Minute
)

// LeaseTime returns how long a lease of a task of the type lasts without a heartbeat.
func LeaseTime(t Type) time.Duration {
	switch {
	case t == SyncType:
		return SyncLease
	case Writes(t):
		return WriteLease
	}
	return ReadLease
}

// Writes reports whether a task of the type changes the application. If the lease of a write ends
// without a result, it is unknown whether the change was made: the task becomes [Lost], and is only
// leased again after [Store.RequeueTask]. Tasks of other types are leased again.
func Writes(t Type) bool {
	switch t {
	case GrantType, RevokeType, CreateAccountType, DeleteResourceType, RunActionType:
		return true
	}
	return false
}

// Exclusive reports whether at most one task of the type may be leased per connector.
func Exclusive(t Type) bool { return t == SyncType }

// LeasedAt reports whether a host has the task and its lease lasts at now.
func (t Task) LeasedAt(now time.Time) bool { return t.State == Leased && now.Before(t.Lease.Until) }

// MayLease reports whether the host may lease the task at now, apart from [Exclusive].
func (t Task) MayLease(host string, now time.Time) bool {
	if t.Cancelled || t.Due.After(now) || t.OnlyHost != "" && t.OnlyHost != host {
		return false
	}
	return t.State == Queued || t.State == Leased && !t.LeasedAt(now) && !Writes(t.Work.Type())
}

// LeasedTo returns the task with a new lease for the host.
func (t Task) LeasedTo(host string, now time.Time) Task {
	t.State = Leased
	t.Lease = Lease{Host: host, Number: t.Lease.Number + 1, Since: now, Until: now.Add(t.LeaseTime)}
	return t
}

// Pick selects the tasks that r leases, and returns them with their leases. tasks are all open tasks
// of a connector, ordered by Due and then by when they were added; Pick stops reading when the
// result is known. exclusive means that a task of an [Exclusive] type is leased at now. More means
// that the host could lease another task.
func Pick(tasks iter.Seq[Task], exclusive bool, r LeaseRequest, now time.Time) (picked []Task, more bool) {
	for t := range tasks {
		only := Exclusive(t.Work.Type())
		if !t.MayLease(r.Host, now) || only && exclusive || r.has(t) {
			continue
		}
		if len(picked) >= r.Max {
			return picked, true
		}
		picked = append(picked, t.LeasedTo(r.Host, now))
		exclusive = exclusive || only
	}
	return picked, false
}

// CheckHolder returns an error unless h holds the lease of the task. An expired lease is still held
// while the task is not leased again or put back. The error is NotFound for a task of another
// connector, and Refused otherwise.
func (t Task) CheckHolder(h Holder) error {
	switch {
	case t.Connector != h.Connector || t.ID != h.Task:
		return baton.Errorf(baton.NotFound, "the connector has no task %s", h.Task)
	case t.State == Queued && t.Lease.Number == 0:
		return baton.Errorf(baton.Refused, "task %s was never leased", t.ID)
	case t.State == Queued:
		return baton.Errorf(baton.Refused, "host %q lost the lease of task %s: the task was put back into the queue", h.Host, t.ID)
	case t.Lease.Host != h.Host:
		return baton.Errorf(baton.Refused, "host %q does not hold the lease of task %s", h.Host, t.ID)
	case h.Number != 0 && h.Number != t.Lease.Number:
		return baton.Errorf(baton.Refused, "host %q lost lease %d of task %s: the task was leased again", h.Host, h.Number, t.ID)
	}
	return nil
}

// CheckWorking returns an error unless h holds the lease of the task and the task is not
// finished.
func (t Task) CheckWorking(h Holder) error {
	if err := t.CheckHolder(h); err != nil {
		return err
	}
	if t.State == Finished {
		return baton.Errorf(baton.Refused, "task %s is finished", t.ID)
	}
	return nil
}

// Renewed returns the task with its lease extended from now.
func (t Task) Renewed(now time.Time) Task {
	t.State, t.Lease.Until = Leased, now.Add(t.LeaseTime)
	return t
}

// Beaten returns the task after a heartbeat of h.
func (t Task) Beaten(h Holder, now time.Time) (Task, error) {
	if err := t.CheckWorking(h); err != nil {
		return t, err
	}
	t.Heartbeats++
	return t.Renewed(now), nil
}

// FinishedBy returns the task with the result that h reports, and whether the task changed. Only the
// first result counts. The same host may report again after it lost the response; that changes
// nothing. A host that lost its lease gets an error.
func (t Task) FinishedBy(h Holder, r Result, now time.Time) (after Task, changed bool, err error) {
	if err := t.CheckHolder(h); err != nil || t.State == Finished {
		return t, false, err
	}
	r.At, r.Host = now, h.Host
	t.State, t.Result = Finished, r
	return t, true, nil
}

// AfterCancel returns the task after the console cancelled it, and whether the task changed. A host
// that works on it is told and still reports the result; otherwise the task ends now.
func (t Task) AfterCancel(now time.Time) (after Task, changed bool) {
	switch {
	case t.State == Finished || t.Cancelled && t.LeasedAt(now):
		return t, false
	case t.LeasedAt(now):
		t.Cancelled = true
		return t, true
	}
	return t.endCancelled(now), true
}

func (t Task) endCancelled(now time.Time) Task {
	message := "the task was cancelled before a host did it"
	if t.State != Queued {
		message = "the task was cancelled; host " + t.Lease.Host + " had leased it, reported no result and may have done it"
	}
	t.State, t.Cancelled = Finished, true
	t.Result = Result{At: now, Code: uint32(codes.Canceled), Message: message}
	return t
}

// AfterLease returns the task after its lease expired, and whether the task changed: a cancelled
// task is finished, a write is lost, and any other task stays leased until the next host asks.
func (t Task) AfterLease(now time.Time) (after Task, changed bool) {
	switch {
	case t.State != Leased || t.LeasedAt(now):
		return t, false
	case t.Cancelled:
		return t.endCancelled(now), true
	case Writes(t.Work.Type()):
		t.State = Lost
		return t, true
	}
	return t, false
}

// PutBack returns the task queued again. Its host loses the lease. The error is Refused for a task
// that is queued or finished.
func (t Task) PutBack() (Task, error) {
	if t.State != Leased && t.State != Lost {
		return t, baton.Errorf(baton.Refused, "task %s is %s: only a leased or lost task can be put back into the queue", t.ID, t.State)
	}
	t.State = Queued
	return t, nil
}

// Outcome returns what the result means, or "" if the task is not finished.
func (t Task) Outcome() Outcome {
	r := t.Result
	switch code := codes.Code(r.Code); {
	case t.State != Finished:
		return ""
	case code == codes.OK:
		return r.success()
	case code == codes.Canceled && t.Cancelled:
		return Cancelled
	case code == codes.FailedPrecondition && t.Work.Type() == SyncType:
		return Held
	case code == codes.FailedPrecondition:
		return Refused
	case code == codes.Unimplemented:
		return Unsupported
	case r.NonRetryable:
		return Failed
	}
	return Retryable
}

func (r Result) success() Outcome {
	switch {
	case r.Already, r.Account != nil && r.Account.State == AccountExists:
		return AlreadyDone
	case r.Account != nil && r.Account.State != AccountCreated:
		return InProgress
	case r.Action != nil && r.Action.State == ActionFailed:
		return Failed
	case r.Action != nil && r.Action.State != ActionComplete:
		return InProgress
	}
	return Done
}

// UploadKindOf returns the kind of a file from its first bytes.
func UploadKindOf(head []byte) UploadKind {
	if bytes.HasPrefix(head, []byte("C1ZF\x00")) || bytes.HasPrefix(head, []byte("C1Z3")) {
		return SyncFile
	}
	return LogFile
}

// CheckUpload returns an error unless h may upload a file of the kind for the task.
func (t Task) CheckUpload(h Holder, kind UploadKind) error {
	if err := t.CheckWorking(h); err != nil {
		return err
	}
	switch {
	case kind == SyncFile && t.Work.Type() != SyncType:
		return baton.Errorf(baton.Refused, "task %s is a %s task and takes no sync file", t.ID, t.Work.Type())
	case kind == LogFile && !t.Debug:
		return baton.Errorf(baton.Refused, "task %s takes no log: the file does not begin as a sync file does", t.ID)
	}
	return nil
}
