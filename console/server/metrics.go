package server

import (
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"baton/console"
	"baton/console/login"
	"baton/console/store"
	"baton/console/telemetry"
	"baton/console/web"
	"baton/console/worker"
)

// metrics answers with the figures of the database and of this process.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	now := s.config.Now()
	err := s.in.Store.View(r.Context(), func(t *store.Tx) error {
		b.Reset()
		f := telemetry.WriteFigures(&b)
		s.processMetrics(f)
		if err := s.chainMetrics(t, f, now); err != nil {
			return err
		}
		figures, err := t.Figures(now, worker.Kinds())
		if err != nil {
			return err
		}
		workMetrics(f, figures)
		return connectorMetrics(t, f)
	})
	if err != nil {
		s.log.ErrorContext(r.Context(), "the metrics cannot be read", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	io.WriteString(w, b.String())
}

// processMetrics writes the figures of this process.
func (s *Server) processMetrics(f telemetry.Figures) {
	label := telemetry.Label
	f.Metric("info", "gauge", "Version and database of the console.")
	f.Value("info", label("version", s.config.Version)+","+label("go_version", runtime.Version())+","+label("database", s.in.Store.Database()), 1)
	f.Metric("start_time_seconds", "gauge", "When this process began to serve.")
	f.Value("start_time_seconds", "", s.started.Unix())
	f.Metric("goroutines", "gauge", "Goroutines of this process.")
	f.Value("goroutines", "", runtime.NumGoroutine())
	f.Metric("event_streams", "gauge", "Pages in browsers that this process keeps up to date.")
	f.Value("event_streams", "", web.Streams())
	f.Metric("password_hashes_total", "counter", "Password hashes that this process computed: one for each login that is tried.")
	f.Value("password_hashes_total", "", login.Hashes())
	s.meter.Write(f)
}

// chainMetrics writes the length of the audit chain, and what is paused.
func (s *Server) chainMetrics(t *store.Tx, f telemetry.Figures, now time.Time) error {
	label := telemetry.Label
	head, err := t.ChainHead()
	if err != nil {
		return err
	}
	f.Metric("events_total", "counter", "Events in the audit chain.")
	f.Value("events_total", "", head.Number)
	sent, err := t.LastHeadSent()
	if err != nil {
		return err
	}
	f.Metric("head_sent_age_seconds", "gauge", "How long ago a signed head of the audit chain left; missing if none ever did.")
	if !sent.IsZero() {
		f.Value("head_sent_age_seconds", "", now.Sub(sent).Seconds())
	}
	pauses, err := t.Pauses()
	if err != nil {
		return err
	}
	f.Metric("paused", "gauge", "Whether something is paused.")
	f.Value("paused", label("what", "writes"), number(pauses.Writes))
	f.Value("paused", label("what", "mail"), number(pauses.Mail))
	f.Value("paused", label("what", "webhooks"), number(pauses.Webhooks))
	return nil
}

// workMetrics writes what waits.
func workMetrics(f telemetry.Figures, figures store.Figures) {
	label := telemetry.Label
	f.Metric("due_rows", "gauge", "Rows of a kind that are due and that nobody works on, 10,000 at most.")
	for _, d := range figures.Due {
		f.Value("due_rows", label("kind", d.Kind), d.Rows)
	}
	f.Metric("due_lag_seconds", "gauge", "How long the most overdue row of a kind has waited.")
	for _, d := range figures.Due {
		f.Value("due_lag_seconds", label("kind", d.Kind), d.Lag.Seconds())
	}
	f.Metric("tasks", "gauge", "Unfinished tasks of connectors.")
	for _, c := range figures.Tasks {
		f.Value("tasks", label("state", c.State)+","+label("type", c.Type), c.Count)
	}
	counts := func(name, help, by string, values map[string]int64) {
		f.Metric(name, "gauge", help)
		for _, v := range slices.Sorted(maps.Keys(values)) {
			f.Value(name, label(by, v), values[v])
		}
	}
	counts("operations", "Unfinished operations, 10,000 of a state at most.", "state", figures.Operations)
	counts("findings", "Open findings, 10,000 of a kind at most.", "kind", figures.Findings)
	counts("mails", "Mails that wait or were given up, 10,000 of a state at most.", "state", figures.Mails)
	f.Metric("webhook_deliveries", "gauge", "Deliveries to webhooks that wait, 10,000 at most.")
	f.Value("webhook_deliveries", label("state", "waiting"), figures.Deliveries)
	f.Metric("webhooks_failing", "gauge", "Webhooks whose last delivery failed.")
	f.Value("webhooks_failing", "", figures.FailingWebhooks)
	f.Metric("overdue_accesses", "gauge", "Accesses whose time is over and that are still there.")
	f.Value("overdue_accesses", "", figures.Overdue)
}

func connectorMetrics(t *store.Tx, f telemetry.Figures) error {
	connectors, err := t.Connectors("")
	if err != nil {
		return err
	}
	type row struct {
		labels string
		head   *console.Sync
		facts  int64
		held   bool
		paused bool
	}
	var rows []row
	states, held := map[string]int{}, 0
	for _, c := range connectors {
		head, err := t.HeadSync(c.Stream)
		if err != nil {
			return err
		}
		heldSync, err := t.HeldSync(c.ID)
		if err != nil {
			return err
		}
		told, err := t.ToldState(c.ID)
		if err != nil {
			return err
		}
		var shown console.Counts
		if head != nil {
			if shown, err = t.CountsAt(c.Stream, head.Number); err != nil {
				return err
			}
		}
		rows = append(rows, row{telemetry.Label("connector", c.Name), head, shown.Facts, heldSync != nil, c.Paused})
		states[stateWord(told.State)]++
		held += number(heldSync != nil)
	}
	f.Metric("connectors", "gauge", "Connectors by the state that their owners were last told; none before the first.")
	for _, s := range slices.Sorted(maps.Keys(states)) {
		f.Value("connectors", telemetry.Label("state", s), states[s])
	}
	f.Metric("held_syncs", "gauge", "Connectors with a sync that waits for a person.")
	f.Value("held_syncs", "", held)
	f.Metric("connector_last_sync_time_seconds", "gauge", "When the newest applied sync of a connector began; 0 before the first.")
	for _, r := range rows {
		began := int64(0)
		if r.head != nil {
			began = r.head.Began.Unix()
		}
		f.Value("connector_last_sync_time_seconds", r.labels, began)
	}
	f.Metric("connector_facts", "gauge", "Facts that the applied syncs of a connector show.")
	for _, r := range rows {
		f.Value("connector_facts", r.labels, r.facts)
	}
	f.Metric("connector_held", "gauge", "Whether a sync of a connector is held.")
	for _, r := range rows {
		f.Value("connector_held", r.labels, number(r.held))
	}
	f.Metric("connector_paused", "gauge", "Whether a connector is paused.")
	for _, r := range rows {
		f.Value("connector_paused", r.labels, number(r.paused))
	}
	return nil
}

// stateWord returns the state of a connector as a label has it, for example "held_by_the_connector".
func stateWord(s console.ConnectionState) string {
	if s == "" {
		return "none"
	}
	return strings.ReplaceAll(strings.ToLower(string(s)), " ", "_")
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
