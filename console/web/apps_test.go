package web

import (
	"maps"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// What routes of applications, accounts and people's records answer with; see [want].
func init() {
	maps.Copy(want, map[string][]int{
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
