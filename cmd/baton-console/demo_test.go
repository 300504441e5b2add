package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDemoOnce lets the demo end by itself, when both connectors are connected and everything
// is there.
func TestDemoOnce(t *testing.T) {
	p := start(t, t.TempDir(), nil, "baton-console", "demo", "--once")
	p.line("console: ")
	for _, app := range []string{"Perplexity", "Percipio"} {
		p.line(app + " is connected, ")
	}
	for _, app := range []string{"Perplexity", "Percipio"} {
		if text := p.line(app + ": Connected; "); strings.Contains(text, " 0 accounts") || !strings.Contains(text, "grants") {
			t.Errorf("%s: %s", app, text)
		}
	}
	p.line("Everything is there. The demo ends and removes its data.")
	if code := p.wait(); code != 0 || p.errors() != "" {
		t.Errorf("exit code %d: %s", code, p.errors())
	}
}

// TestDemo starts the demo, signs in as its auditor with one click, and sees the changes in the
// applications. Nothing is left of it at the end.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "demo.env"), []byte("CONSOLE_URL=https://127.0.0.1:1\n"), 0o600); err != nil { // of a demo that was killed
		t.Fatal(err)
	}
	p := start(t, dir, nil, "baton-console", "demo", "--env-file", "demo.env")
	if page := p.line("Open "); !strings.HasPrefix(page, "http://127.0.0.1:") {
		t.Errorf("it says to open %s", page)
	}
	origin := p.line("console: ")
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
	for _, name := range []string{"CONSOLE_URL", "SSL_CERT_FILE", "ADMIN_LOGIN", "OWNER_PASSWORD", "APPROVER_TOTP_SECRET", "MEMBER_LOGIN", "AUDITOR_LOGIN",
		"PERPLEXITY_SCIM_URL", "PERPLEXITY_SCIM_TOKEN", "PERCIPIO_BASE_URL", "PERCIPIO_API_TOKEN", "PERCIPIO_ORGANIZATION_ID"} {
		if variables[name] == "" {
			t.Errorf("the env file has no %s", name)
		}
	}
	if variables["CONSOLE_URL"] != origin || !strings.HasPrefix(origin, "https://127.0.0.1:") {
		t.Errorf("address %s, in the env file %s", origin, variables["CONSOLE_URL"])
	}
	authority, err := os.ReadFile(variables["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	page := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", resp.Request.URL, resp.Status, err)
		}
		return string(b)
	}
	if got := page(client.Get(origin + "/demo")); strings.Count(got, "Sign in as") != 5 {
		t.Errorf("the demo offers %d people: %s", strings.Count(got, "Sign in as"), got)
	}
	page(client.PostForm(origin+"/demo", url.Values{"email": {variables["AUDITOR_LOGIN"]}, "next": {"/connectors"}}))
	connectors := page(client.Get(origin + "/connectors"))
	if n := strings.Count(connectors, "Connected"); n < 2 {
		t.Errorf("%d connectors are connected: %s", n, connectors)
	}
	apps := page(client.Get(origin + "/applications"))
	for _, want := range []string{"Perplexity", "Percipio"} {
		if !strings.Contains(apps, want) {
			t.Errorf("there is no application %s: %s", want, apps)
		}
	}
	// Each person has a credential for programs.
	for _, name := range []string{"ADMIN", "OWNER", "APPROVER", "MEMBER", "AUDITOR"} {
		resp, err := client.PostForm(origin+"/auth/v1/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {variables[name+"_CLIENT_ID"]}, "client_secret": {variables[name+"_CLIENT_SECRET"]}})
		var token struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(page(resp, err)), &token); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodGet, origin+"/api/v1/auth/introspect", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		who := page(client.Do(r))
		if decides := strings.Contains(who, `"decide"`); decides != (name == "OWNER" || name == "APPROVER") || !strings.Contains(who, `"ask"`) {
			t.Errorf("the credential of %s: %s", name, who)
		}
	}
	if code := p.end(syscall.SIGINT); code != 0 {
		t.Errorf("Ctrl-C: exit code %d\n%s", code, p.errors())
	}
	if text := p.errors(); text != "" {
		t.Errorf("the demo complains: %s", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "demo.env")); err == nil {
		t.Error("the env file is left, whose address and credentials nobody answers to")
	}
	if _, err := os.Stat(variables["SSL_CERT_FILE"]); !os.IsNotExist(err) {
		t.Errorf("the folder of the demo is still there: %v", err)
	}
}
