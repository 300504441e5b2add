package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/console"
)

func allow(netip.Addr) error { return nil }

// receiver is a TLS server.
func receiver(t *testing.T, serve http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	s := httptest.NewTLSServer(serve)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, roots
}

func post(t *testing.T, s Sender, address string) (Answer, error) {
	t.Helper()
	l, err := s.Open(baton.NewSecret(address))
	if err != nil {
		return Answer{}, err
	}
	defer l.Close()
	return l.Post(t.Context(), http.Header{}, []byte("{}"))
}

// raw is a server that writes bytes, slowly, and then does what it likes.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				c.Read(b) // the request fits
				serve(c)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestReceivers posts to receivers of every kind.
func TestReceivers(t *testing.T) {
	var inner atomic.Int64
	forbidden := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner.Add(1) }))
	t.Cleanup(forbidden.Close)
	drip := func(header string, n int) func(net.Conn) {
		return func(c net.Conn) {
			io.WriteString(c, header)
			for range n {
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	long := strings.Repeat("long ", 200000)
	good, roots := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if string(b) != "{}" || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v %q", r.Method, r.Header, b)
		}
		switch r.URL.Path {
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/moved":
			http.Redirect(w, r, forbidden.URL, http.StatusTemporaryRedirect)
		case "/later":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/long":
			io.WriteString(w, long)
		case "/zip":
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "\x1f\x8b not unpacked")
		case "/strange":
			io.WriteString(w, "ok\x00\x1b[31m\u202e\xff\nnext")
		case "/accepted":
			w.WriteHeader(http.StatusAccepted)
		}
	})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, tt := range []struct {
		what, url string
		status    int
		excerpt   string
		fails     string // part of the error; "" if there is an answer
	}{
		{"taken", good.URL, 200, "", ""},
		{"accepted", good.URL + "/accepted", 202, "", ""},
		{"gone", good.URL + "/gone", 410, "", ""},
		{"a redirect to an inner address", good.URL + "/moved", 307, "", ""},
		{"comes back later", good.URL + "/later", 503, "", ""},
		{"a long body", good.URL + "/long", 200, strings.TrimSpace(long[:maxExcerpt]), ""},
		{"a zipped body", good.URL + "/zip", 200, `\x1f\ufffd not unpacked`, ""},
		{"an unprintable body", good.URL + "/strange", 200, "ok", ""},
		{"hangs", raw(t, func(c net.Conn) { time.Sleep(3 * time.Second) }), 0, "", "did not answer within 1 seconds"},
		{"a slow header", raw(t, drip("HTTP/1.1 200 OK\r\nX-Slow: ", 200)), 0, "", "did not answer"},
		{"a slow body", raw(t, drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200)), 200, "xxx", ""},
		{"claims a long body", raw(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nhello") }), 200, "hello", ""},
		{"an endless header", raw(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)) }), 0, "", "cannot be reached"},
		{"closes at once", raw(t, func(net.Conn) {}), 0, "", "closed the connection without an answer"},
		{"closes midway in the header", raw(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-") }), 0, "", "cannot be reached"},
		{"no HTTP", raw(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n") }), 0, "", "cannot be reached"},
		{"an untrusted certificate", untrusted.URL, 0, "", "certificate"},
		{"a certificate of another name", strings.Replace(good.URL, "127.0.0.1", "localhost", 1), 0, "", "certificate"},
		{"old TLS", old.URL, 0, "", "cannot be reached"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), 0, "", "does not speak TLS"},
		{"no server", "https://" + closed.Addr().String(), 0, "", "cannot be reached"},
		{"no host", "https://nowhere.invalid/x", 0, "", "nowhere.invalid"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			s := Sender{Allow: allow, Roots: roots, Timeout: time.Second}
			if tt.what == "an untrusted certificate" {
				s.Roots = x509.NewCertPool()
			}
			began := time.Now()
			a, err := post(t, s, tt.url)
			if d := time.Since(began); d > 20*time.Second { // the machine may be slow
				t.Errorf("took %v", d)
			}
			switch {
			case tt.fails != "":
				if err == nil || !strings.Contains(err.Error(), tt.fails) || baton.KindOf(err) != baton.Unavailable {
					t.Errorf("%+v, %v (%v), want an error with %q", a, err, baton.KindOf(err), tt.fails)
				}
			case err != nil || a.Status != tt.status || !strings.HasPrefix(a.Excerpt, tt.excerpt) || strings.ContainsAny(a.Excerpt, "\x00\x1b\n\u202e"):
				t.Errorf("%+v, %v", a, err)
			case tt.what == "comes back later" && a.After != 2*time.Minute:
				t.Errorf("%+v", a)
			}
		})
	}
	t.Cleanup(func() {
		if inner.Load() != 0 {
			t.Error("a redirect was followed")
		}
	})
}

// TestAddresses checks that each connection is judged: a name may have an allowed address first, and
// another one later.
func TestAddresses(t *testing.T) {
	var connections atomic.Int64
	good, roots := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	good.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	moved := errors.New("moved")
	judged := 0
	s := Sender{Roots: roots, Allow: func(netip.Addr) error {
		if judged++; judged > 1 {
			return baton.Errorf(baton.PermissionDenied, "the address is in a private network: %w", moved)
		}
		return nil
	}}
	l, err := s.Open(baton.NewSecret(good.URL))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := l.Post(t.Context(), http.Header{}, nil); err != nil || !a.OK() {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := l.Post(t.Context(), http.Header{}, nil); !errors.Is(err, moved) || baton.KindOf(err) != baton.PermissionDenied {
		t.Errorf("after the name has moved: %+v, %v", a, err)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if _, err := post(t, Sender{Roots: roots}, good.URL); baton.KindOf(err) != baton.PermissionDenied {
		t.Errorf("a sender that allows nothing: %v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	if a, err := post(t, Sender{Allow: allow}, plain.URL); err != nil || a.Status != 404 {
		t.Errorf("this machine without TLS: %+v, %v", a, err)
	}
	for _, bad := range []string{"", "ftp://x", "/x", "https://"} {
		if _, err := s.Open(baton.NewSecret(bad)); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Post(ctx, http.Header{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestURLs checks which URLs are accepted, and what is displayed of them.
func TestURLs(t *testing.T) {
	for _, tt := range []struct {
		kind       console.WebhookKind
		url, shown string // "" if it is refused
	}{
		{console.WebhookSigned, "https://example.com/hooks/1", "https://example.com/hooks/1"},
		{console.WebhookSigned, "https://example.com:8443/hooks?token=x", "https://example.com:8443/hooks?…"},
		{console.WebhookChat, "https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/…"},
		{console.WebhookSigned, "http://127.0.0.1:80/x", "http://127.0.0.1:80/x"},
		{console.WebhookSigned, "http://localhost/x", "http://localhost/x"},
		{console.WebhookSigned, "http://[::1]:9/x", "http://[::1]:9/x"},
		{console.WebhookSigned, "http://example.com/x", ""},
		{console.WebhookSigned, "http://10.0.0.1/x", ""},
		{console.WebhookSigned, "https://user:password@example.com/", ""},
		{console.WebhookSigned, "https://example.com/#x", ""},
		{console.WebhookSigned, "https:///x", ""},
		{console.WebhookSigned, "https://:443/x", ""},
		{console.WebhookSigned, "example.com", ""},
		{console.WebhookSigned, "https:example.com", ""},
		{console.WebhookSigned, "https://example.com/a b", ""},
		{console.WebhookSigned, "https://example.com/\n", ""},
		{console.WebhookSigned, "file:///etc/passwd", ""},
		{console.WebhookSigned, "https://example.com/" + strings.Repeat("x", 2000), ""},
	} {
		shown, err := CheckURL(tt.kind, tt.url)
		if shown != tt.shown || (err == nil) != (tt.shown != "") || err != nil && baton.KindOf(err) != baton.Invalid {
			t.Errorf("%q: %q, %v", tt.url, shown, err)
		}
	}
}

func ExamplePlain() {
	fmt.Printf("%q\n", Plain("<!channel>"))
	// Output: "&lt;!\u200bchannel&gt;"
}
