package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton/agent/syncer"
	"baton/connector/rest"

	"baton/internal/output"
)

func quiet(json bool, to *bytes.Buffer) *printer {
	return (&printer{json: json, out: to, screen: &screen{to: to}}).ready(to, slog.LevelInfo)
}

func TestProgressText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(quiet(false, new(bytes.Buffer)))
		expect := func(want string) {
			t.Helper()
			if got := p.text(time.Now()); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		expect("connecting")
		p.page(syncer.Progress{Feed: "users", Objects: 500, Expected: 10500, Resumed: true})
		p.page(syncer.Progress{Feed: "groups"})
		expect("users 500/10,500, groups 0")
		time.Sleep(10 * time.Second)
		p.page(syncer.Progress{Feed: "users", Objects: 1500, Expected: 10500})
		p.page(syncer.Progress{Feed: "groups", Objects: 3, Done: true})
		// 1,003 in ten seconds, 9,000 to go.
		expect("users 1,500/10,500, groups 3 (done), 100/s, about 1m30s left")
		p.attempt(rest.Attempt{Status: 429, Wait: 30 * time.Second})
		expect("users 1,500/10,500, groups 3 (done), 100/s, about 1m30s left, waiting for the rate limit until " +
			time.Now().Add(30*time.Second).Format(time.TimeOnly))
		p.attempt(rest.Attempt{Status: 200})
		expect("users 1,500/10,500, groups 3 (done), 100/s, about 1m30s left")
		p.attempt(rest.Attempt{Status: 503, Wait: time.Second})
		if got := p.text(time.Now()); !strings.Contains(got, "the upstream answered 503, trying again at ") {
			t.Error(got)
		}
		p.attempt(rest.Attempt{Err: errors.New("connection refused"), Wait: time.Second})
		if got := p.text(time.Now()); !strings.Contains(got, ", connection refused, trying again at ") {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		p.page(syncer.Progress{Feed: "users", Objects: 1500, Expected: 10500, Waiting: time.Minute})
		if got := p.text(time.Now()); !strings.Contains(got, "waiting for the upstream to prepare users until") {
			t.Error(got)
		}
		p.page(syncer.Progress{Sealing: true})
		expect("everything is read, writing the file")
	})
}

// TestProgressLog checks the intervals without a terminal, and that stop ends the log.
func TestProgressLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := newProgress(quiet(true, &log))
		stop := p.start()
		p.page(syncer.Progress{Feed: "users", Objects: 10, Expected: 100, Pages: 1})
		time.Sleep(25 * time.Second)
		synctest.Wait()
		stop()
		time.Sleep(time.Minute)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d records: %s", len(lines), log.String())
		}
		var event struct {
			Msg   string
			Users struct{ Resources, Expected, Pages int }
		}
		if err := json.Unmarshal([]byte(lines[1]), &event); err != nil || event.Msg != "syncing" || event.Users.Expected != 100 {
			t.Errorf("%s (%v)", lines[1], err)
		}
	})
}

func TestDebugExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := debugUntil(time.Now().Add(time.Hour))
		if level.Level() != slog.LevelDebug {
			t.Error("debug ended early")
		}
		time.Sleep(2 * time.Hour)
		if level.Level() != slog.LevelInfo {
			t.Error("debug did not end")
		}
	})
}

func TestLineHandler(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(output.NewHandler(false, &b, slog.LevelInfo)).With("a", 1).WithGroup("g").With("b", "x")
	log.Warn("two\nlines\x1b", "c", slog.GroupValue(slog.Int("d", 2)), slog.Attr{})
	log.Debug("no")
	if got, want := b.String(), "warning: two lines\\x1b (a: 1, g.b: x, g.c.d: 2)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDurationsHaveUnits: durations in the log have units.
func TestDurationsHaveUnits(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(output.NewHandler(true, &b, slog.LevelInfo))
	log.Warn("again", "wait", 1500*time.Millisecond, slog.Group("g", "took", 2*time.Minute))
	if got, want := b.String(), `"wait_seconds":1.5,"g":{"took_seconds":120}}`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestScreen checks that text is written above the progress line.
func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := &screen{to: &b, status: "50%"}
	s.Write([]byte("hello\n"))
	if got, want := b.String(), eraseLine+"hello\n50%"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
