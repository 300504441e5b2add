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

// TestHistory follows an access that a sync shows, then does not show, then shows again, on the
// pages of the account, the entitlement, the access and the person.
func TestHistory(t *testing.T) {
	f := withPeople(t)
	ben := f.addPerson("ben")
	var eve, member string
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
		if _, err := tx.AddReason(console.Reason{App: f.app, Account: a.Key, Entitlement: e.Key, Kind: console.ReasonManual, Ref: "ticket 7 " + hostile}); err != nil {
			return err
		}
		return tx.SetAccountOwner(a.Key, ben, store.OwnerSet)
	})
	f.now = f.now.Add(time.Hour)
	f.members = []string{"ana"}
	f.sync()
	f.now = f.now.Add(time.Hour)
	f.members, f.groups = []string{"ana", "eve"}, []string{"Engineering"}
	f.sync()

	base := "/applications/" + string(f.app)
	owner := f.as("owner")
	check := func(path string, texts ...string) answer {
		t.Helper()
		page := owner.get(path)
		page.wants(t, path, 200, texts...)
		page.checkSafe(t, path)
		return page
	}
	check(base+"/accounts/"+eve, "Why and proof", "ben")
	check(base+"/entitlements", "no effect in Perplexity")
	check(base+"/entitlements?filter=no-role", "Engineering")
	access := check(base+"/accounts/"+eve+"/entitlements/"+member, "First sync that showed it", "Last sync that showed it", "manual", "ticket 7", "the console", "direct",
		"there when first looked", "not in the sync of", "wrote a reason")
	if hashes := regexp.MustCompile(`<code class="hash">([0-9a-f]{64})</code>`).FindAllString(access.body, -1); len(hashes) != 4 {
		t.Errorf("%d hashes of files are shown, want 4: two intervals with a first and a last sync", len(hashes))
	}
	check(base+"/accounts/"+eve+"/history", "Past access", "Held again", "Gained", "Lost", "shown for the first time", "PPLX_Members", "changed whose account it is")
	of := check(base+"/entitlements/"+member+"/history", "Past holders", "Held again", "Lost", "wrote a reason: Eve")
	of.without(t, "the history of an entitlement, in each event", "wrote a reason: PPLX_Members")
	check("/people/"+string(ben), "Disabled", "manual")
	check("/people/"+string(ben)+"/history", "Gained", "Lost")
	for _, person := range []string{"user", "super"} {
		owner.get("/people/"+string(f.people[person])).wants(t, "somebody without an account in the own application", 404)
	}
	f.as("ben").get("/people/"+string(ben)+"/history").wants(t, "one's own history", 200, "Gained")
	if self := f.as("ben").get("/people/" + string(ben)); strings.Contains(self.body, base) {
		t.Error("somebody is led to pages of an application that the person may not see")
	}
	owner.get(base+"/accounts/"+eve+"/entitlements/0").wants(t, "the account itself", 200, "Enable the account")
	owner.get(base+"/accounts/"+eve+"/entitlements/99999").wants(t, "no entitlement", 404)

	// An account that is gone still has its pages.
	f.now = f.now.Add(time.Hour)
	f.members, f.leave = []string{"ana"}, []string{"eve"}
	f.sync()
	owner = f.as("owner")
	check(base+"/accounts/"+eve, "Gone", "No sync shows this account any more.")
	check(base+"/accounts/"+eve+"/history", "no longer shown", "Ended")
	check(base+"/accounts/"+eve+"/entitlements/"+member, "Gone", "Was undone")
}

// TestSearch finds people, applications, accounts and entitlements, for people who may see them.
func TestSearch(t *testing.T) {
	f := withPeople(t)
	f.addPerson("Ana Ortiz")
	everything := f.as("auditor").get("/search?q=AN")
	everything.wants(t, "as an auditor", 200, "Ana Ortiz", "Accounts", "ana@example.com")
	f.as("auditor").get("/search?q=pplx+adm").wants(t, "an entitlement", 200, "PPLX_Admin member")
	f.as("auditor").get("/search?q=perplexity").wants(t, "an application", 200, "Applications")
	f.as("auditor").get("/search?q=u07%40exa").wants(t, "an address", 200, "User 07")
	f.as("auditor").get("/search?q=user").wants(t, "many", 200, "There are more accounts")
	owner := f.as("owner").get("/search?q=an")
	owner.wants(t, "as the owner", 200, "ana@example.com")
	if strings.Contains(owner.body, "Ana Ortiz") {
		t.Error("an owner of an application finds people who have no account in it")
	}
	for _, q := range []string{"an", "pplx", "perplexity"} {
		got := f.as("user").get("/search?q=" + q)
		got.wants(t, "as a user", 200, "Nothing that you may see")
		if strings.Contains(got.body, "PPLX") || strings.Contains(got.body, "Ortiz") {
			t.Errorf("a user finds with %q what the person may not see", q)
		}
	}
	f.as("connectors").get("/search?q=pplx").wants(t, "accounts, as somebody who sees counts only", 200, "Nothing that you may see")
	for _, odd := range []string{"", "%00", "%ff", "%3Cscript%3E", strings.Repeat("x", 9000), "%C2%A7"} {
		page := f.as("auditor").get("/search?q=" + odd)
		page.wants(t, "an odd search", 200)
		page.checkSafe(t, "/search")
	}
}

// TestDomains sets the company's domains; accounts with other domains are then external.
func TestDomains(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	b.post("/settings/domains", url.Values{"domains": {"example org"}}).wants(t, "no domain", 400, "is no domain")
	if r := b.post("/settings/domains", url.Values{"domains": {"@Example.ORG\r\nexample.net"}}); r.status != 303 {
		t.Fatalf("save: %d %s", r.status, r.body)
	}
	b.get("/settings/domains").wants(t, "afterwards", 200, "example.net\nexample.org")
	accounts := "/applications/" + string(f.app) + "/accounts"
	b.get(accounts+"?filter=external").wants(t, "external accounts", 200, "ana@example.com", "External")
	b.post("/settings/domains", url.Values{"domains": {"example.com"}})
	b.get(accounts+"?filter=external").wants(t, "none is external", 200, "No account is one of these.")
	f.as("auditor").get("/settings/domains").wants(t, "as an auditor", 200, "example.com")
}
