//go:build unix

package review_test

import (
	"bufio"
	"crypto/sha256"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern/governtest"
	"baton/console/review"
	"baton/console/store"
)

var itemCount = flag.Int("items", 100_000, "number of items of BenchmarkReview")

// cpu returns the CPU time of the process.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReview measures a campaign on both databases: freezing its population, pages of items,
// decisions one at a time and 50 at a time with their submission, progress, and the evidence pack. On
// PostgreSQL the server's CPU is not included. The floors do the same with plain SQL, on a table
// without indexes that has what the items show: see [world.floor].
func BenchmarkReview(b *testing.B) {
	for _, db := range []struct {
		name string
		open func(testing.TB) *store.Store
	}{{"sqlite", governtest.OpenSQLite}, {"postgres", governtest.OpenPostgres}} {
		b.Run(db.name, func(b *testing.B) {
			w, id := newLarge(b, db.open(b), *itemCount)
			for b.Loop() {
				w.measure(b, id)
			}
		})
	}
}

func (w *world) measure(b *testing.B, id console.ID) {
	report := func(what string, value, floor float64) {
		b.ReportMetric(value, what)
		b.ReportMetric(floor, "floor-"+what)
	}
	stage := cpuOf(func() {
		_, err := review.Advance(ctx, w.Store, func() time.Time { return w.Time }, id, func() error { return nil })
		w.Check(err)
	})
	w.Check(w.StartCampaign(ctx, w.Callers["camp"], id))
	f := w.floor(id)
	report("stage-CPU-s", stage, f.stage)

	var items, mine []time.Duration
	for n := range 200 {
		after := (n * 37 % 100) * *itemCount / 100
		items = append(items, timed(func() {
			_, err := w.CampaignItems(ctx, w.Callers["aud"], id, store.ItemFilter{}, after, 50)
			w.Check(err)
		}))
		mine = append(mine, timed(func() {
			_, err := w.MyReviewItems(ctx, w.Callers["own"], id, store.ReviewerFilter{ByPerson: n%2 == 0}, store.AssignmentPlace{Place: after / 4, Item: after}, 50)
			w.Check(err)
		}))
	}
	report("page-p95-ms", p95(append(items, mine...)), f.page)

	report("1000-decisions-CPU-s", cpuOf(func() { w.decideMany(id, 0, 1) }), f.decisions)
	b.ReportMetric(cpuOf(func() { w.decideMany(id, 1, 50) }), "1000-decisions-by-50-CPU-s")

	var progress []time.Duration
	for range 50 {
		progress = append(progress, timed(func() {
			_, err := w.Campaign(ctx, w.Callers["aud"], id)
			w.Check(err)
		}))
	}
	report("progress-p95-ms", p95(progress), f.progress)

	w.decideAll(id)
	report("pack-CPU-s", cpuOf(func() {
		p, err := w.EvidencePack(ctx, w.Callers["aud"], id)
		w.Check(err)
		b.ReportMetric(float64(p.Size)/1e6, "pack-MB")
		w.Check(p.Close())
	}), f.pack)
	_, growth := w.packGrowth(id, 2<<20)
	b.ReportMetric(float64(growth)/1e6, "pack-heap-MB")
}

// decideMany makes 1,000 decisions, some at a time, about items that differ by the offset, and submits
// them.
func (w *world) decideMany(id console.ID, offset, at int) {
	for n := 0; n < 1000; n += at {
		choices := make([]review.Choice, at)
		for i := range choices {
			choices[i] = review.Choice{Item: 1 + (n+i)*7 + offset, Choice: console.ChooseKeep, Seconds: 3}
		}
		_, err := w.DecideReview(ctx, w.Callers["own"], id, choices, 0, false)
		w.Check(err)
	}
	_, err := w.SubmitReview(ctx, w.Callers["own"], id)
	w.Check(err)
}

// cpuOf returns the CPU seconds of the process while a function runs.
func cpuOf(fn func()) float64 {
	runtime.GC()
	before := cpu()
	fn()
	return (cpu() - before).Seconds()
}

func timed(fn func()) time.Duration {
	began := time.Now()
	fn()
	return time.Since(began)
}

// p95 returns the 95th percentile in milliseconds.
func p95(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)*95/100].Microseconds()) / 1000
}

// floors holds what the least work costs.
type floors struct {
	stage     float64 // hash what all items show, and insert it
	page      float64 // read 50 rows of it, by number
	decisions float64 // 1,000 transactions that change one row each
	progress  float64 // count the rows
	pack      float64 // read, hash, and write the rows to a file, twice
}

func (w *world) floor(id console.ID) (f floors) {
	var rows [][]byte
	for after := 0; ; {
		var items []console.ReviewItem
		w.View(func(tx *store.Tx) (err error) {
			items, err = tx.ReviewItems(id, store.ItemFilter{}, after, store.PageSize)
			return err
		})
		if len(items) == 0 {
			break
		}
		for _, i := range items {
			rows, after = append(rows, i.Shown.Encode()), i.Number
		}
	}
	w.Update(func(tx *store.Tx) error {
		blob := map[string]string{"sqlite": "BLOB", "postgres": "BYTEA"}[w.Store.Engine().Name()]
		_, err := tx.Engine().Exec("CREATE TABLE floor (number BIGINT PRIMARY KEY, shown " + blob + ", hash " + blob + ")")
		return err
	})
	f.stage = cpuOf(func() {
		w.Update(func(tx *store.Tx) error {
			return insertRows(tx.Engine().Copy, rows)
		})
	})
	read := func(sql string, args ...any) func() {
		return func() {
			w.View(func(tx *store.Tx) error {
				return readRows(tx.Engine().Query, func([]byte) error { return nil }, sql, args...)
			})
		}
	}
	var pages, counts []time.Duration
	for n := range 200 {
		pages = append(pages, timed(read("SELECT shown, number, hash FROM floor WHERE number > $1 ORDER BY number LIMIT 50", (n*37%100)*len(rows)/100)))
	}
	for range 20 {
		counts = append(counts, timed(read("SELECT CAST(count(*) AS TEXT) FROM floor")))
	}
	f.page, f.progress = p95(pages), p95(counts)
	f.decisions = cpuOf(func() {
		for n := range 1000 {
			w.Update(func(tx *store.Tx) error {
				_, err := tx.Engine().Exec("UPDATE floor SET hash = $2 WHERE number = $1", n*7, []byte("keep"))
				return err
			})
		}
	})
	f.pack = cpuOf(func() {
		out, err := os.Create(filepath.Join(w.T.TempDir(), "floor"))
		w.Check(err)
		defer out.Close()
		to := bufio.NewWriter(io.MultiWriter(out, sha256.New()))
		for range 2 {
			w.View(func(tx *store.Tx) error {
				return readRows(tx.Engine().Query, func(shown []byte) error {
					_, err := to.Write(shown)
					return err
				}, "SELECT shown FROM floor ORDER BY number")
			})
		}
		w.Check(to.Flush())
	})
	return f
}

// insertRows hashes rows and copies them into the table of floors.
func insertRows[W interface {
	Int(int64)
	Bytes([]byte)
	End() error
}](copyInto func(string, []string, func(W) error) error, rows [][]byte) error {
	return copyInto("floor", []string{"number", "shown", "hash"}, func(w W) error {
		for n, r := range rows {
			h := console.HashShown(r)
			w.Int(int64(n))
			w.Bytes(r)
			w.Bytes(h[:])
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
}

// readRows runs a query and calls fn with the first column of each result.
func readRows[R interface{ Bytes(int) []byte }](query func(func(R) error, string, ...any) error, fn func([]byte) error, sql string, args ...any) error {
	return query(func(r R) error { return fn(r.Bytes(0)) }, sql, args...)
}
