package browser

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// lineOf matches the lines that a tutorial can have, by what they ask for.
var lineOf = []struct {
	line *regexp.Regexp
	do   func(*browser, []string)
}{
	{regexp.MustCompile("^Open `([^`]+)`"), func(b *browser, m []string) { b.open(m[1]) }},
	{regexp.MustCompile(`^Beside \*([^*]+)\*, press \*([^*]+)\*`), func(b *browser, m []string) { b.press(m[1], m[2]) }},
	{regexp.MustCompile(`^Press \*([^*]+)\*`), func(b *browser, m []string) { b.press("", m[1]) }},
	{regexp.MustCompile("^Enter `([^`]+)` in \\*([^*]+)\\*"), func(b *browser, m []string) { b.fill(m[2], m[1]) }},
	{regexp.MustCompile(`^See \*([^*]+)\*`), func(b *browser, m []string) { b.shows(m[1]) }},
}

// TestTutorial follows the numbered lines of docs/tutorial.md at the address that the demo prints,
// which is plain HTTP: a browser warns about the certificate of the demo.
func TestTutorial(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	printed := start(t, "Open ", dir, "baton-console", nil, "demo", "--env-file", file)
	address, _, ok := strings.Cut(printed, "/demo ")
	if !ok || !strings.HasPrefix(address, "http://") {
		t.Fatalf("the demo prints %q", printed)
	}
	b := newBrowser(t, address)
	b.quick = true
	b.as("sees everything and changes nothing")
	b.until("the applications are connected", `fetch("/applications").then((r) => r.text()).then((s) => s.includes("Perplexity"))`)
	lines := 0
	for _, item := range regexp.MustCompile(`(?m)^\d+\. (.+)$`).FindAllStringSubmatch(string(page), -1) {
		if !b.step(item[1]) {
			t.Fatalf("no line of a tutorial begins like %q", item[1])
		}
		lines++
	}
	if lines < 25 {
		t.Errorf("the tutorial has %d lines", lines)
	}
}

// step does what a line of a tutorial says, and reports whether it says anything.
func (b *browser) step(line string) bool {
	b.t.Helper()
	for _, l := range lineOf {
		if m := l.line.FindStringSubmatch(line); m != nil {
			b.t.Log(m[0])
			l.do(b, m)
			return true
		}
	}
	return false
}

// marked is a script that marks the link, button or summary whose text begins with a label, in
// the first row or form that has a text, if there is one.
const marked = `(() => {
	const beside = %s, label = %s, shown = (e) => e.checkVisibility() && e.innerText.trim().replace(/\s+/g, " ").startsWith(label);
	document.querySelectorAll("[data-found]").forEach((e) => e.removeAttribute("data-found"));
	const parts = beside ? [...document.querySelectorAll("tr, article, form")].filter((e) => e.innerText.includes(beside)) : [document];
	const hits = parts.flatMap((p) => [...p.querySelectorAll("a[href], button, summary")]).filter(shown);
	const exact = hits.find((e) => e.innerText.trim() === label) || hits[0];
	exact?.setAttribute("data-found", "");
	return exact?.tagName || "";
})()`

// press presses the link, button or summary with a label, in the row or form that has a text.
func (b *browser) press(beside, label string) {
	b.t.Helper()
	var tag string
	if err := b.eval(strings.Replace(strings.Replace(marked, "%s", quote(beside), 1), "%s", quote(label), 1), &tag); err != nil || tag == "" {
		b.t.Fatalf("the page has nothing to press that is called %q beside %q (%v)\n%s", label, beside, err, b.text())
	}
	b.run("press "+label, chromedp.Evaluate[chromedp.Void](`window.left = true`), chromedp.ScrollIntoView(found), chromedp.Click(found, chromedp.NodeVisible))
	if tag != "SUMMARY" {
		b.until(label+" leads to another page", `!window.left && document.readyState === "complete"`)
		b.check()
	}
}
