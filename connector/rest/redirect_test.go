package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"baton"
	"baton/connector/rest"
)

// TestSlashRedirect: the client follows a redirect to the same address with or without a trailing slash, for
// a write only if it is idempotent, and only once for each path.
func TestSlashRedirect(t *testing.T) {
	for _, tt := range []struct {
		status              int
		method              string
		policy              rest.RetryPolicy
		works               bool
		location, wantQuery string // of the server's redirect: absolute, relative, without the query
	}{
		{301, "GET", rest.RetryDefault, true, "absolute", "a=b"},
		{302, "GET", rest.RetryDefault, true, "relative", "a=b"},
		{307, "GET", rest.RetryDefault, true, "without query", "a=b"},
		{308, "GET", rest.RetryDefault, true, "absolute", "a=b"},
		{303, "GET", rest.RetryDefault, false, "absolute", ""},
		{300, "GET", rest.RetryDefault, false, "absolute", ""},
		{307, "POST", rest.RetryNever, true, "absolute", "a=b"},
		{308, "PATCH", rest.RetrySafe, true, "relative", "a=b"},
		{301, "PATCH", rest.RetrySafe, true, "absolute", "a=b"},
		{301, "POST", rest.RetryNever, false, "absolute", ""},
		{302, "POST", rest.RetryNever, false, "absolute", ""},
		{303, "PATCH", rest.RetrySafe, false, "absolute", ""},
		{308, "GET", rest.RetryDefault, false, "another query", ""},
	} {
		t.Run(fmt.Sprintf("%d %s %d %s", tt.status, tt.method, tt.policy, tt.location), func(t *testing.T) {
			var requests []string
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				requests = append(requests, r.Method+" "+r.URL.Path+" "+string(body))
				if strings.HasSuffix(r.URL.Path, "/") {
					fmt.Fprintf(w, `[%q]`, r.URL.RawQuery)
					return
				}
				to := map[string]string{
					"absolute": server.URL + r.URL.Path + "/?" + r.URL.RawQuery, "relative": r.URL.Path + "/?" + r.URL.RawQuery,
					"without query": r.URL.Path + "/", "another query": r.URL.Path + "/?c=d",
				}[tt.location]
				w.Header().Set("Location", to)
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			c := client(t, rest.Config{BaseURL: server.URL + "/v2"})
			req := rest.Request{Method: tt.method, Path: "/Users", Query: url.Values{"a": {"b"}}, Retry: tt.policy}
			if tt.method != "GET" {
				req.Body = []byte("{}")
			}
			for range 2 {
				resp, err := c.Do(t.Context(), req)
				if !tt.works {
					fix := "redirect with 308"
					if tt.location == "another query" {
						fix = "check the URL"
					}
					wantError(t, err, baton.Invalid, fmt.Sprint(tt.status), fix)
					continue
				}
				if err != nil || string(resp.Body) != fmt.Sprintf(`[%q]`, tt.wantQuery) {
					t.Errorf("%v, %v", resp, err)
				}
			}
			want := []string{"/v2/Users", "/v2/Users/", "/v2/Users/"}
			if !tt.works {
				want = []string{"/v2/Users", "/v2/Users"}
			}
			for i, path := range want {
				if got := fmt.Sprintf("%s %s %s", tt.method, path, req.Body); i >= len(requests) || requests[i] != got {
					t.Fatalf("requests %q, want %s at %d", requests, got, i)
				}
			}
			if len(requests) != len(want) {
				t.Errorf("requests %q", requests)
			}
		})
	}
}

// TestSlashRedirectHasAnEnd: a server that redirects back and forth is refused, and one that changes its
// preference later is followed.
func TestSlashRedirectHasAnEnd(t *testing.T) {
	requests, wants := 0, ""
	c := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if without := strings.TrimSuffix(r.URL.Path, "/"); wants == "neither" && r.URL.Path == without || wants != "neither" && r.URL.Path != without+wants {
			http.Redirect(w, r, without+wants, http.StatusMovedPermanently)
		} else if wants == "neither" {
			http.Redirect(w, r, without, http.StatusMovedPermanently)
		}
	})
	for i, tt := range []struct {
		wants    string
		requests int
	}{{"", 1}, {"/", 2}, {"/", 1}, {"", 2}, {"", 1}} {
		requests, wants = 0, tt.wants
		if _, err := c.Do(t.Context(), rest.Request{Path: "/Users"}); err != nil || requests != tt.requests {
			t.Errorf("%d: %v after %d requests, want %d", i, err, requests, tt.requests)
		}
	}
	loop := serve(t, rest.Config{}, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if without, ok := strings.CutSuffix(r.URL.Path, "/"); ok {
			http.Redirect(w, r, without, http.StatusMovedPermanently)
		} else {
			http.Redirect(w, r, without+"/", http.StatusMovedPermanently)
		}
	})
	requests = 0
	_, err := loop.Do(t.Context(), rest.Request{Path: "/Users"})
	wantError(t, err, baton.Invalid, "301", "308")
	if requests != 2 {
		t.Errorf("%d requests", requests)
	}
}

// TestOtherRedirects: any other redirect is refused, and the error says where it leads as far as that is
// safe.
func TestOtherRedirects(t *testing.T) {
	var leaks atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaks.Add(1) }))
	defer other.Close()
	var here string
	for name, tt := range map[string]struct{ location, says string }{
		"another host":             {other.URL + "/v2/Users/", "redirects to " + other.URL},
		"another scheme":           {"https://HERE/v2/Users/", "redirects to https://"},
		"another name of the host": {"http://localhost:PORT/v2/Users/", "redirects to http://localhost"},
		"another path":             {"/login", "redirects to another path of its own"},
		"another case":             {"/v2/users/", "redirects to another path of its own"},
		"below it":                 {"/v2/Users/index.html", "redirects to another path of its own"},
		"the same path":            {"/v2/Users", "redirects to another path of its own"},
		"two slashes":              {"/v2/Users//", "redirects to another path of its own"},
		"with a user":              {"http://user:pass@HERE/v2/Users/", "redirects to another path of its own"},
		"a host without a scheme":  {"//evil.example/v2/Users/", "redirects to http://evil.example"},
		"no host":                  {"mailto:admin@acme.example", "redirects to nowhere"},
		"nothing":                  {"", "redirects to nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			hits := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hits++
				to := strings.NewReplacer("HERE", here, "PORT", here[strings.LastIndex(here, ":")+1:]).Replace(tt.location)
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusPermanentRedirect)
			}))
			defer server.Close()
			here = strings.TrimPrefix(server.URL, "http://")
			c := client(t, rest.Config{BaseURL: server.URL + "/v2"})
			_, err := c.Do(t.Context(), rest.Request{Path: "/Users"})
			wantError(t, err, baton.Invalid, tt.says, "check the URL")
			if hits != 1 {
				t.Errorf("%d requests", hits)
			}
			if err != nil && strings.Contains(err.Error(), "user:pass") {
				t.Errorf("it repeats the location: %v", err)
			}
		})
	}
	if leaks.Load() > 0 {
		t.Error("the token went to another host")
	}
}
