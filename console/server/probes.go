package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"baton/console"
	"baton/console/login"
	"baton/console/store"
	"baton/console/worker"
)

// meter holds the metrics of this process.
type meter struct{ started time.Time }

// probes adds the paths for monitoring.
//
//	/live the process answers
//	/ready it serves: the database answers, and it is not stopping
//	/health like /ready, with details as JSON
//	/metrics in the text format of Prometheus
func (s *Server) probes(mux *http.ServeMux) {
	s.meter.started = s.config.Now()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "live\n") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if problem := s.problem(r.Context()); problem != "" {
			http.Error(w, problem, http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ready\n")
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		report := map[string]string{"status": "ok", "version": s.config.Version, "database": s.in.Store.Database()}
		code := http.StatusOK
		if problem := s.problem(r.Context()); problem != "" {
			report["status"], report["problem"], code = "unavailable", problem, http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(report)
	})
	mux.HandleFunc("GET /metrics", s.metrics)
}

// problem returns why the console cannot serve; "" if it can.
func (s *Server) problem(ctx context.Context) string {
	if s.stopping.Load() {
		return "the console is stopping"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.in.Store.View(ctx, func(t *store.Tx) error { _, err := t.ChainHead(); return err }); err != nil {
		s.log.Error("the database does not answer", "error", err)
		return "the database does not answer"
	}
	return ""
}

// metrics prints the figures.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	metric := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP baton_console_%s %s\n# TYPE baton_console_%s %s\n", name, help, name, kind)
	}
	value := func(name, labels string, v any) {
		if labels != "" {
			labels = "{" + labels + "}"
		}
		fmt.Fprintf(&b, "baton_console_%s%s %v\n", name, labels, v)
	}
	now := s.config.Now()
	err := s.in.Store.View(r.Context(), func(t *store.Tx) error {
		b.Reset()
		metric("info", "gauge", "Version and database of the console.")
		value("info", label("version", s.config.Version)+","+label("database", s.in.Store.Database()), 1)
		metric("start_time_seconds", "gauge", "When this process began to serve.")
		value("start_time_seconds", "", s.meter.started.Unix())
		metric("goroutines", "gauge", "Goroutines of this process.")
		value("goroutines", "", runtime.NumGoroutine())
		metric("password_hashes_total", "counter", "Password hashes that this process computed: one for each login that is tried.")
		value("password_hashes_total", "", login.Hashes())
		head, err := t.ChainHead()
		if err != nil {
			return err
		}
		metric("events_total", "counter", "Events in the audit chain.")
		value("events_total", "", head.Number)
		pauses, err := t.Pauses()
		if err != nil {
			return err
		}
		metric("paused", "gauge", "Whether something is paused.")
		value("paused", label("what", "writes"), number(pauses.Writes))
		value("paused", label("what", "mail"), number(pauses.Mail))
		value("paused", label("what", "webhooks"), number(pauses.Webhooks))
		metric("due_lag_seconds", "gauge", "How long the most overdue row of a kind has waited.")
		for _, kind := range worker.Kinds() {
			when, ok, err := t.NextDue(kind)
			if err != nil {
				return err
			}
			lag := 0.0
			if ok && now.After(when) {
				lag = now.Sub(when).Seconds()
			}
			value("due_lag_seconds", label("kind", kind), lag)
		}
		return connectorMetrics(t, metric, value)
	})
	if err != nil {
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	io.WriteString(w, b.String())
}

func connectorMetrics(t *store.Tx, metric func(name, kind, help string), value func(name, labels string, v any)) error {
	connectors, err := t.Connectors("")
	if err != nil {
		return err
	}
	type row struct {
		labels string
		head   *console.Sync
		held   bool
		paused bool
	}
	var rows []row
	for _, c := range connectors {
		head, err := t.HeadSync(c.Stream)
		if err != nil {
			return err
		}
		held, err := t.HeldSync(c.ID)
		if err != nil {
			return err
		}
		rows = append(rows, row{label("connector", c.Name), head, held != nil, c.Paused})
	}
	metric("connector_last_sync_time_seconds", "gauge", "When the newest applied sync of a connector began; 0 before the first.")
	for _, r := range rows {
		began := int64(0)
		if r.head != nil {
			began = r.head.Began.Unix()
		}
		value("connector_last_sync_time_seconds", r.labels, began)
	}
	metric("connector_facts", "gauge", "Facts that the newest applied sync of a connector shows.")
	for _, r := range rows {
		facts := int64(0)
		if r.head != nil {
			facts = r.head.Counts.Facts
		}
		value("connector_facts", r.labels, facts)
	}
	metric("connector_held", "gauge", "Whether a sync of a connector is held.")
	for _, r := range rows {
		value("connector_held", r.labels, number(r.held))
	}
	metric("connector_paused", "gauge", "Whether a connector is paused.")
	for _, r := range rows {
		value("connector_paused", r.labels, number(r.paused))
	}
	return nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// label writes one label of a metric.
func label(name, value string) string {
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(value, "\ufffd")) + `"`
}
