package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"baton/console/store"
)

// probes adds the paths for monitoring.
//
//	/live the process answers
//	/ready it serves: the database answers, and it is not stopping
//	/health like /ready, with details as JSON
//	/metrics in the text format of Prometheus
func (s *Server) probes(mux *http.ServeMux) {
	s.started = s.config.Now()
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
