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

// TestChanges compares syncs on the page of an app and on that of all apps: a change with a reason,
// an unexplained one that a person explains, and expected ones.
func TestChanges(t *testing.T) {
	f := withPeople(t)
	var eve console.ResourceKey
	var member console.EntitlementKey
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
		eve, member = a.Key, e.Key
		return err
	})
	start := f.now.Add(time.Minute)
	f.now = f.now.Add(time.Hour)
	f.members = []string{"eve", "u07", "u08"} // ana lost it; two gained it, one of them with a reason
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "u08")
		if err != nil {
			return err
		}
		if _, err = tx.AddReason(console.Reason{App: f.app, Account: a.Key, Entitlement: member, Kind: console.ReasonManual, Ref: "ticket 9 " + hostile}); err != nil {
			return err
		}
		if a, err = tx.ResourceByID(m, "user", "u07"); err != nil {
			return err
		}
		return tx.SetAccountOwner(a.Key, f.people["owner"], store.OwnerSet)
	})
	f.sync()
	f.now = f.now.Add(time.Hour)
	f.members, f.groups = []string{"u07", "u08"}, []string{"Engineering"} // eve lost it; a new group
	f.sync()
	f.now = f.now.Add(time.Hour)

	base := "/applications/" + string(f.app) + "/changes"
	super, owner := f.as("super"), f.as("owner")
	get := func(b *browser, path string, texts ...string) answer {
		t.Helper()
		page := b.get(path)
		page.wants(t, path, 200, texts...)
		page.checkSafe(t, path)
		return page
	}
	gained, lost := `Gained</span> <a`, `Lost</span> <a`
	all := get(super, base, "User 07", "User 08", "Ana", "Eve", "Engineering", "ticket 9", "a reason written down", "there when first looked", "Resource appeared", "What is compared")
	if strings.Count(all.body, lost) != 2 || strings.Count(all.body, gained) != 3 { // ana in the new group, too
		t.Errorf("%d lost and %d gained: %s", strings.Count(all.body, lost), strings.Count(all.body, gained), all.body)
	}
	unexplained := get(super, base+"?show=unexplained", "User 07", "Ana", "Eve")
	if strings.Contains(unexplained.body, "User 08") || strings.Contains(unexplained.body, `muted">there when first looked`) {
		t.Error("an explained or expected change counts as unexplained")
	}
	get(super, base+"?show=explained", "User 08")
	get(super, base+"?show=expected", "Engineering")
	get(super, base+"?filter=came-back", "No change is one of these")
	get(super, base+"?filter=orphaned", "No change is one of these")
	get(super, base+"?from="+f.now.Add(-time.Minute).Format("2006-01-02T15:04"), "Nothing changed", "no sync in between")
	get(super, base+"?from="+start.Format("2006-01-02T15:04")+"&to="+start.Add(90*time.Minute).Format("2006-01-02T15:04"), "User 07")
	get(super, base+"?from=2020-01-01&to=2020-02-01", "no sync by then", "Nothing changed")
	get(super, base+"?from=2020-01-01", "was there when first looked")
	get(super, "/changes", "User 07", "Perplexity", "Changes</a>")

	// Two syncs, by their numbers.
	numbers := regexp.MustCompile(`<option value="(\d+)"`).FindAllStringSubmatch(all.body, 3)
	newest, middle, first := numbers[0][1], numbers[1][1], numbers[2][1]
	two := get(super, base+"?from="+first+"&to="+middle, "User 07")
	if strings.Contains(two.body, "Engineering") {
		t.Error("a change of the later sync is shown between the two before")
	}
	get(super, base+"?from="+middle+"&to="+newest, "Engineering")
	for _, bad := range []string{"?from=" + newest + "&to=" + first, "?from=x", "?to=" + first, "?from=2999-01-01", "?from=2026-11-29&to=2026-11-28", "?show=x", "?filter=external", "?from=0&to=1", "?after=%25"} {
		super.get(base+bad).wants(t, bad, 400)
	}
	super.get(base+"?from=99998&to=99999").wants(t, "syncs that do not exist", 404)
	super.get("/changes?from="+first+"&to="+newest).wants(t, "syncs over all", 400)

	// Paging returns the same list.
	seen := map[string]bool{}
	for path := base; path != ""; {
		page := get(super, path)
		for _, m := range regexp.MustCompile(`id="why-([0-9-]+)"`).FindAllStringSubmatch(page.body, -1) {
			seen[m[1]] = true
		}
		path = ""
		if strings.Contains(page.body, "Next page") {
			path = base + page.link(t, "Next page")
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d changes can be explained, want 3: %v", len(seen), seen)
	}

	// A person explains the loss of eve's membership. People cannot explain their own changes.
	form := func(key console.ResourceKey, sync string, more url.Values) url.Values {
		v := url.Values{"sync": {sync}, "kind": {"3"}, "entitlement": {fmt.Sprint(member)}, "principal": {fmt.Sprint(key)}, "why": {"agreed by phone " + hostile}, "show": {"unexplained"}}
		for name, values := range more {
			v[name] = values
		}
		return v
	}
	super.post(base, form(eve, newest, url.Values{"why": {" "}})).wants(t, "without a reason", 400, "A reason is missing")
	super.post(base, form(eve, middle, nil)).wants(t, "a change that is none", 404)
	f.as("auditor").post(base, form(eve, newest, nil)).wants(t, "an auditor", 403, "Security Officer")
	if r := super.post(base, form(eve, newest, nil)); r.status != 303 || r.location != base+"?show=unexplained" {
		t.Fatalf("explain: %d %s %s", r.status, r.location, r.body)
	}
	super.post(base, form(eve, newest, nil)).wants(t, "a second time", 409, "explained already")
	get(super, base+"?show=explained", "agreed by phone", "super")
	if page := get(super, base+"?show=unexplained"); strings.Contains(page.body, "Eve ") {
		t.Error("an explained change counts as unexplained")
	}
	var u07 console.ResourceKey
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		a, err := tx.ResourceByID(m, "user", "u07")
		u07 = a.Key
		return err
	})
	if page := get(owner, base+"?show=unexplained", "User 07"); strings.Contains(page.body, fmt.Sprintf("%s-3-%d-%d", middle, member, u07)) {
		t.Error("the owner of the account is offered to explain it")
	}
	owner.post(base, form(u07, middle, nil)).wants(t, "one's own access", 403, "own access")
	super.post(base, form(u07, middle, url.Values{"keep": {"true"}, "all": {"1"}})).wants(t, "with a reason to keep it", 303)
	get(super, fmt.Sprintf("/applications/%s/accounts/%d", f.app, u07), "agreed by phone", "Explained")
	get(super, "/audit?kind=change", "change explained", "agreed by phone")
	f.as("user").get("/changes").wants(t, "a user", 200, "There is no application whose access you may see.")
}
