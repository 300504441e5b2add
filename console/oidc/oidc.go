// Package oidc signs people in with OpenID Connect providers, with the authorization code flow and
// PKCE. It returns the identity at the provider; package govern maps it to a person.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"baton"
	"baton/connector/rest"
)

// Provider is the configuration of a provider.
type Provider struct {
	Label       string // name in errors
	Issuer      string
	ClientID    string
	Secret      baton.Secret // client secret; zero for a public client
	Scopes      []string     // in addition to openid
	GroupsClaim string       // "": groups are ignored
	Redirect    string       // redirect URI
}

// Request ties a provider's answer to the browser that asked.
type Request struct {
	State    string
	Nonce    string
	Verifier string // of the code challenge (PKCE)
	// Fresh makes the provider authenticate the person again.
	Fresh bool
}

// NewRequest returns a request with new random values.
func NewRequest(fresh bool) Request {
	return Request{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Fresh: fresh}
}

// Identity is an authenticated identity at a provider.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
	Name            string
	// Groups are the groups at the provider. They are only valid if GroupsKnown: otherwise the
	// provider did not send them.
	Groups      []string
	GroupsKnown bool
	// Proved is when the person authenticated at the provider; zero if unknown.
	Proved time.Time
}

const (
	// timeout limits each call to a provider.
	timeout = 10 * time.Second
	// maxAnswer limits the answer of a provider, in bytes.
	maxAnswer = 1 << 20
	// skew is the accepted difference between the clocks of provider and console.
	skew = time.Minute
	// keep is how long the discovery document of a provider is cached.
	keep = time.Hour
	// pause is how long a failed discovery is cached: everybody who waits gets the same error.
	pause = 5 * time.Second
	// maxSubject limits identifiers of people (OpenID Connect Core, section 2), in bytes.
	maxSubject = 255
)

// Client talks to providers. It is safe for concurrent use.
type Client struct {
	http *http.Client
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	known map[string]*discovered // by issuer
}

// document holds what a provider says about itself. It does not change.
type document struct {
	provider *oidc.Provider
	style    oauth2.AuthStyle
	named    bool // it sends its issuer in its answers (RFC 9207)
	asked    time.Time
}

// discovered caches a provider's discovery document. Its lock is held during the request for it.
type discovered struct {
	sync.Mutex
	document *document // nil: there is none yet
	failed   error     // error of the last attempt
	again    time.Time // time of the next attempt
}

// New returns a client. allow is called with each network address before a connection. log receives
// details that people who sign in must not see; nil: none.
func New(allow func(netip.Addr) error, now func() time.Time, log *slog.Logger) *Client {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{DialContext: rest.Dialer(allow).DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: timeout,
		ResponseHeaderTimeout: timeout, MaxResponseHeaderBytes: maxAnswer, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second}
	return &Client{now: now, log: log, known: map[string]*discovered{}, http: &http.Client{Transport: limited{transport}, Timeout: timeout,
		// A redirect would send the client secret to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// limited cuts answers that are too long, because the libraries read them completely.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// discover returns what a provider says about itself. A document that is older than maxAge is requested again.
func (c *Client) discover(ctx context.Context, p Provider, maxAge time.Duration) (*document, error) {
	c.mu.Lock()
	d := c.known[p.Issuer]
	if d == nil {
		d = &discovered{}
		c.known[p.Issuer] = d
	}
	c.mu.Unlock()
	d.Lock()
	defer d.Unlock()
	if d.document != nil && c.now().Before(d.document.asked.Add(maxAge)) {
		return d.document, nil
	}
	if d.failed != nil && c.now().Before(d.again) {
		return nil, d.failed
	}
	next, err := c.ask(ctx, p)
	if d.failed, d.again = err, c.now().Add(pause); ctx.Err() != nil {
		d.failed = nil // an error of the caller's context says nothing about the provider
	}
	if err != nil {
		return nil, err
	}
	d.document = next
	return next, nil
}

// ask requests the discovery document of a provider.
func (c *Client) ask(ctx context.Context, p Provider) (*document, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, c.http), p.Issuer)
	if err != nil {
		return nil, c.unavailable(ctx, p, "discovery", err)
	}
	var more struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Named   bool     `json:"authorization_response_iss_parameter_supported"`
		Auth    string   `json:"authorization_endpoint"`
		Token   string   `json:"token_endpoint"`
		Keys    string   `json:"jwks_uri"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, c.unavailable(ctx, p, "discovery", err)
	}
	for _, address := range []string{more.Auth, more.Token, more.Keys} {
		if err := CheckAddress(address); err != nil {
			return nil, c.unavailable(ctx, p, "discovery", err)
		}
	}
	d := &document{provider: provider, named: more.Named, asked: c.now(), style: oauth2.AuthStyleInHeader}
	if slices.Contains(more.Methods, "client_secret_post") {
		d.style = oauth2.AuthStyleInParams // this style is not affected by differences in escaping
	}
	return d, nil
}

func (d *document) config(p Provider) *oauth2.Config {
	endpoint := d.provider.Endpoint()
	endpoint.AuthStyle = d.style
	if p.Secret.IsZero() {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.Secret.Reveal(), Endpoint: endpoint, RedirectURL: p.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...)}
}

// AuthURL returns the authorization URL to which the browser is redirected.
func (c *Client) AuthURL(ctx context.Context, p Provider, r Request) (string, error) {
	d, err := c.discover(ctx, p, keep)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(r.Nonce), oauth2.S256ChallengeOption(r.Verifier)}
	if r.Fresh {
		options = append(options, oauth2.SetAuthURLParam("max_age", "0"), oauth2.SetAuthURLParam("prompt", "login"))
	}
	return d.config(p).AuthCodeURL(r.State, options...), nil
}

// Answer holds the parameters of the provider's redirect.
type Answer struct {
	Code   string
	Issuer string // "" if it is missing
}

// Exchange returns the identity that signed in. The error is Unauthenticated if the provider's
// answer proves none, and Unavailable if the provider does not answer.
func (c *Client) Exchange(ctx context.Context, p Provider, r Request, a Answer) (Identity, error) {
	d, err := c.discover(ctx, p, keep)
	if err != nil {
		return Identity{}, err
	}
	if a.Issuer != p.Issuer && (a.Issuer != "" || d.named) {
		return Identity{}, c.refused(ctx, p, "the answer came from another provider", errors.New(a.Issuer))
	}
	ctx = oidc.ClientContext(ctx, c.http)
	config := d.config(p)
	token, err := config.Exchange(ctx, a.Code, oauth2.VerifierOption(r.Verifier))
	if err != nil {
		var refusal *oauth2.RetrieveError
		if errors.As(err, &refusal) && refusal.Response.StatusCode < 500 {
			return Identity{}, c.refused(ctx, p, "it does not accept the code that it gave, or the client secret", err)
		}
		return Identity{}, c.unavailable(ctx, p, "token", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok || raw == "" {
		return Identity{}, c.refused(ctx, p, "it sent no ID token", nil)
	}
	claims, id, err := c.verify(ctx, d, p, r, raw)
	if err != nil {
		return Identity{}, err
	}
	if needsMore(id, claims, p) && d.provider.UserInfoEndpoint() != "" {
		more, err := d.provider.UserInfo(ctx, config.TokenSource(ctx, token))
		if err != nil {
			err = c.unavailable(ctx, p, "user info", err)
			if ctx.Err() != nil || id.Email == "" {
				return Identity{}, err
			}
			// The signed token says who it is. What else there is stays unknown.
			if claims[p.GroupsClaim] == nil {
				id.Groups, id.GroupsKnown = nil, false
			}
			return id, nil
		}
		// A different subject would be a different person (OpenID Connect Core, section 5.3.2).
		if more.Subject != id.Subject {
			return Identity{}, c.refused(ctx, p, "its user info is about somebody else", nil)
		}
		extra := map[string]json.RawMessage{}
		if err := more.Claims(&extra); err != nil {
			return Identity{}, c.refused(ctx, p, "its user info cannot be read", err)
		}
		// Claims of the signed token take precedence. The e-mail address and its verification must
		// come from the same source.
		if _, ok := claims["email"]; ok {
			delete(extra, "email")
			delete(extra, "email_verified")
		}
		for name, value := range claims {
			extra[name] = value
		}
		claims = extra
		id = identity(id, claims, p)
	}
	return id, nil
}

// needsMore reports whether a necessary claim is missing from the ID token.
func needsMore(id Identity, claims map[string]json.RawMessage, p Provider) bool {
	if p.GroupsClaim != "" && claims[p.GroupsClaim] == nil && !overage(claims, p.GroupsClaim) {
		return true
	}
	return claims["email"] == nil || id.Name == ""
}

// verify verifies an ID token and returns its claims.
func (c *Client) verify(ctx context.Context, d *document, p Provider, r Request, raw string) (map[string]json.RawMessage, Identity, error) {
	// Times are checked below, all with the same tolerance.
	config := &oidc.Config{ClientID: p.ClientID, SkipExpiryCheck: true}
	token, err := d.provider.Verifier(config).Verify(ctx, raw)
	if err != nil {
		// The provider may sign with another algorithm since then, or have moved its keys.
		if next, e := c.discover(ctx, p, pause); e == nil && next != d {
			token, err = next.provider.Verifier(config).Verify(ctx, raw)
		}
	}
	if err != nil {
		return nil, Identity{}, c.refused(ctx, p, "its ID token is not valid", err)
	}
	claims := map[string]json.RawMessage{}
	if err := token.Claims(&claims); err != nil {
		return nil, Identity{}, c.refused(ctx, p, "its ID token cannot be read", err)
	}
	now := c.now()
	party, _ := text(claims["azp"])
	notBefore, _ := seconds(claims["nbf"])
	switch {
	case token.Issuer != p.Issuer:
		err = errors.New("another issuer")
	case token.Subject == "" || len(token.Subject) > maxSubject:
		err = errors.New("no subject, or one that is too long")
	case len(token.Audience) > 1 && party == "" || party != "" && party != p.ClientID:
		err = errors.New("another authorized party")
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(r.Nonce)) != 1:
		err = errors.New("another nonce")
	case !now.Before(token.Expiry.Add(skew)):
		err = errors.New("expired")
	case token.IssuedAt.After(now.Add(skew)) || notBefore.After(now.Add(skew)):
		err = errors.New("from the future")
	}
	if err != nil {
		return nil, Identity{}, c.refused(ctx, p, "its ID token is not valid", err)
	}
	id := Identity{Issuer: token.Issuer, Subject: token.Subject}
	if proved, ok := seconds(claims["auth_time"]); ok && !proved.After(now.Add(skew)) {
		id.Proved = proved
		if proved.After(now) {
			id.Proved = now
		}
	}
	return claims, identity(id, claims, p), nil
}

// identity returns an identity with what the claims say about the person.
func identity(id Identity, claims map[string]json.RawMessage, p Provider) Identity {
	id.Email, _ = text(claims["email"])
	id.EmailVerified = id.Email != "" && isTrue(claims["email_verified"])
	for _, name := range []string{"name", "preferred_username"} {
		if v, _ := text(claims[name]); v != "" && id.Name == "" {
			id.Name = v
		}
	}
	id.Groups, id.GroupsKnown = nil, false
	if p.GroupsClaim != "" && !overage(claims, p.GroupsClaim) {
		id.Groups, id.GroupsKnown = groups(claims[p.GroupsClaim])
	}
	return id
}

// groups decodes a claim that is a list of strings or a string. Providers omit it for people without
// groups. Any other form means unknown.
func groups(raw json.RawMessage) ([]string, bool) {
	if raw == nil || string(raw) == "null" {
		return nil, true
	}
	if one, ok := text(raw); ok {
		return []string{one}, true
	}
	var list []string
	return list, json.Unmarshal(raw, &list) == nil
}

// overage reports whether a claim was too long for the token and must be fetched elsewhere (OpenID
// Connect Core, section 5.6.2).
func overage(claims map[string]json.RawMessage, claim string) bool {
	var names map[string]json.RawMessage
	_ = json.Unmarshal(claims["_claim_names"], &names) // nil if it has another form
	_, elsewhere := names[claim]
	return elsewhere || claim == "groups" && isTrue(claims["hasgroups"])
}

// text returns a claim that is a text.
func text(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// isTrue decodes a claim that is true, or "true" as some providers write it.
func isTrue(raw json.RawMessage) bool {
	s, _ := text(raw)
	return string(raw) == "true" || s == "true"
}

// seconds reads a claim that is a time.
func seconds(raw json.RawMessage) (time.Time, bool) {
	var n float64
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil || n <= 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0), true
}

// CheckAddress returns an error unless an address uses https or is on this machine.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return baton.Errorf(baton.Invalid, "%q is no address", address).WithFix("Write it as https://login.example.com.")
	}
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return baton.Errorf(baton.Invalid, "%q is not reached over https", address).WithFix("Name a provider that is.")
	}
	return nil
}

// unavailable returns the error for a provider that does not answer.
func (c *Client) unavailable(ctx context.Context, p Provider, step string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.log.WarnContext(ctx, "a provider of logins cannot be asked", "provider", p.Label, "issuer", p.Issuer, "step", step, "error", err)
	var another *oidc.IssuerMismatchError
	if errors.As(err, &another) {
		return baton.Errorf(baton.Unavailable, "%s calls itself %q and not %q", p.Label, another.Discovered, p.Issuer).
			WithFix("Sign in with a password. A Super Administrator corrects the issuer under Admin > Sign-in.")
	}
	if baton.KindOf(err) == baton.PermissionDenied {
		return baton.Errorf(baton.Unavailable, "the console may not connect to %s: its address is in a private network", p.Label).
			WithFix("Sign in with a password. The operator of the console allows the network with --allow-network.")
	}
	return baton.Errorf(baton.Unavailable, "%s does not answer as it should", p.Label).
		WithFix("Sign in with a password, or try again later. The log of the console has more.")
}

// refused returns the error for an answer that proves no identity.
func (c *Client) refused(ctx context.Context, p Provider, why string, err error) error {
	c.log.WarnContext(ctx, "a login with a provider was refused", "provider", p.Label, "issuer", p.Issuer, "why", why, "error", err)
	return baton.Errorf(baton.Unauthenticated, "the login with %s failed: %s", p.Label, why).WithFix("Try again. The log of the console has more.")
}
