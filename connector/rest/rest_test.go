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

// client returns a client or fails the test.
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

// serve starts a server and returns a client of it.
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
		"no URL":          {rest.Config{}, "missing", ""},
		"no scheme":       {rest.Config{BaseURL: "scim.example.com/v2"}, "not an https", "whole URL"},
		"other scheme":    {rest.Config{BaseURL: "ftp://scim.example.com"}, "not an https", "whole URL"},
		"no host":         {rest.Config{BaseURL: "https:///v2"}, "not an https", "whole URL"},
		"no host http":    {rest.Config{BaseURL: "http://"}, "not an https", "whole URL"},
		"http":            {rest.Config{BaseURL: "http://scim.example.com/v2"}, "refusing http:// to scim.example.com", "use https"},
		"http lookalike":  {rest.Config{BaseURL: "http://localhost.example.com"}, "refusing http://", "use https"},
		"http LAN":        {rest.Config{BaseURL: "http://10.0.0.1"}, "refusing http://", "use https"},
		"userinfo":        {rest.Config{BaseURL: "https://me:" + token + "@scim.example.com"}, "cannot be parsed", "copy"},
		"userinfo plain":  {rest.Config{BaseURL: "https://me:hunter2@scim.example.com"}, "user name or password", "before the @"},
		"bad port":        {rest.Config{BaseURL: "https://scim.example.com:hunter2"}, "cannot be parsed", "copy"},
		"URL in quotes":   {rest.Config{BaseURL: `"https://scim.example.com"`, BaseURLName: "scim-url"}, "scim-url: the URL is in quotes", "remove the quotes"},
		"URL half quoted": {rest.Config{BaseURL: "https://scim.example.com'"}, "the URL is in quotes", "remove the quotes"},
		"placeholder":     {rest.Config{BaseURL: "${SCIM_URL}"}, "placeholder", "the address itself"},
		"fragment":        {rest.Config{BaseURL: "https://scim.example.com/v2#x", BaseURLName: "scim-url"}, "scim-url: the URL has a fragment", "remove the #"},
		"empty fragment":  {rest.Config{BaseURL: "https://scim.example.com/v2#"}, "fragment", "remove the #"},
		"blank inside":    {rest.Config{BaseURL: "https://scim.example.com/a b"}, "cannot be parsed", "copy"},
		"line break":      {rest.Config{BaseURL: "https://scim.example.com/a\nb"}, "cannot be parsed", "copy"},
		"query, broken":   {rest.Config{BaseURL: "https://scim.example.com/v2?a=%zz"}, "the query of the URL", "without a query"},
		"query, ours":     {rest.Config{BaseURL: "https://scim.example.com/v2?tenant=a&Count=5", ReservedQuery: []string{"count"}}, `the query of the URL sets "Count"`, "without a query"},
		"token lines":     {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("a\nb"), TokenName: "scim-token"}, "scim-token: the token has a line break", "the word Bearer"},
		"token prefixed":  {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("Bearer x")}, "begins with the word Bearer", "the word Bearer"},
		"token header":    {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("Authorization: Bearer x")}, "begins with the word Authorization:", "the word Bearer"},
		"token, blank":    {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret(" abc")}, "begins or ends with a blank", "blanks"},
		"token, blanks":   {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("  ")}, "the token is blank", "blanks"},
		"token in two":    {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("abc def")}, "holds a space", "blanks"},
		"token, line":     {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("abc\n")}, "ends with a blank or a line break", "blanks"},
		"token quoted":    {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret(`"abc"`)}, "the token is in quotes", "without quotes"},
		"token, single":   {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret(`'abc'`)}, "the token is in quotes", "without quotes"},
		"token, typeset":  {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("\u201cabc\u201d")}, "the token is in quotes", "without quotes"},
		"token unfilled":  {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("$(SCIM_TOKEN)")}, "placeholder", "copy"},
		"token marked":    {rest.Config{BaseURL: "https://scim.example.com", Token: baton.NewSecret("\ufeffabc")}, "byte order mark", "copy"},
		"CA missing":      {rest.Config{BaseURL: "https://scim.example.com", CAFile: filepath.Join(t.TempDir(), "no.pem")}, "no such file", "--ca-file"},
		"CA empty":        {rest.Config{BaseURL: "https://scim.example.com", CAFile: empty}, "no certificate", "--ca-file"},
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
		"https://API.Example.com/scim/v2.0/Key/": "https://api.example.com/scim/v2.0/Key",
		" https://api.example.com:443/x?token=1": "https://api.example.com/x",
		"https://api.example.com:8443":           "https://api.example.com:8443",
		"http://localhost:80/a//":                "http://localhost/a",
		"http://127.0.0.7:8080/":                 "http://127.0.0.7:8080",
		"http://[::1]:8080/x":                    "http://[::1]:8080/x",
		"https://[2001:db8::1]/x":                "https://[2001:db8::1]/x",
		"https://api.example.com/a%2Fb":          "https://api.example.com/a%2Fb",
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
	c := client(t, rest.Config{BaseURL: server.URL + "/scim/v2/?tenant=acme&flag", UserAgent: "test/1"})
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
	if want := "/scim/v2/Users/a%2Fb%20c?tenant=acme&flag&filter=userName%20eq%20%22a%2Bb%22"; got.RequestURI != want {
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

// TestBaseQuery: the query of the base URL is sent unchanged with every request, distinguishes upstreams, and
// appears in no address that is shown.
func TestBaseQuery(t *testing.T) {
	scopes := map[string]string{}
	for in, want := range map[string]string{
		"":                    "",
		"?":                   "",
		"?tenant=acme":        "tenant=acme",
		"?aadOptscim062020":   "aadOptscim062020",
		"?b=2&a=1&a=3&":       "b=2&a=1&a=3",
		"?tenant=J%C3%B6rg+x": "tenant=J%C3%B6rg+x",
		"?tenant=Jörg":        "tenant=J%C3%B6rg",
	} {
		var requests []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests = append(requests, r.URL.RawQuery)
			io.WriteString(w, "{}")
		}))
		c := client(t, rest.Config{BaseURL: server.URL + "/v2" + in, ReservedQuery: []string{"count"}})
		for _, method := range []string{"GET", "POST", "PATCH"} {
			for _, query := range []url.Values{nil, {"count": {"5"}}} {
				if _, err := c.Do(t.Context(), rest.Request{Method: method, Path: "/x", Query: query}); err != nil {
					t.Fatal(err)
				}
			}
		}
		server.Close()
		for i, got := range requests {
			if want := strings.Trim(want+[]string{"", "&count=5"}[i%2], "&"); got != want {
				t.Errorf("%q: query %q, want %q", in, got, want)
			}
		}
		if len(requests) != 6 || c.Origin() != server.URL+"/v2" {
			t.Errorf("%q: %d requests, origin %s", in, len(requests), c.Origin())
		}
		if other, taken := scopes[c.Scope()]; taken && want != other || (c.Scope() == "") != (want == "") {
			t.Errorf("%q: scope %q is that of %q", in, c.Scope(), other)
		}
		scopes[c.Scope()] = want
	}
}

// TestBaseQueryIsNotShown: a key in the query is redacted if the upstream echoes it.
func TestBaseQueryIsNotShown(t *testing.T) {
	c := client(t, rest.Config{BaseURL: "https://scim.example.com/v2?code=azure-function-key", RetryFor: -1,
		Transport: &script{steps: steps{answer(400, `{"detail":"no route for /v2/x?code=azure-function-key"}`)}}})
	if _, err := c.Do(t.Context(), rest.Request{Path: "/x"}); err == nil || strings.Contains(err.Error(), "azure-function-key") {
		t.Error(err)
	}
}

func TestRequestPathCannotCarryQuery(t *testing.T) {
	c := client(t, rest.Config{BaseURL: "https://scim.example.com"})
	for _, path := range []string{"/Users?x", "/Users#x", "/Users/%zz"} {
		_, err := c.Do(t.Context(), rest.Request{Path: path})
		wantError(t, err, baton.Internal, "request path", "")
	}
}
