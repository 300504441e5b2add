package scim

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzFilter parses filters. What parses can be evaluated on anything, and says the opposite of its
// negation.
func FuzzFilter(f *testing.F) {
	for _, filter := range []string{`userName eq "a"`, `emails[type eq "work" and not (primary eq true)].value co "@"`, `not (a pr) or b ge 7 and (c ne null)`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "x"`, `a eq "\u0000\ud800"`, `meta.created lt "2026-01-01T00:00:00Z"`, `a[b[c eq 1]]`, `((((`, `a eq -1.5e+300`} {
		f.Add(filter, `{"a":[{"b":true,"type":"work","value":"x@y"},7,"z"],"userName":"A","meta":{"created":"2025-01-01T00:00:00Z"}}`)
	}
	f.Fuzz(func(t *testing.T, filter, doc string) {
		parsed, err := ParseFilter(filter)
		if err != nil {
			return
		}
		v, err := Parse([]byte(doc))
		o, ok := v.(Object)
		if err != nil || !ok {
			return
		}
		if not := (&Filter{Op: "not", Left: parsed}); parsed.Matches(o.Get, false) == not.Matches(o.Get, false) {
			t.Errorf("%q and its negation are the same for %s", filter, doc)
		}
		again, err := ParseFilter("(" + filter + ")")
		if len(filter)+2 <= maxFilterBytes && strings.Count(filter, "(")+strings.Count(filter, "[")+2 < maxFilterDepth && (err != nil || again.Matches(o.Get, false) != parsed.Matches(o.Get, false)) {
			t.Errorf("%q in parentheses is something else: %v", filter, err)
		}
	})
}

// FuzzPatch applies operations to documents. The result is JSON that parses to itself, and attributes
// that nobody may change are as before.
func FuzzPatch(f *testing.F) {
	const doc = `{"id":"1","emails":[{"value":"a@b","type":"work","primary":true}],"name":{"givenName":"A"},"active":true}`
	for _, ops := range []string{`[{"op":"Replace","path":"active","value":"False"}]`, `[{"op":"add","value":{"name.givenName":"B","id":"2","emails":[{"value":"c@d","primary":true}]}}]`,
		`[{"op":"add","path":"emails[type eq \"home\" and primary eq true].value","value":"x"},{"op":"remove","path":"emails[not (value co \"@\")].type"}]`,
		`[{"op":"remove","path":"emails","value":[{"value":"a@b"}]}]`, `[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value","value":{"a":[1,null]}}]`,
		`[{"op":"replace","path":"emails.value","value":["a",{}]},{"op":"remove"}]`, `[{"op":"add","path":"members","value":{"members":[[]]}}]`} {
		f.Add(ops, doc)
	}
	f.Fuzz(func(t *testing.T, ops, doc string) {
		v, err := Parse([]byte(`{"schemas":["` + PatchURN + `"],"Operations":` + ops + `}`))
		body, ok := v.(Object)
		if err != nil || !ok {
			return
		}
		parsed, problem := ParsePatch(body)
		if problem != nil {
			return
		}
		v, err = Parse([]byte(doc))
		before, ok := v.(Object)
		if err != nil || !ok {
			return
		}
		p := &Patcher{Doc: before.Clone()}
		for _, op := range parsed {
			if problem := p.Apply(op); problem != nil {
				if problem.Type == "" || problem.Detail == "" {
					t.Errorf("an error without a type or a detail: %+v", problem)
				}
				return
			}
		}
		if !Equal(p.Doc.Get("id"), before.Get("id")) {
			t.Errorf("%s changes the id", ops)
		}
		encoded, err := json.Marshal(p.Doc)
		if err != nil {
			t.Fatalf("%s: %v", ops, err)
		}
		if deeper(encoded, maxDepth) {
			return // a value was nested into another one
		}
		if _, err := Parse(encoded); err != nil {
			t.Errorf("%s makes %s: %v", ops, encoded, err)
		}
	})
}
