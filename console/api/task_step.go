package api

import (
	"time"

	"baton/console"
	"baton/console/govern"
)

// Names of the states of steps.
const (
	stepActive = "POLICY_STEP_STATE_ACTIVE"
	stepDone   = "POLICY_STEP_STATE_DONE"
)

// policyStateOf returns the steps of a request: past, current and future ones. The last one is the
// change in the application.
func policyStateOf(t govern.RequestTask) (p policyState) {
	add := func(s stepState) {
		s.PolicyGenerationID = generation(t.Request.Policy, t.PolicyVersion)
		if s.State == stepActive {
			p.Current = &s
			return
		}
		p.History = append(p.History, s)
	}
	for i, s := range t.Plan.Steps {
		switch {
		case i > t.Step && t.State.Deciding():
			p.Next = append(p.Next, stepOf(s.PolicyStep))
		case i > t.Step || i == t.Step && !t.State.Deciding() && decisionOf(t, s.ID) == nil:
			// The step was not reached.
		case i == t.Step && t.State.Deciding():
			add(openOf(t, s))
		default:
			add(overOf(t, s))
		}
	}
	made := provisionOf(t)
	switch {
	case t.State.Deciding():
		p.Next = append(p.Next, step{Provision: &made})
	case t.State.Open():
		add(stepState{ID: "provision", State: stepActive, Provision: &provisionState{Provision: made, State: "PROVISION_INSTANCE_STATE_WAITING"}})
	case t.Outcome == console.OutcomeGranted || t.Outcome == console.OutcomeRevoked:
		add(stepState{ID: "provision", State: stepDone, Provision: &provisionState{Provision: made, State: "PROVISION_INSTANCE_STATE_DONE"}})
	case t.Outcome == console.OutcomeDenied && len(t.Plan.Steps) == 0:
		add(stepState{ID: "reject", State: stepDone, Reject: &rejectState{t.OutcomeWhy}})
	}
	return p
}

func provisionOf(t govern.RequestTask) provision {
	p := provision{ProvisionTarget: provisionTarget{AppEntitlementID: key(t.Entitlement), AppID: string(t.App), AppUserID: accountID(t.Account), GrantDuration: lasts(t.Request)}}
	if t.Operation != nil && t.Operation.State == console.Manual {
		p.ProvisionPolicy.Manual = &manualProvision{}
	} else {
		p.ProvisionPolicy.Connector = &empty{}
	}
	return p
}

// decisionOf returns the decision in a step; nil if there is none.
func decisionOf(t govern.RequestTask, step console.ID) *console.RequestEntry {
	for i, e := range t.Entries {
		if e.Step == step && (e.Kind == console.EntryApproved || e.Kind == console.EntryDenied) {
			return &t.Entries[i]
		}
	}
	return nil
}

func overOf(t govern.RequestTask, s console.PlanStep) stepState {
	m := stepState{ID: string(s.ID), State: stepDone}
	if s.Wait != nil {
		w := waitStateOf(t, s, "WAIT_INSTANCE_STATE_COMPLETED")
		m.Wait = &w
		return m
	}
	a := approvalState{Approval: approvalOf(s, nil), State: "APPROVAL_INSTANCE_STATE_DONE"}
	if e := decisionOf(t, s.ID); e != nil && e.Kind == console.EntryApproved {
		a.Approved = &approvedBy{ApprovedAt: stamp(e.At), UserID: string(e.Actor.Person())}
	} else if e != nil {
		a.Denied = &deniedBy{stamp(e.At), string(e.Actor.Person())}
	}
	m.Approval = &a
	return m
}

func openOf(t govern.RequestTask, s console.PlanStep) stepState {
	m := stepState{ID: string(s.ID), State: stepActive}
	if s.Wait != nil && s.Wait.Answers {
		m.Form = &formState{Data: t.Form, Form: formOf(t), State: "FORM_INSTANCE_STATE_WAITING"}
		return m
	}
	if s.Wait != nil {
		w := waitStateOf(t, s, "WAIT_INSTANCE_STATE_WAITING")
		m.Wait = &w
		return m
	}
	var asked []string
	for _, a := range t.Asked {
		asked = append(asked, string(a.Person))
	}
	a := approvalState{Approval: approvalOf(s, asked), AssignedAt: stamp(t.StepBegan), State: "APPROVAL_INSTANCE_STATE_WAITING"}
	for _, e := range t.Entries {
		if e.Kind == console.EntryReassigned && e.Step == s.ID {
			a.Reassigned = &reassignedBy{NewPolicyStepID: string(s.ID), ReassignedAt: stamp(e.At), UserID: string(e.Actor.Person())}
		}
	}
	m.Approval = &a
	return m
}

func waitStateOf(t govern.RequestTask, s console.PlanStep, state string) waitState {
	w := waitState{Name: s.Name, StartedWaitingAt: stamp(t.StepBegan), State: state, TimeoutDuration: period(s.Limit)}
	if s.Limit > 0 {
		w.Timeout = stamp(t.StepBegan.Add(time.Duration(s.Limit)))
	}
	if s.Wait.Until != "" {
		w.Condition = &waitCondition{s.Wait.Until}
	} else {
		w.UntilTime = &waitUntil{DurationIfExists: period(s.Wait.For), UntilTime: stamp(s.Wait.Ends(t.StepBegan))}
	}
	return w
}

// approvalOf converts the approvers of a step. Approvers of a kind that the platform does not have
// become people.
func approvalOf(s console.PlanStep, asked []string) approval {
	a := approvalRule(s.PolicyStep)
	if len(s.Passed) > 0 || a.AppOwners == nil && a.EntitlementOwners == nil && a.Expression == nil && a.Group == nil && a.Manager == nil {
		a = approval{AllowDelegation: a.AllowDelegation, AllowReassignment: a.AllowReassignment, RequireApprovalReason: a.RequireApprovalReason,
			RequireDenialReason: a.RequireDenialReason, RequireReassignmentReason: a.RequireReassignmentReason, Escalation: a.Escalation, EscalationEnabled: a.EscalationEnabled,
			Users: &byUsers{RequireDistinctApprovers: s.Distinct, UserIDs: asked}}
	}
	a.Assigned = len(asked) > 0
	if a.Manager != nil {
		a.Manager.AssignedUserIDs = asked
	}
	if a.Expression != nil {
		a.Expression.AssignedUserIDs = asked
	}
	return a
}
