package pagelog_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"baton"
	"baton/agent/pagelog"
	"baton/internal/disk"
)

func open(t *testing.T, dir string) (*pagelog.Log, *pagelog.Feed) {
	t.Helper()
	log, err := pagelog.Open(disk.OS{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	feed, err := log.Feed("users")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { feed.Close(); log.Close() })
	return log, feed
}

func reopen(t *testing.T, dir string, log *pagelog.Log, feed *pagelog.Feed) (*pagelog.Log, *pagelog.Feed) {
	t.Helper()
	if err := errors.Join(feed.Close(), log.Close()); err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

func records(t *testing.T, f *pagelog.Feed) []string {
	t.Helper()
	var got []string
	if err := f.Replay(func(r []byte, _ int64) error { got = append(got, string(r)); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func put(t *testing.T, f *pagelog.Feed, state string, rs ...string) {
	t.Helper()
	for _, r := range rs {
		if err := f.Append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	if state == "" {
		return
	}
	if err := f.Commit([]byte(state)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasCommittedComesBack(t *testing.T) {
	dir := t.TempDir()
	log, feed := open(t, dir)
	put(t, feed, "one", "a", "b")
	put(t, feed, "two", "", "c")
	put(t, feed, "", "never committed")
	log, feed = reopen(t, dir, log, feed)
	if got, want := records(t, feed), []string{"a", "b", "", "c"}; !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	if got := string(feed.State()); got != "two" {
		t.Errorf("state %q, want two", got)
	}
	put(t, feed, "three", "d")
	_, feed = reopen(t, dir, log, feed)
	if got, want := records(t, feed), []string{"a", "b", "", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("records after going on %q, want %q", got, want)
	}
}

func TestRollbackAndReset(t *testing.T) {
	dir := t.TempDir()
	log, feed := open(t, dir)
	put(t, feed, "one", "a")
	put(t, feed, "", "lost", string(make([]byte, 1<<20)))
	if err := feed.Rollback(); err != nil {
		t.Fatal(err)
	}
	put(t, feed, "two", "b")
	if got, want := records(t, feed), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("after rollback %q, want %q", got, want)
	}
	if err := feed.Reset([]byte("again")); err != nil {
		t.Fatal(err)
	}
	put(t, feed, "three", "c")
	_, feed = reopen(t, dir, log, feed)
	if got, want := records(t, feed), []string{"c"}; !slices.Equal(got, want) {
		t.Errorf("after reset %q, want %q", got, want)
	}
}

// TestTornAnywhere cuts the file at every length and flips every byte: recovery always yields a whole number
// of pages with their state.
func TestTornAnywhere(t *testing.T) {
	dir := t.TempDir()
	log, feed := open(t, dir)
	want := map[string]int{"": 0}
	n := 0
	for page := 1; page <= 4; page++ {
		for range page {
			n++
			put(t, feed, "", fmt.Sprintf("record %d", n))
		}
		state := fmt.Sprintf("page %d", page)
		put(t, feed, state)
		want[state] = n
	}
	feed.Close()
	log.Close()
	path := filepath.Join(dir, "users.pages")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, data []byte, least int) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := pagelog.Open(disk.OS{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		feed, err := log.Feed("users")
		if err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		got := records(t, feed)
		if len(got) != want[string(feed.State())] {
			t.Fatalf("state %q with %d records, want %d", feed.State(), len(got), want[string(feed.State())])
		}
		if len(got) < least {
			t.Fatalf("%d records recovered, want at least %d", len(got), least)
		}
		for i, r := range got {
			if r != fmt.Sprintf("record %d", i+1) {
				t.Fatalf("record %d is %q", i, r)
			}
		}
	}
	for i := range whole {
		check(t, whole[:i], 0)
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x40
		check(t, flipped, 0)
	}
	check(t, append(bytes.Clone(whole), "tail of a page"...), n)
}

func TestHeaderBeginsASync(t *testing.T) {
	dir := t.TempDir()
	log, feed := open(t, dir)
	if h, err := log.Header(); h != nil || err != nil {
		t.Fatalf("fresh header %q, %v", h, err)
	}
	put(t, feed, "one", "a")
	feed.Close()
	if err := log.Begin([]byte("sync 1")); err != nil {
		t.Fatal(err)
	}
	feed, err := log.Feed("users")
	if err != nil {
		t.Fatal(err)
	}
	if got := records(t, feed); len(got) != 0 || feed.State() != nil {
		t.Errorf("a new sync starts with %q, state %q", got, feed.State())
	}
	if h, _ := log.Header(); string(h) != "sync 1" {
		t.Errorf("header %q", h)
	}
	feed.Close()
	if err := log.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := pagelog.Open(disk.OS{}, dir)
	if baton.KindOf(err) != baton.Refused {
		t.Errorf("second open: %v, want Refused", err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pagelog.Open(disk.OS{}, filepath.Join(file, "pages"))
	if baton.KindOf(err) != baton.Storage || baton.FixOf(err) == "" {
		t.Errorf("got %v (fix %q), want a Storage error with a fix", err, baton.FixOf(err))
	}
}

func FuzzRecover(f *testing.F) {
	f.Add([]byte("PAGELOG1"))
	f.Add([]byte("PAGELOG1\x01\x00\x00\x00\x00\x00\x00\x00cx"))
	f.Add([]byte("PAGELOG1\xff\xff\xff\xff\x00\x00\x00\x00rx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "users.pages"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		log, feed := open(t, dir)
		before := len(records(t, feed))
		put(t, feed, "next", "r")
		_, feed = reopen(t, dir, log, feed)
		if got := len(records(t, feed)); got != before+1 {
			t.Fatalf("%d records after adding one to %d", got, before)
		}
	})
}
