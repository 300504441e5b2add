package tape_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/test/bench/tape"
)

// start starts an upstream that counts requests, and a tape in front of it.
func start(t *testing.T, h http.HandlerFunc) (origin string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		h(w, r)
	}))
	t.Cleanup(upstream.Close)
	tp, err := tape.New(upstream.URL, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(tp)
	t.Cleanup(front.Close)
	return front.URL, requests
}

func do(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// TestPlaysBack sends every request twice: the second answer equals the first, and the upstream gets no
// second request.
func TestPlaysBack(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 20_000) // goes into a file
	origin, requests := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Total-Count", "7")
		switch r.URL.Path {
		case "/large":
			w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			io.WriteString(w, large)
		case "/chunks":
			for part := range slices.Chunk([]byte(large), 50_000) {
				w.Write(part)
				w.(http.Flusher).Flush()
			}
		default:
			fmt.Fprintf(w, "%s %s %s at %s", r.Method, r.URL.RequestURI(), body, r.Host)
		}
	})
	host := strings.TrimPrefix(origin, "http://")
	for _, tt := range []struct{ method, path, body, want string }{
		{"GET", "/a?x=1", "", "GET /a?x=1  at " + host},
		{"GET", "/a?x=2", "", "GET /a?x=2  at " + host},
		{"POST", "/a?x=1", "z", "POST /a?x=1 z at " + host},
		{"GET", "/large", "", large},
		{"GET", "/chunks", "", large},
	} {
		before := requests.Load()
		first, one := do(t, tt.method, origin+tt.path, tt.body)
		second, two := do(t, tt.method, origin+tt.path, tt.body)
		if one != tt.want || two != tt.want {
			t.Errorf("%s %s: %d and %d bytes, want %d", tt.method, tt.path, len(one), len(two), len(tt.want))
		}
		if first.ContentLength != second.ContentLength || second.Header.Get("X-Total-Count") != "7" {
			t.Errorf("%s %s: %v and %v", tt.method, tt.path, first, second)
		}
		if n := requests.Load() - before; n != 1 {
			t.Errorf("%s %s: the upstream got %d requests", tt.method, tt.path, n)
		}
	}
	c, err := tape.Ask(http.DefaultClient, origin)
	if err != nil || c.Requests != 10 || c.Recorded != 5 || c.Bytes < 4*int64(len(large)) {
		t.Errorf("%+v, %v", c, err)
	}
	if err := tape.Reset(http.DefaultClient, origin, 0); err != nil {
		t.Fatal(err)
	}
	if c, err := tape.Ask(http.DefaultClient, origin); err != nil || c.Requests != 0 || c.Bytes != 0 {
		t.Errorf("after a reset: %+v, %v", c, err)
	}
}

func TestTimesDoNotCount(t *testing.T) {
	origin, requests := start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	_, one := do(t, "POST", origin+"/report", `{"end":"2026-03-01T10:00:00Z","type":"A"}`)
	_, two := do(t, "POST", origin+"/report", `{"end":"2026-03-02T11:59:59.5+02:00","type":"A"}`)
	if one != two || requests.Load() != 1 {
		t.Errorf("%s and %s", one, two)
	}
	if _, other := do(t, "POST", origin+"/report", `{"end":"2026-03-01T10:00:00Z","type":"B"}`); other == one {
		t.Errorf("another request is answered %s", other)
	}
}

// TestErrorsAreNotKept: a failed request is forwarded again.
func TestErrorsAreNotKept(t *testing.T) {
	var n atomic.Int64
	origin, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			http.Error(w, "not now", http.StatusTooManyRequests)
			return
		}
		io.WriteString(w, "fine")
	})
	if res, _ := do(t, "GET", origin+"/", ""); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("%v", res)
	}
	for range 2 {
		if _, body := do(t, "GET", origin+"/", ""); body != "fine" {
			t.Errorf("%q", body)
		}
	}
	if n.Load() != 2 {
		t.Errorf("asked %d times", n.Load())
	}
}

// TestCutShort: an answer that broke off is not kept.
func TestCutShort(t *testing.T) {
	var n atomic.Int64
	origin, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		if n.Add(1) == 1 {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, " and half")
	})
	if res, err := http.Get(origin); err == nil {
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("a half answer reads as a whole one: %s", b)
		}
	}
	if _, body := do(t, "GET", origin, ""); body != "half and half" {
		t.Errorf("%q", body)
	}
}

func TestLatencyAndMany(t *testing.T) {
	origin, requests := start(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	if err := tape.Reset(http.DefaultClient, origin, 30*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			res, err := http.Get(fmt.Sprintf("%s/%d", origin, i%4))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if b, err := io.ReadAll(res.Body); err != nil || string(b) != fmt.Sprintf("/%d", i%4) {
				t.Errorf("%s, %v", b, err)
			}
		})
	}
	all.Wait()
	if requests.Load() != 4 || time.Since(began) < 30*time.Millisecond {
		t.Errorf("%d requests in %v", requests.Load(), time.Since(began))
	}
}
