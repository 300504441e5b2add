package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
)

// Resources and grants are encoded here without the protobuf library: building its messages
// cost more time than reading the rows from the upstream. The bytes are those of the
// deterministic marshalling of the library; tests compare them.

var errText = errors.New("a text is not valid UTF-8")

// Types of the messages that an Any holds.
const (
	anyOf         = "type.googleapis.com/c1.connector.v2."
	userTraitType = anyOf + "UserTrait"
	groupTrait    = anyOf + "GroupTrait"
	grantMetadata = anyOf + "GrantMetadata"
)

// The wire types of a field's tag.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

// encoder appends fields. It keeps the first error.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) tag(field, wireType int) {
	e.b = binary.AppendUvarint(e.b, uint64(field<<3|wireType))
}

// text appends a string, unless it is empty.
func (e *encoder) text(field int, s string) {
	if s != "" {
		e.element(field, s)
	}
}

// element appends a string, also if it is empty.
func (e *encoder) element(field int, s string) {
	if !utf8.ValidString(s) {
		e.fail(errText)
	}
	b := binary.AppendUvarint(e.b, uint64(field<<3|wireBytes))
	b = binary.AppendUvarint(b, uint64(len(s)))
	e.b = append(b, s...)
}

// number appends an integer or an enum, unless it is zero.
func (e *encoder) number(field int, n int64) {
	if n != 0 {
		e.tag(field, wireVarint)
		e.b = binary.AppendUvarint(e.b, uint64(n))
	}
}

// begin starts a message or a map entry in a field; its result is for end.
func (e *encoder) begin(field int) (at int) {
	b := binary.AppendUvarint(e.b, uint64(field<<3|wireBytes))
	e.b = append(b, 0)
	return len(e.b)
}

// end inserts the length, for which begin reserved one byte.
func (e *encoder) end(at int) {
	n := len(e.b) - at
	if n < 1<<7 {
		e.b[at-1] = byte(n)
		return
	}
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], uint64(n))
	e.b = append(e.b, length[:size-1]...)
	copy(e.b[at-1+size:], e.b[at:at+n])
	copy(e.b[at-1:], length[:size])
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// resourceID appends a ResourceId.
func (e *encoder) resourceID(field int, id baton.ResourceID) {
	at := e.begin(field)
	e.text(1, id.Type)
	e.text(2, id.ID)
	e.end(at)
}

// A Timestamp is in the years 1 to 9999.
const earliest, latest = -62135596800, 253402300799

// time appends a Timestamp, unless it is the zero time.
func (e *encoder) time(field int, t time.Time) {
	if t.IsZero() {
		return
	}
	seconds := t.Unix()
	if seconds < earliest || seconds > latest {
		e.fail(fmt.Errorf("time %v is out of range", t))
		return
	}
	at := e.begin(field)
	e.number(1, seconds)
	e.number(2, int64(t.Nanosecond()))
	e.end(at)
}

// profile appends a Struct, unless it is empty.
func (e *encoder) profile(field int, p baton.Profile) {
	if len(p) > 0 {
		at := e.begin(field)
		e.fields(p)
		e.end(at)
	}
}

// fields appends the fields of a Struct, by name.
func (e *encoder) fields(p baton.Profile) {
	var array [32]string
	names := array[:0]
	for name := range p {
		names = append(names, name)
	}
	if len(names) > 1 {
		slices.Sort(names)
	}
	for _, name := range names {
		if !utf8.ValidString(name) {
			e.fail(errText)
		}
		e.field(name, p[name])
	}
}

// field appends a field of a Struct, which is the entry of a map. Its name has been checked.
func (e *encoder) field(name string, value any) {
	text, ok := value.(string)
	if !ok {
		entry := e.begin(1)
		e.element(1, name)
		at := e.begin(2)
		if err := e.value(value); err != nil {
			e.fail(fmt.Errorf("profile value %q: %w", name, err))
		}
		e.end(at)
		e.end(entry)
		return
	}
	// Most values are texts, whose lengths are known in advance.
	if !utf8.ValidString(text) {
		e.fail(errText)
	}
	inner := 1 + sizeOf(len(text)) + len(text)
	b := append(e.b, 1<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(2+sizeOf(len(name))+len(name)+sizeOf(inner)+inner))
	b = append(b, 1<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = append(b, 2<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(inner))
	b = append(b, 3<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(text)))
	e.b = append(b, text...)
}

// sizeOf returns the number of bytes of the length n.
func sizeOf(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

// value appends the content of a Value, also if it is zero.
func (e *encoder) value(v any) error {
	switch v := v.(type) {
	case string:
		e.element(3, v)
	case bool:
		e.tag(4, wireVarint)
		if v {
			e.b = append(e.b, 1)
		} else {
			e.b = append(e.b, 0)
		}
	case int:
		return e.value(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v has no JSON form", v) // readers print files as JSON
		}
		e.tag(2, wireFixed64)
		e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v))
	case []string:
		list := e.begin(6)
		for _, s := range v {
			at := e.begin(1)
			e.element(3, s)
			e.end(at)
		}
		e.end(list)
	case baton.Profile:
		at := e.begin(5)
		e.fields(v)
		e.end(at)
	default:
		return fmt.Errorf("a %T cannot be written", v)
	}
	return nil
}

// annotation begins an Any in field 4 of a message; both ends are for end.
func (e *encoder) annotation(kind string) (annotation, value int) {
	annotation = e.begin(4)
	e.element(1, kind)
	return annotation, e.begin(2)
}

// MarshalResource encodes a c1.connector.v2.Resource.
func MarshalResource(r baton.Resource) ([]byte, error) { return new(Resources).Append(nil, r) }

// Resources encodes resources. Their profiles usually have the same fields, so it remembers
// the sorted names. The zero value is ready for use.
type Resources struct {
	names   []string // of the previous fields, sorted
	profile []byte   // of the current resource
}

// Append appends a c1.connector.v2.Resource.
func (rs *Resources) Append(dst []byte, r baton.Resource) ([]byte, error) {
	e := encoder{b: dst}
	if r.ID.Type == "" || r.ID.ID == "" {
		e.fail(errNoID)
	}
	e.fail(rs.encode(r.Profile))
	e.resource(r, rs.profile)
	if e.err != nil {
		return nil, invalid("resource "+r.ID.String(), e.err)
	}
	return e.b, nil
}

// encode encodes the profile of a resource, which is written twice.
func (rs *Resources) encode(p baton.Profile) error {
	e := encoder{b: rs.profile[:0]}
	found := 0
	for _, name := range rs.names {
		if value, ok := p[name]; ok {
			e.field(name, value)
			found++
		}
	}
	if found < len(p) {
		e = encoder{b: e.b[:0]}
		if e.fields(p); e.err == nil {
			rs.remember(p)
		}
	}
	rs.profile = e.b
	return e.err
}

// remember keeps the names of the fields. It drops others if they would cost more than they
// save.
func (rs *Resources) remember(p baton.Profile) {
	names := slices.DeleteFunc(rs.names, func(name string) bool { _, ok := p[name]; return ok })
	if len(names) > len(p) {
		names = names[:0]
	}
	for name := range p {
		names = append(names, strings.Clone(name))
	}
	slices.Sort(names)
	rs.names = names
}

func (e *encoder) resource(r baton.Resource, profile []byte) {
	e.resourceID(1, r.ID)
	if r.Parent != (baton.ResourceID{}) {
		e.resourceID(2, r.Parent)
	}
	e.text(3, r.DisplayName)
	if r.User != nil {
		annotation, value := e.annotation(userTraitType)
		e.user(r, profile)
		e.close(value)
		e.end(annotation)
	}
	if r.Group != nil {
		annotation, value := e.annotation(groupTrait)
		e.raw(2, profile)
		e.close(value)
		e.end(annotation)
	}
	e.text(5, r.Description)
	e.raw(9, profile)
	e.status(11, r.Status)
	e.time(12, r.CreatedAt)
}

// close ends a bytes field. Unlike a message, it is left out if it is empty.
func (e *encoder) close(at int) {
	if len(e.b) == at {
		e.b = e.b[:at-2]
		return
	}
	e.end(at)
}

func (e *encoder) status(field int, s baton.Status) {
	if s != baton.StatusUnspecified {
		at := e.begin(field)
		e.number(1, int64(s))
		e.end(at)
	}
}

// accountHuman is UserTrait's ACCOUNT_TYPE_HUMAN. Service and system accounts follow it.
const accountHuman = 1

// accountKind returns the kind for a UserTrait's account type.
func accountKind(n int64) baton.AccountKind {
	if k := baton.AccountKind(n - accountHuman); k == baton.ServiceAccount || k == baton.SystemAccount {
		return k
	}
	return baton.PersonAccount
}

// user appends a UserTrait, which repeats fields of the resource.
func (e *encoder) user(r baton.Resource, profile []byte) {
	u := r.User
	for _, m := range u.Emails {
		at := e.begin(1)
		e.text(1, m.Address)
		if m.Primary {
			e.number(2, 1)
		}
		e.end(at)
	}
	e.status(2, r.Status)
	e.raw(3, profile)
	e.number(5, accountHuman+int64(u.Kind))
	e.text(6, u.Login)
	e.texts(7, u.LoginAliases)
	e.time(8, r.CreatedAt)
	e.time(9, u.LastLogin)
	if u.GivenName != "" || u.FamilyName != "" || len(u.MiddleNames) > 0 {
		at := e.begin(12)
		e.text(1, u.GivenName)
		e.text(2, u.FamilyName)
		e.texts(3, u.MiddleNames)
		e.end(at)
	}
	e.texts(13, u.EmployeeIDs)
}

func (e *encoder) texts(field int, list []string) {
	for _, s := range list {
		e.element(field, s)
	}
}

// AppendGrantAnnotations checks the parts of a grant that are not checked elsewhere, and
// appends the annotations of its message, which hold the metadata.
func AppendGrantAnnotations(dst, id []byte, g baton.Grant) ([]byte, error) {
	e := encoder{b: dst}
	e.fail(checkEntitlement(g.ID.Entitlement))
	if p := g.ID.Principal; p.Type == "" || p.ID == "" {
		e.fail(errNoID)
	}
	// Colons separate the parts of the id, so that invalid parts cannot form valid UTF-8.
	if !utf8.Valid(id) || !utf8.ValidString(g.ResourceName) {
		e.fail(errText)
	}
	if len(g.Metadata) > 0 {
		annotation, value := e.annotation(grantMetadata)
		e.profile(1, g.Metadata)
		e.close(value)
		e.end(annotation)
	}
	if e.err != nil {
		return nil, invalid("grant "+g.ID.String(), e.err)
	}
	return e.b, nil
}

// GrantParts holds the parts of the message of a grant.
type GrantParts struct {
	ResourceType, Resource []byte // of the entitlement
	Entitlement            []byte // its whole id
	PrincipalType          []byte
	Principal              []byte
	ID                     []byte // the grant's
	ResourceName           []byte // display name of the resource
	Annotations            []byte // in the form of the message
}

// AppendGrant appends a c1.connector.v2.Grant, whose parts AppendGrantAnnotations has checked.
func AppendGrant(dst []byte, g GrantParts) []byte {
	e := encoder{b: dst}
	entitlement := e.begin(1)
	resource := e.begin(1)
	e.id(g.ResourceType, g.Resource)
	e.raw(3, g.ResourceName)
	e.end(resource)
	e.raw(2, g.Entitlement)
	e.end(entitlement)
	principal := e.begin(2)
	e.id(g.PrincipalType, g.Principal)
	e.end(principal)
	e.raw(3, g.ID)
	return append(e.b, g.Annotations...)
}

// id appends a ResourceId in field 1.
func (e *encoder) id(kind, id []byte) {
	at := e.begin(1)
	e.raw(1, kind)
	e.raw(2, id)
	e.end(at)
}

// raw appends encoded bytes, unless there are none.
func (e *encoder) raw(field int, s []byte) {
	if len(s) > 0 {
		b := binary.AppendUvarint(e.b, uint64(field<<3|wireBytes))
		b = binary.AppendUvarint(b, uint64(len(s)))
		e.b = append(b, s...)
	}
}

// MarshalGrant encodes a c1.connector.v2.Grant.
func MarshalGrant(g baton.Grant) ([]byte, error) {
	id := []byte(g.ID.String())
	annotations, err := AppendGrantAnnotations(nil, id, g)
	if err != nil {
		return nil, err
	}
	b := func(s string) []byte { return []byte(s) }
	e, p := g.ID.Entitlement, g.ID.Principal
	return AppendGrant(nil, GrantParts{
		ResourceType: b(e.Resource.Type), Resource: b(e.Resource.ID), Entitlement: b(e.String()),
		PrincipalType: b(p.Type), Principal: b(p.ID), ID: id,
		ResourceName: b(g.ResourceName), Annotations: annotations,
	}), nil
}
