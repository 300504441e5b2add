package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"baton"
	"baton/internal/otlp"
)

// Tracer makes spans. A nil Tracer makes none, and costs nothing.
type Tracer struct {
	export func(otlp.Span)
	now    func() time.Time
}

// NewTracer returns a tracer that hands spans that ended to export, which must not wait.
func NewTracer(export func(otlp.Span), now func() time.Time) *Tracer { return &Tracer{export, now} }

// Span is an operation that is being timed. Methods of a nil Span do nothing.
type Span struct {
	tracer  *Tracer
	context spanContext
	span    otlp.Span
}

// spanContext is the place of a span in a trace.
type spanContext struct {
	otlp.Place
	sampled bool
}

func (c spanContext) traceID() string { return hex.EncodeToString(c.Trace[:]) }
func (c spanContext) spanID() string  { return hex.EncodeToString(c.Span[:]) }

// traceparent returns the context in the form of the header (W3C Trace Context, section 3.2).
func (c spanContext) traceparent() string {
	flags := "00"
	if c.sampled {
		flags = "01"
	}
	return "00-" + c.traceID() + "-" + c.spanID() + "-" + flags
}

// parseTraceparent reads the header. Later versions of it may have further parts at the end.
func parseTraceparent(text string) (c spanContext, ok bool) {
	const length = 55
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return c, false
	}
	var version, flags [1]byte
	for _, part := range []struct {
		to   []byte
		text string
	}{{version[:], text[:2]}, {c.Trace[:], text[3:35]}, {c.Span[:], text[36:52]}, {flags[:], text[53:length]}} {
		for i := range part.text {
			if ch := part.text[i]; ch >= 'A' && ch <= 'F' {
				return spanContext{}, false // the header is in lower case
			}
		}
		if _, err := hex.Decode(part.to, []byte(part.text)); err != nil {
			return spanContext{}, false
		}
	}
	later := version[0] != 0
	if version[0] == 0xff || !later && len(text) != length || later && len(text) > length && text[length] != '-' || c.Trace == [16]byte{} || c.Span == [8]byte{} {
		return spanContext{}, false
	}
	c.sampled = flags[0]&1 == 1
	return c, true
}

type spanKey struct{}

// SpanOf returns the span of a context, or nil.
func SpanOf(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}

// Start begins a span below that of the context. Without one, it makes none. attributes are name,
// value, name, value, …
func Start(ctx context.Context, name string, attributes ...string) (context.Context, *Span) {
	parent := SpanOf(ctx)
	if parent == nil {
		return ctx, nil
	}
	return parent.tracer.start(ctx, parent.context, otlp.InternalWork, name, attributes)
}

// Work begins the span of work from a queue.
func (t *Tracer) Work(ctx context.Context, name string, attributes ...string) (context.Context, *Span) {
	return t.root(ctx, otlp.Consumer, "", name, attributes...)
}

// root begins a span that has no parent, or the one that a caller names with a traceparent.
func (t *Tracer) root(ctx context.Context, kind otlp.Kind, traceparent, name string, attributes ...string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	parent, ok := parseTraceparent(traceparent)
	if ok && !parent.sampled {
		return ctx, nil // the caller asks not to record it
	}
	if !ok {
		rand.Read(parent.Trace[:]) // never fails
	}
	return t.start(ctx, parent, kind, name, attributes)
}

// start begins a span of the trace of parent.
func (t *Tracer) start(ctx context.Context, parent spanContext, kind otlp.Kind, name string, attributes []string) (context.Context, *Span) {
	s := &Span{tracer: t, context: spanContext{otlp.Place{Trace: parent.Trace}, true}}
	rand.Read(s.context.Span[:]) // never fails
	s.span = otlp.Span{Place: s.context.Place, Parent: parent.Span, Kind: kind, Name: name, Start: t.now(), Attributes: map[string]string{}}
	s.Set(attributes...)
	return context.WithValue(ctx, spanKey{}, s), s
}

// Name changes the name of a span.
func (s *Span) Name(name string) {
	if s != nil {
		s.span.Name = name
	}
}

// Set sets attributes: name, value, name, value, … Values are ids and words of the console; texts of
// people, applications and errors may be secret or personal.
func (s *Span) Set(attributes ...string) {
	if s == nil {
		return
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		s.span.Attributes[attributes[i]] = attributes[i+1]
	}
}

// End ends a span. It records the kind of an error, not its text.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.Failed, s.span.Error = true, baton.KindOf(err).String()
	}
	s.span.End = s.tracer.now()
	s.tracer.export(s.span)
}

// Traceparent returns the place of the context's span, to be continued later; "" if it has none.
func Traceparent(ctx context.Context) string {
	if s := SpanOf(ctx); s != nil {
		return s.context.traceparent()
	}
	return ""
}

// Continue records something that took place from one time to another, in the trace of a place that
// [Traceparent] returned. It links the span of the context, if that is of another trace. Without a
// place, it does nothing.
func (t *Tracer) Continue(ctx context.Context, traceparent, name string, from, to time.Time, attributes ...string) {
	parent, ok := parseTraceparent(traceparent)
	if t == nil || !ok {
		return
	}
	_, s := t.start(ctx, parent, otlp.InternalWork, name, attributes)
	if now := SpanOf(ctx); now != nil && now.context.Trace != parent.Trace {
		s.span.Links = []otlp.Place{now.context.Place}
	}
	s.span.Start, s.span.End = from, to
	t.export(s.span)
}
