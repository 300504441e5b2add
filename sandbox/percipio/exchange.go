package percipio

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/sandbox/fault"
)

// answer is a response before it is sent, with the faults of its delivery.
type answer struct {
	status int
	header http.Header
	body   []byte
	stream func(io.Writer) error // writes a body that is too large to hold

	wait     time.Duration
	pace     time.Duration // a wait after every part of the body
	stall    bool          // never send it
	breakOff bool          // close the connection in the middle
	padMiB   int           // blanks after the body
	gzip     bool
}

func newAnswer(status int, contentType string) *answer {
	return &answer{status: status, header: http.Header{"Content-Type": {contentType}}}
}

func jsonAnswer(status int, v any) *answer {
	a := newAnswer(status, "application/json; charset=utf-8")
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // these types always encode
	}
	a.body = b.Bytes()
	return a
}

// fail returns an error answer. The form of Percipio's errors is not published.
func fail(status int, format string, args ...any) *answer {
	return jsonAnswer(status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// exchange is one API request while it is handled, under the server's lock.
type exchange struct {
	s     *Server
	r     *http.Request
	query url.Values
	body  []byte
}

func (x *exchange) answer(permission string, badQuery error, handle func(*exchange) *answer) *answer {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	a := x.gate(permission)
	switch {
	case a != nil:
	case badQuery != nil:
		a = fail(400, "the query cannot be read: %v", badQuery)
	default:
		a = handle(x)
	}
	x.spoil(a)
	return a
}

// gate makes the checks that precede every request: the token, the organisation, the permission, and the
// faults that affect every request.
func (x *exchange) gate(permission string) *answer {
	f := x.s.faults
	if f.On("redirect") {
		a := newAnswer(http.StatusTemporaryRedirect, "text/plain")
		a.header.Set("Location", f.Value("redirect"))
		return a
	}
	if f.Every("html-200") {
		a := newAnswer(http.StatusOK, "text/html; charset=utf-8")
		a.body = []byte("<!doctype html><html lang=en><title>Sign in</title><h1>Sign in</h1><p>This is not the API.</p></html>\n")
		return a
	}
	if !x.authenticated() {
		a := fail(401, "the bearer token is missing, wrong, expired or revoked")
		a.header.Set("WWW-Authenticate", `Bearer realm="Percipio"`)
		return a
	}
	if org := x.r.PathValue("org"); org != "" && (!strings.EqualFold(org, x.s.opts.Org) || f.On("foreign-org")) {
		return fail(403, "the service account does not belong to organization %q", org)
	}
	if f.Chosen("missing-permission", permission) {
		return fail(403, "the service account has no permission for the %s API", permission)
	}
	return x.interrupt()
}

func (x *exchange) authenticated() bool {
	scheme, given, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return false
	}
	good := false
	for _, t := range []token{x.s.token, x.s.expiring} {
		same := subtle.ConstantTimeCompare([]byte(strings.TrimSpace(given)), []byte(t.text)) == 1
		good = good || t.text != "" && same && (t.expires.IsZero() || x.s.now().Before(t.expires))
	}
	if good {
		good = !x.s.faults.Past("token-revoked-after")
	}
	return good
}

// interrupt returns the answer of a fault that prevents a request from being carried out, or nil.
func (x *exchange) interrupt() *answer {
	f := x.s.faults
	after := 1
	if f.Has("rate-limit-seconds") || f.Has("rate-limit-date") {
		after = max(1, f.Number("retry-after"))
	}
	switch {
	case f.Every("rate-limit"):
		return throttled("")
	case f.Every("rate-limit-seconds"):
		return throttled(strconv.Itoa(after))
	case f.Every("rate-limit-date"):
		// A date has whole seconds. Add one second, so that it is never in the past.
		at := x.s.now().Add(time.Duration(after)*time.Second + time.Second - 1).Truncate(time.Second)
		return throttled(at.UTC().Format(http.TimeFormat))
	case f.Every("server-error"):
		return fail(503, "the service is unavailable")
	case f.Every("bad-gateway"):
		a := newAnswer(http.StatusBadGateway, "text/html; charset=utf-8")
		a.body = []byte("<!doctype html><html lang=en><title>Bad gateway</title><h1>502 Bad gateway</h1></html>\n")
		return a
	case f.Every("error-in-200"):
		a := fail(500, "internal error")
		a.status = http.StatusOK
		return a
	case f.Every("empty-200"):
		return newAnswer(http.StatusOK, "application/json; charset=utf-8")
	case f.Every("stall"):
		return &answer{status: http.StatusOK, header: http.Header{}, stall: true}
	}
	return nil
}

func throttled(after string) *answer {
	a := fail(429, "too many requests")
	if after != "" {
		a.header.Set("Retry-After", after)
	}
	return a
}

// spoil applies faults to an answer.
func (x *exchange) spoil(a *answer) {
	f := x.s.faults
	a.wait = f.Wait("slow")
	a.pace = f.Wait("slow-body")
	if a.status >= 400 && f.On("bare-errors") {
		a.body = nil
		a.header.Del("Content-Type")
	}
	if f.Has("latin-1") || f.Has("latin-1-undeclared") {
		x.encodeLatin1(a)
	}
	if f.Every("truncated-body") {
		a.body = a.body[:len(a.body)/2]
	}
	a.breakOff = f.Every("drop-connection")
	a.padMiB = f.Number("huge-body")
	a.gzip = f.On("gzip") && strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip")
}

// encodeLatin1 encodes the body in ISO-8859-1.
func (x *exchange) encodeLatin1(a *answer) {
	encoded, changed := fault.Latin1(a.body)
	if !changed {
		return
	}
	a.body = encoded
	if x.s.faults.On("latin-1") {
		a.header.Set("Content-Type", "application/json; charset=ISO-8859-1")
	} else {
		x.s.faults.On("latin-1-undeclared")
		a.header.Set("Content-Type", "application/json")
	}
}

// errCut ends an answer in the middle.
var errCut = errors.New("percipio: the answer is cut short")

// deliver sends the answer.
func (a *answer) deliver(w http.ResponseWriter, r *http.Request) {
	if !wait(r, a.wait) {
		return
	}
	if a.stall {
		<-r.Context().Done()
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.breakOff && a.stream == nil && len(a.body) == 0 {
		panic(http.ErrAbortHandler) // net/http's way to close the connection
	}
	control := http.NewResponseController(w)
	var out io.Writer = w
	if a.breakOff {
		out = &cutter{out, brokenOffAfter}
		if a.stream == nil {
			out = &cutter{w, len(a.body) / 2}
		}
	}
	if a.pace > 0 {
		out = &pacer{out, control, r, a.pace}
	}
	var z *gzip.Writer
	if a.gzip {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ = gzip.NewWriterLevel(out, gzip.BestSpeed) // the level exists
		out = z
	} else if a.stream == nil && a.padMiB == 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	err := a.write(out)
	if z != nil {
		err = errors.Join(err, z.Flush())
		if err == nil {
			err = z.Close()
		}
	}
	if errors.Is(err, errCut) {
		control.Flush()
		panic(http.ErrAbortHandler)
	}
}

func (a *answer) write(w io.Writer) error {
	if a.stream != nil {
		if err := a.stream(w); err != nil {
			return err
		}
	} else if _, err := w.Write(a.body); err != nil {
		return err
	}
	blanks := bytes.Repeat([]byte(" "), min(a.padMiB, 1)<<16)
	for range a.padMiB << 4 {
		if _, err := w.Write(blanks); err != nil {
			return err
		}
	}
	return nil
}

// wait waits. It returns false if the client has disconnected.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// brokenOffAfter is the number of bytes of a report that are sent before the connection drops.
const brokenOffAfter = 4000

// cutter is a writer that fails after left bytes.
type cutter struct {
	w    io.Writer
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	part := p[:min(len(p), c.left)]
	n, err := c.w.Write(part)
	c.left -= n
	if err == nil && n < len(p) {
		err = errCut
	}
	return n, err
}

// pacer is a writer that sends small parts with a pause after each.
type pacer struct {
	w       io.Writer
	control *http.ResponseController
	r       *http.Request
	pause   time.Duration
}

// part is the number of bytes between two pauses.
const part = 16 << 10

func (p *pacer) Write(b []byte) (int, error) {
	sent := 0
	for chunk := range slices.Chunk(b, part) {
		n, err := p.w.Write(chunk)
		sent += n
		if err != nil {
			return sent, err
		}
		if err := p.control.Flush(); err != nil {
			return sent, err
		}
		if !wait(p.r, p.pause) {
			return sent, p.r.Context().Err()
		}
	}
	return sent, nil
}
