package c1z

import (
	"slices"

	"baton"
	"baton/wire"
)

// Resource is a resource as its connector wrote it.
type Resource struct {
	baton.Resource
	// Annotations holds the names of the annotation messages, such as "UserTrait" or
	// "ExternalLink", in the order of the file.
	Annotations []string
}

// Entitlement is an entitlement as its connector wrote it.
type Entitlement struct {
	ID           string // opaque; many connectors, but not all, write "type:id:slug"
	Resource     baton.ResourceID
	ResourceName string // display name of the resource, if the entitlement contains it
	Slug         string // may be empty
	DisplayName  string
	Description  string
	Purpose      baton.Purpose
	GrantableTo  []string // resource type ids
	Annotations  []string // as in Resource
}

// Grant is a grant as its connector wrote it.
type Grant struct {
	ID           string // opaque
	Entitlement  string // id of the entitlement, which may not be in the sync
	Resource     baton.ResourceID
	ResourceName string // display name of the resource, if the grant contains it
	Principal    baton.ResourceID
	Metadata     baton.Profile // attributes of this grant in the upstream
	Sources      []string      // ids of the entitlements that it was derived from, sorted
	Annotations  []string      // as in Resource
	// Expandable says that the members of the principal hold the entitlement too.
	Expandable bool
}

// decodeResource decodes a row of v1_resources.
func decodeResource(r *row) (Resource, error) {
	resource, err := wire.UnmarshalResource(r.data)
	if err != nil {
		return Resource{}, err
	}
	names, err := wire.AnnotationNames(r.data)
	return Resource{resource, names}, err
}

// decodeEntitlement decodes a row of v1_entitlements. Columns complete the message.
func decodeEntitlement(r *row) (Entitlement, error) {
	message, err := wire.UnmarshalEntitlement(r.data)
	e := Entitlement(message)
	r.complete(&e.ID, externalID)
	r.completeID(&e.Resource, resourceTypeID, resourceID)
	return e, err
}

// decodeGrant decodes a row of v1_grants. The message of a slim grant contains only its id; the
// columns complete it.
func decodeGrant(r *row) (Grant, error) {
	message, err := wire.UnmarshalGrant(r.data)
	g := Grant{ID: message.ID, Entitlement: message.Entitlement, Resource: message.Resource, ResourceName: message.ResourceName,
		Principal: message.Principal, Metadata: message.Metadata, Sources: message.Sources, Annotations: message.Annotations}
	r.complete(&g.ID, externalID)
	r.complete(&g.Entitlement, entitlementID)
	r.completeID(&g.Resource, resourceTypeID, resourceID)
	r.completeID(&g.Principal, principalTypeID, principalID)
	// Official writers move the annotation to a column.
	g.Expandable = slices.Contains(g.Annotations, expandable) || !r.isNull(expansion)
	return g, err
}

// expandable is the annotation of a grant whose principal's members hold the entitlement too.
const expandable = "GrantExpandable"
