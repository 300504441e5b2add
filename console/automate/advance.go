package automate

import (
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// How long an execution waits before it looks again: at what it waits for, and after something that
// refuses a step for now.
const (
	lookAgain = 5 * time.Minute
	tryAgain  = time.Minute
	pauseLook = 15 * time.Second
)

// Advance does the next step of an execution, or looks at what its current step waits for. It writes
// when to be called next as the due row of the execution. The command's actor is the automation.
func Advance(t *store.Tx, id console.ID) error {
	x, err := t.Execution(id)
	if err != nil {
		return err
	}
	app, err := t.LockApp(x.App) // before the execution, as operations do
	if err != nil {
		return err
	}
	a, err := t.LockAutomation(x.Automation)
	if err != nil {
		return err
	}
	if x, err = t.LockExecution(id); err != nil {
		return err
	}
	if x.State == console.ExecutionAsking {
		return late(t, app, a, x)
	}
	if x.State != console.ExecutionQueued && x.State != console.ExecutionRunning {
		return nil
	}
	v, err := t.AutomationVersion(a.ID, x.Version)
	if err != nil {
		return err
	}
	r, err := load(t, a, v, x, t.By().At)
	if err != nil {
		return err
	}
	steps, err := t.AutomationSteps(id)
	if err != nil {
		return err
	}
	var current *console.AutomationStepRun
	for i, s := range steps {
		if s.Number == x.Step {
			current = &steps[i]
			continue
		}
		r.remember(s.Step, s.Result)
	}
	if current != nil && current.State == console.StepWaiting && (current.Operation != "" || current.Run != "" || current.Child != "") {
		return r.settle(*current) // what was begun is looked at, also while the automation is paused
	}
	if x.Step >= len(v.Steps) {
		return t.EndExecution(x, console.ExecutionDone, "")
	}
	if stop, err := r.stopped(); err != nil || stop {
		return err
	}
	if x.State == console.ExecutionQueued {
		return r.begin()
	}
	if current != nil && current.State == console.StepWaiting {
		return r.settle(*current)
	}
	return r.next(current)
}

func (r *run) again(at time.Time) error { return r.t.DueBy(console.DueExecution, string(r.x.ID), at) }

// stopped reports whether the execution may not go on now, because all automations are paused, or this
// one does not run. It then waits.
func (r *run) stopped() (bool, error) {
	pauses, err := r.t.Pauses()
	if err != nil {
		return false, err
	}
	if pauses.Automations {
		r.x.Waits = "All automations are paused."
		if err := r.t.ChangeExecution(r.x); err != nil {
			return true, err
		}
		return true, r.again(r.now.Add(pauseLook))
	}
	if r.a.State != console.AutomationOn && (r.x.Began.IsZero() || !r.a.GoesOn()) {
		return true, r.t.HoldExecution(r.x, r.a.Why)
	}
	why, err := CheckRun(r.t, r.a, r.v)
	if err != nil || why == "" {
		return false, err
	}
	return true, r.stop(console.AutomationStopped, why)
}

// stop stops the automation. The execution waits for a person.
func (r *run) stop(state console.AutomationState, why string) error {
	if err := r.t.SetAutomationState(r.a.ID, state, why); err != nil {
		return err
	}
	return r.t.HoldExecution(r.x, why)
}

// count returns what the automation did in the period of its limits.
func (r *run) count() (console.AutomationCount, error) {
	since := r.now.Add(-time.Duration(r.v.Limits.Effective().Period))
	if r.a.Counted.After(since) {
		since = r.a.Counted.Add(-time.Microsecond) // what begins at the same time counts
	}
	return r.t.AutomationCount(r.a.ID, since)
}

// trips stops the automation if further runs and changes exceed its limits.
func (r *run) trips(runs, changes int) (bool, error) {
	if r.x.Confirmed != "" {
		return false, nil
	}
	done, err := r.count()
	if err != nil {
		return false, err
	}
	why := r.v.Limits.Trips(done, runs, changes)
	if why == "" {
		return false, nil
	}
	return true, r.stop(console.AutomationTripped, why)
}

func (r *run) begin() error {
	if tripped, err := r.trips(1, 0); err != nil || tripped {
		return err
	}
	x, err := r.t.BeginExecution(r.x)
	if err != nil {
		return err
	}
	r.x = x
	return r.again(r.now)
}

// next does the current step. before is its record of an earlier try; nil if this is the first.
func (r *run) next(before *console.AutomationStepRun) error {
	s := r.v.Steps[r.x.Step]
	rule, _ := s.Kind.Rule()
	if rule.Changes {
		if tripped, err := r.trips(0, 1); err != nil || tripped {
			return err
		}
	}
	o, err := r.once(s)
	if err != nil {
		return err
	}
	step := r.record(s, o)
	if before != nil {
		step.Began = before.Began
	} else if o.refusal != nil {
		if err := r.t.DenyOperation(o.denied, o.refusal); err != nil {
			return err
		}
	}
	if o.retry && r.now.Before(step.Began.Add(console.StepLimit)) {
		step.State, r.x.Waits = console.StepWaiting, o.why
		if err := r.t.PutAutomationStep(step); err != nil {
			return err
		}
		if err := r.t.ChangeExecution(r.x); err != nil {
			return err
		}
		return r.again(r.now.Add(tryAgain))
	}
	for _, c := range o.changes {
		r.x.Changes += c.Count()
	}
	if o.trip {
		if err := r.t.RefuseAutomation(r.a.ID, "A guard refused a step: "+o.why); err != nil {
			return err
		}
	}
	return r.put(step, o.until)
}

// record returns the record of a step that was done now.
func (r *run) record(s console.AutomationStep, o outcome) console.AutomationStepRun {
	step := console.AutomationStepRun{Execution: r.x.ID, Number: r.x.Step, Step: s.ID, Kind: s.Kind, State: o.state, Changes: append(o.changes, o.nested...), Why: o.why,
		Input: asJSON(o.input), Result: asJSON(o.result), Began: r.now, Operation: o.operation, Run: o.run, Child: o.child}
	if o.state != console.StepWaiting {
		step.Ended = r.now
	}
	return step
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return []byte("{}")
	}
	return b
}

// put stores a step, and what follows from its state.
func (r *run) put(step console.AutomationStepRun, until time.Time) error {
	if err := r.t.PutAutomationStep(step); err != nil {
		return err
	}
	switch step.State {
	case console.StepWaiting:
		r.x.Waits = waitsFor(step)
		if err := r.t.ChangeExecution(r.x); err != nil {
			return err
		}
		if until.IsZero() {
			until = r.now.Add(lookAgain)
		}
		return r.again(until)
	case console.StepFailed:
		return r.t.EndExecution(r.x, console.ExecutionFailed, "Step “"+step.Step+"”: "+step.Why)
	case console.StepEnds:
		return r.t.EndExecution(r.x, console.ExecutionDone, "Step “"+step.Step+"”: "+step.Why)
	}
	r.x.Step, r.x.Waits = r.x.Step+1, ""
	if err := r.t.ChangeExecution(r.x); err != nil {
		return err
	}
	return r.again(r.now)
}

func waitsFor(step console.AutomationStepRun) string {
	switch {
	case step.Operation != "":
		return "It waits until a sync shows the change."
	case step.Run != "":
		return "It waits for the result of the action."
	case step.Child != "":
		return "It waits for another automation."
	}
	return "It waits."
}

// settle looks at what the current step waits for.
func (r *run) settle(step console.AutomationStepRun) error {
	s := r.v.Steps[r.x.Step]
	over := !r.now.Before(step.Began.Add(console.StepLimit))
	var done bool
	var result map[string]any
	var why string
	var err error
	switch {
	case step.Operation != "":
		done, result, why, err = r.ofOperation(step.Operation)
	case step.Run != "":
		done, result, why, err = r.ofAction(s.Connector, step.Run)
	case step.Child != "":
		done, result, why, err = r.ofChild(step.Child)
	case s.Kind == console.StepWait:
		until := step.Began.Add(time.Duration(s.For))
		if r.now.Before(until) {
			return r.again(until)
		}
		done, over = true, false
	default: // it was refused for now
		return r.next(&step)
	}
	switch {
	case err != nil:
		return err
	case !done && over:
		step.State, step.Why = console.StepFailed, "There was no result in "+console.Duration(console.StepLimit).Words()+"."
	case !done:
		return r.again(r.now.Add(lookAgain))
	case why != "":
		step.State, step.Why = console.StepFailed, why
	default:
		step.State = console.StepDone
	}
	step.Ended = r.now
	if result != nil {
		step.Result = asJSON(result)
	}
	return r.put(step, time.Time{})
}

func (r *run) ofOperation(id console.ID) (done bool, result map[string]any, why string, err error) {
	o, err := r.t.Operation(id)
	if err != nil {
		return false, nil, "", err
	}
	result = map[string]any{"operation": string(o.ID), "state": string(o.State), "answer": o.Answer}
	switch o.State {
	case console.Verified:
		return true, result, "", nil
	case console.Failed, console.Declined, console.Contradicted, console.Cancelled, console.Superseded:
		why = "The change is " + string(o.State) + "."
		if o.Answer != "" {
			why = sentence(o.Answer)
		}
		return true, result, why, nil
	}
	return false, nil, "", nil
}

func (r *run) ofAction(connector, id console.ID) (done bool, result map[string]any, why string, err error) {
	run, err := r.t.ActionRun(connector, id)
	if err != nil {
		return false, nil, "", err
	}
	returned := map[string]any{}
	json.Unmarshal(run.Returned, &returned) // nothing, if it returned nothing
	result = map[string]any{"run": string(run.ID), "state": string(run.State), "answer": run.Answer, "returned": returned}
	switch run.State {
	case console.Applied:
		return true, result, "", nil
	case console.Failed, console.Unknown:
		return true, result, sentence("the action failed: " + run.Answer), nil
	}
	return false, nil, "", nil
}

func (r *run) ofChild(id console.ID) (done bool, result map[string]any, why string, err error) {
	child, err := r.t.Execution(id)
	if err != nil || !child.State.Ended() {
		return false, nil, "", err
	}
	result = map[string]any{"execution": string(child.ID), "state": string(child.State)}
	if child.State != console.ExecutionDone {
		why = sentence("the other automation " + string(child.State) + ": " + child.Why)
	}
	return true, result, why, nil
}

// Cancel ends an execution that has not ended. Changes that it asked for already are not undone.
func Cancel(t *store.Tx, id console.ID, why string) error {
	x, err := t.LockExecution(id)
	if err != nil {
		return err
	}
	if x.State.Ended() {
		return baton.Errorf(baton.Refused, "the run has ended already")
	}
	return t.EndExecution(x, console.ExecutionCancelled, why)
}
