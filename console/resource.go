package console

import "time"

// Resource is a row of an upstream as one sync showed it: an account, a group or a course.
type Resource struct {
	Key         ResourceKey
	Type, ID    string // the upstream's ids: opaque bytes
	Incarnation int    // counts the objects that had this type and id, from 1
	Name        string
	Description string
	Parent      ResourceKey // 0 if it has none
	Status      Status
	Created     time.Time // zero if unknown
	Account     *Account  // set when the type has the user trait
	App         bool      // the type has the app trait: the resource is an application
	Profile     []byte    // further attributes, canonical JSON
}

// Status is whether a resource is in use, with the numbers of the protocol.
type Status int

const (
	StatusUnspecified Status = 0 // unknown; counts as enabled
	StatusEnabled     Status = 1
	StatusDisabled    Status = 2
	StatusDeleted     Status = 3
)

// Digest returns 16 bytes that differ if anything about two resources differs, except keys and
// attributes without history. Stored digests are compared with it, so a change of its format would
// make every row look changed.
func (r Resource) Digest() [16]byte {
	var buf [digestSize]byte
	d := digest{buf: buf[:0]}
	d.str(r.Type, r.ID, r.Name, r.Description)
	d.num(int64(r.Parent), int64(r.Status), micros(r.Created))
	d.str(string(r.Profile))
	if a := r.Account; a != nil {
		d.num(1, int64(a.Kind))
		d.str(a.Login, a.GivenName, a.FamilyName, a.Manager, a.Department)
		d.strs(a.Aliases)
		d.strs(a.Emails)
		d.strs(a.EmployeeIDs)
	}
	if r.App {
		d.num(2)
	}
	return d.sum()
}
