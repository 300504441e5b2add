// Package tape is a server that forwards each request once and then replays the answer. It stands in front of
// the upstream of a benchmark, so that the upstream's own work is not measured.
//
// An answer is identified by the method, the address and the body of its request, ignoring times: two runs
// that request a report until "now" get the same answer. Only complete answers with status 200 are kept,
// small ones in memory, large ones in files. They are replayed as they came, with a length or in chunks.
package tape

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// Control is the path that controls the tape: GET returns the counts, PUT resets them and takes
// ?latency=20ms.
const Control = "/tape"

// Counts holds the requests and answers since the last PUT, and the CPU time of the tape since its start.
type Counts struct {
	Requests int64         `json:"requests"`
	Bytes    int64         `json:"bytes"`
	Recorded int64         `json:"recorded"` // requests sent to the upstream
	CPU      time.Duration `json:"cpu"`
}

// Tape is the server. It is safe for concurrent use.
type Tape struct {
	upstream *url.URL
	dir      string
	client   *http.Client
	cpu      func() time.Duration

	latency                   atomic.Int64
	requests, bytes, recorded atomic.Int64

	mu      sync.Mutex
	answers map[string]*answer
}

// answer is the answer to a request. It is locked while it is recorded.
type answer struct {
	sync.Mutex
	header http.Header
	length int64 // as announced, or -1
	body   []byte
	file   string // holds a large body
	kept   bool
}

// New returns a tape in front of an upstream, with a directory for large answers. cpu returns the CPU time of
// this process; it may be nil.
func New(upstream, dir string, cpu func() time.Duration) (*Tape, error) {
	u, err := url.Parse(upstream)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("tape: %q is not the address of an upstream", upstream)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // forward answers unchanged
	transport.Proxy = nil
	if cpu == nil {
		cpu = func() time.Duration { return 0 }
	}
	return &Tape{upstream: u, dir: dir, client: &http.Client{Transport: transport}, cpu: cpu, answers: map[string]*answer{}}, nil
}

func (t *Tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == Control {
		t.control(w, r)
		return
	}
	t.requests.Add(1)
	if d := time.Duration(t.latency.Load()); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := t.answer(r, body)
	a.Lock()
	if !a.kept {
		defer a.Unlock()
		t.record(w, r, body, a)
		return
	}
	a.Unlock() // a kept answer no longer changes
	t.play(w, a)
}

func (t *Tape) control(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
	case http.MethodPut:
		d, err := time.ParseDuration(cmp.Or(r.FormValue("latency"), "0s"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		t.latency.Store(int64(d))
		t.requests.Store(0)
		t.bytes.Store(0)
		t.recorded.Store(0)
	default:
		http.Error(w, "GET or PUT", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(Counts{Requests: t.requests.Load(), Bytes: t.bytes.Load(), Recorded: t.recorded.Load(), CPU: t.cpu()})
}

var moment = regexp.MustCompile(`\d{4}-\d\d-\d\d(T[0-9:.]+(Z|[+-]\d\d:?\d\d)?)?`)

func (t *Tape) answer(r *http.Request, body []byte) *answer {
	key := r.Method + " " + r.URL.EscapedPath() + "?" + r.URL.Query().Encode() // in one order
	if len(body) > 0 {
		key += " " + string(moment.ReplaceAll(body, []byte("T")))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.answers[key]
	if a == nil {
		a = &answer{}
		t.answers[key] = a
	}
	return a
}

// small is the largest body that is kept in memory.
const small = 64 << 10

// record requests an answer from the upstream, forwards it and keeps it.
func (t *Tape) record(w http.ResponseWriter, r *http.Request, body []byte, a *answer) {
	t.recorded.Add(1)
	target := *t.upstream
	target.Path, target.RawPath, target.RawQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery
	req, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	req.Header, req.Host = r.Header.Clone(), r.Host // links in answers point back here
	res, err := t.client.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	header := res.Header.Clone()
	header.Del("Date")
	header.Del("Connection")
	maps.Copy(w.Header(), header)
	w.WriteHeader(res.StatusCode)
	k := &recording{dir: t.dir}
	n, err := io.Copy(io.MultiWriter(w, k), res.Body)
	t.bytes.Add(n)
	if keepErr := k.close(); err != nil || keepErr != nil || res.StatusCode != http.StatusOK {
		k.discard()
		if err != nil || keepErr != nil {
			panic(http.ErrAbortHandler) // net/http's way to break off an answer
		}
		return
	}
	a.header, a.length, a.body, a.file, a.kept = header, res.ContentLength, k.body, k.name, true
}

// recording stores a body, in memory until it is large.
type recording struct {
	dir  string
	body []byte
	name string
	f    *os.File
}

func (k *recording) Write(p []byte) (int, error) {
	if k.f == nil && len(k.body)+len(p) <= small {
		k.body = append(k.body, p...)
		return len(p), nil
	}
	if k.f == nil {
		f, err := os.CreateTemp(k.dir, "answer")
		if err != nil {
			return 0, err
		}
		k.f, k.name = f, f.Name()
		if _, err := f.Write(k.body); err != nil {
			return 0, err
		}
		k.body = nil
	}
	return k.f.Write(p)
}

func (k *recording) close() error {
	if k.f == nil {
		return nil
	}
	return k.f.Close()
}

func (k *recording) discard() {
	if k.name != "" {
		os.Remove(k.name)
	}
}

// play sends a kept answer.
func (t *Tape) play(w http.ResponseWriter, a *answer) {
	maps.Copy(w.Header(), a.header)
	var from io.Reader = bytes.NewReader(a.body)
	if a.file != "" {
		f, err := os.Open(a.file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		from = f
	}
	var n int64
	var err error
	if a.length >= 0 {
		n, err = io.Copy(w, from) // by sendfile, if it is a file
	} else {
		// Use large blocks and plain Write: chunks of the upstream's size would cost the reader more than
		// those of a buffering server.
		n, err = io.CopyBuffer(onlyWriter{w}, onlyReader{from}, make([]byte, 64<<10))
	}
	t.bytes.Add(n)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

type onlyWriter struct{ io.Writer }

type onlyReader struct{ io.Reader }

// Ask reads the counts of the tape at the origin.
func Ask(client *http.Client, origin string) (Counts, error) {
	return control(client, http.MethodGet, origin+Control)
}

// Reset resets the counts and sets the latency of each request.
func Reset(client *http.Client, origin string, latency time.Duration) error {
	_, err := control(client, http.MethodPut, origin+Control+"?latency="+latency.String())
	return err
}

func control(client *http.Client, method, address string) (Counts, error) {
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		return Counts{}, fmt.Errorf("tape: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return Counts{}, fmt.Errorf("tape: %w", err)
	}
	defer res.Body.Close()
	var c Counts
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil || res.StatusCode != http.StatusOK {
		return Counts{}, errors.Join(fmt.Errorf("tape: %s answered %s", address, res.Status), err)
	}
	return c, nil
}
