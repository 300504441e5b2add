package browser

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRecoveryCard prints the recovery card of the demo's Perplexity and keeps the copy. After one sync
// that shows another administrator, the card has that one, and the copy is out of date. On paper the card
// is black on white, without navigation.
func TestRecoveryCard(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, origin)
	b.quick = true
	b.as("sets up everything")
	env := envFile(t, file)
	org := newOrganisation(t, map[string]string{"BATON_SCIM_URL": env["PERPLEXITY_SCIM_URL"], "BATON_SCIM_TOKEN": env["PERPLEXITY_SCIM_TOKEN"]})
	app := b.appPath("Perplexity")
	b.open0("/connectors")
	var connector string
	if err := b.eval(`[...document.querySelectorAll("main tbody tr")].find((r) => r.textContent.includes("Perplexity")).querySelector("a[href^='/connectors/']").getAttribute("href")`, &connector); err != nil {
		t.Fatal(err)
	}
	b.syncNow(connector)

	card := app + "/recovery"
	b.open0(card)
	b.has("Version", "Nobody has said to keep one", "vertical ellipsis (⋮), Manage", "Configure role assignment", "Click Continue", "contact Perplexity support", "corrects bills")
	var keep string
	if err := b.eval(`[...document.querySelectorAll("button")].find((e) => e.textContent.startsWith("I printed version")).textContent`, &keep); err != nil {
		t.Fatal(err)
	}
	b.click("button", keep)
	b.has("You keep version", "1 person keeps a copy, 0 out of date")
	b.look("/applications/ID/recovery with a copy")

	// Somebody else becomes administrator past the console.
	state := org.state()
	var group string
	for _, g := range state.Groups {
		if slices.ContainsFunc(g.Members, func(m string) bool { return slices.Contains(state.Admins, m) }) && strings.Contains(strings.ToLower(g.DisplayName), "admin") {
			group = g.ID
		}
	}
	var user, email string
	for _, u := range state.Users { // that SCIM manages, and who is member only
		grouped := slices.ContainsFunc(state.Groups, func(g struct {
			ID, DisplayName string
			Members         []string
		}) bool {
			return g.ID != group && slices.Contains(g.Members, u.ID)
		})
		if u.Active && grouped && !org.member(group, u.ID) {
			user, email = u.ID, u.Email
		}
	}
	if group == "" || user == "" {
		t.Fatalf("nobody to add: %+v", state)
	}
	org.add(group, user)
	b.syncNow(connector)
	b.open0(card)
	b.has("Your copy is out of date", "1 administrator more", email, "1 out of date")
	b.look("/applications/ID/recovery out of date")

	// On paper.
	b.run("paper", printed(), chromedp.EmulateViewport(794, 1123))
	b.picture("recovery card on paper")
	var wrong []string
	script := `[...document.querySelectorAll("*")].filter((e) => e.checkVisibility() && e.closest("body")).flatMap((e) => {
		const s = getComputedStyle(e), grey = (c) => { const n = (c.match(/[\d.]+/g) || []).map(Number); return n.length < 3 || n[3] === 0 || n[0] === n[1] && n[1] === n[2]; };
		const dark = (c) => { const n = (c.match(/[\d.]+/g) || []).map(Number); return n.length >= 3 && n[3] !== 0 && n[0] < 200; };
		return [!grey(s.color) && "a colour of text", !grey(s.backgroundColor) && "a coloured ground", dark(s.backgroundColor) && "a dark ground",
			(e.matches("nav, .side, button, form") && e.offsetHeight > 0) && "not for paper"].filter(Boolean).map((w) => w + ": " + e.tagName + " " + e.className);
	})`
	if err := b.eval(script, &wrong); err != nil || len(wrong) > 0 {
		t.Errorf("on paper (%v): %s", err, strings.Join(wrong, "; "))
	}
	b.has("Who is administrator", email, "--grant-entitlement", "enable_user")
	b.run("screen", media(""), chromedp.EmulateViewport(1280, 900))
	b.click("button", "I keep no copy")
	b.has("Nobody has said to keep one")
}
