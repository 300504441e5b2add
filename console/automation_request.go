package console

import (
	"slices"
	"time"
)

// AutomationRequest asks that an automation runs. People decide about it as its policy says, whose
// version is fixed when it is filed.
type AutomationRequest struct {
	Execution     ID                   `json:"-"`
	Requester     ID                   `json:"requester"`
	Policy        ID                   `json:"policy"`
	PolicyVersion int                  `json:"policy_version"`
	Plan          Plan                 `json:"plan"`
	Step          int                  `json:"step"` // index of the current one
	StepBegan     time.Time            `json:"step_began"`
	Asked         []Asked              `json:"asked,omitempty"` // at the current step, when it began
	Decisions     []AutomationDecision `json:"decisions,omitempty"`
}

// AutomationDecision is the decision of a person about one step of a request.
type AutomationDecision struct {
	Step     ID        `json:"step"`
	Person   ID        `json:"person"`
	For      ID        `json:"for,omitempty"` // whose delegate decided
	Approved bool      `json:"approved"`
	Comment  string    `json:"comment,omitempty"`
	At       time.Time `json:"at"`
}

// Decided returns the people who decided, and those for whom they did.
func (r AutomationRequest) Decided() (people []ID) {
	for _, d := range r.Decisions {
		people = append(people, d.Person)
		if d.For != "" {
			people = append(people, d.For)
		}
	}
	return people
}

// Asks reports whether a person is asked at the current step.
func (r AutomationRequest) Asks(person ID) bool {
	return slices.ContainsFunc(r.Asked, func(a Asked) bool { return a.Person == person })
}
