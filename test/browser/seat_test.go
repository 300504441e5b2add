package browser

import (
	"net/url"
	"path/filepath"
	"testing"
)

// TestSeats enters the purchased seats of the demo's Perplexity, and looks at every page that says what
// a new account does to them.
func TestSeats(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, origin)
	b.quick = true
	b.as("owns both applications")
	app := b.appPath("Perplexity")
	b.entitlementPath(app, "PPLX_Admin") // waits for a sync
	b.open0(app + "/seats")
	b.has("Nobody entered how many seats were purchased")
	b.fill("Purchased", "20")
	b.click("button", "Save")
	b.has("of 20", "20 seats are purchased, fewer than 50.", "This is a lower bound", "Seats that could be freed", "Versions")
	b.look("/applications/ID/seats with seats")
	b.open0(app + "/several-roles")
	b.look("/applications/ID/several-roles")
	b.open0(app + "/accounts/new?email=" + url.QueryEscape(envFile(t, file)["AUDITOR_LOGIN"]))
	b.has("1 seat", "more seats than were purchased")
	b.look("/applications/ID/accounts/new with seats")
	b.as("sees everything and changes nothing")
	b.open0("/request")
	b.has("1 seat")
	b.look("/request with seats")
}
