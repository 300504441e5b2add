package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
)

// Requirement says what a person must hold to get an entitlement, and to keep it. The usual need is
// a completed course. A version of a requirement never changes.
type Requirement struct {
	App         ID
	Entitlement EntitlementKey
	Version     int // counts from 1; 0: never set
	RequirementRule
	Author  ID
	Second  ID   // who confirmed it, if that was required
	Weaker  bool // it requires less than the previous version
	Created time.Time
	// Enforced is since when these needs are enforced; zero if they are only reported.
	Enforced time.Time
}

// RequirementRule holds the needs of a requirement, and what follows from them. Without needs it asks
// for nothing.
type RequirementRule struct {
	Needs []Need `json:"needs,omitempty"`
	Any   bool   `json:"any,omitempty"` // one of the needs is enough
	// Months is the age in months up to which a completion counts; 0: any age.
	Months int             `json:"months,omitempty"`
	Grace  Duration        `json:"grace,omitzero"` // how long a holder may lack a need before access ends
	Mode   RequirementMode `json:"mode"`
	// Cap limits how many holders lose access at once without a person's confirmation.
	Cap int `json:"cap,omitempty"`
}

// Need is an entitlement of any app that the same person must hold.
type Need struct {
	App         ID             `json:"app"`
	Entitlement EntitlementKey `json:"entitlement"`
}

// RequirementMode says what happens to holders who do not meet a requirement. Requests wait for it
// in either mode.
type RequirementMode string

const (
	RequirementReport  RequirementMode = "report"  // they are listed
	RequirementEnforce RequirementMode = "enforce" // they lose the access after the grace period
)

const (
	maxNeeds          = 16
	maxMonths         = 120
	maxRequirementCap = 100
	// DefaultRequirementCap is the cap of a requirement that names none.
	DefaultRequirementCap = 10
	maxGrace              = 366 * day
	// RequirementLimit is how long a request waits until its requirement is met.
	RequirementLimit = 90 * day
)

// Check returns an error if the rule is invalid.
func (r RequirementRule) Check() error {
	switch {
	case len(r.Needs) > maxNeeds:
		return baton.Errorf(baton.Invalid, "a requirement has at most %d needs", maxNeeds)
	case r.Months < 0 || r.Months > maxMonths:
		return baton.Errorf(baton.Invalid, "a completion counts for 1 to %d months, or 0 for any age", maxMonths)
	case r.Grace < 0 || r.Grace > maxGrace:
		return baton.Errorf(baton.Invalid, "the grace period is at most %s", maxGrace.Words())
	case r.Mode != RequirementReport && r.Mode != RequirementEnforce:
		return baton.Errorf(baton.Invalid, "there is no mode %q", r.Mode).WithFix("Choose report or enforce.")
	case r.Cap < 0 || r.Cap > maxRequirementCap:
		return baton.Errorf(baton.Invalid, "at most %d people lose access at once", maxRequirementCap)
	}
	for i, n := range r.Needs {
		if slices.Contains(r.Needs[:i], n) {
			return baton.Errorf(baton.Invalid, "need %d is there twice", i+1)
		}
	}
	return nil
}

// Active reports whether the rule asks for anything.
func (r RequirementRule) Active() bool { return len(r.Needs) > 0 }

// Limit returns how many holders may lose access at once without a confirmation.
func (r RequirementRule) Limit() int {
	if r.Cap == 0 {
		return DefaultRequirementCap
	}
	return r.Cap
}

// AtLeast reports whether the rule is at least as strict as an earlier one: whoever meets it met the
// earlier one, and it ends access no later and no less often.
func (r RequirementRule) AtLeast(before RequirementRule) bool {
	if !before.Active() {
		return true
	}
	if !r.Active() || before.Mode == RequirementEnforce && r.Mode != RequirementEnforce || r.Grace > before.Grace {
		return false
	}
	if before.Months > 0 && (r.Months == 0 || r.Months > before.Months) {
		return false
	}
	has := func(n Need) bool { return slices.Contains(r.Needs, n) }
	needed := func(n Need) bool { return slices.Contains(before.Needs, n) }
	switch anyNow, anyBefore := r.Any && len(r.Needs) > 1, before.Any && len(before.Needs) > 1; {
	case anyNow && anyBefore:
		return !slices.ContainsFunc(r.Needs, func(n Need) bool { return !needed(n) })
	case anyNow:
		return false // a person with another of them would not meet the earlier one
	case anyBefore:
		return slices.ContainsFunc(before.Needs, has)
	}
	return !slices.ContainsFunc(before.Needs, func(n Need) bool { return !has(n) })
}

// SameNeeds reports whether two rules are met by the same people.
func (r RequirementRule) SameNeeds(o RequirementRule) bool {
	return r.Any == o.Any && r.Months == o.Months && slices.Equal(r.Needs, o.Needs)
}

// RequirementFor returns the version of a requirement that applies to a person; see [PolicyFor].
// Versions are the newest first.
func RequirementFor(versions []Requirement, party func(ID) bool) Requirement {
	all := append(slices.Clone(versions), Requirement{})
	return all[newestFor(len(all),
		func(i int) bool { return all[i].Weaker && (party(all[i].Author) || party(all[i].Second)) },
		func(i, j int) bool { return all[i].AtLeast(all[j].RequirementRule) })]
}

// Exemption lets a person hold an entitlement without meeting its requirement for a time.
type Exemption struct {
	ID          ID             `json:"id,omitempty"`
	App         ID             `json:"app"`
	Entitlement EntitlementKey `json:"entitlement"`
	Person      ID             `json:"person"`
	Until       time.Time      `json:"until"`
	Why         string         `json:"why"`
	Author      ID             `json:"author,omitempty"`   // who asked for it
	Approver    ID             `json:"approver,omitempty"` // who approved it
	Created     time.Time      `json:"created,omitzero"`
	Ended       time.Time      `json:"ended,omitzero"` // when somebody ended it early
}

// MaxExemption is the longest exemption.
const MaxExemption = 366 * 24 * time.Hour

// Check returns an error if the exemption is invalid.
func (e Exemption) Check(now time.Time) error {
	switch {
	case e.Person == "":
		return baton.Errorf(baton.Invalid, "say who is exempt")
	case strings.TrimSpace(e.Why) == "" || len(e.Why) > MaxRequestText:
		return baton.Errorf(baton.Invalid, "say why, in at most %d bytes", MaxRequestText)
	case !e.Until.After(now):
		return baton.Errorf(baton.Invalid, "an exemption ends in the future")
	case e.Until.After(now.Add(MaxExemption)):
		return baton.Errorf(baton.Invalid, "an exemption lasts at most a year").WithFix("Choose an earlier end, and extend it then.")
	}
	return nil
}

// Active reports whether the exemption is in force at a time.
func (e Exemption) Active(at time.Time) bool {
	return !at.Before(e.Created) && at.Before(e.Until) && e.Ended.IsZero()
}

// end returns when the exemption ended.
func (e Exemption) end() time.Time {
	if !e.Ended.IsZero() {
		return e.Ended
	}
	return e.Until
}

// The slugs of a course's entitlements. A course that is in progress again was restarted: that does
// not undo its completion.
const (
	CompletedSlug  = "completed"
	InProgressSlug = "in_progress"
)

// CompletedDetail is the member of [Fact.Detail] with the date of a completion, in RFC 3339.
const CompletedDetail = "completed_date"

// Completed returns the date that the application states for the fact; zero if it states none.
func (f Fact) Completed() time.Time {
	var d map[string]any
	if len(f.Detail) == 0 || json.Unmarshal(f.Detail, &d) != nil {
		return time.Time{}
	}
	text, _ := d[CompletedDetail].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// RequirementState says whether a need or a requirement is met. Missing and lapsed are established by
// complete syncs; whatever these do not establish is unknown.
type RequirementState string

const (
	RequirementMet     RequirementState = "met"
	RequirementExempt  RequirementState = "exempt"
	RequirementMissing RequirementState = "missing" // the person does not hold it
	RequirementLapsed  RequirementState = "lapsed"  // it was completed too long ago
	RequirementUnknown RequirementState = "unknown"
)

// Meets reports whether access may be given.
func (s RequirementState) Meets() bool { return s == RequirementMet || s == RequirementExempt }

// Lacks reports whether it is established that the need is not met.
func (s RequirementState) Lacks() bool { return s == RequirementMissing || s == RequirementLapsed }

// NeedShown holds what the syncs of the app of a need show about one account.
type NeedShown struct {
	InScope bool // the newest sync contains the entitlement
	// Account is whether the newest sync shows the account. Unconfirmed means that it alone does not.
	Account, Unconfirmed bool
	Held                 bool // the newest sync shows that the account holds the entitlement
	Restarted            bool // it no longer does, and shows the course in progress again
	Ever                 bool // a sync showed it
	Missed               int  // full syncs since, without it
	// Narrowed means that a completion as old as this one may lie outside of what the connector reads.
	Narrowed  bool
	Completed time.Time // as the application states it; zero: it states none
	First     time.Time // when the first sync that showed it began
	Before    time.Time // when the last sync began that did not show it; zero if the first one showed it
	LostAt    time.Time // when the sync began that confirmed that it is gone
	HeldSync  bool      // a newer sync is held
	Head      time.Time // when the newest sync began; zero: there is none
}

// NeedResult is whether one account meets a need.
type NeedResult struct {
	State RequirementState
	Why   string    // why it is not met
	Since time.Time // since when it is not met; zero: not known, or from the beginning
	Until time.Time // when a completion stops counting; zero: never
}

// Judge returns whether one account meets a need.
func (r RequirementRule) Judge(n NeedShown, now time.Time) NeedResult {
	unknown := func(format string, args ...any) NeedResult {
		return NeedResult{State: RequirementUnknown, Why: fmt.Sprintf(format, args...)}
	}
	if n.Head.IsZero() {
		return unknown("no sync shows it yet")
	}
	if n.Held || n.Restarted {
		return r.judgeAge(n, now)
	}
	switch {
	case !n.InScope:
		return unknown("the newest sync does not contain it: the list of courses was narrowed, or it is gone")
	case !n.Account && n.Unconfirmed:
		return unknown("the newest sync does not show the account, and no second one confirms that it is gone")
	case !n.Account:
		return unknown("the account is gone")
	case n.Ever && !Gone(n.Missed):
		return unknown("the newest sync does not show it any more, and no second one confirms that")
	case n.Ever && n.Narrowed:
		return unknown("it is no longer shown, and the connector may not look back that far any more")
	case n.HeldSync:
		return unknown("a newer sync is held")
	}
	return NeedResult{State: RequirementMissing, Why: "not completed", Since: n.LostAt}
}

// judgeAge judges a completion that a sync shows.
func (r RequirementRule) judgeAge(n NeedShown, now time.Time) NeedResult {
	if r.Months == 0 {
		return NeedResult{State: RequirementMet}
	}
	done, stated := n.Completed, !n.Completed.IsZero()
	if !stated {
		// It happened after the last sync without it. A later completion shows nowhere.
		if done = n.Before; done.IsZero() {
			return NeedResult{State: RequirementUnknown, Why: "the application states no date, and it was there when syncs began"}
		}
	}
	until := AddMonths(done, r.Months)
	switch {
	case now.Before(until):
		return NeedResult{State: RequirementMet, Until: until}
	case !stated:
		return NeedResult{State: RequirementUnknown, Why: "the application states no date, and it may be too old"}
	case n.HeldSync:
		return NeedResult{State: RequirementUnknown, Why: "it is too old, and a newer sync is held"}
	}
	return NeedResult{State: RequirementLapsed, Why: "completed on " + done.Format("2 Jan 2006") + ", which is too long ago", Since: until}
}

// AddMonths returns a time some months later. A day that the month does not have becomes its last.
func AddMonths(at time.Time, months int) time.Time {
	first := time.Date(at.Year(), at.Month(), 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), at.Location()).AddDate(0, months, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1)
}

// BestResult returns the index of the result that counts of several accounts of one person: one that
// meets the need, else one that may; -1 if there are none.
func BestResult(all []NeedResult) int {
	rank := map[RequirementState]int{RequirementMet: 0, RequirementUnknown: 1, RequirementLapsed: 2, RequirementMissing: 3}
	best := -1
	for i, r := range all {
		if best < 0 || rank[r.State] < rank[all[best].State] || r.State == all[best].State && r.Until.After(all[best].Until) {
			best = i
		}
	}
	return best
}

// Combine returns whether a person meets a requirement, from the results of its needs.
func (r RequirementRule) Combine(needs []NeedResult) NeedResult {
	if len(needs) == 0 {
		return NeedResult{State: RequirementMet}
	}
	var met, unknown, lacks []NeedResult
	for _, n := range needs {
		switch {
		case n.State == RequirementMet:
			met = append(met, n)
		case n.State.Lacks():
			lacks = append(lacks, n)
		default:
			unknown = append(unknown, n)
		}
	}
	if r.Any {
		switch {
		case len(met) > 0:
			return met[BestResult(met)]
		case len(unknown) > 0:
			return unknown[0]
		}
		return slices.MaxFunc(lacks, func(a, b NeedResult) int { return a.Since.Compare(b.Since) })
	}
	switch {
	case len(lacks) > 0:
		return slices.MinFunc(lacks, func(a, b NeedResult) int { return a.Since.Compare(b.Since) })
	case len(unknown) > 0:
		return unknown[0]
	}
	all := NeedResult{State: RequirementMet}
	for _, n := range met {
		if !n.Until.IsZero() && (all.Until.IsZero() || n.Until.Before(all.Until)) {
			all.Until = n.Until
		}
	}
	return all
}

// Deadline returns when enforcement ends the access of a holder who lacks a need: the grace period
// counts from the latest of when the need was lost, the access began, the requirement was enforced
// and the last exemption ended. enforced is the time of the enforcement, or of its preview.
func (r RequirementRule) Deadline(lacksSince, heldSince, enforced time.Time, exemptions []Exemption) time.Time {
	from := later(later(lacksSince, heldSince), enforced)
	for _, e := range exemptions {
		from = later(from, e.end())
	}
	return from.Add(time.Duration(r.Grace))
}

// Proof records by which completion a person met one need, at the time of a decision.
type Proof struct {
	Need
	AppName   string      `json:"app_name"`
	ID        string      `json:"id"`     // upstream id of the entitlement
	Course    string      `json:"course"` // name of its resource
	Link      string      `json:"link,omitempty"`
	Account   ResourceKey `json:"account"`
	Login     string      `json:"login"`
	Completed time.Time   `json:"completed,omitzero"` // as the application states it
	FirstSeen time.Time   `json:"first_seen"`         // when the first sync that showed it began
	Baseline  bool        `json:"baseline,omitempty"` // the first sync showed it, which proves no date
	Sync      ID          `json:"sync"`               // the newest sync
	Number    SyncNumber  `json:"number"`
	SHA256    string      `json:"sha256"` // of its file
	Began     time.Time   `json:"began"`
}

// RequirementEvidence holds the proofs that met a requirement when an access was granted. It never
// changes.
type RequirementEvidence struct {
	ID          ID             `json:"-"`
	App         ID             `json:"-"`
	Entitlement EntitlementKey `json:"-"`
	Person      ID             `json:"-"`
	Request     ID             `json:"-"`
	Reason      ID             `json:"-"`
	At          time.Time      `json:"-"`
	Version     int            `json:"version"` // of the requirement
	Any         bool           `json:"any,omitempty"`
	Months      int            `json:"months,omitempty"`
	Proofs      []Proof        `json:"proofs,omitempty"`
	Exemption   *Exemption     `json:"exemption,omitempty"`
}

// RequirementLack is a holder who does not, or may not, meet a requirement, as the newest check
// found it.
type RequirementLack struct {
	App         ID
	Entitlement EntitlementKey
	Account     ResourceKey
	Person      ID // "" for an account without an owner
	State       RequirementState
	Why         string
	Since       time.Time // since when it lacks a need; zero: not known
	// Ends is when enforcement ends the access; in report-only, when it would if it were switched on
	// at the check. It is zero if that is unknown or somebody is exempt.
	Ends    time.Time
	Ready   bool   // a sync after Ends shows the lack
	Refused string // why a guard refused to end the access
	Found   time.Time
	// Confirmed is who confirmed that the access ends although the cap is reached; "" for nobody.
	Confirmed ID
}

// RequirementPlan identifies the holders who lose access together, so that a confirmation is only for
// those whom the person saw.
func RequirementPlan(version int, ready []RequirementLack) string {
	h := sha256.New()
	fmt.Fprintln(h, version)
	for _, l := range ready {
		fmt.Fprintln(h, l.Account, l.State, l.Ends.UnixMicro())
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// RequirementWindow is the time in which the cap of a requirement counts.
const RequirementWindow = 24 * time.Hour

// The kind of the due rows that check the holders of an entitlement with a requirement. They refer to
// [RequirementRef].
const DueRequirement = "requirement.check"

// RequirementRef returns the ref of the due row of an entitlement.
func RequirementRef(app ID, e EntitlementKey) string { return fmt.Sprintf("%s/%d", app, e) }

// ParseRequirementRef is the opposite of [RequirementRef].
func ParseRequirementRef(ref string) (app ID, e EntitlementKey, err error) {
	name, key, _ := strings.Cut(ref, "/")
	if _, err := fmt.Sscanf(key, "%d", &e); err != nil {
		return "", 0, baton.Errorf(baton.Corrupt, "%q is no requirement", ref)
	}
	return ID(name), e, nil
}
