package rest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"baton"
	"baton/connector/rest"
)

// wire answers with raw bytes, as read from a connection.
type wire []byte

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(w)), r)
}

// FuzzAnswer reads arbitrary bytes as a response.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n{\"a\":", "HTTP/1.1 429 No\r\nRetry-After: 5\r\nRateLimit: \"d\";r=0;t=5\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/s3cr3t-t0k3n\r\n\r\n", "HTTP/1.1 200 OK\r\nLink: <https://elsewhere.example>; rel=\"next\"\r\nContent-Length: 2\r\n\r\n[]",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "HTTP/1.1 500 s3cr3t-t0k3n\r\nContent-Type: text/html\r\n\r\n<html>s3cr3t-t0k3n",
		"HTTP/1.1 401 \x1b[2J\r\nWww-Authenticate: Bearer error=\"x\"\r\n\r\n{\"detail\":\"\u202e\"}", "HTTP/1.1 000\r\n\r\n", "HTTP/1.1 999 x\r\n\r\n", "x", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := rest.New(rest.Config{BaseURL: "https://up.example", Token: baton.NewSecret("s3cr3t-t0k3n"), Transport: wire(raw), RetryFor: -1})
		if err != nil {
			t.Fatal(err)
		}
		check := func(err error) {
			t.Helper()
			switch {
			case err == nil || err == io.EOF:
			case strings.Contains(err.Error(), "s3cr3t-t0k3n"), strings.ContainsAny(err.Error(), "\r\n\x1b\x00"):
				t.Errorf("%q", err)
			case baton.KindOf(err) == baton.Internal:
				t.Errorf("taken for a defect: %v", err)
			}
		}
		_, err = c.Do(t.Context(), rest.Request{Path: "/x"})
		check(err)
		s, err := c.Stream(t.Context(), rest.Request{Path: "/x"})
		check(err)
		if err == nil {
			_, err = io.Copy(io.Discard, s)
			check(err)
			s.Close()
		}
	})
}

// bombs returns responses that grow without end or beyond any expected size.
func bombs(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := io.CopyN(zip, zeros{}, 256<<20); err != nil {
		t.Fatal(err)
	}
	zip.Close()
	return map[string]http.HandlerFunc{
		"a packed answer of 256 MiB": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed.Bytes())
		},
		"a body without an end": func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, zeros{}) },
		"an error without an end": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.Copy(w, zeros{})
		},
		"headers of 2 MiB": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2048 {
				w.Header().Set("X-"+strings.Repeat("x", i%7+1)+string(rune('a'+i%26))+strings.Repeat("y", i/26+1), strings.Repeat("z", 1024))
			}
		},
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestBombs: unbounded responses are rejected soon and in little memory.
func TestBombs(t *testing.T) {
	for name, handler := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			t.Cleanup(server.CloseClientConnections)
			t.Cleanup(server.Close)
			c, err := rest.New(rest.Config{BaseURL: server.URL, RetryFor: -1, MaxBody: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = c.Do(t.Context(), rest.Request{Path: "/x"})
			runtime.ReadMemStats(&after)
			if err == nil || baton.KindOf(err) == baton.Internal {
				t.Errorf("got %v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("%d MiB were allocated", used>>20)
			}
		})
	}
}
