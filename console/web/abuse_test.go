package web

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"baton/console"
	"baton/console/store"
)

// TestSessionFixation checks that a login never continues the session that the browser had: not
// one that somebody planted, and not the own former one.
func TestSessionFixation(t *testing.T) {
	f := withPeople(t)
	attacker := f.as("helpdesk")
	for what, planted := range map[string]string{"a made-up one": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "the attacker's own": attacker.session()} {
		victim := f.browser()
		victim.setSession(planted)
		f.signIn(victim, "super")
		if got := victim.session(); got == planted || got == "" {
			t.Errorf("%s: the session after the login is %q", what, got)
		}
		victim.get("/people").wants(t, what, 200, "super")
		other := f.browser()
		other.setSession(planted)
		if r := other.get("/people"); r.status != http.StatusSeeOther {
			t.Errorf("%s: it leads to %d after the victim's login", what, r.status)
		}
		f.now = f.now.Add(console.StepUp) // the next one-time code
		former := victim.session()
		f.signIn(victim, "super")
		other.setSession(former)
		if r := other.get("/people"); victim.session() == former || r.status != http.StatusSeeOther {
			t.Errorf("%s: the former session leads to %d after another login", what, r.status)
		}
		f.now = f.now.Add(console.StepUp)
	}
}

// TestMassAssignment sends forms with the fields of other forms, of the nouns behind them, and
// of their columns. Only the form's own fields count.
func TestMassAssignment(t *testing.T) {
	f := withPeople(t)
	extra := url.Values{}
	for name, value := range map[string]string{
		"id": string(f.people["super"]), "person": string(f.people["super"]), "subject": string(f.people["super"]), "requester": string(f.people["super"]),
		"creator": string(f.people["super"]), "author": string(f.people["super"]), "owners": string(f.people["super"]), "merged_into": string(f.people["super"]),
		"role": "super-administrator", "roles": "super-administrator", "status": "gone", "service": "true", "state": "granted", "outcome": "granted", "approved": "true",
		"emergency_reviewed": "true", "app": string(f.app), "stream": "99", "head": "99", "hosting": "file", "directory": "true", "paused": "true", "product": "other",
		"minimum": "0", "minimum_admins": "0", "admin": "true", "priority": "lowest", "client-id": "mine", "public_key": "mine", "expires": "2099-01-01T00:00", "break_glass": "true",
	} {
		extra.Set(name, value)
	}
	with := func(own url.Values) url.Values {
		form := url.Values{}
		for k, v := range extra {
			form[k] = v
		}
		for k, v := range own {
			form[k] = v
		}
		return form
	}
	user, super, connector := string(f.people["user"]), f.as("super"), "/connectors/"+string(f.connector)
	edit := super.get("/people/" + user + "/edit")
	settings := super.get(connector + "/settings/edit")
	for _, tt := range []struct {
		as   *browser
		path string
		own  url.Values
	}{
		{super, "/people/" + user + "/edit", url.Values{"version": {edit.field(t, "version")}, "name": {"user"}, "emails": {"user@example.com"}}},
		{super, connector + "/settings/edit", url.Values{"version": {settings.field(t, "version")}, "name": {"renamed"}, "interval": {"90"}, "owner": {string(f.people["owner"])}}},
		{super, "/applications/new", url.Values{"name": {"Travel"}}},
		{f.as("user"), "/me/mail", url.Values{"choice": {"daily"}}},
		{f.as("user"), "/delegation", url.Values{"email": {"owner@example.com"}, "until": {"2026-12-24T00:00"}}},
	} {
		if r := tt.as.post(tt.path, with(tt.own)); r.status >= 400 {
			t.Errorf("%s: %d %s", tt.path, r.status, r.body)
		}
	}
	if r := f.as("user").post("/credentials", with(url.Values{"name": {"laptop"}, "scope": {"read"}, "days": {"30"}})); r.status >= 400 {
		t.Errorf("a credential: %d %s", r.status, r.body)
	}
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		p, err := tx.Person(f.people["user"])
		if err != nil || len(p.Roles) > 0 || p.Status != console.PersonActive || p.Service || p.MergedInto != "" {
			t.Errorf("the person is %+v, %v", p, err)
		}
		c, err := tx.Connector(f.connector)
		if err != nil || c.Name != "renamed" || c.App != f.app || c.Hosting != console.SelfHosted || c.Directory || c.Paused || c.Product != "perplexity" || c.Stream == 99 {
			t.Errorf("the connector is %+v, %v", c, err)
		}
		travel, err := tx.AppByName("Travel")
		if err != nil || !slices.Equal(travel.Owners, []console.ID{f.people["super"]}) || travel.MinimumAdmins != console.ProposedMinimumAdmins || len(travel.Roles.Roles) > 0 {
			t.Errorf("the application is %+v, %v", travel, err)
		}
		for _, id := range []console.ID{f.people["user"], f.people["super"]} {
			mine := id == f.people["user"]
			d, err := tx.Delegation(id)
			if err != nil || (d.Delegate == f.people["owner"]) != mine {
				t.Errorf("the delegation is %+v, %v", d, err)
			}
			clients, err := tx.Clients(id, "", 10)
			if err != nil || (len(clients) == 1) != mine {
				t.Errorf("the clients are %+v, %v", clients, err)
			}
			if len(clients) == 1 && (clients[0].Creator != id || clients[0].Service || clients[0].ClientID == "mine" || clients[0].Expires.After(f.now.Add(31*24*3600e9))) {
				t.Errorf("the client is %+v", clients[0])
			}
		}
		return nil
	}))
}
