package govern_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/oidc"
	"baton/console/oidc/oidctest"
	"baton/console/store"
)

// withProvider returns a console whose people sign in with a provider.
func withProvider(t *testing.T) (*fixture, *oidctest.Provider, govern.Caller) {
	t.Helper()
	f := newFixture(t)
	f.Console = govern.New(govern.Config{Store: f.store, Now: func() time.Time { return f.now }, Allow: govern.Networks{netip.MustParsePrefix("127.0.0.0/8")}.Allow})
	o := oidctest.New(t, func() time.Time { return f.now })
	caller, _ := f.signIn(f.setUp())
	if err := f.AddProvider(ctx, caller, f.configured(o), baton.NewSecret(o.Secret)); err != nil {
		t.Fatal(err)
	}
	return f, o, caller
}

func (f *fixture) configured(o *oidctest.Provider) console.Provider {
	return console.Provider{Name: "okta", Label: "Okta", Issuer: o.Issuer, ClientID: o.Client, Scopes: []string{"email", "profile", "groups"}, GroupsClaim: "groups",
		Groups: []console.GroupRole{{Group: "Admins", Role: console.SuperAdministrator}, {Group: "Audit", Role: console.Auditor}, {Group: "Desk", Role: console.Helpdesk}}, Enabled: true, Version: 1}
}

var visit = govern.Visit{Provider: "okta", Redirect: "https://console.example.com/login/okta/callback", Address: "192.0.2.7"}

// at returns a browser's redirect from the provider.
func (f *fixture) at(o *oidctest.Provider, u oidctest.User, caller *govern.Caller) (govern.Return, error) {
	f.t.Helper()
	d, err := f.BeginSignIn(ctx, visit, "/people", caller)
	if err != nil {
		return govern.Return{}, err
	}
	back := o.Login(f.t, d.Address, u)
	if !strings.HasPrefix(back.String(), visit.Redirect+"?") {
		f.t.Errorf("the provider leads to %s", back)
	}
	return govern.Return{State: back.Query().Get("state"), Answer: oidc.Answer{Code: back.Query().Get("code")}, Browser: d.Browser}, nil
}

// enter signs somebody in with the provider.
func (f *fixture) enter(o *oidctest.Provider, u oidctest.User) (govern.Caller, error) {
	f.t.Helper()
	back, err := f.at(o, u, nil)
	if err != nil {
		return govern.Caller{}, err
	}
	a, err := f.FinishSignIn(ctx, visit, back)
	if err != nil {
		return govern.Caller{}, err
	}
	if a.Next != "/people" || a.Proof {
		f.t.Errorf("the login leads to %q", a.Next)
	}
	return f.Authenticate(ctx, a.Token, "", visit.Address)
}

func (f *fixture) person(p console.Person) console.ID {
	f.t.Helper()
	var id console.ID
	f.update(func(tx *store.Tx) (err error) {
		id, err = tx.AddPerson(p)
		return err
	})
	return id
}

func wantText(t *testing.T, what string, err error, kind baton.Kind, text string) {
	t.Helper()
	if err == nil || baton.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v (%v), want an error of kind %v with %q", what, err, baton.KindOf(err), kind, text)
	}
}

// TestIdentity checks that people are found by issuer and subject; the e-mail address only matters
// in the first login.
func TestIdentity(t *testing.T) {
	f, o, _ := withProvider(t)
	ana := f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	ben := f.person(console.Person{Name: "Ben", Emails: []string{"ben@example.com"}})
	for what, claim := range map[string]any{"not verified": false, "no word about it": nil, "another word": "yes", "a number": 1} {
		_, err := f.enter(o, oidctest.Verified("s1", "ana@example.com", "email_verified", claim))
		wantText(t, what, err, baton.PermissionDenied, "Okta does not say that your e-mail address is verified")
	}
	_, err := f.enter(o, oidctest.Verified("s1", "nobody@example.com"))
	wantText(t, "nobody's address", err, baton.PermissionDenied, "nobody in this console has the e-mail address nobody@example.com")

	caller, err := f.enter(o, oidctest.Verified("s1", "ANA@example.com", "email_verified", "true"))
	if err != nil || caller.Person.ID != ana || caller.Session.Provider != "okta" {
		t.Fatalf("%+v, %v", caller, err)
	}
	if caller.Session.Recent(f.now) {
		t.Error("a login without auth_time counts as recent")
	}
	// The provider changes the address to Ben's: it is still Ana.
	if caller, err = f.enter(o, oidctest.Verified("s1", "ben@example.com")); err != nil || caller.Person.ID != ana {
		t.Errorf("after the address changed: %s, %v; want Ana", caller.Person.Name, err)
	}
	if caller, err = f.enter(o, oidctest.Verified("s1", "", "email", nil, "email_verified", nil)); err != nil || caller.Person.ID != ana {
		t.Errorf("without an address: %s, %v; want Ana", caller.Person.Name, err)
	}
	_, err = f.enter(o, oidctest.Verified("s2", "ana@example.com"))
	wantText(t, "another subject with Ana's address", err, baton.Refused, "Ana signs in with another account of the provider")
	if caller, err = f.enter(o, oidctest.Verified("s2", "ben@example.com")); err != nil || caller.Person.ID != ben {
		t.Errorf("%s, %v; want Ben", caller.Person.Name, err)
	}

	f.setStatus(ana, console.PersonDisabled)
	_, err = f.enter(o, oidctest.Verified("s1", "ana@example.com"))
	wantText(t, "somebody who is disabled", err, baton.Refused, "Ana is not active in this console")
	eve := f.person(console.Person{Name: "Eve", Emails: []string{"eve@example.com"}})
	f.setStatus(eve, console.PersonDisabled)
	_, err = f.enter(o, oidctest.Verified("s3", "eve@example.com"))
	wantText(t, "the first login of somebody who is disabled", err, baton.Refused, "Eve is not active in this console")
}

// TestRefusedLogin checks that the first login with a provider that is refused, of each
// identity and reason, is an event.
func TestRefusedLogin(t *testing.T) {
	f, o, _ := withProvider(t)
	ana := f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	refused := func() (all []console.Event) {
		f.update(func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{Actor: console.Console}, 0, store.PageSize)
			for _, e := range events {
				if e.Kind == "login.refused" {
					all = append(all, e.Event)
				}
			}
			return err
		})
		return all
	}
	one := func(what string, person console.ID, text string) {
		t.Helper()
		all := refused()
		if len(all) == 0 {
			t.Fatalf("%s: no event", what)
		}
		last := all[len(all)-1]
		if last.Person != person || last.Address != visit.Address || !strings.Contains(string(last.Data), text) || !strings.Contains(string(last.Data), `"provider":"okta"`) {
			t.Errorf("%s: an event of %q from %s with %s, want %q and %q", what, last.Person, last.Address, last.Data, person, text)
		}
	}
	for range 3 {
		f.enter(o, oidctest.Verified("s1", "nobody@example.com"))
	}
	one("nobody", "", `"subject":"s1"`)
	if n := len(refused()); n != 1 {
		t.Errorf("%d events of three logins", n)
	}
	f.enter(o, oidctest.Verified("s1", "ana@example.com", "email_verified", false))
	one("not verified", "", "verified")
	if _, err := f.enter(o, oidctest.Verified("s1", "ana@example.com")); err != nil {
		t.Fatal(err)
	}
	f.enter(o, oidctest.Verified("s2", "ana@example.com"))
	one("another subject", ana, "another account of the provider")
	f.setStatus(ana, console.PersonDisabled)
	f.enter(o, oidctest.Verified("s1", "ana@example.com"))
	one("disabled", ana, "not active")
	back, err := f.at(o, oidctest.Verified("s1", "ana@example.com"), nil)
	if err != nil {
		t.Fatal(err)
	}
	back.Code = "another"
	f.FinishSignIn(ctx, visit, back)
	one("a code that the provider does not know", "", "the login with Okta failed")
	if n := len(refused()); n != 5 {
		t.Errorf("%d events, want 5", n)
	}
}

// TestIdentityAddsPeople checks that a provider creates people only if that is enabled.
func TestIdentityAddsPeople(t *testing.T) {
	f, o, root := withProvider(t)
	p := f.configured(o)
	p.AddPeople = true
	if err := f.ChangeProvider(ctx, root, p, baton.Secret{}); err != nil {
		t.Fatal(err)
	}
	_, err := f.enter(o, oidctest.Verified("s1", "new@example.com", "email_verified", false))
	wantText(t, "an address that is not verified", err, baton.PermissionDenied, "is verified")
	caller, err := f.enter(o, oidctest.Verified("s1", "New@example.com"))
	if err != nil || caller.Person.Name != "Name of s1" || caller.Person.Emails[0] != "new@example.com" || len(caller.Person.Roles) != 0 {
		t.Errorf("%+v, %v", caller.Person, err)
	}
	again, err := f.enter(o, oidctest.Verified("s1", "New@example.com"))
	if err != nil || again.Person.ID != caller.Person.ID {
		t.Errorf("the second login: %+v, %v", again.Person, err)
	}
}

// TestProviderUserInfo checks that claims missing from the ID token are requested, and that another
// subject's claims are refused.
func TestProviderUserInfo(t *testing.T) {
	f, o, _ := withProvider(t)
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	f.person(console.Person{Name: "Ben", Emails: []string{"ben@example.com"}})
	thin := oidctest.User{Subject: "s1", Info: map[string]any{"email": "ana@example.com", "email_verified": true, "groups": []string{"Audit"}}}
	caller, err := f.enter(o, thin)
	if err != nil || fmt.Sprint(caller.Person.Name, caller.Person.Roles) != "Ana[auditor]" {
		t.Errorf("%+v, %v", caller.Person, err)
	}
	thin = oidctest.User{Subject: "s2", Token: map[string]any{"email": "eve@example.com"}, Info: map[string]any{"email": "ben@example.com", "email_verified": true}}
	_, err = f.enter(o, thin)
	wantText(t, "an address that only the user info verifies", err, baton.PermissionDenied, "is verified")
	thin = oidctest.User{Subject: "s3", Info: map[string]any{"sub": "s1", "email": "ben@example.com", "email_verified": true}}
	_, err = f.enter(o, thin)
	wantText(t, "the user info of somebody else", err, baton.Unauthenticated, "somebody else")
}

// TestProviderGroups checks that groups add and remove roles at each login, but never manual ones.
func TestProviderGroups(t *testing.T) {
	f, o, root := withProvider(t)
	ana := f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}, Roles: []console.ConsoleRole{console.Helpdesk}})
	login := func(what string, groups any, want string) {
		t.Helper()
		caller, err := f.enter(o, oidctest.Verified("s1", "ana@example.com", "groups", groups))
		if got := fmt.Sprint(caller.Person.Roles); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", what, got, err, want)
		}
	}
	login("two groups, one of them for a role by hand", []string{"Audit", "Desk", "Sales"}, "[auditor helpdesk]")
	login("a claim that is one text", "Audit", "[auditor helpdesk]")
	login("nearly the names", []string{"audit", "Audit ", "Admin", "*", ""}, "[helpdesk]")
	login("again", []string{"Audit", "Admins"}, "[auditor helpdesk super-administrator]")
	login("a claim of another shape says nothing", map[string]any{"Audit": true}, "[auditor helpdesk super-administrator]")
	login("a list that is not of texts says nothing", []any{1, 2}, "[auditor helpdesk super-administrator]")
	overage, err := f.enter(o, oidctest.Verified("s1", "ana@example.com", "_claim_names", map[string]string{"groups": "src1"}, "_claim_sources", map[string]any{"src1": map[string]string{"endpoint": "https://graph.example.com"}}))
	if got := fmt.Sprint(overage.Person.Roles); err != nil || got != "[auditor helpdesk super-administrator]" {
		t.Errorf("groups that are elsewhere: %s, %v", got, err)
	}
	login("no claim is no group", nil, "[helpdesk]")

	// Somebody removes the role, and another person manually gives one that the provider gives too.
	login("again", []string{"Audit"}, "[auditor helpdesk]")
	if err := f.SetRoles(ctx, root, ana, []console.ConsoleRole{console.ConnectorAdministrator}); err != nil {
		t.Fatal(err)
	}
	login("after a change by hand", []string{}, "[connector-administrator]")
	if err := f.SetRoles(ctx, root, ana, []console.ConsoleRole{console.Auditor}); err != nil {
		t.Fatal(err)
	}
	login("a role by hand that the group gives as well", []string{"Audit"}, "[auditor]")
	login("without the group", []string{}, "[auditor]")

	// A role that no group gives any more is removed at once.
	login("a role of a group", []string{"Desk"}, "[auditor helpdesk]")
	p := f.configured(o)
	p.Groups = p.Groups[:2]
	if err := f.ChangeProvider(ctx, root, p, baton.Secret{}); err != nil {
		t.Fatal(err)
	}
	v, err := f.Person(ctx, root, ana)
	if got := fmt.Sprint(v.Roles); err != nil || got != "[auditor]" {
		t.Errorf("after the group lost its role: %s, %v", got, err)
	}
}

// TestProviderTokens checks that an invalid token begins no session.
func TestProviderTokens(t *testing.T) {
	f, o, _ := withProvider(t)
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	refused := func(what string, u oidctest.User) {
		t.Helper()
		_, err := f.enter(o, u)
		wantText(t, what, err, baton.Unauthenticated, "the login with Okta failed")
	}
	ana := func(more ...any) oidctest.User { return oidctest.Verified("s1", "ana@example.com", more...) }
	refused("another issuer", ana("iss", "https://login.example.com"))
	refused("another audience", ana("aud", "somebody-else"))
	refused("several audiences without a party", ana("aud", []string{o.Client, "other"}))
	refused("another party", ana("azp", "other"))
	refused("expired", ana("exp", f.now.Add(-2*time.Minute).Unix()))
	refused("no expiry", ana("exp", nil))
	refused("from the future", ana("iat", f.now.Add(2*time.Minute).Unix()))
	refused("not valid yet", ana("nbf", f.now.Add(2*time.Minute).Unix()))
	refused("another nonce", ana("nonce", "x"))
	refused("no nonce", ana("nonce", nil))
	refused("no subject", oidctest.User{Subject: "", Token: ana().Token})
	refused("a long subject", oidctest.User{Subject: strings.Repeat("x", 256), Token: ana().Token})

	if _, err := f.enter(o, ana("exp", f.now.Add(-30*time.Second).Unix(), "iat", f.now.Add(30*time.Second).Unix(), "azp", o.Client)); err != nil {
		t.Errorf("a clock that is half a minute off: %v", err)
	}

	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	parts := func(token string) []string { return strings.Split(token, ".") }
	o.Rewrite(func(token string) string {
		return encode(map[string]string{"alg": "none", "typ": "JWT"}) + "." + parts(token)[1] + "."
	})
	refused("alg none", ana())
	o.Rewrite(func(token string) string {
		signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{}).SignedString([]byte(o.Secret))
		if err != nil {
			t.Fatal(err)
		}
		return parts(signed)[0] + "." + parts(token)[1] + "." + parts(signed)[2]
	})
	refused("a signature with the client's secret", ana())
	o.Rewrite(func(token string) string {
		var claims map[string]any
		b, _ := base64.RawURLEncoding.DecodeString(parts(token)[1])
		json.Unmarshal(b, &claims)
		claims["sub"] = "s2"
		return parts(token)[0] + "." + encode(claims) + "." + parts(token)[2]
	})
	refused("an altered token", ana())
	o.Rewrite(func(string) string { return "" })
	refused("no token", ana())
	o.Instead("", nil)
	if _, err := f.enter(o, ana()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestProviderState checks that an answer works once, in the right browser, within the time limit.
func TestProviderState(t *testing.T) {
	f, o, _ := withProvider(t)
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	ana := oidctest.Verified("s1", "ana@example.com")
	finish := func(back govern.Return) error {
		t.Helper()
		a, err := f.FinishSignIn(ctx, visit, back)
		if err != nil && !a.Token.IsZero() {
			t.Error("a session in spite of an error")
		}
		return err
	}
	back, err := f.at(o, ana, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Another person's login in this browser, or this login in another browser.
	for what, change := range map[string]func(*govern.Return){
		"no cookie":      func(r *govern.Return) { r.Browser = baton.Secret{} },
		"another cookie": func(r *govern.Return) { r.Browser = baton.NewSecret("x") },
		"another state":  func(r *govern.Return) { r.State = "x" },
		"no state":       func(r *govern.Return) { r.State = "" },
	} {
		other := back
		change(&other)
		wantText(t, what, finish(other), baton.Unauthenticated, "was not begun in this browser")
	}
	if err := finish(back); err != nil {
		t.Fatal(err)
	}
	wantText(t, "a replay", finish(back), baton.Unauthenticated, "was used before")

	if back, err = f.at(o, ana, nil); err != nil {
		t.Fatal(err)
	}
	f.later(console.SignInLife)
	wantText(t, "too late", finish(back), baton.Unauthenticated, "took too long")

	if back, err = f.at(o, ana, nil); err != nil {
		t.Fatal(err)
	}
	back.Problem = "access_denied"
	wantText(t, "a refusal", finish(back), baton.Unauthenticated, "access denied")
	wantText(t, "the code after a refusal", finish(back), baton.Unauthenticated, "was used before")
	if back, err = f.at(o, ana, nil); err != nil {
		t.Fatal(err)
	}
	back.Problem = "call 0800-EVIL"
	if err := finish(back); strings.Contains(err.Error(), "EVIL") {
		t.Errorf("the text of an address is shown: %v", err)
	}

	if back, err = f.at(o, ana, nil); err != nil {
		t.Fatal(err)
	}
	back.Issuer = "https://other.example.com"
	wantText(t, "an answer of another provider", finish(back), baton.Unauthenticated, "another provider")

	// An intercepted code is useless, because each request has its own verifier.
	first, err := f.at(o, ana, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.at(o, ana, nil)
	if err != nil {
		t.Fatal(err)
	}
	second.Code = first.Code
	wantText(t, "a code of another login", finish(second), baton.Unauthenticated, "does not accept the code")
}

// TestProviderKeys checks that new keys of the provider are found.
func TestProviderKeys(t *testing.T) {
	f, o, _ := withProvider(t)
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	ana := oidctest.Verified("s1", "ana@example.com")
	for range 2 {
		if _, err := f.enter(o, ana); err != nil {
			t.Fatal(err)
		}
	}
	if n := o.Hits(oidctest.Keys); n != 1 {
		t.Errorf("the keys were asked for %d times in two logins", n)
	}
	o.Rotate(t, false)
	if _, err := f.enter(o, ana); err != nil {
		t.Errorf("after the keys were rotated: %v", err)
	}
	f.later(2 * time.Hour) // the discovery document and the keys are then requested again
	o.Rotate(t, true)
	_, err := f.enter(o, ana)
	wantText(t, "the old key", err, baton.Unauthenticated, "ID token is not valid")
}

// TestProviderDown checks that an unreachable provider is reported, costs little, and does not
// affect logins with a password.
func TestProviderDown(t *testing.T) {
	f, o, root := withProvider(t)
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	ana := oidctest.Verified("s1", "ana@example.com")
	fail := func(what string, answer http.HandlerFunc, text string) {
		t.Helper()
		o.Instead(oidctest.Discovery, answer)
		f.later(2 * time.Hour)
		_, err := f.enter(o, ana)
		wantText(t, what, err, baton.Unavailable, text)
		if !strings.Contains(baton.FixOf(err), "Sign in with a password") {
			t.Errorf("%s: fix %q", what, baton.FixOf(err))
		}
	}
	fail("an error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret detail", 500) }, "Okta does not answer as it should")
	fail("no JSON", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "Okta does not answer as it should")
	fail("much too long", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"issuer":"`+strings.Repeat("x", 2<<20)+`"}`)
	}, "Okta does not answer as it should")
	fail("another issuer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"issuer":"https://evil.example"}`)
	}, `Okta calls itself "https://evil.example"`)
	leaks := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaks++ }))
	defer elsewhere.Close()
	fail("a redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}, "Okta does not answer as it should")
	fail("no encryption", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"http://login.example.com","token_endpoint":"https://x.example","jwks_uri":"https://x.example"}`, o.Issuer)
	}, "Okta does not answer as it should")
	if leaks != 0 {
		t.Error("a redirect was followed")
	}
	before := o.Hits(oidctest.Discovery)
	for range 5 {
		if _, err := f.enter(o, ana); baton.KindOf(err) != baton.Unavailable {
			t.Errorf("%v", err)
		}
	}
	if n := o.Hits(oidctest.Discovery) - before; n > 0 {
		t.Errorf("a provider that does not answer was asked %d times more", n)
	}
	if _, err := f.Providers(ctx, root); err != nil {
		t.Error(err)
	}
	o.Instead("", nil)
	f.later(time.Minute)
	if _, err := f.enter(o, ana); err != nil {
		t.Errorf("when it answers again: %v", err)
	}
	o.Instead(oidctest.Token, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if _, err := f.enter(o, ana); err == nil || leaks != 0 {
		t.Errorf("the code and the secret went elsewhere: %v", err)
	}
}

// TestProviderHang checks that a login with a provider that does not answer fails in limited time.
func TestProviderHang(t *testing.T) {
	f, o, _ := withProvider(t)
	release := make(chan struct{})
	defer close(release)
	o.Instead("", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	limit, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := f.BeginSignIn(limit, visit, "/", nil); err == nil {
		t.Error("a provider that hangs answered")
	}
}

// TestProviderAddress checks that a private address is refused when connecting.
func TestProviderAddress(t *testing.T) {
	f, o, _ := withProvider(t)
	f.Console = govern.New(govern.Config{Store: f.store, Now: func() time.Time { return f.now }})
	_, err := f.enter(o, oidctest.Verified("s1", "ana@example.com"))
	wantText(t, "a private address", err, baton.Unavailable, "in a private network")
	if !strings.Contains(baton.FixOf(err), "--allow-network") {
		t.Errorf("fix %q", baton.FixOf(err))
	}
	if o.Hits(oidctest.Discovery) != 0 {
		t.Error("a connection was made")
	}
}

// TestProviderStepUp checks that the age of a proof counts from the authentication at the provider.
func TestProviderStepUp(t *testing.T) {
	f, o, _ := withProvider(t)
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}, Roles: []console.ConsoleRole{console.SuperAdministrator}})
	ana := func(proved time.Duration) oidctest.User {
		return oidctest.Verified("s1", "ana@example.com", "auth_time", f.now.Add(proved).Unix(), "groups", "Admins")
	}
	caller, err := f.enter(o, ana(-9*time.Minute))
	if err != nil || !caller.Session.Recent(f.now) || caller.Session.Recent(f.now.Add(time.Minute)) {
		t.Errorf("a login that was proved nine minutes ago: %+v, %v", caller.Session, err)
	}
	if caller, err = f.enter(o, ana(time.Hour)); err != nil || caller.Session.Recent(f.now) {
		t.Errorf("a login from the future counts as recent: %v", err)
	}

	// The session and its token, from an old authentication.
	back, err := f.at(o, ana(-3*time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	arrival, err := f.FinishSignIn(ctx, visit, back)
	if err != nil {
		t.Fatal(err)
	}
	token := arrival.Token
	old, err := f.Authenticate(ctx, token, "", "")
	if err != nil || old.Session.Recent(f.now) {
		t.Fatalf("%+v, %v", old.Session, err)
	}
	_, _, err = f.Invite(ctx, old, old.Person.ID)
	wantText(t, "a sensitive command", err, baton.PermissionDenied, "less than 10 minutes old")
	proofs, err := f.Proofs(ctx, old)
	if err != nil || proofs.Password || len(proofs.Providers) != 1 || proofs.Providers[0].Name != "okta" {
		t.Errorf("%+v, %v", proofs, err)
	}
	d, err := f.BeginSignIn(ctx, visit, "/", &old)
	if err != nil || !strings.Contains(d.Address, "max_age=0") || !strings.Contains(d.Address, "prompt=login") {
		t.Errorf("%s, %v", d.Address, err)
	}
	prove := func(u oidctest.User, session baton.Secret) error {
		t.Helper()
		back, err := f.at(o, u, &old)
		if err != nil {
			t.Fatal(err)
		}
		back.Session = session
		a, err := f.FinishSignIn(ctx, visit, back)
		if !a.Token.IsZero() || !a.Proof {
			t.Error("a proof began a session")
		}
		return err
	}
	wantText(t, "a proof without auth_time", prove(oidctest.Verified("s1", "ana@example.com"), token), baton.PermissionDenied, "does not say that you proved")
	wantText(t, "a proof that the provider did not ask for again", prove(ana(-time.Hour), token), baton.PermissionDenied, "does not say that you proved")
	f.person(console.Person{Name: "Ben", Emails: []string{"ben@example.com"}})
	ben, err := f.at(o, oidctest.Verified("s2", "ben@example.com"), nil)
	if err != nil {
		t.Fatal(err)
	}
	bens, err := f.FinishSignIn(ctx, visit, ben)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, "somebody else at the provider", prove(oidctest.Verified("s2", "ben@example.com", "auth_time", f.now.Unix()), token), baton.PermissionDenied, "as somebody else")
	wantText(t, "another session", prove(ana(0), bens.Token), baton.Unauthenticated, "not begun in this browser")
	wantText(t, "no session", prove(ana(0), baton.Secret{}), baton.Unauthenticated, "not signed in")
	if err := prove(ana(-time.Minute), token); err != nil {
		t.Fatal(err)
	}
	if old, err = f.Authenticate(ctx, token, "", ""); err != nil || !old.Session.Recent(f.now) {
		t.Fatalf("after the proof: %+v, %v", old.Session, err)
	}
	if _, _, err := f.Invite(ctx, old, old.Person.ID); err != nil {
		t.Error(err)
	}
	wantKind(t, "a password of somebody who has none", f.StepUp(ctx, old, baton.NewSecret("x"), "1"), baton.Refused)
}

// TestProviderConfigured checks who may configure providers, and which settings are valid.
func TestProviderConfigured(t *testing.T) {
	f, o, root := withProvider(t)
	p := f.configured(o)
	auditor, _ := f.signIn(f.invite(root, "Ben", console.Auditor))
	if _, err := f.Provider(ctx, auditor, "okta"); err != nil {
		t.Errorf("an auditor sees the settings: %v", err)
	}
	user, _ := f.signIn(f.invite(root, "Eve"))
	_, err := f.Provider(ctx, user, "okta")
	wantKind(t, "somebody without a role", err, baton.PermissionDenied)
	for what, err := range map[string]error{
		"add": f.AddProvider(ctx, auditor, p, baton.Secret{}), "change": f.ChangeProvider(ctx, auditor, p, baton.Secret{}), "remove": f.RemoveProvider(ctx, auditor, "okta"),
	} {
		wantText(t, what, err, baton.PermissionDenied, "you may not change how people sign in")
	}
	wantKind(t, "the same name", f.AddProvider(ctx, root, p, baton.Secret{}), baton.AlreadyExists)
	other := p
	other.Name = "other"
	wantKind(t, "the same issuer", f.AddProvider(ctx, root, other, baton.Secret{}), baton.AlreadyExists)
	for what, change := range map[string]func(*console.Provider){
		"no issuer":           func(p *console.Provider) { p.Issuer = "" },
		"an unsafe issuer":    func(p *console.Provider) { p.Issuer = "http://login.example.com" },
		"no address":          func(p *console.Provider) { p.Issuer = "okta" },
		"a password in it":    func(p *console.Provider) { p.Issuer = "https://a:b@login.example.com" },
		"no client":           func(p *console.Provider) { p.ClientID = "" },
		"an unknown role":     func(p *console.Provider) { p.Groups = []console.GroupRole{{Group: "a", Role: "king"}} },
		"groups from nowhere": func(p *console.Provider) { p.GroupsClaim = "" },
		"a scope with spaces": func(p *console.Provider) { p.Scopes = []string{"a b"} },
	} {
		bad := p
		change(&bad)
		wantKind(t, what, f.ChangeProvider(ctx, root, bad, baton.NewSecret("x")), baton.Invalid)
	}
	moved := p
	moved.Issuer = "https://login.example.com"
	wantText(t, "another issuer without the secret", f.ChangeProvider(ctx, root, moved, baton.Secret{}), baton.Invalid, "client secret was not given again")
	f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
	back, err := f.at(o, oidctest.Verified("s1", "ana@example.com"), nil)
	if err != nil {
		t.Fatal(err)
	}
	arrival, err := f.FinishSignIn(ctx, visit, back)
	if err != nil {
		t.Fatal(err)
	}
	p.Enabled = false
	if err := f.ChangeProvider(ctx, root, p, baton.Secret{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a version that was changed", f.ChangeProvider(ctx, root, p, baton.Secret{}), baton.Refused)
	_, err = f.Authenticate(ctx, arrival.Token, "", "")
	wantKind(t, "a session of a provider that is switched off", err, baton.Unauthenticated)
	_, err = f.enter(o, oidctest.Verified("s1", "ana@example.com"))
	wantText(t, "a provider that is switched off", err, baton.NotFound, "nobody signs in with this provider")
	if choices, err := f.SignInProviders(ctx); err != nil || len(choices) != 0 {
		t.Errorf("offered: %v, %v", choices, err)
	}
	f.later(console.StepUp)
	wantText(t, "an old login", f.RemoveProvider(ctx, root, "okta"), baton.PermissionDenied, "less than 10 minutes old")
}
