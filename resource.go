package baton

import "time"

// ResourceID identifies a resource within one connector. ID is the upstream's own opaque, case-exact
// identifier.
type ResourceID struct {
	Type string
	ID   string
}

// String returns the resource's identity, "type:id".
func (r ResourceID) String() string { return r.Type + ":" + r.ID }

// Trait classifies a resource type for reviewers.
type Trait int

// The traits that this project uses. The numbers are those of the protocol.
const (
	TraitUser  Trait = 1
	TraitGroup Trait = 2
	TraitRole  Trait = 3
	TraitApp   Trait = 4
)

// ResourceType describes a kind of resource.
type ResourceType struct {
	ID          string
	DisplayName string
	Description string
	Traits      []Trait
	// NoEntitlements marks a type whose resources never have entitlements or grants of their own, such as
	// accounts, so that readers can skip them.
	NoEntitlements bool
	// Ranks lists slugs, highest first, of which a principal holds only the highest on a resource: an account
	// that has completed a course is no longer in progress. A feed may deliver grants of several; the sync
	// keeps the highest.
	Ranks []string
	// Columns lists the attributes that a report shows of each resource beside its name.
	Columns []Column
	// Provision reports that entitlements of this type can be granted and revoked, or accounts of this type
	// created.
	Provision bool
}

// Status tells whether a resource is in use. The zero value means that the upstream does not say, which is
// not the same as disabled.
type Status int

// The states of a resource. The numbers are those of the protocol.
const (
	StatusUnspecified Status = 0
	StatusEnabled     Status = 1
	StatusDisabled    Status = 2
	StatusDeleted     Status = 3
)

// Profile holds a resource's free-form attributes. Values are string, bool, float64, int, []string, or nested
// Profile; other types cannot be written to a file.
type Profile map[string]any

// Resource is an object of the upstream: an account, a group, a course.
type Resource struct {
	ID          ResourceID
	Parent      ResourceID // zero if there is none
	DisplayName string
	Description string
	Status      Status
	CreatedAt   time.Time // zero if unknown
	Profile     Profile
	User        *User  // set on resources of a type with TraitUser
	Group       *Group // set on resources of a type with TraitGroup
}

// Email is one e-mail address of an account.
type Email struct {
	Address string
	Primary bool
}

// User holds the attributes of a resource with the user trait.
type User struct {
	Emails       []Email
	Login        string
	LoginAliases []string
	GivenName    string
	FamilyName   string
	MiddleNames  []string
	EmployeeIDs  []string
	LastLogin    time.Time
	Kind         AccountKind
}

// AccountKind tells whether an account belongs to a person.
type AccountKind int

// The kinds of accounts. An account of unknown kind counts as a person's.
const (
	PersonAccount AccountKind = iota
	ServiceAccount
	SystemAccount
)

// Group holds the attributes of a resource with the group trait. There are none yet.
type Group struct{}
