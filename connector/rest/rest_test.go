package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/connector/rest"
)

const token = "s3cr3t/t0k+n=="

// client makes a client or fails the test.
func client(t testing.TB, cfg rest.Config) *rest.Client {
	t.Helper()
	if cfg.Token.IsZero() {
		cfg.Token = baton.NewSecret(token)
	}
	c, err := rest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve starts a server and a client of it.
func serve(t *testing.T, cfg rest.Config, handler http.HandlerFunc) *rest.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg.BaseURL = server.URL
	return client(t, cfg)
}

// wantError checks kind, text and advice, and that no secret is in either.
func wantError(t testing.TB, err error, kind baton.Kind, text, fix string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s: %s", kind, text)
	}
	if got := baton.KindOf(err); got != kind {
		t.Errorf("kind %q, want %q: %v", got, kind, err)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("error %q lacks %q", err, text)
	}
	if !strings.Contains(baton.FixOf(err), fix) || fix == "" && baton.FixOf(err) != "" {
		t.Errorf("fix %q, want %q", baton.FixOf(err), fix)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error()+baton.FixOf(err), token) || strings.ContainsAny(e.Error(), "\r\n") {
			t.Errorf("error leaks the token or spans lines: %q", e)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing here"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg       rest.Config
		text, fix string
	}{
		"no URL":         {rest.Config{}, "missing", ""},
		"no scheme":      {rest.Config{BaseURL: "scim.example.com/v2"}, "not an https", "whole URL"},
		"other scheme":   {rest.Config{BaseURL: "ftp://scim.example.com"}, "not an https", "whole URL"},
		"no host":        {rest.Config{BaseURL: "https:///v2"}, "not an https", "whole URL"},
		"no host http":   {rest.Config{BaseURL: "http://"}, "not an https", "whole URL"},
		"http":           {rest.Config{BaseURL: "http://scim.example.com/v2"}, "refusing http:// to scim.example.com", "use https"},
		"http lookalike": {rest.Config{BaseURL: "http://localhost.example.com"}, "refusing http://", "use https"},
		"http LAN":       {rest.Config{BaseURL: "http://10.0.0.1"}, "refusing http://", "use https"},
		"userinfo":       {rest.Config{BaseURL: "https://me:" + token + "@scim.example.com"}, "cannot be parsed", "copy"},
		"userinfo plain": {rest.Config{BaseURL: "https://me:hunter2@scim.example.com"}, "user name or password", "before the @"},
		"bad port":       {rest.Config{BaseURL: "https://scim.example.com:hunter2"}, "cannot be parsed", "copy"},
		"token lines":    {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("a\nb")}, "line break", "without the word Bearer"},
		"token prefixed": {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("Bearer x")}, "space", "without the word Bearer"},
		"CA missing":     {rest.Config{BaseURL: "https://scim.example.com", CAFile: filepath.Join(t.TempDir(), "no.pem")}, "no such file", "--ca-file"},
		"CA empty":       {rest.Config{BaseURL: "https://scim.example.com", CAFile: empty}, "no certificate", "--ca-file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rest.New(tt.cfg)
			wantError(t, err, baton.Invalid, tt.text, tt.fix)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("password in %q", err)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://API.Example.com/scim/v2.0/Key/":      "https://api.example.com/scim/v2.0/Key",
		" https://api.example.com:443/x?token=1#frag": "https://api.example.com/x",
		"https://api.example.com:8443":                "https://api.example.com:8443",
		"http://localhost:80/a//":                     "http://localhost/a",
		"http://127.0.0.7:8080/":                      "http://127.0.0.7:8080",
		"http://[::1]:8080/x":                         "http://[::1]:8080/x",
		"https://[2001:db8::1]/x":                     "https://[2001:db8::1]/x",
		"https://api.example.com/a%2Fb":               "https://api.example.com/a%2Fb",
	} {
		c := client(t, rest.Config{BaseURL: in})
		if got := c.Origin(); got != want {
			t.Errorf("Origin of %q = %q, want %q", in, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	for want, segments := range map[string][]string{
		"":                         nil,
		"/Users":                   {"Users"},
		"/Users/a%2F..%2Fb%3Fx%23": {"Users", "a/../b?x#"},
		"/Users/%2E%2E":            {"Users", ".."},
		"/Users/%2E":               {"Users", "."},
		"/Users/%25%22%20%C3%BC":   {"Users", `%" ü`},
		"/Users/":                  {"Users", ""},
	} {
		if got := rest.Join(segments...); got != want {
			t.Errorf("Join(%q) = %q, want %q", segments, got, want)
		}
	}
}

func TestRequestAsSent(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
	}))
	defer server.Close()
	c := client(t, rest.Config{BaseURL: server.URL + "/scim/v2/?dropped=1", UserAgent: "test/1"})
	header := http.Header{"Accept": {"x/y"}, "Authorization": {"other"}}
	_, err := c.Do(t.Context(), rest.Request{
		Method: "PATCH", Path: rest.Join("Users", "a/b c"), Query: url.Values{"filter": {`userName eq "a+b"`}},
		Header: header, Body: []byte("{}"), NoCache: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(header) != 2 || header.Get("Authorization") != "other" {
		t.Errorf("the caller's header became %v", header)
	}
	if want := "/scim/v2/Users/a%2Fb%20c?filter=userName%20eq%20%22a%2Bb%22"; got.RequestURI != want {
		t.Errorf("target %q, want %q", got.RequestURI, want)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + token, "Accept": "x/y", "Content-Type": "application/json",
		"User-Agent": "test/1", "Cache-Control": "no-cache",
	} {
		if got := strings.Join(got.Header.Values(name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if body != "{}" {
		t.Errorf("body %q", body)
	}
}

func TestRequestPathCannotCarryQuery(t *testing.T) {
	c := client(t, rest.Config{BaseURL: "https://scim.example.com"})
	for _, path := range []string{"/Users?x", "/Users#x", "/Users/%zz"} {
		_, err := c.Do(t.Context(), rest.Request{Path: path})
		wantError(t, err, baton.Internal, "request path", "")
	}
}
