package rpc_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"baton"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

func TestToken(t *testing.T) {
	f := newFixture(t)
	good, other := f.issue("acme"), f.issue("other")
	revoked := f.issue("acme")
	if err := f.Revoke(t.Context(), revoked.id); err != nil {
		t.Fatal(err)
	}
	now := f.clock.Now().Unix()
	set := func(into map[string]any, key string, value any) { into[key] = value }
	tests := []struct {
		name string
		c    credential
		edit func(header, claims map[string]any)
		want int
	}{
		{"good", good, nil, 200},
		{"audience as a list", good, func(_, c map[string]any) { set(c, "aud", []string{"127.0.0.1"}) }, 200},
		{"client's clock is slow", good, func(_, c map[string]any) { set(c, "exp", now-59) }, 200},
		{"client's clock is fast", good, func(_, c map[string]any) { set(c, "exp", now+360); set(c, "nbf", now+60); set(c, "iat", now+60) }, 200},
		{"jti instead of a nonce", good, func(h, c map[string]any) { delete(h, "nonce"); set(c, "jti", "j-1") }, 200},
		{"audience in capitals", good, func(_, c map[string]any) { set(c, "aud", "Second.Example") }, 200},
		{"another configured host", good, func(_, c map[string]any) { set(c, "aud", "second.example") }, 200},
		{"no nbf and iat", good, func(_, c map[string]any) { delete(c, "nbf"); delete(c, "iat") }, 200},
		{"issued long ago", good, func(_, c map[string]any) { set(c, "iat", now-361) }, 401},
		{"issued not too long ago", good, func(_, c map[string]any) { set(c, "iat", now-360) }, 200},
		{"audience with port", good, func(_, c map[string]any) { set(c, "aud", f.Address()) }, 401},
		{"audience of another", good, func(_, c map[string]any) { set(c, "aud", "acme.example") }, 401},
		{"audience of another too", good, func(_, c map[string]any) { set(c, "aud", []string{"127.0.0.1", "acme.example"}) }, 401},
		{"no audience", good, func(_, c map[string]any) { delete(c, "aud") }, 401},
		{"expired", good, func(_, c map[string]any) { set(c, "exp", now-60) }, 401},
		{"no expiry", good, func(_, c map[string]any) { delete(c, "exp") }, 401},
		{"expiry too far", good, func(_, c map[string]any) { set(c, "exp", now+361) }, 401},
		{"expiry absurd", good, func(_, c map[string]any) { set(c, "exp", 1e300) }, 401},
		{"not yet", good, func(_, c map[string]any) { set(c, "nbf", now+61) }, 401},
		{"issued in the future", good, func(_, c map[string]any) { delete(c, "nbf"); set(c, "iat", now+61) }, 401},
		{"official client's clock is fast", good, func(_, c map[string]any) { set(c, "exp", now+299); set(c, "nbf", now+59); set(c, "iat", now+179) }, 200},
		{"official client's clock is too fast", good, func(_, c map[string]any) { set(c, "exp", now+302); set(c, "nbf", now+62); set(c, "iat", now+182) }, 401},
		{"official client's clock is slow", good, func(_, c map[string]any) { set(c, "exp", now-59); set(c, "nbf", now-299); set(c, "iat", now-179) }, 200},
		{"official client's clock is too slow", good, func(_, c map[string]any) { set(c, "exp", now-62); set(c, "nbf", now-302); set(c, "iat", now-182) }, 401},
		{"issuer of another", good, func(_, c map[string]any) { set(c, "iss", other.id) }, 401},
		{"subject of another", good, func(_, c map[string]any) { set(c, "sub", other.id) }, 401},
		{"key of another", credential{id: good.id, key: other.key}, nil, 401},
		{"unknown client", credential{id: "x@127.0.0.1/baton", key: good.key}, nil, 401},
		{"revoked", revoked, nil, 401},
		{"neither nonce nor jti", good, func(h, _ map[string]any) { delete(h, "nonce") }, 401},
		{"huge jti", good, func(_, c map[string]any) { set(c, "jti", strings.Repeat("j", 129)) }, 401},
		{"huge nonce", good, func(h, _ map[string]any) { set(h, "nonce", strings.Repeat("n", 129)) }, 401},
		{"alg none", good, func(h, _ map[string]any) { set(h, "alg", "none") }, 401},
		{"alg HS256", good, func(h, _ map[string]any) { set(h, "alg", "HS256") }, 401},
		{"crit", good, func(h, _ map[string]any) { set(h, "crit", []string{"exp"}) }, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header, claims := f.claims(tt.c)
			if tt.edit != nil {
				tt.edit(header, claims)
			}
			a, err := f.post(form(tt.c.id, jws(tt.c.key, header, claims)))
			if err != nil || a.code != tt.want {
				t.Fatalf("%+v, %v, want %d", a, err, tt.want)
			}
			if tt.want == 200 && (a.ExpiresIn != 600 || a.TokenType != "Bearer" || a.AccessToken == "") {
				t.Errorf("%+v", a)
			}
			if tt.want == 401 && a.Error != "invalid_client" {
				t.Errorf("error %q", a.Error)
			}
		})
	}
}

func TestTokenRequest(t *testing.T) {
	f := newFixture(t)
	c := f.issue("acme")
	for name, tt := range map[string]struct {
		edit func(url.Values)
		want int
	}{
		"good":                  {func(url.Values) {}, 200},
		"other grant type":      {func(v url.Values) { v.Set("grant_type", "password") }, 400},
		"other assertion type":  {func(v url.Values) { v.Set("client_assertion_type", "saml") }, 401},
		"no assertion":          {func(v url.Values) { v.Del("client_assertion") }, 401},
		"two parts":             {func(v url.Values) { v.Set("client_assertion", "a.b") }, 401},
		"signature cut":         {func(v url.Values) { v.Set("client_assertion", v.Get("client_assertion")[:150]) }, 401},
		"no client":             {func(v url.Values) { v.Del("client_id") }, 401},
		"larger than any token": {func(v url.Values) { v.Set("x", strings.Repeat("x", 70_000)) }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			header, claims := f.claims(c)
			values := form(c.id, jws(c.key, header, claims))
			tt.edit(values)
			if a, err := f.post(values); err != nil || a.code != tt.want {
				t.Errorf("%+v, %v, want %d", a, err, tt.want)
			}
		})
	}
	t.Run("GET", func(t *testing.T) {
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/auth/v1/token", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
			t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/auth/v1/tokens", nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestNonceIsUsedOnce(t *testing.T) {
	f := newFixture(t)
	c, other := f.issue("acme"), f.issue("acme")
	header, claims := f.claims(c)
	assertion := jws(c.key, header, claims)
	for i, want := range []int{200, 401} {
		if a, err := f.post(form(c.id, assertion)); err != nil || a.code != want {
			t.Fatalf("use %d: %+v, %v, want %d", i, a, err, want)
		}
	}
	_, fresh := f.claims(c)
	fresh["exp"] = f.clock.Now().Unix() + 60
	if a, _ := f.post(form(c.id, jws(c.key, header, fresh))); a.code != 401 {
		t.Errorf("the same nonce in another assertion: %+v", a)
	}
	_, claims = f.claims(other)
	if a, _ := f.post(form(other.id, jws(other.key, header, claims))); a.code != 200 {
		t.Errorf("the same nonce of another client: %+v", a)
	}
	// A failed attempt must not use up the nonce of the real client.
	header, claims = f.claims(c)
	if a, _ := f.post(form(c.id, jws(other.key, header, claims))); a.code != 401 {
		t.Errorf("forged: %+v", a)
	}
	if a, _ := f.post(form(c.id, jws(c.key, header, claims))); a.code != 200 {
		t.Errorf("after the forgery: %+v", a)
	}
}

func TestTokensEnd(t *testing.T) {
	f := newFixture(t)
	c := f.issue("acme")
	poll := func(token string) error {
		_, err := f.host("h1", token).GetTask(f.host("h1", token).ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "h1"})
		return err
	}
	t.Run("by expiry", func(t *testing.T) {
		token := f.token(c)
		f.clock.advance(10*time.Minute - time.Second)
		wantCode(t, poll(token), codes.OK)
		f.clock.advance(time.Second)
		wantCode(t, poll(token), codes.Unauthenticated)
	})
	t.Run("by revoking tokens", func(t *testing.T) {
		token := f.token(c)
		f.RevokeTokens()
		wantCode(t, poll(token), codes.Unauthenticated)
		wantCode(t, poll(f.token(c)), codes.OK)
	})
	t.Run("by rotation", func(t *testing.T) {
		old := f.token(c)
		renewed := f.token(f.issue("acme"))
		wantCode(t, poll(old), codes.OK)
		if err := f.Revoke(t.Context(), c.id); err != nil {
			t.Fatal(err)
		}
		wantCode(t, poll(old), codes.Unauthenticated)
		wantCode(t, poll(renewed), codes.OK)
	})
	t.Run("never begun", func(t *testing.T) {
		wantCode(t, poll("made-up"), codes.Unauthenticated)
		client := f.host("h1", "x")
		for _, header := range []string{"", "Basic eDp5", "Bearer"} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", header)
			_, err := client.GetTask(ctx, &batonv1.BatonServiceGetTaskRequest{HostId: "h1"})
			wantCode(t, err, codes.Unauthenticated)
		}
		stream, err := client.UploadAsset(t.Context())
		if err == nil {
			_, err = stream.CloseAndRecv()
		}
		wantCode(t, err, codes.Unauthenticated)
	})
}

func TestCredentials(t *testing.T) {
	f := newFixture(t)
	c := f.issue("acme")
	f.clock.advance(time.Second)
	second := f.issue("acme")
	if !regexp.MustCompile(`^acme-\d{5}@127\.0\.0\.1:\d+/baton$`).MatchString(c.id) || c.id == second.id {
		t.Errorf("client ids %q and %q", c.id, second.id)
	}
	for range 2 {
		if err := f.Revoke(t.Context(), c.id); err != nil {
			t.Error(err)
		}
		f.clock.advance(time.Hour)
	}
	got, err := f.Store.Credential(t.Context(), c.id)
	if err != nil {
		t.Fatal(err)
	}
	if want := got.Created.Add(time.Second); !got.Revoked.Equal(want) || !got.PublicKey.Equal(c.key.Public()) {
		t.Errorf("%+v, want it revoked at %v", got, want)
	}
	for _, name := range []string{"", "Acme", "a b", "a@b", "-a", "a-", strings.Repeat("a", 65)} {
		if _, _, err := f.Issue(t.Context(), name); baton.KindOf(err) != baton.Invalid {
			t.Errorf("Issue(%q): %v", name, err)
		}
	}
	if err := f.Revoke(t.Context(), "nobody"); baton.KindOf(err) != baton.NotFound {
		t.Errorf("Revoke: %v", err)
	}
}

// newRecorder posts a form to the token endpoint.
func newRecorder(handler http.Handler, values url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/auth/v1/token", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func FuzzToken(f *testing.F) {
	dir := f.TempDir()
	server, err := rpctest.New(rpctest.Config{Host: "c1.example", Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	id, _, err := server.Issue(f.Context(), "acme")
	if err != nil {
		f.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	claims := map[string]any{"iss": id, "sub": id, "aud": "c1.example", "exp": time.Now().Add(time.Hour).Unix()}
	for _, header := range []map[string]any{{"alg": "EdDSA", "nonce": "n"}, {"alg": "none"}, {}} {
		f.Add(jws(other, header, claims))
		maps.DeleteFunc(claims, func(key string, _ any) bool { return key == "aud" })
	}
	f.Add("..")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","nonce":"n"}`)) + ".e30.")
	handler := server.Handler()
	f.Fuzz(func(t *testing.T, assertion string) {
		w := newRecorder(handler, form(id, assertion))
		if w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
			t.Errorf("%d for %q", w.Code, assertion)
		}
	})
}

func TestCredentialName(t *testing.T) {
	for name, want := range map[string]string{"Perplexity EU": "perplexity-eu", "--a  b--": "a-b", "": "connector", "日本": "connector", "Größe 1": "gr-e-1",
		strings.Repeat("ab-", 40): strings.TrimRight(strings.Repeat("ab-", 20), "-")} {
		got := rpc.CredentialName(name)
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if _, _, err := rpc.NewCredential("c", got, "console.example.com", time.Now()); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
