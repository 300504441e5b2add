package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
)

// AutomationLimits are the circuit breaker of an automation: what exceeds them waits for a person.
type AutomationLimits struct {
	Runs    int      `json:"runs,omitempty"`    // executions in the period; 0: [DefaultRuns]
	Changes int      `json:"changes,omitempty"` // changes in the period; 0: [DefaultChanges]
	Period  Duration `json:"period,omitzero"`   // 0: [DefaultPeriod]
}

// The limits of an automation that names none, and the greatest ones.
const (
	DefaultRuns    = 25
	DefaultChanges = 25
	DefaultPeriod  = day
	maxRuns        = 10000
	minPeriod      = Duration(time.Minute)
	maxPeriod      = 31 * day
)

// MaxAutomationDepth is how many automations may run one another. The first one counts.
const MaxAutomationDepth = 4

// MaxAutomations limits the automations of a console.
const MaxAutomations = 500

func (l AutomationLimits) check() error {
	switch {
	case l.Runs < 0 || l.Runs > maxRuns || l.Changes < 0 || l.Changes > maxRuns:
		return baton.Errorf(baton.Invalid, "the limits are from 1 to %d", maxRuns)
	case l.Period != 0 && (l.Period < minPeriod || l.Period > maxPeriod):
		return baton.Errorf(baton.Invalid, "the period of the limits is from %s to %s", minPeriod.Words(), maxPeriod.Words())
	}
	return nil
}

// Effective returns the limits with the defaults filled in.
func (l AutomationLimits) Effective() AutomationLimits {
	if l.Runs == 0 {
		l.Runs = DefaultRuns
	}
	if l.Changes == 0 {
		l.Changes = DefaultChanges
	}
	if l.Period == 0 {
		l.Period = DefaultPeriod
	}
	return l
}

// AutomationCount counts the starts and changes of an automation in the period of its limits.
type AutomationCount struct{ Runs, Changes int }

// Trips returns why the circuit breaker stops the automation before further runs and changes; "" if
// it does not.
func (l AutomationLimits) Trips(done AutomationCount, runs, changes int) string {
	l = l.Effective()
	switch {
	case done.Runs+runs > l.Runs:
		return fmt.Sprintf("It would run more than %d times in %s.", l.Runs, l.Period.Words())
	case done.Changes+changes > l.Changes:
		return fmt.Sprintf("It would make more than %d changes in %s.", l.Changes, l.Period.Words())
	}
	return ""
}

// CheckComplete returns an error if a rule cannot be published: something is missing.
func (r AutomationRule) CheckComplete() error {
	if err := r.Trigger.complete(); err != nil {
		return baton.Errorf(baton.Invalid, "the trigger: %w", err)
	}
	if len(r.Steps) == 0 {
		return baton.Errorf(baton.Invalid, "the automation has no steps")
	}
	for i, s := range r.Steps {
		if err := s.complete(); err != nil {
			return baton.Errorf(baton.Invalid, "step %d: %w", i+1, err)
		}
	}
	return nil
}

func (t AutomationTrigger) complete() error {
	rule, _ := t.Kind.Rule()
	switch {
	case rule.Entitlement && t.Entitlement == 0 && t.Kind != TriggerGrantFound && t.Kind != TriggerGrantGone:
		return fmt.Errorf("it names no course")
	case t.Kind == TriggerCourseCompleted && t.From == "":
		return fmt.Errorf("it names no application of the course")
	case t.Kind == TriggerSchedule && t.Every == 0 && t.Cron == "":
		return fmt.Errorf("it has no schedule")
	case t.Kind == TriggerRequest && t.Policy == "":
		return fmt.Errorf("it names no policy that decides about requests")
	case t.Kind == TriggerWebhook && t.Hook == "":
		return fmt.Errorf("it names no incoming webhook")
	}
	return nil
}

func (s AutomationStep) complete() error {
	switch {
	case s.Kind == StepAction && (s.Connector == "" || s.Action == ""):
		return fmt.Errorf("it names no action of a connector")
	case (s.Kind == StepGrant || s.Kind == StepRevoke) && s.Entitlement == 0:
		return fmt.Errorf("it names no entitlement")
	case s.Kind == StepWait && s.For == 0:
		return fmt.Errorf("it does not say how long it waits")
	case s.Kind == StepCondition && s.When == "":
		return fmt.Errorf("it has no condition")
	case s.Kind == StepMail && (s.To == "" || strings.TrimSpace(s.Subject) == ""):
		return fmt.Errorf("the mail has no recipient or no subject")
	case s.Kind == StepCampaign && s.To == "":
		return fmt.Errorf("it does not say who reviews")
	case s.Kind == StepWebhook && s.Webhook == "":
		return fmt.Errorf("it names no webhook")
	case s.Kind == StepRun && s.Automation == "":
		return fmt.Errorf("it names no automation")
	}
	return nil
}

// Text returns the stored form of a rule, as JSON. Equal rules have the same.
func (r AutomationRule) Text() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // cannot happen: texts and numbers always encode
	}
	return string(b)
}

// Gives reports whether a rule gives access: it is then published by somebody other than its author,
// because no policy decides about it.
func (r AutomationRule) Gives() bool {
	return slices.ContainsFunc(r.Steps, func(s AutomationStep) bool { return s.Kind == StepGrant || s.Kind == StepCreate })
}

// The right that a person needs whose automation has a step of a kind.
func (k StepKind) Right() Right {
	switch k {
	case StepAction:
		return RunActions
	case StepGrant, StepRevoke, StepCreate, StepDisable:
		return ChangeAccess
	case StepWebhook:
		return ManageWebhooks
	case StepCampaign:
		return AddCampaigns
	}
	return ManageAutomations
}

// Lacks returns why a person may not do what the steps do in the application, as the end of a sentence
// about the person; "" if the person may.
func (r AutomationRule) Lacks(p Person, app App) string {
	if p.Status != PersonActive {
		return "is not active"
	}
	rights := []Right{ManageAutomations}
	for _, s := range r.Steps {
		rights = append(rights, s.Kind.Right())
	}
	if r.Trigger.Kind == TriggerWebhook {
		rights = append(rights, ManageWebhooks)
	}
	for _, right := range rights {
		if !right.Of(p, Object{App: &app}) {
			return "may not " + right.Do
		}
	}
	return ""
}
