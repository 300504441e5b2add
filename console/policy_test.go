package console_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	. "baton/console"
)

// staff is the data about people for a case.
type staff struct {
	managers   map[ID]ID
	appOwners  []ID
	entOwners  []ID
	roles      map[ConsoleRole][]ID
	groups     map[string][]ID
	delegates  map[ID]ID
	conditions map[string]bool // conditions that are true; the others are unknown
	expression map[string][]ID
}

func (s staff) caseOf(subject, requester ID) Case {
	return Case{Subject: subject, Requester: requester,
		People: func(a Approver) ([]ID, error) {
			switch a.Kind {
			case ApproverPerson:
				return []ID{a.Person}, nil
			case ApproverRole:
				return s.roles[a.Role], nil
			case ApproverManager:
				if m := s.managers[subject]; m != "" {
					return []ID{m}, nil
				}
				return nil, nil
			case ApproverAppOwner:
				return s.appOwners, nil
			case ApproverEntitlementOwner:
				return s.entOwners, nil
			case ApproverGroup:
				return s.groups[a.Entitlement], nil
			case ApproverExpression:
				return s.expression[a.Expression], nil
			}
			return nil, fmt.Errorf("no kind %q", a.Kind)
		},
		Match: func(condition string) (bool, error) {
			holds, known := s.conditions[condition]
			if !known {
				return false, errors.New("no such key")
			}
			return holds, nil
		},
		Delegate: func(p ID) (ID, error) { return s.delegates[p], nil },
	}
}

func newIDs() func() ID {
	n := 0
	return func() ID { n++; return ID(fmt.Sprintf("s%d", n)) }
}

// describe returns who is asked at each step: "own,mgr/del*own sec" and so on.
func describe(steps []StepAsked) string {
	var all []string
	for _, s := range steps {
		var people []string
		for _, a := range s.Asked {
			p := string(a.Person)
			if a.For != "" {
				p += "*" + string(a.For)
			}
			people = append(people, p)
		}
		text := strings.Join(people, ",")
		if s.Fallback {
			text = "else " + text
		}
		all = append(all, text)
	}
	return strings.Join(all, " / ")
}

func builtIn(t *testing.T, id ID) Policy {
	p, ok := BuiltInPolicy(id)
	if !ok {
		t.Fatalf("no policy %s", id)
	}
	return p
}

// TestWhoIsAsked evaluates the built-in policies for many sets of people.
func TestWhoIsAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		policy             ID
		subject, requester ID
		barred             map[ID]string
		staff              staff
		want               string // or a part of the refusal
	}{
		"the owner of the app":               {policy: StandardPolicy, staff: staff{appOwners: []ID{"own"}, managers: map[ID]ID{"ana": "mgr"}}, want: "own"},
		"also owners of the entitlement":     {policy: StandardPolicy, staff: staff{appOwners: []ID{"own"}, entOwners: []ID{"eo", "own"}}, want: "own,eo"},
		"without owner the manager":          {policy: StandardPolicy, staff: staff{managers: map[ID]ID{"ana": "mgr"}}, want: "else mgr"},
		"then super administrators":          {policy: StandardPolicy, staff: staff{roles: map[ConsoleRole][]ID{SuperAdministrator: {"sa"}}}, want: "else sa"},
		"the owner asks for the own access":  {policy: StandardPolicy, subject: "own", requester: "own", staff: staff{appOwners: []ID{"own"}, managers: map[ID]ID{"own": "mgr"}}, want: "else mgr"},
		"the manager asks for a report":      {policy: StandardPolicy, requester: "mgr", staff: staff{managers: map[ID]ID{"ana": "mgr"}}, want: "nobody may decide step 1"},
		"the owner asks for somebody else":   {policy: StandardPolicy, requester: "own", staff: staff{appOwners: []ID{"own", "o2"}}, want: "o2"},
		"a super administrator asks":         {policy: StandardPolicy, subject: "sa", requester: "sa", staff: staff{roles: map[ConsoleRole][]ID{SuperAdministrator: {"sa"}}}, want: "nobody may decide step 1"},
		"a delegate is asked, too":           {policy: StandardPolicy, staff: staff{appOwners: []ID{"own"}, delegates: map[ID]ID{"own": "del"}}, want: "own,del*own"},
		"the subject as delegate":            {policy: StandardPolicy, staff: staff{appOwners: []ID{"own"}, delegates: map[ID]ID{"own": "ana"}}, want: "own"},
		"a delegate of the subject":          {policy: StandardPolicy, subject: "own", requester: "own", staff: staff{appOwners: []ID{"own"}, delegates: map[ID]ID{"own": "del"}}, want: "nobody may decide step 1"},
		"a delegate who is asked anyway":     {policy: StandardPolicy, staff: staff{appOwners: []ID{"own", "o2"}, delegates: map[ID]ID{"own": "o2"}}, want: "own,o2*own"},
		"a former owner of the account":      {policy: StandardPolicy, barred: map[ID]string{"own": "owned it"}, staff: staff{appOwners: []ID{"own"}, managers: map[ID]ID{"ana": "mgr"}}, want: "else mgr"},
		"only a former owner of the account": {policy: StandardPolicy, barred: map[ID]string{"own": "owned it"}, staff: staff{appOwners: []ID{"own"}}, want: "owned it"},
		"nobody at all":                      {policy: StandardPolicy, want: "nobody may decide step 1 (owner of the application, owner of the entitlement, manager or super administrator)"},
		"two people for admins":              {policy: PrivilegedPolicy, staff: staff{appOwners: []ID{"own"}, roles: map[ConsoleRole][]ID{SecurityOfficer: {"so"}}}, want: "own / so"},
		"one person is both":                 {policy: PrivilegedPolicy, staff: staff{appOwners: []ID{"own"}, roles: map[ConsoleRole][]ID{SecurityOfficer: {"own"}}}, want: "step 2 needs somebody who decides no earlier step"},
		"two people, both are both":          {policy: PrivilegedPolicy, staff: staff{appOwners: []ID{"a", "b"}, roles: map[ConsoleRole][]ID{SecurityOfficer: {"a", "b"}}}, want: "a,b / a,b"},
		"no officer, a super administrator":  {policy: PrivilegedPolicy, staff: staff{appOwners: []ID{"own"}, roles: map[ConsoleRole][]ID{SuperAdministrator: {"sa"}}}, want: "own / else sa"},
		"no officer, a second owner":         {policy: PrivilegedPolicy, staff: staff{appOwners: []ID{"own", "o2"}}, want: "own,o2 / else own,o2"},
		"no officer, only one owner":         {policy: PrivilegedPolicy, staff: staff{appOwners: []ID{"own"}}, want: "step 2 needs somebody"},
		"the officer asks":                   {policy: PrivilegedPolicy, subject: "so", requester: "so", staff: staff{appOwners: []ID{"own"}, roles: map[ConsoleRole][]ID{SecurityOfficer: {"so"}, SuperAdministrator: {"sa"}}}, want: "own / else sa"},
		"an emergency":                       {policy: EmergencyPolicy, staff: staff{appOwners: []ID{"own"}, roles: map[ConsoleRole][]ID{SecurityOfficer: {"so"}, SuperAdministrator: {"sa", "ana"}}}, want: "own,so,sa"},
	} {
		t.Run(name, func(t *testing.T) {
			subject, requester := ID("ana"), ID("ana")
			if tt.subject != "" {
				subject = tt.subject
			}
			if tt.requester != "" {
				requester = tt.requester
			}
			c := tt.staff.caseOf(subject, requester)
			c.Barred = tt.barred
			plan, err := builtIn(t, tt.policy).Plan(c, newIDs())
			if err != nil {
				t.Fatal(err)
			}
			steps, err := plan.Preview(c)
			if err != nil {
				refusal := (*Refusal)(nil)
				if !errors.As(err, &refusal) || refusal.Guard != GuardNobody || !strings.Contains(err.Error(), tt.want) || baton.FixOf(err) == "" {
					t.Errorf("%v (%s), want %q", err, baton.FixOf(err), tt.want)
				}
				return
			}
			if got := describe(steps); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			for _, s := range steps {
				for _, a := range s.Asked {
					if a.Person == subject || a.Person == requester || a.Why == "" {
						t.Errorf("%+v is asked", a)
					}
				}
			}
		})
	}
}

// TestPlan checks which rule applies, and that nothing is decided on an unknown condition.
func TestPlan(t *testing.T) {
	ask := []PolicyStep{{Ask: []Approver{{Kind: ApproverAppOwner}}}}
	p := Policy{Name: "p", Kind: PolicyRequest, Rules: []PolicyRule{
		{Name: "contractors", When: "contractor", Outcome: OutcomeDeny, Why: "not for contractors"},
		{When: "short", Outcome: OutcomeApprove},
		{Outcome: OutcomeAsk, Steps: ask}}}
	for _, tt := range []struct {
		holds   map[string]bool
		rule    int
		outcome PolicyOutcome
	}{
		{map[string]bool{"contractor": true}, 1, OutcomeDeny},
		{map[string]bool{"contractor": false, "short": true}, 2, OutcomeApprove},
		{map[string]bool{"contractor": false, "short": false}, 3, OutcomeAsk},
		{map[string]bool{"contractor": false}, 0, ""},
		{map[string]bool{"short": true}, 0, ""},
	} {
		plan, err := p.Plan(staff{conditions: tt.holds}.caseOf("ana", "ana"), newIDs())
		if (err != nil) != (tt.rule == 0) || plan.Rule != tt.rule || plan.Outcome != tt.outcome {
			t.Errorf("%v: %+v, %v", tt.holds, plan, err)
		}
		if refusal := (*Refusal)(nil); err != nil && (!errors.As(err, &refusal) || refusal.Guard != GuardPolicy) {
			t.Errorf("%v", err)
		}
	}
}

// TestDistinct checks when different people can be found for all steps.
func TestDistinct(t *testing.T) {
	step := func(distinct bool, people ...ID) PolicyStep {
		s := PolicyStep{Distinct: distinct}
		for _, p := range people {
			s.Ask = append(s.Ask, Approver{Kind: ApproverPerson, Person: p})
		}
		return s
	}
	for name, tt := range map[string]struct {
		steps []PolicyStep
		bad   int // the step in the refusal; 0: none
	}{
		"the same twice, allowed":             {[]PolicyStep{step(false, "a"), step(false, "a")}, 0},
		"the same twice":                      {[]PolicyStep{step(false, "a"), step(true, "a")}, 2},
		"a chain":                             {[]PolicyStep{step(false, "a", "b"), step(true, "b", "c"), step(true, "c", "a")}, 0},
		"three of two people":                 {[]PolicyStep{step(false, "a", "b"), step(true, "a", "b"), step(true, "a", "b")}, 3},
		"a choice that must be undone":        {[]PolicyStep{step(false, "a", "b"), step(true, "a")}, 0},
		"the first two may be one":            {[]PolicyStep{step(false, "a"), step(false, "a"), step(true, "b")}, 0},
		"the first two may be one, not three": {[]PolicyStep{step(false, "a"), step(false, "a"), step(true, "a")}, 3},
		"a wait between":                      {[]PolicyStep{step(false, "a"), {Wait: &PolicyWait{For: 1}}, step(true, "b")}, 0},
	} {
		p := Policy{Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: tt.steps}}}
		c := staff{}.caseOf("x", "x")
		plan, err := p.Plan(c, newIDs())
		if err != nil {
			t.Fatal(err)
		}
		_, err = plan.Preview(c)
		if (err != nil) != (tt.bad > 0) || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("step %d", tt.bad)) {
			t.Errorf("%s: %v, want step %d", name, err, tt.bad)
		}
	}
	// The fallback is asked if the people of a step decided an earlier one.
	withFallback := step(true, "a")
	withFallback.Fallback = []Approver{{Kind: ApproverPerson, Person: "b"}}
	p := Policy{Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{step(false, "a"), withFallback}}}}
	plan, err := p.Plan(staff{}.caseOf("x", "x"), newIDs())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Preview(staff{}.caseOf("x", "x")); err != nil {
		t.Errorf("with a fallback: %v", err)
	}
	// A decision of a delegate counts for both people.
	p = Policy{Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{step(false, "a"), step(true, "a")}}}}
	if plan, err = p.Plan(staff{}.caseOf("x", "x"), newIDs()); err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Preview(staff{delegates: map[ID]ID{"a": "d"}}.caseOf("x", "x")); err == nil || !strings.Contains(err.Error(), "step 2") {
		t.Errorf("a person and the person's delegate: %v", err)
	}
	// People who decided before are not asked again.
	s := PlanStep{PolicyStep: step(true, "a", "b")}
	w, err := s.WhoDecides(staff{}.caseOf("x", "x"), []ID{"a"})
	if err != nil || describe([]StepAsked{w}) != "b" || len(w.Excluded) != 1 {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestPolicyCheck(t *testing.T) {
	compile := func(text string, people bool) error {
		if strings.Contains(text, "bad") {
			return errors.New("it is bad")
		}
		return nil
	}
	for _, p := range BuiltInPolicies() {
		if err := p.Check(compile); err != nil {
			t.Errorf("%s: %v", p.ID, err)
		}
	}
	owner := []Approver{{Kind: ApproverAppOwner}}
	ask := func(s PolicyStep) []PolicyRule { return []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{s}}} }
	for name, rules := range map[string][]PolicyRule{
		"no rule":               nil,
		"a last condition":      {{When: "x", Outcome: OutcomeApprove}},
		"another outcome":       {{Outcome: "x"}},
		"no step":               {{Outcome: OutcomeAsk}},
		"steps of an approval":  {{Outcome: OutcomeApprove, Steps: []PolicyStep{{Ask: owner}}}},
		"a bad condition":       {{When: "bad", Outcome: OutcomeDeny}, {Outcome: OutcomeDeny}},
		"it only waits":         ask(PolicyStep{Wait: &PolicyWait{For: Duration(time.Hour)}}),
		"it asks nobody":        ask(PolicyStep{}),
		"it waits and decides":  ask(PolicyStep{StepUp: true, Wait: &PolicyWait{For: 1}}),
		"a manager of an app":   ask(PolicyStep{Ask: []Approver{{Kind: ApproverManager, App: "x"}}}),
		"a group of nothing":    ask(PolicyStep{Ask: []Approver{{Kind: ApproverGroup, App: "x"}}}),
		"it waits and asks":     ask(PolicyStep{Ask: owner, Wait: &PolicyWait{For: 1}}),
		"it escalates never":    ask(PolicyStep{Ask: owner, Escalate: owner}),
		"a negative limit":      ask(PolicyStep{Ask: owner, Limit: -1}),
		"a person of nobody":    ask(PolicyStep{Ask: []Approver{{Kind: ApproverPerson}}}),
		"a group of no app":     ask(PolicyStep{Ask: []Approver{{Kind: ApproverGroup}}}),
		"another role":          ask(PolicyStep{Ask: []Approver{{Kind: ApproverRole, Role: "x"}}}),
		"another kind":          ask(PolicyStep{Ask: []Approver{{Kind: "x"}}}),
		"a bad expression":      ask(PolicyStep{Ask: []Approver{{Kind: ApproverExpression, Expression: "bad"}}}),
		"a wait for ever":       {{Outcome: OutcomeAsk, Steps: []PolicyStep{{Ask: owner}, {Wait: &PolicyWait{Until: "x"}}}}},
		"a wait for two things": {{Outcome: OutcomeAsk, Steps: []PolicyStep{{Ask: owner}, {Wait: &PolicyWait{For: 1, At: "10:00"}}}}},
		"a wait for no time":    {{Outcome: OutcomeAsk, Steps: []PolicyStep{{Ask: owner}, {Wait: &PolicyWait{At: "25:00"}}}}},
	} {
		if err := (Policy{Name: "p", Kind: PolicyRequest, Rules: rules}).Check(compile); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWeaker checks which changes weaken a policy.
func TestWeaker(t *testing.T) {
	before := builtIn(t, PrivilegedPolicy)
	change := func(edit func(*Policy)) Policy {
		p := builtIn(t, PrivilegedPolicy)
		edit(&p)
		return p
	}
	step := func(i int, edit func(*PolicyStep)) Policy {
		return change(func(p *Policy) { edit(&p.Rules[0].Steps[i]) })
	}
	boss := Approver{Kind: ApproverPerson, Person: "boss"}
	for name, tt := range map[string]struct {
		after   Policy
		atLeast bool
	}{
		"no change":    {before, true},
		"another name": {change(func(p *Policy) { p.Name = "x" }), true},
		"a third step": {change(func(p *Policy) { p.Rules[0].Steps = append(p.Rules[0].Steps, PolicyStep{Ask: []Approver{boss}}) }), true},
		"a step before": {change(func(p *Policy) {
			p.Rules[0].Steps = slices.Insert(p.Rules[0].Steps, 0, PolicyStep{Ask: []Approver{boss}})
		}), true},
		"a comment is needed":    {step(0, func(s *PolicyStep) { s.Comment = true }), true},
		"no delegates":           {step(0, func(s *PolicyStep) { s.NoDelegate = true }), true},
		"a fallback fewer":       {step(1, func(s *PolicyStep) { s.Fallback = s.Fallback[:1] }), true},
		"deny":                   {change(func(p *Policy) { p.Rules = []PolicyRule{{Outcome: OutcomeDeny}} }), true},
		"approve":                {change(func(p *Policy) { p.Rules = []PolicyRule{{Outcome: OutcomeApprove}} }), false},
		"a rule before":          {change(func(p *Policy) { p.Rules = append([]PolicyRule{{When: "x", Outcome: OutcomeApprove}}, p.Rules...) }), false},
		"a condition":            {change(func(p *Policy) { p.Rules[0].When = "x" }), false},
		"a step fewer":           {change(func(p *Policy) { p.Rules[0].Steps = p.Rules[0].Steps[:1] }), false},
		"steps turned around":    {change(func(p *Policy) { slices.Reverse(p.Rules[0].Steps) }), false},
		"somebody else":          {step(0, func(s *PolicyStep) { s.Ask = append(slices.Clone(s.Ask), boss) }), false},
		"another fallback":       {step(0, func(s *PolicyStep) { s.Fallback = []Approver{boss} }), false},
		"may be passed on":       {step(0, func(s *PolicyStep) { s.Reassign = []Approver{boss} }), false},
		"not distinct":           {step(1, func(s *PolicyStep) { s.Distinct = false }), false},
		"no recent login":        {step(0, func(s *PolicyStep) { s.StepUp = false }), false},
		"an escalation":          {step(0, func(s *PolicyStep) { s.Escalate = []Approver{boss} }), false},
		"a wait instead":         {step(0, func(s *PolicyStep) { *s = PolicyStep{Wait: &PolicyWait{For: 1}} }), false},
		"a first fallback fewer": {step(1, func(s *PolicyStep) { s.Fallback = s.Fallback[1:] }), false},
		"another order":          {step(1, func(s *PolicyStep) { slices.Reverse(s.Fallback) }), false},
		"a longer limit":         {step(0, func(s *PolicyStep) { s.Limit *= 2 }), true},
		"a shorter limit":        {step(0, func(s *PolicyStep) { s.Limit /= 2 }), true},
		"an approval as a gap":   {change(func(p *Policy) { p.Rules[0].Steps[1] = PolicyStep{Ask: []Approver{boss}} }), false},
	} {
		if got := tt.after.AtLeast(before); got != tt.atLeast {
			t.Errorf("%s: %t, want %t", name, got, tt.atLeast)
		}
	}
	if builtIn(t, StandardPolicy).AtLeast(Policy{Rules: []PolicyRule{{Outcome: OutcomeDeny}}}) {
		t.Error("asking is at least as much as denying")
	}
	// An earlier escalation asks other people.
	escalates := func(limit Duration) Policy {
		return Policy{Kind: PolicyRequest, Rules: []PolicyRule{{Outcome: OutcomeAsk, Steps: []PolicyStep{{Ask: []Approver{boss}, Limit: limit, Escalate: []Approver{{Kind: ApproverManager}}}}}}}
	}
	if escalates(1).AtLeast(escalates(2)) || !escalates(3).AtLeast(escalates(2)) {
		t.Error("an escalation that comes sooner")
	}
	// For revocations and reviews, a change in either direction matters.
	for _, kind := range []PolicyKind{PolicyRevoke, PolicyReview} {
		approves, denies := Policy{Kind: kind, Rules: []PolicyRule{{Outcome: OutcomeApprove}}}, Policy{Kind: kind, Rules: []PolicyRule{{Outcome: OutcomeDeny}}}
		if approves.AtLeast(denies) || denies.AtLeast(approves) || !approves.AtLeast(Policy{Kind: kind, Rules: []PolicyRule{{Name: "x", Outcome: OutcomeApprove}}}) {
			t.Errorf("policies for %s", kind)
		}
	}
}

// TestCountingVersion checks which version of a policy or of settings applies to whom.
func TestCountingVersion(t *testing.T) {
	strict, free := builtIn(t, StandardPolicy).Rules, []PolicyRule{{Outcome: OutcomeApprove}}
	version := func(n int, rules []PolicyRule, author, second ID, weaker bool) Policy {
		return Policy{Kind: PolicyRequest, Version: n, Rules: rules, Author: author, Second: second, Weaker: weaker}
	}
	commented := slices.Clone(strict)
	commented[0].Steps = slices.Clone(strict[0].Steps)
	commented[0].Steps[0].Comment = true
	for name, tt := range map[string]struct {
		versions []Policy // the newest first
		party    ID
		want     int // -1: none
	}{
		"nobody of the request":              {[]Policy{version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "cem", 1},
		"its author":                         {[]Policy{version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "ana", 0},
		"who confirmed it":                   {[]Policy{version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "ben", 0},
		"a later one of the author":          {[]Policy{version(2, free, "ana", "", false), version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "ana", 0},
		"a later one of somebody else":       {[]Policy{version(2, free, "cem", "", false), version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "ana", 0},
		"the later one, for its author":      {[]Policy{version(2, free, "cem", "", false), version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "cem", 2},
		"a later one that asks for more":     {[]Policy{version(2, strict, "cem", "", false), version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "ana", 2},
		"one that asks for still more":       {[]Policy{version(2, commented, "cem", "", false), version(1, free, "ana", "ben", true), version(0, strict, "", "", false)}, "ana", 2},
		"two that ask for less, the first":   {[]Policy{version(2, free, "cem", "dan", true), version(1, strict, "ana", "ben", true), version(0, commented, "", "", false)}, "ana", 0},
		"two that ask for less, the second":  {[]Policy{version(2, free, "cem", "dan", true), version(1, strict, "ana", "ben", true), version(0, commented, "", "", false)}, "cem", 1},
		"one that asks for more":             {[]Policy{version(1, commented, "ana", "", false), version(0, strict, "", "", false)}, "ana", 1},
		"a first one that asks for less":     {[]Policy{version(1, free, "ana", "", true)}, "ana", -1},
		"a first one, for somebody else":     {[]Policy{version(1, free, "ana", "", true)}, "ben", 1},
		"a first one of a policy of its own": {[]Policy{version(1, free, "ana", "", false)}, "ana", 1},
	} {
		p, ok := PolicyFor(tt.versions, func(p ID) bool { return p != "" && p == tt.party })
		if ok != (tt.want >= 0) || ok && p.Version != tt.want {
			t.Errorf("%s: version %d, %t, want %d", name, p.Version, ok, tt.want)
		}
	}

	short, long := RequestSettings{Longest: Duration(time.Hour)}, RequestSettings{Longest: 24 * Duration(time.Hour)}
	settings := []SettingsVersion{{Version: 2, Settings: long, Author: "ana"}, {Version: 1, Settings: long, Author: "ana", Weaker: true}}
	if got := SettingsFor(settings, func(p ID) bool { return p == "ana" }); got.Longest != long.Longest {
		t.Errorf("what is stricter than nothing: %+v", got)
	}
	settings = append([]SettingsVersion{{Version: 3, Settings: RequestSettings{}, Author: "ben"}, {Version: 2, Settings: RequestSettings{}, Author: "ana", Weaker: true}}, SettingsVersion{Version: 1, Settings: short, Author: "cem"})
	if got := SettingsFor(settings, func(p ID) bool { return p == "ana" }); got.Longest != short.Longest {
		t.Errorf("for the author: %+v", got)
	}
	if got := SettingsFor(settings, func(p ID) bool { return p == "ben" }); got.Longest != 0 {
		t.Errorf("for somebody else: %+v", got)
	}
	if got := SettingsFor(nil, func(ID) bool { return true }); got.Longest != 0 {
		t.Errorf("nobody set any: %+v", got)
	}
}

// TestLastResort checks who is asked about an open request when everybody whom its policy names has
// left.
func TestLastResort(t *testing.T) {
	s := PlanStep{PolicyStep: PolicyStep{Ask: []Approver{{Kind: ApproverAppOwner}}, Fallback: []Approver{{Kind: ApproverManager}}}}
	for name, tt := range map[string]struct {
		staff   staff
		decided []ID
		want    string
		last    bool
	}{
		"not needed":              {staff: staff{appOwners: []ID{"own"}, roles: map[ConsoleRole][]ID{SuperAdministrator: {"sa"}}}, want: "own"},
		"super administrators":    {staff: staff{roles: map[ConsoleRole][]ID{SuperAdministrator: {"sa"}, SecurityOfficer: {"so"}}}, want: "else sa", last: true},
		"security officers":       {staff: staff{roles: map[ConsoleRole][]ID{SuperAdministrator: {"x"}, SecurityOfficer: {"so"}}}, want: "else so", last: true},
		"nobody":                  {staff: staff{roles: map[ConsoleRole][]ID{SuperAdministrator: {"x"}}}, want: "else ", last: true},
		"who decided before":      {staff: staff{roles: map[ConsoleRole][]ID{SuperAdministrator: {"sa"}}}, decided: []ID{"sa"}, want: "else ", last: true},
		"a delegate of the owner": {staff: staff{appOwners: []ID{"own"}, delegates: map[ID]ID{"own": "del"}}, decided: []ID{"own"}, want: "else ", last: true},
	} {
		c := tt.staff.caseOf("x", "x")
		c.LastResort = LastResort()
		step := s
		step.Distinct = tt.decided != nil
		w, err := step.WhoDecides(c, tt.decided)
		if err != nil || describe([]StepAsked{w}) != tt.want || w.LastResort != tt.last {
			t.Errorf("%s: %+v, %v, want %s", name, w, err, tt.want)
		}
	}
}

func TestApproverText(t *testing.T) {
	for text, want := range map[string]Approver{
		"manager":                            {Kind: ApproverManager},
		"app-owner":                          {Kind: ApproverAppOwner},
		"entitlement-owner":                  {Kind: ApproverEntitlementOwner},
		"role:security-officer":              {Kind: ApproverRole, Role: SecurityOfficer},
		"ana@example.com":                    {Kind: ApproverPerson, Person: "ana@example.com"},
		"person:2x":                          {Kind: ApproverPerson, Person: "2x"},
		"group:Perplexity/group:g1:member":   {Kind: ApproverGroup, App: "Perplexity", Entitlement: "group:g1:member"},
		"group:Perplexity/a/b":               {Kind: ApproverGroup, App: "Perplexity", Entitlement: "a/b"},
		"expression:subject.manager":         {Kind: ApproverExpression, Expression: "subject.manager"},
		`expression:["a@b.c", "d@e.f"]`:      {Kind: ApproverExpression, Expression: `["a@b.c", "d@e.f"]`},
		`expression:subject.name + "@b: c"`:  {Kind: ApproverExpression, Expression: `subject.name + "@b: c"`},
		"role:security-officer@example.com ": {Kind: ApproverRole, Role: "security-officer@example.com"},
	} {
		a, err := ParseApprover(text)
		if err != nil || a != want || a.Text() != strings.TrimSpace(text) {
			t.Errorf("%q: %+v (%s), %v", text, a, a.Text(), err)
		}
	}
	for _, text := range []string{"", "boss", "manager:x", "app-owner:", "group:x", "ana ben@example.com"} {
		if a, err := ParseApprover(text); baton.KindOf(err) != baton.Invalid || baton.FixOf(err) == "" && text != "manager:x" && text != "app-owner:" {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
}

func TestWaitEnds(t *testing.T) {
	for _, tt := range []struct {
		wait PolicyWait
		want time.Time
	}{
		{PolicyWait{For: Duration(90 * time.Minute)}, noon.Add(90 * time.Minute)},
		{PolicyWait{At: "22:30"}, noon.Add(10*time.Hour + 30*time.Minute)},
		{PolicyWait{At: "12:00"}, noon.Add(24 * time.Hour)},
		{PolicyWait{At: "06:00"}, noon.Add(18 * time.Hour)},
		{PolicyWait{Until: "x"}, time.Time{}},
	} {
		if got := tt.wait.Ends(noon); !got.Equal(tt.want) {
			t.Errorf("%+v: %v, want %v", tt.wait, got, tt.want)
		}
	}
}
