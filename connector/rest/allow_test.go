package rest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
