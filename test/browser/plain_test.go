package browser

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// plainElsewhere says of forms of the route table why TestFormsWithoutScripts does not send
// them.
var plainElsewhere = map[string]string{
	"/people/{person}/identities/remove":                                 "needs a provider; TestProviders of console/web sends it",
	"/applications/{app}/several-roles":                                  "needs an account with several roles; TestLeaveOneRole of console/web removes one",
	"/plans/{plan}/stop":                                                 "a plan of the demo is carried out in a moment; TestPlanPages of console/web stops one",
	"/applications/{app}/entitlements/{entitlement}/requirement/confirm": "needs many holders without a course, and their deadlines; TestRequirementPlan of console/approve confirms",
}

// plain is a browser in which scripts are off.
type plain struct {
	*browser
	forms  []route // the forms of the route table
	sent   map[string]int
	client *http.Client // of somebody who waits for what the pages show
}

// newPlain starts a browser without scripts.
func newPlain(t *testing.T, origin string) *plain {
	t.Helper()
	b := newBrowser(t, origin)
	b.quick = true
	b.run("switch scripts off", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	return &plain{browser: b, forms: routesOf(t, "POST"), sent: map[string]int{}}
}

// form selects a form of the page: that of a route, whose text contains something.
const form = `(() => {
	const route = new RegExp(%s), text = %s, button = %s, values = %s;
	document.querySelectorAll("[data-found], [data-file]").forEach((e) => { e.removeAttribute("data-found"); e.removeAttribute("data-file"); });
	const forms = [...document.forms].filter((f) => f.getAttribute("method") === "post" && [f.action, ...[...f.querySelectorAll("[formaction]")].map((b) => b.formAction)].some((a) => route.test(new URL(a, location.href).pathname)) && (f.parentElement.closest("tr, article, section, dd")?.textContent + f.textContent).includes(text));
	if (!forms.length) return "the page has no such form";
	for (const f of forms) {
		const buttons = [...f.elements].filter((e) => e.type === "submit" && (!button || e.value === button || e.textContent.includes(button)));
		if (!buttons.length) continue;
		for (const e of f.elements) {
			for (let d = e.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
			if (e.name in values) {
				const v = values[e.name];
				if (e.type === "file") e.setAttribute("data-file", "");
				else if (e.type === "checkbox" || e.type === "radio") e.checked = v === "*" || v === e.value;
				else if (e.tagName === "SELECT" && v.startsWith("*")) e.value = [...e.options].find((o) => o.value && o.text.includes(v.slice(1)))?.value;
				else e.value = v;
			} else if (e.required && !e.value && ["INPUT", "TEXTAREA"].includes(e.tagName)) {
				e.value = e.type === "email" ? "somebody@acme.example" : "without scripts";
			} else if (e.required && e.type === "checkbox") e.checked = true;
		}
		for (let d = buttons[0].closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
		const wrong = [...f.elements].filter((e) => e.type !== "file" && !e.checkValidity());
		if (!buttons[0].formNoValidate && wrong.length) return "the form is not valid: " + wrong.map((e) => e.name + " " + e.validationMessage);
		buttons[0].setAttribute("data-found", "");
		return "";
	}
	return "the form has no such button";
})()`

// values are those of fields, by their names. "*text" is the option of a list with a text, "*"
// checks every box.
type values map[string]string

// send opens a page, unless path is empty, and sends its form of a route with values. The
// page may have several: it is the first whose row, or itself, has a text, and that has a
// button with a value or text. What has no value gets one if it is required.
func (p *plain) send(path, pattern, text, button string, v values) {
	p.t.Helper()
	if path != "" {
		p.open0(path)
	}
	i := -1
	for n, f := range p.forms {
		if f.pattern == pattern {
			i = n
		}
	}
	if i < 0 {
		p.t.Fatalf("the route table has no form %s", pattern)
	}
	problem := ""
	if err := p.eval(fmt.Sprintf(form, quote(p.forms[i].path.String()), quote(text), quote(button), jsonOf(v)), &problem); err != nil || problem != "" {
		p.t.Errorf("%s: %s (%v)\n%s", pattern, problem, err, p.text())
		return
	}
	if file, ok := v["file"]; ok {
		p.run("choose a file", chromedp.SetUploadFiles(chromedp.CSS("[data-file]"), []string{file}))
	}
	p.run("send "+pattern, chromedp.ScrollIntoView(found), chromedp.Evaluate[chromedp.Void](`window.left = true`), chromedp.Click(found, chromedp.NodeVisible))
	p.until(pattern+" leads to another page", `!window.left && document.readyState === "complete"`)
	var status int
	if err := p.eval(`performance.getEntriesByType("navigation")[0].responseStatus`, &status); err != nil || status < 200 || status >= 400 {
		p.t.Errorf("%s: status %d (%v)\n%s", pattern, status, err, p.text())
		return
	}
	p.sent[pattern]++
}

func jsonOf(v values) string {
	var fields []string
	for name, value := range v {
		fields = append(fields, quote(name)+":"+quote(value))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// link returns the address of the first link of the page that matches an expression and whose
// row, or itself, has a text.
func (p *plain) link(path, expression, text string) (href string) {
	p.t.Helper()
	if path != "" {
		p.open0(path)
	}
	script := fmt.Sprintf(`(() => { const e = new RegExp(%s), text = %s;
		return [...document.querySelectorAll("a[href]")].find((a) => e.test(a.getAttribute("href")) && ((a.closest("tr, article, li")?.textContent || "") + a.textContent).includes(text))?.getAttribute("href") || "" })()`, quote(expression), quote(text))
	if err := p.eval(script, &href); err != nil || href == "" {
		p.t.Fatalf("no link to %s with %q (%v)\n%s", expression, text, err, p.text())
	}
	return href
}

// path returns the path of the page that is open.
func (p *plain) path() (s string) {
	p.t.Helper()
	if err := p.eval(`location.pathname`, &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// be signs in as one of the people of the demo.
func (p *plain) be(text string) {
	p.t.Helper()
	p.send("/demo", "/demo", text, "", nil)
}

// another signs in as one of the people of the demo, in another browser.
func (p *plain) another(login string) *http.Client {
	p.t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := c.PostForm(p.origin+"/demo", url.Values{"email": {login}, "next": {"/"}})
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return c
}

// await waits until a page shows a text, as somebody else sees it.
func (p *plain) await(path, text string) {
	p.t.Helper()
	var page string
	for end := time.Now().Add(3 * patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		resp, err := p.client.Get(p.origin + path)
		if err != nil {
			p.t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if page = string(b); err == nil && strings.Contains(page, text) {
			return
		}
	}
	p.t.Fatalf("%s never shows %q\n%s", path, text, page)
}

// refusing is a mail server that takes no mail but that to one address.
func refusing(t *testing.T, but string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "220 ready\r\n")
				for lines := bufio.NewScanner(c); lines.Scan(); {
					answer := "250 ok"
					switch word, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " "); word {
					case "EHLO":
						answer = "250 localhost"
					case "RCPT":
						if !strings.Contains(lines.Text(), but) {
							answer = "550 no such person"
						}
					case "DATA":
						fmt.Fprint(c, "354 go on\r\n")
						for lines.Scan() && lines.Text() != "." {
						}
					case "QUIT":
						answer = "221 bye"
					}
					fmt.Fprint(c, answer+"\r\n")
				}
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// TestFormsWithoutScripts sends every form of the route table in a browser in which scripts
// are off. A form that it does not send fails it.
func TestFormsWithoutScripts(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	start(t, "Everything is there.", dir, "baton-console", nil, "demo", "--env-file", file)
	env := envFile(t, file)
	p := newPlain(t, env["CONSOLE_URL"])
	p.client = p.another(env["ADMIN_LOGIN"])
	p.be("sets up everything")
	for _, part := range []func(*plain, map[string]string, string){
		(*plain).connectors, (*plain).applications, (*plain).requirements, (*plain).automations, (*plain).operations, (*plain).settings, (*plain).people, (*plain).findings, (*plain).plans, (*plain).requests, (*plain).sessions, (*plain).reviews} {
		part(p, env, dir)
	}
	p.firstRun(dir)
	for _, f := range p.forms {
		if p.sent[f.pattern] == 0 && plainElsewhere[f.pattern] == "" {
			t.Errorf("the form %s was not sent without scripts", f.pattern)
		}
	}
	t.Logf("%d of %d forms were sent without scripts", len(p.sent), len(p.forms))
}

// connectors adds, configures, uses and moves connectors.
func (p *plain) connectors(env map[string]string, dir string) {
	p.send("/catalog/percipio", "/catalog/{product}", "", "Next", values{"name": "Courses", "where": "new", "new-app": "Courses"})
	hosted := strings.TrimSuffix(p.path(), "/settings")
	p.send(hosted+"/settings/edit", "/connectors/{connector}/settings/edit", "", "Save",
		values{"setting.organization-id": env["PERCIPIO_ORGANIZATION_ID"], "setting.api-token": env["PERCIPIO_API_TOKEN"], "setting.base-url": env["PERCIPIO_BASE_URL"]})
	p.send(hosted+"/settings", "/connectors/{connector}/test", "", "", nil)
	p.send(hosted, "/connectors/{connector}/sync", "", "", nil)
	p.await(hosted, "Applied")
	for _, button := range []string{"Pause", "Resume"} {
		p.send(hosted, "/connectors/{connector}/pause", "", button, nil)
	}
	p.send(hosted+"/settings", "/connectors/{connector}/owners", "", "Add owner", values{"add": env["OWNER_LOGIN"]})
	for _, button := range []string{"Make people", "Stop making people"} {
		p.send(hosted+"/settings", "/connectors/{connector}/directory", "", button, nil)
	}
	p.send("/catalog/baton", "/catalog/{product}", "", "Next", values{"name": "Courses elsewhere", "where": "managed", "app": "*Courses"})
	self := strings.TrimSuffix(p.path(), "/settings")
	p.send(self+"/settings/edit", "/connectors/{connector}/rotate", "", "Rotate", nil)
	p.has("The secret is shown once.")
	p.send(self+"/settings", "/connectors/{connector}/revoke", "", "Revoke", nil)
	p.send(self+"/settings", "/connectors/{connector}/continue", "", "Continue it", values{"former": "*Courses"})

	// A file by hand beside a connector that syncs is held.
	perplexity := p.link("/connectors", `^/connectors/[0-9A-Za-z]{27}$`, "Perplexity")
	c1z := filepath.Join(p.t.TempDir(), "sync.c1z")
	cmd := exec.Command(filepath.Join(dir, "baton-perplexity"), "--file", c1z)
	cmd.Env = append(os.Environ(), "BATON_SCIM_URL="+env["PERPLEXITY_SCIM_URL"], "BATON_SCIM_TOKEN="+env["PERPLEXITY_SCIM_TOKEN"])
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	p.send(perplexity+"/upload", "/connectors/{connector}/upload", "", "Upload", values{"file": c1z})
	p.await(perplexity, "Discard it")
	p.send(perplexity, "/connectors/{connector}/syncs/{sync}/judge", "", "discard", nil)

	p.send(perplexity+"/actions", "/connectors/{connector}/actions", "", "", nil)
	p.await(perplexity+"/actions", perplexity+"/actions/enable_user")
	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	p.open0(p.link(app+"/accounts", `/accounts/\d+$`, "Enabled"))
	var id string
	if err := p.eval(`[...document.querySelectorAll("dt")].find((e) => e.innerText === "Upstream id").nextElementSibling.innerText`, &id); err != nil {
		p.t.Fatal(err)
	}
	p.send(perplexity+"/actions/enable_user", "/connectors/{connector}/actions/{action}", "", "Perform", values{"argument.user_id": id})
}

// applications adds and configures applications.
func (p *plain) applications(env map[string]string, dir string) {
	p.send("/applications/new", "/applications/new", "", "Add", values{"name": "Travel"})
	courses := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Courses")
	p.send(courses, "/applications/{app}/owners", "", "Add owner", values{"add": env["OWNER_LOGIN"]})
	p.send(courses+"/settings/edit", "/applications/{app}/settings/edit", "", "Save", nil)

	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	p.send(app+"/provisioning", "/applications/{app}/provisioning", "", "Save", values{"text": "Sign in with Acme."})
	p.send(app+"/seats", "/applications/{app}/seats", "", "Save", values{"purchased": "64", "renewal": "2027-01-31"})
	p.has("of 64")
	p.send(p.link(app+"/entitlements", `/entitlements/\d+$`, "Engineering"), "/applications/{app}/entitlements/{entitlement}/master", "", "Save", values{"mastered": "Okta"})
	p.send(app+"/changes", "/applications/{app}/changes", "", "Explain", nil)
	account := p.link(app+"/accounts", `/accounts/\d+$`, "Enabled")
	for _, button := range []string{"clear", "reset"} {
		p.send(account, "/applications/{app}/accounts/{account}/owner", "", button, nil)
	}
	p.send(account, "/applications/{app}/accounts/{account}/type", "", "Set type", values{"type": "1"})

	// A new owner would decide about administrators: a second person confirms it.
	p.send(app, "/applications/{app}/owners", "", "Add owner", values{"add": env["APPROVER_LOGIN"], "why": "a deputy"})
	p.has("waits for a second person")
	p.be("watches over access")
	p.send("/policies", "/changes/{change}", "Perplexity", "Confirm", nil)
	p.be("sets up everything")
	p.open0(app)
	p.has("Paul Approver")
}

// requirements requires a course, and exempts somebody from it.
func (p *plain) requirements(env map[string]string, dir string) {
	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	page := p.link(app+"/entitlements", `/entitlements/\d+$`, "Engineering") + "/requirement"
	p.open0(p.link(page+"?search=completed", `requirement\?search=completed&add=`, ""))
	p.send("", "/applications/{app}/entitlements/{entitlement}/requirement", "", "Save", nil)
	p.send(page, "/applications/{app}/entitlements/{entitlement}/requirement/exempt", "", "Propose",
		values{"email": env["MEMBER_LOGIN"], "until": time.Now().UTC().AddDate(0, 1, 0).Format("2006-01-02T15:04"), "why": "on leave"})
	p.be("watches over access")
	p.send("/policies", "/changes/{change}", "exempt", "Confirm", nil)
	p.be("sets up everything")
	p.send(page, "/applications/{app}/entitlements/{entitlement}/requirement/exemptions/{exemption}/end", "", "", nil)
}

// automations writes, publishes, tries, runs, pauses and removes an automation.
func (p *plain) automations(env map[string]string, dir string) {
	p.send("/automations/new", "/automations/new", "", "Add", values{"app": "*Perplexity", "name": "Without scripts", "template": "empty"})
	page := p.path()
	p.send(page, "/automations/{automation}/steps", "", "Add", values{"kind": "*Wait"})
	p.send("", "/automations/{automation}/steps/{step}", "", "Save", values{"for": "30d"})
	p.send(page, "/automations/{automation}/steps", "", "Add", values{"kind": "*Go on only if"})
	p.send("", "/automations/{automation}/steps/{step}", "", "Save", values{"when": "true"})
	p.send(page, "/automations/{automation}/steps/{step}/move", "", "Up", nil)
	p.send(page, "/automations/{automation}/steps/{step}/remove", "", "Remove", nil)
	p.send(page+"/trigger", "/automations/{automation}/trigger", "", "Save", values{"questions": "ticket: Which ticket?"})
	p.send(page, "/automations/{automation}/publish", "", "Publish", nil)
	p.send(page+"/test", "/automations/{automation}/test", "", "Dry run", values{"whom": env["MEMBER_LOGIN"]})
	p.send(page+"/test?version=published", "/automations/{automation}/run", "", "Run version 1", values{"why": "a try"})
	p.send("", "/automations/{automation}/runs/{run}/cancel", "", "Cancel", values{"why": "enough"})
	p.send(page, "/automations/{automation}/versions/{version}/restore", "", "Make it the draft", nil)
	p.send(page, "/automations/{automation}/pause", "", "Pause", values{"why": "a try"})
	p.send(page, "/automations/{automation}/resume", "", "Resume", values{"why": "a try"})
	p.open0(page + "/trigger?kind=request")
	p.send("", "/automations/{automation}/trigger", "", "Save", values{"policy": "*Standard"})
	p.send(page, "/automations/{automation}/publish", "", "Publish", nil)
	p.send(page+"/request", "/automations/{automation}/request", "", "Send", values{"why": "a try"})
	request := p.path()
	p.be("owns both applications")
	p.send(request, "/automation-requests/{run}/decide", "", "Approve", nil)
	p.be("sets up everything")
	for _, button := range []string{"Pause all", "Resume all"} {
		p.send("/automations", "/automations/pause", "", button, values{"why": "a try"})
	}
	p.send(page, "/automations/{automation}/remove", "", "Remove", values{"name": "Without scripts"})
}

// operations changes accesses by hand while the connector is paused.
func (p *plain) operations(env map[string]string, dir string) {
	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	connector := p.link("/connectors", `^/connectors/[0-9A-Za-z]{27}$`, "Perplexity")
	p.open0(p.link(app+"/accounts?filter=disabled", `/accounts/\d+$`, "Disabled"))
	p.send(p.link("", `/entitlements/0$`, ""), "/applications/{app}/accounts/{account}/enable", "", "Enable", nil)

	p.send(connector, "/connectors/{connector}/pause", "", "Pause", nil)
	members := p.link(app+"/entitlements", `/entitlements/\d+$`, "PPLX_Members")
	p.open0(members)
	var accesses []string
	if err := p.eval(`[...new Set([...document.querySelectorAll("main td a")].map((a) => a.getAttribute("href")).filter((h) => /accounts\/\d+\/entitlements\/\d+$/.test(h)))]`, &accesses); err != nil || len(accesses) < 3 {
		p.t.Fatalf("the entitlement leads to %q (%v)", accesses, err)
	}
	const operation = "/applications/{app}/operations/{operation}"
	for i, last := range []string{operation + "/cancel", operation + "/done", operation + "/retry"} {
		p.send(accesses[i], "/applications/{app}/accounts/{account}/entitlements/{entitlement}/remove", "", "Revoke", nil)
		if i > 0 {
			p.send("", operation+"/by-hand", "", "", nil)
		}
		p.send("", last, "", "", nil)
	}
	p.send(connector, "/connectors/{connector}/pause", "", "Resume", nil)
}

// people adds and changes people.
func (p *plain) people(env map[string]string, dir string) {
	p.send("/people/new", "/people/new", "", "Add", values{"name": "Ben Weiss", "email": "ben.weiss@acme.example"})
	p.send("/people/import", "/people/import", "", "Look at it", values{"csv": "email,name\ntwin@acme.example,Twin Weiss\n"})
	p.send("", "/people/import", "", "apply", nil)
	ben := p.link("/people", `^/people/[0-9A-Za-z]{27}$`, "Ben Weiss")
	twin := p.link("/people", `^/people/[0-9A-Za-z]{27}$`, "Twin Weiss")
	p.send(ben+"/edit", "/people/{person}/edit", "", "Save", values{"department": "Travel"})
	p.send(ben, "/people/{person}/invite", "", "Invite", nil)
	p.send(ben, "/people/{person}/roles", "", "Save roles", values{"role": "auditor"})
	p.send(twin+"/merge?into=ben.weiss%40acme.example", "/people/{person}/merge", "", "Merge", nil)
	p.await("/settings/mail/outbox", "Send again")
	p.send("/settings/mail/outbox", "/settings/mail/outbox/{mail}/retry", "", "", nil)
	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	p.send(app+"/accounts/new?email=ben.weiss%40acme.example", "/applications/{app}/accounts/new", "", "Create", nil)
	for _, button := range []string{"Disable", "Activate"} {
		p.send(ben, "/people/{person}/status", "", button, nil)
	}
	p.send("/people/new", "/people/new", "", "Add", values{"name": "Uma Former", "email": "uma.former@acme.example"})
	uma := p.link("/people", `^/people/[0-9A-Za-z]{27}$`, "Uma Former")
	p.send(uma, "/people/{person}/status", "", "Disable", nil)
	p.send(uma, "/people/{person}/erase", "", "Propose", values{"why": "asked for it"})
	p.has("waits for a second person")
}

// findings puts a finding off, opens it again and accepts it, and keeps a copy of a recovery card.
func (p *plain) findings(map[string]string, string) {
	p.send(p.appPath("Perplexity")+"/recovery", "/applications/{app}/recovery/printed", "", "I printed version", nil)
	p.has("You keep version ")
	p.await("/findings?kind=account-unmatched", "Leave it for now")
	p.send("/findings?kind=account-unmatched", "/findings/{finding}/snooze", "", "In a week", nil)
	p.send("/findings?kind=account-unmatched&state=snoozed", "/findings/{finding}/reopen", "", "", nil)
	p.send("/findings?kind=account-unmatched", "/findings/{finding}/accept", "", "", values{"until": time.Now().UTC().AddDate(0, 1, 0).Format("2006-01-02"), "why": "moves next month"})
	p.open0("/findings?kind=account-unmatched&state=accepted")
	p.has("moves next month")
}

// plans makes plans from the holders of an entitlement, computes one again and applies it, and discards
// another.
func (p *plain) plans(map[string]string, string) {
	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	holders := p.link(app+"/entitlements", `/entitlements/\d+$`, "Engineering")
	for _, last := range []string{"discard", "apply"} {
		p.send(holders, "/plans", "", "Plan to remove it", values{"row": "*", "why": "the project is over"})
		p.has("Consequence", "Who loses what")
		p.send("", "/plans/{plan}/compute", "", "", nil)
		p.send("", "/plans/{plan}/"+last, "", "", nil)
	}
	p.open0("/plans")
	p.has("Discarded")
}

// frozen prepares the campaign whose page is open, and waits for its population.
func (p *plain) frozen(campaign string) {
	p.t.Helper()
	p.send(campaign, "/campaigns/{campaign}/prepare", "", "Prepare", nil)
	p.await(campaign, "Back to the draft")
}

// item returns the number of the first item on the page of a review.
func (p *plain) item(review string) (n string) {
	p.t.Helper()
	p.open0(review)
	if err := p.eval(`document.querySelector("[name^='hash.']").name.slice(5)`, &n); err != nil {
		p.t.Fatalf("nothing is to decide: %v\n%s", err, p.text())
	}
	return n
}

// reviews runs campaigns, as somebody who owns and reviews them.
func (p *plain) reviews(env map[string]string, dir string) {
	const campaign, review = "/campaigns/{campaign}", "/reviews/{campaign}"
	p.be("sets up everything")
	p.client = p.another(env["ADMIN_LOGIN"])
	p.send("/campaigns/new?template=yes", "/campaigns/new", "", "Save", values{"name": "Every quarter", "repeats": "quarterly", "first": "2099-01-31"})
	p.send("", campaign+"/cancel", "", "Remove the template", nil)

	p.send("/campaigns/new", "/campaigns/new", "", "Save", values{"name": "Without scripts", "others": "role:super-administrator"})
	page := p.path()
	work := strings.Replace(page, "/campaigns/", "/reviews/", 1)
	p.send(page+"/edit", campaign+"/edit", "", "Save", values{"description": "All of it"})
	p.frozen(page)
	p.send(page, campaign+"/reset", "", "", nil)
	p.frozen(page)
	p.send(page, campaign+"/start", "", "", nil)
	p.send(page+"/items", campaign+"/reassign", "", "Reassign", values{"item": "1", "to": env["AUDITOR_LOGIN"]})
	p.send(work, review+"/pass", "", "Reassign", values{"item": p.item(work), "to": env["AUDITOR_LOGIN"]})
	p.send(work, review, "", "Save", values{"choice." + p.item(work): "keep"})
	p.send(work+"?show=pending", review+"/withdraw", "", "Make it undecided", nil)
	p.send(work+"/bulk?choice=keep", review+"/bulk", "", "Keep", nil)
	p.send(work+"/submit", review+"/submit", "", "Submit", nil)
	p.has("Your decisions are submitted.")
	p.send(page, campaign+"/sample", "", "Draw", values{"email": env["AUDITOR_LOGIN"], "percent": "10"})
	p.send(page, campaign+"/close", "", "", nil)

	p.send("/campaigns/new", "/campaigns/new", "", "Save", values{"name": "The console", "only-console": "yes", "others": "role:super-administrator"})
	page = p.path()
	work = strings.Replace(page, "/campaigns/", "/reviews/", 1)
	p.frozen(page)
	p.send(page, campaign+"/start", "", "", nil)
	p.send(work, review, "", "Submit", values{"choice." + p.item(work): "remove"})
	p.send("", review+"/submit", "", "Submit", nil)
	p.send(page, campaign+"/close", "", "", nil)
	p.await(page, "Carry them out")
	p.send(page, campaign+"/carry-out", "", "", nil)

	p.send("/incompatible", "/incompatible", "", "Show the entitlements", values{"side1.app": "*Perplexity", "side2.app": "*Perplexity"})
	p.send("", "/incompatible", "", "Declare", values{"side1.entitlement": "*PPLX_Admin", "side2.entitlement": "*PPLX_Members"})
	p.send("/incompatible", "/incompatible/{incompatible}/end", "", "End it", nil)
}

// webhooks adds and changes webhooks, one of which has a receiver.
func (p *plain) webhooks() {
	const list, hook = "/settings/webhooks", "/settings/webhooks/{webhook}"
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "thank you") }))
	p.t.Cleanup(receiver.Close)
	p.send(list+"/new", list+"/new", "", "Add a webhook", values{"url": receiver.URL + "/in", "description": "Tickets", "all": "true"})
	p.has("It is shown once")
	page := p.link(list, `^/settings/webhooks/[0-9A-Za-z]{27}$`, "Tickets")
	p.send(page+"/edit", hook+"/edit", "", "Save", values{"description": "Tickets of IT"})
	p.send(page, hook+"/test", "", "", nil)
	p.await(page, "Send again<span")
	p.send(page, hook+"/deliveries/{delivery}/replay", "", "", nil)
	p.send(page, hook+"/replay", "", "", nil)
	p.send(page, hook+"/rotate", "", "", nil)
	p.has("It is shown once")
	p.send(page, hook+"/pause", "", "Pause", nil)
	p.send(page, hook+"/remove", "", "", nil)

	const incoming = "/settings/hooks/{hook}"
	p.send("/settings/hooks/new", "/settings/hooks/new", "", "Add", values{"name": "HR system"})
	p.has("It is shown once")
	page = p.link(list, `^/settings/hooks/[0-9A-Za-z]{27}$`, "HR system")
	p.send(page, incoming, "", "Save", values{"name": "HR"})
	p.send(page, incoming+"/rotate", "", "", nil)
	p.send(page, incoming+"/remove", "", "", nil)
}

// pushes connects an identity provider, which pushes a group, and removes it.
func (p *plain) pushes() {
	const list, source = "/settings/scim", "/settings/scim/{source}"
	p.send(list, list, "", "Connect", values{"name": "Okta"})
	p.has("It is shown once")
	var token string
	if err := p.eval(shownToken, &token); err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, p.origin+"/scim/v2/Groups", strings.NewReader(`{"displayName":"Security team"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		p.t.Fatalf("the group is answered %s", resp.Status)
	}
	page := p.link(list, `^/settings/scim/[0-9A-Za-z]{27}$`, "Okta")
	p.send(page, source+"/tokens", "", "Make another token", nil)
	p.has("It is shown once")
	p.send(page, source+"/tokens/{token}/revoke", "", "Revoke", nil)
	p.send(p.link(page, "/groups/[0-9A-Za-z]{27}$", "Security team"), source+"/groups/{group}", "", "Save", values{"role": "auditor"})
	p.send(page, source+"/remove", "", "Remove", nil)
}

// settings changes the settings of the console.
func (p *plain) settings(env map[string]string, dir string) {
	p.send("/settings/mail", "/settings/mail", "", "Save", values{"host": "127.0.0.1", "port": refusing(p.t, env["ADMIN_LOGIN"]), "tls": "none", "from": "console@acme.example"})
	p.send("/settings/mail", "/settings/mail/test", "", "", values{})
	p.send("/me/mail", "/me/mail", "", "", values{"choice": "daily"})
	p.send("/settings/domains", "/settings/domains", "", "Save", values{"domains": "acme.example"})
	p.send("/settings/audit", "/settings/audit", "", "Save", values{"mails": env["ADMIN_LOGIN"]})
	p.webhooks()
	p.send("/settings/retention", "/settings/retention", "", "Save", values{"history": "400", "why": "the law"})
	p.pushes()
	p.send("/audit", "/audit/check", "", "Check", nil)
	p.has("The chain is sound")
	p.send("/credentials", "/credentials", "", "Add credential", values{"name": "laptop", "scope": "read"})
	p.send("/credentials", "/credentials/{credential}/revoke", "laptop", "Revoke", nil)
	resp, err := p.client.PostForm(p.origin+"/auth/v1/device_authorization", url.Values{"client_id": {"cone"}})
	if err != nil {
		p.t.Fatal(err)
	}
	var device struct {
		UserCode string `json:"user_code"`
	}
	err = json.NewDecoder(resp.Body).Decode(&device)
	resp.Body.Close()
	if err != nil {
		p.t.Fatal(err)
	}
	p.send("/device", "/device", "", "Continue", values{"code": device.UserCode})
	p.send("", "/device", "", "connect", nil)
	p.send("/settings/api-credentials", "/settings/api-credentials", "", "Add service", values{"name": "Terraform", "scope": "read", "role": "auditor"})
	p.send("/settings/sign-in", "/settings/sign-in/break-glass", "", "Make it", nil)
	p.send("/settings/sign-in", "/settings/sign-in/break-glass/end", "", "", nil)
	p.send("/settings/sign-in/new", "/settings/sign-in/new", "", "Save", values{"name": "okta", "label": "Okta", "issuer": "https://login.example.com", "client-id": "console"})
	p.send("/settings/sign-in/okta", "/settings/sign-in/{provider}", "", "Save", values{"label": "Okta of Acme"})
	p.send("/settings/sign-in/okta", "/settings/sign-in/{provider}/remove", "", "Remove", nil)
	p.send("/policies/new?edit=yaml", "/policies/new", "", "Save", values{"text": `{name: Anybody, kind: request, rules: [{outcome: ask, steps: [{name: Owner, ask: [{kind: app-owner}], reassign: [{kind: role, role: security-officer}]}]}]}`})
	p.send(p.link("/policies", `^/policies/[0-9A-Za-z]{27}$`, "Anybody")+"?edit=yaml", "/policies/{policy}", "", "Save", nil)
}

// ask asks for something of the application that is not held, and returns the request.
func (p *plain) ask(app string, v values) string {
	p.t.Helper()
	p.send(p.link("/request/"+strings.TrimPrefix(app, "/applications/"), `^/request/[0-9A-Za-z]{27}/\d+$`, "Ask for"), "/request/{app}/{entitlement}", "", "Send", v)
	return p.path()
}

// requests asks for access, decides, and gives it back.
func (p *plain) requests(env map[string]string, dir string) {
	app := p.link("/applications", `^/applications/[0-9A-Za-z]{27}$`, "Perplexity")
	p.send(app+"/requests", "/applications/{app}/requests", "", "Save", values{"policy": "*Anybody", "emergency": "*Anybody", "why": "for nights"})
	p.be("watches over access")
	p.send("/policies", "/changes/{change}", "Perplexity", "Confirm", nil)
	p.be("sets up everything")
	group := p.link(app+"/entitlements", `/entitlements/\d+$`, "PPLX_Members")
	p.send(group+"/requests", "/applications/{app}/entitlements/{entitlement}/requests", "", "Save", values{"longest": "30d"})

	member, owner, officer := "has access, and sees only their own", "owns both applications", "watches over access"
	p.be(owner)
	p.send("/delegation", "/delegation", "", "Save", values{"email": env["AUDITOR_LOGIN"], "until": "2099-01-01T00:00"})
	p.send("/delegation", "/delegation", "", "End it now", nil)

	p.be(member)
	first := p.ask(app, nil)
	p.send(first, "/requests/{request}/comment", "", "", nil)
	p.send(first, "/requests/{request}/cancel", "", "", nil)
	second := p.ask(app, nil)
	p.be(owner)
	p.send(second, "/requests/{request}/steps/{step}/reassign", "", "", nil)
	p.be(officer)
	p.send(second, "/requests/{request}/steps/{step}/decide", "", "approve", nil)
	p.client = p.another(env["MEMBER_LOGIN"])
	p.await(second, second+"/extend")
	p.be(member)
	p.send(second, "/requests/{request}/extend", "", "", nil)
	p.send("", "/requests/{request}/cancel", "", "", nil)
	p.send(second, "/requests/{request}/give-back", "", "", nil)
	// The connector takes it away; then it can be asked for again.
	p.client = p.another(env["MEMBER_LOGIN"])
	p.await("/request/"+strings.TrimPrefix(app, "/applications/"), `>Ask<span class="hide"> for`)
	third := p.ask(app, values{"emergency": "yes"})
	p.be("sees everything and changes nothing")
	p.ask(app, nil) // a second one that waits, so that both can be decided together
	p.be(owner)
	p.open0("/approvals")
	n := 0
	if err := p.eval(`document.querySelectorAll("[name=request]").length`, &n); err != nil || n < 2 {
		p.t.Fatalf("%d requests wait that can be decided together (%v)\n%s", n, err, p.text())
	}
	p.send("", "/approvals", "", "approve", values{"request": "*", "count": fmt.Sprint(n)})
	p.client = p.another(env["APPROVER_LOGIN"])
	p.await(third, third+"/review")
	p.be(officer)
	p.send(third, "/requests/{request}/review", "", "", nil)
	p.be(member)
	p.send("/request", "/access/{app}/{entitlement}/give-back", "", "", nil)
}

// sessions ends sessions.
func (p *plain) sessions(env map[string]string, dir string) {
	p.be("sees everything and changes nothing")
	p.another(env["AUDITOR_LOGIN"])
	p.send("/sessions", "/sessions/end", "", "End", nil)
	p.another(env["AUDITOR_LOGIN"])
	p.send("/sessions", "/sessions/end-others", "", "", nil)
	p.send("/", "/logout", "", "", nil)
}

// firstRun sets up a console, and logs in.
func (p *plain) firstRun(dir string) {
	data := filepath.Join(p.t.TempDir(), "data")
	env := filepath.Join(p.t.TempDir(), "console.env")
	start(p.t, "console: ", dir, "baton-console", nil, "serve", "--data", data, "--listen", "127.0.0.1:0", "--env-file", env)
	settings := envFile(p.t, env)
	p.origin = settings["CONSOLE_URL"]
	enroll := func() values {
		var secret string
		if err := p.eval(`document.querySelector("[name=code-secret]").value`, &secret); err != nil {
			p.t.Fatal(err)
		}
		return values{"login": "login", "password": password, "code": codeOf(p.t, secret), "name": "Rosa Root", "email": "root@acme.example", "secret": secret}
	}
	p.open0("/setup?token=" + settings["SETUP_TOKEN"])
	v := enroll()
	secret := v["secret"]
	used := v["code"]
	p.send("", "/setup", "", "", v)
	next := func() string {
		p.t.Helper()
		for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			if c := codeOf(p.t, secret); c != used {
				used = c
				return c
			}
		}
		p.t.Fatal("there is no new code")
		return ""
	}
	p.send("/login", "/login", "", "", values{"login": "login", "name": "login", "password": password, "code": next()})
	p.send("/people/new", "/people/new", "", "Add", values{"name": "Ben Weiss", "email": "ben.weiss@acme.example"})
	p.send("", "/people/{person}/invite", "", "Invite", nil)
	var link string
	if err := p.eval(`document.querySelector(".notice code").innerText`, &link); err != nil {
		p.t.Fatal(err)
	}
	p.send("/confirm", "/confirm", "", "", values{"password": password, "code": next()})
	p.open0(strings.TrimPrefix(link, p.origin))
	v = enroll()
	v["login"] = "ben"
	p.send("", "/invitation/{token}", "", "", v)
}
