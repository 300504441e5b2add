package web

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/findings"
	"baton/console/store"
)

// appears lets a finding about the app appear, and returns its ID.
func (f *fixture) appears(kind console.FindingKind, about console.FindingAbout) (id console.ID) {
	f.t.Helper()
	rule, _ := kind.Rule()
	about.Connector = f.connector
	f.update(func(tx *store.Tx) error {
		if _, err := tx.AppearFindings(f.app, rule, []store.FindingCause{{Subject: "x", FindingAbout: about}}, store.FindingBatch{}); err != nil {
			return err
		}
		all, err := tx.CurrentFindings(f.app, kind)
		id = all["x"].ID
		return err
	})
	return id
}

// looks lets the console look for causes of findings of all kinds.
func (f *fixture) looks() {
	f.t.Helper()
	for _, k := range findings.Kinds() {
		_, err := findings.Update(context.Background(), f.store, console.By{At: f.now, Actor: console.Console}, f.app, k)
		f.check(err)
	}
}

// TestFindings shows findings on Home and on their page, accepts one until a day, snoozes another, and
// opens it again.
func TestFindings(t *testing.T) {
	f := withPeople(t)
	f.looks()
	owner, super := f.as("owner"), f.as("super")
	home := owner.get("/")
	home.wants(t, "home", 200, "Needs somebody", "accounts that belong to nobody", "Look at them", "Not connected yet", "Connect it")
	home.checkSafe(t, "/")
	if strings.Index(home.body, "Role unknown") > strings.Index(home.body, "accounts that belong to nobody") {
		t.Error("the list is not in the order of what to do first")
	}
	list := "/findings?kind=role-unknown&app=" + string(f.app)
	page := owner.get(list)
	page.wants(t, "the page", 200, "Ana", "holds several roles", "Leave one role", "Leave it for now", "All kinds", "Unmatched account (")
	page.checkSafe(t, list)
	accept := page.action(t, "/accept")
	form := url.Values{"why": {"she moves in March"}, "until": {f.now.AddDate(0, 0, 30).Format(time.DateOnly)}, "version": {"1"}, "back": {list}}
	bad := url.Values{"why": {"x"}, "until": {"next year"}, "version": {"1"}, "app": {string(f.app)}}
	super.post(accept, bad).wants(t, "no day", 400, "is no day", "Write a day like")
	bad.Set("until", f.now.AddDate(2, 0, 0).Format(time.DateOnly))
	super.post(accept, bad).wants(t, "too far away", 400, "too far away")
	if r := owner.post(accept, form); r.status != 303 || r.location != list {
		t.Fatalf("accept: %d %s %s", r.status, r.location, r.body)
	}
	owner.post(accept, form).wants(t, "an older version", 409, "was changed meanwhile")
	owner.get(list).wants(t, "accepted", 200, "None is one of these")
	accepted := owner.get(list + "&state=accepted")
	accepted.wants(t, "accepted ones", 200, "she moves in March", "Accepted", "by owner", "Open again")
	if r := owner.post(strings.Replace(accept, "/accept", "/reopen", 1), url.Values{"back": {"https://evil.example"}}); r.location != "/" {
		t.Errorf("open again leads to %q", r.location)
	}
	if r := owner.post(strings.Replace(accept, "/accept", "/snooze", 1), url.Values{"days": {"7"}, "back": {"/findings"}}); r.location != "/findings" {
		t.Errorf("snooze: %d %s", r.status, r.body)
	}
	owner.get("/findings?state=snoozed").wants(t, "snoozed ones", 200, "Put off until")

	f.as("user").get("/findings").wants(t, "a user", 200, "Nothing needs anybody")
	f.as("connectors").get("/findings").wants(t, "who looks after connectors", 200, "Not connected yet")
	if body := f.as("connectors").get("/findings").body; strings.Contains(body, "Ana") || strings.Contains(body, "belong to nobody") {
		t.Error("who looks after connectors sees who has access")
	}
	for _, query := range []string{"state=x", "kind=x", "after=x"} {
		owner.get("/findings?"+query).wants(t, query, 400)
	}
	owner.get("/findings?app=x").wants(t, "another app", 404)
}

// TestOwnFinding checks that nobody accepts a finding about the own account.
func TestOwnFinding(t *testing.T) {
	f := withPeople(t)
	var ana console.ResourceKey
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "ana")
		if err != nil {
			return err
		}
		ana = a.Key
		return tx.SetAccountOwner(ana, f.people["owner"], store.OwnerSet)
	})
	id := string(f.appears(console.RoleUnclear, console.FindingAbout{Account: ana}))
	form := url.Values{"why": {"it is fine"}, "until": {f.now.AddDate(0, 0, 3).Format(time.DateOnly)}, "days": {"3"}}
	for _, verb := range []string{"accept", "snooze", "reopen"} {
		f.as("owner").post("/findings/"+id+"/"+verb, form).wants(t, verb, 403, "own account")
	}
	if body := f.as("owner").get("/findings").body; strings.Contains(body, "/accept") {
		t.Error("the page offers it")
	}
	if r := f.as("super").post("/findings/"+id+"/accept", form); r.status != 303 {
		t.Errorf("somebody else: %d %s", r.status, r.body)
	}
}
