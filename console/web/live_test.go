package web

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// events reads the server-sent events of a path until they end.
func (b *browser) events(ctx context.Context, path string) <-chan string {
	b.f.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.f.server.URL+path, nil)
	b.f.check(err)
	r.Header.Set("Accept", "text/event-stream")
	resp, err := b.client.Do(r)
	b.f.check(err)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		b.f.t.Fatalf("%s: %s %s", path, resp.Status, resp.Header.Get("Content-Type"))
	}
	all := make(chan string, 100)
	go func() {
		defer resp.Body.Close()
		defer close(all)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				all <- text
			}
		}
	}()
	return all
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			return "ended"
		}
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event comes")
		return ""
	}
}

// TestLive checks that the page of a connector is notified of its changes only, and that the stream
// ends with the session and with the console.
func TestLive(t *testing.T) {
	f := withPeople(t)
	ending := make(chan struct{})
	f.server.Config.Handler = New(Config{Console: f.govern, Ending: ending})
	b := f.as("owner")
	base := "/connectors/" + string(f.connector)
	page := b.get(base)
	page.wants(t, "the connector", 200, `data-live="/live/connectors/`+string(f.connector)+`"`, "<noscript>")
	b.get(base+"/settings").wants(t, "its settings", 200, `data-live="/live`+base+`"`, `data-from="`+base+`/settings"`)
	first := strings.TrimSpace(b.get("/live" + base).body)
	if !strings.Contains(page.body, `data-version="`+first+`"`) {
		t.Errorf("the page does not show version %s", first)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	events := b.events(ctx, "/live"+base)
	if got := next(t, events); got != first {
		t.Errorf("the first event is %q, want %q", got, first)
	}
	f.update(func(tx *store.Tx) error { // something else happens
		_, err := tx.AddPerson(console.Person{Name: "Somebody"})
		return err
	})
	b.post(base+"/pause", map[string][]string{"paused": {"true"}})
	second := next(t, events)
	if second == first || second != strings.TrimSpace(b.get("/live"+base).body) {
		t.Errorf("after it was paused the version is %q", second)
	}
	list := b.events(ctx, "/live/connectors")
	next(t, list)
	b.post("/logout", nil)
	if got := next(t, events); got != "end" {
		t.Errorf("after signing out: %q", got)
	}
	if got := next(t, events); got != "ended" {
		t.Errorf("the stream goes on: %q", got)
	}
	if got := next(t, list); got != "end" {
		t.Errorf("the list's stream: %q", got)
	}

	b = f.as("owner")
	events = b.events(ctx, "/live"+base)
	next(t, events)
	close(ending)
	if got := next(t, events); got != "ended" {
		t.Errorf("the console stops, and the stream: %q", got)
	}
}

// TestStreamsAreLimited checks that the open streams of one person are limited.
func TestStreamsAreLimited(t *testing.T) {
	var s streams
	var ends []func()
	for range maxStreamsOfOne {
		end, ok := s.begin("a")
		if !ok {
			t.Fatal("a stream is refused")
		}
		ends = append(ends, end)
	}
	if _, ok := s.begin("a"); ok {
		t.Error("one more is not refused")
	}
	if _, ok := s.begin("b"); !ok {
		t.Error("somebody else is refused")
	}
	ends[0]()
	if _, ok := s.begin("a"); !ok {
		t.Error("after one ended, another is refused")
	}
}
