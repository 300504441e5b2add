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
	b.get("/policies/standard").wants(t, "a policy", 200, "owner of the application or owner of the entitlement", "Otherwise", "Who would be asked under this policy?")
	b.get("/policies/standard?edit=yaml").wants(t, "as YAML", 200, "- app-owner", "limit: 14d")
	b.get("/policies/standard?edit=json").wants(t, "as something else", 400)
	f.as("auditor").get("/policies/standard?edit=form").wants(t, "without the right", 403)
	b = f.as("super")
	save := func(text, why string) answer {
		return b.post("/policies/standard", url.Values{"version": {b.get("/policies/standard?edit=yaml").field(t, "version")}, "text": {text}, "why": {why}})
	}
	stricter := "name: Standard\nkind: request\nrules:\n  - outcome: ask\n    steps:\n      - ask: [app-owner, {kind: entitlement-owner}]\n        fallback: [manager]\n        comment: true\n"
	save("rules: [", "").wants(t, "no YAML", 400, "cannot be read")
	save(strings.Replace(stricter, "outcome:", "result:", 1), "").wants(t, "another field", 400, "field result not found")
	save(strings.Replace(stricter, "kind: entitlement-owner", "kind: entitlement-owner, x: y", 1), "").wants(t, "another field of an approver", 400, "field x not found")
	save(strings.Replace(stricter, "outcome: ask", "outcome: ask\n    when: subject.salary > 1", 1), "").wants(t, "a wrong condition", 400, "undefined field")
	save(strings.Replace(stricter, "app-owner", "boss", 1), "").wants(t, "another approver", 400, "no kind of approvers")
	save(strings.Replace(stricter, "app-owner", "nobody@example.com", 1), "").wants(t, "nobody", 400, "nobody has the address")
	save(strings.Replace(stricter, "app-owner", "group:Nothing/x", 1), "").wants(t, "no application", 400, "there is no application")
	save(strings.Replace(stricter, "app-owner", "group:"+string(f.app)+"/x", 1), "").wants(t, "no entitlement", 400, "has no entitlement")
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
	b.get("/policies/standard?edit=yaml").wants(t, "meanwhile", 200, "comment: true")
	if r := f.as("officer").post(change, url.Values{"decision": {"confirm"}}); r.location != "/policies" {
		t.Fatalf("confirm: %d %s", r.status, r.body)
	}
	b = f.as("super")
	b.get("/policies/standard").wants(t, "afterwards", 200, "Asks for less", "super, confirmed by officer")
	b.post(change, url.Values{"decision": {"discard"}}).wants(t, "twice", 409, "confirmed already")
}

// TestPolicyQuestion tests who would be asked, under a given policy and under the one that applies.
func TestPolicyQuestion(t *testing.T) {
	f := withPeople(t)
	f.able()
	b := f.as("super")
	question := "?email=user%40example.com&app=" + string(f.app) + "&entitlement=group%3Amembers%3Amember"
	b.get("/policies/standard"+question).wants(t, "under a policy", 200, "Rule 1 applies", "owner (owner of the application)", "Within 14 days")
	b.get("/policies/standard?email=user%40example.com&app="+string(f.app)+"&entitlement=x").wants(t, "about nothing", 200, "No entitlement.")
	b.get("/policies/test"+question).wants(t, "by the one that counts", 200, "Standard", "as the console comes", "the console&#39;s own", "owner (owner of the application)")
	b.get("/policies/test"+question+"&kind=revoke").wants(t, "a removal", 200, "Removal", "approved without asking")
	b.get("/policies/test"+question+"&kind=give-back").wants(t, "give back", 200, "Give back", "approved without asking")
	b.get("/policies/test"+question+"&kind=review").wants(t, "a review", 200, "Review", "owner (owner of the application), because nobody else may decide")
	b.get("/policies/test"+question+"&kind=emergency").wants(t, "an emergency", 200, "There are no emergency requests for this.")
	b.get("/policies/test"+question+"&kind=x").wants(t, "something else", 200, "There is no question about")
	b.get("/policies/test"+question+"&duration=x").wants(t, "for no time", 200, "is no duration")
	b.get("/policies/test"+question+"&requester=owner%40example.com").wants(t, "asked for by the owner", 200, "Not owner: it is the person&#39;s own request")
	b.get("/policies/test"+strings.Replace(question, "user%40", "x%40", 1)).wants(t, "about nobody", 200, "Nobody has the address")
	b.get("/policies/test?email=user%40example.com&app="+string(f.app)+"&entitlement="+url.QueryEscape(hostile)).checkSafe(t, "/policies/test")
	f.as("user").get("/policies/test"+question).wants(t, "without the right", 403)
}

// TestPolicyForm edits a policy as a form, without a script.
func TestPolicyForm(t *testing.T) {
	f := withPeople(t)
	f.able()
	b := f.as("super")
	page := b.get("/policies/new")
	page.wants(t, "a new policy", 200, "Rule 1, step 1", "app-owner", "Add a rule before the last")
	form := url.Values{"name": {"Contractors"}, "kind": {"request"}, "rules": {"1"}, "rule.0.outcome": {"ask"}, "rule.0.steps": {"1"},
		"rule.0.step.0.does": {"ask"}, "rule.0.step.0.ask": {"app-owner\r\nowner@example.com"}, "rule.0.step.0.limit": {"2d"}, "rule.0.step.0.until": {"left over"}}
	do := func(button string) answer {
		form.Set("do", button)
		return b.post("/policies/new", form)
	}
	do("check").wants(t, "checked", 200, "Nothing is wrong with it", "owner@example.com")
	do("add-rule").wants(t, "another rule", 200, "Rule 2, step 1", `name="rules" value="2"`, "left over")
	do("add-step.0").wants(t, "another step", 200, "Rule 1, step 2")
	do("remove-step.0.0").wants(t, "no step", 200, `name="rule.0.steps" value="0"`)
	do("remove-rule.0").wants(t, "no rule", 200, `name="rules" value="0"`)
	for _, button := range []string{"x", "remove-rule.7", "remove-step.0.7", "raise-rule.0", "raise-step.0", "add-step", "remove-rule.-1"} {
		do(button).wants(t, "a button "+button, 400)
	}
	for field, bad := range map[string]string{"rules": "99", "rule.0.steps": "x", "rule.0.step.0.ask": "boss", "rule.0.outcome": "x", "kind": "x", "name": "", "rule.0.step.0.does": "x",
		"rule.0.step.0.limit": "x", "rule.0.when": "true"} {
		was := form.Get(field)
		form.Set(field, bad)
		do("save").wants(t, field+" "+bad, 400)
		form.Set(field, was)
	}
	form.Set("name", "Standard")
	do("save").wants(t, "a name that is taken", 400, "Another policy is called")
	form.Set("name", "Contractors")
	saved := do("save")
	if saved.status != http.StatusSeeOther || !strings.HasPrefix(saved.location, "/policies/") {
		t.Fatalf("%d %s", saved.status, saved.body)
	}
	b.get(saved.location+"?edit=yaml").wants(t, "what was saved", 200, "name: Contractors", "- owner@example.com", "limit: 2d")
	edit := b.get(saved.location + "?edit=form")
	edit.wants(t, "its form", 200, "owner@example.com", `value="2d"`, "The next version of Contractors")
	edit.checkSafe(t, saved.location)

	// The next version has a preceding rule that waits and asks, which makes it weaker.
	form = url.Values{"version": {edit.field(t, "version")}, "name": {"Contractors"}, "kind": {"request"}, "rules": {"2"},
		"rule.0.when": {`subject.department == "IT"`}, "rule.0.outcome": {"ask"}, "rule.0.steps": {"4"},
		"rule.0.step.0.does": {"for"}, "rule.0.step.0.for": {"2h"}, "rule.0.step.0.ask": {"left over"},
		"rule.0.step.1.does": {"at"}, "rule.0.step.1.at": {"22:30"},
		"rule.0.step.2.does": {"until"}, "rule.0.step.2.until": {"request.open_ended"}, "rule.0.step.2.limit": {"7d"},
		"rule.0.step.3.does": {"ask"}, "rule.0.step.3.ask": {"manager"}, "rule.0.step.3.distinct": {"yes"}, "rule.0.step.3.comment": {"yes"},
		"rule.0.step.3.step-up": {"yes"}, "rule.0.step.3.no-delegates": {"yes"}, "rule.0.step.3.reassign": {"role:auditor"}, "rule.0.step.3.escalate": {"role:security-officer"},
		"rule.0.step.3.limit": {"1d"}, "rule.0.step.3.fallback": {"expression:subject.manager\ngroup:" + string(f.app) + "/group:members:member"},
		"rule.1.outcome": {"deny"}, "rule.1.why": {"not for you"}, "rule.1.steps": {"0"}, "do": {"save"}}
	b.post(saved.location, form).wants(t, "without a reason", 400, "say why", "not for you", "22:30")
	form.Set("why", "faster")
	if r := b.post(saved.location, form); r.location != "/policies?waits=1" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	waits := f.as("officer").get("/policies")
	for _, part := range strings.Split(waits.body, `action="`)[1:] {
		if path, _, _ := strings.Cut(part, `"`); strings.HasPrefix(path, "/changes/") {
			f.as("officer").post(path, url.Values{"decision": {"confirm"}})
		}
	}
	b = f.as("super")
	b.get(saved.location+"?edit=yaml").wants(t, "the next version", 200, "subject.department ==", "for: 2h", "22:30", "until: request.open_ended", "- manager", "distinct: true",
		"comment: true", "step_up: true", "no_delegate: true", "- role:auditor", "- role:security-officer", "- expression:subject.manager", "group:members:member", "why: not for you")
	form.Set("version", b.get(saved.location+"?edit=form").field(t, "version"))
	form.Set("do", "raise-rule.1")
	raised := b.post(saved.location, form)
	raised.wants(t, "a rule moved up", 200, `id="rule.0.why" name="rule.0.why" value="not for you"`)
	form.Set("do", "raise-step.0.3")
	b.post(saved.location, form).wants(t, "a step moved up", 200, `name="rule.0.step.2.distinct" value="yes" checked`)
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
	for field, value := range map[string]string{"revoke": "standard", "review": "standard", "policy": "removal", "longest": "x", "presets": "1", "owners": "nobody@example.com", "requestable": "maybe"} {
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
