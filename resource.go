package baton

import "time"

// ResourceID names a resource within one connector. ID is the upstream's own
// opaque, case-exact identifier.
type ResourceID struct {
	Type string
	ID   string
}

// String is the resource's identity, "type:id".
func (r ResourceID) String() string { return r.Type + ":" + r.ID }

// Trait says what a resource type is to a reviewer.
type Trait int

// The traits this project uses, numbered as the wire numbers them.
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
	// NoEntitlements marks a type that never carries entitlements or grants of its
	// own, such as accounts; readers then need not ask.
	NoEntitlements bool
	// Ranks are slugs of which a principal holds only the highest on a resource,
	// highest first: who has completed a course is no longer in progress. A feed may
	// deliver grants of several; the sync keeps the one that ranks highest.
	Ranks []string
	// Columns are what a report shows of each resource beside its name.
	Columns []Column
	// Provision says that entitlements of this type can be granted and revoked,
	// or accounts of this type created.
	Provision bool
}

// Status is whether a resource is in use. The zero value is "the upstream does not
// say", which is not the same as disabled.
type Status int

// The states of a resource, numbered as the wire numbers them.
const (
	StatusUnspecified Status = 0
	StatusEnabled     Status = 1
	StatusDisabled    Status = 2
	StatusDeleted     Status = 3
)

// Profile holds a resource's free attributes. Values are string, bool, float64,
// int, []string, or nested Profile; nothing else can be written to a file.
type Profile map[string]any

// Resource is a row of the upstream: an account, a group, a course.
type Resource struct {
	ID          ResourceID
	Parent      ResourceID // zero when the resource stands alone
	DisplayName string
	Description string
	Status      Status
	CreatedAt   time.Time // zero when the upstream does not say
	Profile     Profile
	User        *User  // set on resources of a type with TraitUser
	Group       *Group // set on resources of a type with TraitGroup
}

// Email is one address of an account.
type Email struct {
	Address string
	Primary bool
}

// User is what a resource with the user trait adds.
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

// AccountKind says whom an account is for.
type AccountKind int

// The kinds of accounts. An account of which the file does not say it counts as a person's.
const (
	PersonAccount AccountKind = iota
	ServiceAccount
	SystemAccount
)

// Group is what a resource with the group trait adds.
type Group struct{}
