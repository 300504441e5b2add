package web

import (
	"net/url"
	"strconv"
	"strings"

	"baton"
	"baton/console"
)

// policyForm is a policy as a form, which works without a script: buttons that add, remove and move
// parts send the form, and it is shown again with the change.
type policyForm struct {
	Name  string
	Kind  string
	Rules []ruleForm
}

type ruleForm struct {
	At                       string // the prefix of the names of its fields
	Number                   int
	Name, When, Outcome, Why string
	Steps                    []stepForm
}

// stepForm is a step. Lists of approvers are texts with one approver per line.
type stepForm struct {
	At                                     string
	Number                                 int
	Name, Does                             string
	Ask, Fallback, Reassign, Escalate      string
	Limit, Until, For, Clock               string
	Distinct, Comment, StepUp, NoDelegates bool
}

// The kinds of steps.
const (
	stepAsks  = "ask"
	stepUntil = "until"
	stepFor   = "for"
	stepClock = "at"
)

// The limits of a form. The policy itself is checked when it is saved.
const (
	maxFormRules = 20
	maxFormSteps = 10
)

// policyFormOf converts a policy to a form.
func policyFormOf(p console.Policy) policyForm {
	f := policyForm{Name: p.Name, Kind: string(p.Kind)}
	for _, r := range p.Rules {
		rule := ruleForm{Name: r.Name, When: r.When, Outcome: string(r.Outcome), Why: r.Why}
		for _, s := range r.Steps {
			step := stepForm{Name: s.Name, Does: stepAsks, Ask: approverLines(s.Ask), Fallback: approverLines(s.Fallback), Reassign: approverLines(s.Reassign),
				Escalate: approverLines(s.Escalate), Distinct: s.Distinct, Comment: s.Comment, StepUp: s.StepUp, NoDelegates: s.NoDelegate}
			if s.Limit > 0 {
				step.Limit = s.Limit.String()
			}
			if w := s.Wait; w != nil {
				step.Until, step.Clock, step.Does = w.Until, w.At, stepUntil
				if w.For > 0 {
					step.For, step.Does = w.For.String(), stepFor
				} else if w.At != "" {
					step.Does = stepClock
				}
			}
			rule.Steps = append(rule.Steps, step)
		}
		f.Rules = append(f.Rules, rule)
	}
	return f.numbered()
}

func approverLines(all []console.Approver) string {
	var lines []string
	for _, a := range all {
		lines = append(lines, a.Text())
	}
	return strings.Join(lines, "\n")
}

// numbered sets the numbers and the names of the fields of rules and steps.
func (f policyForm) numbered() policyForm {
	for i := range f.Rules {
		r := &f.Rules[i]
		r.Number, r.At = i+1, "rule."+strconv.Itoa(i)
		for j := range r.Steps {
			r.Steps[j].Number, r.Steps[j].At = j+1, r.At+".step."+strconv.Itoa(j)
		}
	}
	return f
}

// readPolicyForm decodes the form.
func readPolicyForm(v url.Values) (f policyForm, err error) {
	count := func(name string, most int) (int, error) {
		n, err := strconv.Atoi(v.Get(name))
		if err != nil || n < 0 || n > most {
			return 0, baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		return n, nil
	}
	f.Name, f.Kind = strings.TrimSpace(v.Get("name")), v.Get("kind")
	rules, err := count("rules", maxFormRules)
	if err != nil {
		return f, err
	}
	f.Rules = make([]ruleForm, rules)
	f.numbered()
	for i := range f.Rules {
		r := &f.Rules[i]
		get := func(name string) string { return strings.TrimSpace(v.Get(r.At + "." + name)) }
		r.Name, r.When, r.Outcome, r.Why = get("name"), get("when"), get("outcome"), get("why")
		steps, err := count(r.At+".steps", maxFormSteps)
		if err != nil {
			return f, err
		}
		r.Steps = make([]stepForm, steps)
		f.numbered()
		for j := range r.Steps {
			r.Steps[j].read(v)
		}
	}
	return f, nil
}

func (s *stepForm) read(v url.Values) {
	get := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(v.Get(s.At+"."+name), "\r\n", "\n"))
	}
	is := func(name string) bool { return get(name) != "" }
	s.Name, s.Does = get("name"), get("does")
	s.Ask, s.Fallback, s.Reassign, s.Escalate = get("ask"), get("fallback"), get("reassign"), get("escalate")
	s.Limit, s.Until, s.For, s.Clock = get("limit"), get("until"), get("for"), get("at")
	s.Distinct, s.Comment, s.StepUp, s.NoDelegates = is("distinct"), is("comment"), is("step-up"), is("no-delegates")
}

// edit applies a button of the form: add, remove or move a rule or a step. It reports whether there
// was such a button.
func (f *policyForm) edit(button string) bool {
	parts := strings.Split(button, ".")
	number := func(i, most int) int {
		if i >= len(parts) {
			return -1
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n >= most {
			return -1
		}
		return n
	}
	rule := number(1, len(f.Rules))
	step := -1
	if rule >= 0 {
		step = number(2, len(f.Rules[rule].Steps))
	}
	switch {
	case parts[0] == "check":
	case parts[0] == "add-rule" && len(f.Rules) < maxFormRules:
		// The last rule is the default, so a new one goes before it.
		at := max(len(f.Rules)-1, 0)
		f.Rules = append(f.Rules[:at:at], append([]ruleForm{{Outcome: string(console.OutcomeAsk), Steps: []stepForm{{Does: stepAsks}}}}, f.Rules[at:]...)...)
	case rule < 0:
		return false
	case parts[0] == "remove-rule":
		f.Rules = append(f.Rules[:rule:rule], f.Rules[rule+1:]...)
	case parts[0] == "raise-rule" && rule > 0:
		f.Rules[rule-1], f.Rules[rule] = f.Rules[rule], f.Rules[rule-1]
	case parts[0] == "add-step" && len(f.Rules[rule].Steps) < maxFormSteps:
		f.Rules[rule].Steps = append(f.Rules[rule].Steps, stepForm{Does: stepAsks})
	case step < 0:
		return false
	case parts[0] == "remove-step":
		steps := f.Rules[rule].Steps
		f.Rules[rule].Steps = append(steps[:step:step], steps[step+1:]...)
	case parts[0] == "raise-step" && step > 0:
		steps := f.Rules[rule].Steps
		steps[step-1], steps[step] = steps[step], steps[step-1]
	default:
		return false
	}
	f.numbered()
	return true
}

// policy converts the form to a policy. It ignores fields that do not belong to the kind of their
// rule or step.
func (f policyForm) policy() (console.Policy, error) {
	p := console.Policy{Name: f.Name, Kind: console.PolicyKind(f.Kind)}
	for _, r := range f.Rules {
		rule := console.PolicyRule{Name: r.Name, When: r.When, Outcome: console.PolicyOutcome(r.Outcome), Why: r.Why}
		if rule.Outcome == console.OutcomeAsk {
			rule.Why = ""
			for _, s := range r.Steps {
				step, err := s.step()
				if err != nil {
					return p, baton.Errorf(baton.Invalid, "rule %d: step %d: %w", r.Number, s.Number, err).WithFix("%s", baton.FixOf(err))
				}
				rule.Steps = append(rule.Steps, step)
			}
		}
		p.Rules = append(p.Rules, rule)
	}
	return p, nil
}

func (s stepForm) step() (step console.PolicyStep, err error) {
	step = console.PolicyStep{Name: s.Name}
	if step.Limit, err = console.ParseDuration(s.Limit); err != nil {
		return step, err
	}
	switch s.Does {
	case stepUntil:
		step.Wait = &console.PolicyWait{Until: s.Until}
		return step, nil
	case stepFor:
		step.Wait, step.Limit = &console.PolicyWait{}, 0
		step.Wait.For, err = console.ParseDuration(s.For)
		return step, err
	case stepClock:
		step.Wait, step.Limit = &console.PolicyWait{At: s.Clock}, 0
		return step, nil
	case stepAsks:
	default:
		return step, baton.Errorf(baton.Invalid, "a step asks people or waits")
	}
	step.Distinct, step.Comment, step.StepUp, step.NoDelegate = s.Distinct, s.Comment, s.StepUp, s.NoDelegates
	for _, list := range []struct {
		text string
		to   *[]console.Approver
	}{{s.Ask, &step.Ask}, {s.Fallback, &step.Fallback}, {s.Reassign, &step.Reassign}, {s.Escalate, &step.Escalate}} {
		for line := range strings.SplitSeq(list.text, "\n") {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			a, err := console.ParseApprover(line)
			if err != nil {
				return step, err
			}
			*list.to = append(*list.to, a)
		}
	}
	return step, nil
}
