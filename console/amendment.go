package console

import (
	"slices"
	"time"
)

// Amendment is a change after which less is asked of somebody who wants access: a policy
// with fewer steps, another owner, a smaller minimum of admins. It takes effect when a
// second person confirms it, and never for requests of its author.
type Amendment struct {
	ID        ID
	Kind      AmendmentKind
	App       ID     // "" for a policy
	Object    string // the policy, the app, or the app and entitlement that change
	Before    []byte // as JSON
	After     []byte
	Why       string
	Author    ID
	Created   time.Time
	State     AmendmentState
	Decided   time.Time
	DecidedBy ID
}

// AmendmentKind says what changes.
type AmendmentKind string

// What can change.
const (
	AmendPolicy   AmendmentKind = "policy"   // After is a [Policy]
	AmendSettings AmendmentKind = "settings" // After is a [SettingsVersion]
	AmendApp      AmendmentKind = "app"      // After is an [AppGuards]
)

// AmendmentState says whether somebody decided about a change.
type AmendmentState string

// The states of changes.
const (
	AmendmentOpen      AmendmentState = "open"
	AmendmentConfirmed AmendmentState = "confirmed"
	AmendmentDiscarded AmendmentState = "discarded"
)

// AppGuards are the settings of an app that decide who decides.
type AppGuards struct {
	Owners        []ID    `json:"owners"`
	Roles         RoleMap `json:"roles"`
	MinimumAdmins int     `json:"minimum_admins"`
}

// GuardsOf returns the settings of an app that decide who decides.
func GuardsOf(a App) AppGuards {
	return AppGuards{Owners: a.Owners, Roles: a.Roles, MinimumAdmins: a.MinimumAdmins}
}

// AtLeast reports whether an app is guarded at least as well as before: nobody else owns it,
// every entitlement that meant administrator still does, for accounts of the same kind, and the minimum is no smaller. An
// app that nobody owned gets its first owners freely.
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

// kindOf returns for whom the accounts are that hold an entitlement, as its role says.
func (m RoleMap) kindOf(e EntitlementKey) AccountKind {
	for _, r := range m.Roles {
		if slices.Contains(r.Entitlements, e) {
			return r.Kind
		}
	}
	return AccountUnspecified
}

// SettingsVersion is a version of what may be asked for of an app or an entitlement.
type SettingsVersion struct {
	App         ID
	Entitlement EntitlementKey // [WholeApp] for the app's own
	Version     int            // 0 when nobody set any
	Settings    RequestSettings
	Author      ID
	Second      ID
	Weaker      bool // something can be asked for that could not before, or is decided by others
	Created     time.Time
}

// WholeApp stands in the place of an entitlement for the settings of a whole app.
const WholeApp EntitlementKey = -1

// CountsFor reports whether a version of a policy or of settings counts for a request: one
// that asks for less never counts for those who wrote it.
func CountsFor(author ID, weaker bool, subject, requester ID) bool {
	return !weaker || author == "" || author != subject && author != requester
}
