package web

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestErasePerson proposes and confirms an erasure on the pages: by two people, after the access has
// ended. Afterwards no page names the person, and the chain is sound.
func TestErasePerson(t *testing.T) {
	f := withPeople(t)
	const name = "Zsófia Quintero"
	var ana console.ID
	f.update(func(tx *store.Tx) (err error) {
		ana, err = tx.AddPerson(console.Person{Name: name, Emails: []string{"quintero@example.com"}})
		return err
	})
	page := "/people/" + string(ana)
	super := f.as("super")
	if a := super.get(page); strings.Contains(a.body, "Erase personal data") {
		t.Error("erasing somebody active is offered")
	}
	super.post(page+"/erase", url.Values{"why": {"asked"}}).wants(t, "somebody active", 409, "is active")
	super.post(page+"/status", url.Values{"status": {"disabled"}})
	f.as("auditor").post(page+"/erase", url.Values{"why": {"asked"}}).wants(t, "as an auditor", 403, "Security Officer")
	super.get(page).wants(t, "disabled", 200, "Erase personal data", "What stays", "Propose to erase")
	super.post(page+"/erase", nil).wants(t, "without a reason", 400, "reason is missing")
	if r := super.post(page+"/erase", url.Values{"why": {name + " asked for it"}}); r.status != 303 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	super.get(page).wants(t, "proposed", 200, "waits for a second person")
	super.post(page+"/erase", url.Values{"why": {"again"}}).wants(t, "twice", 409, "proposed already")
	policies := super.get("/policies")
	policies.wants(t, "the policies", 200, "The personal data of a person is erased")
	change := regexp.MustCompile(`/changes/([^"]+)"`).FindStringSubmatch(f.as("officer").get("/policies").body)
	if change == nil {
		t.Fatal("nothing to confirm")
	}
	confirm := url.Values{"decision": {"confirm"}}
	if r := super.post("/changes/"+change[1], confirm); r.status < 400 {
		t.Errorf("its author confirms it: %d %s", r.status, r.location)
	}
	if r := f.as("officer").post("/changes/"+change[1], confirm); r.status != 303 {
		t.Fatalf("the second person: %d %s", r.status, r.body)
	}
	claimed, err := f.store.Claim(t.Context(), f.now.Add(time.Second), console.DueErasure, "test", time.Minute, 1)
	f.check(err)
	if len(claimed) != 1 {
		t.Fatalf("%d erasures are due", len(claimed))
	}
	f.check(f.store.EraseFrom(t.Context(), console.By{At: f.now, Actor: console.Console}, claimed[0]))
	super = f.as("super")
	for _, path := range []string{page, "/people", "/policies", "/audit", "/audit/export", page + "/history", "/people?format=csv"} {
		a := super.get(path)
		if a.status != 200 || strings.Contains(a.body, "Quintero") || strings.Contains(a.body, "quintero") || strings.Contains(a.body, `Zs\u00f3fia`) {
			t.Errorf("%s: %d, and it still names the person", path, a.status)
		}
	}
	var done *console.Erasure
	f.check(f.store.View(t.Context(), func(tx *store.Tx) (err error) {
		done, err = tx.Erasure(ana)
		return err
	}))
	if done == nil || done.Payloads == 0 {
		t.Fatalf("the erasure: %+v", done)
	}
	super.get(page).wants(t, "erased", 200, "Personal data erased", "[erased] asked for it", "Erased person", fmt.Sprintf("from %d events", done.Payloads))
	super.post("/audit/check", nil).wants(t, "the chain", 200, "The chain is sound", "without erased personal data")
	super.post(page+"/erase", url.Values{"why": {"again"}}).wants(t, "once more", 409, "was erased before")
	super.get("/people?search=quintero").wants(t, "search", 200)
}
