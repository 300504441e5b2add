package field

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unusableProxies holds values that the libraries treat as no proxy.
var unusableProxies = map[string]string{
	"percent sign":    "http://user:pa%ss@proxy:3128",
	"line break":      "http://user:pass@proxy:3128\n",
	"leading blank":   " http://proxy:3128",
	"a blank":         " ",
	"in quotes":       `"http://proxy:3128"`,
	"hash sign":       "http://user:pa#ss@proxy:3128",
	"no host":         "http://",
	"port too large":  "http://proxy:312800",
	"unknown scheme":  "socks4://proxy:1080",
	"without scheme":  "user:pa%ss@proxy:3128",
	"scheme twice":    "http://http://proxy:3128",
	"proxy script":    "PROXY proxy:3128; DIRECT",
	"one slash":       "http:/proxy:3128",
	"control letters": "http://proxy:3128\x01",
}

// TestProxyThatCannotBeUsed: with an unusable proxy variable, no connector connects directly.
func TestProxyThatCannotBeUsed(t *testing.T) {
	u := serveUpstream(t, acme())
	a := serveUpstream(t, newAcademy())
	for name, value := range unusableProxies {
		t.Run(name, func(t *testing.T) {
			variables := []string{"HTTPS_PROXY"}
			if name == "percent sign" {
				variables = append(variables, "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
			}
			for _, variable := range variables {
				for _, p := range []*program{perplexity(t, u.scimURL(), variable+"="+value), percipio(t, a.URL, variable+"="+value)} {
					got := p.run(t)
					p.refuses(t, got, variable)
					if strings.Contains(got.stderr, "pa%ss") || strings.Contains(got.stderr, "pa#ss") {
						t.Errorf("it shows the password:\n%s", got.stderr)
					}
				}
			}
		})
	}
	if n := len(u.seen()) + len(a.seen()); n > 0 {
		t.Errorf("%d requests were sent directly", n)
	}
}

// TestProxyThatIsNotRead: neither a proxy in ALL_PROXY nor an exception that does not match is silently
// ignored. The address cannot receive anything.
func TestProxyThatIsNotRead(t *testing.T) {
	const url = "https://scim.acme.invalid/v2"
	for name, tt := range map[string]struct {
		env  []string
		says string
	}{
		"ALL_PROXY":           {[]string{"ALL_PROXY=socks5://127.0.0.1:9"}, "ALL_PROXY"},
		"all_proxy":           {[]string{"all_proxy=http://127.0.0.1:9"}, "all_proxy"},
		"NO_PROXY, semicolon": {[]string{"HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=localhost;scim.acme.invalid"}, "NO_PROXY"},
		"no_proxy, scheme":    {[]string{"HTTPS_PROXY=http://127.0.0.1:9", "no_proxy=https://scim.acme.invalid"}, "no_proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			p := perplexity(t, url, tt.env...)
			if got := p.run(t); got.code != 3 {
				t.Errorf("exit code %d, want 3\n%s", got.code, got.stderr)
			} else {
				p.refuses(t, got, tt.says)
			}
		})
	}
}

// TestQueryOfTheURL: every request has the query of the configured address, in addition to its own.
func TestQueryOfTheURL(t *testing.T) {
	u := serveUpstream(t, acme())
	p := perplexity(t, u.scimURL()+"?tenant=acme&flag")
	for _, args := range [][]string{
		{}, {"doctor"}, {"--grant-entitlement", "group:g2:member", "--grant-principal", "u1", "--grant-principal-type", "user"},
		{"--revoke-grant", "group:g2:member:user:u2"}, {"--create-account-email", "new@acme.example", "--create-account-profile", `{"display_name":"New One"}`},
		{"--invoke-action", "disable_user", "--invoke-action-args", `{"user_id":"u2"}`},
	} {
		p.run(t, args...).succeeds(t)
	}
	methods := map[string]int{}
	own := 0
	for _, r := range u.seen() {
		methods[r.Method]++
		if !strings.HasPrefix(r.URL.RawQuery, "tenant=acme&flag") {
			t.Errorf("%s has another query", queryOf(r))
		}
		if r.URL.Query().Has("startIndex") || r.URL.Query().Has("filter") {
			own++
		}
	}
	if methods["GET"] < 10 || methods["PATCH"] < 3 || methods["POST"] != 1 || own < 5 {
		t.Errorf("requests by method %v, %d of them with a query of their own", methods, own)
	}
	a := serveUpstream(t, newAcademy())
	q := percipio(t, a.URL+"/?tenant=acme", "BATON_LIMITED_COURSES="+courseID)
	if got := q.run(t); got.code != 0 {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	for _, r := range a.seen() {
		if r.URL.Query().Get("tenant") != "acme" {
			t.Errorf("%s has another query", queryOf(r))
		}
	}
	if len(a.seen()) < 4 {
		t.Errorf("%d requests", len(a.seen()))
	}
}

// TestQueryTellsTenantsApart: an interrupted sync of one tenant is not finished with rows of another.
func TestQueryTellsTenantsApart(t *testing.T) {
	theirs, ours := acme(), acme()
	theirs.people = theirs.people[:1]
	theirs.people[0].userName = "x1@other.example"
	theirs.crews = theirs.crews[:1]
	theirs.crews[0].members = []string{"u1"}
	ours.answer(onRequest("/Groups$", reply(403, `{"detail":"not these"}`)))
	u := serveUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("tenant") == "other" {
			theirs.ServeHTTP(w, r)
		} else {
			ours.ServeHTTP(w, r)
		}
	}))
	p := perplexity(t, u.scimURL()+"?tenant=acme")
	p.refuses(t, p.run(t), "403")
	p.env[0] = "BATON_SCIM_URL=" + u.scimURL() + "?tenant=other"
	if got := p.run(t); got.code != 0 && !strings.Contains(got.stderr, "--fresh") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	if got := p.run(t, "--fresh"); got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	if users := p.resources(t, "user"); len(users) != 1 || users["u1"].DisplayName != "x1@other.example" {
		t.Errorf("%v", users)
	}
}

// TestAddressesThatAreRefused: an address with a part that would be lost is refused, and the error names the
// setting.
func TestAddressesThatAreRefused(t *testing.T) {
	u := serveUpstream(t, acme())
	host := strings.TrimPrefix(u.URL, "http://")
	for name, tt := range map[string]struct{ url, says string }{
		"fragment":      {u.scimURL() + "#tenant", "fragment"},
		"query and one": {u.scimURL() + "?tenant=acme#x", "fragment"},
		"user name":     {"http://user:hunter2@" + host + "/scim/v2", "user name or password"},
		"own parameter": {u.scimURL() + "?startIndex=2", "startIndex"},
		"own, too":      {u.scimURL() + "?Attributes=userName", "Attributes"},
		"broken query":  {u.scimURL() + "?tenant=%zz", "query"},
		"quotes":        {`"` + u.scimURL() + `"`, "quotes"},
		"placeholder":   {"${SCIM_URL}", "placeholder"},
	} {
		t.Run(name, func(t *testing.T) {
			p := perplexity(t, tt.url)
			got := p.run(t)
			p.refuses(t, got, "scim-url", tt.says)
			q := percipio(t, strings.Replace(tt.url, "startIndex", "offset", 1))
			if !strings.Contains(tt.url, "Attributes") {
				q.refuses(t, q.run(t), "base-url", strings.Replace(tt.says, "startIndex", "offset", 1))
			}
			if strings.Contains(got.stderr, "hunter2") {
				t.Errorf("it shows the password:\n%s", got.stderr)
			}
		})
	}
	if n := len(u.seen()); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestTokensThatAreRefused: text around the token is distinguished from a wrong token.
func TestTokensThatAreRefused(t *testing.T) {
	u := serveUpstream(t, acme())
	for name, tt := range map[string]struct{ token, says string }{
		"quoted":         {`"field-token"`, "in quotes"},
		"single quotes":  {"'field-token'", "in quotes"},
		"typeset quotes": {"“field-token”", "in quotes"},
		"with its word":  {"Bearer field-token", "the word Bearer"},
		"as a header":    {"Authorization: Bearer field-token", "the word Authorization:"},
		"a blank before": {" field-token", "begins or ends with a blank"},
		"a blank behind": {"field-token ", "begins or ends with a blank"},
		"two words":      {"field token", "a space"},
		"a placeholder":  {"<token>", "placeholder"},
	} {
		t.Run(name, func(t *testing.T) {
			for setting, p := range map[string]*program{"scim-token": perplexity(t, u.scimURL(), "BATON_SCIM_TOKEN="+tt.token), "api-token": percipio(t, u.URL, "BATON_API_TOKEN="+tt.token)} {
				got := p.run(t)
				p.refuses(t, got, setting, tt.says)
				if strings.Contains(got.stderr, "field-token") {
					t.Errorf("it shows the token:\n%s", got.stderr)
				}
			}
		})
	}
	t.Run("file with a byte order mark", func(t *testing.T) {
		p := perplexity(t, u.scimURL(), "BATON_SCIM_TOKEN=", "BATON_SCIM_TOKEN_FILE=token.txt")
		if err := os.WriteFile(filepath.Join(p.dir, "token.txt"), []byte("\ufefffield-token\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.refuses(t, p.run(t), "scim-token", "byte order mark")
	})
	if n := len(u.seen()); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestVariablesThatAreNotRead: a misspelt setting and unreadable authorities are errors.
func TestVariablesThatAreNotRead(t *testing.T) {
	u := serveUpstream(t, acme())
	for variable, says := range map[string]string{
		"BATON_MIN_ADMIN=2":                    "did you mean BATON_MIN_ADMINS?",
		"BATON_PROVISONING=false":              "did you mean BATON_PROVISIONING?",
		"baton_admin_group=PPLX_Admin":         "did you mean BATON_ADMIN_GROUP?",
		"SSL_CERT_FILE=/nowhere/ca.pem":        "SSL_CERT_FILE",
		"SSL_CERT_DIR=/nowhere/certs":          "SSL_CERT_DIR",
		"BATON_CA_FILE=/nowhere/ca.pem":        "/nowhere/ca.pem",
		"BATON_HTTP_TIMEOUT_SECONDS=5 minutes": "BATON_HTTP_TIMEOUT_SECONDS",
	} {
		p := perplexity(t, u.scimURL(), variable)
		p.refuses(t, p.run(t), says)
	}
	if n := len(u.seen()); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	p := perplexity(t, u.scimURL(), "BATON_SOMETHING_ELSE=1", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=a;b", "ALL_PROXY=socks5://127.0.0.1:9")
	if got := p.run(t); got.code != 0 {
		t.Errorf("loopback and what has nothing to do with it: exit code %d\n%s", got.code, got.stderr)
	}
}
