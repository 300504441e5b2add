package console

import "slices"

// RoleMap maps entitlements of an app to roles.
type RoleMap struct {
	Roles    []AppRole // the most powerful first
	Priority Priority
}

// AppRole is a role in an app. Holding any of its entitlements is enough.
type AppRole struct {
	Name         string
	Admin        bool // the role of an administrator
	Entitlements []EntitlementKey
	// Kind is whom accounts with the role are for, if the upstream does not say;
	// [AccountUnspecified]: unknown.
	Kind AccountKind `json:",omitempty"`
}

// Priority is which role applies to an account that holds several.
type Priority string

const (
	PriorityUnknown Priority = "" // not decided yet
	HighestWins     Priority = "highest"
	LowestWins      Priority = "lowest"
)

// EffectiveRole is the role of an account. Risk and Floor differ only while the app's priority is
// unknown and the account holds several roles.
type EffectiveRole struct {
	Risk  *AppRole // the worst case, for reviews and findings; nil without a role
	Floor *AppRole // the certain case, for the minimum of administrators; nil without a role
	Held  int      // number of roles that the account holds
}

// Effective returns the role of an account from the entitlements it holds.
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

// Entitlements returns the entitlements of all roles.
func (m RoleMap) Entitlements() []EntitlementKey {
	var all []EntitlementKey
	for _, r := range m.Roles {
		all = append(all, r.Entitlements...)
	}
	return all
}

// AdminEntitlements returns the entitlements of administrator roles.
func (m RoleMap) AdminEntitlements() []EntitlementKey {
	var all []EntitlementKey
	for _, r := range m.Roles {
		if r.Admin {
			all = append(all, r.Entitlements...)
		}
	}
	return all
}

// GivesAdmin reports whether an entitlement belongs to an administrator role.
func (m RoleMap) GivesAdmin(e EntitlementKey) bool { return slices.Contains(m.AdminEntitlements(), e) }

// SaysType reports whether a role determines whom its accounts are for.
func (m RoleMap) SaysType() bool {
	return slices.ContainsFunc(m.Roles, func(r AppRole) bool { return r.Kind != AccountUnspecified })
}

func (r *AppRole) admin() bool { return r != nil && r.Admin }
