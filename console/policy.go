package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
)

// Policy defines who decides about a kind of requests. A version of a policy never changes, and a
// request keeps the version that it was filed under.
type Policy struct {
	ID      ID
	Name    string
	Kind    PolicyKind
	Version int          // counts from 1; 0 for built-in policies
	Rules   []PolicyRule // the first match applies
	Author  ID           // the author of this version; "" for built-in policies
	Second  ID           // who confirmed it, if that was required
	Weaker  bool         // it requires less than the previous version
	Created time.Time
}

// PolicyKind says what a policy decides about.
type PolicyKind string

const (
	PolicyRequest PolicyKind = "request" // requests for access
	PolicyRevoke  PolicyKind = "revoke"  // requests to remove access
	PolicyReview  PolicyKind = "review"  // reviews of access
)

func PolicyKinds() []PolicyKind { return []PolicyKind{PolicyRequest, PolicyRevoke, PolicyReview} }

// PolicyRule is one rule of a policy.
type PolicyRule struct {
	Name    string        `json:"name,omitempty" yaml:"name,omitempty"`
	When    string        `json:"when,omitempty" yaml:"when,omitempty"` // a condition; "" is always true
	Outcome PolicyOutcome `json:"outcome" yaml:"outcome"`
	Why     string        `json:"why,omitempty" yaml:"why,omitempty"` // shown to the requester if the rule denies
	Steps   []PolicyStep  `json:"steps,omitempty" yaml:"steps,omitempty"`
}

// PolicyOutcome is the effect of a rule.
type PolicyOutcome string

const (
	OutcomeAsk     PolicyOutcome = "ask"     // the steps decide
	OutcomeApprove PolicyOutcome = "approve" // approved without asking anybody
	OutcomeDeny    PolicyOutcome = "deny"    // denied without asking anybody
)

// PolicyStep asks people, or waits. The next step begins when it is passed. One denial ends a
// request.
type PolicyStep struct {
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Ask lists who may decide; any one of them does. If none of them may, the first alternative in
	// Fallback with somebody who may is asked.
	Ask      []Approver `json:"ask,omitempty" yaml:"ask,omitempty"`
	Fallback []Approver `json:"fallback,omitempty" yaml:"fallback,omitempty"`
	// Distinct excludes those who decided an earlier step.
	Distinct   bool `json:"distinct,omitempty" yaml:"distinct,omitempty"`
	Comment    bool `json:"comment,omitempty" yaml:"comment,omitempty"`         // a decision needs a comment
	StepUp     bool `json:"step_up,omitempty" yaml:"step_up,omitempty"`         // a decision needs a recent login
	NoDelegate bool `json:"no_delegate,omitempty" yaml:"no_delegate,omitempty"` // delegates of those asked may not decide
	// Reassign lists the people to whom the step may be reassigned; empty: nobody.
	Reassign []Approver `json:"reassign,omitempty" yaml:"reassign,omitempty"`
	// Limit is the time for the step; 0: no limit. When it has passed, Escalate is asked instead. If
	// that is empty, the request ends.
	Limit    Duration    `json:"limit,omitzero" yaml:"limit,omitempty"`
	Escalate []Approver  `json:"escalate,omitempty" yaml:"escalate,omitempty"`
	Wait     *PolicyWait `json:"wait,omitempty" yaml:"wait,omitempty"` // the step waits, and asks nobody
}

// PolicyWait is the condition that ends a waiting step. Exactly one field is set.
type PolicyWait struct {
	Until string   `json:"until,omitempty" yaml:"until,omitempty"` // a condition becomes true
	For   Duration `json:"for,omitzero" yaml:"for,omitempty"`      // a duration passes
	At    string   `json:"at,omitempty" yaml:"at,omitempty"`       // a time of day in UTC, "22:30"
	// Answers to the form of the request. Only plans have it.
	Answers bool `json:"answers,omitempty" yaml:"-"`
	// Requirement: until the requirement of the entitlement is met. Only plans have it.
	Requirement bool `json:"requirement,omitempty" yaml:"-"`
}

// The limits of a policy.
const (
	maxPolicyRules = 16
	maxPolicySteps = 8
	maxPolicyList  = 32
	maxPolicyText  = 4000
	maxPolicyName  = 200
)

// Check returns an error if the policy is invalid. compile checks a condition or, if people is true,
// an expression that returns people.
func (p Policy) Check(compile func(text string, people bool) error) error {
	if strings.TrimSpace(p.Name) == "" {
		return baton.Errorf(baton.Invalid, "the policy has no name")
	}
	if len(p.Name) > maxPolicyName {
		return baton.Errorf(baton.Invalid, "the name is longer than %d bytes", maxPolicyName)
	}
	if !slices.Contains(PolicyKinds(), p.Kind) {
		return baton.Errorf(baton.Invalid, "there is no kind of policies %q", p.Kind)
	}
	if n := len(p.Rules); n < 1 || n > maxPolicyRules {
		return baton.Errorf(baton.Invalid, "a policy has 1 to %d rules, not %d", maxPolicyRules, n)
	}
	for i, r := range p.Rules {
		if err := r.check(compile); err != nil {
			return baton.Errorf(baton.Invalid, "rule %d: %w", i+1, err)
		}
	}
	if last := p.Rules[len(p.Rules)-1]; last.When != "" {
		return baton.Errorf(baton.Invalid, "the last rule has a condition: there would be no rule for everything else")
	}
	return nil
}

func (r PolicyRule) check(compile func(string, bool) error) error {
	if len(r.Name) > maxPolicyName || len(r.Why) > maxPolicyText {
		return fmt.Errorf("its name or its reason is too long")
	}
	if r.When != "" {
		if err := checkText(r.When, false, compile); err != nil {
			return fmt.Errorf("when: %w", err)
		}
	}
	switch n := len(r.Steps); {
	case r.Outcome == OutcomeAsk && (n < 1 || n > maxPolicySteps):
		return fmt.Errorf("it has %d steps, not 1 to %d", n, maxPolicySteps)
	case r.Outcome != OutcomeAsk && r.Outcome != OutcomeApprove && r.Outcome != OutcomeDeny:
		return fmt.Errorf("there is no outcome %q", r.Outcome)
	case r.Outcome != OutcomeAsk && n > 0:
		return fmt.Errorf("its outcome is %s, so it can have no steps", r.Outcome)
	}
	for i, s := range r.Steps {
		if err := s.check(compile); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if r.Outcome == OutcomeAsk && !slices.ContainsFunc(r.Steps, func(s PolicyStep) bool { return s.Wait == nil }) {
		return fmt.Errorf("its steps ask nobody; let its outcome be approve, or add a step")
	}
	return nil
}

func (s PolicyStep) check(compile func(string, bool) error) error {
	if s.Limit < 0 {
		return fmt.Errorf("the limit is negative")
	}
	if len(s.Name) > maxPolicyName {
		return fmt.Errorf("its name is longer than %d bytes", maxPolicyName)
	}
	if s.Wait != nil {
		if len(s.Ask)+len(s.Fallback)+len(s.Reassign)+len(s.Escalate) > 0 || s.Distinct || s.Comment || s.StepUp || s.NoDelegate {
			return fmt.Errorf("it waits, so it can ask nobody")
		}
		return s.Wait.check(s.Limit, compile)
	}
	if len(s.Ask) == 0 {
		return fmt.Errorf("it asks nobody")
	}
	if len(s.Escalate) > 0 && s.Limit == 0 {
		return fmt.Errorf("it escalates, and has no limit")
	}
	for _, list := range [][]Approver{s.Ask, s.Fallback, s.Reassign, s.Escalate} {
		if len(list) > maxPolicyList {
			return fmt.Errorf("a list has more than %d entries", maxPolicyList)
		}
		for _, a := range list {
			if err := a.check(compile); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w PolicyWait) check(limit Duration, compile func(string, bool) error) error {
	set := 0
	for _, is := range []bool{w.Until != "", w.For != 0, w.At != ""} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return fmt.Errorf("it waits for one of: until, for, at")
	case w.For < 0:
		return fmt.Errorf("it waits for less than nothing")
	case w.Until != "" && limit == 0:
		return fmt.Errorf("it waits for a condition, which may never hold: it needs a limit")
	case w.Until != "":
		return checkText(w.Until, false, compile)
	}
	if w.At != "" {
		if _, err := time.Parse("15:04", w.At); err != nil {
			return fmt.Errorf("%q is no time of day as 22:30", w.At)
		}
	}
	return nil
}

func checkText(text string, people bool, compile func(string, bool) error) error {
	if len(text) > maxPolicyText {
		return fmt.Errorf("it is longer than %d characters", maxPolicyText)
	}
	return compile(text, people)
}

// AtLeast reports whether a version is at least as strict as an earlier one: for every request, it
// has the same or more steps, of the same people, and no restriction less. If the form of the two
// does not prove that, the result is false. So it is for every change of a policy for revocations
// or reviews: a harder one lets access stay, and an easier one lets it be taken.
func (p Policy) AtLeast(before Policy) bool {
	if p.Kind != PolicyRequest {
		return sameRules(p.Rules, before.Rules)
	}
	if len(p.Rules) != len(before.Rules) {
		return false
	}
	for i, r := range p.Rules {
		if !r.atLeast(before.Rules[i]) {
			return false
		}
	}
	return true
}

func (r PolicyRule) atLeast(before PolicyRule) bool {
	switch {
	case r.When != before.When:
		return false
	case r.Outcome == OutcomeDeny || before.Outcome == OutcomeApprove:
		return true
	case before.Outcome == OutcomeDeny || r.Outcome == OutcomeApprove:
		return false
	}
	next := 0
	for _, s := range r.Steps { // every step of before must have its counterpart in r, in the same order
		if next < len(before.Steps) && s.atLeast(before.Steps[next]) {
			next++
		}
	}
	return next == len(before.Steps)
}

func (s PolicyStep) atLeast(before PolicyStep) bool {
	if s.Wait != nil || before.Wait != nil {
		return s.Wait != nil && before.Wait != nil && *s.Wait == *before.Wait && s.Limit == before.Limit
	}
	subset := func(a, b []Approver) bool {
		return !slices.ContainsFunc(a, func(x Approver) bool { return !slices.Contains(b, x) })
	}
	implies := func(a, b bool) bool { return !a || b }
	// Without an earlier alternative, a later one would be asked instead.
	prefix := len(s.Fallback) <= len(before.Fallback) && slices.Equal(s.Fallback, before.Fallback[:len(s.Fallback)])
	// An earlier escalation asks other people more often.
	sooner := len(s.Escalate) > 0 && s.Limit < before.Limit
	return subset(s.Ask, before.Ask) && subset(before.Ask, s.Ask) && prefix && subset(s.Escalate, before.Escalate) && !sooner &&
		subset(s.Reassign, before.Reassign) && implies(before.Distinct, s.Distinct) && implies(before.Comment, s.Comment) &&
		implies(before.StepUp, s.StepUp) && implies(before.NoDelegate, s.NoDelegate)
}

// The ids of the built-in policies. They apply until somebody writes another version of them.
const (
	StandardPolicy   ID = "standard"   // requests of ordinary entitlements
	PrivilegedPolicy ID = "privileged" // requests of entitlements that mean administrator
	EmergencyPolicy  ID = "emergency"  // emergency requests
	GiveBackPolicy   ID = "give-back"  // people who give back their own access
	RemovalPolicy    ID = "removal"    // access that a person with the right removes
	ReviewPolicy     ID = "review"     // reviews of access
)

const day = 24 * Duration(time.Hour)

// BuiltInPolicies returns version 0 of the built-in policies.
func BuiltInPolicies() []Policy {
	role := func(r ConsoleRole) Approver { return Approver{Kind: ApproverRole, Role: r} }
	owners := []Approver{{Kind: ApproverAppOwner}, {Kind: ApproverEntitlementOwner}}
	manager := Approver{Kind: ApproverManager}
	return []Policy{
		{ID: StandardPolicy, Name: "Standard", Kind: PolicyRequest, Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{
			{Name: "Owner", Ask: owners, Fallback: []Approver{manager, role(SuperAdministrator)}, Reassign: append(slices.Clone(owners), manager), Limit: 14 * day}}}}},
		{ID: PrivilegedPolicy, Name: "Privileged", Kind: PolicyRequest, Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{
			{Name: "Owner", Ask: owners, Fallback: []Approver{manager, role(SuperAdministrator)}, StepUp: true, Limit: 14 * day},
			{Name: "Second person", Ask: []Approver{role(SecurityOfficer)}, Fallback: []Approver{role(SuperAdministrator), {Kind: ApproverAppOwner}, manager},
				Distinct: true, StepUp: true, Limit: 14 * day}}}}},
		{ID: EmergencyPolicy, Name: "Emergency", Kind: PolicyRequest, Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{
			{Name: "Whoever is there", Ask: append(slices.Clone(owners), role(SecurityOfficer), role(SuperAdministrator)), StepUp: true, Limit: day}}}}},
		{ID: GiveBackPolicy, Name: "Give back", Kind: PolicyRevoke, Rules: []PolicyRule{{Outcome: OutcomeApprove}}},
		{ID: RemovalPolicy, Name: "Removal", Kind: PolicyRevoke, Rules: []PolicyRule{{Outcome: OutcomeApprove}}},
		{ID: ReviewPolicy, Name: "Review", Kind: PolicyReview, Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{
			{Name: "Manager", Ask: []Approver{manager}, Fallback: []Approver{{Kind: ApproverAppOwner}, {Kind: ApproverEntitlementOwner}, role(SecurityOfficer), role(SuperAdministrator)},
				Reassign: append(slices.Clone(owners), manager)}}}}},
	}
}

// BuiltInPolicy returns a built-in policy.
func BuiltInPolicy(id ID) (Policy, bool) {
	for _, p := range BuiltInPolicies() {
		if p.ID == id {
			return p, true
		}
	}
	return Policy{}, false
}
