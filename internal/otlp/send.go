package otlp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// patience is how long sending a body is retried.
	patience = 2 * time.Minute
	// maxWait bounds the wait between two attempts, also if the collector asks for more.
	maxWait   = time.Minute
	firstWait = time.Second
	// maxAnswer bounds the bytes that are read of a response.
	maxAnswer = 64 << 10
)

// sender sends one signal, from one goroutine.
type sender struct {
	*Exporter
	to       Target
	what     string
	origin   string // scheme and host; the rest of a URL may hold a key
	patience time.Duration
	failures int  // in a row, for the next wait
	down     bool // the last body was not accepted
}

func (e *Exporter) sender(to Target, what string) *sender {
	s := &sender{Exporter: e, to: to, what: what, patience: patience}
	if u, err := url.Parse(to.URL); err == nil {
		s.origin = u.Scheme + "://" + u.Host
	}
	return s
}

// send sends a body and reports whether the collector accepted it. It retries temporary
// failures, once at most while the exporter is being closed.
func (s *sender) send(v any) (taken bool) {
	defer func() { s.down = !taken }()
	body, err := s.encode(v)
	if err != nil {
		s.outage.begins(s, fmt.Sprintf("cannot be encoded: %v", err), false)
		return false
	}
	for began := time.Now(); s.ctx.Err() == nil; {
		last := s.closed()
		wait, problem := s.post(body)
		if problem == "" {
			s.failures = 0
			s.outage.ends(s)
			return true
		}
		s.outage.begins(s, problem, wait > 0)
		if wait == 0 || last {
			return false
		}
		s.failures++
		select {
		case <-time.After(wait):
		case <-s.closing:
		case <-s.ctx.Done():
		}
		if time.Since(began) >= s.patience && !s.closed() {
			return false
		}
	}
	return false
}

// post sends one request. It returns a problem with the wait before the next attempt, which
// is 0 for a permanent problem.
func (s *sender) post(body []byte) (wait time.Duration, problem string) {
	ctx, cancel := context.WithTimeout(s.ctx, cmp.Or(s.to.Timeout, defaultTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, "the endpoint is not a URL"
	}
	for name, value := range s.to.Headers {
		req.Header.Set(name, value.Reveal())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "baton-otlp/"+cmp.Or(s.cfg.Version, "0.0.0"))
	resp, err := s.client.Do(req)
	if err != nil {
		// The text of a url.Error repeats the whole URL.
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return s.backoff(), err.Error()
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if wait = retryAfter(resp.Header.Get("Retry-After"), time.Now()); wait == 0 {
			wait = s.backoff()
		}
		return wait, resp.Status
	}
	if resp.StatusCode/100 != 2 {
		return 0, resp.Status
	}
	if n := rejected(answer); n > 0 {
		s.cfg.Log.Warn(fmt.Sprintf("OpenTelemetry: the collector rejected %d %s", n, s.what))
	}
	return 0, ""
}

// backoff returns a wait that doubles with each failure in a row; half of it is random.
func (s *sender) backoff() time.Duration {
	wait := min(firstWait<<min(s.failures, 10), maxWait)
	return wait/2 + rand.N(wait/2)
}

// retryAfter returns the wait of the header Retry-After, or 0.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxWait)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxWait)
	}
	return 0
}

// rejected returns how many records of a request the collector rejected.
func rejected(answer []byte) int64 {
	var body struct {
		PartialSuccess map[string]json.RawMessage `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &body) != nil {
		return 0
	}
	for _, name := range []string{"rejectedLogRecords", "rejectedDataPoints", "rejectedSpans"} {
		if n, err := strconv.ParseInt(strings.Trim(string(body.PartialSuccess[name]), `"`), 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// outage logs that a collector does not accept data, once at the beginning and once at the
// end.
type outage struct {
	log *slog.Logger

	mu      sync.Mutex
	failing map[string]bool // signals, and origins that are unreachable
}

// begins records a failure. An unreachable collector is one outage for all signals; a signal
// that it rejects is another one.
func (o *outage) begins(s *sender, problem string, away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := o.failing[s.what] || away && o.failing[s.origin]
	o.failing[s.what] = true
	o.failing[s.origin] = o.failing[s.origin] || away
	if !known {
		o.log.Warn(fmt.Sprintf("OpenTelemetry: %s cannot be sent to %s", s.what, s.origin), "error", problem)
	}
}

func (o *outage) ends(s *sender) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing[s.what] {
		o.log.Info(fmt.Sprintf("OpenTelemetry: %s are sent to %s again", s.what, s.origin))
	}
	delete(o.failing, s.what)
	delete(o.failing, s.origin)
}
