package otlp

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
)

// Options complete the environment.
type Options struct {
	Service, Version, Instance string

	Endpoint                    string // wins over OTEL_EXPORTER_OTLP_ENDPOINT
	Insecure                    bool   // an endpoint without a scheme is http, not https
	NoLogs, NoMetrics, NoTraces bool
}

// Configure reads the standard variables of OpenTelemetry from env. Nothing is exported
// unless an endpoint is set. The warnings describe settings that are replaced; an Invalid
// error lists all problems.
func Configure(env map[string]string, o Options) (cfg Config, warnings []string, err error) {
	p := parser{env: env, options: o}
	cfg = Config{Version: o.Version, Logs: p.target("logs"), Metrics: p.target("metrics"), Traces: p.target("traces")}
	if !cfg.Enabled() {
		return Config{}, nil, p.err()
	}
	cfg.Interval = p.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", defaultInterval)
	cfg.Resource = map[string]string{"service.name": o.Service}
	if o.Version != "" {
		cfg.Resource["service.version"] = o.Version
	}
	if o.Instance != "" {
		cfg.Resource["service.instance.id"] = o.Instance
	}
	maps.Copy(cfg.Resource, p.pairs("OTEL_RESOURCE_ATTRIBUTES"))
	if name := p.get("OTEL_SERVICE_NAME"); name != "" {
		cfg.Resource["service.name"] = name
	}
	return cfg, p.warnings, p.err()
}

// parser collects problems. It does not repeat values that may be secret.
type parser struct {
	env      map[string]string
	options  Options
	warnings []string
	wrong    []string
}

func (p *parser) get(name string) string { return strings.TrimSpace(p.env[name]) }

func (p *parser) bad(name, what string) {
	if text := name + " " + what; !slices.Contains(p.wrong, text) {
		p.wrong = append(p.wrong, text)
	}
}

func (p *parser) err() error {
	if len(p.wrong) == 0 {
		return nil
	}
	return baton.Errorf(baton.Invalid, "OpenTelemetry: %s", strings.Join(p.wrong, "; ")).
		WithFix("correct it, or set OTEL_SDK_DISABLED=true to export nothing")
}

// of returns the variable for a signal, or for all signals, and its name.
func (p *parser) of(signal, what string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_" + strings.ToUpper(signal) + "_" + what
	if value = p.get(name); value == "" {
		name = "OTEL_EXPORTER_OTLP_" + what
		value = p.get(name)
	}
	return name, value
}

// target returns the target of a signal; its URL is "" if the signal is not exported.
func (p *parser) target(signal string) Target {
	exporter := p.get("OTEL_" + strings.ToUpper(signal) + "_EXPORTER")
	switch {
	case strings.EqualFold(p.get("OTEL_SDK_DISABLED"), "true"),
		signal == "logs" && p.options.NoLogs, signal == "metrics" && p.options.NoMetrics, signal == "traces" && p.options.NoTraces,
		exporter != "" && !slices.Contains(strings.Split(exporter, ","), "otlp"):
		return Target{}
	}
	t := Target{URL: p.endpoint(signal)}
	if t.URL == "" {
		return Target{}
	}
	p.protocol(p.of(signal, "PROTOCOL"))
	name, _ := p.of(signal, "TIMEOUT")
	t.Timeout = p.milliseconds(name, defaultTimeout)
	name, _ = p.of(signal, "HEADERS")
	t.Headers = map[string]baton.Secret{}
	for key, value := range p.pairs(name) {
		if !headerName(key) || strings.ContainsAny(value, "\r\n\x00") {
			p.bad(name, "contains an invalid header")
			continue
		}
		t.Headers[http.CanonicalHeaderKey(key)] = baton.NewSecret(value)
	}
	return t
}

// endpoint returns the URL of a signal. A URL for the signal is used unchanged; the path of
// the signal is added to a URL for all signals.
func (p *parser) endpoint(signal string) string {
	name, value := p.of(signal, "ENDPOINT")
	all := name == "OTEL_EXPORTER_OTLP_ENDPOINT"
	if all && p.options.Endpoint != "" {
		name, value = "otel-collector-endpoint", p.options.Endpoint
	}
	if value == "" {
		return ""
	}
	if !strings.Contains(value, "://") {
		scheme := "https://"
		if p.options.Insecure {
			scheme = "http://"
		}
		value = scheme + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		p.bad(name, "is not a URL such as https://collector.example:4318")
		return ""
	}
	if all && p.options.Insecure && u.Scheme == "https" {
		p.bad(name, "is https, which otel-collector-endpoint-tls-insecure contradicts")
		return ""
	}
	if all {
		u = u.JoinPath("v1", signal)
	}
	u.Fragment = ""
	return u.String()
}

// protocol accepts every protocol, and http/json is used. Collectors accept http/protobuf
// and http/json on the same port, so a setting for a whole cluster works.
func (p *parser) protocol(name, value string) {
	var warning string
	switch value {
	case "", "http/json":
		return
	case "http/protobuf":
		warning = fmt.Sprintf("%s is %s; http/json is used instead", name, value)
	case "grpc":
		warning = fmt.Sprintf("%s is %s; http/json is used instead, which collectors usually accept on port 4318", name, value)
	default:
		p.bad(name, "is none of http/json, http/protobuf and grpc")
		return
	}
	if !slices.Contains(p.warnings, warning) {
		p.warnings = append(p.warnings, warning)
	}
}

// milliseconds returns a variable that is a number of milliseconds.
func (p *parser) milliseconds(name string, def time.Duration) time.Duration {
	value := p.get(name)
	if value == "" {
		return def
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n == 0 {
		p.bad(name, "is not a number of milliseconds")
		return def
	}
	return time.Duration(n) * time.Millisecond
}

// pairs returns a variable of the form "key=value,key=value", with %-escapes in values.
func (p *parser) pairs(name string) map[string]string {
	pairs := map[string]string{}
	for item := range strings.SplitSeq(p.get(name), ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			p.bad(name, "is not a list of key=value")
			continue
		}
		pairs[key] = value
	}
	return pairs
}

// headerName reports whether the name is a token (RFC 9110, section 5.6.2).
func headerName(name string) bool {
	for _, c := range name {
		if !strings.ContainsRune("!#$%&'*+-.^_`|~", c) && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return name != ""
}
