package otlp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/internal/otlp"
)

// collector is a fake network with a collector.
type collector struct {
	mu       sync.Mutex
	requests []request
	answer   func(n int, r request) (*http.Response, error) // to request n; nil accepts everything
}

type request struct {
	at     time.Time
	url    string
	header http.Header
	body   string
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	got := request{time.Now(), r.URL.String(), r.Header, string(body)}
	c.requests = append(c.requests, got)
	if c.answer != nil {
		return c.answer(len(c.requests), got)
	}
	return status(200, ""), nil
}

func (c *collector) got() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// records returns the number of log records sent in all requests.
func (c *collector) records() int {
	n := 0
	for _, r := range c.got() {
		n += strings.Count(r.body, `"severityNumber"`)
	}
	return n
}

func status(code int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func config(c *collector, logged io.Writer) otlp.Config {
	return otlp.Config{
		Logs:    otlp.Target{URL: "https://collector.example/v1/logs", Headers: map[string]baton.Secret{"Api-Key": baton.NewSecret("key-of-the-collector")}},
		Metrics: otlp.Target{URL: "https://collector.example/v1/metrics"},
		Traces:  otlp.Target{URL: "https://collector.example/v1/traces"},
		Version: "1.2.3", TraceKey: "task_id", Transport: c, Log: slog.New(slog.NewTextHandler(logged, nil)),
		Resource: map[string]string{"service.name": "baton-fake", "service.version": "1.2.3"},
	}
}

func logger(e *otlp.Exporter) *slog.Logger { return slog.New(e.Handler(slog.LevelInfo)) }

// golden compares a body with a file that was written by hand from the protocol.
func golden(t *testing.T, name, body string) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	spanID := regexp.MustCompile(`"spanId":"[0-9a-f]{16}"`)
	var a, b any
	if err := errors.Join(json.Unmarshal(want, &a), json.Unmarshal(spanID.ReplaceAll([]byte(body), []byte(`"spanId":"*"`)), &b)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, now := &collector{}, time.Now()
		e := otlp.New(config(c, io.Discard))
		log := logger(e)
		log.Debug("below the level")
		log.With("task_id", "t1").Info("task begins")
		log.Error("all kinds", "text", `a"b`, "int", int64(-9007199254740993), "float", 0.5, "bool", false, "nan", math.NaN(),
			"took", 1500*time.Millisecond, "list", []string{"x", "y"}, "error", errors.New("no good"), "secret", baton.NewSecret("hush"),
			"holder", struct {
				Token  baton.Secret
				hidden string
			}{baton.NewSecret("hush"), "hush"},
			slog.Group("g", "twice", 1, "twice", 2))
		e.Span(otlp.Span{Trace: "t1", Name: "grant", Start: now.Add(-time.Second), End: now, Attributes: map[string]string{"task": "grant"}})
		e.Span(otlp.Span{Trace: "t1", Name: "grant", Start: now.Add(-time.Second), End: now, Failed: true, Error: "there is no such group"})
		e.Measure(func() []otlp.Reading {
			return []otlp.Reading{
				{Name: "baton_tasks_total", Description: "Tasks that ended.", Counter: true, Labels: []string{"code", "OK"}, Value: 3},
				{Name: "baton_tasks_total", Description: "Tasks that ended.", Counter: true, Labels: []string{"code", "Internal"}, Value: 1},
				{Name: "baton_tasks_running"},
				{Name: "baton_not_a_number", Value: math.Inf(1)},
			}
		})
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		e.Close(t.Context())
		got := c.got()
		if len(got) != 4 {
			t.Fatalf("%d requests, and not logs, traces, metrics and metrics at the end", len(got))
		}
		for i, want := range []struct {
			file  string
			after time.Duration
		}{{"logs.json", time.Second}, {"traces.json", 5 * time.Second}, {"metrics.json", time.Minute}} {
			golden(t, want.file, got[i].body)
			if after := got[i].at.Sub(now); after != want.after {
				t.Errorf("%s was sent after %s and not %s", want.file, after, want.after)
			}
			if u := "https://collector.example/v1/" + strings.TrimSuffix(want.file, ".json"); got[i].url != u {
				t.Errorf("%s was sent to %s", want.file, got[i].url)
			}
			if h := got[i].header; h.Get("Content-Type") != "application/json" || h.Get("User-Agent") != "baton-otlp/1.2.3" {
				t.Errorf("%s has headers %v", want.file, h)
			}
		}
		if got[0].header.Get("Api-Key") != "key-of-the-collector" || got[1].header.Get("Api-Key") != "" {
			t.Error("headers of a signal are not sent with it alone")
		}
		if strings.Contains(got[0].body, "hush") {
			t.Error("a secret was exported")
		}
	})
}

// TestSlog checks the handler against the rules of slog.
func TestSlog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		e := otlp.New(config(c, io.Discard))
		results := func() (all []map[string]any) {
			e.Close(context.Background())
			for _, r := range c.got() {
				all = append(all, decode(t, r.body)...)
			}
			return all
		}
		if err := slogtest.TestHandler(e.Handler(slog.LevelInfo), results); err != nil {
			t.Error(err)
		}
	})
}

// decode reads records in the form that slogtest needs: groups are maps.
func decode(t *testing.T, body string) (records []map[string]any) {
	var logs struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				LogRecords []struct {
					TimeUnixNano, SeverityText string
					Body                       struct{ StringValue string }
					Attributes                 []struct {
						Key   string
						Value struct{ StringValue, IntValue string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &logs); err != nil {
		t.Fatal(err)
	}
	for _, r := range logs.ResourceLogs[0].ScopeLogs[0].LogRecords {
		record := map[string]any{slog.LevelKey: r.SeverityText, slog.MessageKey: r.Body.StringValue}
		if r.TimeUnixNano != "" {
			record[slog.TimeKey] = r.TimeUnixNano
		}
		for _, a := range r.Attributes {
			path, in := strings.Split(a.Key, "."), record
			for _, group := range path[:len(path)-1] {
				if in[group] == nil {
					in[group] = map[string]any{}
				}
				in = in[group].(map[string]any)
			}
			in[path[len(path)-1]] = a.Value.StringValue + a.Value.IntValue
		}
		records = append(records, record)
	}
	return records
}

// TestBatches fills more than a batch: a full batch is sent at once, the rest after the delay.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		e := otlp.New(config(c, io.Discard))
		log := logger(e)
		for range 512 {
			log.Info("x")
		}
		synctest.Wait()
		if n := c.records(); n != 512 {
			t.Errorf("%d records were sent when a batch was full", n)
		}
		log.Info("y")
		time.Sleep(999 * time.Millisecond)
		if n := c.records(); n != 512 {
			t.Errorf("%d records were sent ahead of time", n)
		}
		time.Sleep(2 * time.Millisecond)
		log.Info("z")
		e.Close(t.Context())
		if n := c.records(); n != 514 || len(c.got()) != 3 {
			t.Errorf("%d records in %d requests", n, len(c.got()))
		}
		log.Info("after the end")
		e.Close(t.Context())
	})
}

// TestQueueIsBounded blocks the collector until more records arrive than fit into the queue.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		open := make(chan struct{})
		c := &collector{answer: func(int, request) (*http.Response, error) {
			<-open
			return status(200, ""), nil
		}}
		e := otlp.New(config(c, &logged))
		log := logger(e)
		log.Info("first")
		time.Sleep(2 * time.Second) // it is being sent
		for range 2048 + 7 {
			log.Info("x")
		}
		close(open)
		synctest.Wait()
		e.Close(t.Context())
		if n := c.records(); n != 1+2048 {
			t.Errorf("%d records were sent", n)
		}
		if want := "7 log records were dropped"; strings.Count(logged.String(), "\n") != 1 || !strings.Contains(logged.String(), want) {
			t.Errorf("logged %q and not %q", logged.String(), want)
		}
	})
}

// TestOutage stops the collector for a while: there is one warning and growing pauses, and the data of the
// outage arrives afterwards.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		began := time.Now()
		c := &collector{}
		c.answer = func(int, request) (*http.Response, error) {
			if time.Since(began) < 30*time.Second {
				return nil, errors.New("nobody there")
			}
			return status(200, ""), nil
		}
		e := otlp.New(config(c, &logged))
		log := logger(e)
		log.Info("kept")
		e.Span(otlp.Span{Trace: "t", Name: "kept"})
		e.Measure(func() []otlp.Reading { return []otlp.Reading{{Name: "kept"}} })
		time.Sleep(70 * time.Second)
		synctest.Wait()
		if n := strings.Count(logged.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings:\n%s", n, &logged)
		}
		if !strings.Contains(logged.String(), "log records cannot be sent to https://collector.example") || !strings.Contains(logged.String(), "log records are sent to https://collector.example again") {
			t.Errorf("logged %s", &logged)
		}
		got := c.got()
		if n := len(got); n < 8 || n > 20 {
			t.Errorf("%d requests in 30 s without an answer", n)
		}
		arrived := ""
		for _, r := range got {
			if r.at.Sub(began) >= 30*time.Second {
				arrived += r.body
			}
		}
		for _, signal := range []string{"logRecords", "spans", "metrics"} {
			if strings.Count(arrived, `"`+signal+`"`) != 1 {
				t.Errorf("%s did not arrive once: %s", signal, arrived)
			}
		}
		e.Close(t.Context())
	})
}

// TestLongOutage lasts longer than a batch is kept: the number of dropped records is logged at its end.
func TestLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		began := time.Now()
		c := &collector{}
		c.answer = func(int, request) (*http.Response, error) {
			if time.Since(began) < time.Hour {
				return status(503, ""), nil
			}
			return status(200, ""), nil
		}
		e := otlp.New(config(c, &logged))
		log := logger(e)
		for range 60 {
			log.Info("x")
			time.Sleep(time.Minute)
		}
		time.Sleep(3 * time.Minute)
		log.Info("arrives")
		e.Close(t.Context())
		if n := strings.Count(logged.String(), "level=WARN"); n != 2 || !regexp.MustCompile(`5\d log records were dropped`).MatchString(logged.String()) {
			t.Errorf("%d warnings:\n%s", n, &logged)
		}
	})
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name    string
		first   func() *http.Response
		again   time.Duration // wait before the second request; 0 means none
		warning string
	}{
		{"taken", func() *http.Response { return status(200, `{}`) }, 0, ""},
		{"partly", func() *http.Response { return status(200, `{"partialSuccess":{"rejectedLogRecords":"3"}}`) }, 0, "rejected 3 log records"},
		{"partly, as a number", func() *http.Response { return status(200, `{"partialSuccess":{"rejectedLogRecords":3}}`) }, 0, "rejected 3 log records"},
		{"seconds", func() *http.Response { return status(429, "", "Retry-After", "17") }, 17 * time.Second, "Too Many"},
		{"date", func() *http.Response { return status(503, "", "Retry-After", "Sat, 01 Jan 2000 00:00:21 GMT") }, 20 * time.Second, "Unavailable"},
		{"too long", func() *http.Response { return status(502, "", "Retry-After", "86400") }, time.Minute, "Bad Gateway"},
		{"bad request", func() *http.Response { return status(400, "key-of-the-collector") }, 0, "Bad Request"},
		{"no key", func() *http.Response { return status(401, "") }, 0, "Unauthorized"},
		{"defect", func() *http.Response { return status(500, "") }, 0, "Internal Server Error"},
		{"redirect", func() *http.Response { return status(307, "", "Location", "https://elsewhere.example/") }, 0, "Temporary Redirect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				c := &collector{answer: func(n int, _ request) (*http.Response, error) {
					if n == 1 {
						return tt.first(), nil
					}
					return status(200, ""), nil
				}}
				e := otlp.New(config(c, &logged))
				logger(e).Info("x")
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				got := c.got()
				switch {
				case tt.again == 0 && len(got) != 1:
					t.Errorf("%d requests", len(got))
				case tt.again > 0 && (len(got) != 2 || got[1].at.Sub(got[0].at) != tt.again):
					t.Errorf("requests: %v", got)
				}
				if !strings.Contains(logged.String(), tt.warning) || tt.warning == "" && logged.Len() > 0 {
					t.Errorf("logged %q and not %q", logged.String(), tt.warning)
				}
				if strings.Contains(logged.String(), "key-of-the-collector") {
					t.Error("what the collector says was repeated")
				}
				e.Close(t.Context())
			})
		})
	}
}

// TestCloseInTime closes while the collector never answers.
func TestCloseInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		cfg := config(&collector{}, &logged)
		cfg.Transport = hanging{}
		e := otlp.New(cfg)
		logger(e).Info("x")
		e.Span(otlp.Span{})
		e.Measure(func() []otlp.Reading { return []otlp.Reading{{Name: "x"}} })
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		e.Close(ctx)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %s", took)
		}
		if !strings.Contains(logged.String(), "1 log records were dropped") {
			t.Errorf("logged %s", &logged)
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestRedact checks that redaction applies to the final body.
func TestRedact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		cfg := config(c, io.Discard)
		cfg.Redact = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("sk-123"), []byte("REDACTED")) }
		e := otlp.New(cfg)
		logger(e).Info("what is Bearer sk-123", "sk-123", "sk-123")
		e.Span(otlp.Span{Error: "sk-123", Failed: true, Name: "sk-123"})
		e.Close(t.Context())
		for _, r := range c.got() {
			if strings.Contains(r.body, "sk-123") || !strings.Contains(r.body, "REDACTED") {
				t.Error(r.body)
			}
		}
		if len(c.got()) != 2 {
			t.Errorf("%d requests", len(c.got()))
		}
	})
}

// TestNothingToExport: an exporter without targets starts no goroutines and sends nothing.
func TestNothingToExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		e := otlp.New(otlp.Config{Transport: c})
		logger(e).Error("x")
		e.Span(otlp.Span{})
		e.Measure(func() []otlp.Reading { t.Error("it was measured"); return nil })
		time.Sleep(time.Hour)
		e.Close(t.Context())
		if len(c.got()) > 0 {
			t.Errorf("requests: %v", c.got())
		}
	})
}
