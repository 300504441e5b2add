package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
)

// Request is one task: somebody asks that a person gets an entitlement, or loses it.
type Request struct {
	ID          ID
	Number      int64 // short, for people
	Kind        RequestKind
	App         ID
	Entitlement EntitlementKey
	Account     ResourceKey // 0 while the subject has no account
	Subject     ID          // whose access it is
	Requester   ID          // who asks
	What        string      // what it was called when it was asked for
	Why         string
	Client      ID                // the credential through which it was filed; "" for pages
	Form        map[string]string // answers to the form of the entitlement
	Emergency   bool
	Asked       Term // what was asked for
	Term        Term // what it is now: deciders may shorten it
	Start       time.Time
	Policy      ID
	// PolicyVersion is pinned: a later version of the policy does not touch the request.
	PolicyVersion int
	Plan          Plan
	Round         int // counts from 1; a material change begins another one
	Step          int // index of the step that is open
	StepBegan     time.Time
	State         RequestState
	Outcome       Outcome
	OutcomeWhy    string
	Material      string // what the decisions rest on; [Material]
	Operation     ID     // that carries it out
	Reason        ID     // that it wrote
	Review        ReviewState
	Created       time.Time
	Closed        time.Time
	Version       int64
}

// RequestKind says what a request is for.
type RequestKind string

// The kinds of requests.
const (
	RequestGrant  RequestKind = "grant"
	RequestRevoke RequestKind = "revoke"
)

// RequestState is how far a request is. Open ones differ in what they wait for.
type RequestState string

// The states of requests.
const (
	RequestAsking    RequestState = "asking"    // people are asked
	RequestWaiting   RequestState = "waiting"   // a step of the policy waits
	RequestScheduled RequestState = "scheduled" // approved, and not to begin yet
	RequestCarrying  RequestState = "carrying"  // approved; the connector makes the change
	RequestClosed    RequestState = "closed"
)

// Open reports whether something can still become of a request.
func (s RequestState) Open() bool { return s != RequestClosed }

// Deciding reports whether a request is not decided yet.
func (s RequestState) Deciding() bool { return s == RequestAsking || s == RequestWaiting }

// Outcome is how a request ended. Granted and revoked mean that a sync showed it.
type Outcome string

// The outcomes.
const (
	OutcomeNone      Outcome = "" // open
	OutcomeGranted   Outcome = "granted"
	OutcomeRevoked   Outcome = "revoked"
	OutcomeDenied    Outcome = "denied"
	OutcomeCancelled Outcome = "cancelled"
	OutcomeError     Outcome = "error"
	OutcomeTimedOut  Outcome = "wait-timed-out"
)

// ReviewState says whether somebody has to look at an emergency request afterwards.
type ReviewState string

// The states of reviews afterwards.
const (
	ReviewNone ReviewState = ""
	ReviewDue  ReviewState = "due"
	ReviewDone ReviewState = "done"
)

// Term is how long access is for: a duration from when it takes effect, or until a clock
// time, or open-ended if both are zero.
type Term struct {
	For   Duration  `json:"for,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// End returns when access that takes effect at a time ends; zero if it does not.
func (t Term) End(effect time.Time) time.Time {
	if t.For > 0 {
		return effect.Add(time.Duration(t.For))
	}
	return t.Until
}

// Length returns how long access that takes effect at a time lasts; ok is false if it is
// open-ended.
func (t Term) Length(effect time.Time) (length Duration, ok bool) {
	if t.For > 0 {
		return t.For, true
	}
	return Duration(t.Until.Sub(effect)), !t.Until.IsZero()
}

// Words says how long access is for, or until when: "for 2 hours", "until 4 Jan 2026 09:30
// UTC", "without end". Where a clock time was chosen it is absolute.
func (t Term) Words() string {
	switch {
	case t.For > 0:
		return "for " + t.For.Words()
	case !t.Until.IsZero():
		return "until " + t.Until.UTC().Format("2 Jan 2006 15:04 UTC")
	}
	return "without end"
}

// ShortenTo returns the term that a decider chose, and an error if it is not shorter than
// what was asked for: deciders only shorten.
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

// RequestSettings say what may be asked for, by whom, how long, and who decides: of an
// entitlement, or of a whole app.
type RequestSettings struct {
	Requestable Requestable    `json:"requestable,omitempty"`
	Longest     Duration       `json:"longest,omitzero"` // 0: no limit
	Presets     []Duration     `json:"presets,omitempty"`
	Policy      ID             `json:"policy,omitempty"`
	Emergency   ID             `json:"emergency,omitempty"` // the policy of emergency requests; "" if there are none
	Owners      []ID           `json:"owners,omitempty"`    // of the entitlement
	Form        []RequestField `json:"form,omitempty"`
	Manual      bool           `json:"manual,omitempty"` // the owner carries out what the connector cannot
}

// Requestable says whether something may be asked for.
type Requestable string

// Whether something may be asked for.
const (
	RequestableDefault Requestable = ""    // as the app says; if that says nothing, yes
	RequestableYes     Requestable = "yes" // by everybody
	RequestableNo      Requestable = "no"
)

// RequestField is a question of a form.
type RequestField struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Required bool   `json:"required,omitempty"`
}

// DefaultPresets are the durations that are offered where nobody said which.
var DefaultPresets = []Duration{Duration(time.Hour), 8 * Duration(time.Hour), 7 * day, 30 * day}

// Resolve returns what holds for an entitlement: its own settings, or else those of its
// app, or else the console's. admin says that it means administrator.
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
	return s
}

// AtLeast reports whether settings are at least as strict as those before: nothing can be
// asked for that could not, for longer, or decided by others.
func (s RequestSettings) AtLeast(before RequestSettings) bool {
	shorter := s.Longest == before.Longest || s.Longest > 0 && (before.Longest == 0 || s.Longest < before.Longest)
	closes := s.Requestable == before.Requestable || s.Requestable == RequestableNo
	owners := !slices.ContainsFunc(s.Owners, func(p ID) bool { return !slices.Contains(before.Owners, p) })
	return shorter && closes && owners && s.Policy == before.Policy && (s.Emergency == before.Emergency || s.Emergency == "") && (!s.Manual || before.Manual)
}

// MaxRequestText limits justifications, comments and answers, in bytes.
const MaxRequestText = 4000

// Check returns what is wrong with what somebody asks for, under the settings that hold.
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
	for _, f := range s.Form {
		if answer := r.Form[f.Name]; f.Required && strings.TrimSpace(answer) == "" {
			return baton.Errorf(baton.Invalid, "%s is missing", f.Label)
		} else if len(answer) > MaxRequestText {
			return baton.Errorf(baton.Invalid, "%s is longer than %d bytes", f.Label, MaxRequestText)
		}
	}
	return r.Term.check(s.Longest, later(r.Start, now), now)
}

func (t Term) check(longest Duration, effect, now time.Time) error {
	if t.For > 0 && !t.Until.IsZero() {
		return baton.Errorf(baton.Invalid, "choose a duration or an end, not both")
	}
	if t.For < 0 || !t.Until.IsZero() && !t.Until.After(effect) {
		return baton.Errorf(baton.Invalid, "it would end before it begins")
	}
	if length, limited := t.Length(effect); longest > 0 && (!limited || length > longest) {
		// Clients look for this text and the parenthesis after it.
		return baton.Errorf(baton.Refused, "grant duration must be less than or equal to max provision time (%s)", longest)
	}
	return nil
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Material names what decisions about a request rest on. If it is another one when
// somebody decides, earlier decisions do not count any more.
func Material(role *AppRole, account ResourceKey, owner ID, emergency bool) string {
	name, admin := "", false
	if role != nil {
		name, admin = role.Name, role.Admin
	}
	return fmt.Sprintf("role %q admin %t account %d owner %s emergency %t", name, admin, account, owner, emergency)
}

// RequestEntry is a line in the time line of a request. Entries are never changed.
type RequestEntry struct {
	ID         ID
	Request    ID
	Kind       EntryKind
	Round      int
	Step       ID // "" for what is not about a step
	At         time.Time
	Actor      Actor
	OnBehalfOf ID
	Text       string     // a comment, a reason
	Term       *Term      // what somebody shortened it to
	To         []ID       // who is asked; to whom it was passed on
	Sync       SyncNumber // what the decider saw
}

// EntryKind says what an entry of a time line is.
type EntryKind string

// The kinds of entries.
const (
	EntryAsked      EntryKind = "asked"
	EntryStep       EntryKind = "step"       // a step began
	EntryApproved   EntryKind = "approved"   // somebody approved
	EntryDenied     EntryKind = "denied"     // somebody denied
	EntryComment    EntryKind = "comment"    // somebody said something
	EntryReassigned EntryKind = "reassigned" // somebody passed a step on
	EntryEscalated  EntryKind = "escalated"  // a step took too long
	EntryWaited     EntryKind = "waited"     // a wait is over
	EntryReset      EntryKind = "reset"      // something material changed: decisions start again
	EntryRules      EntryKind = "rules"      // a rule approved or denied without asking
	EntryCancelled  EntryKind = "cancelled"
	EntryTimedOut   EntryKind = "timed-out"
	EntryCarried    EntryKind = "carried" // the change was handed to the connector
	EntryRefused    EntryKind = "refused" // a guard refused to carry it out
	EntryEffect     EntryKind = "effect"  // the connector says that it is done
	EntryClosed     EntryKind = "closed"
	EntryReviewed   EntryKind = "reviewed"
)

// Decided returns who decided the steps of a round before the one that is open, in order.
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

// DueRequest is the kind of the due rows of requests whose step has a limit, that wait, or
// that are to begin later. They refer to the request.
const DueRequest = "request.step"

// WaitLook is how often a condition that a step waits for is looked at.
const WaitLook = time.Minute

// DueRecheck is the kind of the due row after which open requests are asked of whoever may
// decide now. It refers to "console".
const DueRecheck = "request.recheck"

// Delegation says that somebody else may decide for a person for a time.
type Delegation struct {
	Person   ID
	Delegate ID
	From     time.Time
	Until    time.Time
}

// Active reports whether the delegation holds at a time.
func (d Delegation) Active(at time.Time) bool { return !at.Before(d.From) && at.Before(d.Until) }
