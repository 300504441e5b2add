package scim

import (
	"slices"
	"strings"
)

// Fields holds the attributes selected by a request (RFC 7644 section 3.9).
type Fields struct{ Only, Without []Path }

// ParseFields parses the parameters attributes and excludedAttributes.
func ParseFields(attributes, excluded string) (f Fields, err *Error) {
	if f.Only, err = parseNames("attributes", attributes); err != nil {
		return f, err
	}
	f.Without, err = parseNames("excludedAttributes", excluded)
	return f, err
}

func parseNames(param, names string) (paths []Path, err *Error) {
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' }) {
		path, err := ParsePath(name)
		if err != nil || path.Filter != nil {
			return nil, errorf("invalidValue", "%s: %.64q is not an attribute name", param, name)
		}
		paths = append(paths, path.Path)
	}
	return paths, nil
}

// Wants reports whether the attribute, or a part of it, is selected.
func (f Fields) Wants(name string) bool {
	for _, p := range f.Without {
		if p.Sub == "" && strings.EqualFold(p.Attr, name) {
			return false
		}
	}
	return len(f.Only) == 0 || slices.ContainsFunc(f.Only, func(p Path) bool { return strings.EqualFold(p.Attr, name) })
}

// Apply keeps the selected attributes, the id and the schemas.
func (f Fields) Apply(o Object) Object {
	if len(f.Only) == 0 && len(f.Without) == 0 {
		return o
	}
	var shown Object
	for _, a := range o {
		if a.Name == "id" || a.Name == "schemas" {
			shown = append(shown, a)
		} else if f.Wants(a.Name) {
			shown = append(shown, Attr{a.Name, f.inside(a)})
		}
	}
	return shown
}

// inside applies the selection of sub-attributes, except to members and groups, which are
// always written whole.
func (f Fields) inside(a Attr) any {
	keep := func(sub string) bool {
		wanted, narrowed := false, false
		for _, p := range f.Only {
			if strings.EqualFold(p.Attr, a.Name) {
				narrowed = narrowed || p.Sub != ""
				wanted = wanted || p.Sub == "" || strings.EqualFold(p.Sub, sub)
			}
		}
		return (!narrowed || wanted) && !slices.ContainsFunc(f.Without, func(p Path) bool {
			return strings.EqualFold(p.Attr, a.Name) && strings.EqualFold(p.Sub, sub)
		})
	}
	prune := func(v any) any {
		o, ok := v.(Object)
		if !ok {
			return v
		}
		return slices.DeleteFunc(slices.Clone(o), func(s Attr) bool { return !keep(s.Name) })
	}
	if l, ok := a.Value.([]any); ok {
		pruned := make([]any, len(l))
		for i, v := range l {
			pruned[i] = prune(v)
		}
		return pruned
	}
	return prune(a.Value)
}
