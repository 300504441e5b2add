package report_test

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"baton/internal/longtest"
	"baton/report"
)

var large = flag.Bool("large", false, "also 100,000 accounts; -v says what each size costs")
var keep = flag.String("keep", "", "folder to leave the pages of large files in")

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// TestLarge: a page stays small enough to open, however large the file, and the heap needs a few hundred
// bytes per row.
func TestLarge(t *testing.T) {
	sizes := []struct{ accounts, groups, grants int }{{1000, 10, 3000}}
	if longtest.Enabled || *large {
		sizes = append(sizes, struct{ accounts, groups, grants int }{10_000, 100, 50_000})
	}
	if *large {
		sizes = append(sizes, struct{ accounts, groups, grants int }{100_000, 1000, 500_000})
	}
	for _, s := range sizes {
		path := filepath.Join(t.TempDir(), "large.c1z")
		w := crowd(s.accounts, s.groups, s.grants)
		write(t, path, first, w)
		for i := range w.resources { // every hundredth account was disabled since
			if i%100 == 0 && w.resources[i].User != nil {
				w.resources[i].Status ^= 3
			}
		}
		w.grants = w.grants[:len(w.grants)-s.grants/100]
		write(t, path, second, w)
		total := len(w.resources) + len(w.grants)
		w = nil
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		o := options(t, clubhouse(), path)
		for name, do := range map[string]func(io.Writer) error{
			"html": func(w io.Writer) error { return report.HTML(t.Context(), w, o) },
			"csv":  func(w io.Writer) error { return report.CSV(t.Context(), w, o, report.Tables()[0]) },
			"json": func(w io.Writer) error { return report.JSONLines(t.Context(), w, o) },
		} {
			var n counter
			var to io.Writer = &n
			if *keep != "" {
				f, err := os.Create(filepath.Join(*keep, filepath.Base(t.TempDir())+"-"+name))
				if err != nil {
					t.Fatal(err)
				}
				to = io.MultiWriter(&n, f)
			}
			began, peak := time.Now(), heapPeak()
			if err := do(to); err != nil {
				t.Fatal(err)
			}
			live := int64(peak()) - int64(before.HeapAlloc)
			t.Logf("%d accounts, %d groups, %d grants: %s has %d bytes, took %v, heap at most %d bytes", s.accounts, s.groups, s.grants, name, n.n, time.Since(began), live)
			if limit := int64(40<<20) + int64(total)*1000; live > limit {
				t.Errorf("%s: the heap grew to %d bytes, more than %d", name, live, limit)
			}
			if name == "html" && n.n > 24<<20 {
				t.Errorf("the page has %d bytes", n.n)
			}
		}
	}
}

// heapPeak watches the heap until the returned function is called, which returns the largest size.
func heapPeak() func() uint64 {
	stop, seen := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				tick.Stop()
				seen <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-seen }
}
