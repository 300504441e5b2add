package console

import (
	"encoding/json"
	"slices"
	"time"
)

// AutomationExecution is one run of an automation, for one person, one account or nobody.
type AutomationExecution struct {
	ID         ID
	Automation ID
	Version    int // that it runs; it keeps it
	App        ID
	// Key names the cause within the automation: there is at most one execution for it.
	Key     string
	Trigger TriggerData
	Person  ID          // "" for nobody
	Account ResourceKey // 0 for none
	Parent  ID          // the execution that runs it; "" for none
	// Chain lists the automations whose effects led to this execution, itself last.
	Chain    []ID
	State    ExecutionState
	Step     int    // index of the current step
	Waits    string // what it waits for; "" otherwise
	Created  time.Time
	By       Actor
	Began    time.Time // zero until it began
	Finished time.Time
	// Confirmed is the person who let it run although the circuit breaker had stopped it.
	Confirmed ID
	Why       string // why it failed or was cancelled
	Changes   int    // that it made
}

// ExecutionState is the state of an execution.
type ExecutionState string

const (
	ExecutionAsking    ExecutionState = "asking"  // somebody requested it, and people decide
	ExecutionQueued    ExecutionState = "queued"  // it begins next
	ExecutionRunning   ExecutionState = "running" // it is at a step, or waits in one
	ExecutionHeld      ExecutionState = "held"    // it waits for a person, because its automation does not run
	ExecutionDone      ExecutionState = "done"
	ExecutionFailed    ExecutionState = "failed"
	ExecutionCancelled ExecutionState = "cancelled"
)

// ExecutionStates lists the states.
func ExecutionStates() []ExecutionState {
	return []ExecutionState{ExecutionAsking, ExecutionQueued, ExecutionRunning, ExecutionHeld, ExecutionDone, ExecutionFailed, ExecutionCancelled}
}

// Ended reports whether nothing follows.
func (s ExecutionState) Ended() bool {
	return s == ExecutionDone || s == ExecutionFailed || s == ExecutionCancelled
}

// TriggerData holds the values that expressions may read about the cause of an execution.
type TriggerData struct {
	Kind        TriggerKind       `json:"kind"`
	Event       int64             `json:"event,omitempty"` // number of the event
	Sync        SyncNumber        `json:"sync,omitempty"`
	Entitlement EntitlementKey    `json:"entitlement,omitempty"`
	Explained   bool              `json:"explained,omitempty"`
	Form        map[string]string `json:"form,omitempty"`
	Message     json.RawMessage   `json:"message,omitempty"` // of a webhook
	Why         string            `json:"why,omitempty"`     // given by whoever ran or requested it
}

// AutomationStepRun is one step of an execution.
type AutomationStepRun struct {
	Execution ID
	Number    int // index of the step
	Step      string
	Kind      StepKind
	State     StepState
	Input     []byte             // JSON: what its fields and expressions yielded, without secrets
	Changes   []AutomationChange // what it did or was to do
	Result    []byte             // JSON: what later steps can use
	Why       string
	Began     time.Time
	Ended     time.Time // zero while it waits
	Operation ID        // that it waits for
	Run       ID        // run of an action that it waits for
	Child     ID        // execution that it waits for
}

// StepState is the state of a step of an execution.
type StepState string

const (
	StepWaiting StepState = "waiting"
	StepDone    StepState = "done"
	StepSkipped StepState = "skipped"
	StepFailed  StepState = "failed"
	StepEnds    StepState = "ends" // its condition ended the execution
)

// AutomationChange is one line of the list of what an automation does. A dry run and the run that
// follows make the same list if nothing changes in between.
type AutomationChange struct {
	Step        string            `json:"step"`
	Do          string            `json:"do"` // grant, revoke, create, disable, action, mail, campaign, webhook, run
	Connector   ID                `json:"connector,omitempty"`
	Person      ID                `json:"person,omitempty"`
	Account     ResourceKey       `json:"account,omitempty"`
	Entitlement *EntitlementKey   `json:"entitlement,omitempty"`
	Action      string            `json:"action,omitempty"`
	Arguments   map[string]string `json:"arguments,omitempty"`
	For         Duration          `json:"for,omitzero"`
	To          []ID              `json:"to,omitempty"`
	Text        string            `json:"text,omitempty"`
	Object      ID                `json:"object,omitempty"`  // webhook or automation
	Nothing     string            `json:"nothing,omitempty"` // why nothing has to be done
	Refused     string            `json:"refused,omitempty"` // why a guard refuses it
}

// ChangeList returns the lines of the list, one JSON object a line.
func ChangeList(all []AutomationChange) []byte {
	var b []byte
	for _, c := range all {
		line, err := json.Marshal(c)
		if err != nil {
			panic(err) // cannot happen: texts and numbers always encode
		}
		b = append(append(b, line...), '\n')
	}
	return b
}

// Count returns the number of changes that count for the limit.
func (c AutomationChange) Count() int {
	if c.Nothing != "" || c.Refused != "" || !slices.Contains([]string{"grant", "revoke", "create", "disable", "action"}, c.Do) {
		return 0
	}
	return 1
}

// Echo returns why an automation does not react to what led to it; "" if it does. chain lists the
// automations whose effects led to the cause.
func Echo(automation ID, chain []ID) string {
	switch {
	case slices.Contains(chain, automation):
		return "It is an effect of the same automation."
	case len(chain) >= MaxAutomationDepth:
		return "Too many automations led to one another."
	}
	return ""
}

// The kinds of the due rows of automations.
const (
	DueExecution = "automation.run"      // an execution continues; refers to it
	DueTriggers  = "automation.sync"     // a sync may have started automations; refers to it
	DueTimes     = "automation.schedule" // an automation runs by its schedule; refers to it
)

// StepLimit is how long a step waits for its result.
const StepLimit = 7 * 24 * time.Hour

// AutomationPosted is the kind of the event of a step that calls a webhook. It goes to that webhook
// only, whatever it subscribes to.
const AutomationPosted = "automation.posted"
