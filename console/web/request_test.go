package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// able makes the connector report that it can grant and create accounts.
func (f *fixture) able() {
	f.t.Helper()
	f.check(rpcstore.New(f.store).Hello(context.Background(), f.now, string(f.connector), rpc.Hello{Host: "h",
		Connector: rpc.Description{Capabilities: []rpc.Capability{rpc.CanProvision, rpc.CanCreateAccounts}}}))
}

func (f *fixture) entitlement(id string) (key console.EntitlementKey) {
	f.t.Helper()
	f.check(f.store.View(context.Background(), func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, id)
		key = e.Key
		return err
	}))
	return key
}

// asks files a person's request for membership.
func (f *fixture) asks(who string) (r console.Request) {
	f.t.Helper()
	f.able()
	var p console.Person
	f.check(f.store.View(context.Background(), func(tx *store.Tx) (err error) {
		p, err = tx.Person(f.people[who])
		return err
	}))
	r, err := f.govern.SubmitRequest(context.Background(), govern.Caller{Person: p}, govern.NewRequest{App: f.app, Entitlement: f.entitlement("group:members:member"),
		Term: console.Term{For: console.Duration(4 * time.Hour)}, Why: "ticket " + hostile})
	f.check(err)
	return r
}

// TestAskAndDecide follows a request from the catalogue to the approval, without JavaScript.
func TestAskAndDecide(t *testing.T) {
	f := withPeople(t)
	f.able()
	b := f.as("user")
	catalog := b.get("/request")
	catalog.wants(t, "the catalogue", 200, "Request access", "PPLX_Admin member", "An account", "no limit")
	catalog.checkSafe(t, "/request")
	path := fmt.Sprintf("/request/%s/%d", f.app, f.entitlement("group:members:member"))
	form := b.get(path)
	form.wants(t, "the form", 200, "Who will decide", "owner (owner of the application)", "1 hour", "Without end", "Justification", "no account; one is made first")
	form.checkSafe(t, path)
	b.get(path+"?duration=8h&start=2026-12-01T08:00").wants(t, "who would decide", 200, `value="8h" selected`, `value="2026-12-01T08:00"`)
	b.get(path+"?custom=x").wants(t, "a wrong duration", 400, "is no duration")
	b.post(path, url.Values{"duration": {"8h"}}).wants(t, "no justification", 400, "The justification is missing.")
	b.post(path, url.Values{"until": {"2026-11-28T08:00"}, "why": {"x"}}).wants(t, "an end in the past", 400, "would end before it begins")
	b.post(path, url.Values{"duration": {"8h"}, "why": {"x"}, "for": {string(f.people["owner"])}}).wants(t, "for somebody else", 404)
	r := b.post(path, url.Values{"duration": {"8h"}, "why": {"ticket " + hostile}})
	if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, "/requests/") {
		t.Fatalf("send: %d %s", r.status, r.body)
	}
	request := r.location
	page := b.get(request)
	page.wants(t, "the request", 200, "for 8 hours", "Waiting for a decision", "owner, owner of the application, since today", "Cancel the request")
	page.checkSafe(t, request)
	if strings.Contains(page.body, "Your decision") {
		t.Error("the requester is offered to decide")
	}
	b.post(path, url.Values{"duration": {"8h"}, "why": {"x"}}).wants(t, "again", 409, "is not decided yet")
	b.get("/requests").wants(t, "my requests", 200, request)
	b.get("/request").wants(t, "the catalogue afterwards", 200, "Pending")
	if r := b.get("/task/1"); r.location != request {
		t.Errorf("by its number: %d %s", r.status, r.location)
	}
	b.get("/task/99").wants(t, "no number", 404)
	b.get("/task/x").wants(t, "no number", 404)

	o := f.as("owner")
	home := o.get("/approvals")
	home.wants(t, "approvals", 200, "for 8 hours", "Your decision", "Approve", `data-key="a"`, `data-key="d"`, "badge")
	home.checkSafe(t, "/approvals")
	home.without(t, "one request", "the selected ones")
	o.get("/").wants(t, "the start page of who is asked", 200, "1 request waits for your decision.", `href="/approvals"`)
	page = o.get(request)
	page.wants(t, "as the owner", 200, "Your decision", "Waiting for you", "8 hours from when it takes effect", "Asked before", "never")
	decide := page.action(t, "/decide")
	version := page.field(t, "version")
	o.post(decide, url.Values{"decision": {"approve"}}).wants(t, "no version", 400)
	o.post(decide, url.Values{"decision": {"maybe"}, "version": {version}}).wants(t, "no decision", 400)
	o.post(decide, url.Values{"decision": {"approve"}, "version": {version}, "duration": {"9h"}}).wants(t, "longer", 409, "A decision can only shorten")
	o.post(decide, url.Values{"decision": {"approve"}, "version": {"99"}}).wants(t, "an old page", 409, "was changed meanwhile")
	o.get(decide).wants(t, "a decision by GET", 404)
	b.post(decide, url.Values{"decision": {"approve"}, "version": {version}}).wants(t, "the requester decides", 409, "Nobody decides about their own access.")
	f.as("helpdesk").post(decide, url.Values{"decision": {"approve"}, "version": {version}}).wants(t, "who does not see it", 404)
	other := strings.Replace(decide, request, "/requests/"+string(f.asks("helpdesk").ID), 1)
	o.post(other, url.Values{"decision": {"approve"}, "version": {version}}).wants(t, "a step of another request", 404)
	o.post(request+"/comment", url.Values{"comment": {"which " + hostile}})
	if r := o.post(decide, url.Values{"decision": {"approve"}, "version": {version}, "duration": {"1h"}, "comment": {"one is enough"}}); r.location != request {
		t.Fatalf("approve: %d %s", r.status, r.body)
	}
	o.post(decide, url.Values{"decision": {"deny"}, "version": {version}}).wants(t, "twice", 409, "Owner approved it already")
	page = b.get(request)
	page.wants(t, "after the decision", 200, "for 1 hour", "asked for 8 hours, shortened", "Approved, queued", "one is enough", "Give back now")
	page.checkSafe(t, request)
	b.post(request+"/cancel", url.Values{"why": {"not needed"}})
	b.get(request).wants(t, "cancelled", 200, "Cancelled", "not needed")
	next := o.get("/approvals")
	done := o.post(next.action(t, "/decide"), url.Values{"decision": {"deny"}, "version": {next.field(t, "version")}, "next": {"/approvals"}})
	o.get(done.location).wants(t, "decided on the page of approvals", 200, "is denied.", "Nobody waits for you.")
	f.asks("helpdesk")

	// Several at once.
	f.asks("auditor")
	rows := o.get("/approvals")
	rows.wants(t, "two requests", 200, "Decide about the selected ones", "How many did you select?")
	value := rows.checkbox(t, "request")
	o.post("/approvals", url.Values{"request": {value}, "decision": {"approve"}, "count": {"2"}}).wants(t, "another number", 400, "1 requests are selected, and 2 were typed")
	o.post("/approvals", url.Values{"request": {value + "/x"}, "decision": {"approve"}, "count": {"1"}}).wants(t, "a damaged form", 400)
	o.post("/approvals", url.Values{"request": {value}, "decision": {"deny"}, "count": {"1"}, "comment": {"no"}}).wants(t, "deny one", 200, "decided", "auditor asks for")
	o.post("/approvals", url.Values{"request": {value}, "decision": {"approve"}, "count": {"1"}}).wants(t, "again", 200, "denied it already")
}

// action returns the address of the first form whose address has a suffix.
func (a answer) action(t testing.TB, end string) string {
	t.Helper()
	for _, part := range strings.Split(a.body, `action="`)[1:] {
		if path, _, _ := strings.Cut(part, `"`); strings.HasSuffix(path, end) {
			return path
		}
	}
	t.Fatalf("no form ends with %s: %s", end, a.body)
	return ""
}

// checkbox returns the value of the first checkbox with a name.
func (a answer) checkbox(t testing.TB, name string) string {
	t.Helper()
	_, part, ok := strings.Cut(a.body, `name="`+name+`" value="`)
	if !ok {
		t.Fatalf("no checkbox %s: %s", name, a.body)
	}
	value, _, _ := strings.Cut(part, `"`)
	return value
}
