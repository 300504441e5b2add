package otlp

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// The messages of the protocol in JSON: names in camel case, 64-bit integers as strings,
// enumerations as numbers, ids in hex.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
type (
	keyValue struct {
		Key   string   `json:"key"`
		Value anyValue `json:"value"`
	}
	// anyValue has one field set.
	anyValue struct {
		String *string     `json:"stringValue,omitempty"`
		Bool   *bool       `json:"boolValue,omitempty"`
		Int    *string     `json:"intValue,omitempty"`
		Double *float64    `json:"doubleValue,omitempty"`
		Array  *arrayValue `json:"arrayValue,omitempty"`
	}
	arrayValue struct {
		Values []anyValue `json:"values"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}

	logRecord struct {
		Time         string     `json:"timeUnixNano,omitempty"`
		Observed     string     `json:"observedTimeUnixNano"`
		Severity     int        `json:"severityNumber"`
		SeverityText string     `json:"severityText"`
		Body         anyValue   `json:"body"`
		Attributes   []keyValue `json:"attributes,omitempty"`
		TraceID      string     `json:"traceId,omitempty"`
	}
	metric struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		Gauge       *gauge `json:"gauge,omitempty"`
		Sum         *sum   `json:"sum,omitempty"`
	}
	gauge struct {
		Points []point `json:"dataPoints"`
	}
	sum struct {
		Points      []point `json:"dataPoints"`
		Temporality int     `json:"aggregationTemporality"`
		Monotonic   bool    `json:"isMonotonic"`
	}
	point struct {
		Attributes []keyValue `json:"attributes,omitempty"`
		Start      string     `json:"startTimeUnixNano,omitempty"`
		Time       string     `json:"timeUnixNano"`
		Value      float64    `json:"asDouble"`
	}
	span struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Parent     string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Links      []link     `json:"links,omitempty"`
		Status     status     `json:"status"`
	}
	link struct {
		TraceID string `json:"traceId"`
		SpanID  string `json:"spanId"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
)

const (
	cumulative  = 2 // AGGREGATION_TEMPORALITY_CUMULATIVE
	statusError = 2 // STATUS_CODE_ERROR
)

// Kind is the kind of a span, as the protocol numbers it.
type Kind int

// The kinds in use. The zero Kind is [Consumer].
const (
	InternalWork Kind = 1
	ServerCall   Kind = 2
	Consumer     Kind = 5 // work from a queue
)

// Reading is the current value of one metric. Readings of one name must be adjacent.
type Reading struct {
	Name, Description string
	Counter           bool     // it only grows, from 0 at the start of the exporter
	Labels            []string // name, value, name, value
	Value             float64
}

// Span is a finished operation.
type Span struct {
	Trace      string  // name of the trace, from which its id is derived
	Place      Place   // instead of Trace, if the caller makes ids
	Parent     [8]byte // id of the parent, with Place; zero for none
	Links      []Place // spans of other traces that belong to it
	Kind       Kind
	Name       string
	Start, End time.Time
	Attributes map[string]string
	Failed     bool
	Error      string // message of a failure
}

// Place identifies a span.
type Place struct {
	Trace [16]byte
	Span  [8]byte
}

// Bodies of requests.
type (
	logsBody struct {
		Resources []resourceLogs `json:"resourceLogs"`
	}
	resourceLogs struct {
		Resource resource    `json:"resource"`
		Scopes   []scopeLogs `json:"scopeLogs"`
	}
	scopeLogs struct {
		Scope   scope       `json:"scope"`
		Records []logRecord `json:"logRecords"`
	}
	metricsBody struct {
		Resources []resourceMetrics `json:"resourceMetrics"`
	}
	resourceMetrics struct {
		Resource resource       `json:"resource"`
		Scopes   []scopeMetrics `json:"scopeMetrics"`
	}
	scopeMetrics struct {
		Scope   scope    `json:"scope"`
		Metrics []metric `json:"metrics"`
	}
	tracesBody struct {
		Resources []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource resource     `json:"resource"`
		Scopes   []scopeSpans `json:"scopeSpans"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
)

func (e *Exporter) resource() resource { return resource{textAttributes(e.cfg.Resource)} }
func (e *Exporter) scope() scope       { return scope{"baton", e.cfg.Version} }

func (e *Exporter) logsBody(records []logRecord) logsBody {
	return logsBody{[]resourceLogs{{e.resource(), []scopeLogs{{e.scope(), records}}}}}
}

func (e *Exporter) tracesBody(spans []span) tracesBody {
	return tracesBody{[]resourceSpans{{e.resource(), []scopeSpans{{e.scope(), spans}}}}}
}

func (e *Exporter) metricsBody(readings []Reading, now time.Time) metricsBody {
	list := []metric{}
	for _, r := range readings {
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			continue // JSON has no such numbers
		}
		if len(list) == 0 || list[len(list)-1].Name != r.Name {
			list = append(list, newMetric(r))
		}
		p := point{Time: nano(now), Value: r.Value}
		for i := 0; i+1 < len(r.Labels); i += 2 {
			p.Attributes = append(p.Attributes, keyValue{r.Labels[i], text(r.Labels[i+1])})
		}
		if m := list[len(list)-1]; m.Sum != nil {
			p.Start = nano(e.began)
			m.Sum.Points = append(m.Sum.Points, p)
		} else {
			m.Gauge.Points = append(m.Gauge.Points, p)
		}
	}
	return metricsBody{[]resourceMetrics{{e.resource(), []scopeMetrics{{e.scope(), list}}}}}
}

func newMetric(r Reading) metric {
	m := metric{Name: r.Name, Description: r.Description}
	if r.Counter {
		m.Sum = &sum{Temporality: cumulative, Monotonic: true}
	} else {
		m.Gauge = &gauge{}
	}
	return m
}

func (s Span) encode() span {
	if s.Place == (Place{}) {
		s.Place.Trace = traceOf(s.Trace)
		_, _ = rand.Read(s.Place.Span[:]) // never fails
	}
	out := span{TraceID: hex.EncodeToString(s.Place.Trace[:]), SpanID: hex.EncodeToString(s.Place.Span[:]), Name: s.Name, Kind: int(cmp.Or(s.Kind, Consumer)),
		Start: nano(s.Start), End: nano(s.End), Attributes: textAttributes(s.Attributes)}
	if s.Parent != ([8]byte{}) {
		out.Parent = hex.EncodeToString(s.Parent[:])
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, link{hex.EncodeToString(l.Trace[:]), hex.EncodeToString(l.Span[:])})
	}
	if s.Failed {
		out.Status = status{statusError, s.Error}
	}
	return out
}

// traceOf derives the id of a trace from its name, so that logs and further attempts of a
// task belong to the same trace.
func traceOf(name string) (id [16]byte) {
	h := sha256.Sum256([]byte(name))
	copy(id[:], h[:])
	return id
}

func traceID(name string) string {
	id := traceOf(name)
	return hex.EncodeToString(id[:])
}

func textAttributes(attributes map[string]string) []keyValue {
	list := []keyValue{}
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		list = append(list, keyValue{key, text(attributes[key])})
	}
	return list
}

func text(s string) anyValue { return anyValue{String: &s} }

func nano(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
