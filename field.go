package baton

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// FieldKind is the type of a value that a person or C1 enters.
type FieldKind int

// The kinds of fields.
const (
	StringField FieldKind = iota
	BoolField
	IntField
	StringsField
)

// String returns the kind in words for a person.
func (k FieldKind) String() string {
	return [...]string{"text", "true or false", "a whole number", "a list of texts"}[k]
}

// Field is an input of account creation or of an action, or a return value.
type Field struct {
	Name        string
	DisplayName string
	Description string
	Placeholder string
	Kind        FieldKind
	Required    bool
}

// CheckFields checks values, as decoded by encoding/json, against a schema: no field may be missing, unknown
// or of the wrong kind. It replaces whole numbers by int and lists by []string. The error lists all problems.
func CheckFields(fields []Field, values map[string]any) error {
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		if i < 0 {
			bad = append(bad, name+" is not known")
			continue
		}
		value, ok := fields[i].Kind.value(values[name])
		if !ok {
			bad = append(bad, name+" is not "+fields[i].Kind.String())
		}
		values[name] = value
	}
	for _, f := range fields {
		if f.Required && (values[f.Name] == nil || values[f.Name] == "") {
			bad = append(bad, f.Name+" is missing")
		}
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "; "))
	}
	return nil
}

// value converts a JSON value to the kind.
func (k FieldKind) value(value any) (any, bool) {
	switch v := value.(type) {
	case string:
		return v, k == StringField
	case bool:
		return v, k == BoolField
	case float64:
		return int(v), k == IntField && v == float64(int(v))
	case []any:
		list := []string{}
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			list = append(list, text)
		}
		return list, k == StringsField
	}
	return nil, false
}
