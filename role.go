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

// RoleHints says how an operator told a connector which entitlements carry the roles of the
// upstream. A console proposes its own mapping from it.
type RoleHints struct {
	ResourceType string `json:"resource_type"` // of what the entitlements are held on, such as "group"
	Slug         string `json:"slug"`          // of the entitlements, such as "member"
	// Admin and Member name the resources whose entitlement gives the role.
	Admin         RoleNames `json:"admin"`
	Member        RoleNames `json:"member"`
	Priority      string    `json:"priority,omitempty"` // "admin" or "member"; "" when it is not known
	MinimumAdmins int       `json:"minimum_admins,omitempty"`
}

// RoleNames name the resources that carry one role.
type RoleNames struct {
	Configured []string `json:"configured,omitempty"` // ids or display names; they alone count if there are any
	Usual      []string `json:"usual,omitempty"`      // display names, letters and digits in lower case only
}
