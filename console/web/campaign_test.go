package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/plan"
	"baton/console/review"
	"baton/console/store"
)

// addCampaign makes a campaign on its pages about the access of the fixture's app, which its owner reviews,
// and starts it.
func (f *fixture) addCampaign(edits ...func(url.Values)) console.ID {
	f.t.Helper()
	b := f.as("campaigns")
	form := url.Values{"name": {"Quarterly " + strings.NewReplacer("\x00", "", "\u202e", "").Replace(hostile)}, "owners": {"campaigns@example.com"}, "ask": {"app-owner"}, "fallback": {"role:security-officer"},
		"outcome": {"one"}, "wins": {"remove"}, "unanswered": {"keep"}, "lasts": {"14d"}, "max-age": {"2d"}, "meter": {"yes"}, "reminders": {"yes"}, "instructions": {"Look well.\nAsk if you do not know."}}
	for _, edit := range edits {
		edit(form)
	}
	r := b.post("/campaigns/new", form)
	if r.status != http.StatusSeeOther {
		f.t.Fatalf("the campaign is not made: %d %s", r.status, r.body)
	}
	id := console.ID(strings.TrimPrefix(r.location, "/campaigns/"))
	b.post(r.location+"/prepare", nil).wants(f.t, "prepare", http.StatusSeeOther)
	f.advance(id)
	b.post(r.location+"/start", nil).wants(f.t, "start", http.StatusSeeOther)
	return id
}

// advance does what is due about a campaign and its plan, like the worker.
func (f *fixture) advance(id console.ID) {
	f.t.Helper()
	now := func() time.Time { return f.now }
	for range 4 {
		_, err := review.Advance(f.t.Context(), f.store, now, id, func() error { return nil })
		f.check(err)
		var c console.Campaign
		f.check(f.store.View(f.t.Context(), func(tx *store.Tx) (err error) {
			c, err = tx.Campaign(id)
			return err
		}))
		if c.Plan != "" {
			f.check(plan.Advance(f.t.Context(), f.store, now, c.Plan))
		}
	}
}

var hashField = regexp.MustCompile(`name="hash\.(\d+)" value="([0-9a-f]{64})"`)

// decisions returns the form of a page of items with one choice for each of them.
func (a answer) decisions(choice string) url.Values {
	form := url.Values{"loaded": {"0"}}
	for _, m := range hashField.FindAllStringSubmatch(a.body, -1) {
		form.Set("hash."+m[1], m[2])
		form.Set("choice."+m[1], choice)
	}
	return form
}

// TestReviewPages follows a campaign through its pages: from the preview to the plan of its removals.
func TestReviewPages(t *testing.T) {
	f := withPeople(t)
	camp := f.as("campaigns")
	form := url.Values{"name": {"Quarterly"}, "owners": {"campaigns@example.com"}, "ask": {"app-owner"}, "outcome": {"one"}, "wins": {"remove"}, "unanswered": {"keep"}, "scope-app": {string(f.app)}, "do": {"choose"}}
	camp.get("/campaigns/new").wants(t, "the form", 200, "The owners of the application", "Keep it, and tell the owners")
	camp.post("/campaigns/new", form).wants(t, "the entitlements", 200, "PPLX_Admin member")
	form.Set("do", "preview")
	camp.post("/campaigns/new", form).wants(t, "the preview", 200, "3 accesses are in the scope now", "Nothing is saved yet.")
	form.Set("owners", "nobody@example.com")
	form.Set("do", "save")
	camp.post("/campaigns/new", form).wants(t, "an unknown owner", 400, "Nobody has the address nobody@example.com.", `value="Quarterly"`)

	id := f.addCampaign()
	page := "/campaigns/" + string(id)
	f.as("auditor").get(page).wants(t, "the campaign for the auditor", 200, "Running", "0 of 3", "All 3 items", "Download the evidence pack")
	own := f.as("owner")
	own.get("/").wants(t, "home", 200, "<h2>Reviews</h2>", "0 of 3", `class="badge">1`)
	items := own.get("/reviews/" + string(id))
	items.wants(t, "the items", 200, "0 of 3 decided", "Disabled account", "Look well.", "nothing is sent until you submit")
	if strings.Contains(items.body, " checked") {
		t.Error("something is selected in advance")
	}
	if strings.Contains(strings.ToLower(items.body), "unused") {
		t.Error("the page says that access is not used")
	}
	own.post("/reviews/"+string(id), nil).wants(t, "nothing decided", 400, "Nothing is decided yet.")
	if r := own.post("/reviews/"+string(id), items.decisions("remove")); r.status != http.StatusSeeOther {
		t.Fatalf("the decisions are not kept: %d %s", r.status, r.body)
	}
	own.get("/reviews/"+string(id)+"?show=pending").wants(t, "the pending ones", 200, "Make it undecided", " checked", "3 Remove")
	f.as("auditor").get(page+"/items/1").wants(t, "nobody sees what is pending", 200, "Nothing is submitted.")
	own.post("/reviews/"+string(id)+"/withdraw", url.Values{"withdraw": {"2"}}).wants(t, "withdraw", http.StatusSeeOther)
	own.get("/reviews/"+string(id)+"/submit").wants(t, "the summary", 200, "Submit 2 decisions", "Submitted decisions never change.")
	own.post("/reviews/"+string(id)+"/submit", nil).wants(t, "submit", http.StatusSeeOther)
	own.post("/reviews/"+string(id), items.decisions("keep")).wants(t, "another decision about what is submitted", 409, "Nothing was changed.", "is submitted, and stays")

	camp = f.as("campaigns")
	camp.get(page).wants(t, "the progress", 200, "2 of 3", "Time per item", "Burn-down", "1 item is not decided", "It is kept")
	camp.post(page+"/close", nil).wants(t, "close", http.StatusSeeOther)
	f.advance(id)
	closed := camp.get(page)
	closed.wants(t, "the closed campaign", 200, "Closing", "The removals are", "Look at its consequence, and apply it.", "Unanswered, kept")
	camp.get(closed.link(t, "plan ")).wants(t, "the plan", 200, "Removals of Quarterly")
	pack := camp.get(page + "/pack")
	if pack.status != 200 || pack.header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(pack.body, "PK") {
		t.Errorf("the pack: %d %v", pack.status, pack.header)
	}
	csv := camp.get(page + "/items?format=csv")
	if csv.status != 200 || strings.Count(csv.body, "\r\n") != 4 {
		t.Errorf("the list as CSV: %d %q", csv.status, csv.body)
	}
}

// TestReviewOfOneItem shows that the pages of a review with one item speak of one.
func TestReviewOfOneItem(t *testing.T) {
	f := withPeople(t)
	id := f.addCampaign(func(form url.Values) {
		form.Set("admins", "yes")
		form.Set("others", "role:super-administrator")
		form.Set("name", "Administrators")
	})
	page, work := "/campaigns/"+string(id), "/reviews/"+string(id)
	super := f.as("super")
	super.get(page).wants(t, "the campaign", 200, ">Decide 1 item<", "The only item", "1 item is not decided. It is kept")
	super.get(work+"/bulk?choice=remove").wants(t, "in bulk", 200, "Remove: 1 of 1 undecided item<")
	super.get(work+"/bulk?choice=keep-until&until=2026-01-01").wants(t, "in bulk, blocked", 200, "0 of 1 undecided item<", "1 cannot be decided so, and stays undecided")
	super.post(work, super.get(work).decisions("keep")).wants(t, "decide", http.StatusSeeOther)
	super.get(work+"/submit").wants(t, "the summary", 200, "<h1>Submit 1 decision</h1>", ">Submit 1 decision</button>")
	super.post(work+"/submit", nil).wants(t, "submit", http.StatusSeeOther)
	super.get(page).wants(t, "the campaign, when all is submitted", 200, "All items are decided.", ">Your decisions<")
}

// TestOwnersLost shows that owning a review without the role is no right: whoever lost the role sees
// what the other roles show, cannot change it, and the page says who can.
func TestOwnersLost(t *testing.T) {
	f := withPeople(t)
	r := f.as("campaigns").post("/campaigns/new", url.Values{"name": {"Quarterly"}, "ask": {"app-owner"}, "outcome": {"one"}, "wins": {"remove"}, "unanswered": {"keep"}})
	f.as("campaigns").get(r.location).without(t, "a draft of an owner", "No owner can run it.")
	roles := func(roles ...console.ConsoleRole) {
		f.update(func(tx *store.Tx) error { return tx.SetRoles(f.people["campaigns"], roles) })
	}
	roles()
	for _, path := range []string{r.location, r.location + "/edit"} {
		f.as("campaigns").get(path).wants(t, "an owner without any role", http.StatusNotFound)
	}
	roles(console.Auditor)
	own := f.as("campaigns")
	draft := own.get(r.location)
	draft.wants(t, "an owner who became an auditor", 200, "No owner can run it.", "A Super Administrator can name another owner.")
	draft.without(t, "what the owner cannot do", "/edit", "/prepare", "/cancel")
	own.get(r.location+"/edit").wants(t, "the form", http.StatusForbidden, "This needs the role Super Administrator, or to own the review as a Campaign Administrator.")
	super := f.as("super")
	super.get(r.location).wants(t, "a super administrator", 200, "Name another owner.")
	form := url.Values{"version": {super.get(r.location+"/edit").field(t, "version")}, "name": {"Quarterly"}, "ask": {"app-owner"}, "outcome": {"one"}, "wins": {"remove"}, "unanswered": {"keep"}, "owners": {"campaigns@example.com"}}
	super.post(r.location+"/edit", form).wants(t, "the same owner again", http.StatusBadRequest, "Campaigns cannot own a review", "Its owners need the role")
	form.Set("owners", "super@example.com")
	super.post(r.location+"/edit", form).wants(t, "another owner", http.StatusSeeOther)
	super.get(r.location).without(t, "with another owner", "No owner can run it.")
}

// TestReviewBulkPage makes one decision about all items of a filter, and lists those that cannot be
// decided so.
func TestReviewBulkPage(t *testing.T) {
	f := withPeople(t)
	id := f.addCampaign()
	path := "/reviews/" + string(id)
	own := f.as("owner")
	own.get(path+"/bulk?choice=lower").wants(t, "lower", 200, "Lower: 1 of 3 undecided items", "2 cannot be decided so, and stay undecided", "The application has no lower role for it.", ">Ana: PPLX_Members ")
	page := own.get(path + "/bulk?choice=keep&note=all+well")
	page.wants(t, "keep", 200, "Keep: 3 of 3 undecided items")
	form := url.Values{"choice": {"keep"}, "note": {"all well"}, "expect": {"4"}}
	own.post(path+"/bulk", form).wants(t, "another number", 409, "The number of items that pass the filter is 3 now, not 4.")
	form.Set("expect", page.field(t, "expect"))
	own.post(path+"/bulk", form).wants(t, "the decision", http.StatusSeeOther)
	own.get(path+"?show=pending").wants(t, "the pending ones", 200, "3 Keep", "all well")
	own.post(path+"/pass", url.Values{"item": {"1"}, "to": {"owner@example.com"}, "why": {"away"}, "do": {"pass"}}).wants(t, "to oneself", 400)
	own.post(path+"/pass", url.Values{"item": {"1"}, "to": {"helpdesk@example.com"}, "why": {"away"}, "do": {"pass"}}).wants(t, "reassign", http.StatusSeeOther)
	f.as("helpdesk").get(path).wants(t, "who is asked instead", 200, "0 of 1 decided")
}

// TestReviewTyped asks for the number of many removals.
func TestReviewTyped(t *testing.T) {
	f := newFixture(t)
	for i := range 30 {
		f.members = append(f.members, "u"+string([]byte{'0' + byte(i/10), '0' + byte(i%10)}))
	}
	f.withPeople()
	id := f.addCampaign()
	path := "/reviews/" + string(id)
	own := f.as("owner")
	form := own.get(path).decisions("remove")
	again := own.post(path, form)
	again.wants(t, "many removals", 400, "31 removals at once need their number typed", "Type the number of removals: 31", " checked")
	form.Set("typed", "31")
	own.post(path, form).wants(t, "many removals, typed", http.StatusSeeOther)
}

// TestIncompatiblePages declares two entitlements incompatible, and ends that.
func TestIncompatiblePages(t *testing.T) {
	f := withPeople(t)
	b := f.as("campaigns")
	form := url.Values{"side1.app": {string(f.app)}, "side2.app": {string(f.app)}, "do": {"choose"}, "why": {"two hats"}}
	page := b.post("/incompatible", form)
	page.wants(t, "the entitlements", 200, "PPLX_Admin member")
	keys := regexp.MustCompile(`<option value="(\d+)">`).FindAllStringSubmatch(page.body, -1)
	if len(keys) < 2 {
		t.Fatalf("the page offers %v", keys)
	}
	form.Set("do", "declare")
	b.post("/incompatible", form).wants(t, "without entitlements", 400, "Two entitlements are needed.")
	form.Set("side1.entitlement", keys[0][1])
	form.Set("side2.entitlement", keys[1][1])
	b.post("/incompatible", form).wants(t, "declare", http.StatusSeeOther)
	list := b.get("/incompatible")
	list.wants(t, "the list", 200, "two hats", "0 people")
	end := regexp.MustCompile(`action="(/incompatible/[^"]+/end)"`).FindStringSubmatch(list.body)
	b.post(end[1], url.Values{"why": {"one hat"}}).wants(t, "end it", http.StatusSeeOther)
	b.get("/incompatible").wants(t, "the empty list", 200, "Nothing is declared incompatible.")
}
