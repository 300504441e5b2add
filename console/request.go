package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
)

// Request asks that a person gets an entitlement, or loses it.
type Request struct {
	ID          ID
	Number      int64 // short, for display
	Kind        RequestKind
	App         ID
	Entitlement EntitlementKey
	Account     ResourceKey // 0 while the subject has no account
	Subject     ID          // whose access it is; "" for the removal of access of an account that nobody owns
	Requester   ID          // who filed it
	What        string      // the name of the entitlement when it was filed
	Whose       string      // the account when it was filed, for display, if nobody owned it
	Why         string
	Client      ID // the credential through which it was filed; "" for pages
	// AnswersLater says that missing answers do not refuse the request: it waits for them.
	AnswersLater bool
	Form         map[string]string // answers to the questions of the entitlement
	Emergency    bool
	// Removal is set if a person with the right removes the access: all reasons end, and a bar is
	// added. It is "" for people who give their access back.
	Removal CauseKind
	Asked   Term // as requested
	Term    Term // current; approvers may shorten it
	Start   time.Time
	Policy  ID
	// PolicyVersion is fixed: later versions of the policy do not affect the request.
	PolicyVersion int
	Plan          Plan
	Round         int // counts from 1; a material change starts a new round
	Step          int // index of the current step
	StepBegan     time.Time
	State         RequestState
	Outcome       Outcome
	OutcomeWhy    string
	Material      string // the basis of the decisions; see [Material]
	Operation     ID     // carries it out
	Reason        ID     // added by it
	Review        ReviewState
	Created       time.Time
	Closed        time.Time
	Version       int64
}

// RequestKind is the kind of a request.
type RequestKind string

const (
	RequestGrant  RequestKind = "grant"
	RequestRevoke RequestKind = "revoke"
	// RequestReview is the kind for which policies for reviews are evaluated. It is never filed.
	RequestReview RequestKind = "review"
)

// RequestState is the state of a request.
type RequestState string

const (
	RequestAsking    RequestState = "asking"    // waits for a decision
	RequestWaiting   RequestState = "waiting"   // waits in a step of the policy
	RequestScheduled RequestState = "scheduled" // approved; it begins later
	RequestCarrying  RequestState = "carrying"  // approved; the connector is making the change
	RequestClosed    RequestState = "closed"
)

// Open reports whether a request is not finished.
func (s RequestState) Open() bool { return s != RequestClosed }

// Deciding reports whether a request is not decided yet.
func (s RequestState) Deciding() bool { return s == RequestAsking || s == RequestWaiting }

// Outcome is how a request ended. Granted and revoked mean that a sync showed the change.
type Outcome string

const (
	OutcomeNone      Outcome = "" // not ended
	OutcomeGranted   Outcome = "granted"
	OutcomeRevoked   Outcome = "revoked"
	OutcomeDenied    Outcome = "denied"
	OutcomeCancelled Outcome = "cancelled"
	OutcomeError     Outcome = "error"
	OutcomeTimedOut  Outcome = "wait-timed-out"
)

// ReviewState is whether an emergency request needs a review afterwards.
type ReviewState string

const (
	ReviewNone ReviewState = ""
	ReviewDue  ReviewState = "due"
	ReviewDone ReviewState = "done"
)

// Term is the duration of access, counted from when it takes effect, or its end as a clock time. If
// both are zero, access has no end.
type Term struct {
	For   Duration  `json:"for,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// End returns when access ends that takes effect at a time; zero: never.
func (t Term) End(effect time.Time) time.Time {
	if t.For > 0 {
		return effect.Add(time.Duration(t.For))
	}
	return t.Until
}

// Length returns how long access lasts that takes effect at a time; ok is false if it has no end.
func (t Term) Length(effect time.Time) (length Duration, ok bool) {
	if t.For > 0 {
		return t.For, true
	}
	return Duration(t.Until.Sub(effect)), !t.Until.IsZero()
}

// Words returns the term for display: "for 2 hours", "until 4 Jan 2026 09:30 UTC", "without end".
func (t Term) Words() string {
	switch {
	case t.For > 0:
		return "for " + t.For.Words()
	case !t.Until.IsZero():
		return "until " + t.Until.UTC().Format("2 Jan 2006 15:04 UTC")
	}
	return "without end"
}

// ShortenTo returns the term that an approver chose, and an error if it is not shorter than the
// current one.
func (t Term) ShortenTo(chosen Term, effect time.Time) (Term, error) {
	if chosen == t || chosen == (Term{}) {
		return t, nil
	}
	want, _ := chosen.Length(effect)
	if want <= 0 {
		return t, baton.Errorf(baton.Invalid, "the time chosen has passed")
	}
	if have, limited := t.Length(effect); limited && want > have {
		return t, baton.Errorf(baton.Refused, "a decision can only shorten: %s was asked for", strings.TrimPrefix(t.Words(), "for ")).
			WithFix("Deny it, and let a longer time be asked for.")
	}
	return chosen, nil
}

// RequestSettings define who may request an entitlement, for how long, and who decides. They belong
// to an entitlement or to a whole app.
type RequestSettings struct {
	Requestable Requestable    `json:"requestable,omitempty"`
	Longest     Duration       `json:"longest,omitzero"` // 0: no limit
	Presets     []Duration     `json:"presets,omitempty"`
	Policy      ID             `json:"policy,omitempty"`
	Emergency   ID             `json:"emergency,omitempty"` // policy of emergency requests; "" if they are not allowed
	Revoke      ID             `json:"revoke,omitempty"`    // policy of removals by other people
	Review      ID             `json:"review,omitempty"`    // policy of reviews
	Owners      []ID           `json:"owners,omitempty"`    // of the entitlement
	Form        []RequestField `json:"form,omitempty"`
	Manual      bool           `json:"manual,omitempty"` // the owner makes changes that the connector cannot make
}

// Chooses reports whether the settings choose a policy.
func (s RequestSettings) Chooses(policy ID) bool {
	return policy == s.Policy || policy == s.Emergency || policy == s.Revoke || policy == s.Review
}

// Requestable is whether something may be requested.
type Requestable string

const (
	RequestableDefault Requestable = ""    // as set for the app; yes by default
	RequestableYes     Requestable = "yes" // by everybody
	RequestableNo      Requestable = "no"
)

// RequestField is a question of a form.
type RequestField struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Required bool   `json:"required,omitempty"`
}

// DefaultPresets are the durations offered if none are set.
var DefaultPresets = []Duration{Duration(time.Hour), 8 * Duration(time.Hour), 7 * day, 30 * day}

// Resolve returns the settings that apply to an entitlement: its own, else those of its app, else
// the console's. admin means that the entitlement gives administrator rights.
func (s RequestSettings) Resolve(app RequestSettings, admin bool) RequestSettings {
	if s.Requestable == RequestableDefault {
		s.Requestable = app.Requestable
	}
	if s.Requestable == RequestableDefault {
		s.Requestable = RequestableYes
	}
	if app.Longest > 0 && (s.Longest == 0 || s.Longest > app.Longest) {
		s.Longest = app.Longest
	}
	if len(s.Presets) == 0 {
		s.Presets = app.Presets
	}
	if len(s.Presets) == 0 {
		s.Presets = DefaultPresets
	}
	if s.Longest > 0 {
		within := slices.DeleteFunc(slices.Clone(s.Presets), func(d Duration) bool { return d > s.Longest })
		if !slices.Contains(within, s.Longest) {
			within = append(within, s.Longest)
		}
		s.Presets = within
	}
	if s.Policy == "" && !admin {
		s.Policy = app.Policy // an app's default is for ordinary entitlements
	}
	switch {
	case s.Policy == "" && admin:
		s.Policy = PrivilegedPolicy
	case s.Policy == "":
		s.Policy = StandardPolicy
	}
	if s.Emergency == "" {
		s.Emergency = app.Emergency
	}
	for _, p := range []struct {
		own      *ID
		app, all ID
	}{{&s.Revoke, app.Revoke, RemovalPolicy}, {&s.Review, app.Review, ReviewPolicy}} {
		if *p.own == "" {
			*p.own = p.app
		}
		if *p.own == "" {
			*p.own = p.all
		}
	}
	return s
}

// Deciding returns the policy that decides about a request under resolved settings, and why it
// applies, for display. own and app are the settings that s was resolved from.
func (s RequestSettings) Deciding(r Request, own, app RequestSettings) (policy ID, why string) {
	from := func(own, app ID) string {
		switch {
		case own != "":
			return "chosen for the entitlement"
		case app != "":
			return "chosen for the application"
		}
		return "the console's own"
	}
	switch {
	case r.Kind == RequestReview:
		return s.Review, from(own.Review, app.Review)
	case r.Kind == RequestRevoke && r.Removal != "":
		return s.Revoke, from(own.Revoke, app.Revoke)
	case r.Kind == RequestRevoke:
		return GiveBackPolicy, "the console's own, for people who give back their access"
	case r.Emergency && s.Emergency != "":
		return s.Emergency, from(own.Emergency, app.Emergency)
	case own.Policy == "" && s.Policy == PrivilegedPolicy && app.Policy != PrivilegedPolicy:
		return s.Policy, "the console's own, for entitlements that mean administrator"
	}
	return s.Policy, from(own.Policy, app.Policy)
}

// AtLeast reports whether the settings are at least as strict as before: nothing more can be
// requested, for longer, or decided by other people.
func (s RequestSettings) AtLeast(before RequestSettings) bool {
	shorter := s.Longest == before.Longest || s.Longest > 0 && (before.Longest == 0 || s.Longest < before.Longest)
	closes := s.Requestable == before.Requestable || s.Requestable == RequestableNo
	owners := !slices.ContainsFunc(s.Owners, func(p ID) bool { return !slices.Contains(before.Owners, p) })
	return shorter && closes && owners && s.Policy == before.Policy && s.Revoke == before.Revoke && s.Review == before.Review && (s.Emergency == before.Emergency || s.Emergency == "") && (!s.Manual || before.Manual)
}

// MaxRequestText limits justifications, comments and answers, in bytes.
const MaxRequestText = 4000

// Check returns an error if a request is invalid under the settings that apply.
func (r Request) Check(s RequestSettings, now time.Time) error {
	if s.Requestable != RequestableYes {
		return baton.Errorf(baton.Refused, "this cannot be asked for").WithFix("An owner of the application can allow it.")
	}
	if strings.TrimSpace(r.Why) == "" {
		return baton.Errorf(baton.Invalid, "the justification is missing")
	}
	if len(r.Why) > MaxRequestText {
		return baton.Errorf(baton.Invalid, "the justification is longer than %d bytes", MaxRequestText)
	}
	if r.Emergency && s.Emergency == "" {
		return baton.Errorf(baton.Refused, "there are no emergency requests for this").WithFix("Ask without the emergency.")
	}
	if err := r.checkForm(s.Form); err != nil && !(r.AnswersLater && r.Unanswered(s.Form)) {
		return err
	}
	return r.Term.check(s.Longest, later(r.Start, now), now)
}

// Unanswered reports whether a question that needs an answer has none.
func (r Request) Unanswered(form []RequestField) bool {
	return slices.ContainsFunc(form, func(f RequestField) bool { return f.Required && strings.TrimSpace(r.Form[f.Name]) == "" })
}

// checkForm returns what is wrong with the answers to a form.
func (r Request) checkForm(form []RequestField) error {
	for _, f := range form {
		if len(r.Form[f.Name]) > MaxRequestText {
			return baton.Errorf(baton.Invalid, "%s is longer than %d bytes", f.Label, MaxRequestText)
		}
	}
	for _, f := range form {
		if f.Required && strings.TrimSpace(r.Form[f.Name]) == "" {
			return baton.Errorf(baton.Invalid, "%s is missing", f.Label)
		}
	}
	return nil
}

// Answer returns the request with answers to its form, added to those it has.
func (r Request) Answer(form []RequestField, answers map[string]string) (Request, error) {
	all := maps.Clone(r.Form)
	if all == nil {
		all = map[string]string{}
	}
	for name, answer := range answers {
		if !slices.ContainsFunc(form, func(f RequestField) bool { return f.Name == name }) {
			return r, baton.Errorf(baton.Invalid, "there is no question %q", name)
		}
		all[name] = answer
	}
	r.Form = all
	return r, r.checkForm(form)
}

// AnswersLimit is how long a request waits for answers to its form.
const AnswersLimit = 14 * day

// AnswersPlan is the plan of a request that waits for answers to its form.
func AnswersPlan(newID func() ID) Plan {
	return Plan{Outcome: OutcomeAsk, Name: "Questions", Steps: []PlanStep{{ID: newID(), PolicyStep: PolicyStep{Name: "Questions", Wait: &PolicyWait{Answers: true}, Limit: AnswersLimit}}}}
}

func (t Term) check(longest Duration, effect, now time.Time) error {
	if t.For > 0 && !t.Until.IsZero() {
		return baton.Errorf(baton.Invalid, "choose a duration or an end, not both")
	}
	if t.For < 0 || !t.Until.IsZero() && !t.Until.After(effect) {
		return baton.Errorf(baton.Invalid, "it would end before it begins")
	}
	if length, limited := t.Length(effect); longest > 0 && (!limited || length > longest) {
		// Clients parse this text up to the parenthesis.
		return baton.Errorf(baton.Refused, "grant duration must be less than or equal to max provision time (%s)", longest)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Material returns a text of what decisions about a request are based on. If it changes before the
// next decision, earlier decisions no longer count.
func Material(role *AppRole, account ResourceKey, owner ID, emergency bool) string {
	name, admin := "", false
	if role != nil {
		name, admin = role.Name, role.Admin
	}
	return fmt.Sprintf("role %q admin %t account %d owner %s emergency %t", name, admin, account, owner, emergency)
}

// RequestEntry is a line in the timeline of a request. Entries never change.
type RequestEntry struct {
	ID         ID
	Request    ID
	Kind       EntryKind
	Round      int
	Step       ID // "" if it is not about a step
	At         time.Time
	Actor      Actor
	OnBehalfOf ID
	Text       string     // a comment, a reason
	Term       *Term      // the shorter term that was chosen
	To         []ID       // the people asked; the new assignees
	Sync       SyncNumber // the head when the approver decided
}

// EntryKind is the kind of an entry.
type EntryKind string

const (
	EntryAsked      EntryKind = "asked"
	EntryStep       EntryKind = "step"       // a step began
	EntryApproved   EntryKind = "approved"   // somebody approved
	EntryDenied     EntryKind = "denied"     // somebody denied
	EntryComment    EntryKind = "comment"    // somebody wrote a comment
	EntryReassigned EntryKind = "reassigned" // somebody reassigned a step
	EntryEscalated  EntryKind = "escalated"  // the time limit of a step passed
	EntryWaited     EntryKind = "waited"     // a wait is over
	EntryReset      EntryKind = "reset"      // something material changed; the decisions start again
	EntryRules      EntryKind = "rules"      // a rule approved or denied without asking anybody
	EntryCancelled  EntryKind = "cancelled"
	EntryTimedOut   EntryKind = "timed-out"
	EntryCarried    EntryKind = "carried" // the change was handed to the connector
	EntryRefused    EntryKind = "refused" // a guard refused to carry it out
	EntryByHand     EntryKind = "by-hand" // an owner carries it out in the application
	EntryEffect     EntryKind = "effect"  // the connector reported success
	EntryClosed     EntryKind = "closed"
	EntryReviewed   EntryKind = "reviewed"
)

// Decided returns the people who decided the previous steps of the current round, in order.
func Decided(entries []RequestEntry, round int) []ID {
	var people []ID
	for _, e := range entries {
		if e.Kind == EntryApproved && e.Round == round {
			people = append(people, e.Actor.Person())
			if e.OnBehalfOf != "" {
				people = append(people, e.OnBehalfOf)
			}
		}
	}
	return people
}

// DueRequest is the kind of the due rows of requests whose step has a time limit, that wait, or that
// begin later. They refer to the request.
const DueRequest = "request.step"

// WaitLook is the interval at which a condition that a step waits for is evaluated.
const WaitLook = time.Minute

// DueRecheck is the kind of the due row after which the approvers of all open requests are
// determined again. It refers to "console".
const DueRecheck = "request.recheck"

// Delegation lets another person decide for a person during a period.
type Delegation struct {
	Person   ID
	Delegate ID
	From     time.Time
	Until    time.Time
}

// Active reports whether the delegation is in force at a time.
func (d Delegation) Active(at time.Time) bool { return !at.Before(d.From) && at.Before(d.Until) }
