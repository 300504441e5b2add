package writer

import (
	"bytes"
	"encoding/binary"

	"baton"
	"baton/wire"
)

// A record is a row encoded by [Row.Append], or a grant without the parts that are the same as in
// the previous grant. The first byte holds the table, and flags for the parts that are left out:
const (
	sameEntitlement = 0x10 << iota // the first three parts of the id
	samePrincipal                  // the other two
	sameTail                       // all that follows the id

	same = sameEntitlement | samePrincipal | sameTail
)

// Encoder encodes records, which a [Decoder] must read in the same order. The zero Encoder is
// ready for use. Its methods fail with baton.Invalid if something cannot be written; there is no
// record then.
type Encoder struct {
	buf       []byte // the record
	resources wire.Resources

	grant baton.GrantID // of the previous grant
	tail  []byte        // of the previous grant; empty before the first
}

// Record returns the last record. It is valid until the next one is encoded.
func (e *Encoder) Record() []byte { return e.buf }

// Restart makes the next record independent of those before, which will not be read.
func (e *Encoder) Restart() { e.tail = e.tail[:0] }

// row returns the row of the last record.
func (e *Encoder) row(err error) (Row, error) {
	if err != nil {
		return Row{}, err
	}
	return ParseRow(e.buf)
}

// ResourceType encodes a resource type.
func (e *Encoder) ResourceType(t baton.ResourceType) error {
	data, err := wire.MarshalResourceType(t)
	e.begin(ResourceTypes, baton.ResourceID{}, t.ID)
	e.buf = append(e.buf, data...)
	return err
}

// Resource encodes a resource.
func (e *Encoder) Resource(r baton.Resource) error {
	e.begin(Resources, r.Parent, r.ID.Type, r.ID.ID)
	buf, err := e.resources.Append(e.buf, r)
	if err == nil {
		e.buf = buf
	}
	return err
}

// Entitlement encodes an entitlement. Grantable are the resource types that its
// GrantableTo names.
func (e *Encoder) Entitlement(t baton.Entitlement, grantable []baton.ResourceType) error {
	data, err := wire.MarshalEntitlement(t, grantable)
	e.begin(Entitlements, baton.ResourceID{}, t.ID.Resource.Type, t.ID.Resource.ID, t.ID.Slug)
	e.buf = append(e.buf, data...)
	return err
}

// begin begins a record: everything before the message.
func (e *Encoder) begin(t Table, parent baton.ResourceID, parts ...string) {
	b := append(e.buf[:0], byte(t))
	b = appendLengths(b, parts...)
	if t == Resources {
		b = appendLengths(b, parent.Type, parent.ID)
	}
	b = appendJoined(b, parts...)
	e.buf = append(append(b, parent.Type...), parent.ID...)
}

// Grant encodes a grant.
func (e *Encoder) Grant(g baton.Grant) error {
	t, p := g.ID.Entitlement, g.ID.Principal
	first := byte(Grants)
	if len(e.tail) > 0 && t == e.grant.Entitlement {
		first |= sameEntitlement
	}
	if len(e.tail) > 0 && p == e.grant.Principal {
		first |= samePrincipal
	}
	b := append(e.buf[:0], first)
	if first&sameEntitlement == 0 {
		b = appendLengths(b, t.Resource.Type, t.Resource.ID, t.Slug)
	}
	if first&samePrincipal == 0 {
		b = appendLengths(b, p.Type, p.ID)
	}
	id := len(b)
	if first&sameEntitlement == 0 {
		b = appendJoined(b, t.Resource.Type, t.Resource.ID, t.Slug)
	}
	if first&(sameEntitlement|samePrincipal) == 0 {
		b = append(b, ':')
	}
	if first&samePrincipal == 0 {
		b = appendJoined(b, p.Type, p.ID)
	}
	tail := len(b)
	b = binary.AppendUvarint(b, uint64(len(g.ResourceName)))
	b = append(b, g.ResourceName...)
	b, err := wire.AppendGrantAnnotations(b, b[id:tail], g)
	if err != nil {
		return err
	}
	if e.buf = b; bytes.Equal(b[tail:], e.tail) {
		e.buf = b[:tail]
		e.buf[0] |= sameTail
	}
	e.grant, e.tail = g.ID, append(e.tail[:0], b[tail:]...)
	return nil
}

func appendLengths(dst []byte, parts ...string) []byte {
	for _, p := range parts {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
	}
	return dst
}

func appendJoined(dst []byte, parts ...string) []byte {
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, p...)
	}
	return dst
}

// Decoder decodes records. The zero Decoder is ready for use.
type Decoder struct {
	grant     Row // the previous grant, in memory of the Decoder
	id, spare []byte
	tail      []byte
}

// Row decodes a record. The row shares memory with the record or with the Decoder, and is valid
// until the next call. After an error, which is baton.Corrupt, no more records can be decoded.
func (d *Decoder) Row(record []byte) (Row, error) {
	if len(record) == 0 || Table(record[0]&^same) != Grants {
		return ParseRow(record)
	}
	if record[0]&same != 0 && d.grant.Table != Grants {
		return Row{}, badRow("it refers to a previous grant, and there is none")
	}
	err := d.next(record[0], record[1:])
	return d.grant, err
}

// next decodes a grant. Parts that it leaves out stay as they are.
func (d *Decoder) next(first byte, rest []byte) error {
	var lengths, ends [5]int
	from, to := 0, len(lengths) // the parts of the id that the record has
	if first&sameEntitlement != 0 {
		from = 3
	}
	if first&samePrincipal != 0 {
		to = 3
	}
	rest, size, err := parseLengths(rest, lengths[from:to])
	if err != nil {
		return err
	}
	size += max(to-from-1, 0) // and the colons
	names, err := parseParts(rest, size, lengths[from:to], ends[from:to])
	if err != nil {
		return err
	}
	r := &d.grant
	r.Table = Grants
	switch {
	case from == to:
	case from > 0:
		start := r.ends[2] + 1
		d.id = append(d.id[:start], names...)
		r.ends[3] = start + ends[3]
	case to < len(lengths):
		principal, kind := d.id[r.ends[2]:], r.ends[3]-r.ends[2]
		d.id, d.spare = append(append(d.spare[:0], names...), principal...), d.id
		r.ends = [4]int{ends[0], ends[1], size, size + kind}
	default:
		d.id = append(d.id[:0], names...)
		r.ends = [4]int(ends[:4])
	}
	if tail := rest[size:]; first&sameTail == 0 {
		d.tail = append(d.tail[:0], tail...)
	} else if len(tail) > 0 {
		return badRow("there is a tail where none is expected")
	}
	r.id, r.data = d.id[:len(d.id):len(d.id)], d.tail
	return r.checkTail()
}
