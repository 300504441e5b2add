package baton

import "iter"

// Unknown is what a sync shows of grants whose principals are the ids of no resource in it.
type Unknown struct {
	// Principals are the ids of these principals, each once, of one resource type.
	Principals iter.Seq[string]
	// Accounts calls fn for each resource of the principals' type. Of a resource there are
	// its ID, Profile and User.
	Accounts func(fn func(Resource) error) error
	// Has reports whether the sync has the resource.
	Has func(ResourceID) bool
}
