package console

import "slices"

// RoleMap says which entitlements of an app give which role.
type RoleMap struct {
	Roles    []AppRole // the most powerful first
	Priority Priority
}

// AppRole is a role in an app. Holding any one of its entitlements is enough.
type AppRole struct {
	Name         string
	Admin        bool // means administrator of the app
	Entitlements []EntitlementKey
	// Kind says for whom the accounts with the role are, where the upstream does not know;
	// [AccountUnspecified]: as the upstream says.
	Kind AccountKind `json:",omitempty"`
}

// Priority says which role counts for an account that holds several.
type Priority string

// The priorities.
const (
	PriorityUnknown Priority = "" // nobody said yet
	HighestWins     Priority = "highest"
	LowestWins      Priority = "lowest"
)

// EffectiveRole is the role of an account. The two fields differ only while the app's
// priority is unknown and the account holds several roles.
type EffectiveRole struct {
	Risk  *AppRole // the worse assumption, for reviews and findings; nil without a role
	Floor *AppRole // what is certain, for the minimum of admins; nil without a role
	Held  int      // how many roles the account holds
}

// Effective returns the role of an account that holds entitlements.
func (m RoleMap) Effective(held []EntitlementKey) EffectiveRole {
	var first, last *AppRole
	n := 0
	for i := range m.Roles {
		if slices.ContainsFunc(m.Roles[i].Entitlements, func(e EntitlementKey) bool { return slices.Contains(held, e) }) {
			if first == nil {
				first = &m.Roles[i]
			}
			last = &m.Roles[i]
			n++
		}
	}
	switch m.Priority {
	case HighestWins:
		return EffectiveRole{Risk: first, Floor: first, Held: n}
	case LowestWins:
		return EffectiveRole{Risk: last, Floor: last, Held: n}
	}
	return EffectiveRole{Risk: first, Floor: last, Held: n}
}

// Entitlements returns the entitlements that give any role.
func (m RoleMap) Entitlements() []EntitlementKey {
	var all []EntitlementKey
	for _, r := range m.Roles {
		all = append(all, r.Entitlements...)
	}
	return all
}

// AdminEntitlements returns the entitlements that mean administrator.
func (m RoleMap) AdminEntitlements() []EntitlementKey {
	var all []EntitlementKey
	for _, r := range m.Roles {
		if r.Admin {
			all = append(all, r.Entitlements...)
		}
	}
	return all
}

// GivesAdmin reports whether an entitlement means administrator.
func (m RoleMap) GivesAdmin(e EntitlementKey) bool { return slices.Contains(m.AdminEntitlements(), e) }

// SaysType reports whether a role says for whom the accounts that have it are.
func (m RoleMap) SaysType() bool {
	return slices.ContainsFunc(m.Roles, func(r AppRole) bool { return r.Kind != AccountUnspecified })
}

// admin reports whether a role, if there is one, means administrator.
func (r *AppRole) admin() bool { return r != nil && r.Admin }
