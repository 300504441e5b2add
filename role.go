package baton

// Role is a role that entitlements confer, such as Admin. Holding any one of them is enough.
type Role struct {
	Name         string
	Privileged   bool // highlighted in every review
	Entitlements []EntitlementID
}

// Roles lists the roles in a sync, the most powerful first.
type Roles struct {
	Roles []Role
	// Counts is the name of the role that applies to an account with several; "" if unknown.
	Counts string
	// Fix is the advice for an unknown Counts.
	Fix string
}

// Column is an attribute of a profile that has a column in lists of a resource type.
type Column struct {
	Key   string // in the profile
	Title string
}

// RoleHints say which entitlements carry the roles of the upstream, according to the operator of a
// connector. A console derives its proposal from them.
type RoleHints struct {
	ResourceType string `json:"resource_type"` // of the resources with the entitlements, such as "group"
	Slug         string `json:"slug"`          // of the entitlements, such as "member"
	// Admin and Member are the resources whose entitlement gives the role.
	Admin         RoleNames `json:"admin"`
	Member        RoleNames `json:"member"`
	Priority      string    `json:"priority,omitempty"` // "admin" or "member"; "" if unknown
	MinimumAdmins int       `json:"minimum_admins,omitempty"`
}

// RoleNames name the resources that carry one role.
type RoleNames struct {
	Configured []string `json:"configured,omitempty"` // ids or display names; if there are any, Usual is ignored
	Usual      []string `json:"usual,omitempty"`      // display names, only letters and digits, in lower case
}
