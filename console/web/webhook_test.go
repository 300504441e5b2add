package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/webhook"
)

// addWebhooks adds a webhook and an incoming one, whose names and answers are hostile.
func (f *fixture) addWebhooks() (id, hook console.ID) {
	f.t.Helper()
	f.update(func(tx *store.Tx) (err error) {
		if id, err = tx.AddWebhook(console.Webhook{Kind: console.WebhookSigned, Address: "https://example.com/x", Description: "Tickets " + hostile, Events: []string{"app.*"}},
			baton.NewSecret("https://example.com/x"), webhook.NewSecret()); err != nil {
			return err
		}
		if hook, err = tx.AddHook(console.Hook{Name: "HR " + hostile}, webhook.NewSecret()); err != nil {
			return err
		}
		if _, err = tx.ReceiveHookMessage(console.HookMessage{Hook: hook, Sender: "msg " + hostile, Type: hostile, Body: []byte(`{"x":"` + hostile + `"}`), Sent: f.now}); err != nil {
			return err
		}
		tx.Append(console.Event{Kind: "app.changed"})
		return nil
	})
	f.update(func(tx *store.Tx) error {
		events, err := tx.EventsBefore(store.EventFilter{}, 0, 1)
		if err != nil {
			return err
		}
		if err := tx.Deliver(id, events[0]); err != nil {
			return err
		}
		d, err := tx.NextDelivery(id)
		if err != nil {
			return err
		}
		d.State, d.Next, d.Ended, d.Last, d.Attempts, d.Status, d.Answer, d.Detail = console.DeliveryFailed, time.Time{}, f.now, f.now, 10, 500, hostile, "The receiver answered 500 "+hostile
		return tx.ChangeDelivery(*d)
	})
	return id, hook
}

// TestWebhookPages adds a webhook, reads its secret once, and does with it what its page offers.
func TestWebhookPages(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	b.get("/settings/webhooks").wants(t, "none yet", 200, "There is no webhook yet.", "There is no incoming webhook yet.")
	b.get("/settings/webhooks/new").wants(t, "the form", 200, `value="request.granted"`, `value="access.*"`, "Saw removed access again")
	form := url.Values{"kind": {"standard"}, "url": {"http://example.com/"}, "description": {"Tickets"}, "all": {"false"}, "event": {"request.*", "sync.held"}}
	b.post("/settings/webhooks/new", form).wants(t, "no TLS", 400, "does not begin with https://", `value="http://example.com/"`, `value="request.*" checked`, `value="sync.held" checked`)
	form.Set("url", "https://console.example.com/hooks/x")
	b.post("/settings/webhooks/new", form).wants(t, "itself", 400, "is this console")
	form.Set("url", "https://example.com/in?token=topsecret")
	form.Del("event")
	b.post("/settings/webhooks/new", form).wants(t, "no events", 400, "No kind of events is chosen")
	form["event"] = []string{"request.*", "nothing.happened"}
	b.post("/settings/webhooks/new", form).wants(t, "an unknown kind", 400, "There is no kind of events")
	form["event"] = []string{"request.*", "sync.held", "request.granted"}
	made := b.post("/settings/webhooks/new", form)
	made.wants(t, "added", 200, "whsec_", "It is shown once", "https://example.com/in?…", "<code>request.*</code>, <code>sync.held</code>")
	list := b.get("/settings/webhooks")
	list.wants(t, "the list", 200, "Tickets", "request.*, sync.held", "Nothing sent yet")
	path := list.link(t, "Tickets")
	page := b.get(path)
	page.wants(t, "its page", 200, "No delivery yet.")
	edit := b.get(path + "/edit")
	for _, p := range []answer{list, page, edit} {
		if strings.Contains(p.body, "whsec_") || strings.Contains(p.body, "topsecret") {
			t.Error("a page shows the secret, or the URL")
		}
	}
	edit.wants(t, "the form", 200, `value="request.*" checked`, `placeholder="Stored; leave empty to keep it"`)
	change := url.Values{"version": {edit.field(t, "version")}, "description": {"Tickets 2"}, "all": {"true"}}
	if r := b.post(path+"/edit", change); r.status != http.StatusSeeOther {
		t.Fatalf("changed: %d %s", r.status, r.body)
	}
	b.post(path+"/edit", change).wants(t, "with an old version", 409, "was changed meanwhile")
	b.get(path).wants(t, "changed", 200, "Tickets 2", "<dd>all</dd>", "https://example.com/in?…")
	rotated := b.post(path+"/rotate", nil)
	rotated.wants(t, "rotated", 200, "whsec_", "The previous secret signs too until 30 Nov 2026")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`)
	if secret.FindString(rotated.body) == secret.FindString(made.body) {
		t.Error("the secret is the same")
	}
	if r := b.post(path+"/test", nil); r.location != path+"?done=tested" {
		t.Errorf("test: %d %s", r.status, r.location)
	}
	b.get(path+"?done=tested").wants(t, "after the test", 200, "A test is on its way.")
	if r := b.post(path+"/pause", url.Values{"pause": {"true"}}); r.status != http.StatusSeeOther {
		t.Errorf("pause: %d", r.status)
	}
	b.get(path).wants(t, "paused", 200, "<strong>Paused</strong>", "Resume")
	b.post(path+"/test", nil).wants(t, "a test of a paused one", 409, "The webhook is paused")
	b.post(path+"/pause", url.Values{"pause": {"false"}})
	b.post(path+"/replay", url.Values{"since": {"tomorrow"}}).wants(t, "since when", 400, "is missing")
	b.post(path+"/replay", url.Values{"since": {"2027-01-01T00:00"}}).wants(t, "in the future", 400, "in the future")
	if r := b.post(path+"/replay", url.Values{"since": {"2026-11-29T12:00"}, "what": {"all"}}); r.location != path+"?done=replayed" {
		t.Errorf("replay: %d %s", r.status, r.location)
	}
	if r := b.post(path+"/remove", nil); r.location != "/settings/webhooks" {
		t.Errorf("removed: %d %s", r.status, r.location)
	}
	b.get(path).wants(t, "removed", 404)

	chat := b.get("/settings/webhooks/new?kind=chat")
	chat.wants(t, "the form of a chat", 200, `value="request.asked" checked`, `value="access.overdue" checked`, "Add a chat", `type="password"`)
	b.post("/settings/webhooks/new", url.Values{"kind": {"chat"}, "url": {"https://hooks.slack.com/services/T/B/topsecret"}, "description": {"#access"}, "all": {"true"}}).
		wants(t, "a chat", 200, "https://hooks.slack.com/…", "Sentences for a chat")
	list = b.get("/settings/webhooks")
	if strings.Contains(list.body, "topsecret") {
		t.Error("the list shows the URL of a chat")
	}
	b.post(list.link(t, "#access")+"/rotate", nil).wants(t, "a chat has no secret", 409, "has no secret")
}

// TestWebhookDeliveries replays a delivery, and sees why a webhook is stopped.
func TestWebhookDeliveries(t *testing.T) {
	f := withPeople(t)
	id, _ := f.addWebhooks()
	path := "/settings/webhooks/" + string(id)
	b := f.as("super")
	page := b.get(path)
	page.wants(t, "deliveries", 200, "app.changed", "Given up", "The receiver answered 500", "Send again")
	page.checkSafe(t, path)
	b.get(path+"?state=delivered").wants(t, "delivered", 200, "No delivery is in this state.")
	b.get(path+"?state=lost").wants(t, "no state", 400)
	again := regexp.MustCompile(`action="(/settings/webhooks/[^"]+/deliveries/[^"]+/replay)"`).FindStringSubmatch(page.body)
	if r := b.post(again[1], nil); r.location != path+"?done=replayed" {
		t.Errorf("again: %d %s", r.status, r.location)
	}
	b.get(path).wants(t, "again", 200, "Waits")
	b.post(again[1], nil).wants(t, "still waits", 409, "still waits")
	f.update(func(tx *store.Tx) error { return tx.StopWebhook(id, "Its receiver answered 410 Gone.", true) })
	b.get(path).wants(t, "stopped", 200, "Its receiver answered 410 Gone.", "Stopped", "Resume")
	seen := f.as("auditor").get(path)
	seen.wants(t, "an auditor", 200, "Stopped")
	if strings.Contains(seen.body, `method="post" action="/settings`) {
		t.Error("an auditor has forms")
	}
}

// TestHookPages adds an incoming webhook, and changes it.
func TestHookPages(t *testing.T) {
	f := withPeople(t)
	b := f.as("super")
	b.post("/settings/hooks/new", url.Values{"name": {" "}}).wants(t, "no name", 400, "name is missing")
	made := b.post("/settings/hooks/new", url.Values{"name": {"HR"}})
	made.wants(t, "added", 200, "whsec_", "/hooks/", "Nothing was received yet.")
	path := b.get("/settings/webhooks").link(t, "HR")
	page := b.get(path)
	if strings.Contains(page.body, "whsec_") {
		t.Error("the secret is shown again")
	}
	if r := b.post(path, url.Values{"version": {page.field(t, "version")}, "name": {"HR 2"}}); r.status != http.StatusSeeOther {
		t.Errorf("changed: %d", r.status)
	}
	b.get(path).wants(t, "off", 200, "HR 2", "Off")
	b.post(path+"/rotate", nil).wants(t, "rotated", 200, "whsec_", "The previous secret is accepted too until")
	if r := b.post(path+"/remove", nil); r.status != http.StatusSeeOther {
		t.Errorf("removed: %d", r.status)
	}
	b.get(path).wants(t, "removed", 404)

	_, hook := f.addWebhooks()
	received := b.get("/settings/hooks/" + string(hook))
	received.wants(t, "messages", 200, "1 in all")
	received.checkSafe(t, "/settings/hooks/{hook}")
	kinds := []string{}
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{Object: string(hook)}, 0, 9)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
			if strings.Contains(string(e.Payload), "onerror") && e.Kind == "webhook.received" && strings.Contains(string(e.Data), `"x"`) {
				t.Error("the event has the body")
			}
		}
		return err
	}))
	if !slices.Equal(kinds, []string{"hook.added", "webhook.received"}) {
		t.Errorf("events %q", kinds)
	}
}
