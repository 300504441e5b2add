package otlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"baton/internal/otlp"
)

// The messages of the protocol, for a strict collector that knows no other fields.
type (
	attributes []struct {
		Key   string `json:"key"`
		Value struct {
			StringValue *string          `json:"stringValue"`
			BoolValue   *bool            `json:"boolValue"`
			IntValue    *json.Number     `json:"intValue,string"`
			DoubleValue *float64         `json:"doubleValue"`
			ArrayValue  *json.RawMessage `json:"arrayValue"`
		} `json:"value"`
	}
	about struct {
		Resource struct {
			Attributes attributes `json:"attributes"`
		} `json:"resource"`
	}
	scoped struct {
		Scope struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"scope"`
	}
	points struct {
		DataPoints []struct {
			Attributes        attributes `json:"attributes"`
			StartTimeUnixNano uint64     `json:"startTimeUnixNano,string"`
			TimeUnixNano      uint64     `json:"timeUnixNano,string"`
			AsDouble          float64    `json:"asDouble"`
		} `json:"dataPoints"`
		AggregationTemporality int  `json:"aggregationTemporality"`
		IsMonotonic            bool `json:"isMonotonic"`
	}
	message struct {
		ResourceLogs []struct {
			about
			ScopeLogs []struct {
				scoped
				LogRecords []struct {
					TimeUnixNano         uint64     `json:"timeUnixNano,string"`
					ObservedTimeUnixNano uint64     `json:"observedTimeUnixNano,string"`
					SeverityNumber       int        `json:"severityNumber"`
					SeverityText         string     `json:"severityText"`
					Body                 any        `json:"body"`
					Attributes           attributes `json:"attributes"`
					TraceID              string     `json:"traceId"`
				} `json:"logRecords"`
			} `json:"scopeLogs"`
		} `json:"resourceLogs"`
		ResourceMetrics []struct {
			about
			ScopeMetrics []struct {
				scoped
				Metrics []struct {
					Name        string  `json:"name"`
					Description string  `json:"description"`
					Gauge       *points `json:"gauge"`
					Sum         *points `json:"sum"`
				} `json:"metrics"`
			} `json:"scopeMetrics"`
		} `json:"resourceMetrics"`
		ResourceSpans []struct {
			about
			ScopeSpans []struct {
				scoped
				Spans []struct {
					TraceID           string     `json:"traceId"`
					SpanID            string     `json:"spanId"`
					Name              string     `json:"name"`
					Kind              int        `json:"kind"`
					StartTimeUnixNano uint64     `json:"startTimeUnixNano,string"`
					EndTimeUnixNano   uint64     `json:"endTimeUnixNano,string"`
					Attributes        attributes `json:"attributes"`
					Status            struct {
						Code    int    `json:"code"`
						Message string `json:"message"`
					} `json:"status"`
				} `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
)

// TestRealCollector exports from many goroutines to a server that rejects unknown fields.
func TestRealCollector(t *testing.T) {
	var mu sync.Mutex
	logs, spans, metrics := 0, 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var got message
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err == nil {
			err = decoder.Decode(&got)
		}
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v: %s", r.Method, r.URL, err, body)
		}
		mu.Lock()
		defer mu.Unlock()
		switch r.URL.Path {
		case "/v1/logs":
			logs += len(got.ResourceLogs[0].ScopeLogs[0].LogRecords)
		case "/v1/traces":
			spans += len(got.ResourceSpans[0].ScopeSpans[0].Spans)
		case "/v1/metrics":
			metrics += len(got.ResourceMetrics[0].ScopeMetrics[0].Metrics)
		default:
			t.Errorf("a request to %s", r.URL)
		}
		fmt.Fprint(w, `{"partialSuccess":{}}`)
	}))
	defer server.Close()
	cfg, warnings, err := otlp.Configure(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_METRIC_EXPORT_INTERVAL": "20"},
		otlp.Options{Service: "baton-fake"})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	e := otlp.New(cfg)
	e.Measure(func() []otlp.Reading {
		return []otlp.Reading{{Name: "a_total", Counter: true}, {Name: "b", Value: 0.1}}
	})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			log := logger(e).With("task_id", "t").WithGroup("g")
			for i := range 400 {
				log.Info("x", "i", i, "ok", true, "share", 0.5, "names", []string{"a"})
				e.Span(otlp.Span{Trace: "t", Name: "grant", Start: time.Now(), End: time.Now()})
			}
		})
	}
	work.Wait()
	e.Close(t.Context())
	mu.Lock()
	defer mu.Unlock()
	if logs != 1600 || spans != 1600 || metrics < 2 || metrics%2 != 0 {
		t.Errorf("%d records, %d spans, %d metrics", logs, spans, metrics)
	}
}
