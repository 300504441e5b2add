package baton

// Role is a standing that some entitlements give, such as Admin. Holding any one of
// them is enough.
type Role struct {
	Name         string
	Privileged   bool // worth a second look in every review
	Entitlements []EntitlementID
}

// Roles are the roles that a sync shows, the most powerful first.
type Roles struct {
	Roles []Role
	// Counts is the name of the role that counts for somebody who holds several; ""
	// when that is not known.
	Counts string
	// Fix says what to do about an unknown Counts.
	Fix string
}

// Column is an attribute of a profile that is worth a column where resources of a
// type are listed.
type Column struct {
	Key   string // in the profile
	Title string
}
