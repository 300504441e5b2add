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
