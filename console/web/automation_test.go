package web

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// addAutomation adds a published automation of somebody, with a hostile name, and a run of it.
func (f *fixture) addAutomation(owner string) (id, run console.ID) {
	f.t.Helper()
	me := f.people[owner]
	f.update(func(tx *store.Tx) error {
		a, err := tx.AddAutomation(console.Automation{App: f.app, Name: hostile, Owner: me, Author: me, Draft: console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerOnDemand},
			Steps: []console.AutomationStep{{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Hour)}}}})
		if err != nil {
			return err
		}
		if _, err := tx.PublishAutomation(a.ID, 1, me); err != nil {
			return err
		}
		x, _, err := tx.AddExecution(console.AutomationExecution{Automation: a.ID, Version: 1, Key: "x", Chain: []console.ID{a.ID}, Trigger: console.TriggerData{Kind: console.TriggerOnDemand, Why: hostile}})
		if err != nil {
			return err
		}
		id, run = a.ID, x.ID
		return tx.PutAutomationStep(console.AutomationStepRun{Execution: run, Step: "wait", Kind: console.StepWait, State: console.StepFailed, Began: f.now, Why: hostile, Input: []byte(`{"a":"<b>"}`),
			Changes: []console.AutomationChange{{Step: "wait", Do: "mail", Text: hostile}}})
	})
	return id, run
}

// hiddenValue returns the value of the first hidden field with a name.
func hiddenValue(body, name string) string {
	_, rest, _ := strings.Cut(body, `name="`+name+`" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// TestAutomationPages writes an automation on the pages: from a template, with steps of every kind, to
// its publication and its dry run.
func TestAutomationPages(t *testing.T) {
	f := withPeople(t)
	f.update(func(tx *store.Tx) error {
		task, err := rpc.NewTask(string(f.connector), rpc.Work{ListActions: &rpc.ListActionsWork{}}, f.now)
		if err != nil {
			return err
		}
		return rpcstore.AddTask(tx, task)
	})
	b := f.as("owner")
	b.get("/automations").wants(t, "no automation", 200, "There is no automation yet.")
	made := b.post("/automations/new", url.Values{"app": {string(f.app)}, "name": {"Leaver"}, "template": {"leaver"}})
	if made.status != 303 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	path := made.location
	b.get(path).wants(t, "a draft", 200, "Leaver", "A person was disabled", "Disable the account, unless", "Draft")
	version := func() string { return hiddenValue(b.get(path).body, "version") }

	// Steps are added, edited, moved and removed.
	for kind, form := range map[string]url.Values{
		"wait":      {"for": {"1d"}},
		"condition": {"when": {`subject.status != "active"`}},
		"mail":      {"to": {"app-owners"}, "subject": {"Gone"}, "text": {`="Bye " + subject.name`}},
		"revoke":    {"entitlement": {"group:members:member"}},
		"action":    {},
	} {
		added := b.post(path+"/steps", url.Values{"version": {version()}, "kind": {kind}})
		if added.status != 303 {
			t.Fatalf("%s: %d %s", kind, added.status, added.body)
		}
		b.get(added.location).wants(t, "the form of "+kind, 200, "Skip it if")
		if kind == "action" {
			b.get(added.location).wants(t, "a connector without actions", 200, "It is not known yet which actions")
			form.Set("version", version())
			b.post(path+"/steps/action/remove", form).wants(t, "remove the action", 303)
			continue
		}
		form.Set("id", kind)
		form.Set("version", version())
		if r := b.post(added.location, form); r.status != 303 {
			t.Errorf("%s: %d %s", kind, r.status, r.body)
		}
	}
	b.post(path+"/steps/mail", url.Values{"version": {version()}, "id": {"mail"}, "to": {"owner"}, "subject": {"=now +"}}).wants(t, "a wrong expression", 400, "subject")
	b.post(path+"/steps/mail", url.Values{"version": {"1"}, "id": {"mail"}, "to": {"owner"}, "subject": {"x"}}).wants(t, "an old version", 409, "changed meanwhile")
	b.post(path+"/steps/disable/move", url.Values{"version": {version()}, "to": {"down"}}).wants(t, "move", 303)
	b.post(path+"/trigger", url.Values{"version": {version()}, "kind": {"schedule"}, "name": {"Leavers"}, "every": {"1d"}, "each": {"true"}, "when": {"account.login != \"\""}, "runs": {"5"}, "changes": {"7"}, "period": {"12h"}}).wants(t, "a schedule", 303)
	b.get(path).wants(t, "the draft", 200, "Leavers", "Every day, for each account", "Wait 1 day", "Revoke", "Send", "0 of 5 runs and 0 of 7 changes in 12 hours")
	b.get(path+"/trigger").wants(t, "the form of the trigger", 200, `value="1d"`, "checked")
	b.get(path+"/trigger?kind=grant-found").wants(t, "another trigger", 200, "Unexplained: nobody asked for it here")
	b.post(path+"/test", url.Values{"whom": {"nobody@nowhere"}}).wants(t, "a dry run for nobody", 400, "no account with that id or login")
	b.post(path+"/test", url.Values{"whom": {"eve"}}).wants(t, "a dry run", 200, "What it would do", "The list of changes")
	b.post(path+"/publish", url.Values{"version": {version()}}).wants(t, "publish", 303)
	b.get(path).wants(t, "published", 200, "Published", "published by")
	if p := b.get(path).body; strings.Contains(p, ">Publish<") {
		t.Error("what is published can be published again")
	}
	b.post(path+"/pause", url.Values{"why": {"It does too much."}}).wants(t, "pause", 303)
	b.get(path).wants(t, "paused", 200, "Somebody paused it.", "It does too much.")
	b.post(path+"/resume", url.Values{"why": {"Corrected."}, "held": {"cancel"}}).wants(t, "resume", 303)
	b.post(path+"/run", url.Values{"why": {"x"}}).wants(t, "run what is not on demand", 409, "does not run on demand")

	// The switch for all of them, with a banner.
	officer := f.as("officer")
	officer.post("/automations/pause", url.Values{"paused": {"true"}, "why": {"Something is wrong."}}).wants(t, "pause all", 303)
	b.get("/").wants(t, "the banner", 200, "All automations are paused.")
	if r := f.as("user").get("/"); strings.Contains(r.body, "automations are paused") {
		t.Error("somebody who sees no automation sees the banner")
	}
	officer.post("/automations/pause", url.Values{"paused": {"false"}, "why": {"Found."}}).wants(t, "resume all", 303)
	b.post(path+"/remove", url.Values{"name": {"Leavers"}}).wants(t, "remove", 303)
	b.get(path).wants(t, "removed", 404)
}

// TestGivingNeedsTwo lets nobody publish an automation alone that gives access.
func TestGivingNeedsTwo(t *testing.T) {
	f := withPeople(t)
	b := f.as("owner")
	path := b.post("/automations/new", url.Values{"app": {string(f.app)}, "name": {"Joiner"}, "template": {"joiner"}}).location
	version := func() string { return hiddenValue(b.get(path).body, "version") }
	b.post(path+"/steps/grant", url.Values{"version": {version()}, "id": {"grant"}, "entitlement": {"group:members:member"}}).wants(t, "the entitlement", 303)
	b.get(path).wants(t, "for its author", 200, "somebody other than its author")
	b.post(path+"/publish", url.Values{"version": {version()}}).wants(t, "alone", 409, "somebody other than its author")
	f.as("super").post(path+"/publish", url.Values{"version": {version()}}).wants(t, "as the second", 303)
	b.get(path).wants(t, "published", 200, "published by super")
}
