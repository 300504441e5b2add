package service

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"strings"

	"baton"
)

// credential is a client id with its secret, parsed.
type credential struct {
	clientID string // name@host[:port]/suffix
	name     string // "clever-otter-12345", part of the user agent
	host     string // host[:port] of the tenant
	key      ed25519.PrivateKey
	keyID    string // "" if the secret has none
}

// parseCredential parses a client id and its secret. Errors are Invalid and do not repeat
// any part of the secret.
func parseCredential(clientID string, secret baton.Secret) (credential, error) {
	c := credential{clientID: clientID}
	name, rest, ok := strings.Cut(clientID, "@")
	host, suffix, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || name == "" || suffix == "" || !validHost(host) || strings.ContainsFunc(clientID, unprintable) {
		return c, baton.Errorf(baton.Invalid, "the client id is not one of ConductorOne's").
			WithFix("copy it again; it looks like clever-otter-12345@tenant.conductor.one/abc")
	}
	c.name, c.host = name, host
	var err error
	if c.key, c.keyID, err = parseSecret(secret.Reveal()); err != nil {
		return credential{}, baton.Errorf(baton.Invalid, "the client secret is not one of ConductorOne's: %w", err).
			WithFix("copy the whole secret again, or rotate it in ConductorOne; it looks like secret-token:tenant.conductor.one:v1:...")
	}
	return c, nil
}

// validHost reports whether it is a host name or address with or without a port.
func validHost(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return validName(name) && port != "" && strings.Trim(port, "0123456789") == ""
	}
	return validName(host)
}

func validName(name string) bool {
	if net.ParseIP(name) != nil {
		return true
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	})
}

func unprintable(r rune) bool { return r <= ' ' || r >= 0x7f }

// maxSecret is far above the size of any Ed25519 key.
const maxSecret = 16 << 10

// parseSecret reads "any:any:v1:" and a private Ed25519 key, as a JWK in unpadded
// base64url.
func parseSecret(text string) (ed25519.PrivateKey, string, error) {
	parts := strings.SplitN(text, ":", 4)
	switch {
	case len(text) > maxSecret:
		return nil, "", errors.New("it is too long")
	case len(parts) != 4:
		return nil, "", errors.New("it does not have four parts")
	case parts[2] != "v1":
		return nil, "", errors.New("its version is not v1")
	}
	// Causes are not wrapped from here on, because they quote the secret.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[3])
	if err != nil {
		return nil, "", errors.New("its last part is not base64url")
	}
	var jwk struct{ Kty, Crv, X, D, Kid string }
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return nil, "", errors.New("its key is not a JWK")
	}
	if jwk.Kty != "OKP" || jwk.Crv != "Ed25519" {
		return nil, "", errors.New("its key is not an Ed25519 key")
	}
	seed, err := base64.RawURLEncoding.DecodeString(jwk.D)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, "", errors.New("its key is not a private key")
	}
	key := ed25519.NewKeyFromSeed(seed)
	public, err := base64.RawURLEncoding.DecodeString(jwk.X)
	if err != nil || !bytes.Equal(public, key.Public().(ed25519.PublicKey)) {
		return nil, "", errors.New("the public and the private part of its key do not match")
	}
	return key, jwk.Kid, nil
}
