package browser

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// active reports whether a user of the application can sign in.
func (o organisation) active(id string) bool {
	for _, u := range o.state().Users {
		if u.ID == id {
			return u.Active
		}
	}
	return false
}

// awaitInactive waits until the application itself shows a user as deactivated.
func (o organisation) awaitInactive(id string) {
	o.t.Helper()
	for end := time.Now().Add(3 * patience); o.active(id); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("the user %s stays active", id)
		}
	}
}

// TestLeaver publishes the template for leavers, tries it, and disables people of the demo: the
// application itself deactivates their accounts, and a sync verifies it. The list of changes of the dry
// run is, byte for byte, that of the run. The circuit breaker stops the third one.
func TestLeaver(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, origin)
	b.quick = true
	b.as("sets up everything")
	env := envFile(t, file)
	org := newOrganisation(t, map[string]string{"BATON_SCIM_URL": env["PERPLEXITY_SCIM_URL"], "BATON_SCIM_TOKEN": env["PERPLEXITY_SCIM_TOKEN"]})

	// The connector says which actions it has.
	b.open0("/connectors")
	b.click("link", "Perplexity")
	connector := b.path0()
	b.open0(connector + "/actions")
	b.click("button", "Ask which actions it offers")
	b.shows("disable_user")

	// The draft from the template, and its form.
	b.open("/automations")
	b.has("There is no automation yet.")
	b.click("link", "Add an automation")
	b.look("/automations/new")
	b.pick("Application", "Perplexity")
	b.fill("Name", "Leaver")
	b.click("button", "Add")
	automation := b.path0()
	b.has("A person was disabled", "Perform disable_user of Perplexity with user_id = account.id")
	b.look("/automations/ID draft")
	b.click("link", "Edit step disable")
	b.has("User ID")
	b.look("/automations/ID/steps/ID")
	b.click("button", "Save")
	b.click("link", "Change the trigger, the name, the owner and the limits")
	b.look("/automations/ID/trigger")
	b.fill("Changes at most", "2")
	b.click("button", "Save")
	b.has("0 of 25 runs and 0 of 2 changes")

	// A dry run on the data of now.
	leaver := env["MEMBER_LOGIN"]
	id := org.user(leaver)
	b.click("link", "Try or run it")
	b.fill("For", leaver)
	b.click("button", "Dry run")
	b.has("What it would do", "Perform disable_user")
	b.look("/automations/ID/test")
	var dry string
	if err := b.eval(`document.querySelector("#list").textContent`, &dry); err != nil || !strings.Contains(dry, `"action":"disable_user"`) {
		t.Fatalf("%q, %v", dry, err)
	}
	time.Sleep(2 * time.Second)
	if !org.active(id) {
		t.Fatal("the dry run disabled the account")
	}

	b.open0(automation)
	b.click("button", "Publish")
	b.has("Version 1 runs now.", "Published")
	b.look("/automations/ID published")

	// Somebody leaves.
	b.leaves(leaver)
	org.awaitInactive(id)
	b.open0(automation + "/runs")
	b.shows("Done")
	b.look("/automations/ID/runs")
	b.clickFirst(`main tbody a`)
	b.has("Perform disable_user")
	b.toggle("Result")
	b.has(`"state":"verified"`)
	b.look("/automations/ID/runs/ID")
	var list string
	if err := b.eval(`document.querySelector("#list").textContent`, &list); err != nil || list != dry {
		t.Errorf("the dry run had\n%sthe run has\n%s(%v)", dry, list, err)
	}

	// The second one still, the third one waits for a person.
	second := b.employee(org, leaver, env["OWNER_LOGIN"], env["ADMIN_LOGIN"])
	third := b.employee(org, leaver, second, env["OWNER_LOGIN"], env["ADMIN_LOGIN"])
	secondID, thirdID := org.user(second), org.user(third)
	b.leaves(second)
	org.awaitInactive(secondID)
	b.leaves(third)
	b.open0(automation)
	b.shows("Its circuit breaker stopped it.", "It would make more than 2 changes in 1 day.", "1 run waits for a person")
	b.look("/automations/ID tripped")
	if !org.active(thirdID) {
		t.Error("the circuit breaker did not stop the third change")
	}
	b.open("/findings")
	b.shows("Automation stopped")
	b.open0(automation)
	b.click("radio", "Run what waits, although it exceeds the limits")
	b.fill("Reason", "They really leave.")
	b.click("button", "Resume")
	org.awaitInactive(thirdID)

	// The switch for all, with its banner.
	b.open("/automations")
	b.fill("Reason", "A test.")
	b.click("button", "Pause all automations")
	b.has("All automations are paused.")
	b.look("/automations paused")
	b.fill("Reason", "It was a test.")
	b.click("button", "Resume all automations")
}

// path0 returns the path of the page.
func (b *browser) path0() (path string) {
	b.t.Helper()
	if err := b.eval(`location.pathname`, &path); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// clickFirst follows the first link that a selector finds.
func (b *browser) clickFirst(selector string) {
	b.t.Helper()
	var href string
	if err := b.eval(`document.querySelector(`+quote(selector)+`).getAttribute("href")`, &href); err != nil {
		b.t.Fatal(err)
	}
	b.open(href)
}

// employee returns the e-mail address of a person who has an active account, other than some.
func (b *browser) employee(org organisation, others ...string) string {
	b.t.Helper()
	for _, u := range org.state().Users {
		if u.Active && u.Email != "" && !slices.Contains(others, u.Email) && b.person(u.Email) != "" {
			return u.Email
		}
	}
	b.t.Fatal("nobody else has an account")
	return ""
}

// leaves disables a person, by e-mail address.
func (b *browser) leaves(email string) {
	b.t.Helper()
	person := b.person(email)
	if person == "" {
		b.t.Fatalf("nobody has the address %s", email)
	}
	b.open0(person)
	b.click("button", "Disable")
}

// person returns the path of the page of the person with an e-mail address; "" if there is none.
func (b *browser) person(email string) (path string) {
	b.t.Helper()
	find := `fetch("/search?q=" + encodeURIComponent(` + quote(email) + `)).then((r) => r.text()).then((s) => [...new DOMParser().parseFromString(s, "text/html").querySelectorAll("main a")].map((a) => a.getAttribute("href")).find((h) => /^\/people\/[0-9A-Za-z]{27}$/.test(h)) || "")`
	if err := b.eval(find, &path); err != nil {
		b.t.Fatal(err)
	}
	return path
}
