package worker

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest"
	"baton/console/store"
	"baton/console/webhook"
)

// posted is a message that a receiver got.
type posted struct {
	path, id, body string
	number         int64 // of the event
	right          int   // number of right signatures
}

// receiver is a server that gets webhooks, and verifies them.
type receiver struct {
	*httptest.Server
	t     *testing.T
	roots *x509.CertPool

	mu      sync.Mutex
	now     func() time.Time
	secrets []baton.Secret
	got     []posted
	// before is called before an answer, after after it, with the path. before returns the status.
	before func(path string) int
	after  func(path string)
}

func newReceiver(t *testing.T, now func() time.Time) *receiver {
	r := &receiver{t: t, now: now, roots: x509.NewCertPool()}
	r.Server = httptest.NewTLSServer(r)
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(r.Close)
	r.roots.AddCert(r.Certificate())
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	p := posted{path: q.URL.Path, id: q.Header.Get("webhook-id"), body: string(body)}
	var m struct {
		Data struct {
			ID     string
			Number int64
		}
	}
	json.Unmarshal(body, &m) // a chat's has no data
	r.mu.Lock()
	for _, s := range r.secrets {
		if v, err := webhook.Verify(q.Header, body, []baton.Secret{s}, r.now()); err == nil && v.ID == m.Data.ID {
			p.right++
		}
	}
	p.number = m.Data.Number
	r.got = append(r.got, p)
	before, after := r.before, r.after
	r.mu.Unlock()
	status := 200
	if before != nil {
		status = before(p.path)
	}
	w.WriteHeader(status)
	io.WriteString(w, "thank you")
	w.(http.Flusher).Flush()
	if after != nil {
		after(p.path)
	}
}

func (r *receiver) received(path string) (all []posted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.got {
		if p.path == path {
			all = append(all, p)
		}
	}
	return all
}

func (r *receiver) answer(before func(path string) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

// hooked is a console with a receiver.
type hooked struct {
	t     *testing.T
	s     *store.Store
	w     *Worker
	r     *receiver
	clock atomic.Int64
}

func newHooked(t *testing.T, d mailDatabase) *hooked {
	t.Helper()
	s, err := d.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	x := &hooked{t: t, s: s}
	x.clock.Store(noon.UnixMicro())
	x.r = newReceiver(t, x.now)
	x.w = x.worker(s, "one")
	if err := x.w.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *hooked) now() time.Time        { return time.UnixMicro(x.clock.Load()).UTC() }
func (x *hooked) later(d time.Duration) { x.clock.Add(d.Microseconds()) }

func (x *hooked) worker(s *store.Store, name string) *Worker {
	return New(Config{Store: s, Ingester: &ingest.Ingester{Store: s, Now: x.now, Scratch: x.t.TempDir()}, Owner: name, Now: x.now, URL: mailURL,
		Webhooks: webhook.Sender{Allow: func(netip.Addr) error { return nil }, Roots: x.r.roots, Timeout: 2 * time.Second},
		Log:      slog.New(slog.DiscardHandler), Lease: time.Hour, Poll: 20 * time.Millisecond, Grace: time.Second})
}

func (x *hooked) update(fn func(*store.Tx) error) {
	x.t.Helper()
	if err := x.s.Update(context.Background(), console.By{At: x.now(), Actor: console.Console}, fn); err != nil {
		x.t.Fatal(err)
	}
}

// add adds a webhook at a path of the receiver.
func (x *hooked) add(path string, kind console.WebhookKind, events ...string) (id console.ID) {
	x.t.Helper()
	secret := webhook.NewSecret()
	x.update(func(tx *store.Tx) (err error) {
		id, err = tx.AddWebhook(console.Webhook{Kind: kind, Address: "https://example.com" + path, Events: events}, baton.NewSecret(x.r.URL+path), secret)
		return err
	})
	x.r.mu.Lock()
	x.r.secrets = append(x.r.secrets, secret)
	x.r.mu.Unlock()
	return id
}

func (x *hooked) happen(kinds ...string) {
	x.t.Helper()
	for _, k := range kinds {
		x.update(func(tx *store.Tx) error { tx.Append(console.Event{Kind: k}); return nil })
	}
}

// deliver reads events and does what is due for webhooks once, one row after the other.
func (x *hooked) deliver() {
	x.t.Helper()
	for more := true; more; {
		var err error
		if more, err = x.w.readEvents(x.t.Context(), x.w.readers()[1]); err != nil {
			x.t.Fatal(err)
		}
	}
	for _, k := range x.w.kinds() {
		if k.name == console.DueReplay || k.name == console.DueWebhook {
			k.batch = 100
			if _, err := x.w.round(x.t.Context(), x.t.Context(), k); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

func (x *hooked) hook(id console.ID) (w console.Webhook) {
	x.t.Helper()
	x.update(func(tx *store.Tx) (err error) {
		w, err = tx.Webhook(id)
		return err
	})
	return w
}

func (x *hooked) deliveries(id console.ID) (all []console.WebhookDelivery) {
	x.t.Helper()
	x.update(func(tx *store.Tx) (err error) {
		all, err = tx.Deliveries(id, "", 0, store.PageSize)
		return err
	})
	slices.Reverse(all)
	return all
}

func (x *hooked) kinds(object console.ID) (kinds []string) {
	x.t.Helper()
	x.update(func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{Object: string(object)}, 0, store.PageSize)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		return err
	})
	return kinds
}

// TestWebhooks delivers events to webhooks that subscribe to different kinds.
func TestWebhooks(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newHooked(t, d)
		x.happen("app.added") // before there is a webhook
		all, some, chat := x.add("/all", console.WebhookSigned), x.add("/some", console.WebhookSigned, "request.*", "app.changed"), x.add("/chat", console.WebhookChat, "app.*")
		x.happen("app.changed", "request.granted", "request-settings.changed")
		x.deliver()
		if got := x.r.received("/some"); len(got) != 2 || got[0].right != 1 || got[0].id == got[1].id || !strings.HasPrefix(got[0].id, "evt_") ||
			!strings.HasPrefix(got[0].body, `{"type":"app.changed","timestamp":"2026-11-29T12:00:00Z","data":{"id":"evt_`) || !strings.Contains(got[1].body, `"type":"request.granted"`) {
			t.Errorf("some: %+v", got)
		}
		if got := x.r.received("/chat"); len(got) != 1 || got[0].id != "" || got[0].body != `{"text":"The console changed the application"}` {
			t.Errorf("chat: %+v", got)
		}
		var kinds []string
		for _, d := range x.deliveries(all) {
			kinds = append(kinds, d.Kind)
			if d.State != console.DeliveryDone || d.Status != 200 || d.Answer != "thank you" || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		}
		// Those that were added after it, too.
		if want := []string{"webhook.added", "webhook.added", "webhook.added", "app.changed", "request.granted", "request-settings.changed"}; !slices.Equal(kinds, want[1:]) && !slices.Equal(kinds, want) {
			t.Errorf("all: %q", kinds)
		}
		x.update(func(tx *store.Tx) error { return tx.TestWebhook(some) })
		x.deliver()
		if got := x.r.received("/some"); len(got) != 3 || !strings.Contains(got[2].body, `"type":"webhook.tested"`) {
			t.Errorf("a test: %+v", got)
		}
		if got := x.r.received("/chat"); len(got) != 1 {
			t.Errorf("a test of another one: %+v", got)
		}
		if got := x.kinds(chat); !slices.Equal(got, []string{"webhook.added"}) {
			t.Errorf("deliveries are events: %q", got)
		}
	})
}

// TestWebhookSchedule follows the attempts of a delivery, until it is given up and the webhook is
// stopped.
func TestWebhookSchedule(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newHooked(t, d)
		id := x.add("/", console.WebhookSigned, "app.*")
		x.r.answer(func(string) int { return 500 })
		x.happen("app.changed")
		began := x.now()
		var times []time.Duration
		for hours := 0; hours < 100; {
			before := len(x.r.received("/"))
			x.deliver()
			if len(x.r.received("/")) > before {
				times = append(times, x.now().Sub(began).Round(time.Second))
			}
			d := x.deliveries(id)[0]
			if d.State != console.DeliveryWaiting {
				break
			}
			x.clock.Store(later(d.Next, x.hook(id).Ready).UnixMicro())
		}
		// Up to a tenth later than the specification's schedule.
		want := []time.Duration{0, 5 * time.Second, 5*time.Minute + 5*time.Second, 35*time.Minute + 5*time.Second, 2*time.Hour + 35*time.Minute, 7*time.Hour + 35*time.Minute, 17*time.Hour + 35*time.Minute,
			31*time.Hour + 35*time.Minute, 51*time.Hour + 35*time.Minute, 75*time.Hour + 35*time.Minute}
		if len(times) != len(want) {
			t.Fatalf("attempts at %v", times)
		}
		for i, at := range times {
			if at < want[i] || at > want[i]*11/10+time.Second {
				t.Errorf("attempt %d at %v, want %v", i+1, at, want[i])
			}
		}
		got := x.deliveries(id)[0]
		if got.State != console.DeliveryFailed || got.Attempts != 10 || got.Status != 500 || got.Detail != "The receiver answered 500 Internal Server Error." || got.Answer != "thank you" {
			t.Errorf("%+v", got)
		}
		ids := map[string]bool{}
		for _, p := range x.r.received("/") {
			ids[p.id+p.body] = true
			if p.right != 1 {
				t.Errorf("not signed: %+v", p)
			}
		}
		if len(ids) != 1 {
			t.Errorf("ids and bodies %v", ids)
		}
		// It failed for three days: it is stopped, with an event of which administrators are notified.
		if w := x.hook(id); w.State != console.WebhookStopped || !strings.Contains(w.Why, "Nothing was delivered since 29 Nov 2026 12:00 UTC") {
			t.Errorf("%+v", w)
		}
		x.happen("app.changed")
		x.deliver()
		if len(x.r.received("/")) != len(want) || len(x.deliveries(id)) != 1 {
			t.Error("something is delivered to a stopped webhook")
		}
		if got := x.kinds(id); !slices.Equal(got, []string{"webhook.added", "webhook.stopped"}) {
			t.Errorf("events %q", got)
		}
		// It is resumed, and gets what it missed.
		x.r.answer(nil)
		x.update(func(tx *store.Tx) error {
			if err := tx.ResumeWebhook(id); err != nil {
				return err
			}
			_, err := tx.ReplayWebhook(id, began, true)
			return err
		})
		x.deliver()
		if got := x.deliveries(id); len(got) != 2 || got[0].State != console.DeliveryDone || got[1].State != console.DeliveryDone {
			t.Errorf("after the replay: %+v", got)
		}
	})
}

// TestWebhookAnswers checks what the answers of a receiver change.
func TestWebhookAnswers(t *testing.T) {
	x := newHooked(t, mailDatabase{SQLite: t.TempDir() + "/console.db"})
	id := x.add("/", console.WebhookSigned, "app.*")
	status := http.StatusGone
	x.r.answer(func(string) int { return status })
	x.happen("app.changed", "app.changed")
	x.deliver()
	if w := x.hook(id); w.State != console.WebhookStopped || !strings.Contains(w.Why, "410 Gone") || len(x.r.received("/")) != 1 {
		t.Errorf("410: %+v", w)
	}
	for _, d := range x.deliveries(id) {
		if d.State != console.DeliveryFailed {
			t.Errorf("410: %+v", d)
		}
	}
	resume := func() {
		t.Helper()
		x.later(time.Hour)
		x.update(func(tx *store.Tx) error { return tx.ResumeWebhook(id) })
	}
	resume()
	status = http.StatusFound
	x.happen("app.changed")
	x.deliver()
	if d := x.deliveries(id)[2]; d.State != console.DeliveryWaiting || !strings.Contains(d.Detail, "redirect") {
		t.Errorf("302: %+v", d)
	}

	// A receiver that is down is not asked for every event.
	status = http.StatusBadGateway
	before := len(x.r.received("/"))
	for range 20 {
		x.happen("app.changed")
		x.deliver()
	}
	if n := len(x.r.received("/")) - before; n != 0 {
		t.Errorf("asked %d times while it is left alone", n)
	}
	x.later(10 * time.Second)
	x.deliver()
	if n := len(x.r.received("/")) - before; n != 1 {
		t.Errorf("asked %d times", n)
	}

	// Once it works, everything arrives.
	status = http.StatusNoContent
	x.later(10 * time.Minute)
	x.deliver()
	if w := x.hook(id); !w.Failing.IsZero() || w.Failures != 0 || !w.Delivered.Equal(x.now()) {
		t.Errorf("after it works: %+v", w)
	}
	for _, d := range x.deliveries(id)[2:] {
		if d.State != console.DeliveryDone || d.Status != 204 {
			t.Errorf("after it works: %+v", d)
		}
	}

	// A person pauses it, and resumes it.
	x.update(func(tx *store.Tx) error { return tx.PauseWebhook(id) })
	before = len(x.r.received("/"))
	x.happen("app.changed")
	x.deliver()
	if n := len(x.r.received("/")) - before; n != 0 {
		t.Errorf("%d delivered while it is paused", n)
	}
	x.update(func(tx *store.Tx) error { return tx.ResumeWebhook(id) })
	x.deliver()
	if n := len(x.r.received("/")) - before; n != 1 {
		t.Errorf("%d delivered after the pause", n)
	}

	// A copy of the console sends nothing.
	x.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{Webhooks: true}) })
	x.happen("app.changed")
	for range 3 {
		x.deliver()
		x.later(time.Hour)
	}
	if n := len(x.r.received("/")) - before; n != 1 {
		t.Errorf("a copy delivered %d", n-1)
	}
	x.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{}) })
	x.deliver()
	if n := len(x.r.received("/")) - before; n != 2 {
		t.Errorf("after the copy became the original: %d", n)
	}

	// Its secrets are gone, after a restore without keys.
	x.update(func(tx *store.Tx) error { return tx.RemoveSecret("webhook/"+string(id), "secret") })
	x.happen("app.changed")
	x.deliver()
	if w := x.hook(id); w.State != console.WebhookStopped || !strings.Contains(w.Why, "secret") {
		t.Errorf("without a secret: %+v", w)
	}
	// A webhook that is removed meanwhile.
	x.update(func(tx *store.Tx) error { return tx.RemoveWebhook(id) })
	x.deliver()
}

// TestWebhookRotation checks that both secrets sign for a day.
func TestWebhookRotation(t *testing.T) {
	x := newHooked(t, mailDatabase{SQLite: t.TempDir() + "/console.db"})
	id := x.add("/", console.WebhookSigned, "app.*")
	second := webhook.NewSecret()
	x.r.secrets = append(x.r.secrets, second)
	x.update(func(tx *store.Tx) error { _, err := tx.RotateWebhook(id, second); return err })
	x.happen("app.changed")
	x.deliver()
	x.later(console.WebhookOverlap)
	x.happen("app.changed")
	x.deliver()
	if got := x.r.received("/"); len(got) != 2 || got[0].right != 2 || got[1].right != 1 {
		t.Errorf("%+v", got)
	}
}

// TestWebhookSlow checks that a receiver that hangs delays no other one.
func TestWebhookSlow(t *testing.T) {
	x := newHooked(t, mailDatabase{SQLite: t.TempDir() + "/console.db"})
	release := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(release) }) }
	defer end()
	x.r.answer(func(path string) int {
		if path == "/slow" {
			<-release
		}
		return 200
	})
	slow := x.add("/slow", console.WebhookSigned, "app.*")
	x.add("/fast", console.WebhookSigned, "app.*")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.w.Run(ctx)
	}()
	x.happen("app.changed", "app.changed", "app.changed")
	for end := time.Now().Add(time.Minute); len(x.r.received("/fast")) < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the fast one waits for the slow one")
		}
	}
	if len(x.r.received("/slow")) == 0 {
		t.Error("the slow one was not asked")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if d := x.deliveries(slow); len(d) > 0 && strings.Contains(d[0].Detail, "did not answer within 2 seconds") && d[0].State == console.DeliveryWaiting {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the slow one: %+v", x.deliveries(slow))
		}
	}
	end()
	cancel()
	<-done
}

// TestWebhookReplicas runs several workers on one database: every event arrives once.
func TestWebhookReplicas(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newHooked(t, d)
		for i := range 3 {
			x.add(fmt.Sprint("/", i), console.WebhookSigned, "app.*")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 2 {
			s, err := d.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			w := x.worker(s, fmt.Sprint("replica ", i))
			wg.Go(func() { w.Run(ctx) })
		}
		const events = 40
		for range events {
			x.happen("app.changed")
		}
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if len(x.r.received("/0"))+len(x.r.received("/1"))+len(x.r.received("/2")) >= 3*events {
				break
			}
		}
		time.Sleep(200 * time.Millisecond) // for one that comes twice
		cancel()
		wg.Wait()
		for i := range 3 {
			numbers := map[int64]int{}
			for _, p := range x.r.received(fmt.Sprint("/", i)) {
				numbers[p.number]++
			}
			if len(numbers) != events {
				t.Errorf("webhook %d got %d events", i, len(numbers))
			}
			for n, times := range numbers {
				if times != 1 {
					t.Errorf("webhook %d got event %d %d times", i, n, times)
				}
			}
		}
	})
}

// TestWebhookChat posts about an application whose name looks like markup of a chat.
func TestWebhookChat(t *testing.T) {
	x := newHooked(t, mailDatabase{SQLite: t.TempDir() + "/console.db"})
	x.add("/", console.WebhookChat, "app.added", "connector.state-changed")
	var app, connector console.ID
	x.update(func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: "<!channel> https://evil.example"}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: "c <@U1>", Hosting: console.ByFile})
		return err
	})
	x.update(func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "connector.state-changed", App: app, Connector: connector, Object: string(connector), Data: []byte(`{"after":"Error","sentence":"*Its* sync failed."}`)})
		return nil
	})
	x.deliver()
	const name = "&lt;!\u200bchannel&gt; https:\u200b//evil.\u200bexample"
	want := []string{"The console added the application: " + name + "\nhttps://console.example.com/applications/" + string(app),
		"Connector c &lt;@\u200bU1&gt;: Error\nThe connector c &lt;@\u200bU1&gt; of " + name + ": Error. *\u200bIts*\u200b sync failed.\nhttps://console.example.com/connectors/" + string(connector)}
	var got []string
	for _, p := range x.r.received("/") {
		var m map[string]string
		if err := json.Unmarshal([]byte(p.body), &m); err != nil || len(m) != 1 || p.id != "" {
			t.Errorf("%+v, %v", p, err)
		}
		got = append(got, m["text"])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// TestWebhookInward checks that nothing is posted to an address in a private network.
func TestWebhookInward(t *testing.T) {
	x := newHooked(t, mailDatabase{SQLite: t.TempDir() + "/console.db"})
	x.w.Webhooks.Allow = govern.Networks{}.Allow
	id := x.add("/", console.WebhookSigned, "app.*")
	x.happen("app.changed")
	x.deliver()
	d := x.deliveries(id)[0]
	if len(x.r.received("/")) != 0 || d.State != console.DeliveryWaiting || !strings.Contains(d.Detail, "private network") || !strings.Contains(d.Detail, "--allow-network") || strings.Contains(d.Detail, "https://") {
		t.Errorf("%+v", d)
	}
}
