package browser

import (
	"path/filepath"
	"testing"
)

// TestRequest asks for access in the demo and decides as somebody else. What follows in the
// application is shown by TestRequestUntilExpiry of console/hosted.
func TestRequest(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", filepath.Join(t.TempDir(), "demo.env"))
	b := newBrowser(t, origin)
	b.checked["/demo"] = true
	// Somebody of the demo who does not hold everything already.
	const find = `fetch("/request").then((r) => r.text()).then((s) => {
		const page = new DOMParser().parseFromString(s, "text/html");
		const table = [...page.querySelectorAll("h2")].find((h) => h.textContent.includes("Perplexity"))?.nextElementSibling;
		const rows = table ? [...table.querySelectorAll("tbody tr")].filter((r) => r.textContent.includes("PPLX_")) : [];
		const row = rows.find((r) => !r.textContent.includes("Have it"));
		return rows.length ? [row ? row.querySelector("a.button").getAttribute("href") : ""] : [] })`
	var form []string
	asker := ""
	for _, who := range []string{"watches over access", "owns both applications", "has access, and sees only their own", "sees everything and changes nothing"} {
		b.as(who)
		b.until("the catalogue has something", find+`.then((s) => s.length > 0)`)
		if err := b.eval(find, &form); err != nil {
			t.Fatal(err)
		}
		if form[0] != "" {
			asker = who
			break
		}
	}
	if asker == "" {
		t.Fatal("everybody holds everything")
	}
	b.open("/request")
	b.open(form[0])
	b.has("Who will decide")
	b.toggle("Another duration, an end, or a later start")
	b.fill("Another duration", "20s")
	b.fill("Justification", "rotate the certificate")
	b.click("button", "Send")
	var request string
	if err := b.eval(`location.pathname`, &request); err != nil {
		t.Fatal(err)
	}
	b.has("rotate the certificate", "Waiting for")
	for _, who := range []string{"owns both applications", "watches over access", "sets up everything"} {
		b.as(who)
		b.open("/approvals")
		waits := false
		if err := b.eval(`!!document.querySelector("main form button[value=approve][data-key]")`, &waits); err != nil {
			t.Fatal(err)
		}
		if waits {
			b.open0(request)
			b.has("Approve", "Deny")
			b.checkAs("/requests/ID that waits for a decision", views)
			b.open("/approvals")
			b.click("button", "Approve")
		}
	}
	b.as(asker)
	b.open(request)
	b.has("Approved", "Handed to the connector")
	b.open("/requests")
	b.has("PPLX_Admin")
}
