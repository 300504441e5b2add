package otlp_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/internal/otlp"
)

func TestConfigure(t *testing.T) {
	const all, logs = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
	type env = map[string]string
	tests := []struct {
		name     string
		env      env
		options  otlp.Options
		want     [3]string // where logs, metrics and traces go
		warnings int
		err      string
	}{
		{name: "nothing is set"},
		{name: "no endpoint", env: env{"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_LOGS_EXPORTER": "otlp"}},
		{name: "one for all", env: env{all: "https://c.example:4318"},
			want: [3]string{"https://c.example:4318/v1/logs", "https://c.example:4318/v1/metrics", "https://c.example:4318/v1/traces"}},
		{name: "a path for all", env: env{all: "http://c.example/in/?key=1"},
			want: [3]string{"http://c.example/in/v1/logs?key=1", "http://c.example/in/v1/metrics?key=1", "http://c.example/in/v1/traces?key=1"}},
		{name: "one signal", env: env{logs: "http://c.example/logs"}, want: [3]string{"http://c.example/logs"}},
		{name: "one signal differs", env: env{logs: "http://l.example", all: "https://c.example"},
			want: [3]string{"http://l.example", "https://c.example/v1/metrics", "https://c.example/v1/traces"}},
		{name: "no scheme is https", env: env{logs: "c.example:4318/x"}, want: [3]string{"https://c.example:4318/x"}},
		{name: "insecure without a scheme", options: otlp.Options{Endpoint: "c.example:4318", Insecure: true, NoTraces: true},
			want: [3]string{"http://c.example:4318/v1/logs", "http://c.example:4318/v1/metrics"}},
		{name: "insecure with https", options: otlp.Options{Endpoint: "https://c.example", Insecure: true}, err: "otel-collector-endpoint is https"},
		{name: "the option wins", env: env{all: "https://c.example"}, options: otlp.Options{Endpoint: "https://o.example", NoLogs: true},
			want: [3]string{"", "https://o.example/v1/metrics", "https://o.example/v1/traces"}},
		{name: "off", env: env{all: "https://c.example", "OTEL_SDK_DISABLED": "TRUE"}},
		{name: "exporters", env: env{all: "https://c.example", "OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_EXPORTER": "console,otlp"},
			want: [3]string{"https://c.example/v1/logs", "", "https://c.example/v1/traces"}},
		{name: "protocol", env: env{logs: "https://c.example", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, want: [3]string{"https://c.example"}},
		{name: "other protocol", env: env{all: "https://c.example", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, warnings: 1,
			want: [3]string{"https://c.example/v1/logs", "https://c.example/v1/metrics", "https://c.example/v1/traces"}},
		{name: "grpc for one", env: env{logs: "https://c.example", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"}, warnings: 1, want: [3]string{"https://c.example"}},
		{name: "no protocol", env: env{logs: "https://c.example", "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"}, err: "OTEL_EXPORTER_OTLP_PROTOCOL is none of"},
		{name: "other scheme", env: env{all: "unix:///hush"}, err: "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"},
		{name: "no host", env: env{all: "http:///hush"}, err: "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"},
		{name: "timeout", env: env{logs: "https://c.example", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, err: "OTEL_EXPORTER_OTLP_TIMEOUT is not a number"},
		{name: "everything at once", env: env{logs: "https://c.example", "OTEL_METRIC_EXPORT_INTERVAL": "0", "OTEL_EXPORTER_OTLP_HEADERS": "hush",
			"OTEL_RESOURCE_ATTRIBUTES": "a=%zz"}, err: "OTEL_EXPORTER_OTLP_HEADERS is not a list of key=value; OTEL_METRIC_EXPORT_INTERVAL is not a number of milliseconds; OTEL_RESOURCE_ATTRIBUTES is"},
		{name: "header", env: env{logs: "https://c.example", "OTEL_EXPORTER_OTLP_HEADERS": "a=hush%0d%0ab"}, err: "invalid header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, warnings, err := otlp.Configure(tt.env, tt.options)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || baton.KindOf(err) != baton.Invalid || strings.Contains(err.Error(), "hush") {
					t.Errorf("error %v and not %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := [3]string{cfg.Logs.URL, cfg.Metrics.URL, cfg.Traces.URL}; got != tt.want {
				t.Errorf("goes to %q and not %q", got, tt.want)
			}
			if len(warnings) != tt.warnings {
				t.Errorf("warnings: %q", warnings)
			}
			if cfg.Enabled() != (tt.want != [3]string{}) {
				t.Errorf("Enabled is %v", cfg.Enabled())
			}
		})
	}
}

func TestConfigureDetails(t *testing.T) {
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example", "OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1",
		"OTEL_EXPORTER_OTLP_HEADERS":  "authorization=Basic%20abc=, x-tenant = a b",
		"OTEL_METRIC_EXPORT_INTERVAL": "15000", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,deployment.environment=prod%2C1,service.instance.id=me",
	}
	cfg, _, err := otlp.Configure(env, otlp.Options{Service: "baton-fake", Version: "1.2.3", Instance: "pod-0"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Logs.Timeout != 2500*time.Millisecond || cfg.Traces.Timeout != time.Millisecond || cfg.Interval != 15*time.Second {
		t.Errorf("times: %+v", cfg)
	}
	headers := map[string]string{}
	for name, value := range cfg.Logs.Headers {
		headers[name] = value.Reveal()
	}
	if diff := cmp.Diff(map[string]string{"Authorization": "Basic abc=", "X-Tenant": "a b"}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	want := map[string]string{"service.name": "other", "service.version": "1.2.3", "service.instance.id": "me", "deployment.environment": "prod,1"}
	if diff := cmp.Diff(want, cfg.Resource); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	env = maps.Clone(env)
	env["OTEL_SERVICE_NAME"] = "named"
	if cfg, _, _ = otlp.Configure(env, otlp.Options{Service: "baton-fake"}); cfg.Resource["service.name"] != "named" {
		t.Errorf("service.name is %q", cfg.Resource["service.name"])
	}
}

// FuzzConfigure never panics, and what it accepts can be sent.
func FuzzConfigure(f *testing.F) {
	f.Add("https://c.example:4318", "a=b,c=d%20e", "service.name=x")
	f.Add("c.example", "a", "=,%")
	f.Add("http://[::1]:1/?x#y", "é=1", "")
	f.Fuzz(func(t *testing.T, endpoint, headers, resource string) {
		cfg, _, err := otlp.Configure(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": headers,
			"OTEL_RESOURCE_ATTRIBUTES": resource}, otlp.Options{Service: "s"})
		if err != nil {
			if baton.KindOf(err) != baton.Invalid {
				t.Error(err)
			}
			return
		}
		if !cfg.Enabled() {
			return
		}
		c := &collector{}
		cfg.Transport = c
		e := otlp.New(cfg)
		logger(e).Info("x")
		e.Close(t.Context())
		if n := c.records(); n != 1 {
			t.Errorf("%d records were sent to %q", n, cfg.Logs.URL)
		}
	})
}
