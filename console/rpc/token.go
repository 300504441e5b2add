package rpc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"baton"
)

// TokenPath is where assertions are exchanged for tokens.
const TokenPath = "/auth/v1/token"

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxForm limits the body of a token request, in bytes.
const maxForm = 64 << 10

// ServeToken answers POST /auth/v1/token: client credentials of RFC 6749, the client
// authenticated by an [Assertion] (RFC 7523).
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
	token, err := s.issueToken(r.Context(), clientID, r.PostForm.Get("client_assertion_type"), r.PostForm.Get("client_assertion"))
	switch kind := baton.KindOf(err); {
	case err == nil:
		writeJSON(w, http.StatusOK, map[string]any{
			"access_token": token.Reveal(),
			"token_type":   "Bearer",
			"expires_in":   int(s.config.TokenLifetime / time.Second),
		})
	case kind == baton.Unauthenticated:
		// The reason is for the operator. The client learns none.
		s.log.WarnContext(r.Context(), "token refused", "client", clientID, "reason", err)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	default:
		s.log.ErrorContext(r.Context(), "no token could be issued", "client", clientID, "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"})
	}
}

// issueToken returns a new token for the client. The error is Unauthenticated if the
// client does not prove who it is.
func (s *Server) issueToken(ctx context.Context, clientID, kind, text string) (baton.Secret, error) {
	fail := func(err error) (baton.Secret, error) {
		return baton.Secret{}, baton.Errorf(baton.Unauthenticated, "%w", err)
	}
	if kind != assertionType {
		return fail(fmt.Errorf("client_assertion_type is %q, want %q", kind, assertionType))
	}
	credential, err := s.config.Store.Credential(ctx, clientID)
	if baton.KindOf(err) == baton.NotFound {
		return fail(errors.New("no credential has this client id"))
	}
	if err != nil {
		return baton.Secret{}, err
	}
	a, err := ParseAssertion(text)
	if err != nil {
		return fail(err)
	}
	now := s.config.Now()
	if err := a.Check(clientID, credential.PublicKey, s.config.Hosts, now); err != nil {
		return fail(err)
	}
	token := baton.NewSecret(rand.Text())
	err = s.config.Store.AddToken(ctx, now, Token{Hash: sha256.Sum256([]byte(token.Reveal())), ClientID: clientID,
		Expires: now.Add(s.config.TokenLifetime), Assertion: a.ID, AssertionExpires: a.RememberUntil()})
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
