// Package otlp exports logs, metrics and spans by the OpenTelemetry protocol, over
// HTTP with bodies in JSON.
//
//	slog ─▶ Handler ─▶ queue ─▶ batch ─┐
//	           Span ─▶ queue ─▶ batch ─┼─▶ POST, tried again ─▶ collector
//	Measure ─▶ every Interval ─────────┘
//
// The program never waits for the collector. Records that do not fit into a queue are
// dropped and counted, and an outage is logged once.
package otlp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"baton"
)

// Config configures an exporter. [Configure] returns one.
type Config struct {
	Logs, Metrics, Traces Target // those without a URL are not exported

	Resource map[string]string // attributes of the sender, such as service.name
	Version  string            // of the program, for the scope and the user agent
	Interval time.Duration     // between exports of metrics; a minute if zero
	// TraceKey is the attribute of log records with the name of their trace, see
	// [Span.Trace].
	TraceKey string

	Transport http.RoundTripper // http.DefaultTransport if nil
	// Redact, if set, removes secrets from a body before it is sent.
	Redact func(body []byte) []byte
	// Log receives reports of outages. It must not use the handler of the exporter.
	Log *slog.Logger
}

// Target is the destination of one signal.
type Target struct {
	URL     string
	Headers map[string]baton.Secret
	Timeout time.Duration // of one request; 10 s if zero
}

// Enabled reports whether anything is exported.
func (c Config) Enabled() bool { return c.Logs.URL != "" || c.Metrics.URL != "" || c.Traces.URL != "" }

// The defaults of the batch processors of OpenTelemetry.
const (
	queueSize = 2048
	batchSize = 512
	logDelay  = time.Second
	spanDelay = 5 * time.Second

	defaultInterval = time.Minute
	defaultTimeout  = 10 * time.Second
)

// Exporter exports until it is closed. It is safe for concurrent use.
type Exporter struct {
	cfg    Config
	began  time.Time
	client *http.Client
	outage outage

	logs  *queue[logRecord]
	spans *queue[span]

	closing chan struct{} // closed when Close begins: send the rest at once
	close   sync.Once
	mu      sync.Mutex // for Measure and Close
	work    sync.WaitGroup
	ctx     context.Context // ends when the time for Close is over
	end     context.CancelFunc
}

// New starts an exporter.
func New(cfg Config) *Exporter {
	cfg.Interval = cmp.Or(cfg.Interval, defaultInterval)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Exporter{cfg: cfg, began: time.Now(), closing: make(chan struct{}), logs: newQueue[logRecord](), spans: newQueue[span]()}
	e.outage = outage{log: cfg.Log, failing: map[string]bool{}}
	e.ctx, e.end = context.WithCancel(context.Background())
	// A redirect is not followed: it could take the headers to another host.
	e.client = &http.Client{Transport: cfg.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if cfg.Logs.URL != "" {
		e.work.Go(func() {
			batches(e, cfg.Logs, "log records", e.logs, logDelay, func(records []logRecord) any { return e.logsBody(records) })
		})
	}
	if cfg.Traces.URL != "" {
		e.work.Go(func() {
			batches(e, cfg.Traces, "spans", e.spans, spanDelay, func(spans []span) any { return e.tracesBody(spans) })
		})
	}
	return e
}

// Span exports a span.
func (e *Exporter) Span(s Span) {
	if e.cfg.Traces.URL != "" {
		e.spans.add(s.encode())
	}
}

// Measure exports the readings that read returns at every interval, and once more at the
// end. It must be called once at most.
func (e *Exporter) Measure(read func() []Reading) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cfg.Metrics.URL == "" || e.closed() {
		return
	}
	s := e.sender(e.cfg.Metrics, "metrics")
	s.patience = min(s.patience, e.cfg.Interval) // the next export contains newer values
	e.work.Go(func() {
		tick := time.NewTicker(e.cfg.Interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-e.closing:
			}
			last := e.closed()
			if readings := read(); len(readings) > 0 {
				s.send(e.metricsBody(readings, time.Now()))
			}
			if last {
				return
			}
		}
	})
}

// Close sends the rest and stops. What is not sent when ctx ends is dropped.
func (e *Exporter) Close(ctx context.Context) {
	e.close.Do(func() {
		e.mu.Lock()
		close(e.closing)
		e.mu.Unlock()
	})
	stop := context.AfterFunc(ctx, e.end)
	defer stop()
	e.work.Wait()
	e.end()
	e.client.CloseIdleConnections()
}

func (e *Exporter) closed() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// batches sends the records of a queue in batches until the exporter is closed.
func batches[T any](e *Exporter, to Target, what string, q *queue[T], delay time.Duration, body func([]T) any) {
	s := e.sender(to, what)
	for last := false; !last; {
		select {
		case <-q.arrived:
			select {
			case <-time.After(delay):
			case <-q.full:
			case <-e.closing:
			}
		case <-e.closing:
		}
		last = e.closed()
		for {
			batch := q.take()
			if len(batch) == 0 {
				break
			}
			if !s.send(body(batch)) {
				q.drop(len(batch))
			}
		}
		if s.down && !last {
			continue // reported at the end of the outage
		}
		if dropped := q.forget(); dropped > 0 {
			e.cfg.Log.Warn(fmt.Sprintf("OpenTelemetry: %d %s were dropped", dropped, what))
		}
	}
}

// queue is bounded: records that do not fit are dropped.
type queue[T any] struct {
	arrived, full chan struct{}

	mu      sync.Mutex
	items   []T
	dropped int
}

func newQueue[T any]() *queue[T] {
	return &queue[T]{arrived: make(chan struct{}, 1), full: make(chan struct{}, 1)}
}

func (q *queue[T]) add(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == queueSize {
		q.dropped++
		return
	}
	q.items = append(q.items, item)
	signal(q.arrived)
	if len(q.items) >= batchSize {
		signal(q.full)
	}
}

// take removes a batch.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.items), batchSize)
	batch := q.items[:n:n]
	if q.items = q.items[n:]; len(q.items) == 0 {
		q.items = nil
	}
	return batch
}

func (q *queue[T]) drop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += n
}

// forget returns the number of records that were dropped since the last call.
func (q *queue[T]) forget() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// encode encodes a request, without secrets.
func (e *Exporter) encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && e.cfg.Redact != nil {
		b = e.cfg.Redact(b)
	}
	return b, err
}
