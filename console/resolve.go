package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Case is the situation for which a policy is evaluated. Persons are canonical.
type Case struct {
	Subject   ID // whose access it is
	Requester ID // who filed the request
	// Barred are further people who may not decide, with the reason: "was the owner of this account
	// in the last 30 days".
	Barred map[ID]string
	// People returns the active people behind an approver; nobody for a group of more than
	// [MaxApprovers].
	People func(Approver) ([]ID, error)
	// Match evaluates a condition. An error means that the result is unknown.
	Match func(condition string) (bool, error)
	// Delegate returns who decides for a person at this time; "" if there is no delegation.
	Delegate func(ID) (ID, error)
	// LastResort lists the approvers, in order of preference, if nobody whom a step names may decide
	// any more. It is empty for a new request, which is refused instead.
	LastResort []Approver
}

// LastResort lists who is asked about an open request if nobody whom its policy names may decide any
// more, because they left or lost a role.
func LastResort() []Approver {
	return []Approver{{Kind: ApproverRole, Role: SuperAdministrator}, {Kind: ApproverRole, Role: SecurityOfficer}}
}

// remembering returns the case with a cache for people.
func (c Case) remembering() Case {
	type found struct {
		people []ID
		err    error
	}
	people, delegates := map[Approver]found{}, map[ID]found{}
	lookUp, delegate := c.People, c.Delegate
	c.People = func(a Approver) ([]ID, error) {
		f, known := people[a]
		if !known {
			f.people, f.err = lookUp(a)
			people[a] = f
		}
		return f.people, f.err
	}
	if delegate != nil {
		c.Delegate = func(p ID) (ID, error) {
			f, known := delegates[p]
			if !known {
				d, err := delegate(p)
				f = found{[]ID{d}, err}
				delegates[p] = f
			}
			return f.people[0], f.err
		}
	}
	return c
}

// Plan is the result of a policy for one request: the rule that applies, and its steps.
type Plan struct {
	Rule    int           `json:"rule"` // from 1
	Name    string        `json:"name,omitempty"`
	Outcome PolicyOutcome `json:"outcome"`
	Why     string        `json:"why,omitempty"`
	Steps   []PlanStep    `json:"steps,omitempty"`
}

// Await returns the plan with a further step that waits until the requirement of the entitlement is
// met, before the step with an index.
func (p Plan) Await(before int, id ID) Plan {
	wait := PlanStep{ID: id, PolicyStep: PolicyStep{Name: "Requirement", Wait: &PolicyWait{Requirement: true}, Limit: RequirementLimit}}
	p.Steps = slices.Insert(slices.Clone(p.Steps), before, wait)
	return p
}

// PlanStep is a step of a plan. A decision names its ID.
type PlanStep struct {
	ID ID `json:"id"`
	PolicyStep
	// Passed lists the people to whom the step was reassigned; they are asked instead of Ask.
	Passed []Approver `json:"passed,omitempty"`
}

// Asked is a person who is asked to decide.
type Asked struct {
	Person ID
	For    ID     // the person whose delegate this is; "" without delegation
	Why    string // "owner of the application"
}

// Excluded is a person whom a step names but who may not decide.
type Excluded struct {
	Person ID
	Why    string
}

// StepAsked lists the people who are asked at a step.
type StepAsked struct {
	Asked    []Asked
	Excluded []Excluded
	Fallback bool // none of the people whom the step names may decide
	// LastResort means that none of the people in the fallback may decide either.
	LastResort bool
}

// Has returns the entry of a person; nil if the person is not asked.
func (s StepAsked) Has(person ID) *Asked {
	var found *Asked
	for i, a := range s.Asked {
		if a.Person == person && (found == nil || a.For == "") {
			found = &s.Asked[i]
		}
	}
	return found
}

// Plan returns the rule of a policy that applies to a case, with its steps. newID returns IDs of
// steps. The error is a [*Refusal] if a condition cannot be evaluated: nothing is decided on unknown
// facts.
func (p Policy) Plan(c Case, newID func() ID) (Plan, error) {
	for i, r := range p.Rules {
		if r.When != "" {
			holds, err := c.Match(r.When)
			if err != nil {
				return Plan{}, refuse(GuardPolicy, "Correct the policy “"+p.Name+"”, or write down what it asks for.",
					"whether rule %d of the policy applies cannot be told: %v", i+1, err)
			}
			if !holds {
				continue
			}
		}
		plan := Plan{Rule: i + 1, Name: r.Name, Outcome: r.Outcome, Why: r.Why}
		for _, s := range r.Steps {
			plan.Steps = append(plan.Steps, PlanStep{ID: newID(), PolicyStep: s})
		}
		return plan, nil
	}
	return Plan{}, refuse(GuardPolicy, "Add a rule without a condition to the policy “"+p.Name+"”.", "no rule of the policy applies")
}

// WhoDecides returns who is asked at a step now. decided are the people who decided earlier steps.
// Nobody is asked about their own access or request.
func (s PlanStep) WhoDecides(c Case, decided []ID) (StepAsked, error) {
	var w StepAsked
	ask := s.Ask
	if len(s.Passed) > 0 {
		ask = s.Passed
	}
	if err := w.add(s, c, decided, ask); err != nil || len(w.Asked) > 0 {
		return w, err
	}
	for _, alternative := range s.Fallback {
		w.Fallback = true
		if err := w.add(s, c, decided, []Approver{alternative}); err != nil || len(w.Asked) > 0 {
			return w, err
		}
	}
	for _, alternative := range c.LastResort {
		w.LastResort = true
		if err := w.add(s, c, decided, []Approver{alternative}); err != nil || len(w.Asked) > 0 {
			return w, err
		}
	}
	return w, nil
}

func (w *StepAsked) add(s PlanStep, c Case, decided []ID, approvers []Approver) error {
	for _, a := range approvers {
		people, err := c.People(a)
		if err != nil {
			return err
		}
		for _, p := range people {
			why := c.excludes(p, s, decided)
			if why != "" {
				if !slices.ContainsFunc(w.Excluded, func(e Excluded) bool { return e.Person == p }) {
					w.Excluded = append(w.Excluded, Excluded{p, why})
				}
			} else if w.Has(p) == nil {
				w.Asked = append(w.Asked, Asked{Person: p, Why: a.Label()})
			}
			if s.NoDelegate || c.Delegate == nil || why != "" {
				continue // a delegate may decide no more than the person
			}
			delegate, err := c.Delegate(p)
			if err != nil {
				return err
			}
			if delegate != "" && delegate != p && c.excludes(delegate, s, decided) == "" && w.Has(delegate) == nil {
				w.Asked = append(w.Asked, Asked{Person: delegate, For: p, Why: a.Label()})
			}
		}
	}
	return nil
}

// excludes returns why a person may not decide a step; "" if the person may.
func (c Case) excludes(p ID, s PlanStep, decided []ID) string {
	switch {
	case c.Subject != "" && p == c.Subject:
		return "it is the person's own access"
	case c.Requester != "" && p == c.Requester:
		return "it is the person's own request"
	case c.Barred[p] != "":
		return c.Barred[p]
	case s.Distinct && slices.Contains(decided, p):
		return "decided an earlier step"
	}
	return ""
}

// Preview returns who would be asked at each step. The error is a [*Refusal] that names what to fix,
// if a step has nobody to ask, or if there are too few different people.
func (p Plan) Preview(c Case) ([]StepAsked, error) {
	c = c.remembering()
	steps := make([]StepAsked, len(p.Steps))
	for i, s := range p.Steps {
		if s.Wait != nil {
			continue
		}
		w, err := s.WhoDecides(c, nil)
		if err != nil {
			return nil, err
		}
		if steps[i] = w; len(w.Asked) == 0 {
			return steps, s.Nobody(w, i+1)
		}
	}
	search := decisions{plan: p, c: c}
	ends, err := search.from(0, nil)
	if err != nil {
		return nil, err
	}
	if i := search.furthest; !ends && search.looked < maxDecisions {
		return steps, refuse(GuardNobody, fmt.Sprintf("Name somebody else who may decide step %d.", i+1), "step %d needs somebody who decides no earlier step, and there is nobody", i+1)
	}
	return steps, nil
}

// Nobody returns the refusal for a step, counted from 1, with nobody to ask.
func (s PlanStep) Nobody(w StepAsked, number int) *Refusal {
	labels := make([]string, 0, len(s.Ask))
	for _, a := range append(slices.Clone(s.Ask), s.Fallback...) {
		if l := a.Label(); !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
	}
	why := ""
	if len(w.Excluded) > 0 {
		why = "; " + w.Excluded[0].Why
	}
	return refuse(GuardNobody, "Somebody else must be "+orList(labels)+".", "nobody may decide step %d (%s)%s", number, orList(labels), why)
}

// maxDecisions limits the search for a way in which a plan can end. Above the limit, the request is
// filed; a step without anybody is then handled as if its people had left.
const maxDecisions = 20000

// decisions searches for people who can decide the steps of a plan one after the other, where steps
// require people who decided no earlier one.
type decisions struct {
	plan     Plan
	c        Case
	furthest int // the last step that was reached
	looked   int
}

// from reports whether the steps from one on can be decided, given the people who decided the
// earlier ones.
func (d *decisions) from(i int, decided []ID) (bool, error) {
	d.furthest = max(d.furthest, min(i, len(d.plan.Steps)-1))
	last := true // no later step requires different people
	for _, s := range d.plan.Steps[i:] {
		last = last && !s.Distinct
	}
	if last {
		return true, nil
	}
	if d.plan.Steps[i].Wait != nil {
		return d.from(i+1, decided)
	}
	w, err := d.plan.Steps[i].WhoDecides(d.c, decided)
	if err != nil {
		return false, err
	}
	for _, a := range w.Asked {
		if d.looked++; d.looked >= maxDecisions {
			return false, nil
		}
		next := append(slices.Clone(decided), a.Person)
		if a.For != "" {
			next = append(next, a.For)
		}
		if ends, err := d.from(i+1, next); ends || err != nil {
			return ends, err
		}
	}
	return false, nil
}

// Ends returns when the wait of a step that began at a time is over; zero for a condition.
func (w PolicyWait) Ends(began time.Time) time.Time {
	switch {
	case w.For > 0:
		return began.Add(time.Duration(w.For))
	case w.At != "":
		clock, err := time.Parse("15:04", w.At)
		if err != nil {
			return began // not reached: checked when the policy was written
		}
		began = began.UTC()
		end := time.Date(began.Year(), began.Month(), began.Day(), clock.Hour(), clock.Minute(), 0, 0, time.UTC)
		if !end.After(began) {
			end = end.AddDate(0, 0, 1)
		}
		return end
	}
	return time.Time{}
}

// Sentence describes a step for display.
func (s PolicyStep) Sentence() string {
	if w := s.Wait; w != nil {
		switch {
		case w.Answers:
			return "waits until the questions are answered"
		case w.Requirement:
			return "waits until the requirement is met"
		case w.For > 0:
			return "waits " + w.For.Words()
		case w.At != "":
			return "waits until " + w.At + " UTC"
		}
		return "waits until " + w.Until
	}
	var labels []string
	for _, a := range s.Ask {
		labels = append(labels, a.Label())
	}
	text := orList(labels)
	if s.Distinct {
		text += ", who decided no earlier step"
	}
	return strings.TrimSpace(text)
}
