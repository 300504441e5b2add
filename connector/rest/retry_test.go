package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/rest"
)

// script is a transport that plays one step per attempt and repeats the last one.
type script struct {
	steps []func(*http.Request) (*http.Response, error)
	calls int
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls++
	return s.steps[min(s.calls, len(s.steps))-1](r)
}

func answer(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func broken(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

type steps = []func(*http.Request) (*http.Response, error)

var fine = answer(200, "{}")

// play runs one request in a synctest bubble and returns the error and the attempts.
func play(t *testing.T, cfg rest.Config, req rest.Request, s steps, check func(err error, attempts []rest.Attempt, took time.Duration)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var attempts []rest.Attempt
		cfg.BaseURL = "https://scim.example.com"
		cfg.Transport = &script{steps: s}
		cfg.Observe = func(a rest.Attempt) { attempts = append(attempts, a) }
		begun := time.Now()
		_, err := client(t, cfg).Do(t.Context(), req)
		check(err, attempts, time.Since(begun))
	})
}

func TestWhatIsRetried(t *testing.T) {
	var (
		reset   = &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
		refused = dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	)
	for name, tt := range map[string]struct {
		first       func(*http.Request) (*http.Response, error)
		safe, other bool // whether a GET, and a POST, is repeated
	}{
		"400":                    {answer(400, `{"detail":"no"}`), false, false},
		"401":                    {answer(401, ""), false, false},
		"403":                    {answer(403, ""), false, false},
		"404":                    {answer(404, ""), false, false},
		"408":                    {answer(408, ""), true, false},
		"409":                    {answer(409, ""), false, false},
		"429":                    {answer(429, ""), true, true},
		"500":                    {answer(500, ""), true, false},
		"501":                    {answer(501, ""), false, false},
		"502":                    {answer(502, ""), true, false},
		"503":                    {answer(503, ""), true, false},
		"503 with Retry-After":   {answer(503, "", "Retry-After", "1"), true, true},
		"503 with Retry-After 0": {answer(503, "", "Retry-After", "0"), true, true},
		"504":                    {answer(504, ""), true, false},
		"505":                    {answer(505, ""), false, false},
		"425":                    {answer(425, ""), true, false},
		"507":                    {answer(507, ""), true, false},
		"508":                    {answer(508, ""), false, false},
		"511":                    {answer(511, ""), false, false},
		"520":                    {answer(520, ""), true, false},
		"521":                    {answer(521, "<html><title>Web server is down</title>"), true, false},
		"522":                    {answer(522, ""), true, false},
		"523":                    {answer(523, ""), true, false},
		"524":                    {answer(524, ""), true, false},
		"525":                    {answer(525, ""), true, false},
		"526":                    {answer(526, ""), true, false},
		"527":                    {answer(527, ""), true, false},
		"529":                    {answer(529, ""), true, false},
		"530":                    {answer(530, "error code: 1016", "Server", "cloudflare"), true, false},
		"599":                    {answer(599, ""), true, false},
		"403 of a firewall":      {answer(403, "<html><title>Attention Required!</title>"), false, false},
		"400 that throttles":     {answer(400, `{"message":"Rate limit reached"}`), true, true},
		"500 that throttles":     {answer(500, `{"error_code":"REQUEST_LIMIT_EXCEEDED"}`), true, false},
		"404 about rate limits":  {answer(404, `{"message":"no such rate limit"}`), false, false},
		"connection reset":       {broken(reset), true, false},
		"end of file":            {broken(io.EOF), true, false},
		"unheard of":             {broken(errors.New("weather")), true, false},
		"connection refused":     {broken(refused), true, true},
		"proxy refuses":          {broken(&net.OpError{Op: "proxyconnect", Err: refused}), true, true},
		"network unreachable":    {broken(dialError(syscall.ENETUNREACH)), true, true},
		"resolver out of order":  {broken(dialError(&net.DNSError{Err: "server misbehaving", IsTemporary: true})), true, true},
		"no such host":           {broken(dialError(&net.DNSError{Err: "no such host", IsNotFound: true})), false, false},
		"body breaks off":        {answer(200, `{"Resources":[`), true, false},
		"redirect":               {answer(302, "", "Location", "https://other.example.com/"), false, false},
	} {
		for method, want := range map[string]bool{"GET": tt.safe, "POST": tt.other} {
			if name == "body breaks off" && method == "POST" {
				continue // not covered
			}
			t.Run(name+" "+method, func(t *testing.T) {
				play(t, rest.Config{}, rest.Request{Method: method, Path: "/x"}, steps{tt.first, fine}, func(err error, attempts []rest.Attempt, took time.Duration) {
					if retried := len(attempts) == 2; retried != want || retried != (err == nil) {
						t.Errorf("retried: %v, want %v (%v)", retried, want, err)
					}
					if wait := attempts[0].Wait; wait != took {
						t.Errorf("announced %s, waited %s", wait, took)
					}
				})
			})
		}
	}
}

func TestRetryPolicies(t *testing.T) {
	for _, tt := range []struct {
		method string
		policy rest.RetryPolicy
		want   int
	}{
		{"", rest.RetryDefault, 2}, {"GET", rest.RetryNever, 1}, {"PATCH", rest.RetryDefault, 1},
		{"PATCH", rest.RetrySafe, 2}, {"POST", rest.RetrySafe, 2}, {"POST", rest.RetryNever, 1},
	} {
		play(t, rest.Config{}, rest.Request{Method: tt.method, Retry: tt.policy}, steps{answer(502, ""), fine}, func(_ error, attempts []rest.Attempt, _ time.Duration) {
			if len(attempts) != tt.want {
				t.Errorf("%s with policy %d: %d attempts, want %d", tt.method, tt.policy, len(attempts), tt.want)
			}
		})
	}
}

func TestWaitsAsAsked(t *testing.T) {
	at := time.Date(2000, 1, 1, 0, 0, 40, 0, time.UTC) // a bubble begins 40 s before
	for name, header := range map[string][]string{
		"seconds":       {"Retry-After", "40"},
		"IMF-fixdate":   {"Retry-After", at.Format(http.TimeFormat)},
		"RFC 850":       {"Retry-After", at.Format("Monday, 02-Jan-06 15:04:05 GMT")},
		"asctime":       {"Retry-After", at.Format(time.ANSIC)},
		"epoch":         {"X-RateLimit-Reset", fmt.Sprint(at.Unix())},
		"milliseconds":  {"X-RateLimit-Reset", fmt.Sprint(at.UnixMilli())},
		"draft 3":       {"RateLimit-Reset", "40"},
		"draft 7":       {"RateLimit", "limit=100, remaining=0, reset=40"},
		"draft 9":       {"RateLimit", `"default";r=0;t=40`},
		"skewed clocks": {"Retry-After", at.Add(time.Hour).Format(http.TimeFormat), "Date", at.Add(time.Hour - 40*time.Second).Format(http.TimeFormat)},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, rest.Config{}, rest.Request{}, steps{answer(429, "", header...), fine}, func(err error, _ []rest.Attempt, took time.Duration) {
				if err != nil || took < 40*time.Second || took > 45*time.Second {
					t.Errorf("waited %s: %v", took, err)
				}
			})
		})
	}
}

func TestQuotaFieldsDoNotDelayOtherErrors(t *testing.T) {
	play(t, rest.Config{}, rest.Request{}, steps{answer(502, "", "X-RateLimit-Reset", "200"), fine}, func(err error, _ []rest.Attempt, took time.Duration) {
		if err != nil || took > time.Second {
			t.Errorf("waited %s: %v", took, err)
		}
	})
}

func TestGivesUp(t *testing.T) {
	t.Run("after RetryFor", func(t *testing.T) {
		play(t, rest.Config{}, rest.Request{Path: "/x"}, steps{answer(502, "")}, func(err error, attempts []rest.Attempt, took time.Duration) {
			wantError(t, err, baton.Unavailable, fmt.Sprintf("502 Bad Gateway; gave up after %d attempts, and retries end after 5m0s", len(attempts)), "")
			if took > 5*time.Minute || took < 4*time.Minute || len(attempts) < 10 {
				t.Errorf("%d attempts in %s", len(attempts), took)
			}
			for i, a := range attempts {
				if a.Wait > 30*time.Second+time.Millisecond || (a.Wait == 0) != (i == len(attempts)-1) || a.Err == nil || a.Status != 502 {
					t.Errorf("attempt %d: %+v", i, a)
				}
			}
		})
	})
	t.Run("at once when requests to wait longer", func(t *testing.T) {
		play(t, rest.Config{}, rest.Request{}, steps{answer(429, "", "Retry-After", "600")}, func(err error, _ []rest.Attempt, took time.Duration) {
			wantError(t, err, baton.RateLimited, "429 Too Many Requests; gave up after 1 attempt: the upstream asks to wait 10m0s, and retries end after 5m0s", "")
			var status *rest.StatusError
			if took != 0 || !errors.As(err, &status) || status.RetryAfter != 10*time.Minute {
				t.Errorf("took %s: %+v", took, status)
			}
		})
	})
	t.Run("at once when the deadline is nearer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			begun := time.Now()
			c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: &script{steps: steps{answer(503, "", "Retry-After", "31")}}})
			_, err := c.Do(ctx, rest.Request{})
			wantError(t, err, baton.Unavailable, "gave up after 1 attempt: the upstream asks to wait 31s, and the deadline comes first", "")
			if took := time.Since(begun); took != 0 {
				t.Errorf("took %s", took)
			}
		})
	})
	t.Run("without retries", func(t *testing.T) {
		play(t, rest.Config{RetryFor: -1}, rest.Request{Path: "/x"}, steps{answer(429, "", "Retry-After", "7")}, func(err error, attempts []rest.Attempt, _ time.Duration) {
			wantError(t, err, baton.RateLimited, "429 Too Many Requests: the upstream asks to wait 7s", "")
			if len(attempts) != 1 {
				t.Errorf("%d attempts", len(attempts))
			}
		})
	})
}

// TestAnEarlierAttemptIsNotForgotten: the first attempt of a write may have been carried out and the second
// is refused. The error must mention the first.
func TestAnEarlierAttemptIsNotForgotten(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		first  func(*http.Request) (*http.Response, error)
		want   bool
	}{
		"a write that failed":        {"PATCH", answer(500, ""), true},
		"a write, answer lost":       {"PATCH", broken(io.EOF), true},
		"a write that was throttled": {"PATCH", answer(429, ""), false},
		"a write, not sent":          {"PATCH", broken(dialError(syscall.ECONNREFUSED)), false},
		"a read":                     {"GET", answer(500, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			req := rest.Request{Method: tt.method, Retry: rest.RetrySafe}
			play(t, rest.Config{}, req, steps{tt.first, answer(401, "")}, func(err error, _ []rest.Attempt, _ time.Duration) {
				wantError(t, err, baton.Unauthenticated, "401", "check the token")
				var status *rest.StatusError
				if !errors.As(err, &status) || status.Status != 401 {
					t.Errorf("the status is lost: %v", err)
				}
				if errors.Is(err, rest.ErrEarlierAttempt) != tt.want || strings.Contains(err.Error(), "may have been carried out") != tt.want {
					t.Errorf("got %v; want a note that it may have been carried out: %t", err, tt.want)
				}
			})
		})
	}
}

func TestAttemptTimesOut(t *testing.T) {
	play(t, rest.Config{Timeout: 10 * time.Second}, rest.Request{}, steps{hang, fine}, func(err error, attempts []rest.Attempt, _ time.Duration) {
		if err != nil || len(attempts) != 2 || attempts[0].Took != 10*time.Second {
			t.Errorf("%v, %+v", err, attempts)
		}
	})
	play(t, rest.Config{}, rest.Request{Method: "POST"}, steps{hang}, func(err error, attempts []rest.Attempt, took time.Duration) {
		wantError(t, err, baton.Unavailable, "no complete answer within 5m0s; it may have been carried out", "")
		if len(attempts) != 1 || took != 5*time.Minute {
			t.Errorf("%d attempts in %s", len(attempts), took)
		}
	})
}

// pooled is a transport with idle connections.
type pooled struct {
	script
	closed int
}

func (p *pooled) CloseIdleConnections() { p.closed++ }

func TestDeadConnectionsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pooled{script: script{steps: steps{broken(io.EOF), answer(502, ""), fine}}}
		c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: p})
		if _, err := c.Do(t.Context(), rest.Request{}); err != nil || p.closed != 1 {
			t.Errorf("idle connections closed %d times after one broken off and one 502: %v", p.closed, err)
		}
	})
}

func TestContextEnds(t *testing.T) {
	for name, step := range map[string]func(*http.Request) (*http.Response, error){
		"during an attempt": hang,
		"during a wait":     answer(503, "", "Retry-After", "200"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: &script{steps: steps{step}}})
				ctx, cancel := context.WithCancel(t.Context())
				begun := time.Now()
				time.AfterFunc(3*time.Second, cancel)
				_, err := c.Do(ctx, rest.Request{Path: "/x"})
				wantError(t, err, baton.Canceled, "GET /x: context canceled", "")
				if took := time.Since(begun); took != 3*time.Second || !errors.Is(err, context.Canceled) {
					t.Errorf("took %s: %v", took, err)
				}
			})
		})
	}
	t.Run("before", func(t *testing.T) {
		s := &script{steps: steps{fine}}
		c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: s})
		ctx, cancel := context.WithTimeout(t.Context(), -1)
		defer cancel()
		_, err := c.Do(ctx, rest.Request{})
		wantError(t, err, baton.DeadlineExceeded, "deadline exceeded", "")
		if s.calls != 0 {
			t.Error("a request was sent")
		}
	})
	t.Run("deadline during an attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: &script{steps: steps{hang}}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Do(ctx, rest.Request{})
			wantError(t, err, baton.DeadlineExceeded, "deadline exceeded", "")
		})
	})
}

func TestNamesThatDoNotExist(t *testing.T) {
	noSuchHost := broken(dialError(&net.DNSError{Err: "no such host", Name: "scim.example.com", IsNotFound: true}))
	play(t, rest.Config{}, rest.Request{}, steps{noSuchHost}, func(err error, _ []rest.Attempt, _ time.Duration) {
		wantError(t, err, baton.Invalid, "no such host", "check the URL: its host name")
	})
	proxyGone := broken(&net.OpError{Op: "proxyconnect", Err: dialError(&net.DNSError{Err: "no such host", IsNotFound: true})})
	play(t, rest.Config{}, rest.Request{}, steps{proxyGone}, func(err error, _ []rest.Attempt, _ time.Duration) {
		wantError(t, err, baton.Invalid, "no such host", "HTTPS_PROXY")
	})
	t.Run("any more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: &script{steps: steps{fine, noSuchHost, fine}}})
			for range 2 {
				if _, err := c.Do(t.Context(), rest.Request{}); err != nil {
					t.Error("a name that had answered was given up on:", err)
				}
			}
		})
	})
}
