package browser

import (
	"path/filepath"
	"testing"
)

// TestPolicy asks who would be asked, and edits a policy as a form, whose buttons need no
// script.
func TestPolicy(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", filepath.Join(t.TempDir(), "demo.env"))
	b := newBrowser(t, origin)
	b.checked["/demo"] = true
	b.as("sets up everything")
	b.open("/policies")
	b.click("link", "Who would be asked?")
	var person string
	if err := b.eval(`fetch("/people").then((r) => r.text()).then((s) => s.match(/[\w.-]+@[\w.-]+\w/)[0])`, &person); err != nil {
		t.Fatal(err)
	}
	b.fill("Person", person)
	b.click("button", "Who would be asked?")
	b.has("applies:", "Policy Standard")
	b.open("/policies/new")
	b.click("button", "Add a rule before the last")
	b.has("Rule 2, step 1")
	b.click("button", "Add a step")
	b.click("button", "Remove rule 2")
	b.click("button", "Check")
	b.has("The policy has no name.")
	b.click("link", "Edit it as YAML")
	b.has("Policy, as YAML")
}
