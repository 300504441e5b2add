package writer

import (
	"encoding/binary"

	"baton"
	"baton/c1z"
	"baton/c1z/internal/schema"
	"baton/wire"
)

// Table is the table of a row.
type Table byte

// The tables that have rows of a sync.
const (
	ResourceTypes Table = iota + 1
	Resources
	Entitlements
	Grants
)

// String returns the singular of what the table holds, such as "grant".
func (t Table) String() string {
	if !t.valid() {
		return "row"
	}
	return [...]string{ResourceTypes: "resource type", Resources: "resource", Entitlements: "entitlement", Grants: "grant"}[t]
}

// name returns the name of the table in the database.
func (t Table) name() string {
	return [...]string{ResourceTypes: schema.ResourceTypes, Resources: schema.Resources,
		Entitlements: schema.Entitlements, Grants: schema.Grants}[t]
}

// countOf returns the field that counts the rows of a table.
func countOf(c *c1z.Count, t Table) *int {
	switch t {
	case Resources:
		return &c.Resources
	case Entitlements:
		return &c.Entitlements
	}
	return &c.Grants
}

func (t Table) valid() bool { return t >= ResourceTypes && t <= Grants }

// parts returns the number of strings that are joined by colons in an external id.
func (t Table) parts() int {
	return [...]int{ResourceTypes: 1, Resources: 2, Entitlements: 3, Grants: 5}[t]
}

// Row is an encoded row of a file. It is encoded once, with the message that the file will
// contain, and its ids can be read without decoding the message.
type Row struct {
	Table Table

	id     []byte           // the external id
	ends   [4]int           // where each part of the id ends, except the last
	parent baton.ResourceID // of a resource
	// data is the message. For a grant, whose message can be built from its id, data is only
	// the tail: the length of the resource's name (an unsigned varint), the name, and the
	// annotations as encoded in the message.
	data []byte
}

// ResourceTypeRow encodes a resource type. This and the functions below fail with baton.Invalid
// if something cannot be written.
func ResourceTypeRow(t baton.ResourceType) (Row, error) {
	var e Encoder
	return e.row(e.ResourceType(t))
}

// ResourceRow encodes a resource.
func ResourceRow(r baton.Resource) (Row, error) {
	var e Encoder
	return e.row(e.Resource(r))
}

// EntitlementRow encodes an entitlement. Grantable holds the resource types named in its
// GrantableTo.
func EntitlementRow(t baton.Entitlement, grantable []baton.ResourceType) (Row, error) {
	var e Encoder
	return e.row(e.Entitlement(t, grantable))
}

// GrantRow encodes a grant.
func GrantRow(g baton.Grant) (Row, error) {
	var e Encoder
	return e.row(e.Grant(g))
}

// ID returns the external id.
func (r Row) ID() string { return string(r.id) }

// ResourceID returns the id of the resource, or of the resource of the entitlement or grant.
func (r Row) ResourceID() baton.ResourceID {
	kind, id := r.Resource()
	return baton.ResourceID{Type: string(kind), ID: string(id)}
}

// EntitlementID returns the external id of the entitlement, or of the entitlement of the grant.
func (r Row) EntitlementID() string {
	return string(r.entitlement())
}

func (r *Row) entitlement() []byte {
	switch r.Table {
	case Entitlements:
		return r.id
	case Grants:
		return r.id[:r.ends[2]]
	}
	return nil
}

// Resource returns the same as ResourceID, in the memory of the row.
func (r Row) Resource() (kind, id []byte) {
	if r.Table == ResourceTypes {
		return r.id, nil
	}
	return r.part(0), r.part(1)
}

// PrincipalID returns the principal of a grant.
func (r Row) PrincipalID() baton.ResourceID {
	if r.Table != Grants {
		return baton.ResourceID{}
	}
	return baton.ResourceID{Type: string(r.part(3)), ID: string(r.part(4))}
}

// Grant decodes a row of a grant.
func (r Row) Grant() (baton.Grant, error) {
	name, annotations := r.tail()
	metadata, err := wire.UnmarshalGrantAnnotations(annotations)
	return baton.Grant{ID: baton.GrantID{
		Entitlement: baton.EntitlementID{Resource: r.ResourceID(), Slug: string(r.part(2))}, Principal: r.PrincipalID(),
	}, ResourceName: string(name), Metadata: metadata}, err
}

// Data returns the protobuf message.
func (r Row) Data() []byte { return r.appendMessage(nil) }

func (r *Row) appendMessage(dst []byte) []byte {
	if r.Table != Grants {
		return append(dst, r.data...)
	}
	name, annotations := r.tail()
	return wire.AppendGrant(dst, wire.GrantParts{
		ResourceType: r.part(0), Resource: r.part(1), Entitlement: r.entitlement(),
		PrincipalType: r.part(3), Principal: r.part(4), ID: r.id,
		ResourceName: name, Annotations: annotations,
	})
}

// tail returns the parts of the tail of a grant.
func (r *Row) tail() (name, annotations []byte) {
	n, size := binary.Uvarint(r.data)
	rest := r.data[size:]
	return rest[:n], rest[n:]
}

func (r *Row) part(i int) []byte {
	start, end := 0, len(r.id)
	if i > 0 {
		start = r.ends[i-1] + 1
	}
	if i < r.Table.parts()-1 {
		end = r.ends[i]
	}
	return r.id[start:end]
}

// Append appends the encoding of the row:
//
//	table (1 byte)
//	length of each part of the id; for a resource also of its parent's type and id
//	external id; for a resource also its parent's type and id, without a colon
//	message, up to the end; for a grant only its tail
//
// Lengths are unsigned varints.
func (r Row) Append(dst []byte) []byte {
	dst = append(dst, byte(r.Table))
	for i := range r.Table.parts() {
		dst = binary.AppendUvarint(dst, uint64(len(r.part(i))))
	}
	if r.Table == Resources {
		dst = binary.AppendUvarint(dst, uint64(len(r.parent.Type)))
		dst = binary.AppendUvarint(dst, uint64(len(r.parent.ID)))
	}
	dst = append(dst, r.id...)
	dst = append(dst, r.parent.Type...)
	dst = append(dst, r.parent.ID...)
	return append(dst, r.data...)
}

// ParseRow decodes what Append wrote. The row shares the memory of b. Errors are baton.Corrupt.
func ParseRow(b []byte) (Row, error) {
	if len(b) == 0 || !Table(b[0]).valid() {
		return Row{}, badRow("it does not begin with a table")
	}
	r := Row{Table: Table(b[0])}
	var lengths, ends [5]int
	parts := r.Table.parts()
	rest, size, err := parseLengths(b[1:], lengths[:parts])
	if err != nil {
		return Row{}, err
	}
	size += parts - 1 // and the colons
	parents := 0
	if r.Table == Resources {
		if rest, parents, err = parseLengths(rest, lengths[parts:parts+2]); err != nil {
			return Row{}, err
		}
	}
	if r.id, err = parseParts(rest, size, lengths[:parts], ends[:parts]); err != nil {
		return Row{}, err
	}
	if rest = rest[size:]; parents > len(rest) {
		return Row{}, badRow("it is cut short")
	}
	copy(r.ends[:parts-1], ends[:])
	if parents > 0 {
		r.parent = baton.ResourceID{Type: string(rest[:lengths[parts]]), ID: string(rest[lengths[parts]:parents])}
	}
	r.data = rest[parents:]
	return r, r.checkTail()
}

// parseLengths reads the lengths of parts. It returns the rest of b and the sum of the lengths.
func parseLengths(b []byte, lengths []int) (rest []byte, sum int, err error) {
	rest = b
	for i := range lengths {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(b)) {
			return nil, 0, badRow("a length is impossible")
		}
		lengths[i] = int(n)
		sum += int(n)
		rest = rest[size:]
	}
	return rest, sum, nil
}

// parseParts reads parts that are joined by colons, and sets where each of them ends.
func parseParts(b []byte, size int, lengths, ends []int) ([]byte, error) {
	if size > len(b) {
		return nil, badRow("it is cut short")
	}
	end := -1
	for i, n := range lengths {
		if i > 0 && b[end] != ':' {
			return nil, badRow("its id does not fit its parts")
		}
		end += 1 + n
		ends[i] = end
	}
	return b[:size:size], nil
}

// checkTail returns an error if the tail of a grant is malformed.
func (r *Row) checkTail() error {
	if r.Table != Grants {
		return nil
	}
	if n, size := binary.Uvarint(r.data); size <= 0 || n > uint64(len(r.data)-size) {
		return badRow("it is cut short")
	}
	return nil
}

func badRow(why string) error {
	return baton.Errorf(baton.Corrupt, "c1z: read a row: %s", why)
}
