package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/console/rpc/rpctest"
	"baton/internal/pause"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	"baton/wire"
)

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	dialed atomic.Int64
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (p *pipes) dial(ctx context.Context, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		p.dialed.Add(1)
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubble is a control plane in memory with a service, on a fake clock.
type bubble struct {
	t      *testing.T
	c1     *rpctest.Server
	http   *http.Server
	pipes  *pipes
	config Config
	over   *network
	ctx    context.Context
	kill   func()
	done   chan error
}

func newBubble(t *testing.T, connector *baton.Connector) *bubble {
	t.Helper()
	dir := t.TempDir()
	b := &bubble{t: t, pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, done: make(chan error, 1)}
	var err error
	if b.c1, err = rpctest.New(rpctest.Config{Host: "c1.example", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	id, secret, err := b.c1.Issue(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	certificate, ca, err := rpctest.NewCertificate(dir, "c1.example")
	if err != nil {
		t.Fatal(err)
	}
	b.http = &http.Server{Handler: b.c1.Handler(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}, ErrorLog: log.New(io.Discard, "", 0)}
	go b.http.ServeTLS(b.pipes, "", "")
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	b.over = &network{roots: roots, dial: b.pipes.dial}
	b.config = Config{ClientID: id, ClientSecret: secret, StateDir: t.TempDir(), Provisioning: true,
		Open: func(context.Context, func(rest.Attempt)) (*baton.Connector, error) { return connector, nil }}
	b.ctx, b.kill = context.WithCancel(t.Context())
	return b
}

func (b *bubble) start() {
	go func() { b.done <- run(b.ctx, b.config, b.over) }()
}

// end stops everything and returns the result of the service.
func (b *bubble) end() error {
	b.kill()
	err := <-b.done
	b.http.Close()
	b.c1.Close()
	return err
}

func fake() *baton.Connector {
	return &baton.Connector{Name: "baton-fake", DisplayName: "Fake",
		ResourceTypes: []baton.ResourceType{{ID: "user"}, {ID: "group", Provision: true}}}
}

// TestIdleForAnHour lets the service poll for an hour without tasks.
func TestIdleForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, fake())
		b.start()
		time.Sleep(5*time.Minute + 700*time.Millisecond) // between two polls
		synctest.Wait()
		var before, after runtime.MemStats
		goroutines, dialed := runtime.NumGoroutine(), b.pipes.dialed.Load()
		runtime.GC()
		runtime.ReadMemStats(&before)
		time.Sleep(time.Hour)
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		// A leak of one goroutine in each of 720 polls would show; goroutines of other tests do not count.
		if n := runtime.NumGoroutine(); n > goroutines+20 {
			t.Errorf("%d goroutines became %d", goroutines, n)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		// The token was renewed six or seven times over connections that may have been closed meanwhile.
		// There is not one connection per call.
		if n := b.pipes.dialed.Load() - dialed; n > 10 {
			t.Errorf("%d connections were made", n)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestOutageForAnHour makes C1 unreachable for an hour. The service retries rarely, and continues afterwards.
func TestOutageForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, fake())
		var gone atomic.Bool
		var tries atomic.Int64
		dial := b.over.dial
		b.over.dial = func(ctx context.Context, addr string) (net.Conn, error) {
			if gone.Load() {
				tries.Add(1)
				return nil, errors.New("no route to host")
			}
			return dial(ctx, addr)
		}
		gone.Store(true)
		b.start()
		time.Sleep(time.Hour)
		if n := tries.Load(); len(b.c1.Hellos()) != 0 || n < 12 || n > 200 {
			t.Errorf("%d hellos after %d tries", len(b.c1.Hellos()), n)
		}
		gone.Store(false)
		time.Sleep(7 * time.Minute)
		id, err := b.c1.Enqueue(t.Context(), "fake", &batonv1.Task{TaskType: &batonv1.Task_ListEventFeeds{ListEventFeeds: &batonv1.Task_ListEventFeedsTask{}}})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := b.c1.Wait(t.Context(), id); err != nil || !r.OK() {
			t.Errorf("%v, %v", r, err)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestLongTask runs a change that takes minutes, with C1 reachable and unreachable.
func TestLongTask(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		fault string
		code  int32
		beats int
	}{
		"heard of":  {4 * time.Minute, "", 0, 8},
		"short":     {5 * time.Second, "", 0, 0},
		"cancelled": {4 * time.Minute, "heartbeat-cancelled=1", 1, 1},
		"lost":      {20 * time.Minute, "heartbeat-error=UNAVAILABLE", 1, 0},
		"taken":     {20 * time.Minute, "heartbeat-error=NOT_FOUND", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connector := fake()
				connector.Revoke = func(ctx context.Context, _ baton.GrantRequest) (baton.Outcome, error) {
					return baton.Outcome{}, pause.For(ctx, c.takes)
				}
				b := newBubble(t, connector)
				if c.fault != "" {
					if err := b.c1.SetFault(c.fault); err != nil {
						t.Fatal(err)
					}
				}
				b.start()
				synctest.Wait()
				began := time.Now()
				id, err := b.c1.Enqueue(t.Context(), "fake", revocation())
				if err != nil {
					t.Fatal(err)
				}
				r, err := b.c1.Wait(t.Context(), id)
				if err != nil || r.Status.GetCode() != c.code || r.NonRetryable {
					t.Errorf("%v, %v", r, err)
				}
				if beats := b.c1.Tasks()[0].Heartbeats; beats != c.beats {
					t.Errorf("%d heartbeats", beats)
				}
				if took := time.Since(began); took > 10*time.Minute {
					t.Errorf("it took %v", took)
				}
				if err := b.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func revocation() *batonv1.Task {
	group := &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "group", Resource: "g"}}
	user := &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: "u"}}
	return &batonv1.Task{TaskType: &batonv1.Task_Revoke{Revoke: &batonv1.Task_RevokeTask{Grant: &connectorv2.Grant{
		Id: "group:g:member:user:u", Entitlement: &connectorv2.Entitlement{Id: "group:g:member", Resource: group}, Principal: user}}}}
}

// TestProbes requests the health of a service in each of its states.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soft, stop := context.WithCancel(t.Context())
		defer stop()
		s := &service{soft: soft, ledger: newLedger(), metrics: newMetrics(), log: slog.New(slog.DiscardHandler)}
		probes := s.probes()
		ask := func(path string) (int, string) {
			w := httptest.NewRecorder()
			probes.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w.Code, w.Body.String()
		}
		expect := func(when string, want map[string]int) {
			t.Helper()
			good := map[string]string{"/health": "healthy", "/ready": "ready", "/live": "alive"}
			bad := map[string]string{"/health": "unhealthy", "/ready": "not_ready", "/live": "not_alive"}
			for path, code := range want {
				got, text := ask(path)
				var body struct {
					Status    string
					Timestamp time.Time
					Details   map[string]string
				}
				if err := json.Unmarshal([]byte(text), &body); err != nil || !strings.HasSuffix(text, "}\n") {
					t.Fatalf("%s: %q, %v", path, text, err)
				}
				status := good[path]
				if code != 200 {
					status = bad[path]
				}
				if got != code || body.Status != status || (body.Details["error"] == "") != (code == 200) || !body.Timestamp.Equal(time.Now()) {
					t.Errorf("%s: %s says %d %s", when, path, got, text)
				}
			}
		}
		expect("at the start", map[string]int{"/health": 503, "/ready": 503, "/live": 200})
		s.contact(nil)
		s.status.setReady(true)
		s.watch.back(time.Second)
		expect("in service", map[string]int{"/health": 200, "/ready": 200, "/live": 200})
		s.contact(errAway)
		expect("after one failure", map[string]int{"/health": 200, "/ready": 200, "/live": 200})
		time.Sleep(2 * time.Minute)
		expect("when C1 is away and the loop is late", map[string]int{"/health": 503, "/ready": 200, "/live": 503})
		s.contact(nil)
		s.watch.rest()
		s.ledger.take(wire.Task{ID: "a"})
		time.Sleep(50 * time.Minute)
		expect("while a task works", map[string]int{"/health": 200, "/live": 200})
		s.observe(rest.Attempt{Status: 429, Wait: 90 * time.Second})
		time.Sleep(50 * time.Minute)
		expect("while the upstream answers", map[string]int{"/live": 200})
		time.Sleep(20 * time.Minute)
		expect("when it stands still", map[string]int{"/health": 200, "/live": 503})
		stop()
		s.status.setReady(false)
		expect("when it stops", map[string]int{"/health": 503, "/ready": 503})
		if code, _ := ask("/else"); code != 404 {
			t.Errorf("another path: %d", code)
		}
		s.metrics.set("baton_info", 1, "connector", "a\"b\\c\nd")
		_, text := ask("/metrics")
		for _, want := range []string{
			"# HELP baton_upstream_requests_total Requests to the upstream, by status; 0 is no answer.\n# TYPE baton_upstream_requests_total counter\nbaton_upstream_requests_total{status=\"429\"} 1\n",
			"\nbaton_upstream_wait_seconds_total 90\n", "baton_info{connector=\"a\\\"b\\\\c\\nd\"} 1\n", "# TYPE baton_tasks_running gauge\nbaton_tasks_running 1\n", "go_goroutines ",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
	})
}
