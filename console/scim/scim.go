// Package scim serves inbound SCIM 2.0 (RFC 7643 and RFC 7644): an identity provider pushes users and groups,
// and so becomes a directory. The package translates; package govern decides and stores.
package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/telemetry"
	"baton/internal/scim"
)

// Config configures the server. Console and URL are required.
type Config struct {
	Console *govern.Console
	URL     *url.URL     // of the console, for the locations of resources
	Log     *slog.Logger // nil: none
}

// Prefix is the path under which everything is served, and Base the address without it.
const (
	Base   = "/scim/v2"
	Prefix = Base + "/"
)

// The limits of one request and of all.
const (
	maxBody      = 1 << 20          // bytes
	maxRunning   = 16               // requests that are answered at the same time
	maxWait      = 5 * time.Second  // for a place among them
	maxDuration  = 60 * time.Second // of the connection of one request
	maxPerSecond = 100              // requests of one identity provider, on average
	maxBurst     = 200
)

// server answers requests.
type server struct {
	Config
	base    string
	running chan struct{}
	rates   rates
}

// route is one call.
type route struct {
	pattern string
	serve   func(*call) error
}

// routes lists all calls.
var routes = []route{
	{"GET /Users", listUsers},
	{"POST /Users", createUser},
	{"GET /Users/{id}", getUser},
	{"PUT /Users/{id}", replaceUser},
	{"PATCH /Users/{id}", patchUser},
	{"DELETE /Users/{id}", deleteUser},
	{"GET /Groups", listGroups},
	{"POST /Groups", createGroup},
	{"GET /Groups/{id}", getGroup},
	{"PUT /Groups/{id}", replaceGroup},
	{"PATCH /Groups/{id}", patchGroup},
	{"DELETE /Groups/{id}", deleteGroup},
	{"GET /ServiceProviderConfig", providerConfig},
	{"GET /ResourceTypes", resourceTypes},
	{"GET /ResourceTypes/{id}", resourceTypes},
	{"GET /Schemas", schemas},
	{"GET /Schemas/{id}", schemas},
	{"/Bulk", notOffered},
	{"/Me", notOffered},
	{"/{$}", notFound},
	{"/", notFound},
}

// New returns a handler of all calls under [Prefix].
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: c, base: strings.TrimSuffix(c.URL.String(), "/") + Base, running: make(chan struct{}, maxRunning)}
	s.rates.now = c.Console.Now
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range routes {
		method, path, both := strings.Cut(r.pattern, " ")
		if !both {
			mux.HandleFunc(r.pattern, s.handle(r))
			continue
		}
		mux.HandleFunc(method+" "+path, s.handle(r))
		methods[path] = append(methods[path], method)
	}
	for path, allowed := range methods {
		mux.HandleFunc(path, s.handle(route{path, func(c *call) error { return notAllowed(c, allowed) }}))
	}
	return http.StripPrefix(Base, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Some clients write /Users/, and some a base URL with a slash and /Users, which makes //Users.
		// The multiplexer would redirect them, and clients do not repeat a POST.
		u := *r.URL
		raw := "/" + strings.Join(strings.FieldsFunc(u.EscapedPath(), func(r rune) bool { return r == '/' }), "/")
		if path, err := url.PathUnescape(raw); err == nil {
			u.Path, u.RawPath = path, raw
		}
		r.URL = &u
		mux.ServeHTTP(w, r)
	}))
}

// call is one request.
type call struct {
	*server
	w      http.ResponseWriter
	r      *http.Request
	pusher govern.Pusher
	fields scim.Fields
	route  string
	id     string // of the call
	sent   bool   // the response began
}

func (c *call) ctx() context.Context { return c.r.Context() }

// object returns the id in the path.
func (c *call) object() console.ID { return console.ID(c.r.PathValue("id")) }

func (s *server) handle(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		c := &call{server: s, w: w, r: request, route: r.pattern, id: telemetry.Begin(request, r.pattern)}
		h := w.Header()
		h.Set("X-Request-Id", c.id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if p := recover(); p == http.ErrAbortHandler {
				panic(p)
			} else if p != nil {
				s.Log.ErrorContext(c.ctx(), "a call panicked", "request", c.id, "route", c.route, "panic", p)
				c.fail(baton.Errorf(baton.Internal, "this call has a defect"))
			}
		}()
		// A sender that stops half-way must not keep one of the places.
		control := http.NewResponseController(w)
		deadline := time.Now().Add(maxDuration)
		if err := errors.Join(control.SetReadDeadline(deadline), control.SetWriteDeadline(deadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			c.fail(baton.Errorf(baton.Internal, "set a deadline: %w", err))
			return
		}
		defer control.SetWriteDeadline(time.Time{}) // a proxy uses the connection for other requests, too
		if err := c.serve(r); err != nil {
			c.fail(err)
		}
	}
}

func (c *call) serve(r route) (err error) {
	kind, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(kind, "Bearer") || token == "" {
		return baton.Errorf(baton.Unauthenticated, "the request has no bearer token")
	}
	address, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		address = c.r.RemoteAddr
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer func() { <-c.running }()
	if c.pusher, err = c.Console.AuthenticatePusher(c.ctx(), baton.NewSecret(token), c.id, address); err != nil {
		return err
	}
	if !c.rates.allow(c.pusher.Source.ID) {
		return baton.Errorf(baton.RateLimited, "more than %d requests a second", maxPerSecond)
	}
	query := c.r.URL.Query()
	if fields, err := scim.ParseFields(query.Get("attributes"), query.Get("excludedAttributes")); err != nil {
		return err
	} else {
		c.fields = fields
	}
	return r.serve(c)
}

// enter waits for a place among the requests that are answered at the same time.
func (c *call) enter() error {
	wait := time.NewTimer(maxWait)
	defer wait.Stop()
	select {
	case c.running <- struct{}{}:
		return nil
	case <-wait.C:
		return baton.Errorf(baton.RateLimited, "the console answers %d requests already", maxRunning)
	case <-c.ctx().Done():
		return baton.Errorf(baton.Canceled, "the request ended early")
	}
}

// body reads the body as a JSON object.
func (c *call) body() (scim.Object, error) {
	media, _, _ := strings.Cut(strings.ToLower(c.r.Header.Get("Content-Type")), ";")
	if media = strings.TrimSpace(media); media != "" && media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil, &httpError{status: http.StatusUnsupportedMediaType, detail: fmt.Sprintf("the body is %.64q; send %s", media, contentType)}
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return nil, &httpError{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the body is larger than %d bytes; send members in several requests", maxBody)}
		}
		return nil, baton.Errorf(baton.Canceled, "the request ended early")
	}
	if !utf8.Valid(b) {
		return nil, syntax("the body is not in UTF-8")
	}
	v, err := scim.Parse(b)
	if err != nil {
		return nil, syntax("the body is not JSON: %v", err)
	}
	o, ok := v.(scim.Object)
	if !ok {
		return nil, syntax("the body is not a JSON object")
	}
	return o, nil
}

const contentType = "application/scim+json"

// httpError is an error with a status of its own.
type httpError struct {
	status   int
	scimType string
	detail   string
}

func (e *httpError) Error() string { return e.detail }

func syntax(format string, args ...any) error {
	return &scim.Error{Type: "invalidSyntax", Detail: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &scim.Error{Type: "invalidValue", Detail: fmt.Sprintf(format, args...)}
}

// errorURN is the schema of errors (RFC 7644 section 3.12).
const errorURN = "urn:ietf:params:scim:api:messages:2.0:Error"

// statuses are the HTTP statuses of kinds of errors.
var statuses = map[baton.Kind]int{
	baton.Invalid:          http.StatusBadRequest,
	baton.Unauthenticated:  http.StatusUnauthorized,
	baton.PermissionDenied: http.StatusForbidden,
	baton.NotFound:         http.StatusNotFound,
	baton.AlreadyExists:    http.StatusConflict,
	baton.Refused:          http.StatusConflict,
	baton.Unsupported:      http.StatusNotImplemented,
	baton.RateLimited:      http.StatusTooManyRequests,
	baton.Unavailable:      http.StatusServiceUnavailable,
	baton.Storage:          http.StatusServiceUnavailable,
	baton.DeadlineExceeded: http.StatusServiceUnavailable,
	baton.Canceled:         499, // the client closed the request
}

// fail responds with an error. The identity provider's page shows the last one, except look-ups of what
// does not exist, which are part of every push.
func (c *call) fail(err error) {
	status, scimType, detail := http.StatusInternalServerError, "", sentence(err.Error())
	own, protocol := (*httpError)(nil), (*scim.Error)(nil)
	kind := baton.KindOf(err)
	switch {
	case errors.As(err, &own):
		status, scimType = own.status, own.scimType
	case errors.As(err, &protocol):
		status, scimType = http.StatusBadRequest, protocol.Type
	default:
		if known, ok := statuses[kind]; ok {
			status = known
		}
		switch kind {
		case baton.Invalid:
			scimType = "invalidValue"
		case baton.AlreadyExists:
			scimType = "uniqueness"
		case baton.Unauthenticated:
			c.w.Header().Set("WWW-Authenticate", `Bearer realm="SCIM"`)
		}
		if fix := baton.FixOf(err); fix != "" && status < 500 {
			detail += " " + fix
		}
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.w.Header().Set("Retry-After", "2")
	}
	if status >= 500 && status != http.StatusNotImplemented {
		c.Log.ErrorContext(c.ctx(), "a call failed", "request", c.id, "route", c.route, "error", err)
		detail = "Something went wrong in the console. Its log has more about request " + c.id + "."
	}
	if c.pusher.Source.ID != "" && status != http.StatusNotFound && status != http.StatusNotModified && status != 499 {
		if err := c.Console.PushFailed(c.ctx(), c.pusher, shorten(c.route+": "+detail)); err != nil {
			c.Log.ErrorContext(c.ctx(), "an error was not recorded", "request", c.id, "error", err)
		}
	}
	if c.sent {
		panic(http.ErrAbortHandler) // a cut response is no complete one
	}
	o := scim.Object{{"schemas", []any{errorURN}}, {"status", strconv.Itoa(status)}}
	if scimType != "" {
		o.Set("scimType", scimType)
	}
	o.Set("detail", detail)
	c.write(status, o)
}

const maxErrorShown = 500

// shorten limits a text, at a character.
func shorten(s string) string {
	if len(s) <= maxErrorShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrorShown], "") + "…"
}

// sentence returns text with a capital letter and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

// write responds with a JSON object.
func (c *call) write(status int, o scim.Object) {
	b, err := json.Marshal(o)
	if err != nil {
		c.Log.ErrorContext(c.ctx(), "an answer cannot be encoded", "request", c.id, "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"schemas":["`+errorURN+`"],"status":"500","detail":"Something went wrong in the console."}`)
	}
	c.w.Header().Set("Content-Type", contentType)
	c.w.WriteHeader(status)
	c.sent = true
	c.w.Write(b) // an error means that the client is gone
}

// resource responds with one resource.
func (c *call) resource(status int, o scim.Object, version int64) error {
	location, _ := o.Get("meta").(scim.Object).Get("location").(string)
	c.w.Header().Set("ETag", etag(version))
	if status == http.StatusCreated {
		c.w.Header().Set("Location", location)
	}
	c.write(status, c.fields.Apply(o))
	return nil
}

func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// named reports whether a header with versions names one, or any.
func named(header string, version int64) bool {
	for _, v := range strings.Split(header, ",") {
		if v = strings.TrimSpace(v); v == "*" || v == etag(version) || v == strings.TrimPrefix(etag(version), "W/") {
			return true
		}
	}
	return false
}

// precondition returns an error if the request is for another version than the current one.
func (c *call) precondition(version int64) error {
	if match := c.r.Header.Get("If-Match"); match != "" && !named(match, version) {
		return &httpError{status: http.StatusPreconditionFailed, detail: "the resource has changed: its version is " + etag(version)}
	}
	return nil
}

// unchanged responds to a request for a version that the client has, and reports whether it did.
func (c *call) unchanged(version int64) bool {
	if have := c.r.Header.Get("If-None-Match"); have == "" || !named(have, version) {
		return false
	}
	c.w.Header().Set("ETag", etag(version))
	c.w.WriteHeader(http.StatusNotModified)
	return true
}

func meta(kind string, location string, created, modified time.Time, version int64) scim.Object {
	return scim.Object{{"resourceType", kind}, {"created", timestamp(created)}, {"lastModified", timestamp(modified)}, {"location", location}, {"version", etag(version)}}
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func notAllowed(c *call, allowed []string) error {
	c.w.Header().Set("Allow", strings.Join(allowed, ", "))
	return &httpError{status: http.StatusMethodNotAllowed, detail: "the method is not allowed here; allowed are " + strings.Join(allowed, ", ")}
}

func notOffered(c *call) error {
	return &httpError{status: http.StatusNotImplemented, detail: "the console does not offer " + strings.TrimPrefix(c.r.URL.Path, "/")}
}

func notFound(*call) error {
	return baton.Errorf(baton.NotFound, "there is no such endpoint; the base URL ends in %s", Base)
}
