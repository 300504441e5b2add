package browser

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// guide is the way of an installation guide, in its order and with its labels.
type guide struct {
	product  string
	binary   string
	admin    bool        // hosted by Admin > Connectors, as Percipio's guide says; else Integrations > Connectors
	settings [][2]string // label and variable of the sandbox, as the guide names them
	optional []string    // labels of the other fields that the guide names
	entry    string      // an entitlement, or a part of one, that is there afterwards
	secrets  []string    // lines of the Secret that the guide shows, in its order
	pod      []string    // lines of the Deployment
}

var guides = []guide{
	{"Perplexity", "baton-perplexity", false, [][2]string{{"SCIM Token", "BATON_SCIM_TOKEN"}, {"SCIM URL", "BATON_SCIM_URL"}}, nil, "PPLX_Admin member",
		[]string{"# baton-perplexity-secrets.yaml", "apiVersion: v1", "kind: Secret", "name: baton-perplexity-secrets", "type: Opaque", "stringData:", "BATON_CLIENT_ID: ", "BATON_CLIENT_SECRET: ",
			"BATON_SCIM_TOKEN: ", "BATON_SCIM_URL: ", `BATON_PROVISIONING: "true"`},
		[]string{"# baton-perplexity.yaml", "apiVersion: apps/v1", "kind: Deployment", "name: baton-perplexity", "app: baton-perplexity", "matchLabels:", "app: baton-perplexity", `baton: "true"`,
			"baton-app: perplexity", "- name: baton-perplexity", "imagePullPolicy: IfNotPresent", "- name: BATON_HOST_ID", "value: baton-perplexity", "envFrom:", "name: baton-perplexity-secrets"}},
	{"Percipio", "baton-percipio", true, [][2]string{{"Organization ID", "BATON_ORGANIZATION_ID"}, {"API Token", "BATON_API_TOKEN"}}, []string{"Course IDs"}, "completed",
		[]string{"# baton-percipio-secrets.yaml", "apiVersion: v1", "kind: Secret", "name: baton-percipio-secrets", "type: Opaque", "stringData:", "BATON_CLIENT_ID: ", "BATON_CLIENT_SECRET: ",
			"BATON_API_TOKEN: ", "BATON_ORGANIZATION_ID: ", "BATON_LIMITED_COURSES: "},
		[]string{"# baton-percipio.yaml", "apiVersion: apps/v1", "kind: Deployment", "name: baton-percipio", "app: baton-percipio", "matchLabels:", "app: baton-percipio", `baton: "true"`,
			"baton-app: percipio", "- name: baton-percipio", "imagePullPolicy: IfNotPresent", "envFrom:", "name: baton-percipio-secrets"}},
}

// choices are the three ways in which the guides let a connector be set up.
var choices = []string{"Add the connector to a currently unmanaged app", "Add the connector to a managed app", "Create a new managed app"}

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
	search, name, choice, app := g.product, g.product, choices[2], g.product
	if !hosted {
		search, name = "Baton", g.product+" self-hosted"
		choice = choices[1]
		if !g.admin { // the two ways that are left: an app without a connector, and one that has a connector already
			choice, app = choices[0], name
			b.click("link", "Applications")
			b.click("link", "Unmanaged apps")
			b.click("link", "Add an application")
			b.fill("Name", app)
			b.click("button", "Add")
		}
	}
	if g.admin && hosted {
		b.run("Admin > Connectors", chromedp.Click(chromedp.CSS(`nav a[href="/admin/connectors"]`), chromedp.NodeVisible))
		b.until("the connectors are there", `location.pathname === "/admin/connectors" && document.readyState === "complete"`)
	} else {
		b.click("link", "Connectors")
	}
	b.click("link", "Add connector")
	b.fill("Search connectors", search)
	b.click("button", "Search")
	b.click("link", "Add")
	b.has("Set up a new "+search+" connector", "Set the owner for this connector")
	if !hosted {
		b.pick("Connector", g.product)
	}
	b.fill("Name", name)
	for _, c := range choices {
		b.locate("radio", c)
	}
	b.click("radio", choice)
	switch choice {
	case choices[0]:
		b.pick("Unmanaged app", app+" (added by hand)")
	case choices[1]:
		b.pick("Managed app", app)
	default:
		b.fill("Name of the new app", app)
	}
	b.click("checkbox", "Rosa Root root@example.com") // beside oneself, who is chosen already
	b.click("button", "Next")
	b.has("Settings", "Not connected", "owned by ", "Ana Ortiz", "Rosa Root")
	b.click("link", "Edit")
	var service []string
	if hosted {
		for _, s := range g.settings {
			b.fill(s[0], settings[s[1]])
		}
		for _, label := range g.optional {
			b.locate("textbox", label)
		}
		if g.product == "Percipio" {
			b.toggle("Advanced")
			b.fill("API URL", settings["BATON_BASE_URL"])
		}
		b.click("button", "Save")
	} else {
		b.click("button", "Rotate")
		b.has("The secret is shown once.", "Client ID", "Client secret")
		b.ordered(g.binary+"-secrets.yaml", g.secrets)
		b.ordered(g.binary+".yaml", g.pod)
		var credentials []string
		if err := b.eval(`[...document.querySelectorAll("dd code")].map((e) => e.innerText)`, &credentials); err != nil || len(credentials) < 2 {
			b.t.Fatalf("credentials %q, %v", credentials, err)
		}
		service = []string{"BATON_CLIENT_ID=" + credentials[0], "BATON_CLIENT_SECRET=" + credentials[1], "BATON_PROVISIONING=true", "SSL_CERT_FILE=" + envFile(b.t, env)["SSL_CERT_FILE"]}
		for name, value := range settings {
			service = append(service, name+"="+value)
		}
	}
	b.click("link", "Syncs")
	// The label changes on this page, without loading it again.
	const state = `document.querySelector("[data-region=state]").innerText.trim()`
	if err := b.eval(`window.states = [`+state+`]; new MutationObserver(() => { const s = `+state+`; if (s !== window.states.at(-1)) window.states.push(s) })
		.observe(document.querySelector("[data-region=state]"), {childList: true, subtree: true, characterData: true}); true`, nil); err != nil {
		b.t.Fatal(err)
	}
	if !hosted {
		// No organization answers as fast as the sandbox: a label that lasts for some milliseconds is skipped.
		setFaults(b.t, settings, `["slow=300ms"]`)
		start(b.t, "", dir, g.binary, service)
	}
	b.until(name+" becomes Connected by itself", `window.states.at(-1) === "Connected" && document.querySelector("[data-region=syncs]").innerText.includes("Applied")`)
	var states []string
	if err := b.eval(`window.states`, &states); err != nil {
		b.t.Fatal(err)
	}
	order := []string{"Not connected", "Syncing", "Connected"}
	if first := slices.Index(order, states[0]); first < 0 || !slices.Equal(states, order[first:]) || !hosted && first != 0 {
		b.t.Errorf("%s: the label was %q, in this order", name, states)
	}
	if !hosted {
		setFaults(b.t, settings, "[]")
	}
	b.click("link", "Log")
	b.has("sync_full", "Done")
	b.click("link", "Applications")
	b.has("Managed apps")
	b.click("link", app)
	b.click("link", "Entitlements")
	b.has(g.entry)
	b.click("link", "Accounts")
	b.has("Enabled")
}

// setFaults sets the faults of a sandbox, a JSON list of names.
func setFaults(t *testing.T, settings map[string]string, faults string) {
	t.Helper()
	address := settings["BATON_SCIM_URL"] + settings["BATON_BASE_URL"] // each has one of them
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPut, u.Scheme+"://"+u.Host+"/sandbox/faults", strings.NewReader(faults))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the faults of %s: %s", address, resp.Status)
	}
}

// ordered opens a snippet and checks that it has lines in an order, each once after the one
// before.
func (b *browser) ordered(snippet string, lines []string) {
	b.t.Helper()
	b.toggle(snippet)
	var text string
	if err := b.eval(`[...document.querySelectorAll("details")].find((d) => d.querySelector("summary").innerText.trim() === `+quote(snippet)+`).querySelector("pre").innerText`, &text); err != nil {
		b.t.Fatal(err)
	}
	rest := text
	for _, line := range lines {
		_, after, ok := strings.Cut(rest, line)
		if !ok {
			b.t.Errorf("%s has no %q after what comes before it in the guide\n%s", snippet, line, text)
			return
		}
		rest = after
	}
}
