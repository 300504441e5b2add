package rpc_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
)

// clients are credentials of other clients than connectors.
type clients map[string]rpc.Credential

func (c clients) Credential(_ context.Context, id string) (rpc.Credential, error) {
	if found, ok := c[id]; ok {
		return found, nil
	}
	return rpc.Credential{}, baton.Errorf(baton.NotFound, "no credential")
}

func (c clients) AddToken(_ context.Context, now time.Time, t rpc.Token) error {
	if !c[t.ClientID].Good(now) {
		return baton.Errorf(baton.Unauthenticated, "not good")
	}
	return nil
}

// privateKey returns the key that a secret holds.
func privateKey(t *testing.T, secret baton.Secret) ed25519.PrivateKey {
	t.Helper()
	var jwk struct{ D string }
	var seed []byte
	b, err := base64.RawURLEncoding.DecodeString(secret.Reveal()[strings.LastIndex(secret.Reveal(), ":")+1:])
	if err == nil {
		err = json.Unmarshal(b, &jwk)
	}
	if err == nil {
		seed, err = base64.RawURLEncoding.DecodeString(jwk.D)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// TestTokenOfClients exchanges secrets and assertions of other clients than connectors.
func TestTokenOfClients(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	all := clients{}
	issue := func(name string) (string, baton.Secret) {
		t.Helper()
		id, key, secret, err := rpc.NewKey(name, "console.example.com:8443", "pcc")
		if err != nil {
			t.Fatal(err)
		}
		all[id] = rpc.Credential{ClientID: id, PublicKey: key, Created: now}
		return id, secret
	}
	id, secret := issue("ana")
	_, other := issue("ben")
	revoked, revokedSecret := issue("cleo")
	gone := all[revoked]
	gone.Revoked = now
	all[revoked] = gone
	store := rpctest.NewMemory()
	connector, connectorSecret, err := rpc.NewCredential("c1", "acme", "console.example.com:8443", now)
	if err == nil {
		err = store.AddCredential(t.Context(), now, connector)
	}
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.New(rpc.Config{Store: store, Clients: all, Hosts: []string{"console.example.com:8443", "127.0.0.1:8443"}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	post := func(form url.Values) (int, string) {
		form.Set("grant_type", "client_credentials")
		r := httptest.NewRequest("POST", rpc.TokenPath, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeToken(w, r)
		return w.Code, w.Body.String()
	}
	for _, tt := range []struct {
		what, id string
		secret   baton.Secret
		want     int
	}{
		{"the secret", id, secret, 200},
		{"the secret again", id, secret, 200},
		{"of another", id, other, 401},
		{"of a client that is revoked", revoked, revokedSecret, 401},
		{"an unknown client", "eve@console.example.com/pcc", secret, 401},
		{"no secret", id, baton.NewSecret(""), 401},
		{"no key in it", id, baton.NewSecret("secret-token:console.example.com:v1:e30"), 401},
		{"another version", id, baton.NewSecret(strings.Replace(secret.Reveal(), ":v1:", ":v2:", 1)), 401},
		{"a connector", connector.ClientID, connectorSecret, 401},
	} {
		if code, body := post(url.Values{"client_id": {tt.id}, "client_secret": {tt.secret.Reveal()}}); code != tt.want || strings.Contains(body, "secret-token") {
			t.Errorf("%s: %d %s, want %d", tt.what, code, body, tt.want)
		}
	}
	key := privateKey(t, secret)
	for what, tt := range map[string]struct {
		aud  any
		want int
	}{
		"a list, as API clients send it": {[]string{"127.0.0.1"}, 200}, "another name of the console": {"console.example.com", 200},
		"two names": {[]string{"127.0.0.1", "console.example.com"}, 401}, "another host": {[]string{"evil.example.com"}, 401},
	} {
		claims := map[string]any{"iss": id, "sub": id, "aud": tt.aud, "exp": now.Unix() + 120, "iat": now.Unix(), "nbf": now.Unix() - 120}
		if code, body := post(form(id, jws(key, map[string]any{"alg": "EdDSA", "nonce": what}, claims))); code != tt.want {
			t.Errorf("aud %s: %d %s, want %d", what, code, body, tt.want)
		}
	}
}
