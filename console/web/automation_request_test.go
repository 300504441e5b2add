package web

import (
	"net/url"
	"testing"
)

// TestRequestAutomation requests an automation: whom the policy asks decides, and nobody for themselves.
func TestRequestAutomation(t *testing.T) {
	f := withPeople(t)
	owner := f.as("owner")
	path := owner.post("/automations/new", url.Values{"app": {string(f.app)}, "name": {"Lend a seat"}, "template": {"empty"}}).location
	version := func() string { return hiddenValue(owner.get(path).body, "version") }
	owner.post(path+"/steps", url.Values{"version": {version()}, "kind": {"wait"}}).wants(t, "a step", 303)
	owner.post(path+"/steps/wait", url.Values{"version": {version()}, "id": {"wait"}, "for": {"1d"}}).wants(t, "its form", 303)
	owner.post(path+"/trigger", url.Values{"version": {version()}, "kind": {"request"}, "name": {"Lend a seat"}, "policy": {"standard"}, "questions": {"ticket: Which ticket? *"}}).wants(t, "the trigger", 303)
	owner.post(path+"/publish", url.Values{"version": {version()}}).wants(t, "publish", 303)

	user := f.as("user")
	user.get("/automations").wants(t, "what can be requested", 200, "You can request", "Lend a seat")
	user.get(path).wants(t, "the automation itself", 404)
	user.post(path+"/request", url.Values{"why": {"A project."}}).wants(t, "without an answer", 400, "Which ticket?")
	user.post(path+"/request", url.Values{"why": {"A project."}, "whom": {"super@example.com"}, "form.ticket": {"7"}}).wants(t, "for somebody else", 403)
	asked := user.post(path+"/request", url.Values{"why": {"A project."}, "form.ticket": {"OPS-7"}})
	if asked.status != 303 {
		t.Fatalf("%d %s", asked.status, asked.body)
	}
	request := asked.location
	user.get(request).wants(t, "for whoever asked", 200, "Waits for a decision", "OPS-7", "Who decides", "owner")
	user.post(request+"/decide", url.Values{"decision": {"approve"}}).wants(t, "one's own", 403)
	f.as("helpdesk").get(request).wants(t, "for others", 404)
	owner.get("/automations").wants(t, "what waits", 200, "Waits for your decision")
	owner.post(request+"/decide", url.Values{"decision": {"maybe"}}).wants(t, "no decision", 400)
	owner.post(request+"/decide", url.Values{"decision": {"approve"}, "comment": {"Fine."}}).wants(t, "approve", 303)
	owner.post(request+"/decide", url.Values{"decision": {"deny"}}).wants(t, "twice", 409, "decided already")
	user.get(request).wants(t, "approved", 200, "Begins")

	// The owner's own request goes to somebody else, and is denied.
	own := owner.post(path+"/request", url.Values{"why": {"Mine."}, "form.ticket": {"1"}})
	if own.status == 303 {
		owner.post(own.location+"/decide", url.Values{"decision": {"approve"}}).wants(t, "the owner's own", 403)
		super := f.as("super")
		super.post(own.location+"/decide", url.Values{"decision": {"deny"}, "comment": {"No."}}).wants(t, "deny", 303)
		owner.get(own.location).wants(t, "denied", 200, "Cancelled", "Denied by super: No.")
	} else {
		own.wants(t, "nobody to decide", 409)
	}
}
