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

// GuardsOf returns the guards of an app.
func GuardsOf(a App) AppGuards {
	return AppGuards{Owners: a.Owners, Roles: a.Roles, MinimumAdmins: a.MinimumAdmins}
}

// AtLeast reports whether an app is guarded at least as well as before: it has no new owner, every
// entitlement that meant administrator still does, for accounts of the same kind, and the minimum is
// no smaller. An app without owners may get its first ones.
func (g AppGuards) AtLeast(before AppGuards) bool {
	if g.MinimumAdmins < before.MinimumAdmins || g.Roles.Priority != before.Roles.Priority && before.Roles.Priority != PriorityUnknown {
		return false
	}
	for _, p := range g.Owners {
		if len(before.Owners) > 0 && !slices.Contains(before.Owners, p) {
			return false
		}
	}
	for _, e := range before.Roles.AdminEntitlements() {
		if !g.Roles.GivesAdmin(e) || g.Roles.kindOf(e) != before.Roles.kindOf(e) {
			return false
		}
	}
	return true
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
