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
	var link string
	const tile = `[...document.querySelectorAll(".tile")].find((e) => e.querySelector("a[href^='/findings?app=']"))`
	if err := b.eval(tile+`.querySelector("a").getAttribute("href")`, &link); err != nil {
		t.Fatal(err)
	}
	// The demo still changes, so both pages are read until they agree.
	list := quote(link + "&kind=account-unmatched")
	b.until("the page of the application counts the findings that the list has", `Promise.all([location.href, `+list+`].map((p) => fetch(p).then((r) => r.text()).then((s) => new DOMParser().parseFromString(s, "text/html")))).then(([document, list]) => {
		const count = `+tile+`.querySelector(".big").textContent
		return count !== "0" && list.querySelector("main").textContent.includes("Perplexity (" + count + ")")
	})`)
	b.open0(link + "&kind=account-unmatched")
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
