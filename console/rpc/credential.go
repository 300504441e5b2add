package rpc

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"strings"
	"time"

	"baton"
)

// Credential is a key with which hosts of a connector authenticate. All hosts may share one. A
// connector may have several, so that every host can get a new one before the old one is revoked.
// The private key is not stored.
type Credential struct {
	ClientID  string // <name>-<5 digits>@<host>[:<port>]/baton
	Connector string
	PublicKey ed25519.PublicKey
	Created   time.Time
	Expires   time.Time // zero: never
	Revoked   time.Time // zero: not revoked
	LastUsed  time.Time // when a token was last issued for it; zero: never
}

// Good reports whether tokens are issued and accepted for the credential.
func (c Credential) Good(now time.Time) bool {
	return c.Revoked.IsZero() && (c.Expires.IsZero() || now.Before(c.Expires))
}

// Token is a bearer token that was issued for a credential. Only its hash is stored.
type Token struct {
	Hash     [32]byte // SHA-256 of the token
	ClientID string
	Expires  time.Time
	// Assertion identifies, for its client, the signed assertion that was exchanged for
	// the token. The store remembers it until AssertionExpires: it may be used once. It is
	// empty for a client that sent its secret.
	Assertion        string
	AssertionExpires time.Time
}

// CredentialName converts a connector's name to the form at the start of client ids: lower-case
// letters, digits and dashes; "connector" if nothing is left.
func CredentialName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case b.Len() >= 60:
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return cmp.Or(strings.Trim(b.String(), "-"), "connector")
}

// credentialName matches names that can stand before the @ of a client id.
var credentialName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// NewCredential returns a credential for a connector, and its secret, which is not stored. The
// client id starts with name (up to 64 lower-case letters, digits and dashes) and contains host, the
// host[:port] that the connector calls.
func NewCredential(connector, name, host string, now time.Time) (Credential, baton.Secret, error) {
	clientID, public, secret, err := NewKey(name, host, connectorKind)
	if err != nil {
		return Credential{}, baton.Secret{}, err
	}
	return Credential{ClientID: clientID, Connector: connector, PublicKey: public, Created: now}, secret, nil
}

// connectorKind is the suffix of the client ids of connectors.
const connectorKind = "baton"

// NewKey returns a new client id with the given suffix, its public key, and the secret with the
// private key.
func NewKey(name, host, kind string) (clientID string, public ed25519.PublicKey, secret baton.Secret, err error) {
	if !credentialName.MatchString(name) {
		return "", nil, secret, baton.Errorf(baton.Invalid, "rpc: new credential: %q is not 1 to 64 lower-case letters, digits and dashes", name)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", nil, secret, baton.Errorf(baton.Internal, "rpc: new credential: %w", err)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(100_000))
	if err != nil {
		return "", nil, secret, baton.Errorf(baton.Internal, "rpc: new credential: %w", err)
	}
	return fmt.Sprintf("%s-%05d@%s/%s", name, n, host, kind), public, encodeSecret(host, private), nil
}

// PublicKeyOf returns the public key that belongs to a secret.
func PublicKeyOf(secret baton.Secret) (ed25519.PublicKey, error) {
	// The text is secret, so errors must not contain it.
	parts := strings.SplitN(secret.Reveal(), ":", 4)
	if len(parts) != 4 || parts[2] != "v1" {
		return nil, baton.Errorf(baton.Invalid, "the client secret does not have the form of one")
	}
	var jwk struct{ Kty, Crv, D string }
	if err := decodePart(parts[3], &jwk); err != nil || jwk.Kty != "OKP" || jwk.Crv != "Ed25519" {
		return nil, baton.Errorf(baton.Invalid, "the client secret holds no Ed25519 key")
	}
	seed, err := base64.RawURLEncoding.Strict().DecodeString(jwk.D)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, baton.Errorf(baton.Invalid, "the client secret holds no Ed25519 key")
	}
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey), nil
}

// encodeSecret returns the secret in the form that connectors take: four parts between
// colons, the last one the private key as a JWK.
func encodeSecret(host string, key ed25519.PrivateKey) baton.Secret {
	jwk, err := json.Marshal(map[string]string{
		"kty": "OKP",
		"crv": "Ed25519",
		"x":   base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		"d":   base64.RawURLEncoding.EncodeToString(key.Seed()),
	})
	if err != nil {
		panic(err) // cannot happen: strings always encode
	}
	return baton.NewSecret(strings.Join([]string{"secret-token", hostname(host), "v1", base64.RawURLEncoding.EncodeToString(jwk)}, ":"))
}

// hostname returns host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
