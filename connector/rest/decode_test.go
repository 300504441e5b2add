package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

// bodies answers each request with the next body, and repeats the last one.
type bodies struct {
	next     []func() io.Reader
	requests int
}

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	body := b.next[min(b.requests, len(b.next)-1)]()
	b.requests++
	return &http.Response{StatusCode: 200, Header: http.Header{"X-Total-Count": {"3"}}, Body: io.NopCloser(body), Request: r}, nil
}

// ids decodes a list of strings.
func ids(into *[]string) func(http.Header, *jsonscan.Scanner) error {
	return func(h http.Header, s *jsonscan.Scanner) error {
		*into = nil
		if s.Empty() {
			return errEmpty
		}
		for s.Array(); s.Element(); {
			*into = append(*into, string(s.Text()))
		}
		return nil
	}
}

var errEmpty = baton.Errorf(baton.Incomplete, "nothing there")

func TestDecode(t *testing.T) {
	const whole = `["a", "b", "c"]`
	text := func(body string) func() io.Reader {
		return func() io.Reader { return strings.NewReader(body) }
	}
	cut := func(n int, end error) func() io.Reader {
		return func() io.Reader { return io.MultiReader(strings.NewReader(whole[:n]), iotest.ErrReader(end)) }
	}
	for name, tt := range map[string]struct {
		bodies   []func() io.Reader
		requests int // 0 means 1
		kind     baton.Kind
		text     string
	}{
		"whole":                   {bodies: []func() io.Reader{text(whole)}},
		"bytewise":                {bodies: []func() io.Reader{func() io.Reader { return iotest.OneByteReader(strings.NewReader("\ufeff" + whole)) }}},
		"transfer breaks off":     {bodies: []func() io.Reader{cut(9, io.ErrUnexpectedEOF), cut(6, errors.New("reset")), text(whole)}, requests: 3},
		"JSON breaks off":         {bodies: []func() io.Reader{cut(9, io.EOF), cut(1, io.EOF), cut(14, io.EOF), text(whole)}, requests: 4},
		"breaks off behind it":    {bodies: []func() io.Reader{cut(15, io.ErrUnexpectedEOF), text(whole)}, requests: 2},
		"breaks off again, again": {bodies: []func() io.Reader{cut(9, io.EOF)}, requests: -1, kind: baton.Unavailable, text: "GET /x: the answer breaks off in the middle; gave up after"},
		"empty":                   {bodies: []func() io.Reader{text(" \n")}, kind: baton.Incomplete, text: "nothing there"},
		"rubbish":                 {bodies: []func() io.Reader{text("hello")}, kind: baton.Invalid, text: "GET /x: the answer is not JSON"},
		"rubbish inside":          {bodies: []func() io.Reader{text(`["a",'b']`)}, kind: baton.Invalid, text: "not JSON"},
		"rubbish behind":          {bodies: []func() io.Reader{text(whole + "x")}, kind: baton.Invalid, text: "not JSON"},
		"web page":                {bodies: []func() io.Reader{text("<!DOCTYPE html><title>Sign in</title>")}, kind: baton.Invalid, text: "HTML page"},
		"exactly the limit":       {bodies: []func() io.Reader{text(whole + strings.Repeat(" ", 1000-len(whole)))}},
		"one more":                {bodies: []func() io.Reader{text(whole + strings.Repeat(" ", 1001-len(whole)))}, kind: baton.Invalid, text: "larger than the limit of 1000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up := &bodies{next: tt.bodies}
				var seen []rest.Attempt
				c := client(t, rest.Config{BaseURL: "http://localhost", Transport: up, MaxBody: 1000, Observe: func(a rest.Attempt) { seen = append(seen, a) }})
				var got []string
				err := c.Decode(t.Context(), rest.Request{Path: "/x"}, ids(&got))
				if tt.text == "" {
					if err != nil || fmt.Sprint(got) != "[a b c]" {
						t.Errorf("%q, %v", got, err)
					}
				} else if baton.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %v (%v), want %s", err, baton.KindOf(err), tt.text)
				}
				if tt.requests >= 0 && up.requests != max(tt.requests, 1) || tt.requests < 0 && up.requests < 5 || len(seen) != up.requests {
					t.Errorf("%d requests, observed %d", up.requests, len(seen))
				}
				if last := seen[len(seen)-1]; last.Status != 200 || (last.Err != nil) != (tt.text != "" && tt.kind != baton.Incomplete) {
					t.Errorf("the last attempt was observed as %+v", last)
				}
			})
		})
	}
}

// TestDecodeErrorsOfTheReader: an error that decode returns for a valid response is returned unchanged and
// causes no retry.
func TestDecodeErrorsOfTheReader(t *testing.T) {
	up := &bodies{next: []func() io.Reader{func() io.Reader { return strings.NewReader(`["a"]`) }}}
	c := client(t, rest.Config{BaseURL: "http://localhost", Transport: up})
	mine := errors.New("mine")
	err := c.Decode(t.Context(), rest.Request{Path: "/x"}, func(h http.Header, s *jsonscan.Scanner) error {
		if h.Get("X-Total-Count") != "3" {
			t.Error("no header")
		}
		s.Array()
		return mine
	})
	if err != mine || up.requests != 1 {
		t.Errorf("%v after %d requests", err, up.requests)
	}
}

// TestDecodeKeepsTheConnection: a response that was read to its end leaves its connection for the next
// request.
func TestDecodeKeepsTheConnection(t *testing.T) {
	from := map[string]int{}
	c := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
		from[r.RemoteAddr]++
		io.WriteString(w, `["`+strings.Repeat("x", 100_000)+`"]`)
	})
	for range 5 {
		var got []string
		if err := c.Decode(t.Context(), rest.Request{Path: "/x"}, ids(&got)); err != nil {
			t.Fatal(err)
		}
	}
	if len(from) != 1 {
		t.Errorf("5 requests came over %d connections", len(from))
	}
}

// TestDecodeClocks: Config.Timeout limits the whole response, however steadily it trickles, and the time
// without a byte. The end of the caller's context is reported as such.
func TestDecodeClocks(t *testing.T) {
	trickle := func(t *testing.T, gap time.Duration) *http.Transport {
		return overPipe(t, func(conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[   ")
			for range 100 {
				time.Sleep(gap)
				if _, err := io.WriteString(conn, " "); err != nil {
					return
				}
			}
		})
	}
	for name, tt := range map[string]struct {
		gap, deadline, took time.Duration
		kind                baton.Kind
		text                string
	}{
		"trickling": {30 * time.Second, 0, 5 * time.Minute, baton.Unavailable, "no complete answer within 5m0s"},
		"silent":    {time.Hour, 0, 2 * time.Minute, baton.Unavailable, "no further byte of the answer within 2m0s"},
		"canceled":  {30 * time.Second, time.Minute, time.Minute, baton.DeadlineExceeded, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				c := client(t, rest.Config{BaseURL: "http://localhost", Transport: trickle(t, tt.gap), RetryFor: -1})
				begun := time.Now()
				var got []string
				err := c.Decode(ctx, rest.Request{Path: "/x"}, ids(&got))
				if baton.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.text) || time.Since(begun) != tt.took {
					t.Errorf("%v (%v) after %v", err, baton.KindOf(err), time.Since(begun))
				}
				time.Sleep(200 * time.Hour) // until the server has finished
			})
		})
	}
}
