package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton/console/api"
)

// TestOpenAPI compares the responses of all calls with the document that is served.
func TestOpenAPI(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.askForMember()
	d := f.ok(f.as("user"), "GET", "/api/v1/openapi.json", "")
	if d["openapi"] != "3.1.0" {
		t.Fatalf("the document: %v", d)
	}
	bodies, compared := f.bodies(), 0
	for _, r := range api.Routes() {
		method, path, _ := strings.Cut(r, " ")
		call, ok := at(d["paths"].(map[string]any)[path], strings.ToLower(method)).(map[string]any)
		if !ok {
			t.Errorf("%s is not described", r)
			continue
		}
		schema := call["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
		for _, who := range []string{"super", "user", "owner"} {
			a := f.call(f.as(who), method, f.path(path), bodies[r])
			if a.status != 200 || a.header.Get("Content-Type") != "application/json" || strings.HasSuffix(path, "/openapi.json") {
				continue
			}
			var v any
			f.check(json.Unmarshal([]byte(a.body), &v))
			for _, problem := range conforms(d, schema, v, r) {
				t.Error(problem)
			}
			compared++
			break
		}
	}
	if compared < 40 {
		t.Errorf("only %d responses were compared", compared)
	}
}

// conforms returns how a value differs from a schema of a document.
func conforms(document map[string]any, schema, v any, where string) (problems []string) {
	s := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return conforms(document, document["components"].(map[string]any)["schemas"].(map[string]any)[ref[strings.LastIndex(ref, "/")+1:]], v, where)
	}
	if any, ok := s["anyOf"].([]any); ok {
		if v == nil {
			return nil
		}
		return conforms(document, any[0], v, where)
	}
	types, several := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		types = []any{one}
	}
	is := map[string]bool{}
	switch x := v.(type) {
	case nil:
		is["null"] = true
	case bool:
		is["boolean"] = true
	case string:
		is["string"] = true
	case float64:
		is["integer"] = x == float64(int64(x))
	case []any:
		is["array"] = true
	case map[string]any:
		is["object"] = true
	}
	if len(types) > 0 && !slices.ContainsFunc(types, func(t any) bool { return is[fmt.Sprint(t)] }) {
		return []string{fmt.Sprintf("%s is %T, want %v (%t)", where, v, types, several)}
	}
	if object, ok := v.(map[string]any); ok {
		for _, name := range asList(s["required"]) {
			if _, ok := object[fmt.Sprint(name)]; !ok {
				problems = append(problems, fmt.Sprintf("%s has no %s", where, name))
			}
		}
		properties, described := s["properties"].(map[string]any)
		for name, value := range object {
			if p, ok := properties[name]; ok {
				problems = append(problems, conforms(document, p, value, where+"."+name)...)
			} else if described && s["required"] != nil && len(properties) > 1 {
				problems = append(problems, fmt.Sprintf("%s has %s, which the document does not", where, name))
			}
		}
	}
	if rows, ok := v.([]any); ok && s["items"] != nil {
		for _, row := range rows {
			problems = append(problems, conforms(document, s["items"], row, where+"[]")...)
		}
	}
	return problems
}

func asList(v any) []any {
	all, _ := v.([]any)
	return all
}
