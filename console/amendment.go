package console

import (
	"slices"
	"time"
)

// Amendment is a change that weakens a control: a policy with fewer steps, another owner, a smaller
// minimum of administrators. It takes effect when a second person confirms it, and never for
// requests of its author.
type Amendment struct {
	ID        ID
	Kind      AmendmentKind
	App       ID     // "" for a policy
	Object    string // id of the policy or the app, or app and entitlement
	Before    []byte // as JSON
	After     []byte
	Why       string
	Author    ID
	Created   time.Time
	State     AmendmentState
	Decided   time.Time
	DecidedBy ID
}

// AmendmentKind says what an amendment changes.
type AmendmentKind string

const (
	AmendPolicy   AmendmentKind = "policy"   // After is a [Policy]
	AmendSettings AmendmentKind = "settings" // After is a [SettingsVersion]
	AmendApp      AmendmentKind = "app"      // After is an [AppGuards]
	AmendAccount  AmendmentKind = "account"  // After is an [AccountTypeChange]
	AmendErasure  AmendmentKind = "erasure"  // Object is a person whose personal data is removed

	AmendRequirement AmendmentKind = "requirement" // After is a [Requirement]
	AmendExemption   AmendmentKind = "exemption"   // After is an [Exemption]
	AmendRoles       AmendmentKind = "roles"       // After is a [RolesChange]
)

// AmendmentState says whether an amendment was decided.
type AmendmentState string

const (
	AmendmentOpen      AmendmentState = "open"
	AmendmentConfirmed AmendmentState = "confirmed"
	AmendmentDiscarded AmendmentState = "discarded"
)

// AppGuards are the settings of an app that control who decides.
type AppGuards struct {
	Owners        []ID    `json:"owners"`
	Roles         RoleMap `json:"roles"`
	MinimumAdmins int     `json:"minimum_admins"`
}

// AccountTypeChange says for whom an account is that holds an entitlement of administrators.
type AccountTypeChange struct {
	Account ResourceKey `json:"account"`
	Kind    AccountKind `json:"kind"`
}

// RolesChange says which roles in the console a person has.
type RolesChange struct {
	Person ID            `json:"person"`
	Roles  []ConsoleRole `json:"roles"`
}

// GuardsOf returns the settings of an app that decide who decides.
func GuardsOf(a App) AppGuards {
	return AppGuards{Owners: a.Owners, Roles: a.Roles, MinimumAdmins: a.MinimumAdmins}
}

// AtLeast reports whether an app is guarded at least as well as before: nobody else owns it
// and somebody still does, the minimum is no smaller, and the same entitlements mean
// administrator, for accounts of the same kind and with the same priority over the others:
// with more of them, others would count as administrators for the minimum. An app that nobody
// owned gets its first owners freely, and one without administrators its first of those.
func (g AppGuards) AtLeast(before AppGuards) bool {
	if g.MinimumAdmins < before.MinimumAdmins || g.Roles.Priority != before.Roles.Priority && before.Roles.Priority != PriorityUnknown {
		return false
	}
	if len(before.Owners) > 0 && len(g.Owners) == 0 {
		return false
	}
	for _, p := range g.Owners {
		if len(before.Owners) > 0 && !slices.Contains(before.Owners, p) {
			return false
		}
	}
	admins := before.Roles.AdminEntitlements()
	for _, e := range admins {
		if !g.Roles.GivesAdmin(e) || g.Roles.kindOf(e) != before.Roles.kindOf(e) {
			return false
		}
		if g.Roles.Priority == before.Roles.Priority && !sameSet(g.Roles.above(e), before.Roles.above(e)) {
			return false
		}
	}
	return len(admins) == 0 || len(g.Roles.AdminEntitlements()) == len(admins)
}

// above returns the entitlements of other roles that count more than an entitlement's, for an
// account that holds both.
func (m RoleMap) above(e EntitlementKey) (all []EntitlementKey) {
	i := slices.IndexFunc(m.Roles, func(r AppRole) bool { return slices.Contains(r.Entitlements, e) })
	for j, r := range m.Roles {
		if i >= 0 && !r.Admin && (m.Priority == HighestWins && j < i || m.Priority == LowestWins && j > i) {
			all = append(all, r.Entitlements...)
		}
	}
	return all
}

func sameSet(a, b []EntitlementKey) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// kindOf returns whom the accounts that hold an entitlement are for, according to its role.
func (m RoleMap) kindOf(e EntitlementKey) AccountKind {
	for _, r := range m.Roles {
		if slices.Contains(r.Entitlements, e) {
			return r.Kind
		}
	}
	return AccountUnspecified
}

// SettingsVersion is a version of the request settings of an app or an entitlement.
type SettingsVersion struct {
	App         ID
	Entitlement EntitlementKey // [WholeApp] for the app's own
	Version     int            // 0: never set
	Settings    RequestSettings
	Author      ID
	Second      ID
	Weaker      bool // it allows requests that were not allowed before, or changes who decides
	Created     time.Time
}

// WholeApp takes the place of an entitlement in the settings of a whole app.
const WholeApp EntitlementKey = -1
