package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
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
		schema := call["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"]
		if schema == nil {
			continue
		}
		for _, who := range []string{"super", "user", "owner"} {
			a := f.call(f.as(who), method, f.path(path), bodies[r])
			if a.status != 200 || a.header.Get("Content-Type") != "application/json" || strings.HasSuffix(path, "/openapi.json") {
				continue
			}
			var v any
			f.check(json.Unmarshal([]byte(a.body), &v))
			for _, problem := range conforms(d, schema.(map[string]any)["schema"], v, r) {
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

// TestOpenAPIRequests sends a wrong value for every field of every request that the document
// describes: a call refuses it if it really reads the field. The bodies of the other tests conform.
func TestOpenAPIRequests(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.askForMember()
	f.review()
	d, super := f.ok(f.as("user"), "GET", "/api/v1/openapi.json", ""), f.as("super")
	bodies, described, fields := f.bodies(), 0, 0
	for _, r := range api.Routes() {
		method, path, _ := strings.Cut(r, " ")
		body, ok := at(d["paths"].(map[string]any)[path], strings.ToLower(method)+".requestBody").(map[string]any)
		if !ok {
			if bodies[r] != "" {
				t.Errorf("%s takes a body, and the document has none", r)
			}
			continue
		}
		described++
		schema := body["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
		if bodies[r] != "" {
			var v any
			f.check(json.Unmarshal([]byte(bodies[r]), &v))
			for _, problem := range conforms(d, schema, v, r) {
				t.Error(problem)
			}
		}
		for _, wrong := range wrongBodies(d, schema) {
			fields++
			f.fails(r+" with "+wrong, super, method, f.path(path), wrong, 400, 3, "cannot be read")
		}
	}
	t.Logf("%d requests with %d fields", described, fields)
	if described < 25 || fields < 120 {
		t.Errorf("the document has %d requests with %d fields", described, fields)
	}
}

// TestOpenAPIQueries compares the parameters of queries in the document with those that the calls
// read: a call refuses a wrong value of one that it reads.
func TestOpenAPIQueries(t *testing.T) {
	f := newFixture(t)
	f.review()
	d, super := f.ok(f.as("user"), "GET", "/api/v1/openapi.json", ""), f.as("super")
	read := 0
	for _, r := range api.Routes() {
		method, path, _ := strings.Cut(r, " ")
		if method != "GET" || strings.HasSuffix(path, "/credentials") && strings.Contains(path, "app_users") {
			continue
		}
		described := map[string]bool{}
		for _, p := range asList(at(d["paths"].(map[string]any)[path], "get.parameters")) {
			if at(p, "in") == "query" {
				described[fmt.Sprint(at(p, "name"))] = true
			}
		}
		for _, name := range []string{"page_size", "page_token", "at", "from", "to", "account_id", "filter", "show", "wait", "after"} {
			given, join := f.path(path), "?"
			if before, query, ok := strings.Cut(given, "?"); ok {
				values, err := url.ParseQuery(query)
				f.check(err)
				values.Del(name)
				if given = before; len(values) > 0 {
					given, join = before+"?"+values.Encode(), "&"
				}
			}
			a := f.call(super, method, given+join+name+"=%21", "")
			if refused := a.status == 400 && strings.Contains(string(a.body), `{"code":3,`); refused != described[name] {
				t.Errorf("%s with a wrong %s: %d %s; in the document: %v", r, name, a.status, a.body, described[name])
			} else if refused {
				read++
			}
		}
	}
	if read < 20 {
		t.Errorf("only %d parameters are read", read)
	}
}

// wrongBodies returns bodies that each have a value of the wrong type in one field of a schema.
func wrongBodies(document map[string]any, schema any) (all []string) {
	s := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return wrongBodies(document, document["components"].(map[string]any)["schemas"].(map[string]any)[ref[strings.LastIndex(ref, "/")+1:]])
	}
	properties, _ := s["properties"].(map[string]any)
	for name, p := range properties {
		wrong := "true"
		switch kind := p.(map[string]any)["type"]; {
		case kind == "boolean":
			wrong = `"x"`
		case kind == nil && p.(map[string]any)["$ref"] == nil && p.(map[string]any)["properties"] == nil:
			continue // it may be anything
		}
		all = append(all, fmt.Sprintf("{%q:%s}", name, wrong))
		for _, inner := range wrongBodies(document, p) {
			all = append(all, fmt.Sprintf("{%q:%s}", name, inner))
		}
	}
	return all
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
