package console

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"baton"
)

// RemovalPlan is a list of access to remove that people look at as a whole and carry out as one. It is
// computed from the facts; whoever applies it names the hash of what they looked at, and it is refused
// as stale if something that a row relies on has changed since.
type RemovalPlan struct {
	ID     ID
	Number int64 // for people
	Cause  PlanCause
	Title  string
	Why    string // reasons end, and bars are written, with this text
	// Cap limits the rows that may be carried out; 0: no limit.
	Cap int
	// Owners may see and apply the plan although they own none of its applications, such as the owners
	// of the campaign that decided it.
	Owners   []ID
	State    PlanState
	Rows     int
	Hash     Hash      // of its lines; see [PlanHash]. Zero while it is a draft
	Computed time.Time // zero while it is a draft
	Summary  PlanSummary
	Created  time.Time
	By       Actor
	Applied  time.Time
	// AppliedBy applied the plan, and decides about each of its rows.
	AppliedBy ID
	Ended     time.Time // when it was complete or discarded
	Version   int64
}

// PlanState is the state of a plan.
type PlanState string

const (
	PlanDraft     PlanState = "draft"     // its rows are chosen, their consequence is not computed
	PlanReady     PlanState = "ready"     // computed: it can be looked at and applied
	PlanStale     PlanState = "stale"     // a row changed after it was computed
	PlanApplying  PlanState = "applying"  // its operations are being created
	PlanVerifying PlanState = "verifying" // all operations exist; not all of them are over
	PlanComplete  PlanState = "complete"  // all of them are over
	PlanDiscarded PlanState = "discarded" // nothing was carried out, and nothing will be
)

// PlanStates lists the states of plans.
func PlanStates() []PlanState {
	return []PlanState{PlanDraft, PlanReady, PlanStale, PlanApplying, PlanVerifying, PlanComplete, PlanDiscarded}
}

// planTransitions lists the successors of each state.
var planTransitions = map[PlanState][]PlanState{
	PlanDraft:     {PlanReady, PlanDiscarded},
	PlanReady:     {PlanApplying, PlanStale, PlanDraft, PlanDiscarded},
	PlanStale:     {PlanDraft, PlanDiscarded},
	PlanApplying:  {PlanVerifying},
	PlanVerifying: {PlanComplete},
}

// CanBecome reports whether a plan in state s can change to another state.
func (s PlanState) CanBecome(next PlanState) bool { return slices.Contains(planTransitions[s], next) }

// Open reports whether something is still to be done about a plan.
func (s PlanState) Open() bool { return s != PlanComplete && s != PlanDiscarded }

// PlanCause is why a plan was made.
type PlanCause struct {
	Kind PlanCauseKind
	Ref  string // the campaign, the application or the person; "" for a selection
}

// PlanCauseKind is the kind of a plan's cause.
type PlanCauseKind string

const (
	PlanCampaign    PlanCauseKind = "campaign"    // reviewers decided about each row
	PlanUnexplained PlanCauseKind = "unexplained" // nobody asked for the access here
	PlanBothRoles   PlanCauseKind = "both-roles"  // the accounts hold several roles
	PlanLeaving     PlanCauseKind = "leaving"     // a person leaves
	PlanSelection   PlanCauseKind = "selection"   // somebody chose the rows
)

// PlanCauseKinds lists the kinds of causes.
func PlanCauseKinds() []PlanCauseKind {
	return []PlanCauseKind{PlanCampaign, PlanUnexplained, PlanBothRoles, PlanLeaving, PlanSelection}
}

// Decided reports whether people have decided about each row before, so that no policy asks again.
func (k PlanCauseKind) Decided() bool { return k == PlanCampaign }

// Operation returns the kind of the cause of the operations that carry out a plan.
func (k PlanCauseKind) Operation() CauseKind {
	if k == PlanCampaign {
		return CauseReview
	}
	return CausePlan
}

// PlanDo names what a plan does about an access.
type PlanDo string

const (
	// PlanRemove removes the access. For [AccountItself] it disables the account.
	PlanRemove PlanDo = "remove"
	// PlanLower removes the access and grants the entitlement of the next lower role of the app, unless
	// the account holds one already.
	PlanLower PlanDo = "lower"
)

// PlanRow is one access of a plan. App, Account, Entitlement, Do and Ref are chosen; everything else
// is computed, or follows from applying it.
type PlanRow struct {
	App         ID
	Account     ResourceKey
	Entitlement EntitlementKey
	Do          PlanDo
	Ref         string // of its cause, such as the item of a campaign; at most maxPlanRef bytes

	Place int       // in the order of the plan, from 1
	Facts PlanFacts // what the row relies on
	// Mastered names where it is decided who holds the entitlement, if that is not the app.
	Mastered string
	Pending  ID   // the operation that was under way on the access when it was computed
	Manual   bool // a person has to make the change, because the connector cannot
	Asks     bool // a policy lets people decide first
	State    PlanRowState
	// Said is why nothing is, or was, done about the row.
	Said string
	Fix  string

	Operation ID        // that removes the access
	Grant     ID        // the operation that grants the lower role
	Request   ID        // that lets people decide about the removal
	CameBack  time.Time // when a sync showed the removed access again
	Result    PlanResult
}

// PlanRowState says what was decided about a row.
type PlanRowState string

const (
	RowPlanned PlanRowState = "planned" // it is carried out when the plan is applied
	RowBlocked PlanRowState = "blocked" // a guard forbids it
	RowGone    PlanRowState = "gone"    // the account does not hold it
	RowCarried PlanRowState = "carried" // its operation exists
	RowAsked   PlanRowState = "asked"   // its request exists
	RowRefused PlanRowState = "refused" // a guard refused it when the plan was applied
	RowChanged PlanRowState = "changed" // it changed after the plan was computed
	RowStopped PlanRowState = "stopped" // somebody stopped the plan before it was carried out
)

// PlanResult tells what became of a row: its state until it is carried out, then that of its operation.
type PlanResult string

const (
	ResultUnderWay     PlanResult = "under-way"     // the operation waits, or a host has it
	ResultManual       PlanResult = "manual"        // a person has to make the change
	ResultApplied      PlanResult = "applied"       // the connector reported success; no sync shows it yet
	ResultVerified     PlanResult = "verified"      // a later sync shows it
	ResultNotEffective PlanResult = "not-effective" // the connector reported success; a later sync shows the access
	ResultCameBack     PlanResult = "came-back"     // a sync showed that it was gone, and a later one shows it again
	ResultFailed       PlanResult = "failed"        // the connector could not, or refused
)

// PlanResults lists the results in the order of pages: what needs somebody first.
func PlanResults() []PlanResult {
	return []PlanResult{PlanResult(RowChanged), PlanResult(RowBlocked), PlanResult(RowRefused), ResultCameBack, ResultNotEffective, ResultFailed, ResultManual,
		PlanResult(RowAsked), PlanResult(RowPlanned), ResultUnderWay, ResultApplied, ResultVerified, PlanResult(RowGone), PlanResult(RowStopped)}
}

// Open reports whether the result of a row of an applied plan may still change by itself.
func (r PlanResult) Open() bool {
	return r == ResultUnderWay || r == ResultManual || r == ResultApplied || r == PlanResult(RowAsked)
}

// PlanFacts holds what a row of a plan relies on.
type PlanFacts struct {
	Since   SyncNumber   `json:"since"`             // the sync that first showed the access; 0: not held
	Direct  bool         `json:"direct,omitempty"`  // it can be removed by itself
	Reasons []PlanReason `json:"reasons,omitempty"` // those in force, the oldest first
	Bar     ID           `json:"bar,omitempty"`
	Owner   ID           `json:"owner,omitempty"` // the canonical person
	Left    bool         `json:"left,omitempty"`  // the owner is not active
	// Admin says whether the account is an administrator of the app: "yes", "perhaps" or "".
	Admin string `json:"admin,omitempty"`
	// To is the entitlement that the row grants: that of the lower role.
	To EntitlementKey `json:"to,omitempty"`
	// Guard is the guard that forbids the change.
	Guard Guard `json:"guard,omitempty"`
}

// PlanReason is a reason in force.
type PlanReason struct {
	ID    ID        `json:"id"`
	Until time.Time `json:"until,omitzero"`
}

// PlanReasons returns the reasons in force as rows of plans have them.
func PlanReasons(open []Reason) (all []PlanReason) {
	for _, r := range open {
		all = append(all, PlanReason{r.ID, r.Until.UTC()})
	}
	return all
}

// AdminOf says whether an effective role is that of an administrator, as [PlanFacts.Admin].
func AdminOf(r EffectiveRole) string {
	switch {
	case r.Floor.admin():
		return "yes"
	case r.Risk.admin():
		return "perhaps"
	}
	return ""
}

// maxPlanRef limits the ref of a row, in bytes.
const maxPlanRef = 200

// MaxPlanRows limits the rows of a plan.
const MaxPlanRows = 100_000

// CheckPlan returns an error if a new plan is invalid.
func CheckPlan(p RemovalPlan, rows []PlanRow) error {
	if !slices.Contains(PlanCauseKinds(), p.Cause.Kind) {
		return baton.Errorf(baton.Invalid, "there is no cause %q of plans", p.Cause.Kind)
	}
	if p.Why == "" {
		return baton.Errorf(baton.Invalid, "a reason is missing").WithFix("Say why, for those who read it later.")
	}
	if p.Cap < 0 {
		return baton.Errorf(baton.Invalid, "the cap of a plan cannot be %d", p.Cap)
	}
	switch n := len(rows); {
	case n == 0:
		return baton.Errorf(baton.Invalid, "the plan has no rows").WithFix("Choose what it removes.")
	case n > MaxPlanRows:
		return baton.Errorf(baton.Invalid, "the plan has %d rows; at most %d fit", n, MaxPlanRows).WithFix("Make several plans.")
	}
	type access struct {
		account     ResourceKey
		entitlement EntitlementKey
	}
	seen := make(map[access]bool, len(rows))
	for _, r := range rows {
		a := access{r.Account, r.Entitlement}
		switch {
		case r.App == "" || r.Account == 0:
			return baton.Errorf(baton.Invalid, "a row of a plan needs an application and an account")
		case r.Do != PlanRemove && r.Do != PlanLower:
			return baton.Errorf(baton.Invalid, "a plan cannot %q an access", r.Do).WithFix("It can remove and lower.")
		case r.Do == PlanLower && r.Entitlement == AccountItself:
			return baton.Errorf(baton.Invalid, "an account cannot be lowered").WithFix("Lower one of its roles.")
		case len(r.Ref) > maxPlanRef:
			return baton.Errorf(baton.Invalid, "the ref of a row has more than %d bytes", maxPlanRef)
		case seen[a]:
			return baton.Errorf(baton.Invalid, "the plan has the same access twice")
		}
		seen[a] = true
	}
	return nil
}

// PlanCountFrom is the number of rows from which whoever applies a plan types their number.
const PlanCountFrom = 26

// planHead is the first line of a plan.
type planHead struct {
	Plan  ID            `json:"plan"`
	Cause PlanCauseKind `json:"cause"`
	Ref   string        `json:"ref,omitempty"`
	Why   string        `json:"why"`
	Cap   int           `json:"cap,omitempty"`
	Rows  int           `json:"rows"`
}

// planLine is the line of a row.
type planLine struct {
	App         ID             `json:"app"`
	Account     ResourceKey    `json:"account"`
	Entitlement EntitlementKey `json:"entitlement"`
	Do          PlanDo         `json:"do"`
	Ref         string         `json:"ref,omitempty"`
	State       PlanRowState   `json:"state"`
	PlanFacts
}

// HeadLine returns the first line of a plan with a number of rows: JSON, without an end of line.
func (p RemovalPlan) HeadLine(rows int) []byte {
	return planJSON(planHead{p.ID, p.Cause.Kind, p.Cause.Ref, p.Why, p.Cap, rows})
}

// Line returns the line of a row, with everything that the row relies on: JSON, without an end of line.
// It stays the same when the row is carried out.
func (r PlanRow) Line() []byte {
	state := RowPlanned
	if r.State == RowBlocked || r.State == RowGone {
		state = r.State
	}
	return planJSON(planLine{r.App, r.Account, r.Entitlement, r.Do, r.Ref, state, r.Facts})
}

func planJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot happen: plain structs always encode
	}
	return b
}

// PlanHash is the SHA-256 of the lines of a plan: the first line, then the rows in their order, each
// with a line feed at its end. So the hash of a downloaded file of these lines is that of the plan.
func PlanHash(head []byte, lines func(yield func([]byte) error) error) (hash Hash, err error) {
	h := sha256.New()
	write := func(line []byte) error {
		h.Write(line)
		h.Write([]byte{'\n'})
		return nil
	}
	write(head)
	err = lines(write)
	copy(hash[:], h.Sum(nil))
	return hash, err
}

// PlanSummary is the consequence of a plan.
type PlanSummary struct {
	Planned int       `json:"planned"` // rows that applying it carries out
	Blocked int       `json:"blocked,omitempty"`
	Gone    int       `json:"gone,omitempty"`
	Disable int       `json:"disable,omitempty"` // planned rows that disable an account
	Lower   int       `json:"lower,omitempty"`   // planned rows that lower a role
	Asks    int       `json:"asks,omitempty"`    // planned rows about which people decide first
	Manual  int       `json:"manual,omitempty"`  // planned rows that a person has to carry out
	Pending int       `json:"pending,omitempty"` // rows with an operation under way
	People  int       `json:"people"`            // people who lose something
	Nobody  int       `json:"nobody,omitempty"`  // planned rows of accounts without an owner
	Apps    []PlanApp `json:"apps"`
	// Mastered counts the planned rows of which something else decides, by its name.
	Mastered map[string]int `json:"mastered,omitempty"`
}

// PlanApp is the consequence of a plan for one app.
type PlanApp struct {
	App          ID  `json:"app"`
	Planned      int `json:"planned"`
	Blocked      int `json:"blocked,omitempty"`
	AdminsBefore int `json:"admins_before"`
	AdminsAfter  int `json:"admins_after"`
	Minimum      int `json:"minimum,omitempty"`
	SeatsBefore  int `json:"seats_before"` // enabled accounts
	SeatsAfter   int `json:"seats_after"`
	// Held means that a sync of the app is held, so that the operations wait.
	Held bool `json:"held,omitempty"`
}

// PlanFloor applies the minimum of administrators of an app to the rows of a plan, one after the
// other: a row that is planned counts as a change in flight for those after it.
type PlanFloor struct {
	admins   Admins // without holders and changes in flight
	person   map[ResourceKey]ID
	holders  map[ID][]RoleHolder // by person; of accounts without an owner under ""
	inFlight map[ResourceKey][]Change
	certain  map[ID]bool // the people who are administrators for certain
	before   int
	now      int // their number
}

// NewPlanFloor returns the floor of an app before the first row.
func NewPlanFloor(a Admins) *PlanFloor {
	f := &PlanFloor{admins: Admins{Minimum: a.Minimum, Roles: a.Roles}, person: map[ResourceKey]ID{}, holders: map[ID][]RoleHolder{},
		inFlight: map[ResourceKey][]Change{}, certain: map[ID]bool{}}
	for _, h := range a.Holders {
		f.person[h.Account] = h.Person
		f.holders[h.Person] = append(f.holders[h.Person], h)
	}
	for _, c := range a.InFlight {
		f.inFlight[c.Account] = append(f.inFlight[c.Account], c)
	}
	for person := range f.holders {
		if f.certain[person] = f.of(person).Count() > 0; f.certain[person] {
			f.before++
		}
	}
	f.now = f.before
	return f
}

// of returns what is known about one person, without the others.
func (f *PlanFloor) of(person ID) Admins {
	a := f.admins
	a.Holders = f.holders[person]
	for _, h := range a.Holders {
		a.InFlight = append(a.InFlight, f.inFlight[h.Account]...)
	}
	return a
}

// Of returns what the minimum is checked against for a change: nothing if the account holds no role of
// administrators, because the change cannot lower their number.
func (f *PlanFloor) Of(c Change) Admins {
	person, is := f.person[c.Account]
	if !is || person == "" {
		return Admins{Roles: f.admins.Roles}
	}
	a := f.of(person)
	if a.Others = f.now; f.certain[person] {
		a.Others--
	}
	a.InFlight = slices.DeleteFunc(a.InFlight, func(other Change) bool { return other == c })
	return a
}

// Plan counts a change as in flight.
func (f *PlanFloor) Plan(c Change) {
	person, is := f.person[c.Account]
	if !is || slices.Contains(f.inFlight[c.Account], c) {
		return
	}
	f.inFlight[c.Account] = append(f.inFlight[c.Account], c)
	was := f.certain[person]
	f.certain[person] = f.of(person).Count() > 0
	switch is := f.certain[person]; {
	case was && !is:
		f.now--
	case is && !was:
		f.now++
	}
}

// Counts returns the number of administrators before the first row and after the last one.
func (f *PlanFloor) Counts() (before, after, minimum int) {
	return f.before, f.now, f.admins.Minimum
}

// Lower returns the entitlement to grant to an account that loses one of a role, so that it has the
// next lower role; 0 if it holds one of that role already. ok is false if there is no lower role.
func (m RoleMap) Lower(e EntitlementKey, held []EntitlementKey) (to EntitlementKey, ok bool) {
	from := slices.IndexFunc(m.Roles, func(r AppRole) bool { return slices.Contains(r.Entitlements, e) })
	if from < 0 {
		return 0, false
	}
	for _, r := range m.Roles[from+1:] {
		if r.Admin || len(r.Entitlements) == 0 {
			continue
		}
		if slices.ContainsFunc(r.Entitlements, func(e EntitlementKey) bool { return slices.Contains(held, e) }) {
			return 0, true
		}
		return r.Entitlements[0], true
	}
	return 0, false
}

// CheckApply refuses to apply a plan that is not the one that was looked at, or whose cap is
// exceeded. count is the number of planned rows as whoever applies it typed it; "" if they did not.
func (p RemovalPlan) CheckApply(hash Hash, count string) error {
	n := p.Summary.Planned
	switch {
	case p.State == PlanStale:
		return baton.Errorf(baton.Refused, "the plan is stale: what it relies on has changed").WithFix("Compute it again.")
	case p.State != PlanReady:
		return baton.Errorf(baton.Refused, "the plan is %s and cannot be applied", p.State)
	case hash != p.Hash:
		return baton.Errorf(baton.Refused, "the plan is not the one that you looked at").WithFix("Look at it again, then apply it.")
	case n == 0:
		return baton.Errorf(baton.Refused, "no row of the plan can be carried out").WithFix("See why at each row.")
	case p.Cap > 0 && n > p.Cap:
		return baton.Errorf(baton.Refused, "the plan carries out %d rows; its cap is %d", n, p.Cap).WithFix("Make smaller plans.")
	case n >= PlanCountFrom && count != strconv.Itoa(n):
		return baton.Errorf(baton.Invalid, "the number of rows is missing or wrong").WithFix("Type %d, the number of rows that are carried out.", n)
	}
	return nil
}

// DuePlan is the kind of the due rows of plans that are computed, carried out or verified. They refer
// to the plan.
const DuePlan = "plan.advance"

// ChangedTo says what a row relies on that is different now.
func (r PlanRow) ChangedTo(now PlanRow) string {
	switch a, b := r.Facts, now.Facts; {
	case now.State == RowGone:
		return "The account does not hold it any more."
	case r.State == RowGone:
		return "The account holds it again."
	case a.Owner != b.Owner:
		return "The account belongs to somebody else now."
	case a.Left != b.Left:
		return "The owner of the account was disabled or enabled."
	case a.Since != b.Since || a.Direct != b.Direct:
		return "A sync shows the access in another way."
	case !slices.EqualFunc(a.Reasons, b.Reasons, func(a, b PlanReason) bool { return a.ID == b.ID && a.Until.Equal(b.Until) }):
		return "The reasons of the access changed."
	case a.Bar != b.Bar:
		return "Somebody removed the access, or lifted its bar."
	case a.Admin != b.Admin || a.To != b.To:
		return "The roles of the account, or of the application, changed."
	case b.Guard != "" && a.Guard == "":
		return "A guard forbids it now: " + now.Said
	case a.Guard != b.Guard:
		return "The guard that forbade it does not any more, or another one does."
	}
	return "What it relies on changed."
}
