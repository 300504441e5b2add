package perplexity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"baton/sandbox/fault"
)

// attr is one attribute of a resource or of a complex value.
type attr struct {
	name  string
	value any // nil, bool, string, int, json.Number, object, []any, []member or memberList
}

// object is a JSON object in SCIM's sense: ordered, with case-insensitive names. Objects are short, so a scan
// is faster than a map.
type object []attr

func (o object) get(name string) any {
	if i := o.find(name); i >= 0 {
		return o[i].value
	}
	return nil
}

func (o object) find(name string) int {
	for i := range o {
		if strings.EqualFold(o[i].name, name) {
			return i
		}
	}
	return -1
}

func (o *object) set(name string, value any) {
	if i := o.find(name); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, attr{name, value})
}

func (o *object) remove(name string) {
	if i := o.find(name); i >= 0 {
		*o = slices.Delete(*o, i, i+1)
	}
}

// clone copies the object and everything below it.
func (o object) clone() object { return copyValue(o).(object) }

func copyValue(v any) any {
	switch v := v.(type) {
	case object:
		c := make(object, len(v))
		for i, a := range v {
			c[i] = attr{a.name, copyValue(a.value)}
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = copyValue(e)
		}
		return c
	}
	return v
}

// equalValue compares two values, ignoring the order of attributes.
func equalValue(a, b any) bool {
	switch a := a.(type) {
	case object:
		b, ok := b.(object)
		if !ok || len(a) != len(b) {
			return false
		}
		for _, at := range a {
			if i := b.find(at.name); i < 0 || !equalValue(at.value, b[i].value) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalValue)
	case []member, memberList:
		return false // only written, never compared
	}
	switch b.(type) {
	case object, []any, []member, memberList:
		return false
	}
	return a == b
}

// parseJSON parses one JSON value. It sorts objects by name, so that an unknown attribute is always written
// in the same order.
func parseJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON value")
	}
	return ordered(v), nil
}

func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(object, 0, len(v))
		for name, value := range v {
			o = append(o, attr{name, ordered(value)})
		}
		slices.SortFunc(o, func(a, b attr) int { return strings.Compare(a.name, b.name) })
		return o
	case []any:
		for i := range v {
			v[i] = ordered(v[i])
		}
	}
	return v
}

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
			e.name(a.name)
			e.value(a.value)
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
