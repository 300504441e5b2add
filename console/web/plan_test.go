package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/plan"
	"baton/console/store"
)

// plans makes a plan to disable an account of the app.
func (f *fixture) plans(account string) (id console.ID) {
	f.t.Helper()
	key, err := strconv.ParseInt(account, 10, 64)
	f.check(err)
	f.update(func(tx *store.Tx) error {
		p, err := tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Title: "Selected " + hostile, Why: "because " + hostile},
			[]console.PlanRow{{App: f.app, Account: console.ResourceKey(key), Do: console.PlanRemove}})
		id = p.ID
		return err
	})
	f.check(plan.Compute(f.t.Context(), f.store, console.By{At: f.now, Actor: console.Console}, id))
	return id
}

// TestPlanPages makes a plan from the holders of an entitlement, looks at it and applies it, and
// downloads its rows and lines.
func TestPlanPages(t *testing.T) {
	f := withPeople(t)
	var members console.EntitlementKey
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:members:member")
		members = e.Key
		return err
	}))
	owner := f.as("owner")
	list := "/applications/" + string(f.app) + "/entitlements/" + strconv.FormatInt(int64(members), 10)
	holders := owner.get(list)
	holders.wants(t, "holders", 200, "Remove it from the selected", `name="row" value="`+string(f.app)+"/")
	holders.checkSafe(t, list)
	if strings.Contains(f.as("auditor").get(list).body, "Remove it from the selected") {
		t.Error("an auditor is offered to remove")
	}
	var rows []string
	for _, part := range strings.Split(holders.body, `name="row" value="`)[1:] {
		row, _, _ := strings.Cut(part, `"`)
		rows = append(rows, row)
	}
	owner.post("/plans", url.Values{"row": rows}).wants(t, "no reason", 400, "reason is missing")
	owner.post("/plans", url.Values{"why": {"x"}}).wants(t, "no rows", 400, "plan has no rows")
	owner.post("/plans", url.Values{"why": {"x"}, "row": {"x/y/z"}}).wants(t, "a damaged row", 400, "is no row of a plan")
	owner.post("/plans", url.Values{"why": {"x"}, "row": {rows[0] + "/enlarge"}}).wants(t, "another verb", 400, "It can remove and lower")
	made := owner.post("/plans", url.Values{"why": {"the project is over"}, "row": rows})
	if made.status != 303 || !strings.HasPrefix(made.location, "/plans/") {
		t.Fatalf("%d %s %s", made.status, made.location, made.body)
	}
	page := owner.get(made.location)
	page.wants(t, "the plan", 200, "Consequence", "rows are carried out", "the project is over", "Administrators", "Who loses what", "Apply to "+strconv.Itoa(len(rows))+" rows", "Planned ("+strconv.Itoa(len(rows))+")")
	page.checkSafe(t, made.location)
	owner.get("/plans?open=yes").wants(t, "the list", 200, "Selected access in", "Ready")
	f.as("user").get("/plans").wants(t, "the list of a user", 200, "There is no plan")
	owner.get(made.location+"?result=x").wants(t, "no such result", 400)
	owner.get(made.location+"?result=verified").wants(t, "none of these", 200, "No row is one of these")

	hash := page.field(t, "hash")
	lines := owner.get(made.location + "/lines")
	if sum := sha256.Sum256([]byte(lines.body)); lines.status != 200 || hex.EncodeToString(sum[:]) != hash {
		t.Errorf("%d: the lines have another hash than %s", lines.status, hash)
	}
	csv := owner.get(made.location + "?format=csv")
	csv.wants(t, "CSV", 200, "Person,Application,Account", "Planned")
	exports := 0
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			if e.Kind == "list.exported" && strings.Contains(e.Object, strings.TrimPrefix(made.location, "/plans/")) {
				exports++
			}
		}
		return err
	}))
	if exports != 2 {
		t.Errorf("%d exports are events", exports)
	}

	owner.post(made.location+"/apply", nil).wants(t, "without a hash", 400, "hash of the plan is missing")
	owner.post(made.location+"/apply", url.Values{"hash": {strings.Repeat("0", 64)}}).wants(t, "another hash", 409, "not the one that you looked at")
	if r := owner.post(made.location+"/apply", url.Values{"hash": {hash}}); r.status != 303 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	owner.get(made.location).wants(t, "applied", 200, "Applying", "Stop what is not carried out yet")
	owner.post(made.location+"/stop", url.Values{"why": {"enough"}})
	f.check(plan.Advance(t.Context(), f.store, func() time.Time { return f.now }, console.ID(strings.TrimPrefix(made.location, "/plans/"))))
	owner.get(made.location).wants(t, "stopped", 200, "Verifying", "Stopped", "enough")
}

// TestPlanForms offers plans on the pages of changes, of accounts with several roles, and of a person.
func TestPlanForms(t *testing.T) {
	f := withPeople(t)
	super := f.as("super")
	app := string(f.app)
	accounts := "/applications/" + app + "/accounts?filter=several-roles"
	page := super.get(accounts)
	page.wants(t, "accounts with several roles", 200, "Leave them one role", "Role that they keep")
	page.checkSafe(t, accounts)
	if strings.Contains(super.get("/applications/"+app+"/accounts").body, "Leave them one role") {
		t.Error("offered for all accounts")
	}
	super.post("/plans", url.Values{"cause": {"both-roles"}, "ref": {app}, "keep": {"Cook"}, "why": {"x"}}).wants(t, "no such role", 400, "no role")
	made := super.post("/plans", url.Values{"cause": {"both-roles"}, "ref": {app}, "keep": {"Member"}, "why": {"nobody needs two"}})
	super.get(made.location).wants(t, "one role", 200, "Accounts with several roles in", "Ana")

	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		ana, err := tx.ResourceByID(m, "user", "ana")
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(ana.Key, f.people["helpdesk"], store.OwnerSet)
	})
	person := "/people/" + string(f.people["helpdesk"])
	super.get(person).wants(t, "a person", 200, "Plan to remove everything")
	if strings.Contains(f.as("auditor").get(person).body, "Plan to remove everything") {
		t.Error("an auditor is offered to remove")
	}
	made = super.post("/plans", url.Values{"cause": {"leaving"}, "ref": {string(f.people["helpdesk"])}, "why": {"she leaves"}})
	super.get(made.location).wants(t, "everything of a person", 200, "Everything of helpdesk", "account disabled", "One account is disabled")
	super.post("/plans", url.Values{"cause": {"leaving"}, "ref": {string(f.people["user"])}, "why": {"x"}}).wants(t, "somebody without access", 409, "here is nothing to remove")
	super.post("/plans", url.Values{"cause": {"campaign"}, "ref": {"x"}, "why": {"x"}, "row": {app + "/1/0"}}).wants(t, "a campaign", 400, "nly a campaign makes")
}
