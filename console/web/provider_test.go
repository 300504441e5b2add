package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/oidc/oidctest"
	"baton/console/store"
)

// withProvider returns a console whose people sign in with a provider.
func withProvider(t *testing.T) (*fixture, *oidctest.Provider) {
	t.Helper()
	f := withPeople(t)
	now := func() time.Time { return f.now }
	f.govern = govern.New(govern.Config{Store: f.store, Products: append(products, courses), Now: now, Allow: govern.Networks{netip.MustParsePrefix("127.0.0.0/8")}.Allow})
	f.server.Config.Handler = New(Config{Console: f.govern})
	return f, oidctest.New(t, now)
}

// provider is the form of a provider.
func provider(o *oidctest.Provider, more url.Values) url.Values {
	form := url.Values{"name": {"okta"}, "label": {"Okta " + hostile}, "issuer": {o.Issuer}, "client-id": {o.Client}, "client-secret": {o.Secret}, "scopes": {"email profile groups"},
		"groups-claim": {"groups"}, "group": {"Audit " + hostile, ""}, "group-role": {"auditor", ""}, "enabled": {"true"}}
	for k, v := range more {
		form[k] = v
	}
	return form
}

// back signs a person in at the provider and returns the path of the redirect.
func (b *browser) back(o *oidctest.Provider, begin string, u oidctest.User) string {
	b.f.t.Helper()
	r := b.get(begin)
	if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, o.Issuer) {
		b.f.t.Fatalf("%s leads to %d %s %s", begin, r.status, r.location, r.body)
	}
	return strings.TrimPrefix(o.Login(b.f.t, r.location, u).String(), b.f.server.URL)
}

// TestProvider configures a provider and signs a person in with it, through the pages.
func TestProvider(t *testing.T) {
	f, o := withProvider(t)
	b := f.as("super")
	settings := b.get(b.get("/").link(t, "Sign-in"))
	settings.wants(t, "the settings", 200, "There is no provider yet.")
	add := settings.link(t, "Add a provider")
	b.get(add).wants(t, "the form", 200, "Name in addresses", "Claim with the groups", "Group 3")
	wrong := b.post(add, provider(o, url.Values{"issuer": {"http://login.example.com"}}))
	wrong.wants(t, "an issuer without https", 400, "is not reached over https", `value="okta"`)
	if strings.Contains(wrong.body, o.Secret) {
		t.Error("the page shows the secret")
	}
	b.post(add, provider(o, url.Values{"group-role": {"king"}})).wants(t, "a role that is not there", 400, "There is no role")
	if r := b.post(add, provider(o, nil)); r.location != "/settings/sign-in/okta" {
		t.Fatalf("add: %d %s", r.status, r.body)
	}
	page := b.get("/settings/sign-in/okta")
	page.wants(t, "the provider", 200, f.server.URL+"/login/okta/callback", "Stored; leave empty to keep it", "Remove Okta")
	if strings.Contains(page.body, o.Secret) || strings.Contains(page.body, "<img") {
		t.Error("the page shows the secret, or a name as it came")
	}
	b.get("/settings/sign-in").checkSafe(t, "the settings")

	// Fields that are not in the form are ignored.
	version := page.field(t, "version")
	if r := b.post("/settings/sign-in/okta", provider(o, url.Values{"version": {version}, "name": {"other"}, "client-secret": {""}, "add-people": {"1"}, "person": {string(f.people["user"])}, "role": {"super-administrator"}})); r.location != "/settings/sign-in" {
		t.Fatalf("change: %d %s", r.status, r.body)
	}
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		p, err := tx.Provider("okta")
		if err == nil && (p.AddPeople || len(p.Groups) != 1) {
			t.Errorf("%+v", p)
		}
		if _, err := tx.Provider("other"); baton.KindOf(err) != baton.NotFound {
			t.Errorf("another name was taken: %v", err)
		}
		if p, err := tx.Person(f.people["user"]); err != nil || len(p.Roles) > 0 {
			t.Errorf("%+v, %v", p, err)
		}
		return err
	}))
	b.post("/settings/sign-in/okta", provider(o, url.Values{"version": {version}})).wants(t, "an old form", 409, "was changed meanwhile")

	u := f.browser()
	login := u.get("/login?next=/people")
	login.wants(t, "the login page", 200, "Sign in with Okta", "One-time code")
	login.checkSafe(t, "the login page")
	user := oidctest.Verified("s1", "user@example.com", "groups", "Audit "+hostile)
	callback := u.back(o, login.link(t, "Sign in with Okta"), user)
	if r := u.get(callback); r.location != "/people" {
		t.Fatalf("the callback: %d %s %s", r.status, r.location, r.body)
	}
	u.get("/people").wants(t, "people, as an auditor", 200, "Auditor", "connectors@example.com")
	person := b.get("/people/" + string(f.people["user"]))
	person.wants(t, "the person", 200, "Signs in at", "from groups of okta")
	person.checkSafe(t, "the person")
	u.get("/sessions").wants(t, "sessions", 200, "okta", "This one")

	// Step-up with the provider, and back to the page.
	f.now = f.now.Add(console.StepUp)
	confirm := u.get("/confirm?next=/connectors")
	confirm.wants(t, "confirm", 200, "Confirm with Okta")
	stale := u.back(o, confirm.link(t, "Confirm with Okta"), user)
	u.get(stale).wants(t, "a proof without a time", 403, "does not say that you proved", "Confirm with Okta")
	user.Token["auth_time"] = f.now.Unix()
	if r := u.get(u.back(o, "/confirm/okta?next=/connectors", user)); r.location != "/connectors" {
		t.Fatalf("confirm: %d %s", r.status, r.body)
	}

	f.now = f.now.Add(time.Minute)
	if r := b.post("/confirm", url.Values{"next": {"/"}, "password": {password("super").Reveal()}, "code": {f.code("super")}}); r.status != http.StatusSeeOther {
		t.Fatalf("confirm: %d", r.status)
	}
	b.post("/people/"+string(f.people["user"])+"/identities/remove", url.Values{"issuer": {o.Issuer}, "subject": {"other"}}).wants(t, "another subject", 404)
	if r := b.post("/people/"+string(f.people["user"])+"/identities/remove", url.Values{"issuer": {o.Issuer}, "subject": {"s1"}}); r.status != http.StatusSeeOther {
		t.Fatalf("remove the identity: %d %s", r.status, r.body)
	}
	if r := u.get("/people"); !strings.HasPrefix(r.location, "/login") {
		t.Errorf("a session after the identity was removed: %d", r.status)
	}
	if r := b.post("/settings/sign-in/okta/remove", nil); r.location != "/settings/sign-in" {
		t.Fatalf("remove: %d %s", r.status, r.body)
	}
	f.browser().get("/login/okta").wants(t, "a provider that is gone", 404, "Nobody signs in with this provider", "One-time code")
}

// TestProviderCallback checks what a callback must not do: keep an older session, sign in with
// another person's login, or redirect to another site.
func TestProviderCallback(t *testing.T) {
	f, o := withProvider(t)
	f.update(func(tx *store.Tx) error {
		p := console.Provider{Name: "okta", Label: "Okta", Issuer: o.Issuer, ClientID: o.Client, Scopes: []string{"email"}, Enabled: true}
		if err := tx.AddProvider(p); err != nil {
			return err
		}
		return tx.SetProviderSecret("okta", baton.NewSecret(o.Secret))
	})
	user := oidctest.Verified("s1", "user@example.com")

	// Login cross-site forgery: the attacker's own answer, in the victim's browser.
	attacker, victim := f.browser(), f.browser()
	callback := attacker.back(o, "/login/okta", user)
	r := victim.get(callback)
	r.wants(t, "somebody else's answer", 401, "was not begun in this browser", "One-time code")
	if strings.Contains(r.header.Get("Set-Cookie"), "session=") {
		t.Error("a session in spite of it")
	}
	if r := attacker.get(callback); r.location != "/" {
		t.Fatalf("the own answer: %d %s", r.status, r.body)
	}
	attacker.get(callback).wants(t, "a replay", 401, "was used before")

	// Two logins in two tabs do not interfere.
	tabs := f.browser()
	first, second := tabs.back(o, "/login/okta?next=/people", user), tabs.back(o, "/login/okta?next=/connectors", user)
	if r := tabs.get(first); r.location != "/people" {
		t.Errorf("the first tab: %d %s", r.status, r.body)
	}
	if r := tabs.get(second); r.location != "/connectors" {
		t.Errorf("the second tab: %d %s", r.status, r.body)
	}

	// The login replaces the earlier session, which ends.
	fixed := f.as("super")
	before := fixed.session()
	if r := fixed.get(fixed.back(o, "/login/okta", user)); r.status != http.StatusSeeOther {
		t.Fatalf("a login over another one: %d %s", r.status, r.body)
	}
	if after := fixed.session(); after == before || after == "" {
		t.Error("the session is the one of before")
	}
	thief := f.browser()
	thief.setSession(before)
	if r := thief.get("/people"); !strings.HasPrefix(r.location, "/login") {
		t.Errorf("the session of before goes on: %d", r.status)
	}
	planted := f.browser()
	planted.setSession("chosen-by-somebody-else")
	planted.get(planted.back(o, "/login/okta", user))
	if planted.session() == "chosen-by-somebody-else" {
		t.Error("a session that was planted is taken")
	}

	for _, elsewhere := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", ""} {
		b := f.browser()
		if r := b.get(b.back(o, "/login/okta?next="+url.QueryEscape(elsewhere), user)); r.location != "/" {
			t.Errorf("next=%q leads to %q", elsewhere, r.location)
		}
	}

	b := f.browser()
	callback = b.back(o, "/login/okta", user)
	refused := b.get(strings.Replace(callback, "code=", "error=access_denied&error_description=call+us&x=", 1))
	refused.wants(t, "a refusal", 401, "did not sign you in: access denied")
	if strings.Contains(refused.body, "call us") {
		t.Error("the text of an address is shown")
	}
	for _, path := range []string{"/login/okta/callback", "/login/okta/callback?state=x&code=y", "/login/okta/callback?state=" + strings.Repeat("x", 5000), "/login/okta/callback?state=%0d%0aSet-Cookie:x", "/login/other/callback?state=x"} {
		if r := f.browser().get(path); r.status != 401 && r.status != 404 {
			t.Errorf("%.60s: %d", path, r.status)
		}
	}
	b = f.browser()
	callback = strings.Replace(b.back(o, "/login/okta", user), "/login/okta/", "/login/other/", 1)
	b.get(callback).wants(t, "the callback of another provider", 401)

	o.Instead(oidctest.Token, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) })
	b = f.browser()
	b.get(b.back(o, "/login/okta?next=/people", user)).wants(t, "a provider that is down", 503, "Okta does not answer as it should", "One-time code", `value="/people"`)
	if r := b.post("/login", url.Values{"login": {"user"}, "password": {password("user").Reveal()}, "code": {f.code("user")}, "next": {"/people"}}); r.location != "/people" {
		t.Errorf("a password while the provider is down: %d %s", r.status, r.body)
	}
}

// session returns the browser's session.
func (b *browser) session() string {
	u, err := url.Parse(b.f.server.URL)
	b.f.check(err)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setSession(token string) {
	u, err := url.Parse(b.f.server.URL)
	b.f.check(err)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: token, Path: "/"}})
}

// TestProviderCookie checks the cookie of a login at a console with an https address.
func TestProviderCookie(t *testing.T) {
	f, o := withProvider(t)
	f.update(func(tx *store.Tx) error {
		return tx.AddProvider(console.Provider{Name: "okta", Label: "Okta", Issuer: o.Issuer, ClientID: o.Client, Enabled: true})
	})
	address, err := url.Parse("https://console.example.com")
	f.check(err)
	w := httptest.NewRecorder()
	New(Config{Console: f.govern, URL: address}).ServeHTTP(w, httptest.NewRequest("GET", "https://evil.example/login/okta", nil))
	if c := w.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-login-") || !strings.Contains(c, "Secure") || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Max-Age=600") {
		t.Errorf("cookie %q", c)
	}
	if to := w.Header().Get("Location"); !strings.Contains(to, url.QueryEscape("https://console.example.com/login/okta/callback")) {
		t.Errorf("the address of a request is taken for the console's: %s", to)
	}
}

// TestSessions checks that people see and end their own sessions only.
func TestSessions(t *testing.T) {
	f := withPeople(t)
	here, there, other := f.as("user"), f.as("user"), f.as("user")
	somebody := f.as("owner")
	page := here.get("/sessions")
	page.wants(t, "sessions", 200, "Your sessions", "password and code", "This one", "End all others")
	if n := strings.Count(page.body, `name="session"`); n != 2 {
		t.Fatalf("%d sessions can be ended, want 2", n)
	}
	id := page.field(t, "session") // the most recently used one: other's
	somebody.post("/sessions/end", url.Values{"session": {id}}).wants(t, "a session of somebody else", 404)
	somebody.post("/sessions/end", url.Values{"session": {"x"}}).wants(t, "no session", 404)
	other.get("/people").wants(t, "it goes on", 200)
	if r := here.post("/sessions/end", url.Values{"session": {id}}); r.location != "/sessions" {
		t.Fatalf("end: %d %s", r.status, r.body)
	}
	if r := other.get("/people"); !strings.HasPrefix(r.location, "/login") {
		t.Errorf("a session that was ended: %d", r.status)
	}
	there.get("/people").wants(t, "the third", 200)
	here.post("/sessions/end-others", nil)
	if r := there.get("/people"); !strings.HasPrefix(r.location, "/login") {
		t.Errorf("a session that was ended with the others: %d", r.status)
	}
	here.get("/people").wants(t, "this one", 200)
	somebody.get("/people").wants(t, "somebody else's", 200)
}
