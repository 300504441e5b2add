package c1z

import (
	"encoding/binary"

	"baton"
	"baton/wire"
)

// Table is where in the file a row belongs.
type Table byte

// The tables that have rows of a sync.
const (
	ResourceTypes Table = iota + 1
	Resources
	Entitlements
	Grants
)

// String is what the rows of the table are, in a word.
func (t Table) String() string {
	if !t.valid() {
		return "row"
	}
	return [...]string{ResourceTypes: "resource type", Resources: "resource", Entitlements: "entitlement", Grants: "grant"}[t]
}

func (t Table) valid() bool { return t >= ResourceTypes && t <= Grants }

// parts is how many strings, joined by colons, make up the external id of a row.
func (t Table) parts() int {
	return [...]int{ResourceTypes: 1, Resources: 2, Entitlements: 3, Grants: 5}[t]
}

// Row is one row of a file, encoded once: from then on it travels as bytes and its
// identity can be read without decoding the message.
type Row struct {
	Table Table

	id     []byte           // the external id
	ends   [4]int           // where each part of it ends, but for the last
	parent baton.ResourceID // of a resource
	// data is the message. A grant's follows from its id and a tail, which is kept
	// instead: the length of the resource's name (an unsigned varint), the name, and the
	// annotations as they stand in the message.
	data []byte
}

// Encoder makes rows. A row shares its memory, until the next one is made. The zero Encoder
// is ready for use.
//
// Its methods fail with baton.Invalid when something cannot be written.
type Encoder struct {
	room      []byte // the row as Append has it
	resources wire.Resources
}

// ResourceType encodes a resource type.
func (e *Encoder) ResourceType(t baton.ResourceType) (Row, error) {
	data, err := wire.MarshalResourceType(t)
	r, at := e.begin(ResourceTypes, baton.ResourceID{}, t.ID)
	return e.end(r, at, append(e.room, data...)), err
}

// Resource encodes a resource.
func (e *Encoder) Resource(t baton.Resource) (Row, error) {
	r, at := e.begin(Resources, t.Parent, t.ID.Type, t.ID.ID)
	room, err := e.resources.Append(e.room, t)
	return e.end(r, at, room), err
}

// Entitlement encodes an entitlement. Grantable are the resource types that its
// GrantableTo names.
func (e *Encoder) Entitlement(t baton.Entitlement, grantable []baton.ResourceType) (Row, error) {
	data, err := wire.MarshalEntitlement(t, grantable)
	r, at := e.begin(Entitlements, baton.ResourceID{}, t.ID.Resource.Type, t.ID.Resource.ID, t.ID.Slug)
	return e.end(r, at, append(e.room, data...)), err
}

// Grant encodes a grant.
func (e *Encoder) Grant(g baton.Grant) (Row, error) {
	t, p := g.ID.Entitlement, g.ID.Principal
	r, at := e.begin(Grants, baton.ResourceID{}, t.Resource.Type, t.Resource.ID, t.Slug, p.Type, p.ID)
	room := binary.AppendUvarint(e.room, uint64(len(g.ResourceName)))
	room = append(room, g.ResourceName...)
	room, err := wire.AppendGrantAnnotations(room, e.room[at.id:at.parent], g)
	return e.end(r, at, room), err
}

// place is where the parts of a row begin in its own encoding.
type place struct{ id, parent, data int }

// begin begins a row, up to its message.
func (e *Encoder) begin(t Table, parent baton.ResourceID, parts ...string) (r Row, at place) {
	r = Row{Table: t, parent: parent}
	b := append(e.room[:0], byte(t))
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
	}
	if t == Resources {
		b = binary.AppendUvarint(b, uint64(len(parent.Type)))
		b = binary.AppendUvarint(b, uint64(len(parent.ID)))
	}
	at.id = len(b)
	for i, p := range parts {
		if i > 0 {
			r.ends[i-1] = len(b) - at.id
			b = append(b, ':')
		}
		b = append(b, p...)
	}
	at.parent = len(b)
	b = append(b, parent.Type...)
	b = append(b, parent.ID...)
	at.data = len(b)
	e.room = b
	return r, at
}

// end ends a row with its message; room is nil where that could not be written.
func (e *Encoder) end(r Row, at place, room []byte) Row {
	if room == nil {
		return r
	}
	e.room = room
	r.id, r.data = room[at.id:at.parent:at.parent], room[at.data:]
	return r
}

// Encoded is what Append appends of the row that was made last.
func (e *Encoder) Encoded() []byte { return e.room }

// ResourceTypeRow encodes a resource type into a row of its own, as the functions that
// follow do with the rest.
func ResourceTypeRow(t baton.ResourceType) (Row, error) { return new(Encoder).ResourceType(t) }

// ResourceRow encodes a resource.
func ResourceRow(r baton.Resource) (Row, error) { return new(Encoder).Resource(r) }

// EntitlementRow encodes an entitlement.
func EntitlementRow(e baton.Entitlement, grantable []baton.ResourceType) (Row, error) {
	return new(Encoder).Entitlement(e, grantable)
}

// GrantRow encodes a grant.
func GrantRow(g baton.Grant) (Row, error) { return new(Encoder).Grant(g) }

// ID is the row's external id.
func (r Row) ID() string { return string(r.id) }

// ResourceID is the resource itself, or the one that the entitlement or the grant
// is about.
func (r Row) ResourceID() baton.ResourceID {
	kind, id := r.Resource()
	return baton.ResourceID{Type: string(kind), ID: string(id)}
}

// EntitlementID is the external id of the entitlement that the row is, or that the
// grant gives.
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

// Resource is what ResourceID is, in the row's memory.
func (r Row) Resource() (kind, id []byte) {
	if r.Table == ResourceTypes {
		return r.id, nil
	}
	return r.part(0), r.part(1)
}

// PrincipalID is who holds the grant.
func (r Row) PrincipalID() baton.ResourceID {
	if r.Table != Grants {
		return baton.ResourceID{}
	}
	return baton.ResourceID{Type: string(r.part(3)), ID: string(r.part(4))}
}

// Data is the protobuf message.
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

// tail is what a grant has beyond its id.
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

// Append appends the row's own encoding:
//
//	table (1 byte)
//	the length of each part of the id; for a resource also of its parent's type and id
//	the id, its parts joined by colons; the parent's type and id, not joined
//	the message, up to the end; of a grant the tail of it
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

// ParseRow reads what Append wrote. The row shares b's memory. It fails with
// baton.Corrupt.
func ParseRow(b []byte) (Row, error) {
	if len(b) == 0 || !Table(b[0]).valid() {
		return Row{}, badRow("it does not begin with a table")
	}
	r := Row{Table: Table(b[0])}
	rest := b[1:]
	var lengths [5]int
	parts := r.Table.parts()
	n := parts
	if r.Table == Resources {
		n += 2
	}
	total := parts - 1
	for i := range n {
		v, size := binary.Uvarint(rest)
		if size <= 0 || v > uint64(len(b)) {
			return Row{}, badRow("a length is impossible")
		}
		lengths[i] = int(v)
		total += int(v)
		rest = rest[size:]
	}
	if total > len(rest) {
		return Row{}, badRow("it is cut short")
	}
	names := rest[:total]
	r.data = rest[total:]
	end := -1
	for i := range parts {
		end += 1 + lengths[i]
		if i < parts-1 {
			if names[end] != ':' {
				return Row{}, badRow("its id does not fit its parts")
			}
			r.ends[i] = end
		}
	}
	if n, size := binary.Uvarint(r.data); r.Table == Grants && (size <= 0 || n > uint64(len(r.data)-size)) {
		return Row{}, badRow("it is cut short")
	}
	r.id = names[:end:end]
	if names = names[end:]; r.Table == Resources {
		r.parent = baton.ResourceID{Type: string(names[:lengths[2]]), ID: string(names[lengths[2]:])}
	}
	return r, nil
}

func badRow(why string) error {
	return baton.Errorf(baton.Corrupt, "c1z: read a row: %s", why)
}
