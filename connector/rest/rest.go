// Package rest talks HTTP to one upstream: one pinned origin, one credential,
// bounded bodies, retries that respect what the upstream asks for, and errors
// that are classified, short and free of secrets.
//
// # What is retried
//
//	answer                            safe requests      others
//	transient network failure         yes                only if surely not sent
//	body that breaks off              yes                no
//	429, throttling sent as a 400      yes                yes: refused unprocessed
//	503 with Retry-After              yes                yes: refused unprocessed
//	408, 425, 5xx but 501, 505, 506,  yes                no
//	508, 510 and 511
//	anything else                     no                 no
//
// An answer that takes too long, or a 504 or 524, is not waited for again where the caller can ask for less.
//
// A wait is the time that the upstream requests plus a little jitter, or else exponential
// backoff with full jitter. A wait that would pass Config.RetryFor or the
// deadline of the context is not begun: the request fails at once.
//
// # What never happens
//
// Redirects are not followed, since that would carry the credential elsewhere; one to the
// same address with or without a slash at the end is answered by asking there. Nothing but https is spoken except to loopback; there are no cookies and no
// cache. The connection is HTTP/1.1: the traffic is a handful of sequential
// requests, and one stalled HTTP/2 connection behind a proxy would stall all.
package rest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"baton"
)

const (
	defaultTimeout   = 300 * time.Second
	defaultRetryFor  = 5 * time.Minute
	firstContact     = 15 * time.Second // as long, if the upstream has never answered
	defaultMaxBody   = 64 << 20
	defaultUserAgent = "baton"
)

// Config configures a Client. Only BaseURL is required.
type Config struct {
	// BaseURL is the https URL that request paths are appended to. http is allowed to localhost and loopback
	// addresses. Its query is sent with every request.
	BaseURL string
	// ReservedQuery lists the query parameters that requests set and BaseURL must not have.
	ReservedQuery []string
	Token         baton.Secret // bearer token; none is sent when zero
	// BaseURLName and TokenName are the settings that the errors of New name.
	BaseURLName, TokenName string

	UserAgent string
	Timeout   time.Duration // one attempt with its body, or until a Stream begins; 0 means 300 s
	CAFile    string        // PEM file of authorities to trust in addition to the system's
	// RetryFor limits how long after its first failure a request is retried. 0 means 5 minutes; a negative
	// value disables retries. It is at most 15 seconds until BaseURL has answered once.
	RetryFor time.Duration
	MaxBody  int64 // bytes of one decompressed body; 0 means 64 MiB
	// Transport replaces the package's own transport with its TLS, proxy and timeout rules.
	Transport http.RoundTripper
	Log       *slog.Logger  // waits and retries, at debug; nil for none
	Observe   func(Attempt) // called after every attempt, from the requesting goroutine
	// Allow is called with every network address; see [Options].
	Allow func(netip.Addr) error
}

// Attempt is one HTTP exchange, for logs and metrics. It holds no secret.
type Attempt struct {
	Method string
	Path   string        // below BaseURL, without the query
	Status int           // 0 if there was no response
	Err    error         // nil if the exchange succeeded
	Took   time.Duration // until the last byte of the body, or the first of a Stream
	Wait   time.Duration // until the next attempt, 0 if there is none
}

// Client sends requests to one upstream. It is safe for concurrent use.
type Client struct {
	base      *url.URL
	token     baton.Secret
	userAgent string
	timeout   time.Duration
	retryFor  time.Duration
	maxBody   int64
	proxy     string
	transport http.RoundTripper // not an http.Client: that would follow redirects
	redact    *strings.Replacer
	log       *slog.Logger
	observe   func(Attempt)
	answered  atomic.Bool // the upstream has answered at least once
	slashes   slashes
}

// New checks the configuration and returns a client. It sends nothing. The error is Invalid if the URL,
// token, proxy or CA file cannot be used.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL, cfg.BaseURLName, cfg.ReservedQuery)
	if err != nil {
		return nil, err
	}
	if problem := tokenProblem(cfg.Token.Reveal()); problem != "" {
		return nil, baton.Errorf(baton.Invalid, "%s%s", prefix(cfg.TokenName), problem).
			WithFix("copy the token again, on its own: without quotes, blanks and the word Bearer")
	}
	c := &Client{
		base:      base,
		token:     cfg.Token,
		userAgent: cmp.Or(cfg.UserAgent, defaultUserAgent),
		timeout:   cmp.Or(cfg.Timeout, defaultTimeout),
		retryFor:  cmp.Or(cfg.RetryFor, defaultRetryFor),
		maxBody:   cmp.Or(cfg.MaxBody, defaultMaxBody),
		transport: cfg.Transport,
		redact:    redactor(cfg.Token, base.Query()),
		log:       cfg.Log,
		observe:   cfg.Observe,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.transport == nil {
		if c.transport, c.proxy, err = newTransport(base, cfg.CAFile, c.timeout, cfg.Allow); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Origin returns the upstream's address, scheme://host[:port]/path, without secrets
// and without a trailing slash.
func (c *Client) Origin() string {
	origin := *c.base
	origin.RawQuery = ""
	return origin.String()
}

// Scope distinguishes upstreams whose base URLs differ only in the query. It is "#" and a hash of the query,
// which may hold a secret, or "" without a query.
func (c *Client) Scope() string {
	if c.base.RawQuery == "" {
		return ""
	}
	h := fnv.New64a()
	h.Write([]byte(c.base.RawQuery))
	return fmt.Sprintf("#%x", h.Sum64())
}

// Proxy returns the address of the proxy without its credentials, or "" if there is none.
func (c *Client) Proxy() string { return c.proxy }

// RetryPolicy says after which failures a request may be repeated.
type RetryPolicy int

// The retry policies; the package comment has the table.
const (
	RetryDefault RetryPolicy = iota // RetrySafe for GET, RetryNever for other methods
	RetrySafe                       // the request is idempotent
	RetryNever                      // repeat only if the upstream has certainly not acted on it
)

// Request is one request below the base URL.
type Request struct {
	Method  string // empty means GET
	Path    string // begins with a slash, segments escaped; see Join
	Query   url.Values
	Header  http.Header // Accept and Content-Type default to application/json
	Body    []byte
	Retry   RetryPolicy
	NoCache bool // bypass caches
	// CanShrink says that the caller can request less. If the response times out, the request fails with
	// ErrSlow at once and is not retried.
	CanShrink bool
}

func (r Request) safe() bool {
	return r.Retry == RetrySafe || r.Retry == RetryDefault && r.Method == http.MethodGet
}

// Response is a response with a 2xx status. The body of a GET is JSON or empty; other bodies are anything but
// a web page. A byte order mark is removed.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}
