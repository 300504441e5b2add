package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replay sends the recorded requests of an official client to a demo.
type replay struct {
	t                         *testing.T
	http                      *http.Client
	origin                    string
	env                       map[string]string
	tokens, users             map[string]string // by person
	app, entitlement, account string
	task                      map[string]any // the newest
	required                  []requiredField
	settings                  int // version of the settings of the entitlement
}

// requiredField is a field without which the client fails.
type requiredField struct {
	call *regexp.Regexp // "METHOD path"
	path []string
}

// as returns the token of a person.
func (r *replay) as(who string) string {
	r.t.Helper()
	if r.tokens[who] == "" {
		resp, err := r.http.PostForm(r.origin+"/auth/v1/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {r.env[who+"_CLIENT_ID"]}, "client_secret": {r.env[who+"_CLIENT_SECRET"]}})
		if err != nil {
			r.t.Fatal(err)
		}
		defer resp.Body.Close()
		var v struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || v.AccessToken == "" {
			r.t.Fatalf("%s has no token: %s, %v", who, resp.Status, err)
		}
		r.tokens[who] = v.AccessToken
	}
	return r.tokens[who]
}

// send sends a request and returns the status and the response.
func (r *replay) send(who, method, path, body string) (int, map[string]any) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.origin+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.as(who))
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil || resp.Header.Get("Content-Type") != "application/json" {
		r.t.Fatalf("%s %s: %s %s %s", method, path, resp.Status, resp.Header.Get("Content-Type"), b)
	}
	if task, ok := find(v, "taskView", "task").(map[string]any); ok {
		r.task = task
	}
	return resp.StatusCode, v
}

func (r *replay) must(who, method, path, body string) map[string]any {
	r.t.Helper()
	status, v := r.send(who, method, path, body)
	if status != http.StatusOK {
		r.t.Fatalf("%s %s %s: %d %v", method, path, body, status, v)
	}
	return v
}

// find returns the value at a path; nil if there is none.
func find(v any, path ...string) any {
	for _, name := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r *replay) user(who string) string {
	r.t.Helper()
	if r.users[who] == "" {
		r.users[who] = fmt.Sprint(r.must(who, "GET", "/api/v1/auth/introspect", "")["userId"])
	}
	return r.users[who]
}

// until waits for the end of the newest task.
func (r *replay) until() {
	r.t.Helper()
	path := fmt.Sprint("/api/v1/tasks/", r.task["id"])
	for end := time.Now().Add(2 * time.Minute); r.task["state"] != "TASK_STATE_CLOSED"; {
		if time.Now().After(end) {
			r.t.Fatalf("the task does not end: %v", r.task)
		}
		<-time.After(50 * time.Millisecond)
		r.must("MEMBER", "GET", path, "")
	}
}

// ask files the member's request for the entitlement.
func (r *replay) ask() {
	r.t.Helper()
	r.must("MEMBER", "POST", "/api/v1/task/grant", fmt.Sprintf(`{"appId":%q,"appEntitlementId":%q,"description":"before","grantDuration":"3600s"}`, r.app, r.entitlement))
}

// approve approves the newest task as the owner.
func (r *replay) approve() {
	r.t.Helper()
	r.must("OWNER", "POST", fmt.Sprint("/api/v1/tasks/", r.task["id"], "/action/approve"), fmt.Sprintf(`{"comment":"","policyStepId":%q}`, find(r.task, "policy", "current", "id")))
}

// prepare creates the state that a command needs: no open task, and the entitlement held or not.
func (r *replay) prepare(held bool) {
	r.t.Helper()
	open := r.must("MEMBER", "POST", "/api/v1/search/tasks", fmt.Sprintf(`{"taskStates":["TASK_STATE_OPEN"],"subjectIds":[%q]}`, r.user("MEMBER")))
	for _, row := range open["list"].([]any) {
		r.task = find(row, "task").(map[string]any)
		r.send("MEMBER", "POST", fmt.Sprint("/api/v1/tasks/", r.task["id"], "/action/close"), "{}")
		r.until()
	}
	grants := r.must("MEMBER", "GET", fmt.Sprintf("/api/v1/apps/%s/entitlements/%s/users/%s/grants", r.app, r.entitlement, r.user("MEMBER")), "")
	holds := len(grants["bindings"].([]any)) > 0
	switch {
	case holds && !held:
		r.must("MEMBER", "POST", "/api/v1/task/revoke", fmt.Sprintf(`{"appId":%q,"appEntitlementId":%q}`, r.app, r.entitlement))
		r.until()
	case held && !holds:
		r.ask()
		r.approve()
		r.until()
	}
}

// setForm sets the questions of the entitlement on its page, and allows emergency requests.
func (r *replay) setForm(questions string) {
	r.t.Helper()
	resp, err := r.http.PostForm(r.origin+fmt.Sprintf("/applications/%s/entitlements/%s/requests", r.app, r.entitlement),
		url.Values{"version": {strconv.Itoa(r.settings)}, "emergency": {"emergency"}, "form": {questions}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("the settings: %s %s, %v", resp.Status, b, err)
	}
	r.settings++
}

// check checks that a response has what the client needs.
func (r *replay) check(argv, method, path string, v map[string]any, decided bool) {
	r.t.Helper()
	for _, f := range r.required {
		if !f.call.MatchString(method + " " + path) {
			continue
		}
		name := strings.Join(f.path, ".")
		switch {
		case strings.HasSuffix(name, "durationGrant"): // there is no limit
			continue
		case strings.Contains(name, ".policy") && (decided || !strings.Contains(argv, "approve") && !strings.Contains(argv, "deny")):
			continue
		case strings.HasPrefix(name, "taskView.task.type.") && find(v, f.path[:4]...) == nil: // another type
			continue
		}
		if list := f.path[0]; len(f.path) > 1 && f.path[1] >= "0" && f.path[1] <= "9" {
			i, _ := strconv.Atoi(f.path[1])
			if rows, ok := v[list].([]any); ok && len(rows) <= i {
				continue // the list is shorter
			}
		}
		if find(v, f.path...) == nil {
			r.t.Errorf("%s: the response of %s %s has no %s: %v", argv, method, path, name, v)
		}
	}
}

// TestRecordedClient sends every recorded request of an official client to the demo, with the ids,
// the access and the tasks that exist there. Every response must have what the client needs.
func TestRecordedClient(t *testing.T) {
	session, err := os.Open("../../../shared/recorded/cone-session.jsonl")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded session is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	dir := t.TempDir()
	p := start(t, dir, nil, "baton-console", "demo", "--env-file", "demo.env")
	r := &replay{t: t, origin: p.line("console: "), env: map[string]string{}, tokens: map[string]string{}, users: map[string]string{}}
	p.line("Everything is there.")
	env, err := os.ReadFile(filepath.Join(dir, "demo.env"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(env)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.env[name] = strings.Trim(value, "'")
	}
	authority, err := os.ReadFile(r.env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	jar, _ := cookiejar.New(nil)
	r.http = &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := r.http.PostForm(r.origin+"/demo", url.Values{"email": {r.env["OWNER_LOGIN"]}, "next": {"/"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	r.readRequired()

	found := r.must("MEMBER", "POST", "/api/v1/search/request_catalog/entitlements", `{"query":"Engineering","grantedStatus":"NOT_GRANTED"}`)
	r.app, r.entitlement = fmt.Sprint(find(found, "list", "0", "entitlement", "appEntitlement", "appId")), fmt.Sprint(find(found, "list", "0", "entitlement", "appEntitlement", "id"))
	accounts := r.must("MEMBER", "GET", fmt.Sprintf("/api/v1/apps/%s/users/%s/app_users", r.app, r.user("MEMBER")), "")
	r.account = fmt.Sprint(find(accounts, "list", "0", "appUser", "id"))
	r.must("ADMIN", "POST", fmt.Sprintf("/api/v1/apps/%s/entitlements/%s", r.app, r.entitlement), `{"entitlement":{"alias":"platform-member"},"updateMask":"alias"}`)
	r.setForm("")

	commands, requests := map[string]bool{}, 0
	command, who, decided, questions := "", "", false, false
	lines := bufio.NewScanner(session)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one struct {
			Type, Profile, Method, Path, Query string
			Argv                               json.RawMessage
			Request                            json.RawMessage
			Status                             int
		}
		if json.Unmarshal(lines.Bytes(), &one) != nil || one.Type == "run" {
			command = "" // the next request belongs to another run
			continue
		}
		if one.Profile != "realistic" || one.Path == "/auth/v1/token" || strings.HasPrefix(one.Path, "/auth/") || one.Status != http.StatusOK {
			continue
		}
		argv := strings.Trim(string(one.Argv), `"`)
		if command == "" || command != argv {
			command, decided = argv, false
			who = "MEMBER"
			switch {
			case strings.Contains(argv, "task approve"), strings.Contains(argv, "task deny"):
				who = "OWNER"
			case strings.Contains(argv, "generate-alias"), strings.Contains(argv, "virtual-entitlements"):
				who = "ADMIN"
			}
			if form := strings.Contains(argv, "-j x "); form != questions {
				r.setForm(map[bool]string{true: "Reason*\nN\nB\nL"}[form])
				questions = form
			}
			r.prepare(strings.HasPrefix(argv, "cone drop") || strings.HasPrefix(argv, "cone has"))
			if strings.HasPrefix(argv, "cone task") {
				r.ask()
			}
			commands[argv] = true
		}
		task, step := fmt.Sprint(r.task["id"]), fmt.Sprint(find(r.task, "policy", "current", "id"))
		ids := strings.NewReplacer("2app000000000000000000000A", r.app, "2ent000000000000000000000E", r.entitlement, "2usr000000000000000000000U", r.user(who), "2apu000000000000000000000X", r.account,
			"2tsk000000000000000000000T", task, "1042", fmt.Sprint(r.task["numericId"]), "2stp000000000000000000000S", step)
		body := ids.Replace(string(one.Request))
		if bytes.Equal(one.Request, []byte("null")) {
			body = ""
		}
		path := ids.Replace(one.Path)
		if one.Query != "" {
			path += "?" + one.Query
		}
		status, v := r.send(who, one.Method, path, body)
		requests++
		want := http.StatusOK
		if strings.Contains(argv, "virtual-entitlements") && one.Method == "POST" && !strings.Contains(path, "/search/") {
			want = http.StatusNotImplemented
		}
		if status != want {
			t.Errorf("%s: %s %s %s: %d %v, want %d", argv, one.Method, path, body, status, v, want)
			continue
		}
		if want == http.StatusOK {
			r.check(argv, one.Method, strings.Split(path, "?")[0], v, decided)
		}
		decided = decided || strings.Contains(path, "/action/")
	}
	t.Logf("%d requests of %d commands", requests, len(commands))
	if len(commands) < 20 || requests < 80 {
		t.Errorf("only %d requests of %d commands were sent", requests, len(commands))
	}
}

// readRequired reads the list of fields without which the client fails.
func (r *replay) readRequired() {
	r.t.Helper()
	file, err := os.Open("../../../shared/facts/cone-required-fields.tsv")
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) < 4 || columns[3] != "1" && columns[3] != "2" || strings.Contains(columns[0], "virtual-entitlements") {
			continue
		}
		if call, err := regexp.Compile("^" + columns[1] + "$"); err == nil {
			r.required = append(r.required, requiredField{call, strings.Split(columns[2], ".")})
		}
	}
	if len(r.required) < 50 {
		r.t.Fatalf("only %d fields are known to be required", len(r.required))
	}
}
