package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// streamed returns the lines of a stream that ends.
func streamed(t *testing.T, a answer) (lines []govern.StreamLine) {
	t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "application/jsonl" {
		t.Fatalf("the stream: %d %v %s", a.status, a.header, a.body)
	}
	for text := range strings.Lines(a.body) {
		var l govern.StreamLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestStream reads every event, checks the chain by what was read alone, resumes, and waits for an
// event that comes later.
func TestStream(t *testing.T) {
	f := newFixture(t)
	credential := f.issue("auditor", console.ScopeRead)
	auditor := f.token(credential)
	const path = "/api/v1/events"
	all := streamed(t, f.call(auditor, "GET", path, ""))
	if len(all) < 10 {
		t.Fatalf("%d events", len(all))
	}
	var previous console.Hash
	for i, l := range all {
		link := console.Link{Epoch: l.Epoch, Number: l.Number, Previous: l.Previous}
		if l.Number != int64(i+1) || l.Previous != previous || console.HashEvent(link, l.Event) != l.Hash {
			t.Fatalf("line %d is no link of the chain: %+v", i, l)
		}
		previous = l.Hash
	}
	last := all[len(all)-1]
	if !strings.Contains(string(last.Event), `"audit.streamed"`) {
		t.Errorf("that somebody reads the stream is no event: %s", last.Event)
	}
	if again := streamed(t, f.call(auditor, "GET", path+"?after="+last.Cursor, "")); len(again) != 0 {
		t.Errorf("after the last event there is %+v: reading again the same day is no event", again)
	}
	if rest := streamed(t, f.call(auditor, "GET", path+"?after="+all[4].Cursor, "")); len(rest) != len(all)-5 || rest[0].Number != 6 {
		t.Errorf("after event 5 there are %d events, want %d", len(rest), len(all)-5)
	}
	if rest := streamed(t, f.call(auditor, "GET", path+"?after=now", "")); len(rest) != 0 {
		t.Errorf("after now there is %+v", rest)
	}
	f.now = f.now.Add(20 * time.Hour)
	auditor = f.token(credential)
	next := f.call(auditor, "GET", path+"?after="+last.Cursor, "")
	streamed(t, next)
	if strings.Count(next.body, `"audit.streamed"`) != 1 {
		t.Errorf("on the next day there is %s, want that the stream is read", next.body)
	}

	// An event that comes while a client waits.
	r, err := http.NewRequest("GET", f.server.URL+path+"?wait=60&after=now", nil)
	f.check(err)
	r.Header.Set("Authorization", "Bearer "+auditor)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for { // until the reader has begun, whenever that is
			if err := f.store.Update(ctx, console.By{At: f.now, Actor: console.Console}, func(tx *store.Tx) error {
				tx.Append(console.Event{Kind: "test.happened"})
				return nil
			}); err != nil {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	resp, err := http.DefaultClient.Do(r.WithContext(ctx))
	f.check(err)
	lines := bufio.NewScanner(resp.Body)
	found := false
	for !found && lines.Scan() {
		found = strings.Contains(lines.Text(), `"test.happened"`)
	}
	cancel()
	resp.Body.Close()
	<-done
	if !found || time.Since(began) > 30*time.Second {
		t.Errorf("the event arrived: %v, after %s", found, time.Since(began))
	}

	for _, bad := range []string{"after=x", "after=1-2", "after=1-0-0123456789abcdef", "wait=x", "wait=-1", "wait=301"} {
		f.fails(bad, auditor, "GET", path+"?"+bad, "", 400, 3)
	}
	f.fails("an event that a restore removed", auditor, "GET", path+"?after=1-3-0123456789abcdef", "", 400, 9, "restored from a backup")
	f.fails("an event that is not there", auditor, "GET", path+"?after=1-999999-0123456789abcdef", "", 400, 9, "restored from a backup")
	f.fails("an owner", f.as("owner"), "GET", path, "", 403, 7, "Auditor")
}

// TestSource finds events by the program that made them, as the program says.
func TestSource(t *testing.T) {
	f := newFixture(t)
	f.ask()
	for source, comment := range map[string]string{"cone:task:comment": "one", "terraform": "two", strings.Repeat("x", 101): "three", "a\u202eb": "four"} {
		r, err := http.NewRequest("POST", f.server.URL+f.taskPath("/action/comment"), strings.NewReader(fmt.Sprintf(`{"comment":%q}`, comment)))
		f.check(err)
		r.Header.Set("Authorization", "Bearer "+f.as("owner"))
		r.Header.Set("C1-Request-Source", source)
		resp, err := http.DefaultClient.Do(r)
		f.check(err)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
	}
	caller := govern.Caller{Person: console.Person{ID: f.people["auditor"]}}
	for source, want := range map[string]int{"cone:task:comment": 1, "cone": 1, "cone:task": 0, "terraform": 1, "x": 0} {
		p, err := f.govern.Audit(t.Context(), caller, govern.AuditFilter{Source: source}, 0, 10)
		if err != nil || len(p.Rows) != want {
			t.Errorf("%s: %+v, %v", source, p.Rows, err)
		}
		if want == 1 && !strings.HasPrefix(p.Rows[0].Source, source) {
			t.Errorf("%s: the event is of %q", source, p.Rows[0].Source)
		}
	}
}
