// Package web serves the console's pages. It displays what package govern returns and makes no
// decisions of its own. Every page and form works without JavaScript.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console/govern"
	"baton/console/store"
	"baton/console/telemetry"
)

// Config configures the pages. Console is required.
type Config struct {
	Console *govern.Console
	// URL is the address of the console in browsers. Without https, session cookies are sent over
	// unencrypted connections.
	URL *url.URL
	Log *slog.Logger // nil: none
	// Proxies are the networks of trusted proxies. Only their X-Forwarded-For headers are used for
	// the caller's address.
	Proxies []netip.Prefix
	// CA is the authority of the console's own certificate in PEM; "" if connectors trust it
	// without.
	CA string
	// Demo are the people as whom everybody can sign in with one click; nil except in the demo.
	Demo []DemoPerson
	// Ending is closed when the console stops, and ends event streams. nil: they end with their
	// connections.
	Ending <-chan struct{}
}

// site serves the pages.
type site struct {
	Config
	secure  bool
	streams streams
}

// New returns a handler for all pages. Other paths are not found.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &site{Config: c, secure: c.URL != nil && c.URL.Scheme == "https"}
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, s.handle(r))
	}
	mux.HandleFunc("/", s.handle(route{who: anybody, serve: notFound}))
	return http.NewCrossOriginProtection().Handler(secured(mux))
}

// secured sets headers that restrict what a page can do in a browser.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "+
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// call is one request to a page.
type call struct {
	site    *site
	w       http.ResponseWriter
	r       *http.Request
	caller  govern.Caller // zero on pages for everybody
	id      string
	at      time.Time // the moment that the page shows; zero for now
	dated   bool      // the page can show the past
	history bool      // the page shows what was so before
}

func (c *call) ctx() context.Context { return c.r.Context() }

// console returns the console at the page's moment.
func (c *call) console() *govern.Console { return c.site.Console.AsOf(c.at) }

// maxForm limits the body of a request, in bytes.
const maxForm = 1 << 20

// largeBodies are the limits of routes that receive files.
var largeBodies = map[string]int64{"POST /connectors/{connector}/upload": 4<<30 + maxForm}

// handle returns the handler of a route.
func (s *site) handle(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{site: s, w: w, r: r, id: telemetry.Begin(r, route.pattern)}
		w.Header().Set("X-Request-Id", c.id)
		defer func() {
			if p := recover(); p != nil {
				s.Log.ErrorContext(r.Context(), "a page panicked", "request", c.id, "path", r.URL.Path, "panic", p)
				c.fail(baton.Errorf(baton.Internal, "this page has a defect"))
			}
		}()
		limit := int64(maxForm)
		if large := largeBodies[route.pattern]; large != 0 {
			limit = large
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if err := c.serve(route); err != nil {
			c.fail(err)
		}
	}
}

func (c *call) serve(route route) error {
	if err := c.r.ParseForm(); err != nil {
		return baton.Errorf(baton.Invalid, "the form cannot be read")
	}
	for _, form := range []url.Values{c.r.Form, c.r.PostForm} { // pages display these values again
		for _, values := range form {
			for i, v := range values {
				values[i] = strings.ToValidUTF8(v, "\ufffd")
			}
		}
	}
	if route.who == signedIn {
		if err := c.authenticate(); err != nil {
			return err
		}
		c.caller.Route, c.caller.Object = route.pattern, c.r.URL.EscapedPath()
	}
	return route.serve(c)
}

// authenticate identifies the caller by the session cookie.
func (c *call) authenticate() error {
	cookie, err := c.r.Cookie(c.cookieName())
	if err != nil {
		return errSignIn
	}
	c.caller, err = c.console().Authenticate(c.ctx(), baton.NewSecret(cookie.Value), c.id, c.address())
	if baton.KindOf(err) == baton.Unauthenticated {
		return errSignIn
	}
	return err
}

// errSignIn redirects to the login page.
var errSignIn = errors.New("sign in first")

// cookieName returns the name of the session cookie. Browsers accept its prefix only from this host
// and over TLS.
func (c *call) cookieName() string {
	if c.site.secure {
		return "__Host-session"
	}
	return "session"
}

// setSession sets the session cookie of the browser; the zero secret removes it.
func (c *call) setSession(token baton.Secret) {
	cookie := &http.Cookie{Name: c.cookieName(), Value: token.Reveal(), Path: "/", HttpOnly: true, Secure: c.site.secure, SameSite: http.SameSiteLaxMode}
	if token.IsZero() {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.w, cookie)
}

// address returns the caller's network address for the limits of logins. IPv6 addresses of one
// network count as one, because one customer has all of them.
func (c *call) address() string { return callerAddress(c.r, c.site.Proxies) }

// callerAddress returns the network address of the caller. Behind proxies, it is the last address in
// X-Forwarded-For that is not a proxy: the caller can write anything before it.
func callerAddress(r *http.Request, proxies []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	isProxy := func(a netip.Addr) bool {
		a = a.Unmap().WithZone("")
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isProxy(a); i-- {
		hop := strings.TrimSpace(hops[i])
		next, err := netip.ParseAddr(hop)
		if err != nil { // some proxies write the port too
			p, e := netip.ParseAddrPort(hop)
			if e != nil {
				break
			}
			next = p.Addr()
		}
		a = next
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// redirect redirects the browser to another page of the console.
func (c *call) redirect(path string) error {
	http.Redirect(c.w, c.r, path, http.StatusSeeOther)
	return nil
}

// local returns a path of the console that was given as the page to return to, or the start page if
// the path is not local.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\x00\r\n\t") {
		return "/"
	}
	return path
}

// here returns the path of a page that can be displayed again: that of a GET, or of the page with
// the form.
func (c *call) here() string {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return c.r.URL.RequestURI()
	}
	if u, err := url.Parse(c.r.Referer()); err == nil && u.Host == c.r.Host {
		return local(u.RequestURI())
	}
	return "/"
}

// statuses are the HTTP statuses of error kinds.
var statuses = map[baton.Kind]int{
	baton.Invalid:          http.StatusBadRequest,
	baton.Unauthenticated:  http.StatusUnauthorized,
	baton.PermissionDenied: http.StatusForbidden,
	baton.NotFound:         http.StatusNotFound,
	baton.AlreadyExists:    http.StatusConflict,
	baton.Refused:          http.StatusConflict,
	baton.RateLimited:      http.StatusTooManyRequests,
	baton.Unavailable:      http.StatusServiceUnavailable,
	baton.DeadlineExceeded: http.StatusServiceUnavailable,
	baton.Storage:          http.StatusServiceUnavailable,
}

func statusOf(err error) int {
	if status, ok := statuses[baton.KindOf(err)]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// fail shows an error.
func (c *call) fail(err error) {
	switch {
	case errors.Is(err, errSignIn):
		c.setSession(baton.Secret{})
		c.redirect("/login?next=" + url.QueryEscape(c.here()))
		return
	case errors.Is(err, govern.ErrStepUp):
		c.redirect("/confirm?next=" + url.QueryEscape(c.here()))
		return
	case baton.KindOf(err) == baton.Canceled:
		return
	}
	status := statusOf(err)
	if status >= 500 {
		c.site.Log.ErrorContext(c.ctx(), "a page failed", "request", c.id, "path", c.r.URL.Path, "error", err)
	}
	p := errorPage{Status: status, Problem: problemOf(err), Request: c.id}
	if err := c.show(status, "error", "Error", p); err == nil {
		return
	}
	// The rest of a page comes from the database, which may be what failed.
	if err := c.render(status, "error", frame{Title: "Error", Path: c.r.URL.Path, Page: p, Now: c.console().Now()}); err != nil {
		c.site.Log.ErrorContext(c.ctx(), "the error page failed", "request", c.id, "error", err)
	}
}

func notFound(c *call) error { return baton.Errorf(baton.NotFound, "there is no such page") }

// problem is an error for display.
type problem struct{ Text, Fix string }

func problemOf(err error) *problem {
	if err == nil {
		return nil
	}
	if text, fix, ok := store.Away(err); ok {
		return &problem{Text: text, Fix: fix}
	}
	if statusOf(err) == http.StatusInternalServerError {
		return &problem{Text: "Something went wrong in the console.", Fix: "Its log has more about this request."}
	}
	return &problem{Text: sentence(err.Error()), Fix: baton.FixOf(err)}
}

// sentence returns text with a capital letter and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

type errorPage struct {
	Status  int
	Problem *problem
	Request string
}
