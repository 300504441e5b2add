package storm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/c1ztest"
	"baton/connector/rest"
)

// Wrapper changes a connector before it is used, to plant bugs.
type Wrapper func(*baton.Connector, http.RoundTripper) *baton.Connector

// SyncRun is one sync under faults. The seed determines everything but the wrapper.
type SyncRun struct {
	Seed     uint64
	Upstream string   // "perplexity" or "percipio"
	Alone    []string // exactly these faults; random if nil
	Wrap     Wrapper
}

// event happens before the request with that number.
type event struct {
	at     int
	faults []string // active from then on
	change bool     // change the organisation
}

// maxRequests limits the requests of a sync. No sync needs nearly as many.
const maxRequests = 20_000

// logBuffer keeps the log, to search it for the token.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (d *logBuffer) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buf.Write(p)
}

func (d *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (d *logBuffer) shows(secret string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Contains(d.buf.String(), secret)
}

// Run runs the sync in a synctest bubble and returns the failures.
func (s SyncRun) Run(t *testing.T, tally *Tally) (wrong []string) {
	r := rand.New(rand.NewPCG(s.Seed, 0x5709))
	var log logBuffer
	org := newPerplexity
	if s.Upstream == "percipio" {
		org = newPercipio
	}
	time.Sleep(time.Until(today)) // a bubble's clock starts before the sandbox's first progress
	if s.Alone != nil {
		org = demonstration(s.Upstream, has(s.Alone, "search-fail", "search-429", "search-locale", "search-crowded"))
	}
	on := &syncing{run: s, rand: r, truth: newTruth(), met: map[string]bool{}, tenant: org(r, &log), path: filepath.Join(t.TempDir(), "sync.c1z"), temp: t.TempDir()}
	on.tenant.hook = on.before
	on.wire = newWire(on.tenant)
	if has(s.Alone, crowds...) {
		on.wire.maxBody = 64 << 20
	}
	defer on.wire.end()
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	connector, err := on.tenant.connect(on.wire)
	if err != nil {
		return []string{err.Error()}
	}
	if s.Wrap != nil {
		connector = s.Wrap(connector, on.wire)
	}
	on.connector = connector
	if s.Alone == nil && chance(r, 20) {
		if _, err := on.sync(); err != nil {
			if baton.KindOf(err) == baton.Incomplete && !on.whole() {
				return nil // a tenant without grants
			}
			fail("the first sync, before the storm: %v", err)
			return wrong
		}
		on.truth = newTruth()
	}
	before, _ := os.ReadFile(on.path)
	on.plan()
	first := on.settings
	res, err := on.sync()
	outcome, problem := on.judge(res, err, before)
	if problem != "" {
		fail("%s", problem)
	}
	on.tally(tally, "sync "+s.Upstream, outcome, err)
	if err != nil && outcome != Held {
		if problem := on.again(); problem != "" {
			fail("the sync after the storm: %s", problem)
		}
	}
	for _, stray := range on.wire.stray {
		fail("a request went elsewhere: %s", stray)
	}
	if log.shows(token) {
		fail("the log shows the token")
	}
	if held := on.wire.held(); held > maxHeld {
		fail("it held %d MiB", held>>20)
	}
	if len(wrong) > 0 {
		fail("faults %q, then %s", first, on.story())
	}
	return wrong
}

// today is the date of all runs.
var today = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// syncing is the state of a run.
type syncing struct {
	run       SyncRun
	rand      *rand.Rand
	tenant    *tenant
	wire      *wire
	connector *baton.Connector
	path      string
	temp      string

	mu       sync.Mutex
	base     int // requests before the plan
	seen     int
	settings []string
	events   []event
	changed  bool
	truth    *truth
	met      map[string]bool
	over     bool // faults have ended
}

// plan sets the first faults and plans the events.
func (s *syncing) plan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, table := s.rand, s.table()
	s.base = s.seen
	s.settings = s.run.Alone
	if has(s.settings, "stale-reads", "stale-reads-always") {
		s.events = append(s.events, event{at: s.base + 2, change: true}) // creates an old state to show
	}
	if s.settings == nil {
		s.settings = faults(r, table, r.IntN(5)+1)
		for range r.IntN(4) {
			e := event{at: s.base + 1 + r.IntN(20), change: chance(r, 60)}
			if !e.change {
				e.faults = faults(r, table, r.IntN(4))
			}
			s.events = append(s.events, e)
		}
	}
	s.mustSet(s.settings)
}

func (s *syncing) mustSet(settings []string) {
	for name := range s.tenant.FaultsMet() {
		s.met[name] = true
	}
	if err := s.tenant.SetFaults(settings...); err != nil {
		panic(err) // the plan is made from the table
	}
}

// before runs before each request. It carries out events and takes a snapshot.
func (s *syncing) before(n int, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = n
	for _, e := range s.events {
		if e.at != n || s.over {
			continue
		}
		s.snapshot()
		if e.change {
			s.tenant.change(s.rand)
			s.changed = true
		} else {
			s.mustSet(e.faults)
		}
	}
	s.snapshot()
}

func (s *syncing) snapshot() { s.truth.add(s.tenant.snapshot(), s.tenant.ActiveFaults()) }

// sync runs one sync and observes it.
func (s *syncing) sync() (syncer.Result, error) {
	time.Sleep(time.Minute) // two syncs must not end at the same instant
	ctx, cancel := context.WithTimeout(context.Background(), 30*24*time.Hour)
	defer cancel()
	s.mu.Lock()
	s.snapshot()
	s.wire.mu.Lock()
	s.wire.limit, s.wire.endless = s.wire.requests+maxRequests, cancel
	s.wire.mu.Unlock()
	s.mu.Unlock()
	res, err := syncer.Run(ctx, syncer.Config{Connector: s.connector, Path: s.path, Log: slog.New(slog.DiscardHandler)})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot()
	if ctx.Err() != nil {
		err = errors.Join(errEndless, err)
	}
	return res, err
}

var errEndless = errors.New("the sync does not come to an end")

// judge returns the outcome of the sync, and the failure, if any.
func (s *syncing) judge(_ syncer.Result, err error, before []byte) (outcome, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		found, err := read(s.path)
		if err != nil {
			return Right, "the file cannot be read: " + err.Error()
		}
		blind := blind(s.truth, s.changed)
		if problem := s.truth.against(found, blind); problem != "" {
			return Right, problem
		}
		if blind {
			return Blind, ""
		}
		return Right, ""
	}
	outcome = Failed
	if baton.KindOf(err) == baton.Refused && strings.Contains(err.Error(), "held") {
		outcome = Held
	}
	after, _ := os.ReadFile(s.path)
	switch {
	case errors.Is(err, errEndless):
		problem = "endless"
	case !bytes.Equal(before, after):
		problem = "it failed, and the file is another"
	case errors.Is(err, rest.ErrTooLarge) && s.truth.on(crowds...):
		problem = unclear(err) // the server sends more for one group than the client reads
	case !s.changed && s.truth.harmless() && outcome != Held:
		problem = "it failed without a reason"
	default:
		problem = unclear(err)
	}
	if problem != "" {
		problem += ": " + err.Error()
	}
	return outcome, problem
}

// unclear returns why an error does not help a person, or "".
func unclear(err error) string {
	switch {
	case baton.KindOf(err) == baton.Internal:
		return "an error that nobody has classified"
	case baton.FixOf(err) == "":
		return "an error that does not say what to do"
	case strings.ContainsAny(err.Error(), "\n\x1b"):
		return "an error of several lines"
	case strings.Contains(err.Error()+baton.FixOf(err), token):
		return "an error that shows the token"
	}
	return ""
}

// again syncs without faults, resuming the pages that remain.
func (s *syncing) again() string {
	s.mu.Lock()
	s.mustSet(nil)
	s.over = true
	s.mu.Unlock()
	_, err := s.sync()
	// If a fault cut a list short, that is noticed at its end, and the next sync reads the list again.
	for n := 0; n < 3 && baton.KindOf(err) == baton.Incomplete && unclear(err) == ""; n++ {
		_, err = s.sync()
	}
	if err != nil && baton.KindOf(err) == baton.Incomplete && !s.whole() {
		return "" // the tenant has become empty
	}
	if err != nil && !strings.Contains(err.Error(), "held") {
		return err.Error()
	}
	if err != nil {
		return ""
	}
	found, err := read(s.path)
	if err != nil {
		return err.Error()
	}
	return s.truth.against(found, blind(s.truth, s.changed))
}

// whole reports whether the organisation has users and grants.
func (s *syncing) whole() bool {
	users, grants := 0, 0
	for id := range s.tenant.snapshot().rows {
		if _, _, ok := holder(id); ok {
			grants++
		} else if strings.HasPrefix(id, "user:") {
			users++
		}
	}
	return users > 0 && grants > 0
}

func (s *syncing) tally(t *Tally, operation, outcome string, err error) {
	if t == nil {
		return
	}
	for name := range s.tenant.FaultsMet() {
		s.met[name] = true
	}
	kind := ""
	if err != nil {
		kind = baton.KindOf(err).String()
	}
	var met []string
	for name := range s.met {
		met = append(met, s.run.Upstream+" "+name)
	}
	t.count(operation, outcome, kind, met, s.seen)
}

func (s *syncing) story() string {
	var parts []string
	slices.SortFunc(s.events, func(a, b event) int { return a.at - b.at })
	for _, e := range s.events {
		if e.change {
			parts = append(parts, fmt.Sprintf("a change before request %d", e.at-s.base))
		} else {
			parts = append(parts, fmt.Sprintf("%q before request %d", e.faults, e.at-s.base))
		}
	}
	return fmt.Sprintf("%s; %d requests, met %q", strings.Join(parts, ", "), s.seen-s.base, slices.Sorted(maps.Keys(s.met)))
}

// read returns the rows of a file.
func read(path string) (rows, error) {
	all, err := c1ztest.Read(path)
	found := rows{ids: map[string]bool{}, names: map[string]string{}}
	for _, id := range all.IDs() {
		found.ids[id] = true
	}
	for _, u := range all.ResourcesOf("user") {
		found.names[u.ID.String()] = u.DisplayName
	}
	return found, err
}
