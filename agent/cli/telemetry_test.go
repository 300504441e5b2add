package cli_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/agent/cli"
	"baton/connector/rest"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

// collected is an OpenTelemetry collector that records requests by path.
type collected struct {
	mu     sync.Mutex
	bodies map[string]string
	keys   []string
}

func collect(t *testing.T) (*collected, *httptest.Server) {
	c := &collected{bodies: map[string]string{}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies[r.URL.Path] += string(body)
		c.keys = append(c.keys, r.Header.Get("Api-Key"))
		fmt.Fprint(w, "{}")
	}))
	t.Cleanup(server.Close)
	return c, server
}

// careless returns a program whose connector logs its token.
func careless() cli.Program {
	p := program()
	open := p.Open
	p.Open = func(v baton.Values, o rest.Options) (*baton.Connector, error) {
		token := v.Secret("fake-token")
		o.Log.Info("opened", "token", token, "header", "Bearer "+token.Reveal(), token.Reveal(), errors.New(token.Reveal()))
		return open(v, o)
	}
	return p
}

// served runs the service with a control plane for one sync. It returns the outcome and the secret of its
// credential.
func served(t *testing.T, env ...string) (out outcome, secret string) {
	t.Helper()
	c1, err := rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c1.Close()
	id, key, err := c1.Issue(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "BATON_CLIENT_ID="+id, "BATON_CLIENT_SECRET="+key.Reveal(), "BATON_CA_FILE="+c1.CAFile, "BATON_C1Z_TEMP_DIR="+t.TempDir(),
		"BATON_HOST_ID=pod-0", "BATON_LOG_LEVEL=debug")
	task, err := c1.Enqueue(t.Context(), "fake", &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	done := make(chan outcome, 1)
	go func() { done <- run(t, ctx, careless(), env) }()
	_, err = c1.Wait(ctx, task)
	cancel()
	out = <-done
	if err != nil {
		t.Fatalf("%v: %s", err, out.stderr)
	}
	return out, key.Reveal()
}

// TestExport exports to a collector over TLS and searches the requests for secrets.
func TestExport(t *testing.T) {
	c, server := collect(t)
	ca := filepath.Join(t.TempDir(), "collector.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		token string // expected by the upstream
		want  map[string][]string
	}{
		{"well", "", map[string][]string{
			"/v1/logs":    {`"stringValue":"task begins"`, `"stringValue":"Bearer REDACTED"`, `"stringValue":"task done"`, `"traceId":"`, `"stringValue":"pod-0"`, `{"key":"service.name","value":{"stringValue":"baton-fake"}}`},
			"/v1/metrics": {`"baton_tasks_total"`, `"baton_tasks_running"`, `"isMonotonic":true`, `"gauge"`},
			"/v1/traces":  {`"name":"sync_full"`, `"status":{}`},
		}},
		{"refused", "another-token", map[string][]string{
			"/v1/logs":   {`"stringValue":"task failed"`},
			"/v1/traces": {`"status":{"code":2,"message":"`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newUpstream()
			env := serve(t, u)
			if tt.token != "" {
				u.token = tt.token
			}
			c.bodies = map[string]string{}
			out, secret := served(t, append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE=" + ca,
				"OTEL_EXPORTER_OTLP_HEADERS=api-key=for%20the%20collector", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, env...)...)
			c.mu.Lock()
			defer c.mu.Unlock()
			for path, texts := range tt.want {
				for _, text := range texts {
					if !strings.Contains(c.bodies[path], text) {
						t.Errorf("%s has no %s:\n%s\n%s", path, text, c.bodies[path], out.stderr)
					}
				}
			}
			private := secret[strings.LastIndex(secret, ":")+1:]
			for path, body := range c.bodies {
				for _, hidden := range []string{"secret-token", secret, private, "for the collector"} {
					if strings.Contains(body, hidden) {
						t.Errorf("%s holds %q", path, hidden)
					}
				}
			}
			for _, key := range c.keys {
				if key != "for the collector" {
					t.Errorf("the key was %q", key)
				}
			}
			if n := strings.Count(out.stderr, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc; http/json is used instead"); n != 1 {
				t.Errorf("%d warnings about the protocol: %s", n, out.stderr)
			}
		})
	}
}

// TestNoExport: nothing is sent without an endpoint, or if exporting is disabled.
func TestNoExport(t *testing.T) {
	c, server := collect(t)
	for name, env := range map[string][]string{
		"nothing is set": nil,
		"no endpoint":    {"OTEL_SERVICE_NAME=x", "OTEL_LOGS_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_TIMEOUT=100"},
		"disabled":       {"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := served(t, append(env, serve(t, newUpstream())...)...)
			if c.mu.Lock(); len(c.bodies) > 0 || strings.Contains(out.stderr, "OpenTelemetry") {
				t.Errorf("sent %v, said %s", c.bodies, out.stderr)
			}
			c.mu.Unlock()
		})
	}
}

// TestCollectorAway runs a service whose collector is unreachable.
func TestCollectorAway(t *testing.T) {
	_, server := collect(t)
	server.Close()
	out, _ := served(t, append(serve(t, newUpstream()), "BATON_OTEL_COLLECTOR_ENDPOINT="+server.URL)...)
	if out.code != 0 || strings.Count(out.stderr, "cannot be sent to "+server.URL) != 1 {
		t.Errorf("exit code %d: %s", out.code, out.stderr)
	}
}

// TestWrongExport: an invalid setting is reported at the start.
func TestWrongExport(t *testing.T) {
	for name, tt := range map[string]struct{ env, want string }{
		"endpoint":    {"OTEL_EXPORTER_OTLP_ENDPOINT=ftp://x", "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"},
		"certificate": {"BATON_OTEL_COLLECTOR_ENDPOINT_TLS_CERT=none", "holds no certificate"},
		"file":        {"BATON_OTEL_COLLECTOR_ENDPOINT_TLS_CERT_PATH=/does/not/exist", "point it to a readable PEM file"},
	} {
		t.Run(name, func(t *testing.T) {
			env := append(serve(t, newUpstream()), "BATON_CLIENT_ID=a@127.0.0.1:1/b", "BATON_CLIENT_SECRET=0123456789",
				"BATON_OTEL_COLLECTOR_ENDPOINT=collector.example")
			if name == "endpoint" {
				env = env[:len(env)-1]
			}
			if out := run(t, t.Context(), program(), append(env, tt.env), "--log-format", "console"); out.code != 3 || !strings.Contains(out.stderr, tt.want) {
				t.Errorf("exit code %d: %s", out.code, out.stderr)
			}
		})
	}
}
