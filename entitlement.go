package baton

import "strings"

// Purpose says what holding an entitlement means.
type Purpose int

// The purposes, numbered as the wire numbers them.
const (
	PurposeAssignment Purpose = 1
	PurposePermission Purpose = 2
)

// EntitlementID names an entitlement: a slug on a resource.
type EntitlementID struct {
	Resource ResourceID
	Slug     string
}

// String is the entitlement's identity, "type:id:slug".
func (e EntitlementID) String() string { return e.Resource.String() + ":" + e.Slug }

// ParseEntitlementID splits the id of an entitlement on a resource at its slug. It reports
// false for an id of another form, which files of other programs may hold.
func ParseEntitlementID(id string, resource ResourceID) (e EntitlementID, ok bool) {
	slug, ok := strings.CutPrefix(id, resource.String()+":")
	return EntitlementID{Resource: resource, Slug: slug}, ok && slug != ""
}

// Entitlement is something that can be held on a resource.
type Entitlement struct {
	ID           EntitlementID
	ResourceName string // display name of the resource, repeated for readers without a join
	DisplayName  string
	Description  string
	Purpose      Purpose
	GrantableTo  []string // resource type ids of the principals that may hold it
}

// GrantID names a grant: who holds which entitlement.
type GrantID struct {
	Entitlement EntitlementID
	Principal   ResourceID
}

// String is the grant's identity, "type:id:slug:principaltype:principalid".
func (g GrantID) String() string { return g.Entitlement.String() + ":" + g.Principal.String() }

// Grant says that a principal holds an entitlement.
type Grant struct {
	ID           GrantID
	ResourceName string  // display name of the entitlement's resource
	Metadata     Profile // what the upstream says of this one grant, such as a completion date
}
