package rest_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/rest"
)

const streamToken = "stream-token-0123456789"

func streamFrom(t *testing.T, h http.HandlerFunc, edit ...func(*rest.Config)) *rest.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg := rest.Config{BaseURL: server.URL, Token: baton.NewSecret(streamToken)}
	for _, e := range edit {
		e(&cfg)
	}
	client, err := rest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestStreamHasNoLimit: neither the size limit nor a slow reader ends a stream, compressed or not.
func TestStreamHasNoLimit(t *testing.T) {
	const size = 8 << 20
	for name, write := range map[string]func(http.ResponseWriter, io.Reader){
		"plain": func(w http.ResponseWriter, r io.Reader) { io.Copy(w, r) },
		"gzip": func(w http.ResponseWriter, r io.Reader) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.Copy(z, r)
			z.Close()
		},
		"byte order mark": func(w http.ResponseWriter, r io.Reader) {
			io.WriteString(w, "\xef\xbb\xbf")
			io.Copy(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := streamFrom(t, func(w http.ResponseWriter, r *http.Request) {
				write(w, io.LimitReader(repeated('a'), size))
			}, func(cfg *rest.Config) { cfg.MaxBody = 1000 })
			s, err := client.Stream(t.Context(), rest.Request{Path: "/x"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			first := make([]byte, 1)
			if _, err := io.ReadFull(s, first); err != nil || first[0] != 'a' || s.Status != 200 {
				t.Fatalf("%q, %v", first, err)
			}
			n, err := io.Copy(io.Discard, s)
			if n != size-1 || err != nil {
				t.Errorf("%d of %d bytes, %v", n+1, size, err)
			}
			if _, err := s.Read(first); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

type repeated byte

func (b repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// TestStreamOpensAsDoDoes: the same retries and errors apply until the body begins.
func TestStreamOpensAsDoDoes(t *testing.T) {
	attempts := 0
	var seen []rest.Attempt
	client := streamFrom(t, func(w http.ResponseWriter, r *http.Request) {
		switch attempts++; attempts {
		case 1:
			w.WriteHeader(503)
		case 2:
			w.Header().Set("Content-Length", "5") // no body follows
		default:
			io.WriteString(w, "[]")
		}
	}, func(cfg *rest.Config) { cfg.Observe = func(a rest.Attempt) { seen = append(seen, a) } })
	s, err := client.Stream(t.Context(), rest.Request{Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(s)
	if string(body) != "[]" || err != nil || len(seen) != 3 || seen[0].Status != 503 || seen[1].Err == nil || seen[2].Status != 200 {
		t.Errorf("%q, %v; attempts %+v", body, err, seen)
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		kind   baton.Kind
		is     error
	}{
		{"not found", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, baton.NotFound, nil},
		{"web page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, " <!DOCTYPE html><html>") }, baton.Invalid, rest.ErrHTML},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.invalid/"+streamToken, http.StatusFound)
		}, baton.Invalid, nil},
		{"echo", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, `{"message":"`+r.Header.Get("Authorization")+`"}`, http.StatusUnauthorized)
		}, baton.Unauthenticated, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := streamFrom(t, tc.answer).Stream(t.Context(), rest.Request{Path: "/x"})
			if baton.KindOf(err) != tc.kind || tc.is != nil && !errors.Is(err, tc.is) || strings.Contains(fmt.Sprint(err), streamToken) {
				t.Errorf("%v (%v)", err, baton.KindOf(err))
			}
		})
	}
}

// TestStreamBreaksOff: the bytes before the break are delivered, followed by an error.
func TestStreamBreaksOff(t *testing.T) {
	client := streamFrom(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "0123456789")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	s, err := client.Stream(t.Context(), rest.Request{Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(s)
	if string(body) != "0123456789" || baton.KindOf(err) != baton.Unavailable || !strings.Contains(err.Error(), "GET /x") {
		t.Errorf("%q, %v", body, err)
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	client := streamFrom(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		select {
		case <-block:
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := client.Stream(ctx, rest.Request{Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := io.ReadAll(s); baton.KindOf(err) != baton.Canceled {
		t.Errorf("%v, want Canceled", err)
	}
	again, err := client.Stream(t.Context(), rest.Request{Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	again.Close()
	if _, err := again.Read(make([]byte, 1)); baton.KindOf(err) != baton.Canceled {
		t.Errorf("after Close: %v", err)
	}
}

// TestStreamClocks: silence ends a stream, but only during a Read, and however long the stream has been open.
func TestStreamClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gaps := []time.Duration{time.Minute, time.Minute, time.Minute, time.Minute, time.Hour}
		client, err := rest.New(rest.Config{BaseURL: "http://localhost", Transport: overPipe(t, func(conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhead")
			for _, gap := range gaps {
				time.Sleep(gap)
				io.WriteString(conn, "x")
			}
		})})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		s, err := client.Stream(t.Context(), rest.Request{Path: "/x"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour) // the reader is busy
		body, err := io.ReadAll(s)
		if string(body) != "headxxxx" || baton.KindOf(err) != baton.Unavailable || !strings.Contains(err.Error(), "2m0s") {
			t.Errorf("%q, %v", body, err)
		}
		// The pipe buffers nothing: the server's pauses begin when the reader reads.
		if took := time.Since(begun); took != 3*time.Hour+3*time.Minute+2*time.Minute {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Hour) // until the server has finished
	})
}

// overPipe returns a transport to one connection, whose server reads a request and then runs serve.
func overPipe(t *testing.T, serve func(net.Conn)) *http.Transport {
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { far.Close() })
		go func() {
			far.Read(make([]byte, 4096))
			serve(far)
		}()
		return near, nil
	}}
}
