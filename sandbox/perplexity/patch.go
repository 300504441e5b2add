package perplexity

import (
	"fmt"
	"slices"
	"strings"
)

const patchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// operation is one operation of a PATCH (RFC 7644 section 3.5.2).
type operation struct {
	op       string // "add", "replace" or "remove"
	path     *patchPath
	value    any
	hasValue bool
}

// patchPath is an attribute or, with a filter, some of its values.
type patchPath struct {
	attrPath
	filter *filter
}

// parsePath parses attr, attr.sub, attr[filter] or attr[filter].sub, each optionally prefixed by the URN of a
// schema.
func parsePath(s string) (*patchPath, error) {
	if len(s) > maxFilterBytes {
		return nil, fmt.Errorf("the path is longer than %d bytes", maxFilterBytes)
	}
	p := &filterParser{in: s}
	path, err := p.attrPath()
	if err != nil {
		return nil, err
	}
	parsed := &patchPath{attrPath: path}
	if p.byte('[') {
		if parsed.filter, err = p.or(0); err != nil {
			return nil, err
		}
		if !p.byte(']') {
			return nil, p.unexpected(`"]"`)
		}
		if p.byte('.') {
			if parsed.sub = p.word(); parsed.sub == "" {
				return nil, p.unexpected("an attribute name")
			}
		}
	}
	if p.space(); p.at < len(p.in) {
		return nil, p.unexpected("the end")
	}
	return parsed, nil
}

// parsePatch reads the body of a PATCH.
func parsePatch(body object) ([]operation, *failure) {
	if !slices.ContainsFunc(elements(body.get("schemas")), func(v any) bool { return v == patchURN }) {
		return nil, fail(400, "invalidSyntax", "schemas must contain %q", patchURN)
	}
	list, ok := body.get("Operations").([]any)
	if !ok || len(list) == 0 {
		return nil, fail(400, "invalidSyntax", "Operations must be a list of at least one operation")
	}
	ops := make([]operation, 0, len(list))
	for i, v := range list {
		o, ok := v.(object)
		if !ok {
			return nil, fail(400, "invalidSyntax", "operation %d is not an object", i+1)
		}
		name, _ := o.get("op").(string)
		op := operation{op: strings.ToLower(name), value: o.get("value"), hasValue: o.find("value") >= 0}
		if op.op != "add" && op.op != "replace" && op.op != "remove" {
			return nil, fail(400, "invalidSyntax", "operation %d is %q, not add, replace or remove", i+1, name)
		}
		switch path := o.get("path").(type) {
		case nil:
		case string:
			var err error
			if op.path, err = parsePath(path); err != nil {
				return nil, fail(400, "invalidPath", "operation %d: %v", i+1, err)
			}
		default:
			return nil, fail(400, "invalidPath", "operation %d: the path is not a string", i+1)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// patcher applies operations to a document. After an error the document is incomplete, and the caller
// discards it.
type patcher struct {
	doc object
	// repeated and missing count additions of existing values and removals of missing ones. Servers handle
	// these differently.
	repeated, missing int
}

func (p *patcher) apply(op operation) *failure {
	if !op.hasValue && op.op != "remove" {
		return fail(400, "invalidValue", "%s needs a value", op.op)
	}
	if op.path == nil {
		return p.applyObject(op)
	}
	if readOnly(op.path.attr) {
		return fail(400, "mutability", "%s cannot be changed", op.path.attr)
	}
	if multiValued(op.path.attr) {
		if op.path.sub == "" {
			op.value = elementsAsObjects(op.value)
		}
		return p.applyValues(op)
	}
	if op.path.filter != nil {
		return fail(400, "invalidPath", "%s has a single value, that no filter can choose from", op.path.attr)
	}
	if op.path.sub != "" {
		complexValue, _ := p.doc.get(op.path.attr).(object)
		applySingle(&complexValue, op.op, op.path.sub, op.value)
		p.doc.set(op.path.attr, complexValue)
		if len(complexValue) == 0 {
			p.doc.remove(op.path.attr)
		}
		return nil
	}
	applySingle(&p.doc, op.op, op.path.attr, op.value)
	return nil
}

// applyObject applies an operation without a path, whose value is an object of attributes. Okta repeats
// read-only attributes in it; Entra uses paths as names.
func (p *patcher) applyObject(op operation) *failure {
	attrs, ok := op.value.(object)
	if op.op == "remove" || !ok {
		return fail(400, "noTarget", "%s without a path needs an object of attributes to work on, and remove needs a path", op.op)
	}
	for _, a := range attrs {
		path, err := parsePath(a.name)
		if _, extension := a.value.(object); extension && strings.HasPrefix(a.name, "urn:") {
			path, err = &patchPath{attrPath: attrPath{attr: a.name}}, nil
		}
		if err != nil {
			return fail(400, "invalidPath", "%v", err)
		}
		if readOnly(path.attr) {
			continue
		}
		if f := p.apply(operation{op: op.op, path: path, value: a.value, hasValue: true}); f != nil {
			return f
		}
	}
	return nil
}

// applySingle changes one attribute. As the standard requires, a complex value is merged, not replaced.
func applySingle(o *object, op, name string, value any) {
	if op == "remove" {
		o.remove(name)
		return
	}
	if have, ok := o.get(name).(object); ok {
		if _, ok := value.(object); ok {
			value = assign(have, value)
		}
	}
	o.set(name, value)
}

// applyValues changes a multi-valued attribute.
func (p *patcher) applyValues(op operation) *failure {
	path := op.path
	have := elements(p.doc.get(path.attr))
	switch {
	case path.filter != nil || path.sub != "":
		var f *failure
		if have, f = p.applyChosen(have, op); f != nil {
			return f
		}
	case op.op == "add":
		var repeated int
		have, repeated = addValues(have, elements(op.value))
		p.repeated += repeated
	case op.op == "replace":
		have, _ = addValues(nil, elements(op.value))
	case op.hasValue: // Entra lists the removed elements in the value
		for _, v := range elements(op.value) {
			before := len(have)
			have = slices.DeleteFunc(have, func(h any) bool { return sameElement(h, v) })
			if len(have) == before {
				p.missing++
			}
		}
	default:
		have = nil
	}
	p.doc.set(path.attr, have)
	return nil
}

// addValues appends the missing values and counts those already present.
func addValues(have, add []any) (all []any, repeated int) {
	known := make(map[string]bool, len(have)) // avoids most comparisons in large groups
	for _, h := range have {
		known[valueOf(h)] = true
	}
	for _, v := range add {
		at := -1
		if known[valueOf(v)] {
			at = slices.IndexFunc(have, func(h any) bool { return sameElement(h, v) })
		}
		if at >= 0 {
			repeated++
			if o, ok := have[at].(object); ok {
				have[at] = assign(o, v)
			}
		} else {
			known[valueOf(v)] = true
			have, at = append(have, v), len(have)
		}
		demoteOthers(have, at)
	}
	return have, repeated
}

// applyChosen changes the elements that match the path's filter (all without a filter), or attributes of
// them.
func (p *patcher) applyChosen(have []any, op operation) ([]any, *failure) {
	var chosen []int
	for i, v := range have {
		if o, ok := v.(object); ok && (op.path.filter == nil || op.path.filter.matches(o.get, false)) {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 0 {
		switch op.op {
		case "remove":
			p.missing++
			return have, nil
		case "replace":
			return nil, fail(400, "noTarget", "no value of %s is chosen by the path", op.path.attr)
		}
		chosen = []int{len(have)}
		have = append(have, implied(op.path.filter))
	}
	if op.op == "remove" && op.path.sub == "" {
		for _, i := range slices.Backward(chosen) {
			have = slices.Delete(have, i, i+1)
		}
		return have, nil
	}
	for _, i := range chosen {
		o := have[i].(object)
		if op.path.sub != "" {
			applySingle(&o, op.op, op.path.sub, op.value)
		} else if _, ok := op.value.(object); ok {
			o = assign(o, op.value)
		} else {
			return nil, fail(400, "invalidValue", "the value for chosen elements of %s must be an object", op.path.attr)
		}
		have[i] = o
		demoteOthers(have, i)
	}
	return have, nil
}

// implied returns the element that a filter of equalities describes. An addition creates it if no element
// matches the filter.
func implied(f *filter) object {
	o := object{}
	for f != nil && f.op == "and" {
		o = assign(o, implied(f.right))
		f = f.left
	}
	if f != nil && f.op == "eq" && f.path.sub == "" {
		o.set(f.path.attr, f.value)
	}
	return o
}

// assign sets the attributes in from.
func assign(o object, from any) object {
	give, _ := from.(object)
	for _, a := range give {
		o.set(a.name, a.value)
	}
	return o
}

// demoteOthers keeps at most one value primary: the last one changed.
func demoteOthers(have []any, touched int) {
	if t, _ := have[touched].(object); t.get("primary") != true {
		return
	}
	for i, v := range have {
		if o, ok := v.(object); ok && i != touched && o.get("primary") == true {
			o.set("primary", false)
		}
	}
}

// valueOf returns the "value" of an element, if it has one.
func valueOf(v any) string {
	o, _ := v.(object)
	s, _ := o.get("value").(string)
	return s
}

// sameElement reports whether two elements of a multi-valued attribute are the same: equal values, and equal
// types if both have one.
func sameElement(a, b any) bool {
	if valueOf(a) == "" || valueOf(b) == "" {
		return equalValue(a, b)
	}
	s, _ := a.(object).get("type").(string)
	t, _ := b.(object).get("type").(string)
	return valueOf(a) == valueOf(b) && (s == "" || t == "" || strings.EqualFold(s, t))
}

// elementsAsObjects converts the bare strings that some clients send for members and addresses to objects.
func elementsAsObjects(v any) any {
	if s, ok := v.(string); ok {
		return object{{"value", s}}
	}
	if l, ok := v.([]any); ok {
		for i, e := range l {
			if s, ok := e.(string); ok {
				l[i] = object{{"value", s}}
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
