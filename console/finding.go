package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
)

// Finding is something in an app that needs somebody. It appears when the console sees its cause, and
// resolves when the cause is gone. People may accept or snooze it until a time; then it is open again.
type Finding struct {
	ID      ID
	App     ID
	Kind    FindingKind
	Subject string // names the cause within the app and the kind
	State   FindingState
	FindingAbout
	Appeared time.Time // when the present cause was first seen
	Resolved time.Time // zero while there is a cause
	Told     time.Time // when its owners were last told; zero: not about the present cause
	Until    time.Time // when the acceptance or the snooze ends
	Why      string    // why it was accepted
	By       Actor     // who accepted or snoozed it
	Version  int64
}

// FindingAbout names the objects of a finding. Fields that do not matter are zero.
type FindingAbout struct {
	Connector   ID
	Account     ResourceKey
	Entitlement EntitlementKey
	Object      string            // id of the operation, the sync or the credential
	Detail      map[string]string // further values for its sentence and its link
}

// FindingState says whether a finding needs somebody now.
type FindingState string

const (
	FindingOpen     FindingState = "open"
	FindingAccepted FindingState = "accepted" // a person gave a reason to leave it until a time
	FindingSnoozed  FindingState = "snoozed"  // put off until a time
	FindingResolved FindingState = "resolved" // its cause is gone
)

// FindingStates lists the states of findings.
func FindingStates() []FindingState {
	return []FindingState{FindingOpen, FindingAccepted, FindingSnoozed, FindingResolved}
}

// FindingKind is the kind of a finding.
type FindingKind string

const (
	AdminsBelow        FindingKind = "admins-below"
	SyncHeldWaits      FindingKind = "sync-held"
	AccessOverdue      FindingKind = "access-overdue"
	AccessCameBack     FindingKind = "access-came-back"
	ConnectorFailing   FindingKind = "connector-failing"
	ConnectorOffline   FindingKind = "connector-offline"
	UnexplainedChange  FindingKind = "change-unexplained"
	RoleUnclear        FindingKind = "role-unknown"
	AdminsNear         FindingKind = "admins-near"
	OperationByHand    FindingKind = "operation-by-hand"
	AccountExcluded    FindingKind = "account-excluded"
	AccountOrphaned    FindingKind = "account-orphaned"
	CredentialEnds     FindingKind = "credential-ends"
	AppWithoutOwner    FindingKind = "app-without-owner"
	AccountSeveral     FindingKind = "account-several-roles"
	AccountWithout     FindingKind = "account-without-owner"
	IncompatibleAccess FindingKind = "access-incompatible"
	CourseLapsed       FindingKind = "course-lapsed"
	AccountUnmatched   FindingKind = "account-unmatched"
	ConnectorNotCalled FindingKind = "connector-not-connected"
	SeatsExceeded      FindingKind = "seats-exceeded"
	SeatsNear          FindingKind = "seats-nearly-full"
	SeatsRenewal       FindingKind = "seats-renewal"
	AutomationHalted   FindingKind = "automation-stopped"
)

// FindingRule describes a kind of findings.
type FindingRule struct {
	Kind  FindingKind
	Label string // of one, for display
	Many  string // of several, after their number
	Act   string // the text of the link
	// Path returns the page on which somebody acts.
	Path func(Finding) string
	// OfConnector means that those who look after the connector see it and may accept it, too.
	OfConnector bool
	// Tells means that the owners are told when one appears. Others are told by the event of the
	// cause itself.
	Tells bool
}

// FindingRules lists the kinds of findings, those that somebody should look at first in front.
func FindingRules() []FindingRule { return findingRules }

var findingRules = []FindingRule{
	{Kind: AdminsBelow, Label: "Too few administrators", Many: "applications with too few administrators", Act: "See who is administrator", Path: appPath("/recovery"), Tells: true},
	{Kind: SyncHeldWaits, Label: "Held sync", Many: "held syncs", Act: "Apply or discard it", Path: connectorPath(""), OfConnector: true},
	{Kind: AccessOverdue, Label: "Overdue access", Many: "accesses whose time is over", Act: "See why", Path: accessPath},
	{Kind: AccessCameBack, Label: "Came back", Many: "accesses that came back after their removal", Act: "Look at it", Path: accessPath},
	{Kind: ConnectorFailing, Label: "Connector fails", Many: "connectors that fail", Act: "Read what failed", Path: connectorPath(""), OfConnector: true},
	{Kind: ConnectorOffline, Label: "Connector offline", Many: "connectors that are offline", Act: "See its hosts", Path: connectorPath("/hosts"), OfConnector: true},
	{Kind: AutomationHalted, Label: "Automation stopped", Many: "automations that were stopped", Act: "See why", Path: func(f Finding) string { return "/automations/" + f.Object }},
	{Kind: UnexplainedChange, Label: "Unexplained change", Many: "unexplained changes", Act: "Explain or undo it", Path: changePath, Tells: true},
	{Kind: RoleUnclear, Label: "Role unknown", Many: "accounts whose role is unknown", Act: "Leave one role", Path: accountPath(""), Tells: true},
	{Kind: AdminsNear, Label: "Minimum of administrators reached", Many: "applications at their minimum of administrators", Act: "See who is administrator", Path: appPath("/recovery"), Tells: true},
	{Kind: OperationByHand, Label: "To do by hand", Many: "changes to make by hand", Act: "See the steps", Path: func(f Finding) string { return appPath("/operations/" + f.Object)(f) }},
	{Kind: AccountExcluded, Label: "Account not shown", Many: "created accounts that no sync shows", Act: "See what was done", Path: func(f Finding) string { return appPath("/operations/" + f.Object)(f) }, Tells: true},
	{Kind: CourseLapsed, Label: "Course missing or lapsed", Many: "holders who lack a required course", Act: "Look at it", Path: accessPath},
	{Kind: IncompatibleAccess, Label: "Incompatible access", Many: "accounts with incompatible access", Act: "Look at it", Path: accessPath, Tells: true},
	{Kind: SeatsExceeded, Label: "Seats exceeded", Many: "applications with more seats used than purchased", Act: "Free or purchase seats", Path: appPath("/seats"), Tells: true},
	{Kind: SeatsRenewal, Label: "Renewal soon", Many: "applications whose seats are renewed soon", Act: "See the seats", Path: appPath("/seats"), Tells: true},
	{Kind: SeatsNear, Label: "Seats nearly full", Many: "applications with nearly no seat left", Act: "See the seats", Path: appPath("/seats"), Tells: true},
	{Kind: AccountOrphaned, Label: "Owner left", Many: "accounts whose owner left", Act: "Disable it, or give it an owner", Path: accountPath(""), Tells: true},
	{Kind: CredentialEnds, Label: "Credential ends", Many: "credentials that end soon", Act: "Rotate", Path: connectorPath("/settings/edit"), OfConnector: true},
	{Kind: AppWithoutOwner, Label: "Application without owner", Many: "applications without owner", Act: "Choose an owner", Path: appPath(""), Tells: true},
	{Kind: AccountSeveral, Label: "Several roles", Many: "accounts with several roles", Act: "Leave one role", Path: accountPath("")},
	{Kind: AccountWithout, Label: "Service account without owner", Many: "service accounts without owner", Act: "Choose an owner", Path: accountPath(""), Tells: true},
	{Kind: AccountUnmatched, Label: "Unmatched account", Many: "accounts that belong to nobody", Act: "Say whose it is", Path: accountPath(""), Tells: true},
	{Kind: ConnectorNotCalled, Label: "Not connected yet", Many: "connectors that are not connected yet", Act: "Connect it", Path: connectorPath("/settings"), OfConnector: true},
}

// Rule returns the description of a kind; ok is false if there is no such kind.
func (k FindingKind) Rule() (r FindingRule, ok bool) {
	i := slices.IndexFunc(findingRules, func(r FindingRule) bool { return r.Kind == k })
	if i < 0 {
		return FindingRule{Kind: k, Label: string(k)}, false
	}
	return findingRules[i], true
}

func appPath(page string) func(Finding) string {
	return func(f Finding) string { return "/applications/" + string(f.App) + page }
}

func connectorPath(page string) func(Finding) string {
	return func(f Finding) string { return "/connectors/" + string(f.Connector) + page }
}

func accountPath(page string) func(Finding) string {
	return func(f Finding) string {
		return appPath("/accounts/" + strconv.FormatInt(int64(f.Account), 10) + page)(f)
	}
}

func accessPath(f Finding) string {
	if f.Entitlement == AccountItself {
		return accountPath("")(f)
	}
	return accountPath("/entitlements/" + strconv.FormatInt(int64(f.Entitlement), 10))(f)
}

func changePath(f Finding) string {
	return appPath("/changes?show=unexplained&from=" + f.Detail["from"] + "&to=" + f.Detail["sync"])(f)
}

// The longest time for which a finding can be accepted or snoozed.
const (
	MaxAccepted = 366 * 24 * time.Hour
	MaxSnoozed  = 31 * 24 * time.Hour
)

// maxFindingReason limits the reason of an acceptance, in bytes.
const maxFindingReason = 2000

// TellAgain is how long the owners are not told again about a cause that was gone and is back.
const TellAgain = 24 * time.Hour

// Accept checks an acceptance, or a snooze if why is not needed, of a finding until a time.
func (f Finding) Accept(state FindingState, until time.Time, why string, now time.Time) error {
	longest := MaxAccepted
	if state == FindingSnoozed {
		longest = MaxSnoozed
	}
	switch {
	case f.State == FindingResolved:
		return baton.Errorf(baton.Refused, "the cause of this finding is gone").WithFix("Nothing is left to do.")
	case state == FindingAccepted && strings.TrimSpace(why) == "":
		return baton.Errorf(baton.Invalid, "the reason is missing").WithFix("Write why it may stay as it is.")
	case len(why) > maxFindingReason:
		return baton.Errorf(baton.Invalid, "the reason is longer than %d bytes", maxFindingReason)
	case !until.After(now):
		return baton.Errorf(baton.Invalid, "the time until which it counts is over").WithFix("Choose a later day.")
	case until.Sub(now) > longest:
		return baton.Errorf(baton.Invalid, "the time until which it counts is too far away").WithFix("Choose a day within %d days.", int(longest.Hours()/24))
	}
	return nil
}

// FindingsKept is how long resolved findings are kept.
const FindingsKept = 180 * 24 * time.Hour

// DueFindings is the kind of the due rows of findings that must be brought up to date. They refer to
// an app and a kind of findings: see [FindingsRef].
const DueFindings = "findings"

// FindingsRef returns the reference of the due row for a kind of findings of an app.
func FindingsRef(app ID, k FindingKind) string { return string(app) + "/" + string(k) }

// ParseFindingsRef is the inverse of [FindingsRef].
func ParseFindingsRef(ref string) (ID, FindingKind) {
	app, kind, _ := strings.Cut(ref, "/")
	return ID(app), FindingKind(kind)
}
