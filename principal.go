package baton

import "iter"

// Unknown describes grants whose principals are not the ids of resources in the sync.
type Unknown struct {
	// Principals yields the ids of these principals, each once, of one resource type.
	Principals iter.Seq[string]
	// Accounts calls fn for each resource of the principals' type. Only ID, Profile and User of a resource
	// are set.
	Accounts func(fn func(Resource) error) error
	// Has reports whether the sync has the resource.
	Has func(ResourceID) bool
}
