// Package oidctest provides an OpenID Connect provider for tests, whose claims and answers can be
// changed.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

// Provider is an OpenID Connect provider on this machine.
type Provider struct {
	op     *mockoidc.MockOIDC
	Issuer string
	Client string // the id of its only client
	Secret string // of the client

	mu sync.Mutex
	// answer, if set, handles a request first; it returns false to pass it on.
	answer func(w http.ResponseWriter, r *http.Request) bool
	hits   map[string]int // number of requests by path
}

// The suffixes of the paths of a provider.
const (
	Discovery = "/.well-known/openid-configuration"
	Keys      = "/jwks.json"
	Token     = "/token"
)

// User is a user of the provider. A claim that is nil is omitted.
type User struct {
	Subject string
	Token   map[string]any // claims of the ID token
	Info    map[string]any // claims of the user info
}

// Verified returns a user with a verified e-mail address and further claims of the ID token: name,
// value, name, value, …
func Verified(subject, email string, more ...any) User {
	u := User{Subject: subject, Token: map[string]any{"email": email, "email_verified": true, "name": "Name of " + subject}}
	for i := 0; i+1 < len(more); i += 2 {
		u.Token[more[i].(string)] = more[i+1]
	}
	return u
}

// user implements the interface of the provider's library.
type user struct{ User }

func (u user) ID() string { return u.Subject }

func (u user) Userinfo([]string) ([]byte, error) {
	info := map[string]any{"sub": u.Subject}
	maps.Copy(info, u.Info)
	return json.Marshal(info)
}

func (u user) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	claims := jwt.MapClaims{"iss": base.Issuer, "sub": base.Subject, "aud": base.Audience, "exp": base.ExpiresAt, "iat": base.IssuedAt, "nonce": base.Nonce}
	for k, v := range u.Token {
		if claims[k] = v; v == nil {
			delete(claims, k)
		}
	}
	return claims, nil
}

// firstKey is shared by all providers, because generating a key is slow.
var firstKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// New starts a provider. now is the clock of all providers.
func New(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	mockoidc.NowFunc = now
	m, err := mockoidc.NewServer(firstKey())
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{op: m, Client: m.ClientID, Secret: m.ClientSecret, hits: map[string]int{}}
	err = m.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			p.hits[r.URL.Path]++
			answer := p.answer
			p.mu.Unlock()
			if answer != nil && answer(w, r) {
				return
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			next.ServeHTTP(w, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(l, nil); err != nil {
		t.Fatal(err)
	}
	p.Issuer = m.Issuer()
	t.Cleanup(func() { m.Server.Close() })
	return p
}

// Login follows the redirects of a login at the provider as a user, and returns the final redirect
// to the console.
func (p *Provider) Login(t testing.TB, address string, u User) *url.URL {
	t.Helper()
	p.op.QueueUser(user{u})
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("the provider answers %s: %s", resp.Status, body)
	}
	return back
}

// Instead answers requests to paths with a suffix; nil reverts that.
func (p *Provider) Instead(path string, answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if answer != nil && strings.HasSuffix(r.URL.Path, path) {
			answer(w, r)
			return true
		}
		return false
	}
}

// Rewrite changes the ID tokens before the provider sends them.
func (p *Provider) Rewrite(change func(token string) string) {
	p.Instead(Token, func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		p.mu.Lock()
		p.op.Token(recorded, r)
		p.mu.Unlock()
		var body map[string]any
		if json.Unmarshal(recorded.Body.Bytes(), &body) == nil && body["id_token"] != nil {
			body["id_token"] = change(body["id_token"].(string))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(recorded.Code)
		json.NewEncoder(w).Encode(body)
	})
}

// Rotate changes the signing key. The key set only has the new key. If old is true, tokens are still
// signed with the old key.
func (p *Provider) Rotate(t testing.TB, old bool) {
	t.Helper()
	next, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	if !old {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.op.Keypair = next
		return
	}
	p.Instead(Keys, func(w http.ResponseWriter, _ *http.Request) {
		keys, err := next.JWKS()
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(keys)
	})
}

// Hits returns the number of requests to paths with a suffix.
func (p *Provider) Hits(path string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, k := range p.hits {
		if strings.HasSuffix(at, path) {
			n += k
		}
	}
	return n
}
