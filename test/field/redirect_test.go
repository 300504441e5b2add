package field

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// wantsSlash redirects every path without a trailing slash to the path with one, like the routers of web
// frameworks and reverse proxies. to returns the address for a request.
func wantsSlash(status int, to func(r *http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/") {
				w.Header().Set("Location", to(r))
				w.WriteHeader(status)
				return
			}
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
			next.ServeHTTP(w, r)
		})
	}
}

func withSlash(r *http.Request) string {
	return "http://" + r.Host + r.URL.EscapedPath() + "/?" + r.URL.RawQuery
}

// TestSlashAtTheEnd: syncs and changes work with a server that redirects to the path with a trailing slash.
func TestSlashAtTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		to     func(*http.Request) string
	}{
		"301":                {301, withSlash},
		"302":                {302, withSlash},
		"307":                {307, withSlash},
		"308":                {308, withSlash},
		"301, path only":     {301, func(r *http.Request) string { return r.URL.EscapedPath() + "/?" + r.URL.RawQuery }},
		"301, query dropped": {301, func(r *http.Request) string { return r.URL.EscapedPath() + "/" }},
	} {
		t.Run(name, func(t *testing.T) {
			m := acme()
			u := serveUpstream(t, m, wantsSlash(tt.status, tt.to))
			p := perplexity(t, u.scimURL())
			p.run(t).succeeds(t)
			if got := p.synced(t); !slices.Equal(got, m.memberships()) {
				t.Errorf("synced %q, want %q", got, m.memberships())
			}
			p.run(t, granting("g2", "u1")...).succeeds(t)
			p.run(t, revoking("g2", "u2")...).succeeds(t)
			p.run(t, creating("new@acme.example")...).succeeds(t)
			if want := []string{"+g2:u1", "-g2:u2", "+new@acme.example"}; !slices.Equal(m.changed(), want) {
				t.Errorf("changes %q, want %q", m.changed(), want)
			}
			percipio(t, serveUpstream(t, newAcademy(), wantsSlash(tt.status, tt.to)).URL).run(t).succeeds(t)
		})
	}
}

// TestRedirectsElsewhere: any other redirect is refused, and the token goes nowhere else.
func TestRedirectsElsewhere(t *testing.T) {
	leaks := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaks++ }))
	defer other.Close()
	for name, tt := range map[string]struct {
		to   func(*http.Request) string
		says string
	}{
		"another host":      {func(r *http.Request) string { return other.URL + r.URL.Path + "/" }, "redirects to " + other.URL},
		"https on the same": {func(r *http.Request) string { return "https://" + r.Host + r.URL.Path + "/" }, "redirects to https://"},
		"a login page":      {func(r *http.Request) string { return "/login?next=" + r.URL.Path }, "another path"},
		"another query":     {func(r *http.Request) string { return r.URL.Path + "/?tenant=other" }, "another path"},
	} {
		t.Run(name, func(t *testing.T) {
			p := perplexity(t, serveUpstream(t, acme(), wantsSlash(301, tt.to)).scimURL())
			p.refuses(t, p.run(t), "301", tt.says)
			q := percipio(t, serveUpstream(t, newAcademy(), wantsSlash(301, tt.to)).URL)
			q.refuses(t, q.run(t), "301", tt.says)
		})
	}
	if leaks > 0 {
		t.Errorf("%d requests went to another host", leaks)
	}
}

// TestMediaTypesOfSCIM: a server that does not know application/scim+json gets requests with
// application/json.
func TestMediaTypesOfSCIM(t *testing.T) {
	for name, refuses := range map[string]func(*http.Request) int{
		"415 to bodies": func(r *http.Request) int {
			if strings.Contains(r.Header.Get("Content-Type"), "scim") {
				return 415
			}
			return 0
		},
		"406 to everything": func(r *http.Request) int {
			if strings.Contains(r.Header.Get("Accept"), "scim") {
				return 406
			}
			return 0
		},
		"415 to everything": func(r *http.Request) int {
			if strings.Contains(r.Header.Get("Accept")+r.Header.Get("Content-Type"), "scim") {
				return 415
			}
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := acme()
			u := serveUpstream(t, m, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if status := refuses(r); status != 0 {
						http.Error(w, `{"detail":"unsupported media type"}`, status)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
			p := perplexity(t, u.scimURL())
			p.run(t).succeeds(t)
			if before := len(u.seen()); before > 12 {
				t.Errorf("%d requests for a sync: it does not remember", before)
			}
			p.run(t, granting("g2", "u1")...).succeeds(t)
			p.run(t, creating("new@acme.example")...).succeeds(t)
			if want := []string{"+g2:u1", "+new@acme.example"}; !slices.Equal(m.changed(), want) {
				t.Errorf("changes %q, want %q", m.changed(), want)
			}
		})
	}
}
