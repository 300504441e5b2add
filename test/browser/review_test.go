package browser

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// campaign makes a campaign about Perplexity that Super Administrators decide, freezes its population and
// starts it. It returns the path of its page.
func (b *browser) campaign(name string) (path string) {
	b.t.Helper()
	b.open("/campaigns/new")
	b.fill("Name", name)
	b.click("checkbox", "Perplexity")
	b.fill("Others", "role:super-administrator")
	b.click("button", "Save")
	path = b.path0()
	b.click("button", "Prepare")
	b.until("the population is frozen", `fetch(location.pathname).then((r) => r.text()).then((s) => s.includes("Back to the draft"))`)
	b.open0(path)
	b.click("button", "Start")
	b.until("the review runs", `fetch(location.pathname).then((r) => r.text()).then((s) => s.includes("Have a sample reviewed again"))`)
	return path
}

// key types a key without a pointer.
func (b *browser) key(key string) {
	b.t.Helper()
	b.run("press "+key, chromedp.KeyEvent(key))
}

// TestReview is a review on the demo: a campaign, a reviewer who decides with the keyboard alone, and
// the plan of the removals. Nothing is chosen before somebody chooses it.
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
	b.click("link", "Access of Perplexity")
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
	b.click("button", "Submit…")
	b.has("Submitted decisions never change.")
	b.look("/reviews/ID/submit")
	b.click("button", fmt.Sprintf("Submit %d decisions", rows))
	b.has("Your decisions are submitted.")

	// Closing makes the removals a plan.
	b.open0(path)
	b.click("button", "Close")
	b.until("the removals are a plan", `fetch(`+quote(path)+`).then((r) => r.text()).then((s) => s.includes("/plans/"))`)
	b.open0(path)
	b.look("/campaigns/ID remediating")

	var kind string
	if err := b.eval(`fetch(`+quote(path+"/pack")+`).then((r) => r.arrayBuffer()).then((a) => String.fromCharCode(...new Uint8Array(a, 0, 2)))`, &kind); err != nil || kind != "PK" {
		t.Errorf("the evidence pack begins with %q (%v)", kind, err)
	}
}
