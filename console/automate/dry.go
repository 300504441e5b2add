package automate

import (
	"baton"
	"baton/console"
	"baton/console/store"
)

// DryRun does the steps of a version for an execution that does not exist, and returns what they did.
// Waits are passed, and changes count as made. It uses the functions of the real run, guards included,
// so the transaction must be rolled back afterwards: nothing may stay, and nothing is sent.
func DryRun(t *store.Tx, a console.Automation, v console.AutomationVersion, x console.AutomationExecution) ([]console.AutomationStepRun, error) {
	if _, err := t.LockApp(a.App); err != nil {
		return nil, err
	}
	x.ID, x.Automation, x.App, x.By = console.NewID(t.By().At), a.ID, a.App, t.By().Actor
	if len(x.Chain) == 0 {
		x.Chain = []console.ID{a.ID}
	}
	return dry(t, a, v, x)
}

func dry(t *store.Tx, a console.Automation, v console.AutomationVersion, x console.AutomationExecution) (all []console.AutomationStepRun, err error) {
	r, err := load(t, a, v, x, t.By().At)
	if err != nil {
		return nil, err
	}
	r.dry = true
	for i, s := range v.Steps {
		if err := r.refresh(); err != nil {
			return nil, err
		}
		r.x.Step = i
		o, err := r.once(s)
		if err != nil {
			return nil, err
		}
		step := r.record(s, o)
		if step.State == console.StepWaiting {
			step.State = console.StepDone
		}
		all = append(all, step)
		if step.State == console.StepFailed || step.State == console.StepEnds {
			return all, nil
		}
		r.remember(s.ID, step.Result)
	}
	return all, nil
}

// dryChild does the steps of the automation that a step runs, and adds their changes to the outcome.
func (r *run) dryChild(a console.Automation, x console.AutomationExecution, o outcome) (outcome, error) {
	v, err := r.t.AutomationVersion(a.ID, a.Published)
	if err != nil {
		return o, err
	}
	x.ID, x.App, x.By = console.NewID(r.now), a.App, r.x.By
	steps, err := dry(r.t, a, v, x)
	if err != nil {
		return o, err
	}
	for _, s := range steps {
		o.nested = append(o.nested, s.Changes...)
		if s.State == console.StepFailed {
			o.state, o.why = console.StepFailed, sentence("the other automation failed: Step “"+s.Step+"”: "+s.Why)
		}
	}
	return o, nil
}

// Changes returns the list of what an execution did, with what the automations did that it ran, in
// order.
func Changes(t *store.Tx, execution console.ID) (all []console.AutomationChange, err error) {
	steps, err := t.AutomationSteps(execution)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		all = append(all, s.Changes...)
		if s.Child == "" {
			continue
		}
		nested, err := Changes(t, s.Child)
		if err != nil {
			return nil, err
		}
		all = append(all, nested...)
	}
	return all, nil
}

// ErrDry is the error with which a dry run rolls its transaction back.
var ErrDry = baton.Errorf(baton.Internal, "a dry run changes nothing")
