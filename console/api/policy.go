package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
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

// policyTypes are the types of policies by kind, and the keys of their base sequences.
var policyTypes = []struct {
	kind      console.PolicyKind
	name, key string
}{{console.PolicyRequest, "POLICY_TYPE_GRANT", "grant"}, {console.PolicyRevoke, "POLICY_TYPE_REVOKE", "revoke"}, {console.PolicyReview, "POLICY_TYPE_CERTIFY", "certify"}}

// policyOf returns a policy: its rules by keys, the one without a condition as the base sequence.
func policyOf(p console.Policy) policy {
	m := policy{CreatedAt: stamp(p.Created), DisplayName: text(p.Name), ID: string(p.ID), PolicySteps: map[string]policySteps{}, PolicyType: "POLICY_TYPE_UNSPECIFIED",
		ReassignTasksToDelegates: true, SystemBuiltin: p.Version == 0, UpdatedAt: stamp(p.Created)}
	base := ""
	for _, t := range policyTypes {
		if t.kind == p.Kind {
			m.PolicyType, base = t.name, t.key
		}
	}
	for i, r := range p.Rules {
		key := base
		if r.When != "" {
			key = fmt.Sprintf("rule-%d", i+1)
			m.Rules = append(m.Rules, policyRule{r.When, key})
		}
		m.PolicySteps[key] = policySteps{stepsOf(r, p.Kind)}
		if r.When == "" {
			break // later rules never count
		}
	}
	return m
}

func stepsOf(r console.PolicyRule, kind console.PolicyKind) (all list[step]) {
	switch r.Outcome {
	case console.OutcomeDeny:
		return list[step]{{Reject: &rejectState{r.Why}}}
	case console.OutcomeApprove:
		all = list[step]{{Accept: &acceptState{}}}
	default:
		for _, s := range r.Steps {
			all = append(all, stepOf(s))
		}
	}
	if kind != console.PolicyReview {
		all = append(all, step{Provision: &provision{ProvisionPolicy: provisionPolicy{Connector: &empty{}}}})
	}
	return all
}

// policyInput is a policy as a client sends it. Steps are read one by one, so that a kind that the
// console does not have is refused and not left out.
type policyInput struct {
	Description              string                `json:"description"`
	DisplayName              string                `json:"displayName"`
	PolicySteps              map[string]stepsInput `json:"policySteps"`
	PolicyType               string                `json:"policyType"`
	PostActions              []json.RawMessage     `json:"postActions"`
	ReassignTasksToDelegates *bool                 `json:"reassignTasksToDelegates"`
	Rules                    []policyRule          `json:"rules"`
}

type stepsInput struct {
	Steps []json.RawMessage `json:"steps"`
}

// policy returns the policy that a client sent.
func (in policyInput) policy() (p console.Policy, err error) {
	if in.Description != "" {
		return p, errNotKept("description")
	}
	for _, a := range in.PostActions {
		if text := string(a); text != "{}" && text != `{"certifyRemediateImmediately":false}` {
			return p, errNotKept("postActions")
		}
	}
	p.Name = in.DisplayName
	base := ""
	for _, t := range policyTypes {
		if t.name == in.PolicyType {
			p.Kind, base = t.kind, t.key
		}
	}
	if base == "" {
		return p, baton.Errorf(baton.Invalid, "the console has no policies of the type %q", in.PolicyType).WithFix("It has POLICY_TYPE_GRANT, POLICY_TYPE_REVOKE and POLICY_TYPE_CERTIFY.")
	}
	used := map[string]bool{}
	for _, r := range append(slices.Clone(in.Rules), policyRule{PolicyKey: base}) {
		sequence, ok := in.PolicySteps[r.PolicyKey]
		if !ok {
			return p, baton.Errorf(baton.Invalid, "policySteps has no key %q", r.PolicyKey)
		}
		if used[r.PolicyKey] = true; r.PolicyKey != base && strings.TrimSpace(r.Condition) == "" {
			return p, baton.Errorf(baton.Invalid, "the rule for %q has no condition", r.PolicyKey)
		}
		rule, err := ruleOf(r, sequence.Steps)
		if err != nil {
			return p, fmt.Errorf("policySteps %q: %w", r.PolicyKey, err)
		}
		p.Rules = append(p.Rules, rule)
	}
	for key := range in.PolicySteps {
		if !used[key] {
			return p, baton.Errorf(baton.Invalid, "no rule names the key %q of policySteps", key)
		}
	}
	return p, nil
}

func ruleOf(r policyRule, steps []json.RawMessage) (rule console.PolicyRule, err error) {
	rule = console.PolicyRule{When: r.Condition, Outcome: console.OutcomeAsk}
	if len(steps) == 0 {
		return rule, baton.Errorf(baton.Invalid, "there are no steps")
	}
	for i, raw := range steps {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return rule, baton.Errorf(baton.Invalid, "step %d cannot be read", i+1)
		}
		for name, value := range members {
			if string(value) == "null" {
				delete(members, name)
			}
		}
		if len(members) != 1 {
			return rule, baton.Errorf(baton.Invalid, "step %d is not of one kind", i+1)
		}
		last := i == len(steps)-1
		for name, value := range members {
			switch name {
			case "approval":
				s, err := approvalStep(value)
				if err != nil {
					return rule, fmt.Errorf("step %d: %w", i+1, err)
				}
				rule.Steps = append(rule.Steps, s)
			case "wait":
				s, err := waitStep(value)
				if err != nil {
					return rule, fmt.Errorf("step %d: %w", i+1, err)
				}
				rule.Steps = append(rule.Steps, s)
			case "accept", "reject":
				if i > 0 || !last && (name == "reject" || i != len(steps)-2) {
					return rule, baton.Errorf(baton.Invalid, "step %d: %s stands for itself", i+1, name)
				}
				rule.Outcome = console.OutcomeApprove
				if name == "reject" {
					var m rejectState
					if err := json.Unmarshal(value, &m); err != nil {
						return rule, baton.Errorf(baton.Invalid, "step %d cannot be read", i+1)
					}
					rule.Outcome, rule.Why = console.OutcomeDeny, m.RejectMessage
				}
			case "provision":
				if !last {
					return rule, baton.Errorf(baton.Invalid, "step %d: only the last step provisions", i+1)
				}
				if err := connectorOnly(value); err != nil {
					return rule, fmt.Errorf("step %d: %w", i+1, err)
				}
			default:
				return rule, baton.Errorf(baton.Invalid, "the console has no steps of the kind %q", name)
			}
		}
	}
	return rule, nil
}

// connectorOnly refuses a provision step that is not left to the connector.
func connectorOnly(raw json.RawMessage) error {
	var p struct {
		ProvisionPolicy map[string]json.RawMessage `json:"provisionPolicy"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return baton.Errorf(baton.Invalid, "the provision step cannot be read")
	}
	for name, value := range p.ProvisionPolicy {
		if name != "connector" && string(value) != "null" {
			return baton.Errorf(baton.Invalid, "the console does not provision by %q", name).WithFix("Leave provisionPolicy out: the connector provisions, or the owner where it cannot.")
		}
	}
	return nil
}

// approvalMembers are the kinds of approvers that a step can ask.
var approvalMembers = []string{"users", "manager", "appOwners", "entitlementOwners", "group", "expression"}

// approvalFields are the other fields of an approval.
var approvalFields = []string{"allowDelegation", "allowReassignment", "allowedReassignees", "assigned", "escalation", "escalationEnabled", "requireApprovalReason",
	"requireDenialReason", "requireReassignmentReason", "requiresStepUpProviderId"}

func approvalStep(raw json.RawMessage) (s console.PolicyStep, err error) {
	var members map[string]json.RawMessage
	var a approval
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &a) != nil {
		return s, baton.Errorf(baton.Invalid, "the approval cannot be read")
	}
	asked := 0
	for name, value := range members {
		if string(value) == "null" || slices.Contains(approvalFields, name) {
			continue
		}
		if !slices.Contains(approvalMembers, name) {
			return s, baton.Errorf(baton.Invalid, "the console has no approvals by %q", name)
		}
		asked++
		var self struct {
			AllowSelfApproval bool `json:"allowSelfApproval"`
		}
		if json.Unmarshal(value, &self) == nil && self.AllowSelfApproval {
			return s, baton.Errorf(baton.Invalid, "nobody decides about their own access: allowSelfApproval cannot be true")
		}
	}
	if asked != 1 {
		return s, baton.Errorf(baton.Invalid, "the approval names %d kinds of approvers, not one", asked)
	}
	person := func(ids []string) (all []console.Approver) {
		for _, id := range ids {
			all = append(all, console.Approver{Kind: console.ApproverPerson, Person: console.ID(id)})
		}
		return all
	}
	var other fallback
	switch {
	case a.Users != nil:
		s.Ask, s.Distinct = person(a.Users.UserIDs), a.Users.RequireDistinctApprovers
	case a.Manager != nil:
		s.Ask, s.Distinct, other = []console.Approver{{Kind: console.ApproverManager}}, a.Manager.RequireDistinctApprovers, a.Manager.fallback
	case a.AppOwners != nil:
		s.Ask, s.Distinct = []console.Approver{{Kind: console.ApproverAppOwner}}, a.AppOwners.RequireDistinctApprovers
	case a.EntitlementOwners != nil:
		s.Ask, s.Distinct, other = []console.Approver{{Kind: console.ApproverEntitlementOwner}}, a.EntitlementOwners.RequireDistinctApprovers, a.EntitlementOwners.fallback
	case a.Group != nil:
		s.Distinct, other = a.Group.RequireDistinctApprovers, a.Group.fallback
		s.Ask = groups([]groupID{{a.Group.AppGroupID, a.Group.AppID}})
	case a.Expression != nil:
		s.Distinct, other = a.Expression.RequireDistinctApprovers, a.Expression.fallback
		for _, e := range a.Expression.Expressions {
			s.Ask = append(s.Ask, console.Approver{Kind: console.ApproverExpression, Expression: e})
		}
	}
	if other.Fallback {
		s.Fallback = person(other.FallbackUserIDs)
	}
	if other.IsGroupFallbackEnabled {
		s.Fallback = append(s.Fallback, groups(other.FallbackGroupIDs)...)
	}
	s.Comment = a.RequireApprovalReason || a.RequireDenialReason
	s.StepUp, s.NoDelegate = a.RequiresStepUpProviderID != "", !a.AllowDelegation
	if a.AllowReassignment {
		s.Reassign = person(a.AllowedReassignees)
	}
	if e := a.Escalation; e != nil && a.EscalationEnabled {
		if e.ReassignToApprovers == nil {
			return s, baton.Errorf(baton.Invalid, "an escalation can only reassign to approvers")
		}
		s.Limit, s.Escalate = console.Duration(time.Duration(e.Expiration)*time.Second), person(e.ReassignToApprovers.ApproverIDs)
	}
	return s, nil
}

// groups returns approvers for the holders of entitlements. An entitlement is named by the id of the
// console or by that of the application, which is the one that policies keep.
func groups(ids []groupID) (all []console.Approver) {
	for _, id := range ids {
		all = append(all, console.Approver{Kind: console.ApproverGroup, App: console.ID(id.AppID), Entitlement: id.AppEntitlementID})
	}
	return all
}

// mapGroups replaces the ids of the entitlements whose holders a policy asks.
func mapGroups(p console.Policy, id func(console.Approver) (string, error)) (console.Policy, error) {
	p.Rules = slices.Clone(p.Rules)
	for i, r := range p.Rules {
		r.Steps = slices.Clone(r.Steps)
		for j := range r.Steps {
			s := &r.Steps[j]
			for _, approvers := range []*[]console.Approver{&s.Ask, &s.Fallback, &s.Reassign, &s.Escalate} {
				*approvers = slices.Clone(*approvers)
				for k, a := range *approvers {
					if a.Kind != console.ApproverGroup {
						continue
					}
					var err error
					if (*approvers)[k].Entitlement, err = id(a); err != nil {
						return p, err
					}
				}
			}
		}
		p.Rules[i].Steps = r.Steps
	}
	return p, nil
}

// resolveGroups replaces the console's ids of entitlements by those of the application.
func (c *call) resolveGroups(p console.Policy) (console.Policy, error) {
	return mapGroups(p, func(a console.Approver) (string, error) {
		k, err := strconv.ParseInt(a.Entitlement, 10, 64)
		if err != nil {
			return a.Entitlement, nil
		}
		e, err := c.Console.SeenEntitlement(c.ctx(), c.caller, a.App, console.EntitlementKey(k))
		return e.ID, err
	})
}

// policies returns policies with the console's ids of entitlements, as clients send them. The id of
// one that no sync shows is that of the application.
func (c *call) policies(all ...console.Policy) (out []policy, err error) {
	keys, err := c.Console.PolicyGroups(c.ctx(), c.caller, all...)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		p, err := mapGroups(p, func(a console.Approver) (string, error) {
			if k, ok := keys[a]; ok {
				return key(k), nil
			}
			return a.Entitlement, nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, policyOf(p))
	}
	return out, nil
}

// policy responds with a policy.
func (c *call) policy(p console.Policy, err error) (*policyResponse, error) {
	if err != nil {
		return nil, err
	}
	all, err := c.policies(p)
	if err != nil {
		return nil, err
	}
	return &policyResponse{all[0]}, nil
}

func waitStep(raw json.RawMessage) (s console.PolicyStep, err error) {
	var in struct {
		Condition       *waitCondition             `json:"condition"`
		Duration        *struct{ Duration string } `json:"duration"`
		UntilTime       *waitClock                 `json:"untilTime"`
		Name            string                     `json:"name"`
		TimeoutDuration string                     `json:"timeoutDuration"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return s, baton.Errorf(baton.Invalid, "the wait cannot be read")
	}
	s = console.PolicyStep{Name: in.Name, Wait: &console.PolicyWait{}}
	if s.Limit, err = grantDuration(in.TimeoutDuration); err != nil {
		return s, err
	}
	switch {
	case in.Condition != nil:
		s.Wait.Until = in.Condition.Condition
	case in.Duration != nil:
		s.Wait.For, err = grantDuration(in.Duration.Duration)
	case in.UntilTime != nil:
		if zone := in.UntilTime.Timezone; zone != "" && zone != "UTC" {
			return s, baton.Errorf(baton.Invalid, "times of day are in UTC, not in %q", zone)
		}
		s.Wait.At = fmt.Sprintf("%02d:%02d", in.UntilTime.Hours, in.UntilTime.Minutes)
	}
	return s, err
}

type policyResponse struct {
	Policy policy `json:"policy"`
}

func getPolicy(c *call) (*policyResponse, error) {
	v, err := c.Console.Policy(c.ctx(), c.caller, c.path("policy"))
	return c.policy(v.Policy, err)
}

func createPolicy(c *call, in policyInput) (*policyResponse, error) {
	p, err := in.policy()
	if err != nil {
		return nil, err
	}
	if p, err = c.resolveGroups(p); err != nil {
		return nil, err
	}
	return c.policy(c.Console.ConfigurePolicy(c.ctx(), c.caller, p, 0))
}

type updatePolicyRequest struct {
	Policy     policyInput `json:"policy"`
	UpdateMask mask        `json:"updateMask"`
}

// updatePolicy writes the next version of a policy: the whole of it, or what the mask names.
func updatePolicy(c *call, r updatePolicyRequest) (*policyResponse, error) {
	fields, err := r.UpdateMask.fields(c.body, "policy", "displayName", "policySteps", "rules", "policyType", "description", "postActions", "reassignTasksToDelegates")
	if err != nil {
		return nil, err
	}
	v, err := c.Console.Policy(c.ctx(), c.caller, c.path("policy"))
	if err != nil {
		return nil, err
	}
	next := v.Policy
	if slices.Contains(fields, "policySteps") || slices.Contains(fields, "rules") {
		if r.Policy.PolicyType == "" {
			r.Policy.PolicyType = policyOf(v.Policy).PolicyType
		}
		if next, err = r.Policy.policy(); err != nil {
			return nil, err
		}
		next.ID, next.Name = v.ID, v.Name
	} else if r.Policy.Description != "" {
		return nil, errNotKept("description")
	}
	if slices.Contains(fields, "displayName") {
		next.Name = r.Policy.DisplayName
	}
	if next, err = c.resolveGroups(next); err != nil {
		return nil, err
	}
	return c.policy(c.Console.ConfigurePolicy(c.ctx(), c.caller, next, v.Policy.Version))
}

func removePolicy(c *call) (*empty, error) {
	return &empty{}, c.Console.RemovePolicy(c.ctx(), c.caller, c.path("policy"))
}

type searchPoliciesRequest struct {
	page
	DisplayName      string   `json:"displayName"`
	Query            string   `json:"query"`
	PolicyTypes      []string `json:"policyTypes"`
	ExcludePolicyIDs []string `json:"excludePolicyIds"`
	Refs             []ref    `json:"refs"`
}

type policiesResponse struct {
	List          list[policy] `json:"list"`
	NextPageToken string       `json:"nextPageToken"`
}

func searchPolicies(c *call, r searchPoliciesRequest) (*policiesResponse, error) {
	for _, t := range r.PolicyTypes {
		if !slices.ContainsFunc(policyTypes, func(known struct {
			kind      console.PolicyKind
			name, key string
		}) bool {
			return known.name == t
		}) {
			return nil, noValue("policyTypes", t)
		}
	}
	v, err := c.Console.Policies(c.ctx(), c.caller)
	if err != nil {
		return nil, err
	}
	after, out := "", policiesResponse{}
	if err := r.place("policies", &after); err != nil {
		return nil, err
	}
	has := func(text, part string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(strings.TrimSpace(part)))
	}
	slices.SortFunc(v.Policies, func(a, b console.Policy) int { return strings.Compare(string(a.ID), string(b.ID)) })
	all, err := c.policies(v.Policies...)
	if err != nil {
		return nil, err
	}
	for i, p := range v.Policies {
		m := all[i]
		if string(p.ID) <= after && after != "" || !has(p.Name, r.Query) || r.DisplayName != "" && p.Name != r.DisplayName || len(r.PolicyTypes) > 0 && !slices.Contains(r.PolicyTypes, m.PolicyType) ||
			slices.Contains(r.ExcludePolicyIDs, m.ID) || len(r.Refs) > 0 && !slices.ContainsFunc(r.Refs, func(r ref) bool { return r.ID == m.ID }) {
			continue
		}
		if len(out.List) == r.size() {
			out.NextPageToken = token("policies", out.List[len(out.List)-1].ID)
			break
		}
		out.List = append(out.List, m)
	}
	return &out, nil
}
