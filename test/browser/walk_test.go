package browser

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// route is a page of the console's route table.
type route struct {
	pattern string
	path    *regexp.Regexp
	dated   bool // the page can show a moment of the past
}

// asOf ends the name of a route whose page shows the past.
const asOf = " as of"

// routes reads the pages from the route table.
func routes(t *testing.T) []route { return routesOf(t, "GET") }

// routesOf reads the routes of a method from the route table.
func routesOf(t *testing.T, method string) (all []route) {
	t.Helper()
	table, err := os.ReadFile("../../console/web/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\{"`+method+` (/[^"]*)", \w+, (asOf\()?`).FindAllStringSubmatch(string(table), -1) {
		path := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(strings.ReplaceAll(regexp.QuoteMeta(m[1]), `\{\$\}`, ""), "[^/]+")
		all = append(all, route{m[1], regexp.MustCompile("^" + path + "$"), m[2] != ""})
	}
	if len(all) < 20 {
		t.Fatalf("the route table has %d pages", len(all))
	}
	return all
}

// noPage says of routes of the table why a walk through the demo does not see them.
var noPage = map[string]string{
	"/static/{file}":               "no page",
	"/live/connectors":             "no page",
	"/live/connectors/{connector}": "no page",
	"/live/requests/{request}":     "no page",
	"/live/plans/{plan}":           "no page",
	"/live/campaigns/{campaign}":   "no page",
	"/audit/report":                "a download by a form; TestAuditReport of console/review has it",
	"/requests/{request}":          "TestRequest has it",
	"/task/{number}":               "leads to a request",
	"/setup":                       "of a new console; TestPeople has it",
	"/invitation/{token}":          "TestPeople has it",
	"/settings/sign-in/{provider}": "the demo has no provider",
	"/login/{provider}":            "leads to a provider",
	"/login/{provider}/callback":   "comes from a provider",
	"/confirm/{provider}":          "leads to a provider",
}

// hostileNames are names as an upstream can send them.
var hostileNames = []string{
	`<script>document.title="taken over"</script><img src=x onerror='document.title="taken over"'>`,
	"right \u202eto left\u202c and \u200bhidden",
	"مدير النظام مرحبا",
	"👩‍🚀🏳️‍🌈 emoji 👨‍👩‍👧‍👦",
	`{{.}} {{template "layout"}} ${7*7} #{7*7} <%= 7*7 %>`,
	strings.Repeat("x", 10<<10),
	`"><td></table></main>&amp;&#x202e;` + "\u0085\u2028",
}

// scim sends a request to the demo's Perplexity.
func scim(t *testing.T, env map[string]string, path string, body any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, env["PERPLEXITY_SCIM_URL"]+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("Authorization", "Bearer "+env["PERPLEXITY_SCIM_TOKEN"])
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}

// envFile reads the demo's env file.
func envFile(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, "'")
	}
	return values
}

// as signs in as one of the people of the demo.
func (b *browser) as(text string) {
	b.t.Helper()
	b.open("/demo")
	var name string
	if err := b.eval(`[...document.querySelectorAll("form")].find((f) => f.innerText.includes(`+quote(text)+`)).querySelector("button").getAttribute("aria-label")`, &name); err != nil {
		b.t.Fatal(err)
	}
	b.click("button", name)
}

// TestEveryPage walks through the demo from link to link, and looks at the first pages of each
// route of the route table: with axe-core in both themes and two widths, at the contrast of
// controls, and at forms that need JavaScript. Names of the upstream are hostile.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file, "--log-level", "info")
	b := newBrowser(t, origin)
	b.quick = true
	b.as("sets up everything")
	env := envFile(t, file)
	for i, name := range hostileNames {
		scim(t, env, "/Users", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": fmt.Sprintf("hostile%d@acme.example", i),
			"displayName": name, "name": map[string]string{"givenName": name, "familyName": name}, "active": true})
		scim(t, env, "/Groups", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": fmt.Sprintf("Group %d %s", i, name)})
	}
	b.open("/connectors")
	b.click("link", "Perplexity")
	b.click("button", "Sync now")
	b.until("a sync shows the hostile names", `fetch(document.querySelector(".head a[href^='/applications/']").getAttribute("href") + "/accounts?search=hostile0").then((r) => r.text()).then((s) => s.includes("hostile0@"))`)

	connector, app := b.actions(), b.operation()
	b.plan("PPLX_Admin member", "reorganised")
	b.webhooks()
	b.pushes()
	b.automation()
	campaign := b.campaign(hostileNames[0][:80])
	review := strings.Replace(campaign, "/campaigns/", "/reviews/", 1)
	moment := time.Now().UTC().Format("2006-01-02T15:04:05") // of the pages as of the past
	b.quick = false

	table := routes(t)
	seen, files := map[string]int{}, map[string]int{}
	visited := map[string]bool{}
	queue := []string{"/", "/confirm", "/login", "/demo", "/device", "/nothing", "/search?q=a", "/search?q=hostile", connector, app, campaign, review, review + "/bulk?choice=keep", review + "/submit"}
	const perRoute = 2
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		address, _, _ := strings.Cut(path, "?")
		i := slices.IndexFunc(table, func(r route) bool { return r.path.MatchString(address) })
		pattern := "none"
		if i >= 0 {
			pattern = table[i].pattern
		}
		// Fixed segments go before wildcards, as in the server's table.
		for _, r := range table {
			if r.pattern == address {
				pattern = address
			}
		}
		past := strings.Contains(path, "at=")
		if past {
			pattern += asOf
		}
		if visited[path] || seen[pattern] >= perRoute || files[pattern] >= perRoute || noPage[pattern] != "" {
			continue
		}
		visited[path] = true
		var kind string
		if err := b.eval(`fetch(`+quote(path)+`, {redirect: "manual"}).then((r) => { r.body?.cancel(); return r.headers.get("Content-Type") || "" }, () => "")`, &kind); err != nil {
			t.Fatal(err)
		}
		if kind != "" && !strings.HasPrefix(kind, "text/html") {
			files[pattern]++
			continue
		}
		seen[pattern]++
		of := views
		if seen[pattern] > 1 {
			of = views[:2]
		}
		b.openPage(path, fmt.Sprintf("%s-%d", pattern, seen[pattern]), of)
		var page struct {
			Title string
			Dated bool
			Links []string
		}
		if err := b.eval(`({Title: document.title, Dated: !!document.querySelector("input[name=at]"), Links: [...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href")).filter((h) => !h.startsWith("#") && h !== "")
			.map((h) => new URL(h, location.href)).filter((u) => u.origin === location.origin).map((u) => u.pathname + u.search)})`, &page); err != nil {
			t.Fatal(err)
		}
		if page.Title == "taken over" { // a title may name the object
			t.Errorf("%s: a name of the upstream ran as a script", path)
		}
		if past && !page.Dated {
			t.Errorf("%s: the page shows no past", path)
		}
		if page.Dated && !past {
			queue = append([]string{address + "?at=" + moment}, queue...)
		}
		// Pages with hostile names first.
		for _, l := range page.Links {
			if !visited[l] {
				queue = append(queue, l)
			}
		}
		if address == "/applications" {
			continue
		}
		if i >= 0 && pattern == "/applications/{app}/accounts/{account}/entitlements/{entitlement}" { // linked for managers and owners of entitlements
			queue = append(queue, address+"/remove")
		}
		if strings.HasSuffix(address, "/accounts") && !strings.Contains(path, "hostile") {
			queue = append([]string{address + "?search=hostile"}, queue...)
		}
	}
	for _, r := range table {
		if r.dated && seen[r.pattern+asOf] == 0 {
			t.Errorf("nobody looked at a page %s as of the past", r.pattern)
		}
		if seen[r.pattern]+files[r.pattern] == 0 && noPage[r.pattern] == "" {
			t.Errorf("no link leads to a page %s, so that nobody looked at it", r.pattern)
		}
	}
	t.Logf("%d pages and files of %d routes", len(visited), len(seen)+len(files))
	b.logContrasts()
}

// actions asks the connector whose page is open which actions it offers, and returns the
// page that lists them.
func (b *browser) actions() (list string) {
	b.t.Helper()
	b.click("link", "Actions")
	if err := b.eval(`location.pathname`, &list); err != nil {
		b.t.Fatal(err)
	}
	b.click("button", "Ask which actions it offers")
	b.until("the connector says which actions it offers", `fetch(`+quote(list)+`).then((r) => r.text()).then((s) => s.includes(`+quote(list+"/")+`))`)
	return list
}

// operation takes an entitlement away from an account of Perplexity, and returns the page
// that lists the operations.
func (b *browser) operation() (list string) {
	b.t.Helper()
	b.open("/applications")
	b.click("link", "Perplexity")
	b.click("link", "Entitlements")
	b.click("link", "PPLX_Members member")
	var access string
	if err := b.eval(`[...document.querySelectorAll("main td a")].map((a) => a.getAttribute("href")).find((h) => /accounts\/\d+\/entitlements\/\d+$/.test(h)) || ""`, &access); err != nil || access == "" {
		b.t.Fatalf("the entitlement links to no access (%v)\n%s", err, b.text())
	}
	b.open(access)
	b.toggle("Revoke")
	b.fill("Reason", "changed departments")
	b.run("revoke", chromedp.Click(chromedp.CSS(`form[action$="/remove"] button`), chromedp.NodeVisible))
	b.until("to revoke leads to the operation", `/\/operations\/[^/]+$/.test(location.pathname) && document.readyState === "complete"`)
	if err := b.eval(`location.pathname.replace(/\/[^/]*$/, "")`, &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// automation publishes an automation with a hostile name, and runs it.
func (b *browser) automation() {
	b.t.Helper()
	b.open("/automations/new")
	b.pick("Application", "Perplexity")
	b.fill("Name", hostileNames[0][:80])
	b.click("radio", "Empty")
	b.click("button", "Add")
	b.pick("Add a step", "Wait")
	b.click("button", "Add")
	b.fill("Wait", "30d")
	b.click("button", "Save")
	b.click("button", "Publish")
	b.click("link", "Try or run it")
	b.fill("Reason", "to look at it")
	b.click("button", "Run version 1")

	// One that people request.
	b.open("/automations/new")
	b.pick("Application", "Perplexity")
	b.fill("Name", hostileNames[4][:40])
	b.click("radio", "Empty")
	b.click("button", "Add")
	page := b.path0()
	b.pick("Add a step", "Wait")
	b.click("button", "Add")
	b.fill("Wait", "30d")
	b.click("button", "Save")
	b.open(page + "/trigger")
	b.pick("It runs", "When somebody requests it")
	b.click("button", "Choose")
	b.pick("Policy", "Standard")
	b.click("button", "Save")
	b.click("button", "Publish")
	b.open(page + "/request")
	b.fill("Justification", "to look at it")
	b.click("button", "Send")
}

// webhooks adds a webhook whose receiver fails, with names that an upstream could send, and an
// incoming one that gets a message.
func (b *browser) webhooks() {
	b.t.Helper()
	long := strings.Repeat("long ", 200)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, hostileNames[0]+long)
	}))
	b.t.Cleanup(receiver.Close)
	b.open("/settings/webhooks/new")
	b.fill("URL", receiver.URL+"/"+strings.Repeat("x", 80))
	b.fill("Description", hostileNames[4])
	b.click("button", "Add a webhook")
	b.click("link", "Webhooks")
	b.run("the webhook", chromedp.Click(chromedp.CSS(`main td a[href^="/settings/webhooks/"]`), chromedp.NodeVisible))
	b.until("the page of the webhook", `/webhooks\/[^/]{27}$/.test(location.pathname) && document.readyState === "complete"`)
	b.click("button", "Send a test")
	b.until("the receiver fails", `fetch(location.pathname).then((r) => r.text()).then((s) => s.includes("answered 500"))`)
	b.open("/settings/hooks/new")
	b.fill("Name of the system that posts", hostileNames[1])
	b.click("button", "Add")
	var made struct{ Path, Secret string }
	if err := b.eval(`({Path: new URL([...document.querySelectorAll("dd code")].find((c) => c.textContent.includes("/hooks/")).textContent).pathname, Secret: [...document.querySelectorAll("code.key")].find((c) => c.textContent.startsWith("whsec_")).textContent})`, &made); err != nil {
		b.t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.Secret, "whsec_"))
	if err != nil {
		b.t.Fatal(err)
	}
	body, stamp := `{"type":"user.left","text":`+quote(hostileNames[0]+long)+`}`, fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "msg_1.%s.%s", stamp, body)
	var status int
	script := fmt.Sprintf(`fetch(%s, {method: "POST", body: %s, headers: {"webhook-id": "msg_1", "webhook-timestamp": %s, "webhook-signature": %s}}).then((r) => r.status)`, quote(made.Path), quote(body), quote(stamp),
		quote("v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))))
	if err := b.eval(script, &status); err != nil || status != http.StatusAccepted {
		b.t.Fatalf("the incoming webhook answers %d (%v)", status, err)
	}
}

// shownToken returns the token on the page of an identity provider that was just connected.
const shownToken = `document.querySelector("#token ~ p code.key").textContent`

// pushes connects an identity provider that pushes people and groups with names that an upstream could
// send, and a request that is refused.
func (b *browser) pushes() {
	b.t.Helper()
	b.open("/settings/scim")
	b.fill("Name", hostileNames[0][:80])
	b.click("button", "Connect")
	var token string
	if err := b.eval(shownToken, &token); err != nil {
		b.t.Fatal(err)
	}
	push := func(path, body string, want int) (id string) {
		var made struct {
			Status int
			ID     string
		}
		script := fmt.Sprintf(`fetch(%s, {method: "POST", body: %s, headers: {"Authorization": %s, "Content-Type": "application/scim+json"}}).then(async (r) => ({Status: r.status, ID: (await r.json()).id || ""}))`, quote("/scim/v2"+path), quote(body), quote("Bearer "+token))
		if err := b.eval(script, &made); err != nil || made.Status != want {
			b.t.Fatalf("%s: %+v (%v)", path, made, err)
		}
		return made.ID
	}
	long := strings.Repeat("x", 900)
	for i, name := range hostileNames {
		if len(name) > len(long) {
			name = long
		}
		member := push("/Users", fmt.Sprintf(`{"userName":"pushed%d","displayName":%s,"emails":[{"value":"pushed%d@acme.example"}]}`, i%6, quote(name), i%6), map[bool]int{false: 201, true: 409}[i > 5])
		if member != "" {
			push("/Groups", fmt.Sprintf(`{"displayName":%s,"members":[{"value":%s}]}`, quote(fmt.Sprint(i, " ", name)), quote(member)), 201)
		}
	}
	push("/Users", `{"userName":"nobody"}`, 201)
}

// openPage opens a page and checks it in views under a name.
func (b *browser) openPage(path, name string, views []view) {
	b.t.Helper()
	b.open0(path)
	b.checkAs(name, views)
	var problems []string
	if err := b.eval(controls, &problems); err != nil {
		b.t.Fatal(err)
	}
	for _, p := range problems {
		b.t.Errorf("%s: %s", path, p)
	}
}

// controls is a script that returns what is wrong with the forms of a page: forms that cannot
// be sent without JavaScript, and fields that a form does not send.
const controls = `(() => {
	const problems = [];
	for (const f of document.forms) {
		if (f.method === "dialog") continue;
		if (![...f.elements].some((e) => e.type === "submit")) problems.push("the form " + f.action + " has no button");
		for (const e of f.elements)
			if (["INPUT", "SELECT", "TEXTAREA"].includes(e.tagName) && !e.name) problems.push("a field of the form " + f.action + " has no name: " + e.id);
	}
	return problems;
})()`
