package oidc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
)

func anywhere(netip.Addr) error { return nil }

// provider serves discovery with authentication methods for the token endpoint, and records how it
// is called.
func provider(t *testing.T, methods ...string) (issuer string, called *http.Request) {
	t.Helper()
	called = &http.Request{}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"issuer": server.URL, "authorization_endpoint": server.URL + "/auth", "token_endpoint": server.URL + "/token",
			"jwks_uri": server.URL + "/keys", "token_endpoint_auth_methods_supported": methods})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		*called = *r
		http.Error(w, "no", http.StatusBadRequest)
	})
	return server.URL, called
}

// TestClientSecret checks that the secret is sent in a way that the provider supports.
func TestClientSecret(t *testing.T) {
	for name, tt := range map[string]struct {
		methods []string
		secret  string
		basic   bool
		form    string
	}{
		"not said":           {nil, "s", true, ""},
		"basic":              {[]string{"client_secret_basic"}, "s", true, ""},
		"post":               {[]string{"client_secret_post", "client_secret_basic"}, "s", false, "s"},
		"a public client":    {[]string{"none"}, "", false, ""},
		"strange characters": {nil, "a:b c+%\u00fc", true, ""},
	} {
		issuer, called := provider(t, tt.methods...)
		c := New(anywhere, time.Now, nil)
		p := Provider{Label: "P", Issuer: issuer, ClientID: "client", Secret: baton.NewSecret(tt.secret), Redirect: "https://console.example.com/back"}
		r := NewRequest(false)
		if _, err := c.Exchange(t.Context(), p, r, Answer{Code: "code"}); baton.KindOf(err) != baton.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		id, secret, basic := called.BasicAuth()
		if basic {
			if secret, err := url.QueryUnescape(secret); err != nil || id != "client" || secret != tt.secret {
				t.Errorf("%s: %q %q, %v", name, id, secret, err)
			}
		}
		if basic != tt.basic || called.PostForm.Get("client_secret") != tt.form {
			t.Errorf("%s: basic is %v, the form has %q", name, basic, called.PostForm.Get("client_secret"))
		}
		if f := called.PostForm; f.Get("code_verifier") != r.Verifier || f.Get("code") != "code" || f.Get("redirect_uri") != p.Redirect || f.Get("grant_type") != "authorization_code" {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// TestAuthURL checks the parameters of the authorization URL.
func TestAuthURL(t *testing.T) {
	issuer, _ := provider(t)
	c := New(anywhere, time.Now, nil)
	p := Provider{Label: "P", Issuer: issuer, ClientID: "client", Secret: baton.NewSecret("s3cret"), Scopes: []string{"email"}, Redirect: "https://console.example.com/back"}
	first, second := NewRequest(false), NewRequest(true)
	if first.State == second.State || first.Nonce == second.Nonce || first.Verifier == second.Verifier || len(first.State) < 22 || len(first.Nonce) < 22 || len(first.Verifier) < 43 {
		t.Errorf("%+v, %+v", first, second)
	}
	for _, r := range []Request{first, second} {
		address, err := c.AuthURL(t.Context(), p, r)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("response_type") != "code" || q.Get("scope") != "openid email" || q.Get("state") != r.State || q.Get("nonce") != r.Nonce || q.Get("code_challenge_method") != "S256" ||
			q.Get("code_challenge") == "" || q.Get("redirect_uri") != p.Redirect || (q.Get("max_age") == "0" && q.Get("prompt") == "login") != r.Fresh {
			t.Errorf("%s", address)
		}
		if strings.Contains(address, r.Verifier) || strings.Contains(address, "s3cret") {
			t.Error("the address has the verifier, or the secret")
		}
	}
}

// TestHang checks that a provider that does not answer fails in limited time, and that other logins
// do not wait for it one after the other.
func TestHang(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := New(anywhere, time.Now, nil)
	c.http.Timeout = 100 * time.Millisecond
	ended := make(chan error)
	begun := time.Now()
	for range 20 {
		go func() {
			_, err := c.AuthURL(t.Context(), Provider{Label: "P", Issuer: server.URL, ClientID: "client"}, NewRequest(false))
			ended <- err
		}()
	}
	for range 20 {
		if err := <-ended; baton.KindOf(err) != baton.Unavailable {
			t.Errorf("%v", err)
		}
	}
	if took := time.Since(begun); took > 1500*time.Millisecond {
		t.Errorf("twenty logins waited for %v", took)
	}
}

func TestGroups(t *testing.T) {
	for claims, want := range map[string]string{
		`{"groups":["a","b"]}`:               "[a b] true",
		`{"groups":"a b"}`:                   "[a b] true", // one group
		`{"groups":[]}`:                      "[] true",
		`{"groups":null}`:                    "[] true",
		`{}`:                                 "[] true",
		`{"groups":{"a":true}}`:              "[] false",
		`{"groups":[1]}`:                     "[] false",
		`{"groups":true}`:                    "[] false",
		`{"hasgroups":true}`:                 "[] false",
		`{"hasgroups":"true"}`:               "[] false",
		`{"_claim_names":{"groups":"src1"}}`: "[] false",
		`{"_claim_names":{"groups":"src1"},"groups":["a"]}`: "[] false",
		`{"_claim_names":{"other":"src1"},"groups":["a"]}`:  "[a] true",
		`{"_claim_names":"strange","groups":["a"]}`:         "[a] true",
	} {
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(claims), &all); err != nil {
			t.Fatal(err)
		}
		id := identity(Identity{}, all, Provider{GroupsClaim: "groups"})
		if id.Groups == nil {
			id.Groups = []string{}
		}
		if !id.GroupsKnown {
			id.Groups = []string{}
		}
		if got := fmt.Sprint(id.Groups, id.GroupsKnown); got != want {
			t.Errorf("%s: %s, want %s", claims, got, want)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://login.example.com":     true,
		"https://login.example.com/a/b": true,
		"http://127.0.0.1:8080":         true,
		"http://[::1]/x":                true,
		"http://localhost:5556/dex":     true,
		"http://login.example.com":      false,
		"http://localhost.example.com":  false,
		"http://127.0.0.1.example.com":  false,
		"https://user:pass@example.com": false,
		"https://":                      false,
		"login.example.com":             false,
		"javascript:alert(1)":           false,
		"ftp://example.com":             false,
		"":                              false,
	} {
		if err := CheckAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}
