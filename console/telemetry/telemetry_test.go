package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"baton/internal/otlp"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceparent(t *testing.T) {
	for text, want := range map[string]bool{
		parent:                      true,
		"00" + parent[2:53] + "00":  true,
		"01" + parent[2:] + "-more": true,
		"":                          false,
		"ff" + parent[2:]:           false,
		parent + "-more":            false,
		"01" + parent[2:] + "more":  false,
		strings.ToUpper(parent):     false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01": false,
	} {
		if _, ok := parseTraceparent(text); ok != want {
			t.Errorf("%q: %t", text, ok)
		}
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(parent)
	f.Add("01" + parent[2:] + "-more")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseTraceparent(text)
		if !ok {
			if c != (spanContext{}) {
				t.Errorf("%q is refused with %+v", text, c)
			}
			return
		}
		again, ok := parseTraceparent(c.traceparent())
		if !ok || again != c || c.traceparent()[3:52] != text[3:52] {
			t.Errorf("%q became %q", text, c.traceparent())
		}
	})
}

// observed answers one request, and returns the answer, the spans and the log.
func observed(t *testing.T, o Observer, r *http.Request, h http.HandlerFunc) (*httptest.ResponseRecorder, []otlp.Span, string) {
	t.Helper()
	var spans []otlp.Span
	var log bytes.Buffer
	o.Meter, o.Now = NewMeter(), time.Now
	o.Log = slog.New(LogHandler(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	o.Tracer = NewTracer(func(s otlp.Span) { spans = append(spans, s) }, time.Now)
	w := httptest.NewRecorder()
	o.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.Log.ErrorContext(r.Context(), "inside")
		h(w, r)
	})).ServeHTTP(w, r)
	var figures bytes.Buffer
	o.Meter.Write(WriteFigures(&figures))
	return w, spans, log.String() + figures.String()
}

func TestRequestID(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // of httptest's requests
	for _, tt := range []struct {
		name, sent string
		proxies    []netip.Prefix
		kept       bool
	}{
		{"from a proxy", "abc-1", proxies, true},
		{"from somebody else", "abc-1", nil, false},
		{"none", "", proxies, false},
		{"markup", "<b>", proxies, false},
		{"long", strings.Repeat("a", maxID+1), proxies, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/people", nil)
			r.Header.Set(requestHeader, tt.sent)
			id := ""
			w, _, log := observed(t, Observer{Proxies: tt.proxies}, r, func(w http.ResponseWriter, r *http.Request) { id = Begin(r, "GET /people") })
			if id == "" || w.Header().Get(requestHeader) != id || (id == tt.sent) != tt.kept {
				t.Errorf("id %q, header %q", id, w.Header().Get(requestHeader))
			}
			if strings.Count(log, "request="+id) != 2 {
				t.Errorf("log lines without the id: %s", log)
			}
		})
	}
}

func TestSpanOfRequest(t *testing.T) {
	r := httptest.NewRequest("POST", "/people/1?token=secret", nil)
	r.Header.Set("Traceparent", parent)
	r.Header.Set("Authorization", "Bearer secret")
	_, spans, log := observed(t, Observer{}, r, func(w http.ResponseWriter, r *http.Request) {
		Begin(r, "POST /people/{person}")
		_, s := Start(r.Context(), "command")
		s.End(errors.New("the secret"))
		w.WriteHeader(500)
	})
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	inner, outer := spans[0], spans[1]
	c, _ := parseTraceparent(parent)
	if outer.Place.Trace != c.Trace || outer.Parent != c.Span || inner.Parent != outer.Place.Span || inner.Place.Trace != c.Trace {
		t.Errorf("the spans are not connected: %+v", spans)
	}
	if outer.Name != "POST /people/{person}" || outer.Attributes["http.response.status_code"] != "500" || !outer.Failed || !inner.Failed {
		t.Errorf("span %+v", outer)
	}
	for _, s := range spans {
		for k, v := range s.Attributes {
			if strings.Contains(k+v+s.Error+s.Name, "secret") {
				t.Errorf("%s: %s", k, v)
			}
		}
	}
	for _, want := range []string{"trace_id=4bf92f3577b34da6a3ce929d0e0e4736", `baton_console_http_requests_total{route="POST /people/{person}",status="500"} 1`,
		`baton_console_http_request_duration_seconds_bucket{route="POST /people/{person}",le="+Inf"} 1`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
}

// TestNotTraced checks that nothing is recorded without a tracer, for probes, and where the caller
// asks not to.
func TestNotTraced(t *testing.T) {
	ctx, s := (*Tracer)(nil).Work(context.Background(), "x")
	s.Set("a", "b")
	s.End(nil)
	(*Tracer)(nil).Continue(ctx, parent, "x", time.Now(), time.Now())
	if SpanOf(ctx) != nil || Traceparent(ctx) != "" {
		t.Error("a span without a tracer")
	}
	for path, header := range map[string]string{"/metrics": parent, "/x": parent[:53] + "00"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Traceparent", header)
		if _, spans, _ := observed(t, Observer{}, r, func(http.ResponseWriter, *http.Request) {}); len(spans) != 0 {
			t.Errorf("%s: %+v", path, spans)
		}
	}
}

// TestContinue checks that something later belongs to the trace in which it was caused, and names the
// one in which it was found.
func TestContinue(t *testing.T) {
	var spans []otlp.Span
	tracer := NewTracer(func(s otlp.Span) { spans = append(spans, s) }, time.Now)
	ctx, cause := tracer.Work(context.Background(), "cause")
	place := Traceparent(ctx)
	cause.End(nil)
	ctx, ingest := tracer.Work(context.Background(), "ingest")
	tracer.Continue(ctx, place, "verified", time.Unix(1, 0), time.Unix(2, 0))
	ingest.End(nil)
	verified := spans[1]
	if verified.Place.Trace != spans[0].Place.Trace || verified.Parent != spans[0].Place.Span || len(verified.Links) != 1 || verified.Links[0] != spans[2].Place || verified.End.Unix() != 2 {
		t.Errorf("%+v", spans)
	}
}
