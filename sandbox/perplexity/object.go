package perplexity

import (
	"encoding/json"
	"strconv"
	"strings"

	"baton/internal/scim"
	"baton/sandbox/fault"
)

// The values of an object here can also be a []member or a memberList, which are only written.
type (
	object = scim.Object
	attr   = scim.Attr
)

// encoder appends JSON. It is fast, because a page of groups can hold a hundred thousand members, and writes
// the variants of JSON that faults select.
type encoder struct {
	buf         []byte
	upper       bool // attribute names in capitals
	stringBools bool // "True" and "False"
	single      bool // a list of one is written as its element
	bareMembers bool // members are written as their ids

	faults  fault.Set // the server's faults for members
	inserts []insert  // texts too large for buf

	stringNumbers bool   // the numbers of a list are strings
	references    string // if not empty, members are written as references below this URL
	refName       string // name of the attribute with the reference
}

func (e *encoder) value(v any) {
	switch v := v.(type) {
	case nil:
		e.buf = append(e.buf, "null"...)
	case bool:
		e.bool(v)
	case string:
		e.buf = appendString(e.buf, v)
	case int:
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	case json.Number:
		e.buf = append(e.buf, v...)
	case object:
		e.buf = append(e.buf, '{')
		for i, a := range v {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.name(a.Name)
			e.value(a.Value)
		}
		e.buf = append(e.buf, '}')
	case []any:
		list(e, v, func(el any) { e.value(el) })
	case []member:
		list(e, v, e.member)
	case memberList:
		e.members(v)
	}
}

func list[T any](e *encoder, l []T, element func(T)) {
	if e.single && len(l) == 1 {
		element(l[0])
		return
	}
	e.buf = append(e.buf, '[')
	for i, el := range l {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		element(el)
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) bool(b bool) {
	switch {
	case e.stringBools && b:
		e.buf = append(e.buf, `"True"`...)
	case e.stringBools:
		e.buf = append(e.buf, `"False"`...)
	default:
		e.buf = strconv.AppendBool(e.buf, b)
	}
}

func (e *encoder) name(name string) {
	if e.upper && !strings.Contains(name, ":") {
		name = strings.ToUpper(name)
	}
	e.buf = appendString(e.buf, name)
	e.buf = append(e.buf, ':')
}

// known writes a name that needs no escapes, after a comma or a brace.
func (e *encoder) known(before byte, name string) {
	if e.upper {
		name = strings.ToUpper(name)
	}
	e.buf = append(append(append(e.buf, before, '"'), name...), '"', ':')
}

func (e *encoder) member(m member) {
	switch {
	case e.bareMembers:
		e.buf = appendString(e.buf, m.value)
		return
	case e.references != "" && m.kind != "direct":
		e.known('{', e.refName)
		e.buf = appendString(e.buf, e.reference(m))
		e.buf = append(e.buf, '}')
		return
	}
	before := byte('{')
	if m.value != "" {
		e.memberID(m)
		before = ','
	}
	if m.display != "" {
		e.known(before, "display")
		e.buf = appendString(e.buf, m.display)
		before = ','
	}
	if m.kind != "" {
		e.known(before, "type")
		e.buf = appendString(e.buf, m.kind)
	}
	if m.ref != "" {
		e.known(',', "$ref")
		e.buf = appendString(e.buf, m.ref)
	}
	e.buf = append(e.buf, '}')
}

// memberID starts a member with its id. Values in the groups of users have no special forms.
func (e *encoder) memberID(m member) {
	f := e.faults
	switch direct := m.kind == "direct"; {
	case !direct && f.Has("members-by-object"):
		e.known('{', "value")
		e.known('{', "id")
		e.buf = append(appendString(e.buf, m.value), '}')
	case !direct && (f.Has("members-by-id") || f.Has("members-by-membership")):
		e.known('{', "id")
		e.buf = appendString(e.buf, m.value)
	default:
		e.known('{', "value")
		e.buf = appendString(e.buf, m.value)
	}
}

// appendString appends a JSON string. All texts come from a JSON decoder or from source code, so they are
// valid UTF-8.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always encodes
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
