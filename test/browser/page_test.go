package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to become what is waited for, on a machine that is
// busy with other tests.
const patience = time.Minute

// browser is a tab of Chromium with axe-core.
type browser struct {
	t       *testing.T
	ctx     context.Context
	axe     string // its script
	origin  string
	checked map[string]bool // pages that were checked
	quick   bool            // no page is checked: they are elsewhere
	// contrasts are the lowest that were measured, by kind of control and theme.
	contrasts map[string]contrast
}

// need skips a test that needs something, or fails it where it is required.
func need(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("BATON_TEST_BROWSER") == "require" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// newBrowser starts Chromium. The console's certificate is its own, so it is not checked.
func newBrowser(t *testing.T, origin string) *browser {
	t.Helper()
	var chromium string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		need(t, "there is no Chromium here")
	}
	file := os.Getenv("BATON_TEST_AXE")
	if file == "" {
		need(t, "BATON_TEST_AXE does not name the file axe.min.js of axe-core")
	}
	axe, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-dev-shm-usage", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, done := chromedp.NewContext(allocator)
	t.Cleanup(done)
	b := &browser{t: t, ctx: ctx, axe: string(axe), origin: origin, checked: map[string]bool{}, contrasts: map[string]contrast{}}
	// The first action starts the browser, which lives as long as its context.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), focused()); err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs actions and fails the test if one of them does.
func (b *browser) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 2*patience)
	defer stop()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.text())
	}
}

// eval runs a script and decodes its value.
func (b *browser) eval(script string, into any) error {
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](script, chromedp.EvalAwaitPromise))
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(value, into)
}

// text returns what the page shows.
func (b *browser) text() (s string) {
	if err := b.eval(`document.title + "\n" + location.href + "\n" + document.body.innerText`, &s); err != nil {
		return err.Error()
	}
	return s
}

// open goes to a page and checks it.
func (b *browser) open(path string) {
	b.t.Helper()
	b.open0(path)
	b.check()
}

// open0 goes to a page.
func (b *browser) open0(path string) {
	b.t.Helper()
	b.run("open "+path, chromedp.Navigate(b.origin+path))
}

// find is a script that marks the one visible element with a role and an accessible name,
// as axe-core computes them, and returns how many there are.
const find = `(() => {
	const role = %s, name = %s;
	axe.setup(document.body);
	try {
		const hits = [...document.querySelectorAll("a, button, input, select, textarea, summary, [role]")].filter((e) =>
			e.checkVisibility() && (axe.commons.aria.getRole(e) || "") === role && axe.commons.text.accessibleText(e).trim() === name);
		document.querySelectorAll("[data-found]").forEach((e) => e.removeAttribute("data-found"));
		if (hits.length) hits[0].setAttribute("data-found", "");
		return hits.length;
	} finally { axe.teardown(); }
})()`

// found selects the element that was found.
const found = chromedp.CSS("[data-found]")

// locate finds the element with a role and an accessible name, and fails if there is none.
func (b *browser) locate(role, name string) {
	b.t.Helper()
	n := 0
	b.inject()
	if err := b.eval(fmt.Sprintf(find, quote(role), quote(name)), &n); err != nil || n == 0 {
		b.t.Fatalf("the page has no %s %q (%v)\n%s", role, name, err, b.text())
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// click clicks on what has a role and an accessible name, and waits for the page it leads to.
func (b *browser) click(role, name string) {
	b.t.Helper()
	for end := time.Now().Add(2 * patience); ; {
		b.locate(role, name)
		ctx, stop := context.WithTimeout(b.ctx, 5*time.Second)
		err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`window.left = true`), chromedp.ScrollIntoView(found), chromedp.Click(found, chromedp.NodeVisible))
		stop()
		if err == nil {
			break
		}
		// A page that stays up to date can have replaced the element: it is found anew.
		here := true
		if b.eval(`!!window.left`, &here); !here {
			break
		}
		if time.Now().After(end) {
			b.t.Fatalf("click %s: %v\n%s", name, err, b.text())
		}
	}
	if role == "radio" || role == "checkbox" {
		return
	}
	b.until(name+" leads to another page", `!window.left && document.readyState === "complete"`)
	b.check()
}

// toggle opens or closes a group of details.
func (b *browser) toggle(summary string) {
	b.t.Helper()
	b.run("toggle "+summary, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`[...document.querySelectorAll("summary")].find((s) => s.innerText.trim() === %s).click()`, quote(summary))))
}

// fill types text into the field with a label.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	role := "textbox"
	b.inject()
	var n int
	if b.eval(fmt.Sprintf(find, quote("searchbox"), quote(label)), &n); n > 0 {
		role = "searchbox"
	}
	if role == "textbox" {
		var password bool // password fields have no role
		script := fmt.Sprintf(`(() => { const l = [...document.querySelectorAll("label")].find((l) => l.innerText.trim() === %s); if (!l || l.control.type !== "password") return false;
			document.querySelectorAll("[data-found]").forEach((e) => e.removeAttribute("data-found")); l.control.setAttribute("data-found", ""); return true })()`, quote(label))
		if err := b.eval(script, &password); err != nil || !password {
			b.locate(role, label)
		}
	}
	b.run("fill "+label, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-found]").value = ""`), chromedp.SendKeys(found, text))
}

// pick chooses what has a text in the list with a label.
func (b *browser) pick(label, text string) {
	b.t.Helper()
	b.locate("combobox", label)
	script := fmt.Sprintf(`(() => { const list = document.querySelector("[data-found]"); const o = [...list.options].find((o) => o.text === %s);
		if (o) list.value = o.value; return !!o })()`, quote(text))
	var there bool
	if err := b.eval(script, &there); err != nil || !there {
		b.t.Fatalf("%s has no %q (%v)", label, text, err)
	}
}

// until waits until a script is true.
func (b *browser) until(what, script string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ok := false
		if err := b.eval(script, &ok); err == nil && ok {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: it does not become true\n%s", what, b.text())
		}
	}
}

// shows waits until the page, loaded again and again, shows texts.
func (b *browser) shows(texts ...string) {
	b.t.Helper()
	for end := time.Now().Add(3 * patience); ; time.Sleep(300 * time.Millisecond) {
		page := b.text()
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(page, text) }) {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the page never shows %q\n%s", texts, page)
		}
		b.run("reload", chromedp.Reload())
	}
}

// has fails unless the page shows texts.
func (b *browser) has(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("the page does not show %q\n%s", text, page)
		}
	}
}

func (b *browser) inject() {
	b.t.Helper()
	var there bool
	if b.eval(`!!window.axe`, &there); !there {
		b.run("axe-core", chromedp.Evaluate[chromedp.Void](b.axe))
	}
}

// check looks for violations of WCAG on the page, in both themes and on a phone, the first
// time that a page with this heading is seen.
func (b *browser) check() {
	b.t.Helper()
	var name string
	if err := b.eval(`location.pathname.replace(/[0-9A-Za-z]{27}/g, "ID").replace(/\/[0-9]+/g, "/N").replace(/^\/invitation\/.*/, "/invitation") + (document.querySelector("[role=alert]") ? " with a problem" : "")`, &name); err != nil {
		b.t.Fatal(err)
	}
	b.checkAs(name, views)
}

// view is a theme and a width in which pages are checked.
type view struct {
	theme string
	width int64
}

// views are all of them, and the two first have both themes and both widths.
var views = []view{{"light", 1280}, {"dark", 390}, {"dark", 1280}, {"light", 390}}

// checkAs checks the page in views under a name, if no page of this name was checked.
func (b *browser) checkAs(name string, views []view) {
	b.t.Helper()
	if b.quick || b.checked[name] {
		return
	}
	b.checked[name] = true
	for _, v := range views {
		b.run("theme", media(v.theme), chromedp.EmulateViewport(v.width, 900))
		b.axeRun(fmt.Sprintf("%s (%s, %d px)", name, v.theme, v.width))
		b.picture(fmt.Sprintf("%s-%s-%d", name, v.theme, v.width))
		b.measure(fmt.Sprintf("%s (%s, %d px)", name, v.theme, v.width), v.theme)
	}
	b.run("theme", media(""), chromedp.EmulateViewport(1280, 900))
}

// axeRun reports every violation that axe-core finds, and pages that are wider than the
// window.
func (b *browser) axeRun(name string) {
	b.t.Helper()
	b.inject()
	var found struct {
		Violations []struct {
			ID    string `json:"id"`
			Help  string `json:"help"`
			Nodes []struct {
				HTML    string `json:"html"`
				Summary string `json:"failureSummary"`
			} `json:"nodes"`
		} `json:"violations"`
		Wide bool `json:"wide"`
	}
	script := `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then((r) =>
		({violations: r.violations.map((v) => ({id: v.id, help: v.help, nodes: v.nodes.map((n) => ({html: n.html, failureSummary: n.failureSummary}))})),
		  wide: document.documentElement.scrollWidth > window.innerWidth}))`
	if err := b.eval(script, &found); err != nil {
		b.t.Fatalf("%s: axe-core: %v", name, err)
	}
	for _, v := range found.Violations {
		for _, n := range v.Nodes {
			b.t.Errorf("%s: %s: %s\n%s\n%s", name, v.ID, v.Help, n.HTML, n.Summary)
		}
	}
	if found.Wide {
		b.t.Errorf("%s: the page is wider than the window", name)
	}
}

// picture keeps a picture of the page, where a folder is named for them.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("BATON_TEST_PICTURES")
	if dir == "" {
		return
	}
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	file := strings.Trim(strings.NewReplacer("/", "_", " ", "-").Replace(name), "_") + ".png"
	if err := os.WriteFile(filepath.Join(dir, file), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// document keeps pictures of the page for the README, where BATON_TEST_DOCUMENT names their folder:
// one for each theme. They begin at the first element of a selector.
func (b *browser) document(name string, width, height int64, begin string) {
	b.t.Helper()
	dir := os.Getenv("BATON_TEST_DOCUMENT")
	if dir == "" {
		return
	}
	for theme, file := range map[string]string{"light": name + ".png", "dark": name + "-dark.png"} {
		b.run("theme", media(theme), chromedp.EmulateViewport(width, height))
		b.until("the picture has its place", fmt.Sprintf(`innerWidth === %d && (() => {
			const e = document.querySelector(%s), page = document.documentElement;
			e.scrollIntoView();
			return new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(Math.abs(e.getBoundingClientRect().top) < 2 || innerHeight + scrollY >= page.scrollHeight - 1))));
		})()`, width, quote(begin)))
		ctx, stop := context.WithTimeout(b.ctx, patience)
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		stop()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), png, 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	b.run("theme", media(""), chromedp.EmulateViewport(1280, 900))
}

// focused keeps the focus of the window on the page, also when the Tab key goes past its last
// element.
func focused() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	})
}

// printed emulates paper, for somebody who prefers the dark theme; media("") ends it.
func printed() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
		return err
	})
}

// media emulates the theme that somebody prefers; "" ends it.
func media(theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	})
}
