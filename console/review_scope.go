package console

import (
	"slices"
	"time"

	"baton"
)

// ReviewScope says which access a campaign reviews. An access is in scope if it meets every criterion
// that is set.
type ReviewScope struct {
	Apps         []ID             `json:"apps,omitempty"` // none: all applications
	Entitlements []EntitlementKey `json:"entitlements,omitempty"`
	Principals   []ResourceKey    `json:"principals,omitempty"` // only access of these accounts
	Admins       bool             `json:"admins,omitempty"`     // only entitlements that mean administrator
	// People, Managers and Departments choose whose access is reviewed; any one of them is enough.
	People      []ID     `json:"people,omitempty"`
	Managers    []ID     `json:"managers,omitempty"` // whoever reports to them
	Departments []string `json:"departments,omitempty"`
	// Accounts chooses kinds of accounts; any one of them is enough.
	Accounts []ReviewAccounts `json:"accounts,omitempty"`
	// States chooses access that nobody explained, or that came back; any one of them is enough.
	States    []State   `json:"states,omitempty"`
	NewSince  time.Time `json:"new_since,omitzero"` // only access that a sync showed later for the first time
	NewWithin Duration  `json:"new_within,omitzero"`
	Permanent bool      `json:"permanent,omitempty"` // only access without an end
	// Incompatible chooses access of people who hold two entitlements that are declared incompatible.
	Incompatible bool `json:"incompatible,omitempty"`
	// Existence also reviews having an account, for accounts that are enabled.
	Existence bool `json:"existence,omitempty"`
	// Console reviews the roles, owners and credentials of the console itself. Criteria about
	// applications do not matter to them.
	Console bool `json:"console,omitempty"`
	// OnlyConsole reviews nothing else.
	OnlyConsole bool `json:"only_console,omitempty"`
}

// ReviewAccounts is a kind of accounts that a campaign can be limited to.
type ReviewAccounts string

const (
	AccountsUnowned  ReviewAccounts = "unowned"
	AccountsDisabled ReviewAccounts = "disabled" // disabled accounts that still hold access
	AccountsService  ReviewAccounts = "service"  // service and system accounts
	AccountsOrphaned ReviewAccounts = "orphaned" // accounts of people who left
)

// ReviewAccountKinds lists the kinds of accounts that a campaign can be limited to.
func ReviewAccountKinds() []ReviewAccounts {
	return []ReviewAccounts{AccountsUnowned, AccountsDisabled, AccountsService, AccountsOrphaned}
}

// The limits of a scope.
const (
	maxScopeList = 1000
	// MaxReviewItems is the largest population of one campaign.
	MaxReviewItems = 250_000
)

// Check returns an error if the scope is invalid.
func (s ReviewScope) Check() error {
	for _, n := range []int{len(s.Apps), len(s.Entitlements), len(s.Principals), len(s.People), len(s.Managers), len(s.Departments)} {
		if n > maxScopeList {
			return baton.Errorf(baton.Invalid, "a list of a scope has at most %d entries", maxScopeList)
		}
	}
	for _, k := range s.Accounts {
		if !slices.Contains(ReviewAccountKinds(), k) {
			return baton.Errorf(baton.Invalid, "there is no kind of accounts %q", k).WithFix("Choose unowned, disabled, service or orphaned.")
		}
	}
	for _, state := range s.States {
		if state != StateUnexplained && state != StateCameBack && state != StateOverdue && state != StateBaseline {
			return baton.Errorf(baton.Invalid, "a scope cannot be limited to the state %q", state).WithFix("Choose unexplained, came-back, overdue or baseline.")
		}
	}
	if s.NewWithin < 0 || s.NewWithin > 366*day {
		return baton.Errorf(baton.Invalid, "new access appeared within 1 to 366 days")
	}
	return nil
}

// ReviewCandidate is one access that may become an item.
type ReviewCandidate struct {
	App         ID
	Entitlement EntitlementKey
	Principal   ResourceKey
	Admin       bool // the entitlement means administrator
	Account     bool // the principal is an account, not a group
	Person      *Person
	Kind        AccountKind
	Disabled    bool
	State       State
	Since       time.Time // when the sync began that first showed it; zero: since the baseline
	Permanent   bool
	// Incompatible means that its person also holds an entitlement that is declared incompatible.
	Incompatible bool
}

// The reasons for which a fact is no item, as the population counts them.
const (
	ExcludedNoAccount     = "held by a group, not by an account"
	ExcludedUnknown       = "principal unknown to the sync"
	ExcludedEntitlement   = "entitlement outside of the scope"
	ExcludedAccount       = "account outside of the scope"
	ExcludedNotAdmin      = "not an administrator's entitlement"
	ExcludedPerson        = "person outside of the scope"
	ExcludedAccountKind   = "account of another kind"
	ExcludedState         = "access in another state"
	ExcludedOld           = "not new"
	ExcludedLimited       = "has an end"
	ExcludedCompatible    = "no incompatible entitlement"
	ExcludedNotEnabled    = "account not enabled"
	ExcludedNoEntitlement = "entitlement unknown to the sync"
)

// Excludes returns why a candidate is not in the scope; "" if it is.
func (s ReviewScope) Excludes(c ReviewCandidate, now time.Time) string {
	switch {
	case !c.Account:
		return ExcludedNoAccount
	case len(s.Entitlements) > 0 && c.Entitlement != AccountItself && !slices.Contains(s.Entitlements, c.Entitlement):
		return ExcludedEntitlement
	case c.Entitlement == AccountItself && !s.Existence:
		return ExcludedEntitlement
	case c.Entitlement == AccountItself && c.Disabled:
		return ExcludedNotEnabled
	case len(s.Principals) > 0 && !slices.Contains(s.Principals, c.Principal):
		return ExcludedAccount
	case s.Admins && !c.Admin:
		return ExcludedNotAdmin
	case !s.hasPerson(c.Person):
		return ExcludedPerson
	case len(s.Accounts) > 0 && !slices.ContainsFunc(s.Accounts, c.isOf):
		return ExcludedAccountKind
	case len(s.States) > 0 && !slices.Contains(s.States, c.State):
		return ExcludedState
	case !s.isNew(c, now):
		return ExcludedOld
	case s.Permanent && !c.Permanent:
		return ExcludedLimited
	case s.Incompatible && !c.Incompatible:
		return ExcludedCompatible
	}
	return ""
}

func (s ReviewScope) hasPerson(p *Person) bool {
	if len(s.People) == 0 && len(s.Managers) == 0 && len(s.Departments) == 0 {
		return true
	}
	return p != nil && (slices.Contains(s.People, p.Canonical()) || p.Manager != "" && slices.Contains(s.Managers, p.Manager) ||
		p.Department != "" && slices.Contains(s.Departments, p.Department))
}

// isNew reports whether the candidate appeared within the scope's time. What the first sync of its
// connector showed is not new: that sync proves no date.
func (s ReviewScope) isNew(c ReviewCandidate, now time.Time) bool {
	since := s.NewSince
	if s.NewWithin > 0 {
		since = later(since, now.Add(-time.Duration(s.NewWithin)))
	}
	return since.IsZero() || c.Since.After(since)
}

func (c ReviewCandidate) isOf(k ReviewAccounts) bool {
	switch k {
	case AccountsUnowned:
		return c.Person == nil
	case AccountsDisabled:
		return c.Disabled
	case AccountsService:
		return !c.Kind.Human()
	case AccountsOrphaned:
		return c.Person != nil && c.Person.Status != PersonActive
	}
	return false
}
