package api_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"baton/console"
	"baton/console/api"
)

// recorded is a line of a recorded session of an official client.
type recorded struct {
	Type, Profile, Argv, Method, Path, Query string
	Headers                                  map[string]string
	Request, Response                        json.RawMessage
	Status                                   int
}

// placeholders are the ids in the recorded session.
func (f *fixture) placeholders() *strings.Replacer {
	return strings.NewReplacer("2app000000000000000000000A", string(f.app), "2usr000000000000000000000U", string(f.people["user"]), "2ent000000000000000000000E", fmt.Sprint(f.member))
}

// TestRecordedSession sends the recorded requests of an official client for these calls, and
// compares the responses with the recorded ones: every field is there, with the same type of value.
func TestRecordedSession(t *testing.T) {
	file, err := os.Open("../../../shared/recorded/cone-session.jsonl")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the session is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := newFixture(t)
	token := f.token(f.issue("user", console.ScopeAsk))
	mux := http.NewServeMux()
	for _, r := range api.Routes() {
		mux.HandleFunc(r, func(http.ResponseWriter, *http.Request) {})
	}
	sent := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Type != "http" || r.Status != 200 || r.Profile != "realistic" {
			continue
		}
		probe := httptest.NewRequest(r.Method, r.Path, nil)
		_, pattern := mux.Handler(probe)
		if pattern == "" || strings.Contains(pattern, "task") || strings.HasPrefix(r.Argv, "cone generate-alias") || strings.HasPrefix(r.Argv, "cone virtual-entitlements") {
			continue
		}
		ids := f.placeholders()
		body := ids.Replace(string(r.Request))
		if body == "null" {
			body = ""
		}
		req, err := http.NewRequest(r.Method, f.server.URL+ids.Replace(r.Path)+"?"+r.Query, strings.NewReader(body))
		f.check(err)
		for name, value := range r.Headers {
			req.Header.Set(name, strings.Replace(value, "<ACCESS_TOKEN>", token, 1))
		}
		resp, err := http.DefaultClient.Do(req)
		f.check(err)
		var got, want any
		err = json.NewDecoder(resp.Body).Decode(&got)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s: %s, %v", r.Argv, r.Method, r.Path, resp.Status, err)
			continue
		}
		f.check(json.Unmarshal(r.Response, &want))
		for _, problem := range covers(got, want, pattern) {
			t.Errorf("%s: %s", r.Argv, problem)
		}
		sent[pattern]++
	}
	t.Logf("sent: %v", sent)
	for _, r := range []string{"GET /api/v1/auth/introspect", "GET /api/v1/users/{user}", "GET /api/v1/apps/{app}", "GET /api/v1/apps/{app}/entitlements/{entitlement}",
		"GET /api/v1/apps/{app}/entitlements/{entitlement}/users/{user}/grants", "GET /api/v1/apps/{app}/users/{user}/app_users", "POST /api/v1/search/request_catalog/entitlements"} {
		if sent[r] == 0 {
			t.Errorf("the session has no %s", r)
		}
	}
}

// absent matches fields that only the recorded responses have: other members of a oneof.
var absent = regexp.MustCompile(`\.(durationGrant|provisionerPolicy\..*|data)$`)

// covers returns the fields of a recorded response that another one lacks.
func covers(got, want any, at string) (problems []string) {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			if got == nil {
				return nil // an unset message
			}
			return []string{fmt.Sprintf("%s is %T and no object", at, got)}
		}
		for name, v := range want {
			if _, ok := g[name]; !ok && !absent.MatchString(at+"."+name) {
				problems = append(problems, at+"."+name+" is not there")
				continue
			}
			problems = append(problems, covers(g[name], v, at+"."+name)...)
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T and no list", at, got)}
		}
		if len(g) > 0 && len(want) > 0 {
			problems = covers(g[0], want[0], at+"[0]")
		}
	case nil:
	default:
		if got != nil && fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			problems = append(problems, fmt.Sprintf("%s is %T, and was %T", at, got, want))
		}
	}
	return problems
}

// TestRequiredFields checks the fields without which the official client fails.
func TestRequiredFields(t *testing.T) {
	file, err := os.Open("../../../shared/facts/cone-required-fields.tsv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the experiments are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := newFixture(t)
	token := f.token(f.issue("user", console.ScopeAsk))
	calls := map[string]string{ // found by experiment
		"GET /api/v1/auth/introspect":                                  "/api/v1/auth/introspect",
		"GET /api/v1/users/[^/]+":                                      "/api/v1/users/2usr000000000000000000000U",
		"GET /api/v1/apps/[^/]+":                                       "/api/v1/apps/2app000000000000000000000A",
		"GET /api/v1/apps/[^/]+/entitlements/[^/]+":                    "/api/v1/apps/2app000000000000000000000A/entitlements/2ent000000000000000000000E",
		"GET /api/v1/apps/[^/]+/entitlements/[^/]+/users/[^/]+/grants": "/api/v1/apps/2app000000000000000000000A/entitlements/2ent000000000000000000000E/users/2usr000000000000000000000U/grants",
		"GET /api/v1/apps/[^/]+/users/[^/]+/app_users":                 "/api/v1/apps/2app000000000000000000000A/users/2usr000000000000000000000U/app_users",
		"POST /api/v1/search/request_catalog/entitlements":             "/api/v1/search/request_catalog/entitlements",
	}
	answers := map[string]any{}
	checked := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		columns := strings.Split(lines.Text(), "\t")
		call, exit, field := columns[1], columns[3], columns[2]
		path, ours := calls[call]
		if !ours || exit == "0" {
			continue
		}
		if answers[call] == nil {
			method, _, _ := strings.Cut(call, " ")
			answers[call] = f.ok(token, method, f.placeholders().Replace(path), map[string]string{"POST": `{"expandMask":{"paths":["app_id","app_resource_type_id","app_resource_id"]},"grantedStatus":"ALL"}`}[method])
		}
		name := strings.NewReplacer("[", ".", "]", "").Replace(field)
		if strings.HasSuffix(name, "durationGrant") {
			continue // without the field there is no limit
		}
		if at(answers[call], name) == nil {
			t.Errorf("%s lacks %s, without which %s fails: %s", call, field, columns[0], columns[4])
		}
		checked++
	}
	if checked < 10 {
		t.Errorf("only %d fields were checked", checked)
	}
}
