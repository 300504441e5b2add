package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"

	"baton"
)

// Resources that this project has written are decoded here without the protobuf library,
// which takes several times as long. Any other encoding (an unknown field, a repeated one,
// another order, text that is not UTF-8) is left to the library, and so is every error.

// decoder reads the fields of a message in order. It sets odd at an unexpected field.
type decoder struct {
	b     []byte
	field int
	odd   bool
}

// next returns the number of the next field and its value, as a number or as bytes. It
// returns 0 after the last one. Fields must ascend; those in the bit set may repeat.
func (d *decoder) next(repeat uint) (field int, number uint64, value []byte) {
	if len(d.b) == 0 || d.odd {
		return 0, 0, nil
	}
	tag := d.varint()
	field = int(tag >> 3)
	if field < d.field || field == d.field && repeat&(1<<field) == 0 || field > 31 {
		d.odd = true
	}
	d.field = field
	switch tag & 7 {
	case wireVarint:
		number = d.varint()
	case wireFixed64:
		if len(d.b) < 8 {
			d.odd = true
			break
		}
		number, d.b = binary.LittleEndian.Uint64(d.b), d.b[8:]
	case wireBytes:
		n := d.varint()
		if n > uint64(len(d.b)) {
			d.odd = true
			break
		}
		value, d.b = d.b[:n:n], d.b[n:]
	default:
		d.odd = true
	}
	if value == nil && tag&7 == wireBytes {
		value = []byte{}
	}
	if d.odd {
		return 0, 0, nil
	}
	return field, number, value
}

func (d *decoder) varint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.odd = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

// inner decodes the message in a field.
func (d *decoder) inner(b []byte, each func(in *decoder)) {
	if b == nil { // a number
		d.odd = true
		return
	}
	in := decoder{b: b}
	each(&in)
	d.odd = d.odd || in.odd || len(in.b) > 0
}

func (d *decoder) text(b []byte) string {
	if b == nil || !utf8.Valid(b) {
		d.odd = true
	}
	return string(b)
}

// number sets odd if the value is not a number.
func (d *decoder) number(n uint64, b []byte) uint64 {
	d.odd = d.odd || b != nil
	return n
}

func (d *decoder) id(b []byte) (id baton.ResourceID) {
	d.inner(b, func(in *decoder) {
		for field, _, v := in.next(0); field > 0; field, _, v = in.next(0) {
			switch field {
			case 1:
				id.Type = in.text(v)
			case 2:
				id.ID = in.text(v)
			default:
				in.odd = true
			}
		}
	})
	return id
}

func (d *decoder) status(b []byte) (s baton.Status) {
	d.inner(b, func(in *decoder) {
		for field, n, v := in.next(0); field > 0; field, n, v = in.next(0) {
			in.odd = in.odd || field != 1
			s = baton.Status(int32(in.number(n, v)))
		}
	})
	return s
}

func (d *decoder) time(b []byte) (t time.Time) {
	d.inner(b, func(in *decoder) {
		var seconds, nanos int64
		for field, n, v := in.next(0); field > 0; field, n, v = in.next(0) {
			switch field {
			case 1:
				seconds = int64(in.number(n, v))
			case 2:
				nanos = int64(in.number(n, v))
			default:
				in.odd = true
			}
		}
		// The range of a Timestamp, from the year 1 to 9999.
		in.odd = in.odd || seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999999999
		t = time.Unix(seconds, nanos).UTC()
	})
	return t
}

// profile decodes a Struct.
func (d *decoder) profile(b []byte) (p baton.Profile) {
	d.inner(b, func(in *decoder) {
		for field, _, entry := in.next(1 << 1); field > 0; field, _, entry = in.next(1 << 1) {
			in.odd = in.odd || field != 1
			key, value := "", any(nil)
			in.inner(entry, func(e *decoder) {
				for field, _, v := e.next(0); field > 0; field, _, v = e.next(0) {
					switch field {
					case 1:
						key = e.text(v)
					case 2:
						value = e.value(v)
					default:
						e.odd = true
					}
				}
			})
			if value == nil {
				in.odd = true
				return
			}
			if p == nil {
				p = baton.Profile{}
			}
			p[key] = value
		}
	})
	return p
}

// value decodes a Value; nil means that it is unexpected.
func (d *decoder) value(b []byte) (value any) {
	d.inner(b, func(in *decoder) {
		field, n, v := in.next(0)
		switch field {
		case 2:
			f := math.Float64frombits(in.number(n, v))
			in.odd = in.odd || math.IsNaN(f) || math.IsInf(f, 0)
			value = f
		case 3:
			value = in.text(v)
		case 4:
			value = in.number(n, v) != 0
		case 5:
			p := in.profile(v)
			if p == nil {
				p = baton.Profile{}
			}
			value = p
		case 6:
			value = in.list(v)
		default:
			in.odd = true
		}
	})
	return value
}

// list decodes a ListValue of texts.
func (d *decoder) list(b []byte) []string {
	list := []string{}
	d.inner(b, func(in *decoder) {
		for field, _, v := in.next(1 << 1); field > 0; field, _, v = in.next(1 << 1) {
			in.odd = in.odd || field != 1
			s, ok := in.value(v).(string)
			in.odd = in.odd || !ok
			list = append(list, s)
		}
	})
	return list
}

// metadata decodes annotations that are only a GrantMetadata; ok is false if the library
// must decode them.
func (d *decoder) metadata() (p baton.Profile, ok bool) {
	field, _, v := d.next(0)
	d.odd = d.odd || field != 4 || len(d.b) > 0
	d.inner(v, func(in *decoder) {
		field, _, kind := in.next(0)
		in.odd = in.odd || field != 1 || string(kind) != grantMetadata
		field, _, value := in.next(0)
		in.odd = in.odd || field != 2
		in.inner(value, func(m *decoder) {
			field, _, v := m.next(0)
			m.odd = m.odd || field != 1
			p = m.profile(v)
		})
	})
	return p, !d.odd
}

// traits holds the parts of the annotations that repeat fields of the resource.
type traits struct {
	profile []byte // of the resource; nil if it has none
	created bool
	status  baton.Status
}

// resource decodes a Resource; ok is false if the library must decode it.
func (d *decoder) resource() (r baton.Resource, ok bool) {
	var trait traits
	created := false
	var profile []byte
	for field, _, v := d.next(1 << 4); field > 0; field, _, v = d.next(1 << 4) {
		switch field {
		case 1:
			r.ID = d.id(v)
		case 2:
			r.Parent = d.id(v)
		case 3:
			r.DisplayName = d.text(v)
		case 4:
			d.annotation(v, &r, &trait)
		case 5:
			r.Description = d.text(v)
		case 9:
			r.Profile, profile = d.profile(v), v
		case 11:
			r.Status = d.status(v)
		case 12:
			r.CreatedAt, created = d.time(v), true
		default:
			d.odd = true
		}
	}
	ok = !d.odd && len(d.b) == 0 && r.ID.Type != "" && r.ID.ID != "" &&
		(trait.profile == nil || bytes.Equal(trait.profile, profile)) && (created || !trait.created) &&
		(r.Status != baton.StatusUnspecified || trait.status == baton.StatusUnspecified)
	return r, ok
}

func (d *decoder) annotation(b []byte, r *baton.Resource, trait *traits) {
	d.inner(b, func(in *decoder) {
		var value []byte
		kind := ""
		for field, _, v := in.next(0); field > 0; field, _, v = in.next(0) {
			switch field {
			case 1:
				kind = in.text(v)
			case 2:
				value = v
			default:
				in.odd = true
			}
		}
		if value == nil {
			value = []byte{}
		}
		switch {
		case kind == userTraitType && r.User == nil:
			r.User = new(baton.User)
			in.inner(value, func(t *decoder) { t.user(r.User, trait) })
		case kind == groupTrait && r.Group == nil:
			r.Group = new(baton.Group)
			in.inner(value, func(t *decoder) {
				for field, _, v := t.next(0); field > 0; field, _, v = t.next(0) {
					t.odd = t.odd || field != 2 || trait.profile != nil && !bytes.Equal(trait.profile, v)
					trait.profile = v
				}
			})
		default:
			in.odd = true
		}
	})
}

func (d *decoder) user(u *baton.User, trait *traits) {
	const repeated = 1<<1 | 1<<7 | 1<<13
	for field, n, v := d.next(repeated); field > 0; field, n, v = d.next(repeated) {
		switch field {
		case 1:
			u.Emails = append(u.Emails, d.email(v))
		case 2:
			trait.status = d.status(v)
		case 3:
			d.odd = d.odd || trait.profile != nil && !bytes.Equal(trait.profile, v)
			trait.profile = v
		case 5:
			u.Kind = accountKind(int64(int32(d.number(n, v))))
		case 6:
			u.Login = d.text(v)
		case 7:
			u.LoginAliases = append(u.LoginAliases, d.text(v))
		case 8:
			trait.created = true
			d.time(v)
		case 9:
			u.LastLogin = d.time(v)
		case 12:
			d.name(v, u)
		case 13:
			u.EmployeeIDs = append(u.EmployeeIDs, d.text(v))
		default:
			d.odd = true
		}
	}
}

func (d *decoder) email(b []byte) (m baton.Email) {
	d.inner(b, func(in *decoder) {
		for field, n, v := in.next(0); field > 0; field, n, v = in.next(0) {
			switch field {
			case 1:
				m.Address = in.text(v)
			case 2:
				m.Primary = in.number(n, v) != 0
			default:
				in.odd = true
			}
		}
	})
	return m
}

func (d *decoder) name(b []byte, u *baton.User) {
	d.inner(b, func(in *decoder) {
		for field, _, v := in.next(1 << 3); field > 0; field, _, v = in.next(1 << 3) {
			switch field {
			case 1:
				u.GivenName = in.text(v)
			case 2:
				u.FamilyName = in.text(v)
			case 3:
				u.MiddleNames = append(u.MiddleNames, in.text(v))
			default:
				in.odd = true
			}
		}
	})
}
