package rpc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"baton"
)

// TokenPath is the path at which assertions are exchanged for tokens.
const TokenPath = "/auth/v1/token"

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxForm limits the body of a token request, in bytes.
const maxForm = 64 << 10

// Clients are the credentials of clients of other interfaces that get their tokens here too.
type Clients interface {
	// Credential returns a credential, even if it is revoked. NotFound if there is none.
	Credential(ctx context.Context, clientID string) (Credential, error)
	// AddToken adds a token and records the use of its credential. Unauthenticated if the credential
	// is not good; AlreadyExists if the assertion was used before.
	AddToken(ctx context.Context, now time.Time, t Token) error
}

// ServeToken answers POST /auth/v1/token: the client credentials grant of RFC 6749 with an
// [Assertion] (RFC 7523). Clients that are not connectors may send their secret instead; only its
// public key is compared.
func (s *Server) ServeToken(w http.ResponseWriter, r *http.Request) {
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
	token, err := s.issueToken(r.Context(), clientID, r.PostForm)
	switch kind := baton.KindOf(err); {
	case err == nil:
		writeJSON(w, http.StatusOK, map[string]any{
			"access_token": token.Reveal(),
			"token_type":   "Bearer",
			"expires_in":   int(s.config.TokenLifetime / time.Second),
		})
	case kind == baton.Unauthenticated:
		// The reason is only logged: the client must not learn it.
		s.log.WarnContext(r.Context(), "token refused", "client", clientID, "reason", err)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	default:
		s.log.ErrorContext(r.Context(), "no token could be issued", "client", clientID, "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"})
	}
}

// issueToken returns a new token for the client. The error is Unauthenticated if the client cannot
// prove its identity.
func (s *Server) issueToken(ctx context.Context, clientID string, form url.Values) (baton.Secret, error) {
	fail := func(err error) (baton.Secret, error) {
		return baton.Secret{}, baton.Errorf(baton.Unauthenticated, "%w", err)
	}
	var clients Clients = s.config.Store
	other := s.config.Clients != nil && !strings.HasSuffix(clientID, "/"+connectorKind)
	if other {
		clients = s.config.Clients
	}
	credential, err := clients.Credential(ctx, clientID)
	if baton.KindOf(err) == baton.NotFound {
		return fail(errors.New("no credential has this client id"))
	}
	if err != nil {
		return baton.Secret{}, err
	}
	now := s.config.Now()
	token := baton.NewSecret(rand.Text())
	issued := Token{Hash: sha256.Sum256([]byte(token.Reveal())), ClientID: clientID, Expires: now.Add(s.config.TokenLifetime)}
	switch kind := form.Get("client_assertion_type"); {
	case kind == assertionType:
		a, err := ParseAssertion(form.Get("client_assertion"))
		if err == nil {
			err = a.Check(clientID, credential.PublicKey, s.config.Hosts, now)
		}
		if err != nil {
			return fail(err)
		}
		issued.Assertion, issued.AssertionExpires = a.ID, a.RememberUntil()
	case kind == "" && other && form.Has("client_secret"):
		key, err := PublicKeyOf(baton.NewSecret(form.Get("client_secret")))
		if err != nil {
			return fail(err)
		}
		if !key.Equal(credential.PublicKey) {
			return fail(errors.New("the client secret is another one"))
		}
	default:
		return fail(fmt.Errorf("client_assertion_type is %q, want %q", kind, assertionType))
	}
	err = clients.AddToken(ctx, now, issued)
	if baton.KindOf(err) == baton.AlreadyExists {
		return fail(err)
	}
	return token, err
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has closed the connection
}
