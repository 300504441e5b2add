package service

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"baton"
)

const (
	tokenPath         = "/auth/v1/token"
	tokenTimeout      = 30 * time.Second
	assertionLifetime = 2 * time.Minute // in both directions, for clocks that differ
	defaultLifetime   = time.Minute     // of a token without a lifetime
)

// errRefused marks a definite refusal by the token endpoint.
var errRefused = errors.New("the client id or secret was not accepted")

// tokens keeps one access token and replaces it before it expires.
type tokens struct {
	creds     credential
	host      string // host:port
	audience  string // host without the port
	userAgent string
	client    *http.Client
	onChange  func(err error) // called after every request for a token

	lock    chan struct{} // held while the fields below are used, also during a request
	header  string        // "Bearer …", empty for none
	refresh time.Time     // when to request a new one
	expires time.Time     // when it becomes invalid
	worked  bool          // C1 has answered before
}

func newTokens(creds credential, host, userAgent string, transport http.RoundTripper, onChange func(error)) *tokens {
	audience := host
	if name, _, err := net.SplitHostPort(host); err == nil {
		audience = name
	}
	return &tokens{creds: creds, host: host, audience: audience, userAgent: userAgent, onChange: onChange, lock: make(chan struct{}, 1),
		client: &http.Client{Transport: transport, Timeout: tokenTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // an assertion is not sent to another host
		}}}
}

// get returns the authorization header of a call. While C1 cannot be reached, it returns
// the old token as long as that is valid.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.lock <- struct{}{}:
		defer func() { <-t.lock }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	now := time.Now()
	if t.header != "" && now.Before(t.refresh) {
		return t.header, nil
	}
	err := t.fetch(ctx)
	if ctx.Err() == nil {
		t.onChange(err)
	}
	switch {
	case err == nil:
		return t.header, nil
	case t.header != "" && time.Now().Before(t.expires) && !errors.Is(err, errRefused):
		t.refresh = now.Add(min(10*time.Second, t.expires.Sub(now)))
		return t.header, nil
	}
	t.header = ""
	return "", fmt.Errorf("get a token from https://%s: %w", t.host, err)
}

// drop removes a rejected token, unless it has been replaced.
func (t *tokens) drop(header string) {
	t.lock <- struct{}{}
	defer func() { <-t.lock }()
	if t.header == header {
		t.header = ""
	}
}

// fetch requests a token once.
func (t *tokens) fetch(ctx context.Context) error {
	requested := time.Now()
	assertion, err := t.assertion(requested)
	if err != nil {
		return err
	}
	form := url.Values{
		"client_id":             {t.creds.clientID},
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+t.host+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return baton.Errorf(baton.Invalid, "%w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", t.userAgent)
	resp, err := t.client.Do(req)
	if err != nil {
		return t.unreachable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return baton.Errorf(baton.Unavailable, "read the answer: %w", err)
	}
	t.worked = true
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" || strings.ContainsFunc(answer.AccessToken, unprintable) {
		return baton.Errorf(baton.Unavailable, "the answer has no token")
	}
	lifetime := time.Duration(answer.ExpiresIn) * time.Second
	if lifetime <= 0 {
		lifetime = defaultLifetime
	}
	t.header = scheme(answer.TokenType) + " " + answer.AccessToken
	t.expires = requested.Add(lifetime)
	t.refresh = t.expires.Add(-min(time.Minute, lifetime/5))
	return nil
}

// scheme returns the token type in the form of a header.
func scheme(tokenType string) string {
	if tokenType == "" || strings.EqualFold(tokenType, "bearer") || strings.ContainsFunc(tokenType, unprintable) {
		return "Bearer"
	}
	return tokenType
}

// assertion returns the signed assertion of a token request: a JWS in compact form.
func (t *tokens) assertion(now time.Time) (string, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	header, err := json.Marshal(struct {
		Alg   string `json:"alg"`
		Kid   string `json:"kid,omitempty"`
		Nonce string `json:"nonce"`
	}{"EdDSA", t.creds.keyID, hex.EncodeToString(nonce)})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(struct {
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		Audience  string `json:"aud"`
		Expires   int64  `json:"exp"`
		NotBefore int64  `json:"nbf"`
		IssuedAt  int64  `json:"iat"`
	}{t.creds.clientID, t.creds.clientID, t.audience, now.Add(assertionLifetime).Unix(), now.Add(-assertionLifetime).Unix(), now.Unix()})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode(header) + "." + encode(claims)
	return signed + "." + encode(ed25519.Sign(t.creds.key, []byte(signed))), nil
}

// unreachable classifies a failed connection to C1. A certificate that is not trusted is a
// problem of the configuration; everything else is temporary.
func (t *tokens) unreachable(err error) error {
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) && !t.worked {
		return baton.Errorf(baton.Invalid, "%w", err).
			WithFix("check the host in the client id; if a proxy on the way uses a private certificate authority, pass its PEM file with --ca-file")
	}
	return baton.Errorf(baton.Unavailable, "%w", err)
}

// refusal classifies a response other than 200.
func refusal(status int) error {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch {
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return baton.Errorf(baton.Unavailable, "%s", text)
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return baton.Errorf(baton.Unauthenticated, "%w (%s)", errRefused, text).
			WithFix("check client-id and client-secret, and whether the credential was revoked in ConductorOne; check this machine's clock")
	}
	return baton.Errorf(baton.Invalid, "%w: %s, which ConductorOne does not send", errRefused, text).
		WithFix("check the host in the client id")
}
