package browser

import (
	"path/filepath"
	"testing"
	"time"
)

// TestFindings goes from the page of an application to its findings, opens the forms of one, and
// accepts it until a day.
func TestFindings(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, origin)
	b.quick = true
	b.as("sets up everything")
	b.until("there are unmatched accounts", `fetch("/findings?kind=account-unmatched").then((r) => r.text()).then((s) => s.includes("Leave it for now"))`)
	b.open0(b.appPath("Perplexity"))
	b.look("/applications/ID with open findings")
	var count, link string
	const tile = `[...document.querySelectorAll(".tile")].find((e) => e.querySelector("a[href^='/findings?app=']"))`
	if err := b.eval(tile+`.querySelector(".big").textContent`, &count); err != nil || count == "0" {
		t.Fatalf("%q open findings, %v", count, err)
	}
	if err := b.eval(tile+`.querySelector("a").getAttribute("href")`, &link); err != nil {
		t.Fatal(err)
	}
	b.open0(link + "&kind=account-unmatched")
	b.has("Perplexity (" + count + ")")
	if err := b.eval(`document.querySelector("main td details").open = true`, nil); err != nil {
		t.Fatal(err)
	}
	b.look("/findings with an open form")
	const day = `Object.assign(document.querySelector("main td details input[type=date]"), {value: `
	if err := b.eval(day+quote(time.Now().UTC().AddDate(0, 1, 0).Format(time.DateOnly))+`}); document.querySelector("main td details input[name=why]").value = "moves next month"`, nil); err != nil {
		t.Fatal(err)
	}
	b.click("button", "Accept")
	b.open0("/findings?state=accepted")
	b.has("moves next month", "Open again")
	b.look("/findings that were accepted")
}
