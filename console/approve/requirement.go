package approve

import (
	"strings"

	"baton/console"
	"baton/console/store"
)

// requirement finds out whether the subject meets the requirement of the entitlement.
func (s *Situation) requirement() error {
	s.Requirement.State = console.RequirementMet
	if s.r.Kind != console.RequestGrant {
		return nil
	}
	var err error
	s.Requirement, err = s.tx.RequirementStatus(s.Subject.ID, s.App.ID, s.r.Entitlement, s.now)
	return err
}

// plan evaluates the policy. Nobody is asked before the requirement is met.
func (s *Situation) plan(c console.Case, newID func() console.ID) (console.Plan, error) {
	plan, err := s.Policy.Plan(c, newID)
	if err != nil || plan.Outcome == console.OutcomeDeny || s.Requirement.State.Meets() {
		return plan, err
	}
	return plan.Await(0, newID()), nil
}

// awaitRequirement lets an approved request wait: its requirement is not met, or not any more.
func (s *Situation) awaitRequirement() error {
	s.r.Step = len(s.r.Plan.Steps)
	s.r.Plan = s.r.Plan.Await(s.r.Step, console.NewID(s.now))
	_, err := s.begin()
	return err
}

// keepEvidence stores what meets the requirement, with the reason of the request.
func (s *Situation) keepEvidence() error {
	if !s.Requirement.Requirement.Active() {
		return nil
	}
	e := s.Requirement.Evidence()
	e.Person, e.Request, e.Reason = s.Subject.ID, s.r.ID, s.r.Reason
	return s.tx.AddRequirementEvidence(e)
}

// metText returns by what a requirement is met, for the timeline.
func metText(s store.RequirementStatus) string {
	if s.State == console.RequirementExempt {
		return "Exempt until " + s.Exemption.Until.UTC().Format("2 Jan 2006") + ": " + s.Exemption.Why
	}
	var met []string
	for _, n := range s.Needs {
		if n.State != console.RequirementMet {
			continue
		}
		text := n.Course + ": first seen in the sync of " + n.Shown.First.UTC().Format("2 Jan 2006 15:04 UTC")
		if !n.Shown.Completed.IsZero() {
			text = n.Course + ": completed on " + n.Shown.Completed.UTC().Format("2 Jan 2006")
		}
		met = append(met, text)
	}
	return strings.Join(met, "; ")
}
