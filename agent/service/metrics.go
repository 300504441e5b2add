package service

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// metrics holds the metrics of the service.
type metrics struct {
	mu     sync.Mutex
	values map[string]map[string]float64 // by name and formatted labels
	labels map[string][]string           // pairs of name and value, by formatted labels
}

// Reading is the current value of one metric. Labels are pairs of name and value.
type Reading struct {
	Name, Description string
	Counter           bool // it only grows
	Labels            []string
	Value             float64
}

func newMetrics() *metrics {
	return &metrics{values: map[string]map[string]float64{}, labels: map[string][]string{}}
}

// families lists all metrics. Those whose names end in _total are counters.
func families() [][2]string {
	return [][2]string{
		{"baton_info", "The connector and its version."},
		{"baton_credential_accepted", "1 while ConductorOne accepts the credential, 0 once it refused it."},
		{"baton_token_requests_total", "Requests for an access token."},
		{"baton_last_contact_timestamp_seconds", "Time of the last successful call to ConductorOne."},
		{"baton_polls_total", "Requests for tasks."},
		{"baton_tasks_total", "Tasks that ended, by type and gRPC code."},
		{"baton_tasks_running", "Tasks that are running."},
		{"baton_finishes_total", "Attempts to send the answer of a task to ConductorOne."},
		{"baton_uploads_total", "Attempts to upload a sync."},
		{"baton_last_successful_sync_timestamp_seconds", "Time of the last upload of a full sync."},
		{"baton_sync_held", "1 if the last full sync was held because of missing rows, otherwise 0."},
		{"baton_syncs_held_total", "Syncs that were held."},
		{"baton_sync_compared", "1 if the last full sync was compared with the previous one, 0 if none was available."},
		{"baton_uploads_remembered", "Earlier uploads that are known here; with 0, the next sync is compared with nothing."},
		{"baton_state_temporary", "1 if the state directory is known to end with this service."},
		{"baton_sync_pages_total", "Pages read from the upstream."},
		{"baton_sync_resources", "Resources in the last sync, by type."},
		{"baton_sync_entitlements", "Entitlements in the last sync, by resource type."},
		{"baton_sync_grants", "Grants in the last sync, by resource type."},
		{"baton_upstream_requests_total", "Requests to the upstream, by status; 0 is no answer."},
		{"baton_upstream_credential_accepted", "1 while the upstream accepts the credential, 0 once it answered 401."},
		{"baton_upstream_waits_total", "Waits before another attempt, because of a rate limit or a failure."},
		{"baton_upstream_wait_seconds_total", "Total time of such waits."},
		{"process_start_time_seconds", "Start time of the service."},
		{"process_resident_memory_bytes", "Resident memory size in bytes."},
		{"go_memstats_heap_alloc_bytes", "Heap bytes in use."},
		{"go_goroutines", "Number of goroutines."},
	}
}

// count adds to a value. Labels are pairs of name and value.
func (m *metrics) count(name string, by float64, labels ...string) {
	m.update(name, labels, func(old float64) float64 { return old + by })
}

func (m *metrics) set(name string, to float64, labels ...string) {
	m.update(name, labels, func(float64) float64 { return to })
}

func (m *metrics) update(name string, labels []string, change func(float64) float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values[name] == nil {
		m.values[name] = map[string]float64{}
	}
	key := labelText(labels)
	m.labels[key] = labels
	m.values[name][key] = change(m.values[name][key])
}

func labelText(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		value := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(labels[i+1])
		pairs = append(pairs, fmt.Sprintf(`%s="%s"`, labels[i], value))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// readings returns all metrics in the order of the families.
func (m *metrics) readings() []Reading {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.set("go_memstats_heap_alloc_bytes", float64(memory.HeapAlloc))
	m.set("go_goroutines", float64(runtime.NumGoroutine()))
	if rss := residentMemory(); rss > 0 {
		m.set("process_resident_memory_bytes", rss)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Reading
	for _, f := range families() {
		values := m.values[f[0]]
		for _, key := range slices.Sorted(maps.Keys(values)) {
			list = append(list, Reading{f[0], f[1], strings.HasSuffix(f[0], "_total"), m.labels[key], values[key]})
		}
	}
	return list
}

// prometheus formats readings for Prometheus.
func prometheus(readings []Reading) []byte {
	var out bytes.Buffer
	family := ""
	for _, r := range readings {
		if r.Name != family {
			family = r.Name
			kind := "gauge"
			if r.Counter {
				kind = "counter"
			}
			fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", r.Name, r.Description, r.Name, kind)
		}
		fmt.Fprintf(&out, "%s%s %s\n", r.Name, labelText(r.Labels), strconv.FormatFloat(r.Value, 'g', -1, 64))
	}
	return out.Bytes()
}

// residentMemory returns the resident memory, 0 on systems other than Linux.
func residentMemory() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}
