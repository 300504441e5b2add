package console

import "time"

// Resource is a row of an upstream as one sync showed it: an account, a group, a course.
type Resource struct {
	Key         ResourceKey
	Type, ID    string // opaque bytes of the upstream
	Incarnation int    // counts the identities that used this type and id, from 1
	Name        string
	Description string
	Parent      ResourceKey // 0 when the resource stands alone
	Status      Status
	Created     time.Time // zero when the upstream does not say
	Account     *Account  // set when the type has the user trait
	Profile     []byte    // further attributes, canonical JSON
}

// Status says whether a resource is in use, numbered as on the wire.
type Status int

// The states of a resource.
const (
	StatusUnspecified Status = 0 // the upstream does not say; counts as enabled
	StatusEnabled     Status = 1
	StatusDisabled    Status = 2
	StatusDeleted     Status = 3
)
