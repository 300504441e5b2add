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
	tokenPath     = "/auth/v1/token"
	tokenTimeout  = 30 * time.Second
	assertionLife = 2 * time.Minute // each way, for clocks that differ
	defaultLife   = time.Minute     // of a token that does not say
)

// errRefused marks the token endpoint's definite no.
var errRefused = errors.New("the client id or secret was not accepted")

// tokens keeps one access token and gets the next one ahead of its end.
type tokens struct {
	creds     credential
	host      string // host:port
	audience  string // host without the port
	userAgent string
	client    *http.Client
	onChange  func(err error) // hears of every attempt to get a token

	lock    chan struct{} // held while the fields below are used, also by who waits for C1
	header  string        // "Bearer …", empty for none
	refresh time.Time     // from here on a new one is wanted
	expires time.Time     // from here on the old one is worth nothing
	worked  bool          // C1 has answered before
}

func newTokens(creds credential, host, userAgent string, transport http.RoundTripper, onChange func(error)) *tokens {
	audience := host
	if name, _, err := net.SplitHostPort(host); err == nil {
		audience = name
	}
	return &tokens{creds: creds, host: host, audience: audience, userAgent: userAgent, onChange: onChange, lock: make(chan struct{}, 1),
		client: &http.Client{Transport: transport, Timeout: tokenTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // an assertion goes to nobody else
		}}}
}

// get is the authorization header of a call. While C1 cannot be reached, a token
// that still has time left goes on being used.
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

// drop forgets a token that was rejected, unless there is a newer one already.
func (t *tokens) drop(header string) {
	t.lock <- struct{}{}
	defer func() { <-t.lock }()
	if t.header == header {
		t.header = ""
	}
}

// fetch asks for a token once.
func (t *tokens) fetch(ctx context.Context) error {
	asked := time.Now()
	assertion, err := t.assertion(asked)
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
		return baton.Errorf(baton.Unavailable, "the answer holds no token")
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	if life <= 0 {
		life = defaultLife
	}
	t.header = scheme(answer.TokenType) + " " + answer.AccessToken
	t.expires = asked.Add(life)
	t.refresh = t.expires.Add(-min(time.Minute, life/5))
	return nil
}

// scheme is the token type as a header has it.
func scheme(tokenType string) string {
	if tokenType == "" || strings.EqualFold(tokenType, "bearer") || strings.ContainsFunc(tokenType, unprintable) {
		return "Bearer"
	}
	return tokenType
}

// assertion proves who asks: a JWS in compact form, signed with the secret's key.
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
	}{t.creds.clientID, t.creds.clientID, t.audience, now.Add(assertionLife).Unix(), now.Add(-assertionLife).Unix(), now.Unix()})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode(header) + "." + encode(claims)
	return signed + "." + encode(ed25519.Sign(t.creds.key, []byte(signed))), nil
}

// unreachable classifies an error of the way to C1. A certificate that was never
// good is a matter of configuration, anything else is weather.
func (t *tokens) unreachable(err error) error {
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) && !t.worked {
		return baton.Errorf(baton.Invalid, "%w", err).
			WithFix("check the host in the client id; if a proxy on the way uses a private certificate authority, pass its PEM file with --ca-file")
	}
	return baton.Errorf(baton.Unavailable, "%w", err)
}

// refusal classifies an answer other than 200.
func refusal(status int) error {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch {
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return baton.Errorf(baton.Unavailable, "%s", text)
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return baton.Errorf(baton.Unauthenticated, "%w (%s)", errRefused, text).
			WithFix("check client-id and client-secret, and whether the credential was revoked in ConductorOne; check this machine's clock")
	}
	return baton.Errorf(baton.Invalid, "%w: %s, which is no answer of ConductorOne's", errRefused, text).
		WithFix("check the host in the client id")
}
