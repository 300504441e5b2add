package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// guide is the way of an installation guide, in its order and with its labels.
type guide struct {
	product  string
	binary   string
	admin    bool        // by Admin > Connectors, as Percipio's guide says; else Integrations > Connectors
	settings [][2]string // label and variable of the sandbox, as the guide names them
	entry    string      // an entitlement, or a part of one, that is there afterwards
}

var guides = []guide{
	{"Perplexity", "baton-perplexity", false, [][2]string{{"SCIM Token", "BATON_SCIM_TOKEN"}, {"SCIM URL", "BATON_SCIM_URL"}}, "PPLX_Admin member"},
	{"Percipio", "baton-percipio", true, [][2]string{{"Organization ID", "BATON_ORGANIZATION_ID"}, {"API Token", "BATON_API_TOKEN"}}, "completed"},
}

// TestInstallationGuides follows the four ways of the two guides step by step: hosted and
// self-hosted. Each label is found by its role and name. The state changes on the page by
// itself.
func TestInstallationGuides(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bootstrap := filepath.Join(work, "console.yaml")
	if err := os.WriteFile(bootstrap, []byte(`
people:
- {email: root@example.com, name: Rosa Root, roles: [super-administrator], password_file: password, totp_secret: `+codeSecret+`}
- {email: ana@example.com, name: Ana Ortiz, roles: [connector-administrator, auditor], login: ana, password_file: password, totp_secret: `+codeSecret+`}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := filepath.Join(work, "console.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "serve", "--data", filepath.Join(work, "data"), "--listen", "127.0.0.1:0",
		"--allow-network", "127.0.0.0/8", "--bootstrap", bootstrap, "--env-file", env)
	b := newBrowser(t, origin)
	b.quick = true
	b.open("/")
	b.fill("Login name", "ana")
	b.fill("Password", password)
	b.fill("One-time code", code(t))
	b.click("button", "Sign in")
	for _, g := range guides {
		settings := sandbox(t, dir, g.binary)
		for _, hosted := range []bool{true, false} {
			b.follow(g, hosted, dir, env, settings)
		}
	}
}

// follow follows one way of a guide.
func (b *browser) follow(g guide, hosted bool, dir, env string, settings map[string]string) {
	b.t.Helper()
	if g.admin && hosted {
		b.run("Admin > Connectors", chromedp.Click(chromedp.CSS(`nav a[href="/admin/connectors"]`), chromedp.NodeVisible))
		b.until("the connectors are there", `location.pathname === "/admin/connectors" && document.readyState === "complete"`)
	} else {
		b.click("link", "Connectors")
	}
	b.click("link", "Add connector")
	search, name := "Baton", g.product+" self-hosted"
	if hosted {
		search, name = g.product, g.product
	}
	b.fill("Search connectors", search)
	b.click("button", "Search")
	b.click("link", "Add")
	b.has("Create a new managed app", "Set the owner for this connector")
	b.fill("Name", name)
	if !hosted {
		b.run("the connector that runs", chromedp.SetValue(chromedp.CSS("#runs"), strings.TrimPrefix(g.binary, "baton-")))
	}
	b.click("radio", "Create a new managed app")
	b.fill("Name of the new app", name)
	b.click("button", "Next")
	b.has("Settings", "Not connected")
	b.click("link", "Edit")
	if hosted {
		for _, s := range g.settings {
			b.fill(s[0], settings[s[1]])
		}
		if g.product == "Percipio" {
			b.toggle("Advanced")
			b.fill("API URL", settings["BATON_BASE_URL"])
		}
		b.click("button", "Save")
	} else {
		b.click("button", "Rotate")
		b.toggle(g.binary + "-secrets.yaml")
		b.has("The secret is shown once.", g.binary+"-secrets.yaml", g.binary+".yaml", g.settings[0][1])
		var credentials []string
		if err := b.eval(`[...document.querySelectorAll("dd code")].map((e) => e.innerText)`, &credentials); err != nil || len(credentials) < 2 {
			b.t.Fatalf("credentials %q, %v", credentials, err)
		}
		service := []string{"BATON_CLIENT_ID=" + credentials[0], "BATON_CLIENT_SECRET=" + credentials[1], "BATON_PROVISIONING=true", "SSL_CERT_FILE=" + envFile(b.t, env)["SSL_CERT_FILE"]}
		for name, value := range settings {
			service = append(service, name+"="+value)
		}
		start(b.t, "", dir, g.binary, service)
	}
	b.click("link", "Syncs")
	// The label changes on this page, without loading it again.
	if err := b.eval(`window.states = []; new MutationObserver(() => window.states.push(document.querySelector("[data-region=state]").innerText)).observe(document.querySelector("[data-region=state]"), {childList: true, subtree: true}); true`, nil); err != nil {
		b.t.Fatal(err)
	}
	b.until(name+" becomes Connected by itself", `document.querySelector("[data-region=state]").innerText.includes("Connected") && !document.querySelector("[data-region=state]").innerText.includes("Not") && document.querySelector("[data-region=syncs]").innerText.includes("Applied")`)
	b.click("link", "Log")
	b.has("Done")
	b.click("link", "Applications")
	b.has("Managed apps")
	b.click("link", name)
	b.click("link", "Entitlements")
	b.has(g.entry)
	b.click("link", "Accounts")
	b.has("Enabled")
}
