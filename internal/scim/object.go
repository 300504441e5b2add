package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Attr is one attribute of a resource or of a complex value.
type Attr = struct {
	Name  string
	Value any // nil, bool, string, int, json.Number, Object or []any; a server may add types of its own
}

// Object is a JSON object in SCIM's sense: ordered, with case-insensitive names. Objects are short, so a scan
// is faster than a map.
type Object []Attr

// Get returns the value of an attribute; nil if there is none.
func (o Object) Get(name string) any {
	if i := o.Find(name); i >= 0 {
		return o[i].Value
	}
	return nil
}

// Find returns the index of an attribute; -1 if there is none.
func (o Object) Find(name string) int {
	for i := range o {
		if strings.EqualFold(o[i].Name, name) {
			return i
		}
	}
	return -1
}

// Set sets an attribute. It keeps the place and the spelling of one that is there.
func (o *Object) Set(name string, value any) {
	if i := o.Find(name); i >= 0 {
		(*o)[i].Value = value
		return
	}
	*o = append(*o, Attr{name, value})
}

// Remove removes an attribute. It does nothing if there is none.
func (o *Object) Remove(name string) {
	if i := o.Find(name); i >= 0 {
		*o = slices.Delete(*o, i, i+1)
	}
}

// Clone copies the object and everything below it.
func (o Object) Clone() Object { return copyValue(o).(Object) }

func copyValue(v any) any {
	switch v := v.(type) {
	case Object:
		c := make(Object, len(v))
		for i, a := range v {
			c[i] = Attr{a.Name, copyValue(a.Value)}
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

// Equal compares two values, ignoring the order of attributes. Values of a type that a server added are
// never equal.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		if !ok || len(a) != len(b) {
			return false
		}
		for _, at := range a {
			if i := b.Find(at.Name); i < 0 || !Equal(at.Value, b[i].Value) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case nil, bool, string, int, json.Number:
		switch b.(type) {
		case nil, bool, string, int, json.Number:
			return a == b
		}
	}
	return false
}

// Elements returns the values of an attribute, single or multi-valued.
func Elements(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// maxDepth limits the nesting of JSON. The deepest value of the standard has four levels.
const maxDepth = 32

// Parse parses one JSON value. It sorts objects by name, so that an unknown attribute is always written
// in the same order.
func Parse(b []byte) (any, error) {
	if deeper(b, maxDepth) {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
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

// deeper reports whether JSON nests deeper than a limit. The decoder would build all levels first.
func deeper(b []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(Object, 0, len(v))
		for name, value := range v {
			o = append(o, Attr{name, ordered(value)})
		}
		slices.SortFunc(o, func(a, b Attr) int { return strings.Compare(a.Name, b.Name) })
		return o
	case []any:
		for i := range v {
			v[i] = ordered(v[i])
		}
	}
	return v
}

// MarshalJSON implements [json.Marshaler]. It keeps the order of the attributes.
func (o Object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, a := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(a.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(a.Value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}
