package api

import (
	"time"

	"baton/console"
)

// stepOf converts a step of a policy.
func stepOf(s console.PolicyStep) step {
	if s.Wait == nil {
		a := approvalRule(s)
		return step{Approval: &a}
	}
	w := wait{Name: s.Name, TimeoutDuration: period(s.Limit)}
	switch {
	case s.Wait.Until != "":
		w.Condition = &waitCondition{s.Wait.Until}
	case s.Wait.For > 0:
		w.Duration = &waitDuration{period(s.Wait.For)}
	default:
		w.UntilTime = &waitClock{Timezone: "UTC"}
		if at, err := time.Parse("15:04", s.Wait.At); err == nil {
			w.UntilTime.Hours, w.UntilTime.Minutes = at.Hour(), at.Minute()
		}
	}
	return step{Wait: &w}
}

// approvalRule converts the approvers of a step. If they are of several kinds, or of a kind that the
// platform does not have, only the named people are set.
func approvalRule(s console.PolicyStep) approval {
	a := approval{AllowDelegation: !s.NoDelegate, AllowReassignment: len(s.Reassign) > 0, RequireApprovalReason: s.Comment, RequireDenialReason: s.Comment,
		RequireReassignmentReason: true, EscalationEnabled: len(s.Escalate) > 0}
	if a.EscalationEnabled {
		a.Escalation = &escalation{Expiration: int64(time.Duration(s.Limit) / time.Second), ReassignToApprovers: &reassignTo{persons(s.Escalate)}}
	}
	distinct := byOwners{RequireDistinctApprovers: s.Distinct}
	others := fallbackOf(s.Fallback)
	if len(s.Ask) == 1 {
		switch who := s.Ask[0]; who.Kind {
		case console.ApproverManager:
			a.Manager = &byManager{byOwners: distinct, fallback: others}
			return a
		case console.ApproverAppOwner:
			a.AppOwners = &distinct
			return a
		case console.ApproverEntitlementOwner:
			a.EntitlementOwners = &byEntitlement{distinct, others}
			return a
		case console.ApproverExpression:
			a.Expression = &byExpression{byOwners: distinct, fallback: others, Expressions: list[string]{who.Expression}}
			return a
		case console.ApproverGroup:
			a.Group = &byGroup{byOwners: distinct, fallback: others, AppGroupID: who.Entitlement, AppID: string(who.App)}
			return a
		}
	}
	a.Users = &byUsers{RequireDistinctApprovers: s.Distinct, UserIDs: persons(s.Ask)}
	return a
}

// persons returns the people whom approvers name.
func persons(all []console.Approver) (ids list[string]) {
	for _, a := range all {
		if a.Kind == console.ApproverPerson {
			ids = append(ids, string(a.Person))
		}
	}
	return ids
}

func fallbackOf(all []console.Approver) (f fallback) {
	f.FallbackUserIDs = persons(all)
	for _, a := range all {
		if a.Kind == console.ApproverGroup {
			f.FallbackGroupIDs = append(f.FallbackGroupIDs, groupID{a.Entitlement, string(a.App)})
		}
	}
	f.Fallback, f.IsGroupFallbackEnabled = len(f.FallbackUserIDs) > 0, len(f.FallbackGroupIDs) > 0
	return f
}
