package field

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// inBetween answers in place of the upstream, every request or those for which when returns true.
func inBetween(status int, body string, when func(n int, r *http.Request) bool, header ...string) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !when(int(n.Add(1)), r) {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=UTF-8")
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
}

func always(int, *http.Request) bool { return true }

const (
	cloudflarePage = "<!DOCTYPE html>\n<!--[if lt IE 7]> <html class=\"no-js ie6 oldie\" lang=\"en-US\"> <![endif]-->\n<html lang=\"en-US\"><head><title>Attention Required! | Cloudflare</title></head><body>Sorry, you have been blocked</body></html>"
	zscalerPage    = "<html><head><title>Internet Security by Zscaler</title></head><body>Your organization has blocked this site</body></html>"
	loginPage      = "<!doctype html><html><head><meta charset=utf-8><title>Sign in to Acme</title></head><form></form></html>"
)

// TestSomethingInBetweenAnswers: a page of a firewall, a proxy or a login says nothing about the token.
func TestSomethingInBetweenAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		header []string
		says   []string
	}{
		"Cloudflare, 403":         {403, cloudflarePage, []string{"Server", "cloudflare"}, []string{"Attention Required! | Cloudflare", "Server: cloudflare"}},
		"Cloudflare's text, 403":  {403, "error code: 1020", []string{"Server", "cloudflare", "Content-Type", "text/plain"}, []string{"error code: 1020", "Server: cloudflare"}},
		"Cloudflare's challenge":  {403, "<html><title>Just a moment...</title></html>", []string{"Server", "cloudflare", "Cf-Mitigated", "challenge"}, []string{"Just a moment..."}},
		"Zscaler, 403":            {403, zscalerPage, []string{"Server", "Zscaler/6.2"}, []string{"Internet Security by Zscaler", "Zscaler/6.2"}},
		"a login page, 401":       {401, loginPage, []string{"Server", "nginx"}, []string{"Sign in to Acme", "Server: nginx"}},
		"a proxy, 401":            {401, "<html><h1>Authentication required</h1></html>", []string{"WWW-Authenticate", "NTLM"}, []string{"Authentication required"}},
		"a page called JSON, 403": {403, cloudflarePage, []string{"Content-Type", "application/json"}, []string{"Attention Required"}},
		"a login page, 200":       {200, loginPage, []string{"Server", "nginx"}, []string{"Sign in to Acme", "Server: nginx"}},
		"an AWS firewall, 403":    {403, "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n", []string{"Server", "awselb/2.0"}, []string{"awselb/2.0"}},
		"an XML gateway, 403":     {403, "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", []string{"Server", "AmazonS3", "Content-Type", "application/xml"}, []string{"XML", "AmazonS3"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range []*program{
				perplexity(t, serveUpstream(t, acme(), inBetween(tt.status, tt.body, always, tt.header...)).scimURL()),
				percipio(t, serveUpstream(t, newAcademy(), inBetween(tt.status, tt.body, always, tt.header...)).URL),
			} {
				got := p.run(t)
				p.refuses(t, got, append(tt.says, "something between here")...)
				for _, claim := range []string{"it may have expired", "rotated", "is a SCIM token", "the permission for the"} {
					if strings.Contains(got.stderr, claim) {
						t.Errorf("it blames the token: %q\n%s", claim, got.stderr)
					}
				}
				if got.code == 16 || got.code == 7 {
					t.Errorf("exit code %d", got.code)
				}
			}
		})
	}
}

// TestTheAPIRefusesTheToken: the API's own verdict about the token is still reported.
func TestTheAPIRefusesTheToken(t *testing.T) {
	for status, code := range map[int]int{401: 16, 403: 7} {
		for name, header := range map[string][]string{"JSON": {"Content-Type", "application/json"}, "a page, with its challenge": {"WWW-Authenticate", `Bearer realm="scim"`}} {
			body := `{"detail":"no"}`
			if name != "JSON" {
				if body = "<html><title>HTTP Status 401</title></html>"; status == 403 {
					continue
				}
			}
			p := perplexity(t, serveUpstream(t, acme(), inBetween(status, body, always, header...)).scimURL())
			got := p.run(t)
			p.refuses(t, got, fmt.Sprint(status), "oken")
			if got.code != code {
				t.Errorf("%d, %s: exit code %d, want %d\n%s", status, name, got.code, code, got.stderr)
			}
		}
	}
}

// TestGatewayStatuses: reads wait out the statuses of gateways, and a write that got one is not called done.
func TestGatewayStatuses(t *testing.T) {
	for _, status := range []int{507, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			first := func(n int, r *http.Request) bool { return n <= 2 && r.Method == http.MethodGet }
			m := acme()
			p := perplexity(t, serveUpstream(t, m, inBetween(status, cloudflarePage, first)).scimURL())
			p.run(t).succeeds(t)
			if got := p.synced(t); !slices.Equal(got, m.memberships()) {
				t.Errorf("synced %q, want %q", got, m.memberships())
			}
		})
	}
	t.Run("Percipio", func(t *testing.T) {
		percipio(t, serveUpstream(t, newAcademy(), inBetween(529, "", func(n int, r *http.Request) bool { return n%3 == 0 && r.Method == http.MethodGet })).URL).run(t).succeeds(t)
	})
	t.Run("a creation", func(t *testing.T) {
		m := acme()
		p := perplexity(t, serveUpstream(t, m, inBetween(524, cloudflarePage, func(_ int, r *http.Request) bool { return r.Method == http.MethodPost })).scimURL())
		p.run(t, creating("new@acme.example")...).fails(t, "524", "may have been carried out")
	})
}

// TestProxyWantsAPassword: a 407 is reported as a proxy's request for a password.
func TestProxyWantsAPassword(t *testing.T) {
	proxy := serveUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	p := perplexity(t, "https://scim.acme.invalid/v2", "HTTPS_PROXY="+proxy.URL)
	p.refuses(t, p.run(t), "407", "a proxy wants a user name and a password", "HTTPS_PROXY")
	q := perplexity(t, serveUpstream(t, acme(), inBetween(407, "<html><title>Proxy</title>", always)).scimURL())
	q.refuses(t, q.run(t), "407", "a proxy wants a user name and a password", "HTTPS_PROXY")
}
