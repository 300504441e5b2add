package browser

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// undoing is an identity provider that controls a group of the application: it puts a member back who was
// removed. It stands between the connector and the application, and acts once the removal was read back,
// before the group is read again. So the connector has reported its success, and no sync has seen it.
type undoing struct {
	org         organisation
	group, user string
	application http.Handler

	mu    sync.Mutex
	reads int // of the group, since the member was removed; below 0 before that
}

// newUndoing returns the identity provider, and the SCIM address that a connector reads in its place.
func newUndoing(org organisation, group, user string) (*undoing, string) {
	org.t.Helper()
	origin, err := url.Parse(org.origin)
	if err != nil {
		org.t.Fatal(err)
	}
	u := &undoing{org: org, group: group, user: user, application: httputil.NewSingleHostReverseProxy(origin), reads: -1}
	server := httptest.NewServer(u)
	org.t.Cleanup(server.Close)
	return u, server.URL + strings.TrimPrefix(org.scim, org.origin)
}

// ServeHTTP passes a request on to the application.
func (u *undoing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/Groups") && u.reads >= 0 {
		if u.reads++; u.reads == 2 {
			u.org.add(u.group, u.user)
		}
	}
	before := r.Method == http.MethodPatch && u.org.member(u.group, u.user)
	u.application.ServeHTTP(w, r)
	if before && !u.org.member(u.group, u.user) {
		u.reads = 0
	}
}

// undone reports whether the member was removed and put back.
func (u *undoing) undone() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.reads >= 2
}

// account returns the address of a member of a group that is none of those who decide in the demo.
func (o organisation) account(group string, not ...string) (id, email string) {
	o.t.Helper()
	s := o.state()
	for _, g := range s.Groups {
		for _, m := range g.Members {
			for _, u := range s.Users {
				if g.ID == group && u.ID == m && u.Active && !slices.Contains(not, u.Email) {
					return u.ID, u.Email
				}
			}
		}
	}
	o.t.Fatalf("the group has no member but %q", not)
	return "", ""
}

// decision chooses what is decided about an item: keep, remove, or nothing.
type decision func(login, what string) string

// decide decides about the items of the caller, and submits that. It returns how many decisions were made.
func (b *browser) decide(campaign string, choose decision) (made int) {
	b.t.Helper()
	b.open0(strings.Replace(campaign, "/campaigns/", "/reviews/", 1))
	var items []struct{ Number, Login, What string }
	if err := b.eval(`[...document.querySelectorAll("#work tbody tr:not(.group)")].map((r) => ({Number: r.querySelector("[name^='hash.']").name.slice(5), Login: r.cells[0].innerText, What: r.cells[1].innerText}))`, &items); err != nil || len(items) == 0 {
		b.t.Fatalf("nothing is to decide (%v)\n%s", err, b.text())
	}
	for _, i := range items {
		choice := choose(i.Login, i.What)
		if choice == "" {
			continue
		}
		made++
		if err := b.eval(fmt.Sprintf(`document.querySelector('input[name="choice.%s"][value="%s"]').checked = true`, i.Number, choice), nil); err != nil {
			b.t.Fatalf("%s of %s cannot be decided so: %v", i.What, i.Login, err)
		}
	}
	b.click("button", "Submit…")
	submit := fmt.Sprintf("Submit %d decisions", made)
	if made == 1 {
		submit = "Submit 1 decision"
	}
	b.click("button", submit)
	b.has("Your decisions are submitted.")
	return made
}

// pack downloads the evidence pack of a campaign, and returns it with its members by name.
func (b *browser) pack(campaign string) (pack []byte, members map[string][]byte) {
	b.t.Helper()
	var text string
	script := `fetch(` + quote(campaign+"/pack") + `).then((r) => r.blob()).then((f) => new Promise((done) => { const r = new FileReader(); r.onload = () => done(r.result); r.readAsDataURL(f) }))`
	err := b.eval(script, &text)
	_, text, _ = strings.Cut(text, ",")
	if err == nil {
		pack, err = base64.StdEncoding.DecodeString(text)
	}
	var archive *zip.Reader
	if err == nil {
		archive, err = zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	}
	if err != nil {
		b.t.Fatalf("the evidence pack: %v", err)
	}
	members = map[string][]byte{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err == nil {
			members[f.Name], err = io.ReadAll(r)
		}
		if err != nil {
			b.t.Fatalf("the evidence pack: %s: %v", f.Name, err)
		}
	}
	return pack, members
}

// results returns what a member of a pack says about the results of items, by login and entitlement.
func results(t *testing.T, members map[string][]byte, name string) map[string]string {
	t.Helper()
	items := map[int]string{}
	for member, text := range members {
		if !strings.HasPrefix(member, "population/") || !strings.HasSuffix(member, ".jsonl") {
			continue
		}
		for line := range bytes.Lines(text) {
			var item struct {
				Item  int
				Shown struct{ Login, Entitlement string }
			}
			if err := json.Unmarshal(line, &item); err != nil {
				t.Fatalf("%s: %v", member, err)
			}
			items[item.Item] = item.Shown.Login + " " + item.Shown.Entitlement
		}
	}
	found := map[string]string{}
	for line := range bytes.Lines(members[name]) {
		var row struct {
			Item   int
			Result string
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found[items[row.Item]] = row.Result
	}
	return found
}

// TestReviewUndone is a whole campaign on the sandboxes. The reviewers decide, the connector carries out
// two removals, and the identity provider undoes both: one at once, so that the next sync shows it still,
// one after a sync had verified it. The campaign says so, and so does its evidence pack.
func TestReviewUndone(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	start(t, "Everything is there.", dir, "baton-console", nil, "demo", "--env-file", file)
	env := envFile(t, file)
	b := newBrowser(t, env["CONSOLE_URL"])
	b.quick = true
	b.as("sets up everything")
	org := newOrganisation(t, map[string]string{"BATON_SCIM_URL": env["PERPLEXITY_SCIM_URL"], "BATON_SCIM_TOKEN": env["PERPLEXITY_SCIM_TOKEN"]})
	const access = "Engineering member"
	owner := env["OWNER_LOGIN"]
	group := org.group("Engineering")
	atOnce, email1 := org.account(group, owner)
	later, email2 := org.account(group, owner, email1)

	// The connector reads the application through its identity provider, and only when somebody asks.
	provider, address := newUndoing(org, group, atOnce)
	b.open0("/connectors")
	b.click("link", "Perplexity")
	connector := b.path0()
	b.open0(connector + "/settings/edit")
	b.fill("Minutes between syncs", "1d")
	b.fill("SCIM URL", address)
	b.fill("SCIM Token", env["PERPLEXITY_SCIM_TOKEN"]) // it goes to another address
	b.click("button", "Save")
	b.has("Every day")
	b.syncNow(connector)

	campaign := b.campaign("Access of Perplexity")
	b.as("owns both applications")
	b.decide(campaign, func(login, what string) string {
		if strings.Contains(what, access) && (strings.Contains(login, email1) || strings.Contains(login, email2)) {
			return "remove"
		}
		return "keep"
	})
	b.as("sets up everything")
	b.decide(campaign, func(login, _ string) string { // nobody reviews the own access
		if strings.Contains(login, owner) {
			return "keep"
		}
		return ""
	})
	b.open0(campaign)
	b.has("All items are decided.")

	plan := b.close(campaign)
	b.shows("Complete", "Verified", "Not effective")
	if !provider.undone() || !org.member(group, atOnce) || org.member(group, later) {
		t.Errorf("the members of the group are not as the identity provider left them: put back: %v", provider.undone())
	}
	b.open0(campaign)
	b.shows("Complete", "To be removed, and still held", "Not effective")
	b.has(email1)
	b.look("/campaigns/ID with a removal without effect")
	_, members := b.pack(campaign)
	if got, want := results(t, members, "not-effective.jsonl"), map[string]string{email1 + " " + access: "not-effective"}; !maps.Equal(got, want) {
		t.Errorf("after the sync, the pack lists as without effect %v, want %v", got, want)
	}
	if got, want := results(t, members, "results.jsonl")[email2+" "+access], "verified"; got != want {
		t.Errorf("after the sync, the pack says %q, want %q", got, want)
	}

	// The other one comes back, too.
	org.add(group, later)
	b.syncNow(connector)
	b.open0(campaign)
	b.shows("Came back", email2)
	b.look("/campaigns/ID with access that came back")
	b.open0(plan)
	b.has("Came back", "Not effective")
	pack, members := b.pack(campaign)
	if got, want := results(t, members, "not-effective.jsonl"), map[string]string{email1 + " " + access: "not-effective", email2 + " " + access: "came-back"}; !maps.Equal(got, want) {
		t.Errorf("the pack lists as without effect %v, want %v", got, want)
	}
	var manifest struct{ Key string }
	if err := json.Unmarshal(members["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "pack.zip")
	if err := os.WriteFile(kept, pack, 0o600); err != nil {
		t.Fatal(err)
	}
	says, err := exec.Command(filepath.Join(dir, "baton-console"), "verify", kept, "--fingerprint", manifest.Key).CombinedOutput()
	if err != nil || !strings.Contains(string(says), "2 removals, 0 verified by later syncs, 2 not effective") {
		t.Errorf("verify says %s (%v)", says, err)
	}
}

// TestReviewLastAdmin decides in a review to remove all administrators of an application. The guard keeps
// as many as its minimum says, the campaign says which and why, and the other removals are carried out.
func TestReviewLastAdmin(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	start(t, "Everything is there.", dir, "baton-console", nil, "demo", "--env-file", file)
	env := envFile(t, file)
	b := newBrowser(t, env["CONSOLE_URL"])
	b.quick = true
	b.as("sets up everything")
	org := newOrganisation(t, map[string]string{"BATON_SCIM_URL": env["PERPLEXITY_SCIM_URL"], "BATON_SCIM_TOKEN": env["PERPLEXITY_SCIM_TOKEN"]})
	engineers := org.group("Engineering")
	before := org.state().Admins
	engineer, email := org.account(engineers, env["OWNER_LOGIN"])
	// Nobody has two roles: the connector, whose guard is another one, cannot know which of them counts.
	for _, admin := range before {
		if members := org.group("PPLX_Members"); org.member(members, admin) {
			org.remove(members, admin)
		}
	}
	b.open0("/connectors")
	b.click("link", "Perplexity")
	b.syncNow(b.path0())

	campaign := b.campaign("Administrators")
	removals := 0
	b.decide(campaign, func(login, what string) string {
		if strings.Contains(what, "PPLX_Admin") || strings.Contains(what, "Engineering") && strings.Contains(login, email) {
			removals++
			return "remove"
		}
		return "keep"
	})
	b.close(campaign)
	org.becomes(false, engineers, engineer, patience)
	b.open0(campaign)
	b.shows("Complete", "Blocked", "Verified")
	b.has("To be removed, and still held", "the minimum is")
	b.look("/campaigns/ID with blocked removals")

	// As many stay as the guard says, and the campaign lists exactly them.
	var blocked []struct{ Login, Why string }
	if err := b.eval(`[...[...document.querySelectorAll("h3")].find((h) => h.innerText.includes("still held")).nextElementSibling.querySelectorAll("tbody tr")].map((r) => ({Login: r.cells[0].innerText, Why: r.cells[2].innerText}))`, &blocked); err != nil {
		t.Fatal(err)
	}
	state := org.state()
	var stay []string
	for _, u := range state.Users {
		if slices.Contains(state.Admins, u.ID) {
			stay = append(stay, u.Email)
		}
	}
	if len(stay) == 0 || len(stay) == len(before) || len(blocked) != len(stay) {
		t.Errorf("the application has the administrators %q, of %d before, and the campaign lists %v", stay, len(before), blocked)
	}
	for _, row := range blocked {
		if !slices.ContainsFunc(stay, func(email string) bool { return strings.Contains(row.Login, email) }) {
			t.Errorf("blocked, and no administrator in the application: %+v", row)
		}
		if !strings.Contains(row.Why, fmt.Sprintf("the minimum is %d", len(stay))) {
			t.Errorf("the campaign does not say why it is blocked: %+v", row)
		}
	}
	_, members := b.pack(campaign)
	if got := results(t, members, "results.jsonl")[email+" Engineering member"]; got != "verified" {
		t.Errorf("the pack says %q about the other removal", got)
	}
	if n := len(results(t, members, "not-effective.jsonl")); n != len(stay) {
		t.Errorf("the pack lists %d of %d removals as without effect, want %d", n, removals, len(stay))
	}
}
