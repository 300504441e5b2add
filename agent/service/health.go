package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"baton"
)

const (
	// slack is how late the poll loop may be.
	slack = time.Minute
	// patientFor is how long a task may make no progress. Waits that the upstream asks
	// for are shorter.
	patientFor = time.Hour
	// outage is how long ConductorOne may be unreachable before the service is unhealthy.
	outage = time.Minute
)

// watch records when the poll loop is due.
type watch struct{ due atomic.Int64 } // Unix nanoseconds; 0 is never

func (w *watch) back(after time.Duration) { w.due.Store(time.Now().Add(after + slack).UnixNano()) }
func (w *watch) rest()                    { w.due.Store(0) }
func (w *watch) late(now time.Time) bool {
	due := w.due.Load()
	return due != 0 && now.UnixNano() > due
}

// condition is the state of the connection with C1.
type condition struct {
	mu      sync.Mutex
	ready   bool      // hello was accepted, and the service is not stopping
	good    time.Time // last call that succeeded
	failing error     // of the last call, nil if it succeeded
}

func (c *condition) contact(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = err
	if err == nil {
		c.good = time.Now()
	}
}

func (c *condition) setReady(ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = ready
}

// report is the body of the answer to a probe.
type report struct {
	Status    string            `json:"status"`
	Timestamp time.Time         `json:"timestamp"`
	Details   map[string]string `json:"details,omitempty"`
}

// serveHealth serves the probes and the metrics until the returned func is called.
func (s *service) serveHealth(addr string) (stop func(), err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "health check: %w", err).
			WithFix("choose another address with --health-check-bind-address and --health-check-port")
	}
	server := &http.Server{Handler: s.probes(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // returns an error when it is closed
	}()
	s.log.Info("health check is served", "address", listener.Addr().String())
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-done
	}, nil
}

// probes answers from memory, without a request to the upstream.
func (s *service) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", probe("healthy", "unhealthy", s.health))
	mux.HandleFunc("/ready", probe("ready", "not_ready", s.ready))
	mux.HandleFunc("/live", probe("alive", "not_alive", s.live))
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(prometheus(s.measure()))
	})
	return mux
}

func probe(good, bad string, problem func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, code := report{Status: good, Timestamp: time.Now().UTC()}, http.StatusOK
		if p := problem(); p != "" {
			body.Status, body.Details, code = bad, map[string]string{"error": p}, http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// health describes the problem of the service, or returns "".
func (s *service) health() string {
	if p := s.ready(); p != "" {
		return p
	}
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	if s.status.failing != nil && time.Since(s.status.good) > outage {
		return s.status.failing.Error()
	}
	return ""
}

// ready explains why the service takes no tasks, or returns "".
func (s *service) ready() string {
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	switch {
	case s.status.ready:
		return ""
	case s.soft.Err() != nil:
		return "the service is stopping"
	case s.status.failing != nil:
		return s.status.failing.Error()
	}
	return "ConductorOne has not accepted the connector yet"
}

// live explains why the service must be restarted, or returns "": the poll loop or a task
// makes no progress.
func (s *service) live() string {
	now := time.Now()
	if s.watch.late(now) {
		return "the poll loop makes no progress"
	}
	if id := s.ledger.stuck(now, patientFor); id != "" {
		return fmt.Sprintf("task %s has made no progress for %s", id, patientFor)
	}
	return ""
}
