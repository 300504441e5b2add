package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"baton/console/store"
	"baton/console/store/sqlite"
)

var quotedCode = regexp.MustCompile("`([^`]+)`")

// TestTakeOut takes everything out of the console of the demo: each command, call and page that the
// table in docs/leaving.md names, and checks that its result has the format that is promised there, and
// rows where the demo has some.
func TestTakeOut(t *testing.T) {
	text, err := os.ReadFile("../../docs/leaving.md")
	if err != nil {
		t.Fatal(err)
	}
	l := newLeaver(t)
	ways := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[2], "`") {
			continue
		}
		formats := strings.Split(cells[3], ", ")
		for i, code := range quotedCode.FindAllStringSubmatch(cells[2], -1) {
			l.take(code[1], strings.TrimSpace(formats[min(i, len(formats)-1)]))
			ways++
		}
	}
	if ways < 25 {
		t.Errorf("the table has only %d ways", ways)
	}
}

// leaver takes data out of a demo.
type leaver struct {
	t             *testing.T
	data, address string
	client        *http.Client
	token, admin  string
	fill          *strings.Replacer
}

func newLeaver(t *testing.T) *leaver {
	dir := t.TempDir()
	p := start(t, dir, nil, "baton-console", "demo", "--env-file", "demo.env")
	l := &leaver{t: t, address: p.line("console: ")}
	p.line("Everything is there.")
	env, err := os.ReadFile(filepath.Join(dir, "demo.env"))
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for line := range strings.Lines(string(env)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		variables[name] = strings.Trim(value, "'")
	}
	authority, err := os.ReadFile(variables["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	l.data, l.admin = filepath.Dir(filepath.Dir(variables["SSL_CERT_FILE"])), variables["ADMIN_LOGIN"]
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	jar, _ := cookiejar.New(nil)
	l.client = &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	l.answer(l.client.PostForm(l.address+"/demo", url.Values{"email": {l.admin}, "next": {"/"}}))
	var token struct {
		AccessToken string `json:"access_token"`
	}
	l.parse(l.answer(l.client.PostForm(l.address+"/auth/v1/token", url.Values{"grant_type": {"client_credentials"},
		"client_id": {variables["ADMIN_CLIENT_ID"]}, "client_secret": {variables["ADMIN_CLIENT_SECRET"]}})), &token)
	l.token = token.AccessToken
	l.choose()
	return l
}

// choose picks the application, the entitlement, the connector and the sync that stand in addresses.
func (l *leaver) choose() {
	app := l.row("/api/v1/apps", 0, "id")
	entitlement := l.row("/api/v1/apps/"+app+"/entitlements", 0, "appEntitlement", "id")
	connector := l.row("/api/v1/connectors?app_id="+app, 0, "id")
	newer := l.row("/api/v1/syncs?connector_id="+connector, 0, "id")
	older := l.row("/api/v1/syncs?connector_id="+connector, 1, "id")
	l.fill = strings.NewReplacer("{app}", app, "{entitlement}", entitlement, "{connector}", connector, "{sync}", newer, "OLDER", older, "NEWER", newer, "PERSON", l.admin)
}

// row returns a field of the i-th row of a list.
func (l *leaver) row(path string, i int, field ...string) string {
	l.t.Helper()
	var list struct{ List []any }
	l.parse(l.call(http.MethodGet, path), &list)
	if len(list.List) <= i {
		l.t.Fatalf("%s has %d rows", path, len(list.List))
	}
	s, ok := find(list.List[i], field...).(string)
	if !ok || s == "" {
		l.t.Fatalf("%s: %v", path, list.List[i])
	}
	return s
}

// call calls the REST interface.
func (l *leaver) call(method, path string) []byte {
	l.t.Helper()
	r, err := http.NewRequest(method, l.address+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+l.token)
	return l.answer(l.client.Do(r))
}

func (l *leaver) answer(resp *http.Response, err error) []byte {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %s, %v\n%s", resp.Request.URL, resp.Status, err, b)
	}
	return b
}

func (l *leaver) parse(b []byte, v any) {
	l.t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		l.t.Fatalf("%v in %.300s", err, b)
	}
}

// empty lists the calls that return no rows for the demo.
var empty = []string{"/api/v1/plans", "/api/v1/campaigns", "/api/v1/webhooks", "/api/v1/hooks", "/api/v1/automations", "/api/v1/requirements", "/api/v1/changes", "/api/v1/findings", "/api/v1/search/tasks"}

// take takes something out by a command, a call or a page.
func (l *leaver) take(way, format string) {
	l.t.Helper()
	way = l.fill.Replace(way)
	var got []byte
	switch method, path, _ := strings.Cut(way, " "); {
	case method == "GET" || method == "POST":
		got = l.call(method, path)
	case strings.HasPrefix(way, "/"):
		got = l.answer(l.client.Get(l.address + way))
	default:
		got = l.command(strings.Fields(way)[1:])
	}
	switch kind, _, _ := strings.Cut(strings.NewReplacer(";", " ", ",", " ").Replace(format), " "); {
	case strings.Contains(format, "one event in each line"):
		if n := bytes.Count(got, []byte("\n")); n < 20 || !json.Valid(bytes.SplitN(got, []byte("\n"), 2)[0]) {
			l.t.Errorf("%s: %d lines\n%.300s", way, n, got)
		}
	case kind == "JSON":
		l.checkJSON(way, got)
	case kind == "CSV":
		rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(got, []byte("\ufeff")))).ReadAll()
		if err != nil || len(rows) < 2 {
			l.t.Errorf("%s: %d rows, %v", way, len(rows), err)
		}
	case strings.Contains(format, "YAML"):
		var v map[string]any
		if err := yaml.Unmarshal(got, &v); err != nil || v["apps"] == nil || v["people"] == nil {
			l.t.Errorf("%s: %v\n%.300s", way, err, got)
		}
	case strings.Contains(format, "SQLite"):
		l.checkBackup()
	case strings.Contains(format, "c1z"):
		file := filepath.Join(l.t.TempDir(), "taken.c1z")
		if err := os.WriteFile(file, got, 0o600); err != nil {
			l.t.Fatal(err)
		}
		code, out, errs := desk{l.t, l.data}.command("inspect", "--facts", file)
		if code != 0 || strings.Count(out, "\n") < 5 {
			l.t.Errorf("inspect: exit code %d, %s\n%.300s", code, errs, out)
		}
	case strings.Contains(format, "tabs"):
		if len(got) > 0 && !bytes.Contains(got, []byte("\t")) {
			l.t.Errorf("%s: %.300s", way, got)
		}
	case strings.Contains(format, "a page"):
		if !bytes.Contains(got, []byte("<h1")) {
			l.t.Errorf("%s is no page: %.300s", way, got)
		}
	default:
		l.t.Errorf("%s: this test does not know the format %q", way, format)
	}
}

func (l *leaver) checkJSON(way string, got []byte) {
	l.t.Helper()
	var v map[string]any
	l.parse(got, &v)
	list, isList := v["list"].([]any)
	mayBeEmpty := false
	for _, path := range empty {
		mayBeEmpty = mayBeEmpty || strings.Contains(way, path)
	}
	if isList && len(list) == 0 && !mayBeEmpty || len(v) == 0 {
		l.t.Errorf("%s is empty: %.300s", way, got)
	}
}

// command runs a command on the console's folder, while the console serves.
func (l *leaver) command(args []string) []byte {
	l.t.Helper()
	code, out, errs := desk{l.t, l.data}.command(append(args, "--data", l.data)...)
	if code != 0 {
		l.t.Errorf("%q: exit code %d\n%s", args, code, errs)
	}
	return []byte(out)
}

// checkBackup opens the backup as what it is said to be.
func (l *leaver) checkBackup() {
	l.t.Helper()
	path := filepath.Join(l.data, "all.backup")
	head, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		l.t.Fatalf("the backup is no SQLite database (%v)", err)
	}
	s, err := sqlite.Open(l.t.Context(), sqlite.Config{Path: path}, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer s.Close()
	if r, err := s.VerifyChain(l.t.Context()); err != nil || len(r.Faults) > 0 || r.Head.Number < 20 {
		l.t.Errorf("the chain in the backup: %+v, %v", r, err)
	}
	err = s.View(l.t.Context(), func(tx *store.Tx) error {
		apps, err := tx.Apps(store.NameAfter{}, store.PageSize)
		if len(apps) < 2 {
			l.t.Errorf("the backup has %d applications", len(apps))
		}
		return err
	})
	if err != nil {
		l.t.Error(err)
	}
}
