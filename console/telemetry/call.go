package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
)

// Call is one request to the console.
type Call struct {
	ID string // in logs, in the answer, in events and on the error page
	// Route is the method and the pattern of the path. The handler that knows it sets it, in the
	// goroutine of the request.
	Route string
}

type callKey struct{}

// WithCall returns a context with a call.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallOf returns the call of a context, or nil.
func CallOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// Begin returns the id of the request of a handler, and records its route. It makes an id if the
// request has none.
func Begin(r *http.Request, route string) (id string) {
	c := CallOf(r.Context())
	if c == nil {
		return newID()
	}
	if route != "" {
		c.Route = route
	}
	return c.ID
}

// requestHeader has the id of a request, in the answer and in what a trusted proxy sends.
const requestHeader = "X-Request-Id"

// requestID returns the id that a trusted proxy gave to a request, or a new one.
func requestID(r *http.Request, proxies []netip.Prefix) string {
	if id := r.Header.Get(requestHeader); validID(id) && fromProxy(r, proxies) {
		return id
	}
	return newID()
}

func fromProxy(r *http.Request, proxies []netip.Prefix) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address := from.Addr().Unmap().WithZone("")
	for _, p := range proxies {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// maxID limits the length of an id that a proxy gave.
const maxID = 128

// validID reports whether an id can be displayed and logged as it is.
func validID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:+/=@", r)
	})
}

func newID() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// LogHandler returns a handler that adds the ids of the request and of the span to records.
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next} }

type logHandler struct{ next slog.Handler }

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	if c := CallOf(ctx); c != nil && !hasAttr(r, "request") {
		r.AddAttrs(slog.String("request", c.ID))
	}
	if s := SpanOf(ctx); s != nil {
		r.AddAttrs(slog.String("trace_id", s.context.traceID()), slog.String("span_id", s.context.spanID()))
	}
	return h.next.Handle(ctx, r)
}

func hasAttr(r slog.Record, key string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.next.WithAttrs(attrs)}
}

func (h *logHandler) WithGroup(name string) slog.Handler { return &logHandler{h.next.WithGroup(name)} }
