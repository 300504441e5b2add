package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// addSCIMSource adds an identity provider that pushed a user in a group, all with hostile names.
func (f *fixture) addSCIMSource() (source, group console.ID) {
	f.t.Helper()
	root := f.caller("root", console.SuperAdministrator)
	id, token, err := f.govern.AddSCIMSource(f.t.Context(), root, "Okta "+hostile)
	f.check(err)
	pusher, err := f.govern.AuthenticatePusher(f.t.Context(), token, "request", "address")
	f.check(err)
	u, err := f.govern.PushUser(f.t.Context(), pusher, console.SCIMUser{UserName: "pushed@example.com", Document: []byte("{}"),
		Entry: console.DirectoryEntry{Name: "Pushed " + hostile, Emails: []string{"pushed@example.com"}, Status: console.PersonActive}})
	f.check(err)
	_, err = f.govern.PushUser(f.t.Context(), pusher, console.SCIMUser{UserName: "nobody", Document: []byte("{}"), Entry: console.DirectoryEntry{Name: "Nobody " + hostile, Status: console.PersonActive}})
	f.check(err)
	g, err := f.govern.PushGroup(f.t.Context(), pusher, console.SCIMGroup{Name: "Team " + hostile}, []console.ID{u.ID})
	f.check(err)
	f.check(f.govern.PushFailed(f.t.Context(), pusher, "POST /Users: "+hostile))
	return id, g.ID
}

// caller returns a person with a role who has just signed in.
func (f *fixture) caller(name string, role console.ConsoleRole) govern.Caller {
	f.t.Helper()
	id := f.addPerson(name, role)
	return govern.Caller{Person: console.Person{ID: id, Roles: []console.ConsoleRole{role}}, Session: console.Session{Person: id, Began: f.now, Proved: f.now, Seen: f.now}}
}

// TestSCIMPages connects an identity provider, rotates its token, maps a group, and removes it.
func TestSCIMPages(t *testing.T) {
	f := withPeople(t)
	super := f.as("super")
	super.get("/settings/scim").wants(t, "empty", 200, "No identity provider pushes people yet.", "Connect an identity provider")
	super.post("/settings/scim", url.Values{"name": {" "}}).wants(t, "no name", 400, "The name is missing.")
	made := super.post("/settings/scim", url.Values{"name": {"Okta"}})
	made.wants(t, "made", 200, "It is shown once.", "/scim/v2", "Where to enter it in Okta", "Where to enter it in Entra", "Nothing received yet")
	super.post("/settings/scim", url.Values{"name": {"Okta"}}).wants(t, "a taken name", 409, "An identity provider with this name exists already.")
	_, rest, _ := strings.Cut(made.body, `<p><code class="key">`)
	token, _, _ := strings.Cut(rest, "<")
	pusher, err := f.govern.AuthenticatePusher(t.Context(), baton.NewSecret(token), "request", "address")
	f.check(err)
	path := "/settings/scim/" + string(pusher.Source.ID)
	if page := super.get(path); strings.Contains(page.body, token) || !strings.Contains(page.body, "Pushes") {
		t.Errorf("the token is shown twice, or the page does not say that it is used")
	}
	super.post(path+"/tokens", nil).wants(t, "rotated", 200, "It is shown once.")
	super.post(path+"/tokens", nil).wants(t, "a third token", 409, "2 tokens work already")
	v, err := f.govern.SCIMSource(t.Context(), f.caller("auditor2", console.Auditor), pusher.Source.ID)
	f.check(err)
	old := v.Tokens[slices.IndexFunc(v.Tokens, func(t console.SCIMToken) bool { return !t.LastUsed.IsZero() })]
	if r := super.post(path+"/tokens/"+string(old.ID)+"/revoke", nil); r.location != path {
		t.Errorf("revoked: %d %s", r.status, r.location)
	}
	if _, err := f.govern.AuthenticatePusher(t.Context(), baton.NewSecret(token), "request", "address"); baton.KindOf(err) != baton.Unauthenticated {
		t.Errorf("the revoked token: %v", err)
	}
	super.get(path).wants(t, "after that", 200, "Revoked", "a token was used that is revoked", "Last request failed")
	if r := super.post(path+"/remove", nil); r.location != "/settings/scim" {
		t.Errorf("removed: %d %s", r.status, r.location)
	}

	source, group := f.addSCIMSource()
	path = "/settings/scim/" + string(source)
	super.get(path).wants(t, "with people", 200, "2 users, 1 groups", "Not fully applied", "It has no e-mail address")
	super.post(path+"/groups/"+string(group), url.Values{"role": {"king"}}).wants(t, "an unknown role", 400, "There is no role")
	super.post(path+"/groups/"+string(group), url.Values{"role": {"auditor"}})
	super.get(path+"/groups/"+string(group)).wants(t, "mapped", 200, `value="auditor" selected`, "1 members")
	super.get("/people").wants(t, "people", 200, "Pushed")
}
