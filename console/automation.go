package console

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"baton"
)

// Automation runs steps when something happens in its application. It changes nothing outside of that
// application.
type Automation struct {
	ID        ID
	App       ID
	Name      string
	Owner     ID // it stops when this person leaves
	State     AutomationState
	Why       string    // why it does not run; "" while it is on
	Refused   bool      // a guard refused a step; only while the circuit breaker is tripped
	Changed   time.Time // when the state changed
	Counted   time.Time // what began before then does not count for the limits
	Draft     AutomationRule
	Author    ID // who wrote the draft
	Edited    time.Time
	Published int // the version that runs; 0: none
	Created   time.Time
	Removed   time.Time // zero while it is there
	Version   int64     // counts changes, for optimistic locking
}

// AutomationState says whether an automation runs. If it does not, its executions wait for a person.
type AutomationState string

const (
	AutomationOn      AutomationState = "on"
	AutomationPaused  AutomationState = "paused"  // a person paused it
	AutomationTripped AutomationState = "tripped" // its circuit breaker stopped it
	AutomationStopped AutomationState = "stopped" // its owner left, or it lacks a right
)

// GoesOn reports whether executions that have begun go on. They do when others exceed the limits, but
// not after a guard refused a step.
func (a Automation) GoesOn() bool {
	return a.State == AutomationOn || a.State == AutomationTripped && !a.Refused
}

// AutomationVersion is a published version. It never changes, and an execution keeps the version that
// it began with.
type AutomationVersion struct {
	Automation ID
	Version    int // counts from 1
	AutomationRule
	Author    ID
	Publisher ID
	At        time.Time
}

// AutomationRule says when an automation runs, what it does, and how much of it.
type AutomationRule struct {
	Trigger AutomationTrigger `json:"trigger"`
	Steps   []AutomationStep  `json:"steps,omitempty"`
	Limits  AutomationLimits  `json:"limits,omitzero"`
}

// AutomationTrigger says when an automation runs. Fields that do not matter for the kind are zero.
type AutomationTrigger struct {
	Kind TriggerKind `json:"kind"`
	When string      `json:"when,omitempty"` // a condition; "" is always true
	// Entitlement names the access that was found or is gone, or the completed course. It belongs to the app From;
	// "" for that of the automation. For a lapsed course, it is what requires the course.
	From        ID             `json:"from,omitempty"`
	Entitlement EntitlementKey `json:"entitlement,omitempty"`
	Origin      TriggerOrigin  `json:"origin,omitempty"`
	Every       Duration       `json:"every,omitzero"`
	Cron        string         `json:"cron,omitempty"`
	Zone        string         `json:"zone,omitempty"`
	Each        bool           `json:"each,omitempty"` // on a schedule: once for each account of the app
	Hook        ID             `json:"hook,omitempty"`
	// Person is an expression over the message of a webhook that yields the person, as id or e-mail
	// address; "" for nobody.
	Person string         `json:"person,omitempty"`
	Policy ID             `json:"policy,omitempty"` // decides about requests
	Form   []RequestField `json:"form,omitempty"`   // questions to whoever runs it on demand, or requests it
}

// TriggerKind is the kind of a trigger.
type TriggerKind string

const (
	TriggerOnDemand        TriggerKind = "on-demand"
	TriggerRequest         TriggerKind = "request"
	TriggerSchedule        TriggerKind = "schedule"
	TriggerPersonCreated   TriggerKind = "person-created"
	TriggerPersonChanged   TriggerKind = "person-changed"
	TriggerPersonDisabled  TriggerKind = "person-disabled"
	TriggerAccountCreated  TriggerKind = "account-created"
	TriggerAccountChanged  TriggerKind = "account-changed"
	TriggerAccountDisabled TriggerKind = "account-disabled"
	TriggerGrantFound      TriggerKind = "grant-found"
	TriggerGrantGone       TriggerKind = "grant-gone"
	TriggerCourseCompleted TriggerKind = "course-completed"
	TriggerCourseLapsed    TriggerKind = "course-lapsed"
	TriggerSeatsNear       TriggerKind = "seats-nearly-full"
	TriggerWebhook         TriggerKind = "webhook"
)

// TriggerRule describes a kind of triggers.
type TriggerRule struct {
	Kind  TriggerKind
	Label string
	// Entitlement means that it names one, Origin that it tells explained changes from others.
	Entitlement, Origin bool
}

// TriggerRules lists the kinds of triggers.
func TriggerRules() []TriggerRule {
	return []TriggerRule{
		{Kind: TriggerOnDemand, Label: "On demand"},
		{Kind: TriggerRequest, Label: "When somebody requests it"},
		{Kind: TriggerSchedule, Label: "On a schedule"},
		{Kind: TriggerPersonCreated, Label: "A person was added"},
		{Kind: TriggerPersonChanged, Label: "A person changed"},
		{Kind: TriggerPersonDisabled, Label: "A person was disabled"},
		{Kind: TriggerAccountCreated, Label: "An account was created"},
		{Kind: TriggerAccountChanged, Label: "An account changed"},
		{Kind: TriggerAccountDisabled, Label: "An account was disabled"},
		{Kind: TriggerGrantFound, Label: "A grant was found", Entitlement: true, Origin: true},
		{Kind: TriggerGrantGone, Label: "A grant is gone", Entitlement: true, Origin: true},
		{Kind: TriggerCourseCompleted, Label: "A course was completed", Entitlement: true},
		{Kind: TriggerCourseLapsed, Label: "A required course lapsed", Entitlement: true},
		{Kind: TriggerSeatsNear, Label: "The seats of the application are nearly full"},
		{Kind: TriggerWebhook, Label: "An incoming webhook received a message"},
	}
}

// Rule returns the description of a kind; ok is false if there is no such kind.
func (k TriggerKind) Rule() (r TriggerRule, ok bool) {
	for _, r := range TriggerRules() {
		if r.Kind == k {
			return r, true
		}
	}
	return TriggerRule{Kind: k, Label: string(k)}, false
}

// TriggerOrigin selects changes that a sync shows by whether the console knows their cause.
type TriggerOrigin string

const (
	OriginAny         TriggerOrigin = ""
	OriginExplained   TriggerOrigin = "explained"
	OriginUnexplained TriggerOrigin = "unexplained"
)

// AutomationStep is one step. Fields that do not matter for the kind are zero. Values of Fields, To,
// Subject and Text that begin with "=" are expressions.
type AutomationStep struct {
	ID   string   `json:"id"` // names its results in later steps
	Kind StepKind `json:"kind"`
	Skip string   `json:"skip,omitempty"` // a condition; if it is true, the step is skipped
	// Of a connector's action.
	Connector    ID                `json:"connector,omitempty"`
	Action       string            `json:"action,omitempty"`
	ResourceType string            `json:"resource_type,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"` // also of a new account, and the form of another automation
	// Of a grant, a revocation, a review.
	Entitlement EntitlementKey `json:"entitlement,omitempty"`
	For         Duration       `json:"for,omitzero"` // how long a grant lasts, a wait, or reviewers have
	When        string         `json:"when,omitempty"`
	// Of a mail, a review and a webhook. To of a review is app-owners or manager: they review.
	To      string `json:"to,omitempty"` // owner, app-owners, subject, manager, or an expression that yields people
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"`
	Webhook ID     `json:"webhook,omitempty"`
	// Automation is the one that a step runs.
	Automation ID `json:"automation,omitempty"`
}

// StepKind is the kind of a step.
type StepKind string

const (
	StepAction    StepKind = "action"
	StepGrant     StepKind = "grant"
	StepRevoke    StepKind = "revoke"
	StepCreate    StepKind = "create-account"
	StepDisable   StepKind = "disable-account"
	StepWait      StepKind = "wait"
	StepCondition StepKind = "condition"
	StepMail      StepKind = "mail"
	StepWebhook   StepKind = "webhook"
	StepCampaign  StepKind = "campaign"
	StepRun       StepKind = "run"
)

// StepRule describes a kind of steps.
type StepRule struct {
	Kind  StepKind
	Label string
	// Changes means that it changes access or runs an action, so that it counts for the limit.
	Changes bool
}

// StepRules lists the kinds of steps.
func StepRules() []StepRule {
	return []StepRule{
		{StepAction, "Perform connector action", true},
		{StepGrant, "Grant an entitlement", true},
		{StepRevoke, "Revoke an entitlement", true},
		{StepCreate, "Create an account", true},
		{StepDisable, "Disable the account", true},
		{StepWait, "Wait", false},
		{StepCondition, "Go on only if", false},
		{StepMail, "Send mail", false},
		{StepWebhook, "Call a webhook", false},
		{StepCampaign, "Start a review", false},
		{StepRun, "Run another automation", false},
	}
}

// Rule returns the description of a kind; ok is false if there is no such kind.
func (k StepKind) Rule() (r StepRule, ok bool) {
	for _, r := range StepRules() {
		if r.Kind == k {
			return r, true
		}
	}
	return StepRule{Kind: k, Label: string(k)}, false
}

// The recipients of a mail that need no expression.
const (
	MailOwner     = "owner" // of the automation
	MailAppOwners = "app-owners"
	MailSubject   = "subject"
	MailManager   = "manager" // of the subject
)

// MailRecipients lists the recipients that need no expression.
func MailRecipients() []string { return []string{MailOwner, MailAppOwners, MailSubject, MailManager} }

// ReviewRecipients lists who may review what a step starts a review of.
func ReviewRecipients() []string { return []string{MailAppOwners, MailManager} }

// ExpressionKind is the kind of value that an expression of an automation yields.
type ExpressionKind int

const (
	ExpressionCondition ExpressionKind = iota // true or false
	ExpressionValue                           // the value of a field
	ExpressionPeople                          // ids or e-mail addresses
)

// The limits of an automation's rule.
const (
	maxAutomationSteps = 32
	maxAutomationName  = 200
	maxStepFields      = 64
	maxStepText        = 4000
	maxStepTime        = 366 * day
)

var stepID = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// CheckDraft returns an error if a rule cannot be stored. compile checks an expression. A draft may be
// incomplete: see [AutomationRule.CheckComplete].
func (r AutomationRule) CheckDraft(compile func(string, ExpressionKind) error) error {
	if err := r.Trigger.check(compile); err != nil {
		return baton.Errorf(baton.Invalid, "the trigger: %w", err)
	}
	if n := len(r.Steps); n > maxAutomationSteps {
		return baton.Errorf(baton.Invalid, "an automation has at most %d steps, not %d", maxAutomationSteps, n)
	}
	seen := map[string]bool{}
	for i, s := range r.Steps {
		if seen[s.ID] {
			return baton.Errorf(baton.Invalid, "step %d: another step is called %q", i+1, s.ID)
		}
		seen[s.ID] = true
		if err := s.check(compile); err != nil {
			return baton.Errorf(baton.Invalid, "step %d: %w", i+1, err)
		}
	}
	return r.Limits.check()
}

func (t AutomationTrigger) check(compile func(string, ExpressionKind) error) error {
	rule, ok := t.Kind.Rule()
	switch {
	case !ok:
		return fmt.Errorf("there is no kind of triggers %q", t.Kind)
	case !rule.Entitlement && (t.From != "" || t.Entitlement != 0):
		return fmt.Errorf("it names no entitlement")
	case !rule.Origin && t.Origin != OriginAny:
		return fmt.Errorf("it does not tell explained changes from others")
	case t.Origin != OriginAny && t.Origin != OriginExplained && t.Origin != OriginUnexplained:
		return fmt.Errorf("there is no origin %q", t.Origin)
	case t.Kind != TriggerSchedule && (t.Every != 0 || t.Cron != "" || t.Each):
		return fmt.Errorf("it has no schedule")
	case t.Every < 0 || t.Every > 31*day:
		return fmt.Errorf("the time between two runs is at most 31 days")
	case t.Kind != TriggerWebhook && (t.Hook != "" || t.Person != ""):
		return fmt.Errorf("it has no webhook")
	case t.Kind != TriggerRequest && t.Policy != "":
		return fmt.Errorf("it has no policy")
	case t.Kind != TriggerOnDemand && t.Kind != TriggerRequest && len(t.Form) > 0:
		return fmt.Errorf("it has no form")
	}
	if err := checkForm(t.Form); err != nil {
		return err
	}
	for _, e := range []struct {
		text string
		kind ExpressionKind
	}{{t.When, ExpressionCondition}, {t.Person, ExpressionPeople}} {
		if e.text != "" {
			if err := compile(e.text, e.kind); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkForm(form []RequestField) error {
	if len(form) > maxFormFields {
		return fmt.Errorf("a form has at most %d questions", maxFormFields)
	}
	for i, f := range form {
		switch {
		case !stepID.MatchString(f.Name):
			return fmt.Errorf("question %d: %q is no name; use small letters, digits and _", i+1, f.Name)
		case strings.TrimSpace(f.Label) == "" || len(f.Label) > maxAutomationName:
			return fmt.Errorf("question %d has no text, or one that is too long", i+1)
		case slices.ContainsFunc(form[:i], func(o RequestField) bool { return o.Name == f.Name }):
			return fmt.Errorf("two questions are called %q", f.Name)
		}
	}
	return nil
}

const maxFormFields = 16

func (s AutomationStep) check(compile func(string, ExpressionKind) error) error {
	rule, ok := s.Kind.Rule()
	switch {
	case !ok:
		return fmt.Errorf("there is no kind of steps %q", s.Kind)
	case !stepID.MatchString(s.ID):
		return fmt.Errorf("%q is no name of a step; use small letters, digits and _", s.ID)
	case len(s.Fields) > 0 && s.Kind != StepAction && s.Kind != StepCreate && s.Kind != StepRun:
		return fmt.Errorf("%s has no fields", rule.Label)
	case len(s.Fields) > maxStepFields:
		return fmt.Errorf("it has more than %d fields", maxStepFields)
	case s.For < 0 || s.For > maxStepTime:
		return fmt.Errorf("the time is at most %s", maxStepTime.Words())
	case s.Kind != StepAction && (s.Connector != "" || s.Action != "" || s.ResourceType != ""):
		return fmt.Errorf("%s has no action", rule.Label)
	case s.Kind != StepGrant && s.Kind != StepRevoke && s.Kind != StepCampaign && s.Entitlement != 0:
		return fmt.Errorf("%s has no entitlement", rule.Label)
	case s.Kind != StepCondition && s.When != "":
		return fmt.Errorf("%s has no condition of its own", rule.Label)
	case s.Kind != StepMail && s.Kind != StepCampaign && (s.To != "" || s.Subject != "" || s.Text != ""):
		return fmt.Errorf("%s has no text", rule.Label)
	case s.Kind != StepWebhook && s.Webhook != "":
		return fmt.Errorf("%s has no webhook", rule.Label)
	case s.Kind != StepRun && s.Automation != "":
		return fmt.Errorf("%s names no automation", rule.Label)
	}
	if s.Kind == StepCampaign && s.To != "" && !slices.Contains(ReviewRecipients(), s.To) {
		return fmt.Errorf("reviewers are the owners of the application or the manager, not %q", s.To)
	}
	for _, e := range s.expressions() {
		if len(e.text) > maxStepText {
			return fmt.Errorf("%s is longer than %d characters", e.what, maxStepText)
		}
		if e.text == "" || e.kind < 0 {
			continue
		}
		if err := compile(e.text, e.kind); err != nil {
			return fmt.Errorf("%s: %w", e.what, err)
		}
	}
	return nil
}

// stepExpression is a text of a step; kind is -1 if it is no expression.
type stepExpression struct {
	what, text string
	kind       ExpressionKind
}

func (s AutomationStep) expressions() []stepExpression {
	all := []stepExpression{{"skip", s.Skip, ExpressionCondition}, {"condition", s.When, ExpressionCondition}}
	if s.To != "" && !slices.Contains(MailRecipients(), s.To) {
		all = append(all, stepExpression{"to", strings.TrimPrefix(s.To, "="), ExpressionPeople})
	}
	value := func(what, text string) {
		e := stepExpression{what, text, -1}
		if x, ok := strings.CutPrefix(text, "="); ok {
			e.text, e.kind = x, ExpressionValue
		}
		all = append(all, e)
	}
	value("subject", s.Subject)
	value("text", s.Text)
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		value("field "+name, s.Fields[name])
	}
	return all
}
