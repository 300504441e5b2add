package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPolicies writes policies as YAML, lets a second person confirm a weaker one, and tests who
// would be asked.
func TestPolicies(t *testing.T) {
	f := withPeople(t)
	f.able()
	b := f.as("super")
	b.get("/policies").wants(t, "policies", 200, "Standard", "Privileged", "as the console comes", "New policy")
	page := b.get("/policies/standard")
	page.wants(t, "a policy", 200, "kind: app-owner", "limit: 14d", "owner of the application or owner of the entitlement", "Otherwise")
	save := func(text, why string) answer {
		return b.post("/policies/standard", url.Values{"version": {b.get("/policies/standard").field(t, "version")}, "text": {text}, "why": {why}})
	}
	stricter := "name: Standard\nkind: request\nrules:\n  - outcome: ask\n    steps:\n      - ask: [{kind: app-owner}, {kind: entitlement-owner}]\n        fallback: [{kind: manager}]\n        comment: true\n"
	save("rules: [", "").wants(t, "no YAML", 400, "cannot be read")
	save(strings.Replace(stricter, "outcome:", "result:", 1), "").wants(t, "another field", 400, "field result not found")
	save(strings.Replace(stricter, "outcome: ask", "outcome: ask\n    when: subject.salary > 1", 1), "").wants(t, "a wrong condition", 400, "undefined field")
	save(strings.Replace(stricter, "app-owner", "boss", 1), "").wants(t, "another approver", 400, "no kind of approvers")
	if r := save(stricter, ""); r.location != "/policies/standard" {
		t.Fatalf("stricter: %d %s", r.status, r.body)
	}
	b.post("/policies/standard", url.Values{"version": {"0"}, "text": {stricter}}).wants(t, "an old form", 409, "was changed meanwhile")
	weaker := strings.Replace(stricter, "        comment: true\n", "", 1)
	save(weaker, "").wants(t, "without a reason", 400, "say why")
	if r := save(weaker, "too slow "+hostile); r.location != "/policies?waits=1" {
		t.Fatalf("weaker: %d %s", r.status, r.body)
	}
	waits := b.get("/policies?waits=1")
	waits.wants(t, "it waits", 200, "waits for a second person", "too slow", "Discard")
	waits.checkSafe(t, "/policies")
	change := waits.action(t, "")
	for _, part := range strings.Split(waits.body, `action="`)[1:] {
		if path, _, _ := strings.Cut(part, `"`); strings.HasPrefix(path, "/changes/") {
			change = path
		}
	}
	b.post(change, url.Values{"decision": {"confirm"}}).wants(t, "the author confirms", 409, "about their own request")
	f.as("auditor").post(change, url.Values{"decision": {"confirm"}}).wants(t, "an auditor", 404)
	b.get("/policies/standard").wants(t, "meanwhile", 200, "comment: true")
	if r := f.as("officer").post(change, url.Values{"decision": {"confirm"}}); r.location != "/policies" {
		t.Fatalf("confirm: %d %s", r.status, r.body)
	}
	b = f.as("super")
	b.get("/policies/standard").wants(t, "afterwards", 200, "Asks for less", "super, confirmed by officer")
	b.post(change, url.Values{"decision": {"discard"}}).wants(t, "twice", 409, "confirmed already")

	b.get("/policies/standard?email=user%40example.com&app="+string(f.app)+"&entitlement=group%3Amembers%3Amember").wants(t, "a test", 200, "Rule 1 applies", "owner (owner of the application)")
	b.get("/policies/standard?email=user%40example.com&app="+string(f.app)+"&entitlement=x").wants(t, "a test of nothing", 200, "No entitlement.")
	if r := b.post("/policies/new", url.Values{"text": {"name: Deny\nkind: request\nrules: [{outcome: deny, why: never}]\n"}}); r.status != http.StatusSeeOther {
		t.Fatalf("new: %d %s", r.status, r.body)
	}
	b.get("/policies").wants(t, "policies", 200, "Deny")
}

// TestRequestSettings sets what can be requested, and for how long.
func TestRequestSettings(t *testing.T) {
	f := withPeople(t)
	f.able()
	o := f.as("owner")
	path := fmt.Sprintf("/applications/%s/entitlements/%d/requests", f.app, f.entitlement("group:members:member"))
	page := o.get(path)
	page.wants(t, "settings", 200, "Requests of PPLX_Members", "Longest duration", "As the application says")
	page.checkSafe(t, path)
	form := url.Values{"version": {"0"}, "longest": {"8h"}, "presets": {"1h, 4h"}, "owners": {"helpdesk@example.com"}, "form": {"Ticket number *\n"}, "requestable": {"yes"}}
	if r := o.post(path, form); r.location != path {
		t.Fatalf("save: %d %s", r.status, r.body)
	}
	o.post(path, form).wants(t, "an old form", 409, "was changed meanwhile")
	form.Set("version", "1")
	for field, value := range map[string]string{"longest": "x", "presets": "1", "owners": "nobody@example.com", "requestable": "maybe"} {
		bad := url.Values{}
		for k, v := range form {
			bad[k] = v
		}
		bad.Set(field, value)
		o.post(path, bad).wants(t, "a wrong "+field, 400)
	}
	ask := fmt.Sprintf("/request/%s/%d", f.app, f.entitlement("group:members:member"))
	b := f.as("user")
	b.get(ask).wants(t, "the form", 200, "At most 8 hours", "4 hours", "Ticket number", "helpdesk (owner of the entitlement)")
	b.post(ask, url.Values{"duration": {"4h"}, "why": {"x"}}).wants(t, "no answer", 400, "Ticket number is missing.")
	b.post(ask, url.Values{"duration": {"9h"}, "why": {"x"}, "form.ticket-number": {"7"}}).wants(t, "too long", 409, "less than or equal to max provision time")
	b.post(ask, url.Values{"duration": {"4h"}, "why": {"x"}, "form.ticket-number": {"7"}, "emergency": {"yes"}}).wants(t, "an emergency", 409, "no emergency requests")
	if r := b.post(ask, url.Values{"duration": {"4h"}, "why": {"x"}, "form.ticket-number": {"7"}}); r.status != http.StatusSeeOther {
		t.Fatalf("ask: %d %s", r.status, r.body)
	}

	// Weaker settings for administrators need a second person.
	admin := fmt.Sprintf("/applications/%s/entitlements/%d/requests", f.app, f.entitlement("group:admins:member"))
	change := url.Values{"version": {"0"}, "policy": {"standard"}}
	o = f.as("owner")
	o.post(admin, change).wants(t, "without a reason", 400, "say why")
	change.Set("why", "faster")
	if r := o.post(admin, change); r.location != "/policies?waits=1" {
		t.Fatalf("weaker: %d %s", r.status, r.body)
	}
	f.as("officer").get("/policies").wants(t, "policies", 200, "faster", "Confirm")
}

// TestDelegation names a delegate for a time.
func TestDelegation(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	b.post("/delegation", url.Values{"email": {"owner@example.com"}, "until": {"2026-12-24T00:00"}}).wants(t, "oneself", 400, "somebody else")
	b.post("/delegation", url.Values{"email": {"nobody@example.com"}, "until": {"2026-12-24T00:00"}}).wants(t, "nobody", 400, "Nobody has the address")
	if r := b.post("/delegation", url.Values{"email": {"helpdesk@example.com"}, "until": {"2026-12-24T00:00"}}); r.location != "/delegation" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	b.get("/delegation").wants(t, "the delegate", 200, "helpdesk decides for you")
	request := "/requests/" + string(f.asks("user").ID)
	d := f.as("helpdesk")
	page := d.get(request)
	page.wants(t, "as the delegate", 200, "Your decision")
	if r := d.post(page.action(t, "/decide"), url.Values{"decision": {"approve"}, "version": {page.field(t, "version")}}); r.location != request {
		t.Fatalf("decide: %d %s", r.status, r.body)
	}
	f.as("user").get(request).wants(t, "the request", 200, "by helpdesk for owner")
	b = f.as("owner")
	b.post("/delegation", nil)
	if strings.Contains(b.get("/delegation").body, "decides for you") {
		t.Error("the delegation did not end")
	}
}
