package pagelog_test

import (
	"syscall"
	"testing"

	"baton"
	"baton/agent/pagelog"
	"baton/internal/disk/disktest"
)

// failing opens a log on a disk with faults.
func failing(t *testing.T, dir string, faults ...disktest.Fault) (*disktest.Disk, *pagelog.Log) {
	t.Helper()
	d, err := disktest.New(dir, faults...)
	if err != nil {
		t.Fatal(err)
	}
	log, err := pagelog.Open(d, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return d, log
}

// TestUnreadableIsNotEmpty: a log whose first bytes cannot be read once counted as empty, so that a sync
// could be sealed without the rows of a feed.
func TestUnreadableIsNotEmpty(t *testing.T) {
	for _, goes := range []bool{false, true} {
		dir := t.TempDir()
		log, feed := open(t, dir)
		put(t, feed, "one", "a", "b")
		feed.Close()
		log.Close()
		reads := disktest.Fault{Op: disktest.Read, Name: "users.pages", Nth: 1, On: goes, Err: syscall.EIO}
		_, log = failing(t, dir, reads)
		if _, err := log.Feed("users"); baton.KindOf(err) != baton.Storage {
			t.Errorf("opened: %v", err)
		}
		log.Close()

		_, feed = open(t, dir)
		if got := records(t, feed); len(got) != 2 {
			t.Fatalf("what could not be read is gone: %q is left", got)
		}
	}
	dir := t.TempDir()
	// The first read belongs to the recovery.
	_, log := failing(t, dir, disktest.Fault{Op: disktest.Read, Name: "users.pages", Nth: 2, Err: syscall.EIO})
	feed, err := log.Feed("users")
	if err != nil {
		t.Fatal(err)
	}
	put(t, feed, "one", "a", "b")
	n := 0
	if err := feed.Replay(func([]byte, int64) error { n++; return nil }); baton.KindOf(err) != baton.Storage {
		t.Errorf("%d rows were replayed, %v", n, err)
	}
	feed.Close()
}
