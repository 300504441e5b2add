package automate

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// Request files the request of a person that an automation runs. The policy of the trigger decides: the
// execution begins, or waits until the people whom it asks have decided.
func Request(t *store.Tx, v console.AutomationVersion, x console.AutomationExecution, requester console.ID) (console.AutomationExecution, error) {
	a, err := t.Automation(v.Automation)
	if err != nil {
		return x, err
	}
	app, err := t.LockApp(a.App)
	if err != nil {
		return x, err
	}
	x.Automation, x.Version, x.Chain, x.Key = v.Automation, v.Version, []console.ID{v.Automation}, "request/"+string(console.NewID(t.By().At))
	policy, err := policyOf(t, v, x.Person, requester)
	if err != nil {
		return x, err
	}
	c, err := approve.AutomationCase(t, app, a.Name, x, requester)
	if err != nil {
		return x, err
	}
	plan, err := policy.Plan(c, func() console.ID { return console.NewID(t.By().At) })
	if err != nil {
		return x, err
	}
	if slices.ContainsFunc(plan.Steps, func(s console.PlanStep) bool { return s.Wait != nil }) {
		return x, baton.Errorf(baton.Refused, "the policy “%s” waits, and requests of automations cannot", policy.Name).WithFix("An owner of the application chooses a policy that only asks people.")
	}
	switch plan.Outcome {
	case console.OutcomeDeny:
		why := plan.Why
		if why == "" {
			why = "the policy does not allow it"
		}
		return x, baton.Errorf(baton.Refused, "%s", why)
	case console.OutcomeApprove:
		x, _, err = t.AddExecution(x)
		return x, err
	}
	if _, err := plan.Preview(c); err != nil {
		return x, err
	}
	x.State, x.Waits = console.ExecutionAsking, "People decide about it."
	if x, _, err = t.AddExecution(x); err != nil {
		return x, err
	}
	q := console.AutomationRequest{Execution: x.ID, Requester: requester, Policy: policy.ID, PolicyVersion: policy.Version, Plan: plan}
	return x, ask(t, app, a, x, q)
}

// policyOf returns the newest version of the trigger's policy that counts for the people of a request.
func policyOf(t *store.Tx, v console.AutomationVersion, people ...console.ID) (console.Policy, error) {
	versions, err := t.PolicyVersions(v.Trigger.Policy)
	if err != nil {
		return console.Policy{}, err
	}
	party := func(id console.ID) bool {
		c, err := t.Canonical(id)
		return id != "" && err == nil && slices.Contains(people, c)
	}
	policy, counts := console.PolicyFor(versions, party)
	if !counts {
		return policy, baton.Errorf(baton.Refused, "every version of the policy was written by somebody of this request").WithFix("Let somebody else write a version of it.")
	}
	return policy, nil
}

// ask asks the people of the current step.
func ask(t *store.Tx, app console.App, a console.Automation, x console.AutomationExecution, q console.AutomationRequest) error {
	step := q.Plan.Steps[q.Step]
	who, err := whoDecides(t, app, a, x, q)
	if err != nil {
		return err
	}
	q.Asked, q.StepBegan = who.Asked, t.By().At
	if err := t.PutAutomationRequest(q); err != nil {
		return err
	}
	if step.Limit > 0 {
		if err := t.DueBy(console.DueExecution, string(x.ID), t.By().At.Add(time.Duration(step.Limit))); err != nil {
			return err
		}
	}
	return t.AutomationAsked(x, q)
}

func whoDecides(t *store.Tx, app console.App, a console.Automation, x console.AutomationExecution, q console.AutomationRequest) (console.StepAsked, error) {
	c, err := approve.AutomationCase(t, app, a.Name, x, q.Requester)
	if err != nil {
		return console.StepAsked{}, err
	}
	return q.Plan.Steps[q.Step].WhoDecides(c, q.Decided())
}

// Decide records the decision of a person about a request. proved means that the person has just
// signed in.
func Decide(t *store.Tx, execution console.ID, me console.Person, approved bool, comment string, proved bool) error {
	x, err := t.Execution(execution)
	if err != nil {
		return err
	}
	app, err := t.LockApp(x.App)
	if err != nil {
		return err
	}
	a, err := t.LockAutomation(x.Automation)
	if err != nil {
		return err
	}
	if x, err = t.LockExecution(execution); err != nil {
		return err
	}
	if x.State != console.ExecutionAsking {
		return baton.Errorf(baton.Refused, "it is decided already")
	}
	q, err := t.AutomationRequest(execution)
	if err != nil {
		return err
	}
	step := q.Plan.Steps[q.Step]
	who, err := whoDecides(t, app, a, x, q)
	if err != nil {
		return err
	}
	mine := who.Has(me.Canonical())
	switch {
	case mine == nil:
		return baton.Errorf(baton.PermissionDenied, "you are not asked about this").WithFix("This needs one of those who are asked, or a Super Administrator who changes the policy.")
	case step.StepUp && !proved:
		return ErrProve
	case step.Comment && comment == "":
		return baton.Errorf(baton.Invalid, "the policy wants a comment")
	}
	d := console.AutomationDecision{Step: step.ID, Person: mine.Person, For: mine.For, Approved: approved, Comment: comment, At: t.By().At}
	q.Decisions = append(q.Decisions, d)
	if err := t.AutomationDecided(x, d); err != nil {
		return err
	}
	if !approved {
		if err := t.PutAutomationRequest(q); err != nil {
			return err
		}
		return t.EndExecution(x, console.ExecutionCancelled, sentence("denied by "+me.Name+": "+comment))
	}
	if q.Step++; q.Step < len(q.Plan.Steps) {
		return ask(t, app, a, x, q)
	}
	if err := t.PutAutomationRequest(q); err != nil {
		return err
	}
	if x.State, x.Waits = console.ExecutionQueued, ""; a.State != console.AutomationOn {
		return t.HoldExecution(x, a.Why)
	}
	if err := t.ChangeExecution(x); err != nil {
		return err
	}
	return t.DueBy(console.DueExecution, string(x.ID), t.By().At)
}

// ErrProve is the error of a decision that needs a recent login.
var ErrProve = baton.Errorf(baton.PermissionDenied, "this decision needs a login that is less than 10 minutes old")

// late escalates a request whose step nobody decided in time, or ends it.
func late(t *store.Tx, app console.App, a console.Automation, x console.AutomationExecution) error {
	q, err := t.AutomationRequest(x.ID)
	if err != nil {
		return err
	}
	step := &q.Plan.Steps[q.Step]
	if step.Limit == 0 {
		return nil
	}
	if end := q.StepBegan.Add(time.Duration(step.Limit)); t.By().At.Before(end) {
		return t.DueBy(console.DueExecution, string(x.ID), end)
	}
	if len(step.Escalate) == 0 {
		return t.EndExecution(x, console.ExecutionCancelled, "Nobody decided in time.")
	}
	step.Passed, step.Escalate = step.Escalate, nil
	return ask(t, app, a, x, q)
}
