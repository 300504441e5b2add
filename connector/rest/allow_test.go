package rest_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/connector/rest"
)

// TestAllow checks that no connection is made to a forbidden address, given by number or by name, and that a
// proxy does not bypass the check.
func TestAllow(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer server.Close()
	t.Setenv("HTTP_PROXY", server.URL)
	t.Setenv("NO_PROXY", "")
	var seen []netip.Addr
	private := func(a netip.Addr) error {
		seen = append(seen, a)
		if a.IsLoopback() || a.IsPrivate() {
			return baton.Errorf(baton.PermissionDenied, "the address is not allowed").WithFix("Allow its network.")
		}
		return nil
	}
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		client, err := rest.New(rest.Config{BaseURL: "http://" + host + port}.With(rest.Options{RetryFor: -1, Allow: private}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), rest.Request{Method: http.MethodGet, Path: "/"})
		if err == nil || !strings.Contains(err.Error(), "the address is not allowed") || baton.FixOf(err) == "" {
			t.Errorf("%s: %v (%s)", host, err, baton.FixOf(err))
		}
		var e *baton.Error
		if !errors.As(err, &e) || e.Kind != baton.PermissionDenied {
			t.Errorf("%s: the error is %v", host, baton.KindOf(err))
		}
	}
	if requests != 0 || len(seen) == 0 {
		t.Errorf("the server got %d requests; addresses %v were judged", requests, seen)
	}
	client, err := rest.New(rest.Config{BaseURL: server.URL}.With(rest.Options{RetryFor: -1, Allow: func(netip.Addr) error { return nil }}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), rest.Request{Method: http.MethodGet, Path: "/"}); requests != 1 {
		t.Errorf("an allowed address got %d requests: %v", requests, err)
	}
}

// nameServer answers each query for an address with the next of a list, and then with the last.
func nameServer(t *testing.T, addresses ...netip.Addr) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	former := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = former; conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12 // of the one question, after the header (RFC 1035, section 4)
			for end < n && buf[end] != 0 {
				end += 1 + int(buf[end])
			}
			end += 5
			if end > n {
				continue
			}
			answer := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, buf[12:end]...)
			if buf[end-3] == 1 { // type A
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, addresses[0].AsSlice()...)
				if len(addresses) > 1 {
					addresses = addresses[1:]
				}
			}
			conn.WriteTo(answer, from)
		}
	}()
}

// TestAllowChangedName checks that a name which leads to an allowed address first, and to a
// forbidden one later, is judged for each connection.
func TestAllowChangedName(t *testing.T) {
	allowed, forbidden := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	requests := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Connection", "close") // the next request connects again
	}))
	defer server.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	nameServer(t, allowed, forbidden)
	client, err := rest.New(rest.Config{BaseURL: "https://example.com" + server.URL[strings.LastIndex(server.URL, ":"):]}.With(rest.Options{CAFile: roots, RetryFor: -1, Allow: func(a netip.Addr) error {
		if a.Unmap() == forbidden {
			return baton.Errorf(baton.PermissionDenied, "the address is not allowed")
		}
		return nil
	}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), rest.Request{Method: http.MethodGet, Path: "/"}); err != nil {
		t.Fatalf("the first request: %v", err)
	}
	if _, err := client.Do(t.Context(), rest.Request{Method: http.MethodGet, Path: "/"}); baton.KindOf(err) != baton.PermissionDenied || requests != 1 {
		t.Errorf("after the name changed: %v, %d requests", err, requests)
	}
}
