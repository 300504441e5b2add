package rpcstore

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// An operation becomes a task when a host asks for work: in the transaction that leases the task,
// after the guards have checked it again. So no task waits that the guards have not checked, and the
// operations of an offline connector can still be superseded. The answer is recorded in the
// transaction that finishes the task.

// operationRef is the prefix of [rpc.Task.Ref] for tasks of operations.
const operationRef = "operation:"

// operationOf returns the operation that a task carries out.
func operationOf(t rpc.Task) (console.ID, bool) {
	id, ok := strings.CutPrefix(t.Ref, operationRef)
	return console.ID(id), ok
}

// queued returns up to n operations that the host could be given now.
func (l *lease) queued(n int) ([]console.Operation, error) {
	connector := console.ID(l.r.Connector)
	all, err := l.tx.QueuedOperations(connector, l.now, n)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	c, err := l.of()
	if err != nil {
		return nil, err
	}
	pauses, err := l.tx.Pauses()
	if err != nil || c.Paused || pauses.Writes {
		return nil, err
	}
	held, err := l.tx.HeldSync(connector)
	if err != nil || held == nil {
		return all, err
	}
	if all, err = l.tx.QueuedOperations(connector, l.now, store.PageSize); err != nil {
		return nil, err
	}
	var may []console.Operation
	for _, o := range all {
		if byHand(o) && o.Verb == console.Revoke && o.Entitlement == console.AccountItself && len(may) < n {
			may = append(may, o)
		}
	}
	return may, nil
}

// of returns the connector, which it reads once.
func (l *lease) of() (console.Connector, error) {
	if l.connector == nil {
		c, err := l.tx.Connector(console.ID(l.r.Connector))
		if err != nil {
			return c, err
		}
		l.connector = &c
	}
	return *l.connector, nil
}

// byHand reports whether a person requested an operation after seeing the warnings.
func byHand(o console.Operation) bool {
	return o.Cause.By.Person() != "" && (o.Cause.Kind == console.CauseManual || o.Cause.Kind == console.CauseAction)
}

// hasOperations reports whether the connector has operations to dispatch.
func (l *lease) hasOperations() (bool, error) {
	all, err := l.queued(l.r.Max + 1)
	if err != nil || len(all) == 0 {
		return false, err
	}
	for _, o := range all {
		if o.Entitlement != console.AccountItself {
			return true, nil
		}
	}
	p, err := l.planner()
	if err != nil {
		return false, err
	}
	for _, o := range all {
		plan, err := p.plan(o)
		if err != nil || !plan.wait || p.ask {
			return true, err
		}
	}
	return false, nil
}

// ready returns the number of queued operations that the host will be given, up to its maximum.
func (l *lease) ready(all []console.Operation) (n int, err error) {
	for _, o := range all[:min(len(all), l.r.Max)] {
		if o.Entitlement != console.AccountItself {
			n++
			continue
		}
		p, err := l.planner()
		if err != nil {
			return n, err
		}
		plan, err := p.plan(o)
		if err != nil {
			return n, err
		}
		if !plan.wait {
			n++
		}
	}
	return n, nil
}

// dispatch dispatches as many queued operations as the host accepts, and reports whether there are
// more. The caller adds the tasks.
func (l *lease) dispatch(all []console.Operation) (tasks []rpc.Task, more bool, err error) {
	if len(all) == 0 {
		return nil, false, nil
	}
	p, err := l.planner()
	if err != nil {
		return nil, false, err
	}
	var ground *store.Ground // locks the app, so it is only read if there is something to send
	for _, o := range all {
		if len(tasks) >= l.r.Max {
			return tasks, true, nil
		}
		plan, err := p.plan(o)
		if err != nil {
			return nil, false, err
		}
		if ground == nil && !plan.wait && plan.manual == "" {
			if ground, err = l.tx.Ground(o.Connector); err != nil {
				return nil, false, err
			}
		}
		switch {
		case plan.wait:
		case plan.later:
			err = l.tx.PostponeOperation(o.ID, l.now.Add(time.Minute))
		case plan.manual != "":
			err = l.tx.DoByHand(o.ID, plan.manual)
		default:
			var t *rpc.Task
			if t, err = l.send(o, plan.work, ground); t != nil {
				tasks = append(tasks, *t)
			}
		}
		if err != nil {
			return nil, false, err
		}
	}
	if p.ask {
		t, err := rpc.NewTask(l.r.Connector, rpc.Work{ListActions: &rpc.ListActionsWork{}}, l.now)
		l.question = &t
		return tasks, true, err
	}
	return tasks, false, nil
}

// send creates the task of an operation with a lease for the host, unless a guard refuses or the
// operation has changed in the meantime.
func (l *lease) send(o console.Operation, work rpc.Work, ground *store.Ground) (*rpc.Task, error) {
	t, err := rpc.NewTask(l.r.Connector, work, l.now)
	if err != nil {
		return nil, l.tx.DoByHand(o.ID, "It cannot be sent to the connector: "+err.Error())
	}
	t.Ref = operationRef + string(o.ID)
	t = t.LeasedTo(l.r.Host, l.now)
	pauses, err := l.tx.Pauses()
	if err != nil {
		return nil, err
	}
	refused, err := l.tx.DispatchOperation(o.ID, console.ID(t.ID), l.now, t.Lease.Until, store.Circumstances{ByHand: byHand(o), WritesPaused: pauses.Writes, Ground: ground})
	if errors.Is(err, store.ErrNotQueued) {
		return nil, nil
	}
	if err != nil || refused != nil {
		return nil, err
	}
	return &t, nil
}

// transient reports whether a task that failed with a code may succeed later. Connectors mark every
// failed change as not retryable, so that mark is ignored.
func transient(code uint32) bool {
	switch codes.Code(code) {
	case codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Unavailable:
		return true
	}
	return false
}

// operationEnded records the result of a task in its operation.
func operationEnded(tx *store.Tx, id console.ID, t rpc.Task) error {
	o, err := tx.Operation(id)
	if baton.KindOf(err) == baton.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	newest := console.ID(t.ID)
	if status := t.Work.ActionStatus; status != nil {
		// This task asks about an action that an earlier task started.
		begun, err := findTask(tx.Engine(), t.Connector, string(o.Task), "")
		if err != nil || begun.Result.Action == nil || begun.Result.Action.ID != status.ID {
			return err
		}
		newest = o.Task
	}
	if t.State == rpc.Lost {
		if err := tx.LoseOperation(id, newest); err != nil {
			return err
		}
		return tx.DueBy(console.DueOperations, t.Connector, tx.By().At)
	}
	if t.Outcome() == rpc.InProgress && t.Result.Action != nil {
		return followAction(tx, o, newest, t)
	}
	return tx.FinishOperation(id, newest, answerOf(t, o.Attempt))
}

// statusAfter is the interval between tasks that ask about a running action.
const statusAfter = 5 * time.Second

// followAction asks the host that runs an operation's action for its state.
func followAction(tx *store.Tx, o console.Operation, newest console.ID, t rpc.Task) error {
	status, err := statusTask(t)
	if err != nil {
		return err
	}
	status.Ref = t.Ref
	if err := tx.ExtendOperation(o.ID, newest, t.Result.At.Add(console.WriteLease)); err != nil {
		return err
	}
	return AddTask(tx, status)
}

func statusTask(t rpc.Task) (rpc.Task, error) {
	run := t.Result.Action
	name := run.Name
	if name == "" && t.Work.RunAction != nil {
		name = t.Work.RunAction.Name
	}
	if name == "" && t.Work.ActionStatus != nil {
		name = t.Work.ActionStatus.Name
	}
	status, err := rpc.NewTask(t.Connector, rpc.Work{ActionStatus: &rpc.ActionStatusWork{Name: name, ID: run.ID}}, t.Result.At.Add(statusAfter))
	status.OnlyHost = t.Lease.Host
	return status, err
}

// answerOf converts a finished task to the answer of its operation.
func answerOf(t rpc.Task, attempt int) store.Answer {
	r := t.Result
	a := store.Answer{At: r.At, State: console.Failed, Text: r.Message}
	if r.Account != nil && r.Account.Resource != nil {
		a.Type, a.ID = r.Account.Resource.ID.Type, r.Account.Resource.ID.ID
	}
	switch t.Outcome() {
	case rpc.Done:
		a.State, a.Text = console.Applied, said(r)
	case rpc.AlreadyDone:
		a.State, a.Text = console.Applied, "Nothing had to be done: it was so already."
	case rpc.InProgress: // the creation of an account continues, or waits for a person
		a.State, a.Text = console.Unknown, "The connector goes on with it."
		if r.Account != nil && r.Account.Message != "" {
			a.Text = r.Account.Message
		}
	case rpc.Refused:
		switch {
		case r.Refusal != "":
			a.State, a.Text = console.Declined, r.Refusal
		case provisioningOff(r.Message):
			a.State = console.Manual
		default:
			a.State = console.Declined
		}
	case rpc.Unsupported:
		a.State = console.Manual
	case rpc.Failed:
		if r.Code == uint32(codes.OK) { // the error of a failed action
			a.Text = said(r)
		}
	}
	if t.Work.ActionStatus != nil && r.Code == uint32(codes.NotFound) {
		a.State, a.Text = console.Unknown, "The host that ran the action does not know about it any more."
	} else if a.State == console.Failed && transient(r.Code) && attempt < console.MaxAttempts {
		a.Again = r.At.Add(console.RetryAfter(attempt))
		if codes.Code(r.Code) == codes.Canceled { // the host was stopped: nothing is wrong upstream
			a.Again = r.At.Add(time.Second)
		}
	}
	return a
}

// said returns the connector's message in a result.
func said(r rpc.Result) string {
	if r.Action != nil {
		for _, name := range []string{"message", "error"} {
			if s, ok := r.Action.Values[name].(string); ok {
				return s
			}
		}
	}
	return ""
}

// provisioningOff reports whether a connector refused because provisioning is off. The protocol has
// no code for that.
func provisioningOff(message string) bool {
	return strings.Contains(message, "provisioning is not enabled") || strings.Contains(message, "provisioning is switched off")
}

// helloOf returns the description of a host, or nil.
func helloOf(tx *store.Tx, connector, host string) (*rpc.Hello, error) {
	b, err := engine.Find(tx.Engine(), func(r engine.Row) []byte { return r.Bytes(0) }, "SELECT hello FROM host WHERE connector = $1 AND id = $2", connector, []byte(host))
	if err != nil || b == nil {
		return nil, err
	}
	var h rpc.Hello
	if err := json.Unmarshal(*b, &h); err != nil {
		return nil, baton.Errorf(baton.Corrupt, "the hello of host %q: %w", host, err)
	}
	return &h, nil
}

// Describe returns the description of a connector by the host that introduced itself last. ok is
// false if none did.
func Describe(tx *store.Tx, connector string) (d rpc.Description, ok bool, err error) {
	hosts, err := Hosts(tx, connector)
	var last time.Time
	for _, h := range hosts {
		if !ok || h.Last.After(last) {
			d, last, ok = h.Hello.Connector, h.Last, true
		}
	}
	return d, ok, err
}

// OpenSync returns the newest waiting sync task of a connector, and the newest dispatched one,
// finished or not; nil if there is none.
func OpenSync(tx *store.Tx, connector string) (waiting, handedOut *rpc.Task, err error) {
	find := func(where string) (*rpc.Task, error) {
		s, err := engine.Find(tx.Engine(), scanTask, "SELECT "+taskColumns+" FROM task WHERE connector = $1 AND type = $2 AND "+where+" ORDER BY number DESC LIMIT 1", connector, rpc.SyncType)
		if err != nil || s == nil {
			return nil, err
		}
		return &s.Task, s.err
	}
	if waiting, err = find("state = 'queued'"); err == nil {
		handedOut, err = find("state <> 'queued' AND lease > 0")
	}
	return waiting, handedOut, err
}
