package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console/login"
)

// TestBreakGlass creates and uses the emergency login, and checks that its use is displayed to
// everybody.
func TestBreakGlass(t *testing.T) {
	f := withPeople(t)
	b, user := f.as("super"), f.as("user")
	settings := b.get("/settings/sign-in")
	settings.wants(t, "the settings", 200, "There is none", "Make it", "never")
	made := b.post("/settings/sign-in/break-glass", url.Values{"name": {"mallory"}, "password": {"chosen by somebody"}})
	made.wants(t, "make it", 200, "Print this page", "otpauth://totp/")
	keys := regexp.MustCompile(`<code class="key">([^<]+)</code>`).FindAllStringSubmatch(made.body, -1)
	if len(keys) != 3 {
		t.Fatalf("the page shows %d values, want 3", len(keys))
	}
	name, pass, secret := keys[0][1], keys[1][1], baton.NewSecret(keys[2][1])
	if strings.Contains(made.body, "mallory") || strings.Contains(made.body, "chosen by somebody") {
		t.Error("fields that the form does not have were taken")
	}
	again := b.get("/settings/sign-in")
	again.wants(t, "the settings afterwards", 200, "Sealed away", "Make a new one", "Switch it off")
	if strings.Contains(again.body, pass) || strings.Contains(again.body, name) {
		t.Error("it is shown again")
	}
	signIn := func() *browser {
		t.Helper()
		f.now = f.now.Add(time.Minute)
		code, err := login.Code(secret, f.now)
		f.check(err)
		e := f.browser()
		if r := e.post("/login", url.Values{"login": {name}, "password": {pass}, "code": {code}}); r.status != http.StatusSeeOther {
			t.Fatalf("it does not work: %d %s", r.status, r.body)
		}
		return e
	}
	e := signIn()
	e.get("/settings/sign-in").wants(t, "it is super administrator", 200, "Make a new one")
	for _, path := range []string{"/", "/people", "/sessions", "/confirm", "/people/nobody"} {
		if page := user.get(path); !strings.Contains(page.body, "The break-glass login is in use,") {
			t.Errorf("%s does not tell that it is in use", path)
		}
	}
	if page := f.browser().get("/login"); strings.Contains(page.body, "break-glass") {
		t.Error("somebody who is not signed in is told")
	}
	e.post("/logout", nil)
	for path, told := range map[string]bool{"/": true, "/people": false} {
		if page := user.get(path); strings.Contains(page.body, "The break-glass login was used") != told {
			t.Errorf("%s after its use: told is %v, want %v", path, !told, told)
		}
	}
	f.now = f.now.Add(7 * 24 * time.Hour)
	if page := f.as("user").get("/"); strings.Contains(page.body, "break-glass login") {
		t.Error("it is told for longer than a week")
	}
	b = f.as("super")
	if r := b.post("/settings/sign-in/break-glass/end", nil); r.location != "/settings/sign-in" {
		t.Fatalf("end: %d %s", r.status, r.body)
	}
	b.get("/settings/sign-in").wants(t, "the settings at the end", 200, "There is none")
}
