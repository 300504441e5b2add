package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"baton"
)

// dex answers as Dex was recorded to answer (docs/peers.md): v2.45.1 with RSA keys and without sessions,
// and the version of August 2026 with sessions and keys on an elliptic curve.
type dex struct {
	t      *testing.T
	server *httptest.Server
	now    func() time.Time

	mu       sync.Mutex
	sessions bool
	method   jwt.SigningMethod
	keys     []dexKey // the newest first; the one before stays for tokens that it signed
	claims   map[string]any
	denied   bool          // user info is refused, as the later version does with keys on a curve
	forger   crypto.Signer // signs instead of the newest key
	problem  string        // answer of the token endpoint instead of tokens
	asked    map[string]int
	form     url.Values // of the last token request
}

type dexKey struct {
	id  string
	key crypto.Signer
}

const (
	dexClient = "baton-console"
	dexSecret = "c2VjcmV0LW9mLXRoZS1jb25zb2xl"
)

// dexMember has what Dex says about a user with a static password.
var dexMember = map[string]any{"sub": "CgZjYXJhLTESBWxvY2Fs", "email": "cara@example.com", "email_verified": true, "groups": []string{"staff"}, "name": "Cara Member", "preferred_username": "cara"}

func newDex(t *testing.T, now func() time.Time, sessions bool, method jwt.SigningMethod) *dex {
	t.Helper()
	d := &dex{t: t, now: now, sessions: sessions, asked: map[string]int{}, claims: dexMember}
	d.server = httptest.NewServer(d)
	t.Cleanup(d.server.Close)
	d.sign(method)
	return d
}

// sign makes a new key the newest. The one before stays.
func (d *dex) sign(method jwt.SigningMethod) {
	d.t.Helper()
	var key crypto.Signer
	var err error
	if method == jwt.SigningMethodRS256 {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.method, d.keys = method, append([]dexKey{{rand.Text(), key}}, d.keys...)
	d.keys = d.keys[:min(len(d.keys), 2)]
}

// restart forgets the keys, as Dex does whose storage is its memory.
func (d *dex) restart(method jwt.SigningMethod) {
	d.t.Helper()
	d.mu.Lock()
	d.keys = nil
	d.mu.Unlock()
	d.sign(method)
}

func (d *dex) issuer() string { return d.server.URL + "/dex" }

func (d *dex) provider() Provider {
	return Provider{Label: "Dex", Issuer: d.issuer(), ClientID: dexClient, Secret: baton.NewSecret(dexSecret), Scopes: []string{"email", "profile", "groups"}, GroupsClaim: "groups",
		Redirect: "https://console.example.com/login/dex/callback"}
}

func (d *dex) count(path string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[path]
}

func (d *dex) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/dex")
	d.asked[path]++
	status, body := http.StatusOK, map[string]any(nil)
	switch path {
	case "/.well-known/openid-configuration":
		body = d.discovery()
	case "/keys":
		var list []any
		for _, k := range d.keys {
			list = append(list, k.public())
		}
		body = map[string]any{"keys": list}
	case "/token":
		r.ParseForm()
		d.form = r.PostForm
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		switch {
		case d.problem != "":
			status, body = http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": d.problem}
		case r.PostForm.Get("client_secret") != dexSecret:
			status, body = http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "Invalid client credentials."}
		default:
			body = map[string]any{"access_token": d.token(r.PostForm.Get("code")), "token_type": "bearer", "expires_in": 29, "id_token": d.token(r.PostForm.Get("code"))}
		}
	case "/userinfo":
		body = d.all("")
		if d.denied {
			status, body = http.StatusForbidden, map[string]any{"error": "access_denied", "error_description": "Invalid bearer token."}
		}
	default:
		status = http.StatusNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func (d *dex) discovery() map[string]any {
	i := d.issuer()
	body := map[string]any{"issuer": i, "authorization_endpoint": i + "/auth", "token_endpoint": i + "/token", "jwks_uri": i + "/keys", "userinfo_endpoint": i + "/userinfo",
		"device_authorization_endpoint": i + "/device/code", "introspection_endpoint": i + "/token/introspect",
		"grant_types_supported":    []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{d.method.Alg()},
		"code_challenge_methods_supported": []string{"S256", "plain"}, "scopes_supported": []string{"openid", "email", "groups", "profile", "offline_access"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"claims_supported":                      []string{"iss", "sub", "aud", "iat", "exp", "email", "email_verified", "locale", "name", "preferred_username", "at_hash"}}
	if d.sessions {
		body["end_session_endpoint"], body["backchannel_logout_supported"], body["backchannel_logout_session_supported"] = i+"/logout", true, true
	}
	return body
}

// all returns the claims of a token. Its code is the nonce of the request.
func (d *dex) all(code string) jwt.MapClaims {
	c := jwt.MapClaims{"iss": d.issuer(), "aud": dexClient, "iat": d.now().Unix(), "exp": d.now().Add(30 * time.Second).Unix(), "nonce": code, "at_hash": "FO7vgF0br79JQTlloNbkRg"}
	if d.sessions {
		c["jti"], c["sid"], c["auth_time"] = "fdd1a045-5f1b-497b-a237-e6d421a8b3ea", "hizzfw3kn7lo67znu6pvkszso", d.now().Add(-time.Second).Unix()
	}
	for k, v := range d.claims {
		c[k] = v
	}
	return c
}

func (d *dex) token(code string) string {
	token := jwt.NewWithClaims(d.method, d.all(code))
	token.Header = map[string]any{"alg": d.method.Alg(), "kid": d.keys[0].id}
	key := d.keys[0].key
	if d.forger != nil {
		key = d.forger
	}
	signed, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return signed
}

// public returns the public key as JWK.
func (k dexKey) public() map[string]any {
	text := base64.RawURLEncoding.EncodeToString
	switch pub := k.key.Public().(type) {
	case *rsa.PublicKey:
		return map[string]any{"use": "sig", "kty": "RSA", "kid": k.id, "alg": "RS256", "n": text(pub.N.Bytes()), "e": text(big.NewInt(int64(pub.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := pub.Bytes()
		if err != nil {
			panic(err)
		}
		return map[string]any{"use": "sig", "kty": "EC", "kid": k.id, "crv": "P-256", "alg": "ES256", "x": text(point[1:33]), "y": text(point[33:])}
	}
	panic("another key")
}

// login exchanges a code of Dex.
func (d *dex) login(c *Client) (Identity, error) {
	r := NewRequest(false)
	return c.Exchange(d.t.Context(), d.provider(), r, Answer{Code: r.Nonce})
}

var dexNow = time.Date(2026, 12, 1, 5, 50, 0, 0, time.UTC)

// dexVersions are the recorded ones.
var dexVersions = []struct {
	name     string
	sessions bool
	method   jwt.SigningMethod
}{{"v2.45.1", false, jwt.SigningMethodRS256}, {"August 2026", true, jwt.SigningMethodES256}}

// TestDex signs in with Dex as it was recorded.
func TestDex(t *testing.T) {
	for _, v := range dexVersions {
		t.Run(v.name, func(t *testing.T) {
			d := newDex(t, func() time.Time { return dexNow }, v.sessions, v.method)
			c := New(anywhere, d.now, nil)
			id, err := d.login(c)
			if err != nil {
				t.Fatal(err)
			}
			proved := time.Time{} // v2.45.1 does not say when somebody proved who they are
			if v.sessions {
				proved = dexNow.Add(-time.Second)
			}
			want := Identity{Issuer: d.issuer(), Subject: "CgZjYXJhLTESBWxvY2Fs", Email: "cara@example.com", EmailVerified: true, Name: "Cara Member", Groups: []string{"staff"}, GroupsKnown: true, Proved: proved}
			if !id.Proved.Equal(proved) {
				t.Errorf("proved at %v, want %v", id.Proved, proved)
			}
			if id.Proved = proved; fmt.Sprint(id) != fmt.Sprint(want) {
				t.Errorf("%+v\nwant %+v", id, want)
			}
			if keys := slices.Sorted(maps.Keys(d.form)); strings.Join(keys, " ") != "client_id client_secret code code_verifier grant_type redirect_uri" {
				t.Errorf("the token request has %s", keys)
			}
			if d.count("/userinfo") != 0 {
				t.Error("user info is requested although the token has everything")
			}
			for _, problem := range []string{"Invalid or expired code parameter.", "Invalid code_verifier."} {
				d.problem = problem
				if _, err := d.login(c); baton.KindOf(err) != baton.Unauthenticated {
					t.Errorf("%s: %v", problem, err)
				}
			}
			d.problem = ""
			p := d.provider()
			p.Secret = baton.NewSecret("another")
			if _, err := c.Exchange(t.Context(), p, NewRequest(false), Answer{Code: "x"}); baton.KindOf(err) != baton.Unauthenticated {
				t.Errorf("another secret: %v", err)
			}
		})
	}
}

// TestUserInfoRefused checks that a user info that is refused does not keep people out who have no groups. Dex
// leaves the claim out for them, and refuses its own tokens there if they are signed on a curve.
func TestUserInfoRefused(t *testing.T) {
	groupless := map[string]any{"sub": "CgVndXMtMRIFbG9jYWw", "email": "gus@example.com", "email_verified": true, "name": "Gus Groupless"}
	for _, tt := range []struct {
		claims map[string]any
		denied bool
		kind   baton.Kind
		known  bool // groups
	}{
		{groupless, false, 0, true},
		{groupless, true, 0, false},
		{map[string]any{"sub": "CgVndXMtMRIFbG9jYWw"}, true, baton.Unavailable, false}, // nothing says who it is
	} {
		d := newDex(t, func() time.Time { return dexNow }, true, jwt.SigningMethodES256)
		d.claims, d.denied = tt.claims, tt.denied
		id, err := d.login(New(anywhere, d.now, nil))
		if tt.kind != 0 {
			if baton.KindOf(err) != tt.kind {
				t.Errorf("%v, denied %v: %v", tt.claims, tt.denied, err)
			}
			continue
		}
		if err != nil || id.GroupsKnown != tt.known || len(id.Groups) != 0 || id.Email != "gus@example.com" || !id.EmailVerified || id.Name != "Gus Groupless" || d.count("/userinfo") != 1 {
			t.Errorf("%v, denied %v: %+v, %v", tt.claims, tt.denied, id, err)
		}
	}
}

// TestKeyRotation checks that people sign in while Dex changes its keys, also to another algorithm, which its
// discovery document names.
func TestKeyRotation(t *testing.T) {
	now := dexNow
	d := newDex(t, func() time.Time { return now }, false, jwt.SigningMethodES256)
	c := New(anywhere, d.now, nil)
	for _, step := range []struct {
		what        string
		do          func()
		discoveries int // so far
	}{
		{"first", func() {}, 1},
		{"a new key beside the old one", func() { d.sign(jwt.SigningMethodES256) }, 1},
		{"all keys are new", func() { d.restart(jwt.SigningMethodES256) }, 1},
		{"another algorithm", func() { d.sign(jwt.SigningMethodRS256) }, 2},
		{"and back, with new keys", func() { d.restart(jwt.SigningMethodES256) }, 3},
	} {
		now = now.Add(time.Minute)
		step.do()
		if _, err := d.login(c); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := d.count("/.well-known/openid-configuration"); got != step.discoveries {
			t.Errorf("%s: discovery was requested %d times, want %d", step.what, got, step.discoveries)
		}
	}

	// Discovery is not requested for each token that no published key signed.
	now = now.Add(time.Minute)
	d.forger = newDex(t, d.now, false, jwt.SigningMethodES256).keys[0].key
	for range 5 {
		if _, err := d.login(c); baton.KindOf(err) != baton.Unauthenticated {
			t.Errorf("signed by somebody else: %v", err)
		}
	}
	if got := d.count("/.well-known/openid-configuration"); got != 4 {
		t.Errorf("discovery was requested %d times, want 4", got)
	}
}
