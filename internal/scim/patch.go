package scim

import (
	"fmt"
	"slices"
	"strings"
)

// PatchURN is the schema of the body of a PATCH.
const PatchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// Operation is one operation of a PATCH (RFC 7644 section 3.5.2).
type Operation struct {
	Op       string // "add", "replace" or "remove"
	Path     *PatchPath
	Value    any
	HasValue bool
}

// PatchPath is an attribute or, with a filter, some of its values.
type PatchPath struct {
	Path
	Filter *Filter
}

// ParsePath parses attr, attr.sub, attr[filter] or attr[filter].sub, each optionally prefixed by the URN of a
// schema.
func ParsePath(s string) (*PatchPath, error) {
	if len(s) > maxFilterBytes {
		return nil, fmt.Errorf("the path is longer than %d bytes", maxFilterBytes)
	}
	p := &filterParser{in: s}
	path, err := p.attrPath()
	if err != nil {
		return nil, err
	}
	parsed := &PatchPath{Path: path}
	if p.byte('[') {
		if parsed.Filter, err = p.or(0); err != nil {
			return nil, err
		}
		if !p.byte(']') {
			return nil, p.unexpected(`"]"`)
		}
		if p.byte('.') {
			if parsed.Sub = p.word(); parsed.Sub == "" {
				return nil, p.unexpected("an attribute name")
			}
		}
	}
	if p.space(); p.at < len(p.in) {
		return nil, p.unexpected("the end")
	}
	return parsed, nil
}

// ParsePatch reads the body of a PATCH.
func ParsePatch(body Object) ([]Operation, *Error) {
	if !slices.ContainsFunc(Elements(body.Get("schemas")), func(v any) bool { return v == PatchURN }) {
		return nil, errorf("invalidSyntax", "schemas must contain %q", PatchURN)
	}
	list, ok := body.Get("Operations").([]any)
	if !ok || len(list) == 0 {
		return nil, errorf("invalidSyntax", "Operations must be a list of at least one operation")
	}
	ops := make([]Operation, 0, len(list))
	for i, v := range list {
		o, ok := v.(Object)
		if !ok {
			return nil, errorf("invalidSyntax", "operation %d is not an object", i+1)
		}
		name, _ := o.Get("op").(string)
		op := Operation{Op: strings.ToLower(name), Value: o.Get("value"), HasValue: o.Find("value") >= 0}
		if op.Op != "add" && op.Op != "replace" && op.Op != "remove" {
			return nil, errorf("invalidSyntax", "operation %d is %q, not add, replace or remove", i+1, name)
		}
		switch path := o.Get("path").(type) {
		case nil:
		case string:
			var err error
			if op.Path, err = ParsePath(path); err != nil {
				return nil, errorf("invalidPath", "operation %d: %v", i+1, err)
			}
		default:
			return nil, errorf("invalidPath", "operation %d: the path is not a string", i+1)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// Patcher applies operations to a document. After an error the document is incomplete, and the caller
// discards it.
type Patcher struct {
	Doc Object
	// Skip reports attributes that the server does not keep; nil: it keeps all. Operations on them do nothing.
	Skip func(Path) bool
	// Repeated and Missing count additions of existing values and removals of missing ones. Servers handle
	// these differently.
	Repeated, Missing int
}

// Apply applies an operation.
func (p *Patcher) Apply(op Operation) *Error {
	if !op.HasValue && op.Op != "remove" {
		return errorf("invalidValue", "%s needs a value", op.Op)
	}
	if op.Path == nil {
		return p.applyObject(op)
	}
	if readOnly(op.Path.Attr) {
		return errorf("mutability", "%s cannot be changed", op.Path.Attr)
	}
	if p.Skip != nil && p.Skip(op.Path.Path) {
		return nil
	}
	if multiValued(op.Path.Attr) {
		if op.Path.Sub == "" {
			op.Value = elementsAsObjects(op.Value)
		}
		return p.applyValues(op)
	}
	if op.Path.Filter != nil {
		return errorf("invalidPath", "%s has a single value, that no filter can choose from", op.Path.Attr)
	}
	if op.Path.Sub != "" {
		complexValue, _ := p.Doc.Get(op.Path.Attr).(Object)
		applyPart(&complexValue, op)
		p.Doc.Set(op.Path.Attr, complexValue)
		if len(complexValue) == 0 {
			p.Doc.Remove(op.Path.Attr)
		}
		return nil
	}
	applySingle(&p.Doc, op.Op, op.Path.Attr, op.Value)
	return nil
}

// applyObject applies an operation without a path, whose value is an object of attributes. Okta repeats
// read-only attributes in it; Entra uses paths as names.
func (p *Patcher) applyObject(op Operation) *Error {
	attrs, ok := op.Value.(Object)
	if op.Op == "remove" || !ok {
		return errorf("noTarget", "%s without a path needs an object of attributes to work on, and remove needs a path", op.Op)
	}
	for _, a := range attrs {
		path, err := ParsePath(a.Name)
		if _, extension := a.Value.(Object); extension && strings.HasPrefix(a.Name, "urn:") {
			path, err = &PatchPath{Path: Path{Attr: a.Name}}, nil
		}
		if err != nil {
			return errorf("invalidPath", "%v", err)
		}
		if readOnly(path.Attr) {
			continue
		}
		if f := p.Apply(Operation{Op: op.Op, Path: path, Value: a.Value, HasValue: true}); f != nil {
			return f
		}
	}
	return nil
}

// applyPart changes a sub-attribute, or a part of one.
func applyPart(o *Object, op Operation) {
	if op.Path.Part == "" {
		applySingle(o, op.Op, op.Path.Sub, op.Value)
		return
	}
	inner, _ := o.Get(op.Path.Sub).(Object)
	inner = inner.Clone()
	applySingle(&inner, op.Op, op.Path.Part, op.Value)
	o.Set(op.Path.Sub, inner)
	if len(inner) == 0 {
		o.Remove(op.Path.Sub)
	}
}

// applySingle changes one attribute. As the standard requires, a complex value is merged, not replaced.
func applySingle(o *Object, op, name string, value any) {
	if op == "remove" {
		o.Remove(name)
		return
	}
	if have, ok := o.Get(name).(Object); ok {
		if _, ok := value.(Object); ok {
			value = assign(have, value)
		}
	}
	o.Set(name, value)
}

// applyValues changes a multi-valued attribute.
func (p *Patcher) applyValues(op Operation) *Error {
	path := op.Path
	have := Elements(p.Doc.Get(path.Attr))
	switch {
	case path.Filter != nil || path.Sub != "":
		var f *Error
		if have, f = p.applyChosen(have, op); f != nil {
			return f
		}
	case op.Op == "add":
		var repeated int
		have, repeated = addValues(have, Elements(op.Value))
		p.Repeated += repeated
	case op.Op == "replace":
		have, _ = addValues(nil, Elements(op.Value))
	case op.HasValue: // Entra lists the removed elements in the value
		for _, v := range Elements(op.Value) {
			before := len(have)
			have = slices.DeleteFunc(have, func(h any) bool { return sameElement(h, v) })
			if len(have) == before {
				p.Missing++
			}
		}
	default:
		have = nil
	}
	p.Doc.Set(path.Attr, have)
	return nil
}

// addValues appends the missing values and counts those already present.
func addValues(have, add []any) (all []any, repeated int) {
	known := make(map[string]bool, len(have)) // avoids most comparisons in large groups
	for _, h := range have {
		known[ValueOf(h)] = true
	}
	for _, v := range add {
		at := -1
		if known[ValueOf(v)] {
			at = slices.IndexFunc(have, func(h any) bool { return sameElement(h, v) })
		}
		if at >= 0 {
			repeated++
			if o, ok := have[at].(Object); ok {
				have[at] = assign(o, v)
			}
		} else {
			known[ValueOf(v)] = true
			have, at = append(have, v), len(have)
		}
		demoteOthers(have, at)
	}
	return have, repeated
}

// applyChosen changes the elements that match the path's filter (all without a filter), or attributes of
// them.
func (p *Patcher) applyChosen(have []any, op Operation) ([]any, *Error) {
	var chosen []int
	for i, v := range have {
		if o, ok := v.(Object); ok && (op.Path.Filter == nil || op.Path.Filter.Matches(o.Get, false)) {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 0 {
		switch op.Op {
		case "remove":
			p.Missing++
			return have, nil
		case "replace":
			return nil, errorf("noTarget", "no value of %s is chosen by the path", op.Path.Attr)
		}
		chosen = []int{len(have)}
		have = append(have, implied(op.Path.Filter))
	}
	if op.Op == "remove" && op.Path.Sub == "" {
		for _, i := range slices.Backward(chosen) {
			have = slices.Delete(have, i, i+1)
		}
		return have, nil
	}
	for _, i := range chosen {
		o := have[i].(Object)
		if op.Path.Sub != "" {
			applySingle(&o, op.Op, op.Path.Sub, op.Value)
		} else if _, ok := op.Value.(Object); ok {
			o = assign(o, op.Value)
		} else {
			return nil, errorf("invalidValue", "the value for chosen elements of %s must be an object", op.Path.Attr)
		}
		have[i] = o
		demoteOthers(have, i)
	}
	return have, nil
}

// implied returns the element that a filter of equalities describes. An addition creates it if no element
// matches the filter.
func implied(f *Filter) Object {
	o := Object{}
	for f != nil && f.Op == "and" {
		o = assign(o, implied(f.Right))
		f = f.Left
	}
	if f != nil && f.Op == "eq" && f.Path.Sub == "" {
		o.Set(f.Path.Attr, f.Value)
	}
	return o
}

// assign sets the attributes in from.
func assign(o Object, from any) Object {
	give, _ := from.(Object)
	for _, a := range give {
		o.Set(a.Name, a.Value)
	}
	return o
}

// demoteOthers keeps at most one value primary: the last one changed.
func demoteOthers(have []any, touched int) {
	if t, _ := have[touched].(Object); t.Get("primary") != true {
		return
	}
	for i, v := range have {
		if o, ok := v.(Object); ok && i != touched && o.Get("primary") == true {
			o.Set("primary", false)
		}
	}
}

// ValueOf returns the "value" of an element, if it has one.
func ValueOf(v any) string {
	o, _ := v.(Object)
	s, _ := o.Get("value").(string)
	return s
}

// sameElement reports whether two elements of a multi-valued attribute are the same: equal values, and equal
// types if both have one.
func sameElement(a, b any) bool {
	if ValueOf(a) == "" || ValueOf(b) == "" {
		return Equal(a, b)
	}
	s, _ := a.(Object).Get("type").(string)
	t, _ := b.(Object).Get("type").(string)
	return ValueOf(a) == ValueOf(b) && (s == "" || t == "" || strings.EqualFold(s, t))
}

// elementsAsObjects converts the bare strings that some clients send for members and addresses to objects.
func elementsAsObjects(v any) any {
	if s, ok := v.(string); ok {
		return Object{{"value", s}}
	}
	if l, ok := v.([]any); ok {
		for i, e := range l {
			if s, ok := e.(string); ok {
				l[i] = Object{{"value", s}}
			}
		}
	}
	return v
}

func multiValued(attribute string) bool {
	switch strings.ToLower(attribute) {
	case "members", "emails", "phonenumbers", "ims", "photos", "addresses", "entitlements", "roles", "x509certificates":
		return true
	}
	return false
}

func readOnly(attribute string) bool {
	switch strings.ToLower(attribute) {
	case "id", "meta", "schemas", "groups":
		return true
	}
	return false
}
