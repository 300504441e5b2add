package console

import "time"

// Verb is the change that an operation makes.
type Verb string

// The verbs. On [AccountItself], Grant creates or enables the account, and Revoke disables it.
const (
	Grant  Verb = "grant"
	Revoke Verb = "revoke"
)

// Operation is one attempt to make a fact follow the reasons. At most one is alive for an account
// and entitlement.
type Operation struct {
	ID          ID
	App         ID
	Connector   ID
	Account     ResourceKey // 0 while the person has no account yet
	Person      ID          // whose access it is; "" if the account has no owner
	Entitlement EntitlementKey
	Verb        Verb
	Cause       Cause
	State       OperationState
	Attempt     int // counts the dispatched tasks
	Created     time.Time
	NotBefore   time.Time // it is not dispatched earlier
	Dispatched  time.Time // when its newest task was handed to a host
	LeaseUntil  time.Time // when the lease of that task ends
	Finished    time.Time // when the answer came; zero: no answer
	Task        ID        // of the newest attempt
	Answer      string    // the connector's answer, for display
	Input       Input
	Verified    SyncNumber
	Version     int64
	Trace       string // place in the trace of the command that created it (W3C traceparent); "": not traced
}

// Input holds the further arguments of an operation.
type Input struct {
	// Fields are the values that somebody chose for the connector's fields of new accounts. The
	// other fields are filled from the person.
	Fields map[string]string `json:"fields,omitempty"`
	// Type and ID name the account that the connector says it created. Until a sync shows the
	// account, the operation belongs to the person.
	Type []byte `json:"type,omitempty"`
	ID   []byte `json:"id,omitempty"`
	Why  string `json:"why,omitempty"` // the reason given by the person who asked for it
	// Late is how long after the end of the access the console came to remove it, if that was
	// late: it had not been running.
	Late Duration `json:"late,omitzero"`
}

// OperationState is the state of an operation.
type OperationState string

const (
	Waiting      OperationState = "waiting"      // waits for the end of another operation on the same access
	Queued       OperationState = "queued"       // waits to be handed out
	Manual       OperationState = "manual"       // a person has to make the change, because the connector cannot
	Dispatched   OperationState = "dispatched"   // a host has its task
	Applied      OperationState = "applied"      // the connector reported success
	Unknown      OperationState = "unknown"      // the lease ended without an answer
	Failed       OperationState = "failed"       // the connector reported a failure
	Declined     OperationState = "declined"     // the connector refused on purpose
	Verified     OperationState = "verified"     // a later sync shows it
	Contradicted OperationState = "contradicted" // a later sync shows the opposite
	Superseded   OperationState = "superseded"   // a newer cause replaced it before it was handed out
	Cancelled    OperationState = "cancelled"    // a person or a guard stopped it before it was handed out
)

// transitions lists the successors of each state. States without an entry are final.
var transitions = map[OperationState][]OperationState{
	Waiting:    {Queued, Manual, Superseded, Cancelled},
	Queued:     {Dispatched, Manual, Superseded, Cancelled, Failed},
	Manual:     {Queued, Applied, Verified, Superseded, Cancelled},
	Dispatched: {Applied, Unknown, Failed, Declined, Manual, Verified, Contradicted},
	Applied:    {Verified, Contradicted},
	Unknown:    {Applied, Failed, Declined, Manual, Verified, Contradicted},
	Failed:     {Queued, Manual, Verified},
	Declined:   {Queued, Manual, Verified},
}

// CanBecome reports whether an operation in state s can change to another state.
func (s OperationState) CanBecome(next OperationState) bool {
	for _, t := range transitions[s] {
		if t == next {
			return true
		}
	}
	return false
}

func (s OperationState) Valid() bool {
	switch s {
	case Waiting, Queued, Manual, Dispatched, Applied, Unknown, Failed, Declined, Verified, Contradicted, Superseded, Cancelled:
		return true
	}
	return false
}

// Alive reports whether an operation still excludes others on its account and entitlement: it may
// still change something, or its result is not verified.
func (s OperationState) Alive() bool {
	return s == Queued || s == Manual || s == Dispatched || s == Applied || s == Unknown
}

// MaxAttempts is the number of tasks after which an operation fails for good.
const MaxAttempts = 5

// RetryAfter returns the delay before the next task, after the given number of attempts that failed
// for a temporary reason.
func RetryAfter(attempts int) time.Duration {
	return 30 * time.Second << min(max(attempts-1, 0), 6)
}

// The time after its dispatch or last heartbeat after which an operation without an answer is
// displayed as [Unknown], and after which a sync is requested to find out.
const (
	UnknownAfter = 2 * time.Minute
	AskAfter     = 5 * time.Minute
)

// WriteLease is how long a host may work on an operation's task after the dispatch or the last
// heartbeat.
const WriteLease = 30 * time.Minute

// lastSign returns when the host with the task last gave a sign of life.
func (o Operation) lastSign() time.Time {
	if sign := o.LeaseUntil.Add(-WriteLease); sign.After(o.Dispatched) {
		return sign
	}
	return o.Dispatched
}

// Silent reports whether the host has been silent for so long that the result is unknown.
func (o Operation) Silent(now time.Time) bool {
	return o.State == Dispatched && !now.Before(o.lastSign().Add(UnknownAfter))
}

// DueOperations is the kind of the due rows of connectors with unfinished operations. They refer to
// the connector.
const DueOperations = "operation.watch"

// Change returns the effect of the operation on the account.
func (o Operation) Change() Change {
	return Change{Account: o.Account, Entitlement: o.Entitlement, Verb: o.Verb}
}

// Cause is why an operation exists. A mismatch of facts and reasons alone is no cause.
type Cause struct {
	Kind     CauseKind
	Ref      string // the request, campaign, rule or earlier operation
	By       Actor
	Evidence Evidence
}

// CauseKind is the kind of a cause.
type CauseKind string

const (
	CauseRequest    CauseKind = "request"     // somebody asked
	CauseApproval   CauseKind = "approval"    // somebody approved
	CauseReview     CauseKind = "review"      // a review decided
	CauseExpiry     CauseKind = "expiry"      // the last reason ran out
	CausePlan       CauseKind = "plan"        // somebody applied a plan
	CauseAutomation CauseKind = "automation"  // an automation ran
	CauseAction     CauseKind = "action"      // somebody ran an action of the connector
	CauseUnmet      CauseKind = "requirement" // the requirement of the entitlement is enforced, and is not met
	CauseManual     CauseKind = "manual"      // somebody with the right made the change on a page or through the API
)

func CauseKinds() []CauseKind {
	return []CauseKind{CauseRequest, CauseApproval, CauseReview, CauseExpiry, CausePlan, CauseAutomation, CauseAction, CauseUnmet, CauseManual}
}

// Evidence is the basis of a cause.
type Evidence string

const (
	EvidenceDecision Evidence = "decision" // a person decided
	EvidenceTime     Evidence = "time"     // a time limit passed
	EvidenceShown    Evidence = "shown"    // an applied sync shows it
	EvidenceAbsence  Evidence = "absence"  // something is missing or unused, or a sync failed
)

// Encounter is how a new operation relates to the one that is alive.
type Encounter int

const (
	Proceed   Encounter = iota // none is alive
	Same                       // the alive one does the same; nothing is created
	Supersede                  // the alive one was not dispatched; the new one replaces it
	Wait                       // the alive one was dispatched; the new one waits for its end
)

// Meet returns how a new operation relates to the one that is alive on the same account and
// entitlement.
func Meet(alive *Operation, verb Verb) Encounter {
	switch {
	case alive == nil || !alive.State.Alive():
		return Proceed
	case alive.Verb == verb:
		return Same
	case alive.State == Queued || alive.State == Manual:
		return Supersede
	}
	return Wait
}
