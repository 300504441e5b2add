package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"time"

	"baton"
	"baton/agent/service"
	"baton/internal/otlp"
	"baton/internal/output"
)

// lastExport is how long the end of a service waits for the OpenTelemetry collector.
const lastExport = 3 * time.Second

// export exports the logs, metrics and tasks of the service if a collector is configured. The
// caller calls done with the error that ended the service.
func (r *run) export(served *service.Config) (done func(error), err error) {
	v := r.Values
	host, _ := os.Hostname()
	cfg, warnings, err := otlp.Configure(r.env, otlp.Options{
		Service: r.program.Name, Version: r.program.version(), Instance: cmp.Or(v.String("host-id"), host),
		Endpoint: v.String("otel-collector-endpoint"), Insecure: v.Bool("otel-collector-endpoint-tls-insecure"),
		NoLogs: v.Bool("otel-logging-disabled"), NoTraces: v.Bool("otel-tracing-disabled"),
	})
	if err != nil {
		return nil, err
	}
	if !cfg.Enabled() {
		return func(error) {}, nil
	}
	roots, err := r.collectorRoots()
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		r.log.Warn("OpenTelemetry: " + w)
	}
	cfg.Transport = &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		IdleConnTimeout: time.Minute,
	}
	cfg.TraceKey = "task_id"
	cfg.Redact = output.NewRedactor(nil, r.Secrets).Redact
	cfg.Log = r.log
	exporter := otlp.New(cfg)
	exported := exporter.Handler(r.level)
	r.log = slog.New(slog.NewMultiHandler(r.log.Handler(), exported))
	served.Log = r.log
	served.Measured = func(read func() []service.Reading) {
		exporter.Measure(func() (list []otlp.Reading) {
			for _, reading := range read() {
				list = append(list, otlp.Reading(reading))
			}
			return list
		})
	}
	served.Ended = func(t service.TaskRun) { exporter.Span(taskSpan(t)) }
	return func(err error) {
		if err != nil {
			// The caller prints it.
			text, fix := output.Explain(err)
			slog.New(exported).Error(text, "kind", baton.KindOf(err).String(), "fix", fix)
		}
		ctx, cancel := context.WithTimeout(context.Background(), lastExport)
		defer cancel()
		exporter.Close(ctx)
	}, nil
}

func taskSpan(t service.TaskRun) otlp.Span {
	return otlp.Span{Trace: t.ID, Name: t.Type, Start: t.Began, End: t.Ended, Failed: t.Code != "OK", Error: t.Error,
		Attributes: map[string]string{"task_id": t.ID, "task": t.Type, "code": t.Code}}
}

// collectorRoots returns the authorities to trust for the collector: those of the system and
// of the settings, or nil for those of the system only.
func (r *run) collectorRoots() (*x509.CertPool, error) {
	type source struct{ label, pem string }
	var sources []source
	if pem := r.Values.String("otel-collector-endpoint-tls-cert"); pem != "" {
		sources = append(sources, source{r.label("otel-collector-endpoint-tls-cert"), pem})
	}
	for _, file := range []struct{ label, path string }{
		{r.label("otel-collector-endpoint-tls-cert-path"), r.Values.String("otel-collector-endpoint-tls-cert-path")},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", r.env["OTEL_EXPORTER_OTLP_CERTIFICATE"]},
		{r.label("ca-file"), r.Values.String("ca-file")},
	} {
		if file.path == "" {
			continue
		}
		pem, err := os.ReadFile(file.path)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "%s: %w", file.label, err).WithFix("point it to a readable PEM file")
		}
		sources = append(sources, source{file.label, string(pem)})
	}
	if len(sources) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // no system pool, as in an empty image
	}
	for _, s := range sources {
		if !roots.AppendCertsFromPEM([]byte(s.pem)) {
			return nil, baton.Errorf(baton.Invalid, "%s holds no certificate", s.label).WithFix("give it a PEM CERTIFICATE block")
		}
	}
	return roots, nil
}
