package browser

import (
	"net/url"
	"path/filepath"
	"testing"
)

// TestConfiguration changes by hand what the demo's bootstrap file describes. The page of the person says
// that files manage it, and the page Configuration shows the difference, by whom, until it is undone.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	b := newBrowser(t, start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file))
	b.quick = true
	b.as("sets up everything")
	env := envFile(t, file)
	b.open("/settings/configuration")
	b.has("The bootstrap file", "As the files say")
	rename := func(from, to string) {
		b.open("/search?q=" + url.QueryEscape(env["AUDITOR_LOGIN"]))
		b.click("link", from)
		b.has("Managed by files (bootstrap): a change here will show as drift.")
		b.click("link", "Edit")
		b.fill("Name", to)
		b.click("button", "Save")
	}
	rename("Alex Auditor", "Alexandra Auditor")
	b.open("/settings/configuration")
	b.has("What differs since", "Alexandra Auditor", "Alex Auditor", "Rosa Root", "console.yaml: line 1")
	b.look("configuration")
	rename("Alexandra Auditor", "Alex Auditor")
	b.open("/settings/configuration")
	b.has("As the files say")
}
