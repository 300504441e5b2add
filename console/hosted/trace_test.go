package hosted_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
	"baton/console/telemetry"
	"baton/console/worker"
	"baton/internal/otlp"
)

type collectedSpan struct {
	TraceID, SpanID, ParentSpanID, Name string
	Links                               []struct{ TraceID, SpanID string }
}

// collector is an OpenTelemetry collector.
type collector struct {
	mu    sync.Mutex
	spans []collectedSpan
	body  strings.Builder // everything that was sent
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var m struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []collectedSpan }
		}
	}
	if err != nil || json.Unmarshal(b, &m) != nil {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body.Write(b)
	for _, rs := range m.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

// trace approves a request in a request over HTTP while spans go to a URL, until a sync has verified the
// operation, and ends the export.
func trace(t *testing.T, url string) *course {
	t.Helper()
	cfg, _, err := otlp.Configure(map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "200"}, otlp.Options{Service: "baton-console"})
	if err != nil {
		t.Fatal(err)
	}
	exporter := otlp.New(cfg)
	tracer := telemetry.NewTracer(exporter.Span, time.Now)
	c := startCourse(t, nil, func(w *world, config *worker.Config) {
		w.store.Observe(telemetry.NewMeter(), tracer)
		config.Tracer = tracer
	})
	e, u := c.group(adminGroup), c.outsider(adminGroup)
	ana, owner, officer := c.person("Ana Secretname", u.ID), c.person("Olga", ""), c.person("Sami", "", console.SecurityOfficer)
	c.update(func(tx *store.Tx) error {
		a, err := tx.App(c.app)
		if err != nil {
			return err
		}
		a.Owners = []console.ID{owner.Person.ID}
		if err := tx.ChangeApp(a); err != nil {
			return err
		}
		return tx.SetRoleMap(c.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{e}}}}, 0)
	})
	r, err := c.console.SubmitRequest(t.Context(), ana, govern.NewRequest{App: c.app, Entitlement: e, Why: "a secret reason"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.decide(owner, r.ID, true); err != nil {
		t.Fatal(err)
	}
	front := telemetry.Observer{Tracer: tracer, Log: slog.New(slog.DiscardHandler), Now: time.Now}.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		telemetry.Begin(q, "POST /approvals/{request}")
		now := c.request(r.ID)
		if _, err := c.console.Decide(q.Context(), officer, govern.NewDecision{Request: r.ID, Step: now.Plan.Steps[now.Step].ID, Version: now.Version, Approve: true}); err != nil {
			t.Error(err)
		}
	}))
	call := httptest.NewRequest(http.MethodPost, "/approvals/1?token=secret", nil)
	call.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	call.Header.Set("Authorization", "Bearer secret")
	front.ServeHTTP(httptest.NewRecorder(), call)
	c.state(c.request(r.ID).Operation, console.Verified)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	exporter.Close(ctx)
	return c
}

// TestTrace follows an approval to the sync that verifies its operation, in one trace, without a secret
// or a name.
func TestTrace(t *testing.T) {
	got := &collector{}
	server := httptest.NewServer(got)
	defer server.Close()
	c := trace(t, server.URL)
	got.mu.Lock()
	defer got.mu.Unlock()
	byName := map[string]collectedSpan{}
	ids := []string{"00f067aa0ba902b7"}
	var ours []collectedSpan
	for _, s := range got.spans {
		if s.TraceID == "4bf92f3577b34da6a3ce929d0e0e4736" {
			ours, ids, byName[s.Name] = append(ours, s), append(ids, s.SpanID), s
		}
	}
	for _, name := range []string{"POST /approvals/{request}", "command", "transaction", "operation queued", "operation dispatched", "operation applied", "operation verified"} {
		if byName[name].SpanID == "" {
			t.Errorf("no span %q among %+v", name, ours)
		}
	}
	for _, s := range ours {
		if !slices.Contains(ids, s.ParentSpanID) {
			t.Errorf("%s has no parent in the trace", s.Name)
		}
	}
	if links := byName["operation verified"].Links; len(links) != 1 {
		t.Errorf("the verification does not link the work that found it: %+v", links)
	}
	sent := strings.ToLower(got.body.String())
	for _, secret := range []string{"secret", c.token, "ana", "console.example"} {
		if strings.Contains(sent, strings.ToLower(secret)) {
			t.Errorf("%q was exported", secret)
		}
	}
	if !strings.Contains(sent, "due "+console.DueIngest) {
		t.Error("there is no span of an ingest")
	}
}

// TestSilentCollector checks that nothing is lost while the collector does not answer.
func TestSilentCollector(t *testing.T) {
	silent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer server.Close()
	defer close(silent)
	trace(t, server.URL)
}
