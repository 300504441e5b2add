package rpcstore

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// Operations become tasks when a host asks for work: in the transaction that leases it the
// task, after the guards were asked again. So no task waits that guards have not seen, and an
// operation of a connector that is offline can still be superseded. The answer is recorded in
// the transaction that finishes the task.

// operationRef begins the [rpc.Task.Ref] of tasks of operations.
const operationRef = "operation:"

// operationOf returns the operation that a task carries out.
func operationOf(t rpc.Task) (console.ID, bool) {
	id, ok := strings.CutPrefix(t.Ref, operationRef)
	return console.ID(id), ok
}

// queued returns up to n operations that the host could get now.
func (l *lease) queued(n int) ([]console.Operation, error) {
	connector := console.ID(l.r.Connector)
	all, err := l.tx.QueuedOperations(connector, l.now, n)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	c, err := l.tx.Connector(connector)
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

// byHand reports whether a person asked for an operation, having seen the warnings.
func byHand(o console.Operation) bool {
	return o.Cause.By.Person() != "" && (o.Cause.Kind == console.CauseManual || o.Cause.Kind == console.CauseAction)
}

// hasOperations reports whether there is something to do about operations of the connector.
func (l *lease) hasOperations() (bool, error) {
	all, err := l.queued(l.r.Max + 1)
	if err != nil || len(all) == 0 {
		return false, err
	}
	p, err := l.planner()
	if err != nil {
		return false, err
	}
	for _, o := range all {
		if o.Entitlement != console.AccountItself {
			return true, nil
		}
		plan, err := p.plan(o)
		if err != nil || !plan.wait || p.ask {
			return true, err
		}
	}
	return false, nil
}

// ready returns how many operations the host is about to get, up to what it takes.
func (l *lease) ready() (n int, err error) {
	all, err := l.queued(l.r.Max)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	p, err := l.planner()
	for _, o := range all {
		if o.Entitlement != console.AccountItself {
			n++
			continue
		}
		var plan plan
		if err == nil {
			plan, err = p.plan(o)
		}
		if !plan.wait {
			n++
		}
	}
	return n, err
}

// dispatch hands out operations, as many as the host takes, and reports whether more of them
// could go out now.
func (l *lease) dispatch() (tasks []rpc.Task, more bool, err error) {
	all, err := l.queued(l.r.Max + 1)
	if err != nil || len(all) == 0 {
		return nil, false, err
	}
	p, err := l.planner()
	if err != nil {
		return nil, false, err
	}
	for _, o := range all {
		if len(tasks) >= l.r.Max {
			return tasks, true, nil
		}
		plan, err := p.plan(o)
		if err != nil {
			return nil, false, err
		}
		switch {
		case plan.wait:
		case plan.manual != "":
			err = l.tx.DoByHand(o.ID, plan.manual)
		default:
			var t *rpc.Task
			if t, err = l.send(o, plan.work); t != nil {
				tasks = append(tasks, *t)
			}
		}
		if err != nil {
			return nil, false, err
		}
	}
	if p.ask {
		t, err := rpc.NewTask(l.r.Connector, rpc.Work{ListActions: &rpc.ListActionsWork{}}, l.now)
		if err == nil {
			err = AddTask(l.tx, t)
		}
		return tasks, true, err // the question goes out next
	}
	return tasks, false, nil
}

// send makes the task of an operation and leases it to the host, unless a guard refuses.
func (l *lease) send(o console.Operation, work rpc.Work) (*rpc.Task, error) {
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
	refused, err := l.tx.DispatchOperation(o.ID, console.ID(t.ID), l.now, t.Lease.Until, store.Circumstances{ByHand: byHand(o), WritesPaused: pauses.Writes})
	if err != nil || refused != nil {
		return nil, err
	}
	return &t, AddTask(l.tx, t)
}

// transient reports whether a task that failed with a code may well succeed later. Connectors
// mark every failed change as not to be repeated, so that mark says nothing.
func transient(code uint32) bool {
	switch codes.Code(code) {
	case codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Unavailable:
		return true
	}
	return false
}

// operationEnded records what the end of a task says about its operation.
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
		// It speaks for the task that started the action.
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

// statusAfter is how long after a task about a running action the next one asks.
const statusAfter = 5 * time.Second

// followAction asks the host that runs an action of an operation how it is doing.
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

// answerOf returns what a finished task says about its operation.
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
	case rpc.InProgress: // the creation of an account goes on, or waits for a person
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
		if r.Code == uint32(codes.OK) { // of an action that ended so
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

// said returns what a connector said about what it did.
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

// provisioningOff reports whether a connector refused because changes are switched off in its
// settings. The protocol has no code of its own for it.
func provisioningOff(message string) bool {
	return strings.Contains(message, "provisioning is not enabled") || strings.Contains(message, "provisioning is switched off")
}

// helloOf returns how a host introduced itself, or nil.
func helloOf(tx *store.Tx, connector, host string) (*rpc.Hello, error) {
	hosts, err := Hosts(tx, connector)
	for i := range hosts {
		if hosts[i].ID == host {
			return &hosts[i].Hello, err
		}
	}
	return nil, err
}

// Describe returns how the host of a connector that introduced itself last describes the
// connector. ok is false if none did.
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

// OpenSync returns the newest sync task of a connector that waits, and the newest that was
// handed out, finished or not; nil where there is none.
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
