package web

import (
	"bytes"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/console"
)

// The statuses of routes of applications, accounts and people; see [want].
func init() {
	maps.Copy(want, map[string][]int{
		"POST /applications/{app}/accounts/{account}/owner": {404, 400, 404, 403, 404, 403, 403, 400}, // an empty form
		"POST /applications/{app}/accounts/{account}/type":  {404, 400, 404, 403, 404, 403, 403, 400},
		"GET /people/import":                     {403, 403, 403, 403, 403, 403, 403, 200},
		"POST /people/import":                    {403, 403, 403, 403, 403, 403, 403, 400},
		"GET /people/{person}/edit":              {403, 403, 403, 403, 403, 403, 403, 200},
		"POST /people/{person}/edit":             {403, 403, 403, 403, 403, 403, 403, 409},
		"GET /people/{person}/merge":             {403, 403, 403, 403, 403, 403, 403, 200},
		"POST /people/{person}/merge":            {403, 403, 403, 403, 403, 403, 403, 400},
		"POST /connectors/{connector}/continue":  {404, 404, 404, 404, 404, 403, 403, 404}, // an empty form
		"POST /connectors/{connector}/directory": {404, 403, 404, 403, 404, 403, 403, 303},
		"GET /applications/{app}/settings":       {404, 200, 404, 403, 404, 200},
		"GET /applications/{app}/settings/edit":  {404, 200, 404, 403, 404, 403, 403, 200},
		"POST /applications/{app}/settings/edit": {404, 400, 404, 403, 404, 403, 403, 400},
	})
}

// TestAppSettings maps roles with the form: from the proposal, with mistakes, and by search.
func TestAppSettings(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	settings := "/applications/" + string(f.app) + "/settings"
	page := b.get(settings)
	page.wants(t, "settings", 200, "PPLX_Admin", "Minimum of admins", "Not known.", "Versions")
	page.checkSafe(t, "settings")
	form := b.get(settings + "/edit?search=pplx_a")
	form.wants(t, "the form", 200, `value="Admin"`, "PPLX_Admin", "The console proposes 2.")
	form.checkSafe(t, "the form")
	keys := regexp.MustCompile(`name="entitlement\.(\d+)"`).FindAllStringSubmatch(form.body, -1)
	if len(keys) != 2 {
		t.Fatalf("entitlements %v", keys)
	}
	values := url.Values{"version": {form.field(t, "version")}, "name": {"Admin", "Member", ""}, "rank.0": {"2"}, "rank.1": {"1"}, "rank.2": {"3"}, "admin.1": {"true"}, "kind.0": {"2"},
		"entitlement." + keys[0][1]: {"1"}, "entitlement." + keys[1][1]: {"0"}, "priority": {"lowest"}, "minimum": {"3"}}
	for field, bad := range map[string]string{"minimum": "x", "rank.0": "first", "entitlement." + keys[0][1]: "7", "priority": "newest", "kind.0": "9"} {
		wrong := url.Values{}
		for k, v := range values {
			wrong[k] = v
		}
		wrong[field] = []string{bad}
		again := b.post(settings+"/edit", wrong)
		again.wants(t, field, 400)
		again.checkSafe(t, field)
	}
	stale := url.Values{}
	for k, v := range values {
		stale[k] = v
	}
	stale["version"] = []string{"0"}
	b.post(settings+"/edit", stale).wants(t, "an old version", 409, "changed meanwhile", `value="Member"`)
	if r := b.post(settings+"/edit", values); r.location != settings {
		t.Fatalf("save: %d %s", r.status, r.body)
	}
	page = b.get(settings)
	page.wants(t, "settings", 200, "The least powerful role counts", "service")
	if a, m := strings.Index(page.body, "<td>Admin"), strings.Index(page.body, "<td>Member"); a < m || m < 0 {
		t.Errorf("the order of the roles: %d, %d", a, m)
	}
	b.get(settings+"/edit?propose=true").wants(t, "the proposal in the form", 200, `value="Administrator"`, "Nothing is saved yet.")
	b.get("/applications/"+string(f.app)+"/accounts").wants(t, "accounts", 200, "service")
}

// TestAccountCorrections uses the forms on the page of an account.
func TestAccountCorrections(t *testing.T) {
	f := withPeople(t)
	f.addPerson("Eve "+hostile, console.Auditor)
	b := f.as("owner")
	list := b.get("/applications/" + string(f.app) + "/accounts?search=ana")
	path := list.link(t, "Ana")
	page := b.get(path)
	page.wants(t, "the account", 200, "Set owner", "Clear owner", "No address of it")
	b.post(path+"/owner", url.Values{"decision": {"set"}, "email": {"nobody@example.com"}}).wants(t, "nobody", 400, "Nobody has the address")
	b.post(path+"/owner", url.Values{"decision": {"x"}}).wants(t, "no decision", 400)
	b.post(path+"/type", url.Values{"type": {"x"}}).wants(t, "no type", 400)
	if r := b.post(path+"/owner", url.Values{"decision": {"set"}, "email": {"User@example.com"}}); r.location != path {
		t.Fatalf("set: %d %s", r.status, r.body)
	}
	b.post(path+"/type", url.Values{"type": {"3"}}).wants(t, "type", 303)
	page = b.get(path)
	page.wants(t, "the account", 200, "Set by owner", "matching does not change it", "Reset to automatic", "as owner said", "system")
	page.checkSafe(t, path)
	f.now = f.now.Add(time.Minute)
	b.post(path+"/owner", url.Values{"decision": {"clear"}}).wants(t, "clear", 303)
	b.get(path).wants(t, "the account", 200, "Cleared by owner", "In the last 30 days also of user")
	b.post(path+"/owner", url.Values{"decision": {"reset"}}).wants(t, "reset", 303)
	f.as("auditor").get(path).wants(t, "as auditor", 200, "Matched by its addresses")
}

// TestSchedule sets a connector's schedule with the form.
func TestSchedule(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	settings := "/connectors/" + string(f.connector) + "/settings"
	save := func(interval, cron, zone string) answer {
		t.Helper()
		edit := b.get(settings + "/edit")
		return b.post(settings+"/edit", url.Values{"version": {edit.field(t, "version")}, "name": {"perplexity"}, "interval": {interval}, "cron": {cron}, "zone": {zone}})
	}
	for _, bad := range [][3]string{{"0.5", "", ""}, {"x", "", ""}, {"NaN", "", ""}, {"60", "hourly", ""}, {"60", "0 0 30 2 *", ""}, {"60", "0 2 * * *", "Mars"}, {"60", "TZ=0", ""}} {
		again := save(bad[0], bad[1], bad[2])
		again.wants(t, strings.Join(bad[:], " "), 400)
		again.checkSafe(t, settings)
	}
	save("60", "30 2 * * 1-5", "Europe/Berlin").wants(t, "cron", 303)
	b.get(settings).wants(t, "settings", 200, "Every workday at 02:30 Europe/Berlin", "next <time")
	b.get(settings+"/edit").wants(t, "edit", 200, `value="30 2 * * 1-5"`, `value="Europe/Berlin"`)
	save("90", "", "").wants(t, "an interval", 303)
	b.get(settings).wants(t, "settings", 200, "Every 1 hour and 30 minutes")
}

// TestPeopleByHand edits, merges and imports people with the forms.
func TestPeopleByHand(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	user, owner := "/people/"+string(f.people["user"]), "/people/"+string(f.people["owner"])
	edit := b.get(user + "/edit")
	edit.wants(t, "edit", 200, "user@example.com")
	values := url.Values{"version": {edit.field(t, "version")}, "name": {hostile}, "emails": {"user@example.com\nsecond@example.com"}, "manager": {"owner@example.com"}, "department": {hostile}}
	bad := url.Values{"version": values["version"], "name": {hostile}, "emails": {"x"}}
	again := b.post(user+"/edit", bad)
	again.wants(t, "a bad address", 400, "is no e-mail address")
	again.checkSafe(t, "a bad address")
	if r := b.post(user+"/edit", values); r.location != user {
		t.Fatalf("edit: %d %s", r.status, r.body)
	}
	page := b.get(user)
	page.wants(t, "the person", 200, "second@example.com", "owner")
	page.checkSafe(t, user)

	b.get(user+"/merge?into=nobody@example.com").wants(t, "nobody", 200, "Nobody has the address")
	b.get(user+"/merge?into=super@example.com").wants(t, "oneself", 200, "Nobody merges themselves.")
	look := b.get(user + "/merge?into=owner@example.com")
	look.wants(t, "both", 200, "it cannot be undone", "second@example.com")
	look.checkSafe(t, "both")
	if r := b.post(user+"/merge", url.Values{"into": {"owner@example.com"}, "from-version": {look.field(t, "from-version")}, "into-version": {look.field(t, "into-version")}}); r.location != owner {
		t.Fatalf("merge: %d %s", r.status, r.body)
	}
	b.get(owner).wants(t, "the person who stays", 200, "second@example.com")

	csv := "email,name\nzoe@example.com,=1+1 " + "<img src=x>" + "\nbroken,B\n"
	preview := b.post("/people/import", url.Values{"csv": {csv}})
	preview.wants(t, "preview", 200, "New", "zoe@example.com", "is no e-mail address", "Apply")
	preview.checkSafe(t, "preview")
	apply := url.Values{"csv": {csv}, "digest": {"x"}, "decision": {"apply"}}
	b.post("/people/import", apply).wants(t, "another digest", 409, "People changed since")
	apply.Set("digest", preview.field(t, "digest"))
	b.post("/people/import", apply).wants(t, "apply", 200, "1 added or changed")
	b.get("/people").wants(t, "people", 200, "=1&#43;1")

	// A file, first in a wrong encoding and then a right one.
	send := func(content string) answer {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "people.csv")
		f.check(err)
		part.Write([]byte(content))
		f.check(form.Close())
		r, err := http.NewRequest("POST", f.server.URL+"/people/import", &body)
		f.check(err)
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		return b.do(r)
	}
	latin := send("email,name\njuergen@example.com,J\xfcrgen\n")
	latin.wants(t, "Latin-1", 400, "not in UTF-8")
	latin.checkSafe(t, "Latin-1")
	send("email,name\njuergen@example.com,J\u00fcrgen\n").wants(t, "UTF-8", 200, "J\u00fcrgen", "Apply")

	f.as("super").post("/connectors/"+string(f.connector)+"/directory", url.Values{"directory": {"true"}}).wants(t, "a directory", 303)
	b.get("/connectors/"+string(f.connector)+"/settings").wants(t, "settings", 200, "Stop making people of its accounts")
}
