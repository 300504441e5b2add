package rpc

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// tokenPath is where assertions are exchanged for tokens.
const tokenPath = "/auth/v1/token"

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxForm bounds the body of a token request, in bytes.
const maxForm = 64 << 10

// mint hands out bearer tokens and remembers them, and the nonces of the assertions
// that were exchanged for them, until they expire.
type mint struct {
	mu     sync.Mutex
	tokens map[string]bearer
	nonces map[string]time.Time // by client and nonce: until when
}

type bearer struct {
	clientID string
	expires  time.Time
}

// spend marks the nonce of an assertion as used. It fails for one that is.
func (m *mint) spend(clientID string, a assertion, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for nonce, until := range m.nonces {
		if !now.Before(until) {
			delete(m.nonces, nonce)
		}
	}
	key := clientID + "\x00" + a.nonce
	if _, used := m.nonces[key]; used {
		return errors.New("its nonce was used before")
	}
	m.nonces[key] = a.expires
	return nil
}

func (m *mint) issue(clientID string, now time.Time, life time.Duration) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for token, b := range m.tokens {
		if !now.Before(b.expires) {
			delete(m.tokens, token)
		}
	}
	token := rand.Text()
	m.tokens[token] = bearer{clientID: clientID, expires: now.Add(life)}
	return token
}

// client is who holds the token, if it is good.
func (m *mint) client(token string, now time.Time) (clientID string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.tokens[token]
	return b.clientID, ok && now.Before(b.expires)
}

func (m *mint) revokeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tokens)
}

// serveToken answers POST /auth/v1/token: RFC 6749 client credentials, the client
// authenticated by an assertion (RFC 7523).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "invalid_request"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
		return
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	clientID := r.PostForm.Get("client_id")
	if err := s.authenticate(clientID, r.PostForm.Get("client_assertion_type"), r.PostForm.Get("client_assertion")); err != nil {
		// Why is for the operator; whoever fails here learns nothing.
		s.log.Warn("token refused", "client", clientID, "reason", err)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	life := s.faults.duration("token-lifetime", s.config.TokenLifetime)
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": s.mint.issue(clientID, s.config.Now(), life),
		"token_type":   "Bearer",
		"expires_in":   int(life / time.Second),
	})
}

func (s *Server) authenticate(clientID, kind, text string) error {
	if kind != assertionType {
		return fmt.Errorf("assertion type %q", kind)
	}
	credential, ok := s.wallet.good(clientID)
	if !ok {
		return errors.New("no such client, or it is revoked")
	}
	a, err := parseAssertion(text)
	if err != nil {
		return fmt.Errorf("assertion: %w", err)
	}
	now := s.config.Now()
	if err := a.check(clientID, credential.PublicKey, hostname(s.config.Host), now); err != nil {
		return fmt.Errorf("assertion: %w", err)
	}
	if err := s.mint.spend(clientID, a, now); err != nil {
		return fmt.Errorf("assertion: %w", err)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
