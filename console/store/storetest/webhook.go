package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

func addWebhook(t testing.TB, s *store.Store, minute int, w console.Webhook) (id console.ID) {
	t.Helper()
	if w.Kind == "" {
		w.Kind = console.WebhookSigned
	}
	update(t, s, by(minute), func(tx *store.Tx) (err error) {
		id, err = tx.AddWebhook(w, baton.NewSecret("https://example.com/?token=url-secret"), baton.NewSecret("first"))
		return err
	})
	return id
}

// testWebhook changes, rotates, pauses, stops and removes a webhook.
func testWebhook(t *testing.T, db Database) {
	s := open(t, db)
	head := chainHead(t, s).Number
	id := addWebhook(t, s, 1, console.Webhook{Address: "https://example.com/?…", Description: "A \x00\xff", Events: []string{"a.b", "c.*"}, Creator: "ana"})
	get := func() (w console.Webhook) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			w, err = tx.Webhook(id)
			return err
		})
		return w
	}
	secrets := func(minute int) (url string, all []string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			u, secrets, err := tx.WebhookSecrets(get(), at(minute))
			url = u.Reveal()
			for _, x := range secrets {
				all = append(all, x.Reveal())
			}
			return err
		})
		return url, all
	}
	w := get()
	if w.Description != "A \x00\xff" || !slices.Equal(w.Events, []string{"a.b", "c.*"}) || w.State != console.WebhookOn || w.Since != head || w.Creator != "ana" || !w.Created.Equal(at(1)) || w.Version != 1 {
		t.Errorf("added %+v", w)
	}
	if url, all := secrets(1); url != "https://example.com/?token=url-secret" || !slices.Equal(all, []string{"first"}) {
		t.Errorf("%q, %q", url, all)
	}
	fails(t, s, by(2), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangeWebhook(console.Webhook{ID: id, Version: 9}, baton.Secret{}) })
	update(t, s, by(2), func(tx *store.Tx) error {
		return tx.ChangeWebhook(console.Webhook{ID: id, Version: 1, Address: "ignored", Description: "B"}, baton.Secret{})
	})
	if w = get(); w.Address != "https://example.com/?…" || w.Description != "B" || len(w.Events) != 0 || w.Version != 2 {
		t.Errorf("changed %+v", w)
	}
	update(t, s, by(2), func(tx *store.Tx) error {
		return tx.ChangeWebhook(console.Webhook{ID: id, Version: 2, Address: "https://b/", Description: "B"}, baton.NewSecret("https://b/"))
	})
	if url, _ := secrets(2); url != "https://b/" || get().Address != "https://b/" {
		t.Errorf("another URL: %q", url)
	}

	// Both secrets sign for a day.
	update(t, s, by(3), func(tx *store.Tx) error {
		until, err := tx.RotateWebhook(id, baton.NewSecret("second"))
		if !until.Equal(at(3).Add(console.WebhookOverlap)) {
			t.Errorf("until %v", until)
		}
		return err
	})
	if _, all := secrets(3); !slices.Equal(all, []string{"second", "first"}) {
		t.Errorf("after rotation %q", all)
	}
	update(t, s, by(4), func(tx *store.Tx) error { return tx.ForgetPreviousSecrets(at(4)) })
	day := 3 + int(console.WebhookOverlap/time.Minute)
	if _, all := secrets(day - 1); !slices.Equal(all, []string{"second", "first"}) {
		t.Errorf("within the day %q", all)
	}
	if _, all := secrets(day); !slices.Equal(all, []string{"second"}) {
		t.Errorf("after the day %q", all)
	}
	update(t, s, by(day), func(tx *store.Tx) error { return tx.ForgetPreviousSecrets(at(day)) })
	view(t, s, func(tx *store.Tx) error {
		names, err := tx.SecretNames("webhook/" + string(id))
		if !slices.Equal(names, []string{"secret", "url"}) {
			t.Errorf("left %q", names)
		}
		return err
	})

	// States.
	update(t, s, by(5), func(tx *store.Tx) error { return tx.PauseWebhook(id) })
	update(t, s, by(5), func(tx *store.Tx) error { return tx.PauseWebhook(id) })
	fails(t, s, by(5), "a test of a paused one", baton.Refused, func(tx *store.Tx) error { return tx.TestWebhook(id) })
	if w = get(); w.State != console.WebhookPaused {
		t.Errorf("paused: %+v", w)
	}
	w.Delivered, w.Failing, w.Failures, w.Ready = at(5), at(6), 3, at(7)
	update(t, s, by(6), func(tx *store.Tx) error { return tx.SetWebhookHealth(w) })
	if got := get(); !got.Delivered.Equal(at(5)) || !got.Failing.Equal(at(6)) || got.Failures != 3 || !got.Ready.Equal(at(7)) {
		t.Errorf("health: %+v", got)
	}
	update(t, s, by(7), func(tx *store.Tx) error { return tx.Deliver(id, store.Event{Link: console.Link{Number: 1}}) })
	update(t, s, by(8), func(tx *store.Tx) error { return tx.StopWebhook(id, "It is gone.", true) })
	update(t, s, by(8), func(tx *store.Tx) error { return tx.StopWebhook(id, "again", true) })
	if w = get(); w.State != console.WebhookStopped || w.Why != "It is gone." || !w.Changed.Equal(at(8)) {
		t.Errorf("stopped: %+v", w)
	}
	fails(t, s, by(8), "pausing a stopped one", baton.Refused, func(tx *store.Tx) error { return tx.PauseWebhook(id) })
	update(t, s, by(9), func(tx *store.Tx) error { return tx.ResumeWebhook(id) })
	update(t, s, by(9), func(tx *store.Tx) error { return tx.ResumeWebhook(id) })
	if w = get(); w.State != console.WebhookOn || w.Why != "" || !w.Failing.IsZero() || w.Failures != 0 || !w.Ready.IsZero() || !w.Delivered.Equal(at(5)) {
		t.Errorf("resumed: %+v", w)
	}
	update(t, s, by(10), func(tx *store.Tx) error { return tx.TestWebhook(id) })

	// A chat has no secret.
	chat := addWebhook(t, s, 11, console.Webhook{Kind: console.WebhookChat, Address: "https://chat/…"})
	fails(t, s, by(11), "rotating a chat", baton.Refused, func(tx *store.Tx) error { _, err := tx.RotateWebhook(chat, baton.NewSecret("x")); return err })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Webhooks()
		if len(all) != 2 || all[0].ID != id {
			t.Errorf("all %+v", all)
		}
		return err
	})
	update(t, s, by(12), func(tx *store.Tx) error { return tx.RemoveWebhook(id) })
	for what, fn := range map[string]func(*store.Tx) error{
		"removing": func(tx *store.Tx) error { return tx.RemoveWebhook(id) }, "pausing": func(tx *store.Tx) error { return tx.PauseWebhook(id) },
		"stopping": func(tx *store.Tx) error { return tx.StopWebhook(id, "x", false) }, "testing": func(tx *store.Tx) error { return tx.TestWebhook(id) },
		"reading": func(tx *store.Tx) error { _, err := tx.Webhook(id); return err },
	} {
		fails(t, s, by(13), what+" a removed one", baton.NotFound, fn)
	}
	view(t, s, func(tx *store.Tx) error {
		names, err := tx.SecretNames("webhook/" + string(id))
		if len(names) != 0 {
			t.Errorf("secrets left: %q", names)
		}
		if _, ok, err := tx.DueAt(console.DueWebhook, string(id)); ok || err != nil {
			t.Errorf("a due row is left, %v", err)
		}
		return err
	})
	want := []string{"webhook.added", "webhook.changed", "webhook.changed", "webhook.rotated", "webhook.paused", "webhook.stopped", "webhook.resumed", "webhook.tested", "webhook.added", "webhook.removed"}
	if got := kinds(t, s); !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, 99)
		for _, e := range events {
			if text := string(e.Payload); strings.Contains(text, "url-secret") || strings.Contains(text, "first") || strings.Contains(text, "second") {
				t.Errorf("an event has a secret: %s", text)
			}
		}
		return err
	})
	checkChain(t, s)
}

// testWebhookLimit adds webhooks until there are too many.
func testWebhookLimit(t *testing.T, db Database) {
	s := open(t, db)
	update(t, s, by(1), func(tx *store.Tx) error {
		for range console.MaxWebhooks {
			if _, err := tx.AddWebhook(console.Webhook{Kind: console.WebhookChat}, baton.NewSecret("x"), baton.Secret{}); err != nil {
				return err
			}
		}
		for range console.MaxHooks {
			if _, err := tx.AddHook(console.Hook{Name: "x"}, baton.NewSecret("x")); err != nil {
				return err
			}
		}
		return nil
	})
	fails(t, s, by(2), "one more", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.AddWebhook(console.Webhook{Kind: console.WebhookChat}, baton.NewSecret("x"), baton.Secret{})
		return err
	})
	fails(t, s, by(2), "one more hook", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.AddHook(console.Hook{Name: "x"}, baton.NewSecret("x"))
		return err
	})
}

// testWebhookDelivery queues events for a webhook, and replays them.
func testWebhookDelivery(t *testing.T, db Database) {
	s := open(t, db)
	id := addWebhook(t, s, 1, console.Webhook{Events: []string{"a.*", "c.d"}})
	other := addWebhook(t, s, 1, console.Webhook{})
	var first int64
	for i, kind := range []string{"a.b", "x.y", "c.d", "c.e", "a.z"} {
		update(t, s, by(10+i), func(tx *store.Tx) error { tx.Append(console.Event{Kind: kind}); return nil })
		if i == 0 {
			first = chainHead(t, s).Number
		}
	}
	queue := func(minute int, number int64, kind string) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error {
			return tx.Deliver(id, store.Event{Link: console.Link{Number: number}, Event: console.Event{Kind: kind}})
		})
	}
	list := func(state console.DeliveryState, before int64, n int) (all []console.WebhookDelivery) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			all, err = tx.Deliveries(id, state, before, n)
			return err
		})
		return all
	}
	next := func() (d *console.WebhookDelivery) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			d, err = tx.NextDelivery(id)
			return err
		})
		return d
	}
	due := func() (when time.Time) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			when, _, err = tx.DueAt(console.DueWebhook, string(id))
			return err
		})
		return when
	}
	if next() != nil || !due().IsZero() {
		t.Error("something waits at first")
	}
	queue(20, first, "a.b")
	queue(21, first, "a.b") // again: nothing happens
	queue(21, first+2, "c.d")
	d := next()
	if d == nil || d.Event != first || d.Kind != "a.b" || d.State != console.DeliveryWaiting || !d.Next.Equal(at(20)) || !d.Created.Equal(at(20)) || !due().Equal(at(20)) {
		t.Fatalf("next %+v, due %v", d, due())
	}
	d.Attempts, d.Last, d.Next, d.Status, d.Answer, d.Detail = 1, at(22), at(30), 500, "no \x00", "It answered 500."
	update(t, s, by(22), func(tx *store.Tx) error { return tx.ChangeDelivery(*d) })
	if got := next(); got.Event != first+2 {
		t.Errorf("next %+v", got)
	}
	done := *next()
	done.State, done.Next, done.Ended, done.Attempts, done.Status = console.DeliveryDone, time.Time{}, at(23), 1, 200
	update(t, s, by(23), func(tx *store.Tx) error { return tx.ChangeDelivery(done) })
	all := list("", 0, 9)
	if len(all) != 2 || all[0].Event != first+2 || all[0].Status != 200 || !all[0].Ended.Equal(at(23)) || !all[0].Next.IsZero() || all[1] != *d {
		t.Errorf("deliveries %+v", all)
	}
	if page := list("", first+2, 9); len(page) != 1 || page[0].ID != d.ID {
		t.Errorf("second page %+v", page)
	}
	if page := list(console.DeliveryDone, 0, 9); len(page) != 1 || page[0].ID != done.ID {
		t.Errorf("delivered %+v", page)
	}
	view(t, s, func(tx *store.Tx) error {
		counts, err := tx.CountDeliveries(id)
		if counts[console.DeliveryWaiting] != 1 || counts[console.DeliveryDone] != 1 || counts[console.DeliveryFailed] != 0 {
			t.Errorf("counts %v", counts)
		}
		e, err2 := tx.EventNumber(first)
		if err2 != nil || e.Kind != "a.b" || e.Number != first {
			t.Errorf("event %+v, %v", e, err2)
		}
		_, err2 = tx.EventNumber(first + 99)
		wantKind(t, "no event", err2, baton.NotFound)
		return err
	})

	// Replays.
	fails(t, s, by(24), "replaying one that waits", baton.Refused, func(tx *store.Tx) error { return tx.ReplayDelivery(id, d.ID) })
	fails(t, s, by(24), "replaying one of another webhook", baton.NotFound, func(tx *store.Tx) error { return tx.ReplayDelivery(other, done.ID) })
	fails(t, s, by(24), "replaying an unknown one", baton.NotFound, func(tx *store.Tx) error { return tx.ReplayDelivery(id, "x") })
	update(t, s, by(24), func(tx *store.Tx) error { return tx.ReplayDelivery(id, done.ID) })
	again := list("", 0, 1)[0]
	if again.ID != done.ID || again.State != console.DeliveryWaiting || again.Attempts != 0 || !again.Next.Equal(at(24)) || !again.Ended.IsZero() {
		t.Errorf("replayed %+v", again)
	}
	update(t, s, by(25), func(tx *store.Tx) error { return tx.ChangeDelivery(done) })
	replay := func(minute int, since int, missed bool) (looked int64) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) (err error) {
			looked, err = tx.ReplayWebhook(id, at(since), missed)
			return err
		})
		rows, err := s.Claim(ctx, at(minute), console.DueReplay, "w", time.Minute, 1)
		if err != nil || len(rows) != 1 {
			t.Fatalf("claimed %v, %v", rows, err)
		}
		rounds := 0
		for more := true; more; rounds++ {
			update(t, s, by(minute), func(tx *store.Tx) (err error) {
				more, err = tx.ContinueReplay(rows[0], 2)
				return err
			})
		}
		if rounds < 2 {
			t.Errorf("%d rounds", rounds)
		}
		fails(t, s, by(minute), "a replay that has ended", baton.NotFound, func(tx *store.Tx) error { _, err := tx.ContinueReplay(rows[0], 2); return err })
		return looked
	}
	if n := replay(30, 11, true); n != chainHead(t, s).Number-1-first {
		t.Errorf("looked at %d", n)
	}
	states := func() string {
		var b strings.Builder
		for _, d := range list("", 0, 9) {
			fmt.Fprintf(&b, "%d %s %s, ", d.Event-first, d.Kind, d.State)
		}
		return b.String()
	}
	if got := states(); got != "4 a.z waiting, 2 c.d delivered, 0 a.b waiting, " {
		t.Errorf("after a replay of what was missed: %s", got)
	}
	replay(31, 11, false)
	if got := states(); got != "4 a.z waiting, 2 c.d waiting, 0 a.b waiting, " {
		t.Errorf("after a replay of all: %s", got)
	}
	if d := next(); d.Event != first+2 && d.Event != first || !due().Equal(at(20)) {
		t.Errorf("next %+v, due %v", d, due())
	}
	update(t, s, by(32), func(tx *store.Tx) error { return tx.StopWebhook(id, "x", false) })
	fails(t, s, by(32), "replaying to a stopped one", baton.Refused, func(tx *store.Tx) error { _, err := tx.ReplayWebhook(id, at(1), false); return err })
	fails(t, s, by(32), "replaying one to a stopped one", baton.Refused, func(tx *store.Tx) error { return tx.ReplayDelivery(id, done.ID) })
	if got := states(); strings.Contains(got, "waiting") || !strings.Contains(got, "failed") {
		t.Errorf("after it was stopped: %s", got)
	}
	update(t, s, by(33), func(tx *store.Tx) error { return tx.ResumeWebhook(id) })

	// Old ones.
	update(t, s, by(34), func(tx *store.Tx) error { return tx.ReplayDelivery(id, done.ID) })
	count := func(fn func(*store.Tx) (int, error)) (n int) {
		t.Helper()
		update(t, s, by(40), func(tx *store.Tx) (err error) {
			n, err = fn(tx)
			return err
		})
		return n
	}
	if n := count(func(tx *store.Tx) (int, error) { return tx.ExpireDeliveries(at(34), 9) }); n != 0 {
		t.Errorf("%d expired too early", n)
	}
	if n := count(func(tx *store.Tx) (int, error) { return tx.ExpireDeliveries(at(35), 9) }); n != 1 {
		t.Errorf("%d expired", n)
	}
	if n := count(func(tx *store.Tx) (int, error) { return tx.ForgetDeliveries(at(33), 9) }); n != 2 {
		t.Errorf("%d forgotten", n)
	}
	if got := states(); got != "2 c.d failed, " {
		t.Errorf("left: %s", got)
	}
}

// testHook receives messages, each once, also when several processes receive the same one.
func testHook(t *testing.T, db Database) {
	s, second := open(t, db), open(t, db)
	var id console.ID
	update(t, s, by(1), func(tx *store.Tx) (err error) {
		id, err = tx.AddHook(console.Hook{Name: "HR \xff", Creator: "ana"}, baton.NewSecret("first"))
		return err
	})
	fails(t, s, by(1), "no name", baton.Invalid, func(tx *store.Tx) error { _, err := tx.AddHook(console.Hook{}, baton.NewSecret("x")); return err })
	get := func() (h console.Hook) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			h, err = tx.Hook(id)
			return err
		})
		return h
	}
	h := get()
	if h.Name != "HR \xff" || !h.On || h.Creator != "ana" || h.Messages != 0 || !h.Received.IsZero() || h.Version != 1 {
		t.Errorf("added %+v", h)
	}
	h.Name, h.On = "HR", false
	update(t, s, by(2), func(tx *store.Tx) error { return tx.ChangeHook(h) })
	fails(t, s, by(2), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangeHook(h) })
	h = get()
	update(t, s, by(2), func(tx *store.Tx) error { return tx.ChangeHook(h) }) // nothing changes
	update(t, s, by(3), func(tx *store.Tx) error { _, err := tx.RotateHook(id, baton.NewSecret("second")); return err })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.HookSecrets(get(), at(3))
		if len(all) != 2 || all[0].Reveal() != "second" || all[1].Reveal() != "first" {
			t.Errorf("secrets %v, %v", len(all), err)
		}
		return err
	})
	message := console.HookMessage{Hook: id, Sender: "msg_1", Sent: at(4), Type: "a.b", Body: []byte(`{"x":1}`)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	fresh := 0
	for i := range 8 {
		wg.Go(func() {
			known := false
			err := []*store.Store{s, second}[i%2].Update(ctx, by(4), func(tx *store.Tx) error {
				m, err := tx.ReceiveHookMessage(message)
				known = m != nil
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if !known {
				fresh++
			}
		})
	}
	wg.Wait()
	if fresh != 1 {
		t.Errorf("received %d times", fresh)
	}
	update(t, s, by(5), func(tx *store.Tx) error {
		known, err := tx.ReceiveHookMessage(console.HookMessage{Hook: id, Sender: "msg_1", Sent: at(5), Body: []byte("{}")})
		if known == nil || !known.Sent.Equal(at(4)) || string(known.Body) != `{"x":1}` || known.Type != "a.b" || len(known.SHA256) != 32 || known.Size != 7 {
			t.Errorf("known %+v", known)
		}
		return err
	})
	message.Sender = "msg_2"
	update(t, s, by(6), func(tx *store.Tx) error {
		if known, err := tx.ReceiveHookMessage(message); known != nil || err != nil {
			t.Errorf("a second one: %+v, %v", known, err)
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.HookMessages(id, 9)
		if len(all) != 2 || all[0].Sender != "msg_2" {
			t.Errorf("messages %+v", all)
			return err
		}
		one, err := tx.HookMessage(all[1].ID)
		if one.Sender != "msg_1" {
			t.Errorf("one message %+v", one)
		}
		return err
	})
	update(t, s, by(7), func(tx *store.Tx) error { return tx.RefuseHookMessage(id, "no signature is right") })
	update(t, second, console.By{At: at(7).Add(30 * time.Second), Actor: console.Console}, func(tx *store.Tx) error { return tx.RefuseHookMessage(id, "another reason") })
	if h = get(); h.Messages != 2 || !h.Received.Equal(at(6)) || !h.Refused.Equal(at(7)) || h.Why != "no signature is right" {
		t.Errorf("after messages %+v", h)
	}
	update(t, s, by(8), func(tx *store.Tx) error {
		n, err := tx.ForgetHookMessages(at(5), 9)
		if n != 1 {
			t.Errorf("%d forgotten", n)
		}
		return err
	})
	update(t, s, by(9), func(tx *store.Tx) error { return tx.RemoveHook(id) })
	fails(t, s, by(10), "removing again", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveHook(id) })
	want := []string{"hook.added", "hook.changed", "hook.rotated", "webhook.received", "webhook.received", "hook.removed"}
	if got := kinds(t, s); !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
	checkChain(t, s)
}
