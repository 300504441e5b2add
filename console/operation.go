package console

import "time"

// Verb is the change that an operation makes.
type Verb string

// The verbs. On [AccountItself], Grant creates or enables the account and Revoke disables
// it.
const (
	Grant  Verb = "grant"
	Revoke Verb = "revoke"
)

// Operation is one attempt to make a fact follow the reasons. At most one is alive for an
// account and entitlement.
type Operation struct {
	ID          ID
	App         ID
	Connector   ID
	Account     ResourceKey // 0 while the person has no account yet
	Person      ID          // for whom; "" when the account is matched to nobody
	Entitlement EntitlementKey
	Verb        Verb
	Cause       Cause
	State       OperationState
	Attempt     int // counts the tasks that were handed out
	Created     time.Time
	NotBefore   time.Time // when it may be dispatched
	Dispatched  time.Time // when its newest task was handed out
	LeaseUntil  time.Time // until when that task may still be under way
	Finished    time.Time // when the answer came; zero when none came
	Task        ID        // of the newest attempt
	Answer      string    // what the connector answered, for people
	Input       Input
	Verified    SyncNumber
	Version     int64
}

// Input is what an operation needs beside its access.
type Input struct {
	// Fields are the values of the connector's fields of new accounts that somebody chose;
	// the others come from the person.
	Fields map[string]string `json:"fields,omitempty"`
	// Type and ID name the account that the connector says it created. It is provisional
	// until a sync shows it: until then the operation belongs to the person.
	Type []byte `json:"type,omitempty"`
	ID   []byte `json:"id,omitempty"`
	Why  string `json:"why,omitempty"` // given by the person who asked for it by hand
}

// OperationState is how far an operation is.
type OperationState string

// The states of an operation.
const (
	Waiting      OperationState = "waiting"      // waits for the end of another operation on the same access
	Queued       OperationState = "queued"       // waits to be handed out
	Manual       OperationState = "manual"       // the connector cannot do it: a person has to, in the application
	Dispatched   OperationState = "dispatched"   // a host has its task
	Applied      OperationState = "applied"      // the connector says that it is done
	Unknown      OperationState = "unknown"      // the lease ended without an answer
	Failed       OperationState = "failed"       // the connector says that it is not done
	Declined     OperationState = "declined"     // the connector refused on purpose
	Verified     OperationState = "verified"     // a later sync shows it
	Contradicted OperationState = "contradicted" // a later sync shows the opposite
	Superseded   OperationState = "superseded"   // a newer cause replaced it before it was handed out
	Cancelled    OperationState = "cancelled"    // a person or a guard stopped it before it was handed out
)

// transitions lists the states that each state can be followed by. States without an
// entry are final.
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

// CanBecome reports whether an operation in one state can get into another.
func (s OperationState) CanBecome(next OperationState) bool {
	for _, t := range transitions[s] {
		if t == next {
			return true
		}
	}
	return false
}

// Alive reports whether an operation still excludes others on its account and entitlement:
// it may yet change something, or its result has not been seen.
func (s OperationState) Alive() bool {
	return s == Queued || s == Manual || s == Dispatched || s == Applied || s == Unknown
}

// MaxAttempts is how many tasks of one operation are handed out before it fails for good.
const MaxAttempts = 5

// RetryAfter returns how long an operation waits before its next task after so many that
// failed for a reason that passes.
func RetryAfter(attempts int) time.Duration {
	return 30 * time.Second << min(max(attempts-1, 0), 6)
}

// How long after it was handed out, or after its last heartbeat, an operation without an
// answer shows as [Unknown], and a sync is asked for to find out.
const (
	UnknownAfter = 2 * time.Minute
	AskAfter     = 5 * time.Minute
)

// WriteLease is how long a task of an operation may be under way after it was handed out, or
// after its last heartbeat.
const WriteLease = 30 * time.Minute

// lastSign returns when the host that has the task was last known to work on it.
func (o Operation) lastSign() time.Time {
	if sign := o.LeaseUntil.Add(-WriteLease); sign.After(o.Dispatched) {
		return sign
	}
	return o.Dispatched
}

// Silent reports whether an operation that was handed out has been without any sign for so
// long that nobody knows what becomes of it.
func (o Operation) Silent(now time.Time) bool {
	return o.State == Dispatched && !now.Before(o.lastSign().Add(UnknownAfter))
}

// DueOperations is the kind of the due rows of connectors with operations that are not over.
// They refer to the connector.
const DueOperations = "operation.watch"

// Change returns what the operation does to the account.
func (o Operation) Change() Change {
	return Change{Account: o.Account, Entitlement: o.Entitlement, Verb: o.Verb}
}

// Cause says why an operation exists. A mismatch of facts and reasons alone is no cause.
type Cause struct {
	Kind     CauseKind
	Ref      string // the request, campaign, rule or earlier operation
	By       Actor
	Evidence Evidence
}

// CauseKind is the path on which an operation came about.
type CauseKind string

// The causes.
const (
	CauseRequest    CauseKind = "request"    // somebody asked
	CauseApproval   CauseKind = "approval"   // somebody approved
	CauseReview     CauseKind = "review"     // a review decided
	CauseExpiry     CauseKind = "expiry"     // the last reason ran out
	CausePlan       CauseKind = "plan"       // somebody applied a plan
	CauseAutomation CauseKind = "automation" // an automation ran
	CauseAction     CauseKind = "action"     // somebody ran an action of the connector
	CauseManual     CauseKind = "manual"     // somebody with the right did it on a page or through the API
)

// CauseKinds lists the causes.
func CauseKinds() []CauseKind {
	return []CauseKind{CauseRequest, CauseApproval, CauseReview, CauseExpiry, CausePlan, CauseAutomation, CauseAction, CauseManual}
}

// Evidence says what a cause rests on.
type Evidence string

// The kinds of evidence.
const (
	EvidenceDecision Evidence = "decision" // a person decided
	EvidenceTime     Evidence = "time"     // a time limit passed
	EvidenceShown    Evidence = "shown"    // an applied sync shows it
	EvidenceAbsence  Evidence = "absence"  // something is missing, unused, or a sync failed
)

// Encounter says what becomes of a new operation when one is alive.
type Encounter int

// The encounters of a new operation with one that is alive.
const (
	Proceed   Encounter = iota // none is alive
	Same                       // the alive one does the same: nothing to create
	Supersede                  // the alive one was not handed out: the new one replaces it
	Wait                       // the alive one was handed out: the new one waits for its end
)

// Meet returns what becomes of a new operation when one is alive on the same account and
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
