package telemetry

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/internal/otlp"
)

// Observer gives each request an id, counts it, and makes its span.
type Observer struct {
	Meter   *Meter
	Tracer  *Tracer
	Proxies []netip.Prefix // of which the ids of requests are accepted
	Log     *slog.Logger
	Now     func() time.Time
}

// otherRoute is the route of requests that no handler knows.
const otherRoute = "other"

// quiet lists the routes whose spans nobody looks for: they come all the time, or last for hours.
func quiet(r *http.Request) bool {
	p := r.URL.Path
	switch p {
	case "/live", "/ready", "/health", "/metrics":
		return true
	}
	return strings.HasPrefix(p, "/static/") || strings.HasPrefix(p, "/live/") || strings.HasSuffix(p, "/GetTask") || strings.HasSuffix(p, "/GetTasks") || strings.HasSuffix(p, "/Heartbeat")
}

// Handler observes the requests of a handler.
func (o Observer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := o.Now()
		c := &Call{ID: requestID(r, o.Proxies), Route: otherRoute}
		w.Header().Set(requestHeader, c.ID)
		ctx := WithCall(r.Context(), c)
		var span *Span
		if !quiet(r) {
			ctx, span = o.Tracer.root(ctx, otlp.ServerCall, r.Header.Get("Traceparent"), method(r.Method), "http.request.method", method(r.Method), "request", c.ID)
		}
		out := &response{ResponseWriter: w}
		defer func() {
			if c.Route == otherRoute && r.Pattern != "" && r.Pattern != "/" { // a handler without routes
				c.Route = r.Pattern
			}
			took, status := o.Now().Sub(began), out.code()
			o.Meter.Request(c.Route, status, took)
			if span != nil {
				span.Name(c.Route)
				span.Set("http.route", c.Route, "http.response.status_code", strconv.Itoa(status))
				var failed error
				if status >= 500 {
					failed = baton.Errorf(baton.Internal, "%d", status)
				}
				span.End(failed)
			}
			o.Log.DebugContext(ctx, "request", "route", c.Route, "status", status, "seconds", took.Seconds())
		}()
		r = r.WithContext(ctx)
		next.ServeHTTP(out, r)
	})
}

// method returns a method of HTTP; "other" for words that a client made up.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// response notes the status of an answer.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements [http.Flusher], which gRPC needs.
func (w *response) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // gRPC gets an error from its next write
}

func (w *response) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
