package web

import (
	"net/url"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

// TestMailPages configures mail, shows the outbox with hostile texts, and resends a failed mail.
func TestMailPages(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	form := url.Values{"host": {"smtp.example.com"}, "port": {"587"}, "tls": {"starttls"}, "user": {"u"}, "password": {"the secret password"}, "from": {"Baton <b@example.com>"}}
	wrong := url.Values{"host": {"smtp.example.com"}, "port": {"x"}, "tls": {"starttls"}, "from": {"b@example.com"}}
	b.post("/settings/mail", wrong).wants(t, "a wrong port", 400, "is no port", `value="smtp.example.com"`)
	if r := b.post("/settings/mail", form); r.status != 303 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	page := b.get("/settings/mail")
	page.wants(t, "settings", 200, "Send a test mail", "Stored; leave empty to keep it", "Switch mail off")
	if strings.Contains(page.body, "secret password") {
		t.Error("the page shows the password")
	}
	form.Set("host", "elsewhere.example.com")
	form.Set("password", "")
	b.post("/settings/mail", form).wants(t, "another server without password", 400, "the password was not given again")
	seen := f.as("auditor").get("/settings/mail")
	seen.wants(t, "an auditor", 200, "smtp.example.com", "stored")
	if strings.Contains(seen.body, "<form method=\"post\" action=\"/settings/mail") {
		t.Error("an auditor sees the form")
	}

	var failed console.ID
	f.update(func(tx *store.Tx) error {
		var err error
		if failed, err = tx.AddMail(console.Mail{Person: f.people["owner"], Subject: "Connector " + hostile}, nil); err != nil {
			return err
		}
		m, err := tx.Mail(failed)
		if err != nil {
			return err
		}
		m.State, m.Ended, m.Attempts, m.Address, m.Detail = console.MailFailed, f.now, 2, "owner@example.com", "no such user "+hostile
		return tx.ChangeMail(m)
	})
	list := b.get("/settings/mail/outbox")
	list.wants(t, "outbox", 200, "no such user", "Failed: 1", "Send again", "2 attempts", "owner@example.com")
	list.checkSafe(t, "outbox")
	b.get("/settings/mail/outbox?state=sent").wants(t, "sent", 200, "No mail is sent.")
	if r := b.post("/settings/mail/outbox/"+string(failed)+"/retry", nil); r.status != 303 {
		t.Errorf("retry: %d %s", r.status, r.body)
	}
	b.post("/settings/mail/outbox/"+string(failed)+"/retry", nil).wants(t, "retry again", 409, "queued")
	if r := b.post("/settings/mail", url.Values{"off": {"true"}}); r.status != 303 {
		t.Errorf("off: %d", r.status)
	}
	b.get("/settings/mail").wants(t, "off", 200, "Without a mail server")

	mine := f.as("user")
	mine.get("/me/mail").wants(t, "my mail", 200, `value="each" checked`)
	mine.post("/me/mail", url.Values{"choice": {"daily"}}).wants(t, "daily", 200, `value="daily" checked`, "Saved")
}

// confirm lets a super administrator confirm the change that waits for a second person.
func (f *fixture) confirm() {
	f.t.Helper()
	var open []console.Amendment
	if err := f.store.View(f.t.Context(), func(tx *store.Tx) (err error) {
		open, err = tx.OpenAmendments()
		return err
	}); err != nil || len(open) != 1 {
		f.t.Fatalf("%+v, %v", open, err)
	}
	if r := f.as("super").post("/changes/"+string(open[0].ID), url.Values{"decision": {"confirm"}}); r.status != 303 {
		f.t.Errorf("confirm: %d", r.status)
	}
}

// TestOwnerPages adds and removes owners on the pages of an app and of a connector.
func TestOwnerPages(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	for path, page := range map[string]string{"/applications/" + string(f.app): "", "/connectors/" + string(f.connector): "/settings"} {
		if page != "" {
			f.update(func(tx *store.Tx) error {
				c, err := tx.Connector(f.connector)
				c.Owners = []console.ID{f.people["owner"]}
				if err != nil {
					return err
				}
				return tx.ChangeConnector(c)
			})
		}
		b.get(path+page).wants(t, path, 200, "Add owner", "without an owner")
		b.post(path+"/owners", url.Values{"add": {"nobody@example.com"}}).wants(t, "nobody", 400, "nobody@example.com", "Add owner")
		b.post(path+"/owners", url.Values{"remove": {string(f.people["owner"])}}).wants(t, "the last one", 409, "Nobody would own")
		to := path + page
		add := url.Values{"add": {"user@example.com"}}
		if page == "" { // owners decide who becomes an administrator: a second person confirms the change
			b.post(path+"/owners", add).wants(t, "without a reason", 400, "say why")
			add.Set("why", "on holiday")
			to = path + "?waits=1"
		}
		if r := b.post(path+"/owners", add); r.status != 303 || r.location != to {
			t.Errorf("add: %d %s", r.status, r.location)
		}
		if page == "" {
			if after := b.get(path + page); strings.Contains(after.body, "user@example.com") {
				t.Error("the new owner counts before a second person confirmed it")
			}
			f.confirm()
		}
		after := b.get(path + page)
		after.wants(t, path, 200, "user@example.com")
		if strings.Contains(after.body, `name="alone"`) {
			t.Errorf("%s warns of the last owner, and there are two", path)
		}
	}
	if r := b.post("/applications/"+string(f.app)+"/owners", url.Values{"remove": {string(f.people["owner"])}}); r.status != 303 || r.location != "/applications" {
		t.Errorf("one's own ownership: %d %s", r.status, r.location)
	}
	f.as("user").get("/applications/"+string(f.app)).wants(t, "the new owner", 200, "Add owner")
	if err := f.store.View(t.Context(), func(tx *store.Tx) error {
		a, err := tx.App(f.app)
		if len(a.Owners) != 1 || a.Owners[0] != f.people["user"] {
			t.Errorf("owners %q", a.Owners)
		}
		return err
	}); err != nil && baton.KindOf(err) != baton.NotFound {
		t.Error(err)
	}
}
