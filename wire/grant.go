package wire

import "unicode/utf8"

// GrantOutline holds the ids of a grant. The slices share the memory of the message; missing parts are empty.
type GrantOutline struct {
	Entitlement                []byte // id
	PrincipalType, PrincipalID []byte
	ID                         []byte
	// Plain reports that the message has neither annotations nor sources.
	Plain bool
}

// OutlineGrant reads the ids of a c1.connector.v2.Grant without the protobuf library. It skips the
// descriptions of the entitlement and the principal. ok is false for a message that [UnmarshalGrant] must
// decode or refuse: it has unknown, repeated or reordered fields, or invalid UTF-8.
func OutlineGrant(b []byte) (o GrantOutline, ok bool) {
	d := decoder{b: b}
	o.Plain = true
	for field, _, v := d.next(1 << 4); field > 0; field, _, v = d.next(1 << 4) {
		switch field {
		case 1:
			in := d.open(v)
			o.Entitlement = in.entitlementID()
			d.close(&in)
		case 2:
			in := d.open(v)
			o.PrincipalType, o.PrincipalID = in.resourceID()
			d.close(&in)
		case 3:
			o.ID = d.valid(v)
		case 4, 5:
			d.odd = d.odd || v == nil
			o.Plain = false
		default:
			d.odd = true
		}
	}
	return o, !d.odd && len(d.b) == 0
}

// open begins to read the message in a field, as inner does, but without a function call: it is used for
// millions of grants.
func (d *decoder) open(b []byte) decoder {
	d.odd = d.odd || b == nil // a number
	return decoder{b: b}
}

// close ends the reading that open began.
func (d *decoder) close(in *decoder) { d.odd = d.odd || in.odd || len(in.b) > 0 }

// valid sets odd if a field is not valid text.
func (d *decoder) valid(b []byte) []byte {
	if b == nil || !utf8.Valid(b) {
		d.odd = true
	}
	return b
}

// entitlementID reads the id of an Entitlement.
func (d *decoder) entitlementID() (id []byte) {
	const repeated = 1<<5 | 1<<6
	for field, n, v := d.next(repeated); field > 0; field, n, v = d.next(repeated) {
		switch field {
		case 1:
			in := d.open(v)
			in.resourceID()
			d.close(&in)
		case 2:
			id = d.valid(v)
		case 3, 4, 8:
			d.valid(v)
		case 5, 6:
			d.odd = d.odd || v == nil
		case 7:
			d.number(n, v)
		default:
			d.odd = true
		}
	}
	return id
}

// resourceID reads the id of a Resource.
func (d *decoder) resourceID() (typ, id []byte) {
	const repeated = 1 << 4
	for field, _, v := d.next(repeated); field > 0; field, _, v = d.next(repeated) {
		switch field {
		case 1:
			in := d.open(v)
			typ, id = in.typeAndID()
			d.close(&in)
		case 2:
			in := d.open(v)
			in.typeAndID()
			d.close(&in)
		case 3, 5:
			d.valid(v)
		case 4, 9, 11, 12:
			d.odd = d.odd || v == nil
		default:
			d.odd = true
		}
	}
	return typ, id
}

// typeAndID reads a ResourceId.
func (d *decoder) typeAndID() (typ, id []byte) {
	for field, _, v := d.next(0); field > 0; field, _, v = d.next(0) {
		switch field {
		case 1:
			typ = d.valid(v)
		case 2:
			id = d.valid(v)
		default:
			d.odd = true
		}
	}
	return typ, id
}
