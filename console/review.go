package console

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"baton"
)

// ReviewItem is one frozen row of a campaign: an access, with what its reviewers were shown.
type ReviewItem struct {
	Campaign    ID
	Number      int // from 1, in the order of application, entitlement and name
	Kind        ReviewKind
	App         ID             // "" for the console itself
	Account     ResourceKey    // for [ReviewAccess]
	Entitlement EntitlementKey // for [ReviewAccess]
	// Object names what is reviewed of the console: a role, an application or connector that the
	// person owns, or a credential.
	Object string
	Person ID // whose access it is, when it was frozen; "" if the account has no owner
	Admin  bool
	Sync   SyncNumber // that showed it
	Shown  ReviewShown
	Hash   Hash // of Shown as it is stored, see [HashShown]
	// Outcome is the result of the decisions; nil while there is none.
	Outcome   *ReviewOutcome
	Settled   time.Time // when the outcome was reached
	Sampled   bool      // a second reviewer sees the decided item again
	Gone      time.Time // when the console saw that the access is gone, during the campaign
	Result    ReviewResult
	Operation ID     // the operation that carries it out
	Detail    string // more about the result, for display
	Version   int64
}

// ReviewKind is the kind of what an item reviews.
type ReviewKind string

const (
	ReviewAccess     ReviewKind = "access"     // an account holds an entitlement
	ReviewRole       ReviewKind = "role"       // a person has a role in the console
	ReviewOwner      ReviewKind = "owner"      // a person owns an application or connector
	ReviewCredential ReviewKind = "credential" // a person or service has an API credential
)

// ReviewShown holds the data that a reviewer sees beside an item, frozen with it. It says nothing about use: the
// console does not know that.
type ReviewShown struct {
	AppName         string        `json:"app"`
	EntitlementName string        `json:"entitlement"`
	EntitlementID   string        `json:"entitlement_id,omitempty"`
	ResourceName    string        `json:"resource,omitempty"`
	AccountName     string        `json:"account,omitempty"`
	Login           string        `json:"login,omitempty"`
	AccountID       string        `json:"account_id,omitempty"`
	Kind            AccountKind   `json:"kind,omitempty"`
	Disabled        bool          `json:"disabled,omitempty"`
	PersonName      string        `json:"person_name,omitempty"`
	Department      string        `json:"department,omitempty"`
	PersonStatus    PersonStatus  `json:"person_status,omitempty"`
	Role            string        `json:"role,omitempty"` // the worst case
	Admin           bool          `json:"admin,omitempty"`
	State           State         `json:"state,omitempty"`
	Since           time.Time     `json:"since,omitzero"` // when the first sync that showed it began; zero: since the first sync
	Until           time.Time     `json:"until,omitzero"` // when it ends by itself; zero: it does not
	Reasons         []ShownReason `json:"reasons,omitempty"`
	Indirect        bool          `json:"indirect,omitempty"` // held through another entitlement
	Immutable       bool          `json:"immutable,omitempty"`
	MasteredBy      string        `json:"mastered_by,omitempty"` // where it is decided who holds it
	Lower           *ShownLower   `json:"lower,omitempty"`       // the lower role that the app has
	Requirement     string        `json:"requirement,omitempty"` // why its requirement is not met
	Incompatible    []string      `json:"incompatible,omitempty"`
	Last            *LastDecision `json:"last,omitempty"`
}

// ShownReason is an open reason of an access.
type ShownReason struct {
	Kind  ReasonKind `json:"kind"`
	Ref   string     `json:"ref,omitempty"`
	Until time.Time  `json:"until,omitzero"`
}

// ShownLower is the entitlement to which an access can be lowered.
type ShownLower struct {
	Entitlement EntitlementKey `json:"entitlement"`
	Name        string         `json:"name"`
	Held        bool           `json:"held,omitempty"` // the account holds it as well
}

// LastDecision is the outcome of an earlier campaign about the same access.
type LastDecision struct {
	Campaign ID           `json:"campaign"`
	Choice   ReviewChoice `json:"choice"`
	By       []ID         `json:"by,omitempty"`
	At       time.Time    `json:"at"`
}

// Encode returns the stored form of what is shown.
func (s ReviewShown) Encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot happen: it holds plain values
	}
	return b
}

// shownVersion keeps these hashes distinct from hashes of other data.
const shownVersion = "baton console review item 1\n"

// HashShown returns the hash of the stored form of what an item shows.
func HashShown(stored []byte) Hash {
	h := sha256.New()
	h.Write([]byte(shownVersion))
	h.Write(stored)
	return Hash(h.Sum(nil))
}

// DigestItems returns the SHA-256 of the hashes of a population, one after the other in the order of
// the numbers.
func DigestItems(hashes []Hash) Hash {
	h := sha256.New()
	for _, x := range hashes {
		h.Write(x[:])
	}
	return Hash(h.Sum(nil))
}

// ReviewChoice is the content of a decision. Undecided is the absence of a decision.
type ReviewChoice string

const (
	ChooseKeep        ReviewChoice = "keep"
	ChooseRemove      ReviewChoice = "remove"
	ChooseLower       ReviewChoice = "lower"      // remove it and give the lower role
	ChooseKeepUntil   ReviewChoice = "keep-until" // ends at a time; it only shortens
	ChooseAcknowledge ReviewChoice = "acknowledge"
	ChooseAbstain     ReviewChoice = "abstain" // somebody else should decide
)

// ReviewChoices lists the choices.
func ReviewChoices() []ReviewChoice {
	return []ReviewChoice{ChooseKeep, ChooseRemove, ChooseLower, ChooseKeepUntil, ChooseAcknowledge, ChooseAbstain}
}

// Removes reports whether the access ends with the campaign.
func (c ReviewChoice) Removes() bool { return c == ChooseRemove || c == ChooseLower }

// Label returns the name of a choice for display.
func (c ReviewChoice) Label() string {
	return map[ReviewChoice]string{ChooseKeep: "Keep", ChooseRemove: "Remove", ChooseLower: "Lower", ChooseKeepUntil: "Keep until", ChooseAcknowledge: "Acknowledge", ChooseAbstain: "Abstain", "": "Undecided"}[c]
}

// MaxReviewNote limits the note of a decision, in bytes.
const MaxReviewNote = 2000

// Blocks returns why a choice cannot be made for an item; nil if it can.
func (i ReviewItem) Blocks(c ReviewChoice, until, now time.Time) error {
	s := i.Shown
	fixed := s.Immutable || s.Indirect || s.MasteredBy != ""
	where := s.MasteredBy
	switch {
	case where != "":
	case s.Indirect:
		where = "the entitlement through which it is held"
	default:
		where = "the application"
	}
	switch {
	case !slices.Contains(ReviewChoices(), c):
		return baton.Errorf(baton.Invalid, "there is no choice %q", c).WithFix("Choose keep, remove, lower, keep-until, acknowledge or abstain.")
	case c == ChooseAcknowledge && !fixed:
		return baton.Errorf(baton.Refused, "only access that is decided elsewhere can be acknowledged").WithFix("Choose keep or remove.")
	case c == ChooseLower && s.Lower == nil:
		return baton.Errorf(baton.Refused, "the application has no lower role for it").WithFix("Choose keep or remove.")
	case (c == ChooseLower || c == ChooseKeepUntil || c == ChooseRemove) && (s.Immutable || s.Indirect):
		return baton.Errorf(baton.Refused, "it cannot be removed here: it is decided in %s", where).WithFix("Acknowledge it, and change it in %s.", where)
	case c == ChooseKeepUntil && i.Kind != ReviewAccess:
		return baton.Errorf(baton.Refused, "what is reviewed of the console has no end").WithFix("Choose keep or remove.")
	case c == ChooseKeepUntil && !until.After(now):
		return baton.Errorf(baton.Invalid, "the access is kept until a time in the future").WithFix("Choose a later day.")
	case c == ChooseKeepUntil && !s.Until.IsZero() && !until.Before(s.Until):
		return baton.Errorf(baton.Refused, "the access ends on %s already", s.Until.UTC().Format("2 Jan 2006 15:04")).WithFix("Keep until only shortens: choose an earlier day, or keep.")
	case c != ChooseKeepUntil && !until.IsZero():
		return baton.Errorf(baton.Invalid, "only keep-until has an end")
	}
	return nil
}

// ReviewDecision is the decision of one reviewer about one item. It is pending until it is submitted;
// then it never changes.
type ReviewDecision struct {
	Campaign ID
	Item     int
	Reviewer ID
	For      ID // the person for whom the reviewer decides as a delegate
	Choice   ReviewChoice
	Until    time.Time // for [ChooseKeepUntil]
	Note     string
	At       time.Time
	Hash     Hash       // of what was shown
	Sync     SyncNumber // that the item was frozen from
	Seconds  int        // from the display of the page until the decision, as the browser counted
	Batch    int        // decisions that were made at once; 1 for a single one
	// Eligible says why the reviewer may decide, when the decision was made.
	Eligible  string
	Submitted time.Time // zero while it is pending
	// Submission is the act with which it was submitted.
	Submission ID
}

// ReviewAssignment is a reviewer of an item.
type ReviewAssignment struct {
	Campaign ID
	Item     int
	Reviewer ID
	For      ID     // the person for whom the reviewer decides as a delegate; "" without delegation
	Why      string // "owner of the application": why the person was asked
	By       Actor  // who asked the person, after the campaign started
	At       time.Time
	Ended    time.Time // when somebody else was asked instead
	EndedWhy string
	Decision *ReviewDecision // nil while it is undecided
}

// ReviewSubmission is the act that makes decisions permanent.
type ReviewSubmission struct {
	ID       ID
	Campaign ID
	Reviewer ID
	At       time.Time
	Client   ID // the credential, for the API
	Counts   map[ReviewChoice]int
	// Digest is the hash of the decisions, see [DigestDecisions].
	Digest  Hash
	Settled int // items that have an outcome since
}

// Total returns the number of decisions in the submission.
func (s ReviewSubmission) Total() (n int) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// decisionLine is the form in which a decision is hashed. The note is in it as a hash, so that it can
// be erased.
type decisionLine struct {
	Item     int          `json:"item"`
	Reviewer ID           `json:"reviewer"`
	For      ID           `json:"for,omitempty"`
	Choice   ReviewChoice `json:"choice"`
	Until    string       `json:"until,omitempty"`
	Note     string       `json:"note_sha256,omitempty"`
	At       string       `json:"at"`
	Shown    string       `json:"shown"`
	Sync     SyncNumber   `json:"sync"`
	Seconds  int          `json:"seconds"`
	Batch    int          `json:"batch"`
	Eligible string       `json:"eligible"`
}

// DigestDecisions returns the SHA-256 over decisions, each as one line of JSON, in the order of their
// items. The event of a submission has it.
func DigestDecisions(all []ReviewDecision) Hash {
	h := sha256.New()
	for _, d := range all {
		l := decisionLine{Item: d.Item, Reviewer: d.Reviewer, For: d.For, Choice: d.Choice, At: d.At.UTC().Format(time.RFC3339Nano), Shown: d.Hash.String(),
			Sync: d.Sync, Seconds: d.Seconds, Batch: d.Batch, Eligible: d.Eligible}
		if !d.Until.IsZero() {
			l.Until = d.Until.UTC().Format(time.RFC3339Nano)
		}
		if d.Note != "" {
			l.Note = Hash(sha256.Sum256([]byte(d.Note))).String()
		}
		b, _ := json.Marshal(l) // plain values
		h.Write(append(b, '\n'))
	}
	return Hash(h.Sum(nil))
}

// TypedCount is how many removals at once a person confirms by typing their number.
const TypedCount = 25

// CheckRemovals refuses more than [TypedCount] removals at once unless the person typed their number.
func CheckRemovals(removals, typed int) error {
	if removals > TypedCount && typed != removals {
		return baton.Errorf(baton.Invalid, "%d removals at once need their number typed", removals).WithFix("Type %d to confirm.", removals)
	}
	return nil
}

// ReviewResult says how far the outcome of an item was carried out.
type ReviewResult string

const (
	ItemNone         ReviewResult = ""               // nothing to carry out, or not yet
	ItemKept         ReviewResult = "kept"           // decided to keep; nothing is carried out
	ItemUnanswered   ReviewResult = "unanswered"     // nobody decided; the access is kept, and its owners are told
	ItemShortened    ReviewResult = "shortened"      // its reasons end at the chosen time
	ItemAcknowledged ReviewResult = "acknowledged"   // decided elsewhere
	ItemPlanned      ReviewResult = "planned"        // in the plan, which is not applied yet
	ItemBlocked      ReviewResult = "blocked"        // a guard refused it
	ItemLeftOut      ReviewResult = "left-out"       // above the cap, or left out of the plan by a person
	ItemApplying     ReviewResult = "applying"       // its operation is under way
	ItemApplied      ReviewResult = "applied"        // the connector reports success; no later sync shows it yet
	ItemVerified     ReviewResult = "verified"       // a later sync shows that it is gone
	ItemNotEffective ReviewResult = "not-effective"  // a later sync shows that it is still there
	ItemCameBack     ReviewResult = "came-back"      // it was gone, and a later sync shows it again
	ItemFailed       ReviewResult = "failed"         // the operation failed
	ItemGone         ReviewResult = "not-applicable" // it was gone before the removal
)

// Ended reports whether the result changes no more, except that a verified removal can come back.
func (r ReviewResult) Ended() bool {
	return r != ItemNone && r != ItemPlanned && r != ItemApplying && r != ItemApplied
}

// The prefixes of [ReviewItem.Object] for [ReviewOwner], before the id of what the person owns.
const (
	OwnedApp       = "app:"
	OwnedConnector = "connector:"
)

// ResultIn returns the result of an item of a campaign in a state: once decisions ended, one without
// anything to carry out was kept, acknowledged or not answered.
func (i ReviewItem) ResultIn(s CampaignState) ReviewResult {
	if i.Result != ItemNone || !(s == CampaignClosing || s == CampaignRemediating || s == CampaignVerifying || s == CampaignComplete) {
		return i.Result
	}
	switch {
	case i.Outcome == nil:
		return ItemUnanswered
	case i.Outcome.Choice == ChooseKeep:
		return ItemKept
	case i.Outcome.Choice == ChooseAcknowledge:
		return ItemAcknowledged
	}
	return ItemNone
}
