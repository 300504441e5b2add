package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// academy is the demo's Percipio, as it says itself.
type academy struct {
	t      *testing.T
	origin string
}

// set changes what somebody has done in a course, and returns the id of the course. An empty status
// forgets it.
func (a academy) set(user, course, status string, at time.Time) (id string) {
	a.t.Helper()
	body, err := json.Marshal(map[string]any{"user": user, "course": course, "status": status, "at": at.UTC()})
	if err != nil {
		a.t.Fatal(err)
	}
	var answer struct{ Course string }
	if err := json.Unmarshal(a.put("/sandbox/progress", string(body)), &answer); err != nil {
		a.t.Fatal(err)
	}
	return answer.Course
}

func (a academy) put(path, body string) []byte {
	a.t.Helper()
	r, err := http.NewRequest(http.MethodPut, a.origin+path, bytes.NewReader([]byte(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%s: %s %v", path, resp.Status, err)
	}
	return answer
}

// appPath returns the address of an application of the demo.
func (b *browser) appPath(name string) (path string) {
	b.t.Helper()
	b.open0("/applications")
	if err := b.eval(`[...document.querySelectorAll("main a")].find((a) => a.textContent.trim() === `+quote(name)+`).getAttribute("href")`, &path); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// entitlementPath returns the address of an entitlement, when a sync shows it.
func (b *browser) entitlementPath(app, name string) (path string) {
	b.t.Helper()
	list := app + "/entitlements?search=" + url.QueryEscape(name)
	find := `fetch(` + quote(list) + `).then((r) => r.text()).then((s) => [...new DOMParser().parseFromString(s, "text/html").querySelectorAll("main td a")].filter((a) => a.textContent.includes(` + quote(name) + `)).map((a) => a.getAttribute("href"))[0] || "")`
	b.until("a sync shows "+name, find+`.then((s) => s !== "")`)
	if err := b.eval(find, &path); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// syncNow lets a connector sync, and waits for the end: the list of syncs has another one.
func (b *browser) syncNow(connector string) (state string) {
	b.t.Helper()
	const states = `fetch(%s).then((r) => r.text()).then((s) => [...new DOMParser().parseFromString(s, "text/html").querySelectorAll("main tbody tr")].map((r) => r.textContent.replace(/\s+/g, " ") + (r.querySelector("a[href*='/syncs/']")?.getAttribute("href") || "")))`
	script := fmt.Sprintf(states, quote(connector))
	var before []string
	if err := b.eval(script, &before); err != nil {
		b.t.Fatal(err)
	}
	b.open0(connector)
	b.click("button", "Sync now")
	b.until("another sync ends", script+`.then((rows) => rows[0] !== `+quote(first(before))+` && /Applied|Held|Failed|Refused/.test(rows[0]) && !/Syncing|Received/.test(rows[0]))`)
	if err := b.eval(script+`.then((rows) => rows[0])`, &state); err != nil {
		b.t.Fatal(err)
	}
	return state
}

// look checks the page and keeps pictures of it, in every view.
func (b *browser) look(name string) {
	b.t.Helper()
	b.quick = false
	b.checkAs(name, views)
	b.quick = true
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// TestCourseBeforeAccess asks for a group of the demo's Perplexity that needs a course of its
// Percipio. The request waits, the learner completes the course, a sync shows it, and the request
// goes on until Perplexity itself shows the member. Failed, held and narrowed syncs revoke nothing; a
// lapsed course is reported first, and ends the access when the requirement is enforced.
func TestCourseBeforeAccess(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, origin)
	b.quick = true
	b.as("sets up everything")
	env := envFile(t, file)
	learner := env["MEMBER_LOGIN"]
	school := academy{t, env["PERCIPIO_BASE_URL"]}
	org := newOrganisation(t, map[string]string{"BATON_SCIM_URL": env["PERPLEXITY_SCIM_URL"], "BATON_SCIM_TOKEN": env["PERPLEXITY_SCIM_TOKEN"]})
	scim(t, env, "/Groups", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Researchers"})
	long := time.Now().AddDate(-3, 0, 0)
	school.set(learner, "Responsible AI", "Started", time.Now())
	school.set("old@acme.example", "Responsible AI", "Completed", long)

	perplexity, percipio := b.appPath("Perplexity"), b.appPath("Percipio")
	connectorOf := func(app string) (path string) {
		t.Helper()
		b.open0("/connectors")
		if err := b.eval(`[...document.querySelectorAll("main tbody tr")].find((r) => r.textContent.includes(`+quote(app)+`)).querySelector("a[href^='/connectors/']").getAttribute("href")`, &path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	courses := connectorOf("Percipio")
	b.syncNow(connectorOf("Perplexity"))
	b.syncNow(courses)
	b.entitlementPath(percipio, "Responsible AI, completed")
	researchers := b.entitlementPath(perplexity, "Researchers member")
	requirement := researchers + "/requirement"

	// A course that the sync does not contain is refused, by its name.
	b.open(requirement)
	b.has("Nothing is required.")
	b.fill("Needs, one a line", "Percipio/Fire Safety")
	b.click("button", "Save")
	b.has("does not contain “Fire Safety”", "limited courses")
	b.fill("Find a course", "Responsible")
	b.click("button", "Find")
	b.has("Responsible AI")
	b.click("link", "Add Responsible AI")
	b.fill("Completed within, in months", "12")
	b.click("button", "Save")
	b.has("Whoever gets it needs this", "Only reported")
	b.look("/applications/ID/entitlements/N/requirement")

	// Somebody asks, and waits.
	member := "has access, and sees only their own"
	b.as(member)
	b.open("/request?search=Researchers")
	b.has("Needs a course", "Responsible AI")
	b.look("/request with a course")
	b.click("link", "Ask for Researchers member")
	b.has("Needs a course", "goes on by itself")
	b.fill("Justification", "a new project")
	b.click("button", "Send")
	b.has("It waits until the requirement is met", "Responsible AI", "It goes on by itself after the sync that shows it.")
	b.look("/requests/ID that waits for a course")
	var request string
	if err := b.eval(`location.pathname`, &request); err != nil {
		t.Fatal(err)
	}

	// The learner completes the course. A sync shows it, and the request goes on.
	school.set(learner, "Responsible AI", "Completed", time.Now())
	b.as("sets up everything")
	b.syncNow(courses)
	b.as("owns both applications")
	b.open(request)
	b.shows("Your decision")
	b.has("Responsible AI", "completed")
	b.look("/requests/ID whose course is completed")
	b.click("button", "Approve")
	user, group := org.user(learner), org.group("Researchers")
	org.becomes(true, group, user, patience)
	b.as("sets up everything")
	b.open0(request)
	b.shows("Granted")

	// The proof has the evidence.
	b.open0(researchers)
	b.shows("Why and proof")
	var access string
	if err := b.eval(`[...document.querySelectorAll("main td a")].map((a) => a.getAttribute("href")).find((h) => /accounts\/\d+\/entitlements\/\d+$/.test(h))`, &access); err != nil {
		t.Fatal(err)
	}
	b.open(access)
	b.has("Met by", "Responsible AI", "This was stored when the access was granted", learner)
	b.look("why and proof with evidence")
	var stamp string
	const row = `document.querySelector("#requirement ~ .table tbody tr").textContent.replace(/\s+/g, " ")`
	if err := b.eval(row, &stamp); err != nil {
		t.Fatal(err)
	}

	stays := func(what string) {
		t.Helper()
		time.Sleep(2 * time.Second)
		if !org.member(group, user) {
			t.Fatalf("%s took the access away", what)
		}
	}

	// A course that lapses is only reported at first.
	school.set(learner, "Responsible AI", "Completed", long)
	b.syncNow(courses)
	b.open0(access)
	b.shows("Lapsed")
	b.open0("/findings?kind=course-lapsed")
	b.shows("lacks what it requires")
	stays("a lapsed course that is only reported")
	school.set(learner, "Responsible AI", "Completed", time.Now())
	b.syncNow(courses)
	b.open0("/findings?kind=course-lapsed")
	b.shows("None is one of these.")

	// It is enforced, at once. Failed, held and narrowed syncs revoke nothing.
	b.open(requirement)
	b.toggle("Change")
	b.pick("Existing holders", "End their access after the grace period")
	b.click("button", "Save")
	b.has("Enforced", "Every holder meets it.")
	b.look("/applications/ID/entitlements/N/requirement enforced")
	school.put("/sandbox/faults", `["report-failed=9"]`)
	b.open0(courses)
	b.click("button", "Sync now")
	b.until("the sync fails", `fetch(location.pathname).then((r) => r.text()).then((s) => s.includes("Its last sync failed"))`)
	stays("a failed sync")
	school.put("/sandbox/faults", `[]`)

	settings := func(limited string) {
		t.Helper()
		b.open0(courses + "/settings")
		b.click("link", "Edit")
		b.fill("Course IDs", limited)
		b.click("button", "Save")
	}
	settings(school.set("old@acme.example", "Another course", "Completed", time.Now()))
	state := b.syncNow(courses)
	stays("a narrowed sync that is " + state)
	if strings.Contains(state, "Held") {
		b.open0(courses)
		b.fill("Reason", "only these courses")
		b.click("button", "Apply it anyway")
		b.until("the sync is applied", `fetch(location.pathname).then((r) => r.text()).then((s) => !s.includes("is not applied"))`)
		b.syncNow(courses)
		b.syncNow(courses)
		stays("a narrowed list of courses")
	}
	settings("")
	b.syncNow(courses)
	stays("the sync with all courses")

	// The course lapses.
	school.set(learner, "Responsible AI", "Completed", long)
	b.syncNow(courses)
	org.becomes(false, group, user, patience)
	b.open0(access)
	b.shows("Lapsed")
	var now string
	if err := b.eval(row, &now); err != nil || now != stamp {
		t.Errorf("the evidence was rewritten: %s, before %s (%v)", now, stamp, err)
	}
}
