package api_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/webhook"
)

// TestWebhookCalls manages a webhook over the REST interface.
func TestWebhookCalls(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	f.fails("without events", super, "POST", "/api/v1/webhooks", `{"url":"https://example.com/x"}`, 400, 3, "Events is missing")
	f.fails("without events, by somebody who may not", f.as("user"), "POST", "/api/v1/webhooks", `{"url":"https://example.com/x"}`, 403, 7, "Super Administrator")
	f.fails("an unknown kind of events", super, "POST", "/api/v1/webhooks", `{"url":"https://example.com/x","events":["x.y"]}`, 400, 3, "x.y")
	f.fails("an unknown kind", super, "POST", "/api/v1/webhooks", `{"url":"https://example.com/x","events":["*"],"kind":"fax"}`, 400, 3, "standard or chat")
	f.fails("without URL", super, "POST", "/api/v1/webhooks", `{"events":["*"]}`, 400, 3, "URL")
	f.fails("without TLS", super, "POST", "/api/v1/webhooks", `{"url":"http://example.com","events":["*"]}`, 400, 3, "https://")
	f.fails("itself", super, "POST", "/api/v1/webhooks", `{"url":"https://console.example.com/hooks/x","events":["*"]}`, 400, 3, "this console")
	made := f.ok(super, "POST", "/api/v1/webhooks", `{"url":"https://example.com/x?t=topsecret","description":"CI","events":["request.*","sync.held"]}`)
	id, secret := fmt.Sprint(at(made, "webhook.id")), fmt.Sprint(made["secret"])
	if !strings.HasPrefix(secret, "whsec_") || at(made, "webhook.address") != "https://example.com/x?…" || at(made, "webhook.state") != "on" || at(made, "webhook.creatorId") != string(f.people["super"]) {
		t.Errorf("made: %v", made)
	}
	path := "/api/v1/webhooks/" + id
	for _, p := range []string{"/api/v1/webhooks", path} {
		if a := f.call(super, "GET", p, ""); strings.Contains(a.body, "topsecret") || strings.Contains(a.body, "whsec_") {
			t.Errorf("%s has a secret: %s", p, a.body)
		}
	}
	changed := f.ok(super, "POST", path, `{"webhook":{"events":["*"],"description":"ignored"},"updateMask":"events"}`)
	if at(changed, "webhook.events.0") != "*" || at(changed, "webhook.description") != "CI" {
		t.Errorf("changed: %v", changed)
	}
	f.fails("no events", super, "POST", path, `{"webhook":{"events":[]},"updateMask":"events"}`, 400, 3)
	rotated := f.ok(super, "POST", path+"/action/rotate", "")
	if rotated["secret"] == secret || at(rotated, "webhook.previousSecretWorksUntil") != "2026-11-30T12:00:00Z" {
		t.Errorf("rotated: %v", rotated)
	}
	if p := f.ok(super, "POST", path+"/action/pause", ""); at(p, "webhook.state") != "paused" {
		t.Errorf("paused: %v", p)
	}
	f.fails("a test while it is paused", super, "POST", path+"/action/test", "", 400, 9)
	f.ok(super, "POST", path+"/action/resume", "")
	f.fails("since when", super, "POST", path+"/action/replay", "", 400, 3)
	f.fails("since the future", super, "POST", path+"/action/replay", `{"since":"2036-01-01T00:00:00Z"}`, 400, 3)
	f.fails("since no time", super, "POST", path+"/action/replay", `{"since":"yesterday"}`, 400, 3, "yesterday")
	if n := f.ok(super, "POST", path+"/action/replay", `{"since":"2026-11-29T00:00:00Z"}`); fmt.Sprint(n["events"]) < "1" {
		t.Errorf("replay: %v", n)
	}

	// Deliveries, by pages.
	f.update(func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, 12)
		for _, e := range events {
			if err == nil {
				err = tx.Deliver(console.ID(id), e)
			}
		}
		return err
	})
	var numbers []string
	for next := ""; ; {
		p := f.ok(super, "GET", path+"/deliveries?state=waiting&page_size=10&page_token="+next, "")
		for _, d := range p["list"].([]any) {
			numbers = append(numbers, fmt.Sprint(at(d, "event")))
		}
		if next = fmt.Sprint(p["nextPageToken"]); next == "" {
			break
		}
	}
	if len(numbers) != 12 || len(slices.Compact(slices.Clone(numbers))) != 12 || numbers[11] != "1" {
		t.Errorf("deliveries %q", numbers)
	}
	f.ok(super, "POST", path+"/action/delete", "")
	f.fails("removed", super, "GET", path, "", 404, 5)
	chat := f.ok(super, "POST", "/api/v1/webhooks", `{"kind":"chat","url":"https://hooks.slack.com/services/T/B/x","events":["access.*"]}`)
	if chat["secret"] != "" || at(chat, "webhook.address") != "https://hooks.slack.com/…" {
		t.Errorf("a chat: %v", chat)
	}
}

// TestHooks receives messages of other systems.
func TestHooks(t *testing.T) {
	f := newFixture(t)
	body := `{"type":"user.left","data":{"id":7}}`
	post := func(id console.ID, body string, change func(http.Header), secrets ...baton.Secret) (int, string) {
		t.Helper()
		r, err := http.NewRequest("POST", f.server.URL+"/hooks/"+string(id), strings.NewReader(body))
		f.check(err)
		f.check(webhook.Sign(r.Header, "msg_1", f.now, []byte(body), secrets))
		if change != nil {
			change(r.Header)
		}
		resp, err := http.DefaultClient.Do(r)
		f.check(err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		f.check(err)
		return resp.StatusCode, string(b)
	}
	received := func() (n int) {
		t.Helper()
		f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{Object: string(f.hook)}, 0, 99)
			for _, e := range events {
				if e.Kind == console.HookReceived {
					n++
					if e.Address == "" || e.Request == "" || !strings.Contains(string(e.Data), `"sha256":"`) || strings.Contains(string(e.Data), `"data"`) {
						t.Errorf("event %s", e.Payload)
					}
				}
			}
			return err
		}))
		return n
	}
	wants := func(what string, status, events int) func(int, string) {
		return func(got int, answer string) {
			t.Helper()
			if got != status || !strings.HasPrefix(answer, `{"message":"`) {
				t.Errorf("%s: %d %s, want %d", what, got, answer, status)
			}
			if n := received(); n != events {
				t.Errorf("%s: %d events, want %d", what, n, events)
			}
		}
	}
	id := func(to string) func(http.Header) { return func(h http.Header) { h.Set("webhook-id", to) } }
	other := webhook.NewSecret()
	wants("another secret", 401, 0)(post(f.hook, body, nil, other))
	wants("a changed id", 401, 0)(post(f.hook, body, id("msg_2"), f.hookSecret))
	wants("no signature", 401, 0)(post(f.hook, body, func(h http.Header) { h.Del("webhook-signature") }, f.hookSecret))
	wants("no hook", 404, 0)(post("x", body, nil, f.hookSecret))
	wants("no JSON", 400, 0)(post(f.hook, "hello", nil, f.hookSecret))
	wants("a list", 400, 0)(post(f.hook, "[]", nil, f.hookSecret))
	wants("a large one", 413, 0)(post(f.hook, `{"x":"`+strings.Repeat("x", console.MaxHookBody)+`"}`, nil, f.hookSecret))
	wants("received", 202, 1)(post(f.hook, body, nil, f.hookSecret))
	wants("seen on the way, and sent again", 409, 1)(post(f.hook, body, nil, f.hookSecret))
	f.now = f.now.Add(5 * time.Second)
	wants("its sender has not got the answer, and signs anew", 202, 1)(post(f.hook, body, nil, f.hookSecret))
	earlier := f.now
	f.now = f.now.Add(6 * time.Minute)
	r := func(h http.Header) {
		f.check(webhook.Sign(h, "msg_old", earlier, []byte(body), []baton.Secret{f.hookSecret}))
	}
	wants("too old", 401, 1)(post(f.hook, body, r, f.hookSecret))
	largest := `{"x":"` + strings.Repeat("x", console.MaxHookBody-8) + `"}`
	next := func(h http.Header) {
		f.check(webhook.Sign(h, "msg_3", f.now, []byte(largest), []baton.Secret{f.hookSecret}))
	}
	wants("the largest", 202, 2)(post(f.hook, largest, next, f.hookSecret))

	// Rotation, and off.
	super := f.as("super")
	rotated := f.ok(super, "POST", "/api/v1/hooks/"+string(f.hook)+"/action/rotate", "")
	second := baton.NewSecret(fmt.Sprint(rotated["secret"]))
	sign := func(name string, by baton.Secret) func(http.Header) {
		return func(h http.Header) { f.check(webhook.Sign(h, name, f.now, []byte(body), []baton.Secret{by})) }
	}
	wants("the new secret", 202, 3)(post(f.hook, body, sign("msg_4", second), f.hookSecret))
	wants("the previous secret", 202, 4)(post(f.hook, body, sign("msg_5", f.hookSecret), f.hookSecret))
	f.now = f.now.Add(console.WebhookOverlap)
	wants("the previous secret after a day", 401, 4)(post(f.hook, body, sign("msg_6", f.hookSecret), f.hookSecret))
	super = f.token(f.issue("super", console.ScopeConfigure, console.ScopeRead))
	v := f.ok(super, "GET", "/api/v1/hooks/"+string(f.hook), "")
	if at(v, "hook.messages") != "4" || at(v, "hook.path") != "/hooks/"+string(f.hook) || at(v, "hook.why") != "no signature is right" {
		t.Errorf("the hook: %v", v)
	}
	f.ok(super, "POST", "/api/v1/hooks/"+string(f.hook), `{"hook":{"on":false}}`)
	wants("off", 404, 4)(post(f.hook, body, sign("msg_7", second), f.hookSecret))
	f.ok(super, "POST", "/api/v1/hooks/"+string(f.hook), `{"hook":{"on":true}}`)
	f.update(func(tx *store.Tx) error { return tx.RemoveSecret("hook/"+string(f.hook), "secret") })
	wants("its secret is lost", 503, 4)(post(f.hook, body, sign("msg_8", second), f.hookSecret))
	resp, err := http.Get(f.server.URL + "/hooks/" + string(f.hook))
	f.check(err)
	resp.Body.Close()
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", resp.StatusCode, resp.Header)
	}
}
