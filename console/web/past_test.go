package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestAsOf checks every list and object page at a moment at which another person had the access: the
// past content, the current owner, no forms, and links that keep the moment.
func TestAsOf(t *testing.T) {
	f := withPeople(t)
	ben, cleo := f.addPerson("ben"), f.addPerson("cleo")
	var eve, member, reason string
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "eve")
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:members:member")
		if err != nil {
			return err
		}
		eve, member = fmt.Sprint(a.Key), fmt.Sprint(e.Key)
		id, err := tx.AddReason(console.Reason{App: f.app, Account: a.Key, Entitlement: e.Key, Kind: console.ReasonManual, Ref: "ticket 7 " + hostile})
		reason = string(id)
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(a.Key, ben, store.OwnerSet)
	})
	f.now = f.now.Add(time.Hour)
	then := f.now
	f.now = f.now.Add(time.Hour)
	f.members = []string{"ana"}
	f.sync()
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "eve")
		if err != nil {
			return err
		}
		if err := tx.SetAccountOwner(a.Key, cleo, store.OwnerSet); err != nil {
			return err
		}
		if err := tx.EndReason(console.ID(reason), "it is over"); err != nil {
			return err
		}
		p, err := tx.Person(ben)
		if err != nil {
			return err
		}
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
	f.now = f.now.Add(time.Hour)

	base, at := "/applications/"+string(f.app), "?at="+then.Format("2006-01-02T15:04:05Z")
	super := f.as("super")
	link := regexp.MustCompile(`href="(/(?:applications|people)[^"]*)"`)
	ofNow := regexp.MustCompile(`/(history|operations|settings|provisioning|seats|requests|unmanaged|changes|requirement|recovery)|accounts/\d+/entitlements`)
	check := func(path string, texts ...string) answer {
		t.Helper()
		page := super.get(path + at)
		page.wants(t, path, 200, append(texts, "As of "+then.Format("2 Jan 2006 15:04:05")+" UTC.", `<a href="`+path+`">Back to now</a>`)...)
		page.checkSafe(t, path)
		main := page.body[strings.Index(page.body, `id="moment"`):]
		if strings.Contains(main, `method="post"`) {
			t.Errorf("%s as of then has a form that changes something", path)
		}
		for _, m := range link.FindAllStringSubmatch(strings.Replace(main, `<a href="`+path+`">Back`, "", 1), -1) {
			keeps := !ofNow.MatchString(m[1]) && m[1] != "/people/"+string(cleo)
			if m[1] = strings.ReplaceAll(m[1], "&#43;", "+"); keeps && !strings.Contains(m[1], "at="+then.Format("2006-01-02T15")) {
				t.Errorf("the link %s on %s loses the moment", m[1], path)
			}
		}
		super.get(path).wants(t, path+" now", 200, "As of another moment")
		return page
	}
	check("/applications", "Perplexity")
	check(base, "accounts")
	check(base+"/accounts", "ben", "now matched to", "cleo")
	check(base+"/accounts/"+eve, "ben", "now matched to", "manual", "Explained", "PPLX_Members")
	check(base+"/entitlements", "PPLX_Members")
	holders := check(base+"/entitlements/"+member, "Eve", "ben", "now matched to", "Explained", "2 holders")
	check("/people", "ben")
	person := check("/people/"+string(ben), "Eve", "now matched to", "Explained")
	if strings.Contains(person.body, "Disabled</span></h1>") {
		t.Error("ben counts as disabled at a moment at which he was not")
	}
	super.get(base+"/entitlements/"+member).wants(t, "the holders now", 200, "1 holder")
	super.get("/people/"+string(ben)).wants(t, "ben now", 200, "No account is matched to ben")
	if strings.Contains(holders.body, "Orphaned") {
		t.Error("the account counts as orphaned at a moment at which it was not")
	}
	if csv := super.get(base + "/entitlements/" + member + at + "&format=csv"); csv.status != 200 || !strings.Contains(csv.body, "eve@example.com") || !strings.Contains(csv.header.Get("Content-Disposition"), "as-of") {
		t.Errorf("the holders of then as a file: %d %v %s", csv.status, csv.header, csv.body)
	}
	check("/people/" + string(ben)) // a second time, because the export is an event

	// Before the first sync, and invalid moments.
	early := "?at=" + noon.Add(-time.Hour).Format("2006-01-02T15:04")
	super.get(base+"/accounts"+early).wants(t, "before the first sync", 200, "No sync that had begun by then")
	super.get(base+"/accounts/"+eve+early).wants(t, "the account before the first sync", 404, "shows this account")
	super.get("/people/"+string(ben)+early).wants(t, "the person before it was known", 404, "was not known")
	for _, text := range []string{"yesterday", "2026-02-30", "1000-01-01", "%00", "2026-11-29T99:00"} {
		super.get(base+"/accounts?at="+text).wants(t, text, 400, "Write a day and a time in UTC")
	}
	super.get("/people?at="+f.now.Add(time.Hour).Format("2006-01-02T15:04")).wants(t, "the future", 400, "is not over yet")

	// People who may see the present may see the past, and nobody else.
	f.as("owner").get(base+"/accounts"+at).wants(t, "the owner", 200, "now matched to")
	f.as("connectors").get(base+"/accounts"+at).wants(t, "a connector administrator", 403)
	f.as("user").get(base+at).wants(t, "a user", 404)
	f.as("cleo").get("/people/"+string(ben)+at).wants(t, "somebody else", 404)
	f.as("cleo").get("/people/"+string(cleo)+at).wants(t, "oneself", 200, "No account was matched to cleo")
}
