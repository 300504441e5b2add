package rest_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/rest"
)

// TestMain sets a proxy for the process, because the environment is read once. Loopback addresses bypass it,
// so only the proxy test uses it.
func TestMain(m *testing.M) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = http.Serve(listener, http.HandlerFunc(tunnel)) }()
	os.Setenv("HTTPS_PROXY", "http://proxyuser:proxypass@"+listener.Addr().String())
	os.Unsetenv("NO_PROXY")
	os.Unsetenv("no_proxy")
	os.Exit(m.Run())
}

// tunnelTo is the address to which the proxy connects example.com:443.
var tunnelTo atomic.Value

func tunnel(w http.ResponseWriter, r *http.Request) {
	user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	switch {
	case r.Method != http.MethodConnect, user != "proxyuser", password != "proxypass":
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	case r.Host != "example.com:443":
		w.WriteHeader(http.StatusForbidden)
		return
	}
	out, err := net.Dial("tcp", tunnelTo.Load().(string))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	in, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	fmt.Fprint(in, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(out, in); out.Close() }()
	go func() { _, _ = io.Copy(in, out); in.Close() }()
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"ok":true}`) }

// caFile writes the server's certificate to a file for --ca-file.
func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Proto) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	t.Run("own authority", func(t *testing.T) {
		c := client(t, rest.Config{BaseURL: server.URL, CAFile: caFile(t, server)})
		resp, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		if err != nil || string(resp.Body) != `"HTTP/1.1"` {
			t.Fatalf("%+v, %v", resp, err)
		}
	})
	t.Run("unknown authority", func(t *testing.T) {
		c := client(t, rest.Config{BaseURL: server.URL})
		_, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		wantError(t, err, baton.Invalid, "unknown authority", "--ca-file")
	})
	t.Run("other name", func(t *testing.T) {
		c := client(t, rest.Config{BaseURL: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), CAFile: caFile(t, server)})
		_, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		wantError(t, err, baton.Invalid, "localhost", "certificate")
	})
	t.Run("port speaks plain http", func(t *testing.T) {
		plain := httptest.NewServer(http.HandlerFunc(ok))
		defer plain.Close()
		c := client(t, rest.Config{BaseURL: strings.Replace(plain.URL, "http:", "https:", 1)})
		_, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		wantError(t, err, baton.Invalid, "first record does not look like a TLS handshake", "does not speak https")
	})
	t.Run("old version", func(t *testing.T) {
		old := httptest.NewUnstartedServer(http.HandlerFunc(ok))
		old.Config.ErrorLog = server.Config.ErrorLog
		old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		old.StartTLS()
		defer old.Close()
		c := client(t, rest.Config{BaseURL: old.URL, CAFile: caFile(t, old), RetryFor: -1})
		_, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		wantError(t, err, baton.Invalid, "protocol version", "1.2")
	})
}

func TestConnectionRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c := client(t, rest.Config{BaseURL: "http://" + listener.Addr().String(), RetryFor: -1})
	_, err = c.Do(t.Context(), rest.Request{Path: "/Users"})
	wantError(t, err, baton.Unavailable, "GET /Users: dial tcp "+listener.Addr().String(), "host and port of the URL")
}

// TestWhereNothingEverAnswered: a wrong port is reported within seconds, but the client waits for a server
// that has answered before.
func TestWhereNothingEverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := false
		c := client(t, rest.Config{BaseURL: "https://scim.example.com", Transport: transport(func(*http.Request) (*http.Response, error) {
			if !up {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		})})
		took := func() time.Duration {
			begun := time.Now()
			c.Do(t.Context(), rest.Request{Path: "/Users"})
			return time.Since(begun)
		}
		if d := took(); d > 16*time.Second {
			t.Errorf("gave up after %v", d)
		}
		up = true
		took()
		up = false
		if d := took(); d < time.Minute {
			t.Errorf("a server that had answered was given up after %v", d)
		}
	})
}

// transport adapts a function to http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestProxy(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(ok)) // its certificate names example.com
	defer server.Close()
	tunnelTo.Store(server.Listener.Addr().String())

	t.Run("tunnels", func(t *testing.T) {
		c := client(t, rest.Config{BaseURL: "https://example.com/v2", CAFile: caFile(t, server)})
		if _, err := c.Do(t.Context(), rest.Request{Path: "/x"}); err != nil {
			t.Fatal(err)
		}
		if p := c.Proxy(); !strings.HasPrefix(p, "http://127.0.0.1:") {
			t.Errorf("proxy %q", p)
		}
	})
	t.Run("refuses the host", func(t *testing.T) {
		c := client(t, rest.Config{BaseURL: "https://forbidden.example.com"})
		_, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		wantError(t, err, baton.Invalid, "403 Forbidden", "HTTPS_PROXY")
		if strings.Contains(err.Error(), "proxypass") {
			t.Errorf("password in %q", err)
		}
	})
	t.Run("cannot reach the host", func(t *testing.T) {
		tunnelTo.Store("127.0.0.1:1")
		c := client(t, rest.Config{BaseURL: "https://example.com", RetryFor: -1})
		_, err := c.Do(t.Context(), rest.Request{Path: "/x"})
		wantError(t, err, baton.Unavailable, "502 Bad Gateway", "")
	})
	t.Run("bypassed for loopback", func(t *testing.T) {
		if p := client(t, rest.Config{BaseURL: "https://127.0.0.1"}).Proxy(); p != "" {
			t.Errorf("proxy %q", p)
		}
	})
}

func TestRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			var hits, leaks atomic.Int32
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaks.Add(1) }))
			defer other.Close()
			c := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
				hits.Add(1)
				w.Header().Set("Location", other.URL+"/?echo="+r.Header.Get("Authorization"))
				w.WriteHeader(status)
			})
			_, err := c.Do(t.Context(), rest.Request{Path: "/Users"})
			wantError(t, err, baton.Invalid, "redirects to "+other.URL, "check the URL")
			if hits.Load() != 1 || leaks.Load() != 0 {
				t.Errorf("%d requests to the upstream, %d to the other host", hits.Load(), leaks.Load())
			}
		})
	}
	t.Run("unreadable location", func(t *testing.T) {
		c := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://%zz"+token)
			w.WriteHeader(http.StatusFound)
		})
		_, err := c.Do(t.Context(), rest.Request{Path: "/Users"})
		wantError(t, err, baton.Invalid, "redirects to nowhere", "check the URL")
	})
}

func TestBodyIsBounded(t *testing.T) {
	big := `{"x":"` + strings.Repeat("a", 100_000) + `"}`
	for name, handler := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, big) },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			fmt.Fprint(z, big)
			z.Close()
			if b.Len() > 1000 {
				t.Errorf("compressed to %d bytes only", b.Len())
			}
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes())
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, rest.Config{MaxBody: 99_999}, handler).Do(t.Context(), rest.Request{Path: "/x"})
			wantError(t, err, baton.Invalid, "larger than the limit of 99999 bytes", "send less")
			resp, err := serve(t, rest.Config{MaxBody: int64(len(big))}, handler).Do(t.Context(), rest.Request{Path: "/x"})
			if err != nil || string(resp.Body) != big {
				t.Errorf("a body of exactly the limit: %v", err)
			}
		})
	}
}

func TestContent(t *testing.T) {
	const page = "\ufeff \n<!DOCTYPE html><title>Sign in</title>"
	for name, tt := range map[string]struct {
		method, contentType, body string
		kind                      baton.Kind
		text, fix                 string
		want                      string
	}{
		"JSON":                     {"GET", "application/json", `{}`, 0, "", "", `{}`},
		"JSON called HTML":         {"GET", "text/html", `{}`, 0, "", "", `{}`},
		"byte order mark":          {"GET", "text/plain", "\ufeff[1]", 0, "", "", `[1]`},
		"empty":                    {"GET", "", "", 0, "", "", ""},
		"HTML":                     {"GET", "text/html", page, baton.Invalid, "HTML page", "web page", ""},
		"HTML called JSON":         {"GET", "application/scim+json", page, baton.Invalid, "HTML page", "web page", ""},
		"HTML to a write":          {"PATCH", "text/html", "<html>", baton.Invalid, "HTML page", "web page", ""},
		"XML":                      {"GET", "application/xml", "<?xml version='1.0'?><a/>", baton.Invalid, "not JSON", "check the URL", ""},
		"text":                     {"GET", "text/plain", "hello", baton.Invalid, "not JSON", "check the URL", ""},
		"trailing rubbish":         {"GET", "", "{} x", baton.Invalid, "not JSON", "check the URL", ""},
		"text to a write":          {"PATCH", "text/plain", "OK", 0, "", "", "OK"},
		"error object with status": {"GET", "", `{"status":"500"}`, 0, "", "", `{"status":"500"}`},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, rest.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				fmt.Fprint(w, tt.body)
			})
			resp, err := c.Do(t.Context(), rest.Request{Method: tt.method, Path: "/x"})
			switch {
			case tt.text != "":
				wantError(t, err, tt.kind, tt.text, tt.fix)
			case err != nil:
				t.Fatal(err)
			case string(resp.Body) != tt.want:
				t.Errorf("body %q, want %q", resp.Body, tt.want)
			}
		})
	}
}

// raw answers each connection with the next of the given byte strings and closes it.
func raw(t *testing.T, answers ...string) (url string, served *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	served = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			_, _ = conn.Read(buffer)
			n := min(int(served.Add(1)), len(answers))
			fmt.Fprint(conn, answers[n-1])
			conn.Close()
		}
	}()
	return "http://" + listener.Addr().String(), served
}

func TestBrokenBodies(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	for name, broken := range map[string]string{
		"nothing":             "",
		"short of its length": "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{\"a\":",
		"half a chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"a\"",
		"no length":           "HTTP/1.0 200 OK\r\n\r\n{\"Resources\":[{\"id\":\"1",
		"bad gzip":            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
	} {
		t.Run(name, func(t *testing.T) {
			url, served := raw(t, broken, good)
			if _, err := client(t, rest.Config{BaseURL: url}).Do(t.Context(), rest.Request{Path: "/x"}); err != nil {
				t.Errorf("GET was not retried: %v", err)
			}
			if n := served.Load(); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
		})
	}
	t.Run("POST is not repeated", func(t *testing.T) {
		url, served := raw(t, "", good)
		_, err := client(t, rest.Config{BaseURL: url}).Do(t.Context(), rest.Request{Method: "POST", Path: "/x", Body: []byte("{}")})
		wantError(t, err, baton.Unavailable, "may have been carried out", "")
		if n := served.Load(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}
