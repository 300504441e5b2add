package rpc

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"baton"
)

// Credential is one key of a connector. All hosts of a connector may share one, and a
// connector may have several, so that a new one can be rolled out before the old one
// is revoked. The private half is never kept.
type Credential struct {
	ClientID  string // <connector>-<5 digits>@<host>[:<port>]/baton
	Connector string
	PublicKey ed25519.PublicKey
	Created   time.Time
	Revoked   time.Time // zero while it is good
}

// connectorName keeps names to what fits in front of the @ of a client id.
var connectorName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// wallet holds the credentials, under a lock of its own because every call looks at it.
type wallet struct {
	store Store
	now   func() time.Time
	host  string // as in client ids

	mu   sync.Mutex
	byID map[string]Credential
}

// Issue makes a credential for a connector, which exists from its first one on. The
// secret is not kept and cannot be shown again. Rotating is to Issue, to give the new
// credential to every host, and to Revoke the old one.
func (s *Server) Issue(ctx context.Context, connector string) (clientID string, secret baton.Secret, err error) {
	if !connectorName.MatchString(connector) {
		return "", baton.Secret{}, baton.Errorf(baton.Invalid, "rpc: connector %q: a name is up to 64 small letters, digits and dashes", connector)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", baton.Secret{}, baton.Errorf(baton.Internal, "rpc: make a key: %w", err)
	}
	w := s.wallet
	w.mu.Lock()
	defer w.mu.Unlock()
	for clientID = w.newID(connector); w.byID[clientID].ClientID != ""; {
		clientID = w.newID(connector)
	}
	c := Credential{ClientID: clientID, Connector: connector, PublicKey: public, Created: w.now()}
	if err := w.store.SaveCredential(ctx, c); err != nil {
		return "", baton.Secret{}, err
	}
	w.byID[clientID] = c
	return clientID, encodeSecret(w.host, private), nil
}

// Revoke ends a credential and every token that was issued to it. Doing so again
// changes nothing.
func (s *Server) Revoke(ctx context.Context, clientID string) error {
	w := s.wallet
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.byID[clientID]
	if !ok {
		return baton.Errorf(baton.NotFound, "rpc: no credential %q", clientID)
	}
	if !c.Revoked.IsZero() {
		return nil
	}
	c.Revoked = w.now()
	if err := w.store.SaveCredential(ctx, c); err != nil {
		return err
	}
	w.byID[clientID] = c
	return nil
}

// Credentials is every credential ever issued, by time.
func (s *Server) Credentials() []Credential {
	s.wallet.mu.Lock()
	defer s.wallet.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.wallet.byID), func(a, b Credential) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ClientID, b.ClientID))
	})
}

// good is the credential, if there is one that is not revoked.
func (w *wallet) good(clientID string) (Credential, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.byID[clientID]
	return c, ok && c.Revoked.IsZero()
}

// knows reports whether the connector has ever had a credential.
func (w *wallet) knows(connector string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.byID {
		if c.Connector == connector {
			return true
		}
	}
	return false
}

func (w *wallet) newID(connector string) string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000))
	if err != nil {
		panic(err) // crypto/rand ends the program before it fails
	}
	return fmt.Sprintf("%s-%05d@%s/baton", connector, n, w.host)
}

// encodeSecret is the form that connectors take: four parts between colons, the last
// one the private key as a JWK.
func encodeSecret(host string, key ed25519.PrivateKey) baton.Secret {
	jwk, err := json.Marshal(map[string]string{
		"kty": "OKP",
		"crv": "Ed25519",
		"x":   base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		"d":   base64.RawURLEncoding.EncodeToString(key.Seed()),
	})
	if err != nil {
		panic(err) // strings always encode
	}
	return baton.NewSecret(strings.Join([]string{"secret-token", hostname(host), "v1", base64.RawURLEncoding.EncodeToString(jwk)}, ":"))
}

// hostname is a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
