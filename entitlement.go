package baton

import "strings"

// Purpose classifies an entitlement by the meaning of holding it.
type Purpose int

// The purposes. The numbers are those of the protocol.
const (
	PurposeAssignment Purpose = 1
	PurposePermission Purpose = 2
)

// EntitlementID identifies an entitlement: a slug on a resource.
type EntitlementID struct {
	Resource ResourceID
	Slug     string
}

// String returns the entitlement's identity, "type:id:slug".
func (e EntitlementID) String() string { return e.Resource.String() + ":" + e.Slug }

// ParseEntitlementID splits the id of an entitlement on a resource at its slug. ok is false for an id of
// another form, which files of other programs may contain.
func ParseEntitlementID(id string, resource ResourceID) (e EntitlementID, ok bool) {
	slug, ok := strings.CutPrefix(id, resource.String()+":")
	return EntitlementID{Resource: resource, Slug: slug}, ok && slug != ""
}

// Entitlement is a permission or membership that principals can hold on a resource.
type Entitlement struct {
	ID           EntitlementID
	ResourceName string // display name of the resource, repeated for readers without a join
	DisplayName  string
	Description  string
	Purpose      Purpose
	GrantableTo  []string // resource type ids of the principals that may hold it
}

// GrantID identifies a grant: a principal and the entitlement that it holds.
type GrantID struct {
	Entitlement EntitlementID
	Principal   ResourceID
}

// String returns the grant's identity, "type:id:slug:principaltype:principalid".
func (g GrantID) String() string { return g.Entitlement.String() + ":" + g.Principal.String() }

// Grant records that a principal holds an entitlement.
type Grant struct {
	ID           GrantID
	ResourceName string  // display name of the entitlement's resource
	Metadata     Profile // attributes of this grant, such as a completion date
}
