package browser

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// campaign makes a campaign about Perplexity that its owners and Super Administrators decide, freezes its
// population as soon as a sync shows it, and starts it. It returns the path of its page.
func (b *browser) campaign(name string) (path string) {
	b.t.Helper()
	b.open("/campaigns/new")
	b.fill("Name", name)
	b.click("checkbox", "Perplexity")
	b.fill("Others", "role:super-administrator")
	b.click("button", "Save")
	path = b.path0()
	b.until("its sources are accurate enough", `fetch(location.pathname).then((r) => r.text()).then((s) => s.includes(">Prepare<"))`)
	b.open0(path)
	b.click("button", "Prepare")
	b.until("the population is frozen, and the page offers the next step by itself", `!!document.querySelector('form[action$="/start"]')`)
	b.click("button", "Start")
	b.until("the review runs", `fetch(location.pathname).then((r) => r.text()).then((s) => s.includes("Have a sample reviewed again"))`)
	return path
}

// key types a key without a pointer.
func (b *browser) key(key string) {
	b.t.Helper()
	b.run("press "+key, chromedp.KeyEvent(key))
}

// keyTo presses a key, and waits for the page that it leads to.
func (b *browser) keyTo(key, path string) {
	b.t.Helper()
	b.key(key)
	b.until("the key leads to "+path, `location.pathname.startsWith(`+quote(path)+`) && document.readyState === "complete"`)
	b.check()
}

// tabTo moves the focus with the Tab key, from the top of the page and past its navigation, to what has
// a text.
func (b *browser) tabTo(text string) {
	b.t.Helper()
	b.key(kb.Tab)
	b.until("the first stop leads to the content", `document.activeElement.getAttribute("href") === "#main"`)
	b.key(kb.Enter)
	b.until("the content has the focus", `document.activeElement.id === "main"`)
	var at string
	for range 5 {
		b.key(kb.Tab)
		if err := b.eval(`document.activeElement.innerText.trim()`, &at); err == nil && at == text {
			return
		}
	}
	b.t.Fatalf("the Tab key comes to %q, and not to %q\n%s", at, text, b.text())
}

// close ends the decisions of a campaign, and applies the plan of its removals. It returns the path of
// the plan, which is shown.
func (b *browser) close(campaign string) (plan string) {
	b.t.Helper()
	b.open0(campaign)
	b.click("button", "Close")
	b.until("the removals are a plan", `fetch(`+quote(campaign)+`).then((r) => r.text()).then((s) => s.includes("/plans/"))`)
	b.open0(campaign)
	b.clickFirst(`main a[href^="/plans/"]`)
	b.until("the plan is computed", `document.body.innerText.includes("Consequence")`)
	plan = b.path0()
	b.apply()
	return plan
}

// apply carries out the plan whose page is open.
func (b *browser) apply() {
	b.t.Helper()
	b.run("apply", chromedp.Evaluate[chromedp.Void](`(() => { const n = document.querySelector("label[for=count]"); if (n) document.getElementById("count").value = n.innerText.match(/\d+/)[0] })()`),
		chromedp.Click(chromedp.CSS(`form[action$="/apply"] button`), chromedp.NodeVisible))
	b.until("the plan is carried out", `/Applying|Verifying|Complete/.test(document.querySelector("h1").innerText)`)
}

// TestReview is a review on the demo: a campaign, a reviewer who does all of the work with the keyboard,
// and the plan of the removals, until a sync shows them. Nothing is chosen before somebody chooses it.
func TestReview(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, origin)
	b.quick = true
	b.as("sets up everything")
	path := b.campaign("Access of Perplexity")
	b.look("/campaigns/ID running")

	// A reviewer decides: nothing is chosen before, and no pointer is needed.
	b.open("/reviews")
	b.key("j")
	b.keyTo(kb.Enter, "/reviews/")
	var chosen, rows int
	if err := b.eval(`document.querySelectorAll("#work input[type=radio]:checked").length`, &chosen); err != nil || chosen != 0 {
		t.Errorf("%d decisions are chosen before anybody made one (%v)", chosen, err)
	}
	if err := b.eval(`document.querySelectorAll("#work tbody tr:not(.group)").length`, &rows); err != nil || rows < 3 {
		t.Fatalf("%d items (%v)", rows, err)
	}
	b.look("/reviews/ID")
	for i := range rows {
		b.key("j")
		if i == 0 {
			b.key("n")
		} else {
			b.key("y")
		}
	}
	var kept, removed int
	if err := b.eval(`document.querySelectorAll("#work input[type=radio][value=keep]:checked").length`, &kept); err != nil {
		t.Fatal(err)
	}
	if err := b.eval(`document.querySelectorAll("#work input[type=radio][value=remove]:checked").length`, &removed); err != nil {
		t.Fatal(err)
	}
	if kept != rows-1 || removed != 1 {
		t.Errorf("the keys keep %d and remove %d of %d", kept, removed, rows)
	}
	submit := b.path0() + "/submit"
	b.keyTo("s", submit)
	b.has("Submitted decisions never change.")
	b.look("/reviews/ID/submit")
	b.open0(submit) // the check moved the focus
	b.tabTo(fmt.Sprintf("Submit %d decisions", rows))
	b.keyTo(kb.Enter, "/reviews/")
	b.until("the decisions are submitted", `document.body.innerText.includes("Your decisions are submitted.")`)

	// Closing makes the removals a plan, which is carried out and verified.
	b.close(path)
	b.open0(path)
	b.look("/campaigns/ID remediating")
	b.shows("Complete", "Verified")
	b.look("/campaigns/ID complete")

	var kind string
	if err := b.eval(`fetch(`+quote(path+"/pack")+`).then((r) => r.arrayBuffer()).then((a) => String.fromCharCode(...new Uint8Array(a, 0, 2)))`, &kind); err != nil || kind != "PK" {
		t.Errorf("the evidence pack begins with %q (%v)", kind, err)
	}
}
