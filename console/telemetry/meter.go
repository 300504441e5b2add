package telemetry

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Meter counts what this process does. Its methods are safe for concurrent use, and a nil Meter
// counts nothing. The values of labels are the console's own words, so their number is bounded.
type Meter struct {
	mu           sync.Mutex
	requests     map[requestKey]int64
	durations    map[string]*histogram // of requests, by route
	transactions map[string]*histogram // by kind
	retries      map[string]int64      // of transactions, by kind
	operations   map[string]int64      // by the state that they reached
	ingests      histogram
	rows         int64
}

type requestKey struct {
	route  string
	status int
}

// The upper bounds of the buckets of durations, in seconds.
var (
	requestBounds     = []float64{0.005, 0.025, 0.1, 0.5, 2.5, 10}
	transactionBounds = []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2.5}
	ingestBounds      = []float64{0.1, 0.5, 2, 10, 60, 300}
)

// NewMeter returns a meter that has counted nothing.
func NewMeter() *Meter {
	return &Meter{requests: map[requestKey]int64{}, durations: map[string]*histogram{}, transactions: map[string]*histogram{}, retries: map[string]int64{},
		operations: map[string]int64{}, ingests: histogram{bounds: ingestBounds}}
}

// Request counts a request.
func (m *Meter) Request(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[requestKey{route, status}]++
	observe(m.durations, route, requestBounds, took)
}

// Transaction counts a transaction of the database. tries is how often it ran.
func (m *Meter) Transaction(kind string, took time.Duration, tries int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	observe(m.transactions, kind, transactionBounds, took)
	m.retries[kind] += int64(max(tries-1, 0))
}

// Operation counts an operation that reached a state.
func (m *Meter) Operation(state string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.operations[state]++
}

// Ingest counts a sync that was compared, with the number of its accounts and facts.
func (m *Meter) Ingest(took time.Duration, rows int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ingests.observe(took)
	m.rows += rows
}

type histogram struct {
	bounds []float64
	counts []int64 // of each bucket alone; the last is for what exceeds all bounds
	sum    float64
}

func observe(all map[string]*histogram, key string, bounds []float64, took time.Duration) {
	h := all[key]
	if h == nil {
		h = &histogram{bounds: bounds}
		all[key] = h
	}
	h.observe(took)
}

func (h *histogram) observe(took time.Duration) {
	if h.counts == nil {
		h.counts = make([]int64, len(h.bounds)+1)
	}
	i, _ := slices.BinarySearch(h.bounds, took.Seconds())
	h.counts[i]++
	h.sum += took.Seconds()
}

// Figures writes metrics in the text format of Prometheus.
type Figures struct{ w io.Writer }

// WriteFigures returns a writer of metrics.
func WriteFigures(w io.Writer) Figures { return Figures{w} }

// prefix is part of the name of every metric.
const prefix = "baton_console_"

// Metric begins a metric.
func (f Figures) Metric(name, kind, help string) {
	fmt.Fprintf(f.w, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, kind)
}

// Value writes one value of a metric. labels is empty, or one or several of [Label] with commas.
func (f Figures) Value(name, labels string, v any) {
	if labels != "" {
		labels = "{" + labels + "}"
	}
	fmt.Fprintf(f.w, "%s%s%s %v\n", prefix, name, labels, v)
}

// Label returns one label.
func Label(name, value string) string {
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(value, "\ufffd")) + `"`
}

func (f Figures) histogram(name, labels string, h histogram) {
	comma := ""
	if labels != "" {
		comma = ","
	}
	total := int64(0)
	for i, bound := range append(slices.Clone(h.bounds), 0) {
		if h.counts != nil {
			total += h.counts[i]
		}
		le := "+Inf"
		if i < len(h.bounds) {
			le = strconv.FormatFloat(bound, 'g', -1, 64)
		}
		f.Value(name+"_bucket", labels+comma+Label("le", le), total)
	}
	f.Value(name+"_sum", labels, h.sum)
	f.Value(name+"_count", labels, total)
}

// Write writes everything that was counted.
func (m *Meter) Write(f Figures) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f.Metric("http_requests_total", "counter", "Requests that this process answered.")
	for _, k := range slices.SortedFunc(maps.Keys(m.requests), func(a, b requestKey) int {
		if a.route != b.route {
			return strings.Compare(a.route, b.route)
		}
		return a.status - b.status
	}) {
		f.Value("http_requests_total", Label("route", k.route)+","+Label("status", strconv.Itoa(k.status)), m.requests[k])
	}
	f.Metric("http_request_duration_seconds", "histogram", "How long requests took.")
	for _, route := range slices.Sorted(maps.Keys(m.durations)) {
		f.histogram("http_request_duration_seconds", Label("route", route), *m.durations[route])
	}
	f.Metric("transaction_duration_seconds", "histogram", "How long transactions of the database took, with their retries.")
	for _, kind := range slices.Sorted(maps.Keys(m.transactions)) {
		f.histogram("transaction_duration_seconds", Label("kind", kind), *m.transactions[kind])
	}
	f.Metric("transaction_retries_total", "counter", "Transactions that ran again after the database aborted them.")
	for _, kind := range slices.Sorted(maps.Keys(m.retries)) {
		f.Value("transaction_retries_total", Label("kind", kind), m.retries[kind])
	}
	f.Metric("operations_total", "counter", "Operations that reached a state in this process.")
	for _, state := range slices.Sorted(maps.Keys(m.operations)) {
		f.Value("operations_total", Label("state", state), m.operations[state])
	}
	f.Metric("ingest_duration_seconds", "histogram", "How long it took to compare the file of a sync and apply or hold it.")
	f.histogram("ingest_duration_seconds", "", m.ingests)
	f.Metric("ingest_rows_total", "counter", "Accounts and facts in the files that were compared.")
	f.Value("ingest_rows_total", "", m.rows)
}
