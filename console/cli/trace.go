package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"time"

	"baton"
	"baton/console/telemetry"
	"baton/internal/otlp"
	"baton/internal/output"
)

// lastExport is how long the end of the console waits for the OpenTelemetry collector.
const lastExport = 3 * time.Second

// trace returns a tracer that exports to the configured collector, nil if there is none, and a
// function that exports the rest.
func (r *run) trace() (t *telemetry.Tracer, done func(), err error) {
	v := r.Values
	host, _ := os.Hostname()
	cfg, warnings, err := otlp.Configure(r.env, otlp.Options{Service: program, Version: r.buildVersion(), Instance: host,
		Endpoint: v.String("otel-collector-endpoint"), Insecure: v.Bool("otel-collector-endpoint-tls-insecure"),
		NoLogs: true, NoMetrics: true, NoTraces: v.Bool("otel-tracing-disabled")})
	if err != nil || !cfg.Enabled() {
		return nil, func() {}, err
	}
	roots, err := r.collectorRoots()
	if err != nil {
		return nil, nil, err
	}
	for _, w := range warnings {
		r.warn("OpenTelemetry: %s", w)
	}
	cfg.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, IdleConnTimeout: time.Minute}
	cfg.Redact = output.NewRedactor(nil, r.Secrets).Redact
	cfg.Log = r.log
	exporter := otlp.New(cfg)
	return telemetry.NewTracer(exporter.Span, r.now), func() {
		ctx, cancel := context.WithTimeout(context.Background(), lastExport)
		defer cancel()
		exporter.Close(ctx)
	}, nil
}

// collectorRoots returns the authorities to trust for the collector: nil for those of the system
// only.
func (r *run) collectorRoots() (*x509.CertPool, error) {
	var roots *x509.CertPool
	for _, file := range []struct{ label, path string }{
		{"--otel-collector-endpoint-tls-cert-path", r.Values.String("otel-collector-endpoint-tls-cert-path")},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", r.env["OTEL_EXPORTER_OTLP_CERTIFICATE"]},
	} {
		if file.path == "" {
			continue
		}
		pem, err := os.ReadFile(file.path)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "%s: %w", file.label, err).WithFix("Name a PEM file that can be read.")
		}
		if roots == nil {
			if roots, err = x509.SystemCertPool(); err != nil {
				roots = x509.NewCertPool() // no system pool, as in an empty image
			}
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, baton.Errorf(baton.Invalid, "%s holds no certificate", file.label).WithFix("Give it a PEM CERTIFICATE block.")
		}
	}
	return roots, nil
}
