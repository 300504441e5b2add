package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// organisation is the application of the story, as it says itself: not through the console,
// and not through the connector.
type organisation struct {
	t      *testing.T
	origin string
	scim   string
	token  string
}

// orgState holds the users and groups of an organisation at one moment.
type orgState struct {
	Users []struct {
		ID, Email string
		Active    bool
	}
	Groups []struct {
		ID, DisplayName string
		Members         []string
	}
	Admins []string
}

func newOrganisation(t *testing.T, settings map[string]string) organisation {
	t.Helper()
	u, err := url.Parse(settings["BATON_SCIM_URL"])
	if err != nil {
		t.Fatal(err)
	}
	return organisation{t, u.Scheme + "://" + u.Host, settings["BATON_SCIM_URL"], settings["BATON_SCIM_TOKEN"]}
}

func (o organisation) state() (s orgState) {
	o.t.Helper()
	resp, err := http.Get(o.origin + "/admin.json")
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		o.t.Fatal(err)
	}
	return s
}

// user returns the id of the user with an address, and group that of the group of a name.
func (o organisation) user(email string) string {
	o.t.Helper()
	for _, u := range o.state().Users {
		if u.Email == email {
			return u.ID
		}
	}
	o.t.Fatalf("the application has no user %q", email)
	return ""
}

func (o organisation) group(name string) string {
	o.t.Helper()
	for _, g := range o.state().Groups {
		if g.DisplayName == name {
			return g.ID
		}
	}
	o.t.Fatalf("the application has no group %q", name)
	return ""
}

// member reports whether a user is in a group, now.
func (o organisation) member(group, user string) bool {
	o.t.Helper()
	for _, g := range o.state().Groups {
		if g.ID == group {
			return slices.Contains(g.Members, user)
		}
	}
	return false
}

// becomes waits until a user is in a group, or is not any more, and returns when that was
// seen.
func (o organisation) becomes(member bool, group, user string, within time.Duration) time.Time {
	o.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		if o.member(group, user) == member {
			return time.Now()
		}
		if time.Now().After(end) {
			o.t.Fatalf("in the application, membership of %s does not become %v", user, member)
		}
	}
}

// remove takes a user out of a group, past the console.
func (o organisation) remove(group, user string) {
	o.t.Helper()
	o.patch(group, fmt.Sprintf(`{"op": "remove", "path": "members[value eq \"%s\"]"}`, user))
}

// add puts a user into a group, past the console.
func (o organisation) add(group, user string) {
	o.t.Helper()
	o.patch(group, fmt.Sprintf(`{"op": "add", "path": "members", "value": [{"value": "%s"}]}`, user))
}

func (o organisation) patch(group, operation string) {
	o.t.Helper()
	body := `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [` + operation + `]}`
	r, err := http.NewRequest(http.MethodPatch, o.scim+"/Groups/"+group, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		o.t.Fatalf("%s of the group %s: %s", operation, group, resp.Status)
	}
}

// plugIn starts the connector, and returns what unplugs it: it is killed, so that nobody
// is told.
func plugIn(t *testing.T, dir string, env []string) (unplug func()) {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "baton-perplexity"))
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	unplug = func() {
		if !ended {
			ended = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(unplug)
	return unplug
}

// story is the application of the story as the console knows it.
type story struct {
	*browser
	org                organisation
	app                string // path of its page
	access             string // path of the access that the story is about
	group, admin, user string // upstream ids: the Admin group, the one who stays in it, who asks
}

// TestStory tells the whole story of an access against the sandbox of Perplexity: asked for,
// decided, and not by oneself; granted upstream, verified by a sync, over after 20 seconds,
// gone upstream, verified gone. The last administrator is refused. With the connector
// unplugged when the time is over, the access is overdue; plugged in, it is removed. At each
// step, the application itself is asked who is in the group.
func TestStory(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	settings := sandbox(t, dir, "baton-perplexity")
	s := &story{browser: newBrowser(t, origin), org: newOrganisation(t, settings)}
	s.checked["/demo"] = true
	env := envFile(t, file)
	s.group, s.admin, s.user = s.org.group("PPLX_Admin"), s.org.user(env["OWNER_LOGIN"]), s.org.user(env["MEMBER_LOGIN"])
	if s.org.member(s.group, s.user) {
		s.org.remove(s.group, s.user)
	}
	if got := s.org.state().Admins; !slices.Equal(got, []string{s.admin}) {
		t.Fatalf("the application has the administrators %q", got)
	}

	service := s.connect(env)
	for name, value := range settings {
		service = append(service, name+"="+value)
	}
	unplug := plugIn(t, dir, service)
	s.configure(env["OWNER_LOGIN"])

	asked := s.ask()
	s.notOneself(asked)
	s.decide(asked)
	s.granted(asked)
	s.ended(asked)
	s.lastAdmin()

	again := s.ask()
	s.decide(again)
	effect := s.org.becomes(true, s.group, s.user, patience)
	s.shows("Granted")
	unplug()
	s.overdue(effect)
	plugIn(t, dir, service)
	s.drained()
}

// connect adds a self-hosted connector that syncs every two seconds, and returns its
// credentials as variables.
func (s *story) connect(env map[string]string) []string {
	s.t.Helper()
	s.as("sets up everything")
	s.open("/catalog/baton")
	s.fill("Name", "Acme")
	s.click("radio", "Create a new managed app")
	s.fill("Name of the new app", "Acme")
	s.click("button", "Next")
	s.click("link", "Edit")
	s.fill("Minutes between syncs", "2s")
	s.click("button", "Save")
	s.has("Every 2 seconds")
	s.click("link", "Edit")
	s.click("button", "Rotate")
	var credentials []string
	if err := s.eval(`[...document.querySelectorAll("dd code")].map((e) => e.innerText)`, &credentials); err != nil || len(credentials) < 2 {
		s.t.Fatalf("credentials %q, %v", credentials, err)
	}
	if err := s.eval(`document.querySelector(".head a[href^='/applications/']").getAttribute("href")`, &s.app); err != nil {
		s.t.Fatal(err)
	}
	return []string{"BATON_CLIENT_ID=" + credentials[0], "BATON_CLIENT_SECRET=" + credentials[1], "BATON_PROVISIONING=true", "SSL_CERT_FILE=" + env["SSL_CERT_FILE"]}
}

// configure says who owns the application, and what means administrator.
func (s *story) configure(owner string) {
	s.t.Helper()
	s.open(s.app)
	s.fill("E-mail address of a new owner", owner)
	s.click("button", "Add owner")
	s.until("a sync shows the groups", `fetch(`+quote(s.app+"/entitlements")+`).then((r) => r.text()).then((s) => s.includes("PPLX_Admin"))`)
	s.open(s.app + "/settings")
	s.click("link", "Look at it in the form")
	s.click("radio", "The most powerful role counts")
	s.fill("Minimum of admins", "1")
	s.fill("Why", "the company has one administrator")
	s.click("button", "Save")
	s.has("It waits for a second person")
	s.as("watches over access")
	s.open("/policies")
	s.has("the company has one administrator")
	s.click("button", "Confirm")
	s.open(s.app + "/settings")
	s.has("PPLX_Admin", "The most powerful role counts")
	var keys []string
	s.as("sets up everything")
	find := `Promise.all([fetch(` + quote(s.app+"/entitlements?search=PPLX_Admin") + `), fetch(` + quote(s.app+"/accounts?search="+url.QueryEscape(s.email(s.user))) + `)].map((p) => p.then((r) => r.text()))).then((pages) =>
		pages.map((text) => new DOMParser().parseFromString(text, "text/html").querySelector("main td a")?.getAttribute("href") || ""))`
	if err := s.eval(find, &keys); err != nil || len(keys) != 2 || keys[0] == "" || keys[1] == "" {
		s.t.Fatalf("the entitlement and the account of the story: %q, %v", keys, err)
	}
	s.access = keys[1] + strings.TrimPrefix(keys[0], s.app)
}

func (s *story) email(id string) string {
	s.t.Helper()
	for _, u := range s.org.state().Users {
		if u.ID == id {
			return u.Email
		}
	}
	return ""
}

// ask asks for the Admin group for 20 seconds, and returns the request's page.
func (s *story) ask() (path string) {
	s.t.Helper()
	s.as("has access, and sees only their own")
	s.open(strings.Replace(s.app, "/applications/", "/request/", 1) + "/" + filepath.Base(s.access))
	s.has("Who will decide", "owner of the application", "security officer")
	s.toggle("Another duration, an end, or a later start")
	s.fill("Another duration", "20s")
	s.fill("Justification", "rotate the certificate")
	s.click("button", "Send")
	s.has("for 20 seconds", "Waiting for", "rotate the certificate")
	if err := s.eval(`location.pathname`, &path); err != nil {
		s.t.Fatal(err)
	}
	if s.org.member(s.group, s.user) {
		s.t.Error("asked for, and granted already")
	}
	return path
}

// notOneself tries to decide about one's own request, with the form that others have.
func (s *story) notOneself(request string) {
	s.t.Helper()
	s.as("owns both applications")
	s.open(request)
	var form struct{ Action, Version string }
	if err := s.eval(`(() => { const f = document.querySelector("form[action$='/decide']"); return {Action: f.getAttribute("action"), Version: f.elements.version.value} })()`, &form); err != nil {
		s.t.Fatalf("the owner of the application has no form to decide: %v\n%s", err, s.text())
	}
	s.as("has access, and sees only their own")
	s.open(request)
	var own bool
	var status int
	if err := s.eval(`!!document.querySelector("form[action$='/decide']")`, &own); err != nil || own {
		s.t.Errorf("whoever asks has a form to decide (%v)", err)
	}
	post := fmt.Sprintf(`fetch(%s, {method: "POST", redirect: "manual", headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: "decision=approve&version=%s"}).then((r) => r.status)`, quote(form.Action), form.Version)
	if err := s.eval(post, &status); err != nil || status != http.StatusConflict {
		s.t.Errorf("deciding about one's own request answers %d (%v)", status, err)
	}
	if err := s.eval(strings.Replace(post, "approve", "deny", 1), &status); err != nil || status != http.StatusConflict {
		s.t.Errorf("denying one's own request answers %d (%v)", status, err)
	}
	s.open(request)
	s.has("Waiting for")
	if s.org.member(s.group, s.user) {
		s.t.Error("granted without a decision")
	}
}

// decide approves a request: the owner of the application, then a second person.
func (s *story) decide(request string) {
	s.t.Helper()
	s.as("owns both applications")
	s.open(request)
	s.has("Your decision", "Role", "Admins", "1 → 2", "Also holds")
	s.click("button", "Approve")
	if s.org.member(s.group, s.user) {
		s.t.Error("granted after the first of two decisions")
	}
	s.as("watches over access")
	s.open("/approvals")
	s.has("Your decision")
	s.click("button", "Approve")
	s.open(request)
}

// granted shows the application, the request and the proof while the access lasts.
func (s *story) granted(request string) {
	s.t.Helper()
	effect := s.org.becomes(true, s.group, s.user, patience)
	s.shows("Granted")
	s.has("Applied", "Held until")
	if !s.org.member(s.group, s.user) || time.Since(effect) > 19*time.Second {
		s.t.Errorf("the access was not there any more, %s after it took effect", time.Since(effect))
	}
	s.as("sees everything and changes nothing")
	s.open(s.access)
	s.has("Explained", "First sync that showed it")
	gone := s.org.becomes(false, s.group, s.user, 2*patience)
	if lasted := gone.Sub(effect); lasted < 19*time.Second {
		s.t.Errorf("the access ended after %s", lasted)
	} else {
		s.t.Logf("20 seconds of access lasted %s upstream", lasted.Round(10*time.Millisecond))
	}
}

// ended shows what is left of an access: who had it, and the sync that proves that it is
// gone.
func (s *story) ended(request string) {
	s.t.Helper()
	s.open(s.access)
	s.shows("Not held", "not in the sync of")
	s.has("expiry", "Verified")
	s.open(request)
	s.has("Not held")
	if s.org.member(s.group, s.user) {
		s.t.Error("verified gone, and still there")
	}
}

// lastAdmin tries to take the last administrator's entitlement away, and to disable the
// account.
func (s *story) lastAdmin() {
	s.t.Helper()
	s.as("sets up everything")
	find := `fetch(` + quote(s.app+"/accounts?search="+url.QueryEscape(s.email(s.admin))) + `).then((r) => r.text()).then((text) => new DOMParser().parseFromString(text, "text/html").querySelector("main td a").getAttribute("href"))`
	var account string
	if err := s.eval(find, &account); err != nil {
		s.t.Fatal(err)
	}
	for _, try := range []struct{ entitlement, label string }{{filepath.Base(s.access), "Revoke"}, {"0", "Disable the account"}} {
		s.open(account + "/entitlements/" + try.entitlement)
		s.toggle(try.label)
		s.has("This will be refused", "it would leave 0 of 1 administrators; the minimum is 1")
		s.fill("Reason", "changed departments")
		s.run(try.label, chromedp.Evaluate[chromedp.Void](`window.left = true`), chromedp.Click(chromedp.CSS(`form[action$="/remove"] button`), chromedp.NodeVisible))
		s.until(try.label+" is answered", `!window.left && document.readyState === "complete"`)
		s.has("It would leave 0 of 1 administrators; the minimum is 1.", "Make somebody else an administrator first")
	}
	if got := s.org.state(); !slices.Equal(got.Admins, []string{s.admin}) || !s.org.member(s.group, s.admin) {
		s.t.Errorf("the administrators are %q", got.Admins)
	}
	s.open("/audit?kind=operation.denied")
	s.has("minimum-of-admins")
}

// overdue waits for the time to be over while nothing can remove the access.
func (s *story) overdue(effect time.Time) {
	s.t.Helper()
	s.as("sees everything and changes nothing")
	s.open(s.access)
	s.shows("Overdue since")
	if time.Since(effect) < 20*time.Second {
		s.t.Errorf("overdue %s after it took effect", time.Since(effect))
	}
	s.has("it is still held", `The connector "Acme" has not taken it.`)
	s.check()
	if !s.org.member(s.group, s.user) {
		s.t.Error("the application does not show what is overdue")
	}
	s.open(s.app + "/operations?filter=overdue")
	s.has("PPLX_Admin")
	var red bool
	s.open0(s.access)
	if err := s.eval(`!!document.querySelector(".chip.bad") && !!document.querySelector(".notice.bad")`, &red); err != nil || !red {
		s.t.Errorf("what is overdue is not red (%v)", err)
	}
}

// drained waits until the access is removed, and a sync proves it.
func (s *story) drained() {
	s.t.Helper()
	s.org.becomes(false, s.group, s.user, 3*patience)
	s.open(s.access)
	s.shows("Not held", "not in the sync of")
	s.until("nothing is overdue", `fetch(`+quote(s.app+"/operations?filter=overdue")+`).then((r) => r.text()).then((text) => new DOMParser().parseFromString(text, "text/html").querySelectorAll("main tbody tr").length === 0)`)
	s.open("/audit?kind=access.drained")
	s.has("Acme", "gone: true")
}
