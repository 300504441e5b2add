package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// setSeats enters the purchased seats of the app as its owner.
func (f *fixture) setSeats(b *browser, version, purchased string, more url.Values) {
	f.t.Helper()
	form := url.Values{"version": {version}, "purchased": {purchased}}
	for k, v := range more {
		form[k] = v
	}
	if r := b.post("/applications/"+string(f.app)+"/seats", form); r.status != http.StatusSeeOther {
		f.t.Fatalf("enter the seats: %d %s", r.status, r.body)
	}
}

// TestSeats enters the purchased seats of an app, counts those that are used, and lists those that
// could be freed.
func TestSeats(t *testing.T) {
	f := withPeople(t)
	owner := f.as("owner")
	path := "/applications/" + string(f.app) + "/seats"
	page := owner.get(path)
	page.wants(t, "before anything is entered", 200, "Nobody entered how many seats were purchased", "There is one Enterprise Max user: 62 seats are not needed")
	page.checkSafe(t, path)
	for _, bad := range []url.Values{{"version": {"0"}, "purchased": {"many"}}, {"version": {"0"}, "renewal": {"2027-01-31"}}, {"version": {"0"}, "purchased": {"5"}, "renewal": {"soon"}},
		{"version": {"0"}, "purchased": {"5"}, "otherwise": {"nothing"}}, {"purchased": {"5"}}} {
		if r := owner.post(path, bad); r.status != 400 {
			t.Errorf("%v: %d", bad, r.status)
		}
	}
	f.setSeats(owner, "0", "61", url.Values{"renewal": {"2026-12-20"}, "block": {"yes"}})
	page = owner.get(path)
	page.wants(t, "the seats", 200, "at least 61 of 61", "61 enabled accounts in the newest sync", "at most 0", "20 Dec 2026", "Soon", "accounts are not made or enabled",
		"61 seats are purchased, fewer than 62.", "Ask Perplexity before you go below.", "This is a lower bound", "has no role", "Disable", "Say whose it is", "owner</td>")
	if strings.Contains(page.body, "unused") || strings.Contains(page.body, "belongs to nobody") {
		t.Error("something is concluded from missing logins, or from one sync")
	}
	f.sync()
	owner.get(path).wants(t, "after two syncs", 200, "belongs to nobody")
	f.update(func(tx *store.Tx) error {
		p, err := tx.Person(f.people["user"])
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(mustMoment(t, tx, f.app), "user", "u07")
		if err == nil {
			err = tx.SetAccountOwner(r.Key, p.ID, store.OwnerSet)
		}
		p.Status = console.PersonGone
		if err == nil {
			err = tx.ChangePerson(p)
		}
		return err
	})
	owner.get(path).wants(t, "an owner left", 200, "user left, has no role")
	if r := owner.post(path, url.Values{"version": {"0"}, "purchased": {"70"}}); r.status != 409 {
		t.Errorf("an old version: %d", r.status)
	}
	f.setSeats(owner, "1", "61", url.Values{"otherwise": {"SCIM"}})
	page = owner.get(path)
	page.wants(t, "another version", 200, "An owner entered that there is one Enterprise Max user.", "people are warned")
	if strings.Contains(page.body, "fewer than 62") {
		t.Error("a threshold that is met otherwise is missed")
	}
	if s := f.receive(10); s.State != console.SyncHeld {
		t.Fatalf("the sync is %s", s.State)
	}
	owner.get(path).wants(t, "a held sync", 200, "It is not known how many seats are used", "is held", "Unknown")
}

func mustMoment(t *testing.T, tx *store.Tx, app console.ID) store.Moment {
	t.Helper()
	m, err := tx.Moment(app, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAcceptance13CreateAccountAtPurchased makes an account while every purchased seat is used: who
// makes it is warned, and who asks or approves reads what it does to the seats.
func TestAcceptance13CreateAccountAtPurchased(t *testing.T) {
	f := withPeople(t)
	f.able()
	owner, user := f.as("owner"), f.as("user")
	member := fmt.Sprintf("/request/%s/%d", f.app, f.entitlement("group:members:member"))
	const seat, warning = "&#43;1 seat, at least 61 → 62 of 61", "It needs more seats than were purchased: at least 62 of 61. The supplier may charge for it."
	for path, b := range map[string]*browser{"/request": user, member: user, "/applications/" + string(f.app) + "/accounts/new?email=user@example.com": owner} {
		if page := b.get(path); strings.Contains(page.body, " seat") {
			t.Errorf("%s speaks of seats that nobody entered", path)
		}
	}
	f.setSeats(owner, "0", "61", nil)
	user.get("/request").wants(t, "the catalogue", 200, seat, "No seat left")
	user.get(member).wants(t, "the form", 200, seat, warning, "It reaches 62 seats. Ask Perplexity before you go below.")
	r := user.post(member, url.Values{"duration": {"8h"}, "why": {"ticket"}})
	if r.status != http.StatusSeeOther {
		t.Fatalf("ask: %d %s", r.status, r.body)
	}
	owner.get(r.location).wants(t, "the approver's panel", 200, seat, warning)
	owner.get("/approvals").wants(t, "the list of approvals", 200, seat, "No seat left")

	// By hand, for somebody else; it counts at once.
	create := "/applications/" + string(f.app) + "/accounts/new"
	owner.get(create+"?email=auditor@example.com").wants(t, "the form of an account", 200, seat, warning)
	if made := owner.post(create, url.Values{"email": {"auditor@example.com"}, "why": {"ticket"}}); made.status != http.StatusSeeOther {
		t.Fatalf("warned only: %d %s", made.status, made.body)
	}
	owner.get("/applications/"+string(f.app)+"/seats").wants(t, "the seats", 200, "Reserved", "1 more seat is used or reserved than were purchased")
	owner.get(r.location).wants(t, "the approver's panel", 200, "&#43;1 seat, at least 62 → 63 of 61")
	f.setSeats(owner, "1", "61", url.Values{"block": {"yes"}})
	owner.post(create, url.Values{"email": {"helpdesk@example.com"}, "why": {"ticket"}}).wants(t, "refused", 409, "seat is left: at least 62 of 61 are used or reserved")
	f.as("helpdesk").get(member).wants(t, "asked for", 200, "seat is left", "An owner chose that this is refused.")

	// A held sync: nobody knows how many are used.
	if s := f.receive(10); s.State != console.SyncHeld {
		t.Fatalf("the sync is %s", s.State)
	}
	owner.get(r.location).wants(t, "the approver's panel", 200, "&#43;1 seat, unknown of 61", "It is not known how many seats are used: the newest sync of")
}

// TestLeaveOneRole removes one of two roles of an account, and of all accounts, with a reason.
func TestLeaveOneRole(t *testing.T) {
	f := withPeople(t)
	f.able()
	f.members = []string{"ana", "eve", "u00", "u01"}
	f.sync()
	owner := f.as("owner")
	path := "/applications/" + string(f.app) + "/several-roles"
	page := owner.get(path)
	page.wants(t, "the list", 200, "Ana", "Role unknown", "Leave only Member", "Leave only Admin", "counts with the most powerful one as a risk")
	page.checkSafe(t, path)
	if strings.Contains(page.body, "User 00") || strings.Contains(page.body, "All of them") {
		t.Error("somebody with one role is listed, or one account is all")
	}
	ana := f.account("ana")
	keep := path + "?account=" + strconv.FormatInt(int64(ana), 10) + "&keep="
	owner.get(keep+"nothing").wants(t, "no such role", 400)
	higher, lower := f.entitlement("group:admins:member"), f.entitlement("group:members:member")
	confirm := owner.get(keep + "lowest")
	confirm.wants(t, "what it removes", 200, fmt.Sprintf(`value="%d/%d"`, ana, higher), "Admin and Member → Member", "Remove the chosen ones", "Who holds this is decided in the identity provider")
	owner.post(path, url.Values{"keep": {"lowest"}, "remove": {fmt.Sprintf("%d/%d", ana, higher)}}).wants(t, "no reason", 400, "reason is missing")
	owner.post(path, url.Values{"remove": {"x"}, "why": {"y"}}).wants(t, "damaged", 400)
	owner.post(path, url.Values{"why": {"y"}}).wants(t, "nothing", 400)
	done := owner.post(path, url.Values{"keep": {"highest"}, "why": {"one is enough"}, "remove": {fmt.Sprintf("%d/%d", ana, lower), fmt.Sprintf("%d/%d", ana, higher), fmt.Sprintf("%d/%d", f.account("u00"), lower)}})
	done.wants(t, "what was done", 200, "Member is being removed", "t is the last role of the account")
	if n := strings.Count(done.body, "t is the last role of the account"); n != 2 {
		t.Errorf("%d of 2 last roles are kept", n)
	}
	f.as("auditor").post(path, url.Values{"remove": {fmt.Sprintf("%d/%d", ana, lower)}, "why": {"y"}}).wants(t, "without the right", 403)
	owner.get(fmt.Sprintf("/applications/%s/accounts/%d", f.app, ana)).wants(t, "the account", 200, "Leave one role")
}

// account returns the key of an account of the fixture's syncs.
func (f *fixture) account(id string) (key console.ResourceKey) {
	f.t.Helper()
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", id)
		key = r.Key
		return err
	})
	return key
}
