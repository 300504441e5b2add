//go:build unix

package review_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton/console"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/ingest/ingesttest"
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
// single decisions with their submission, and progress. On PostgreSQL the server's CPU is not
// included. The floor hashes the same rows and inserts them into a table without indexes.
func BenchmarkReview(b *testing.B) {
	for _, db := range []struct {
		name string
		open func(testing.TB) *store.Store
	}{{"sqlite", governtest.OpenSQLite}, {"postgres", governtest.OpenPostgres}} {
		b.Run(db.name, func(b *testing.B) {
			w, id := newLarge(b, db.open(b))
			for b.Loop() {
				w.measure(b, id)
			}
		})
	}
}

// newLarge returns a console with accounts that hold four entitlements each, of people of their own,
// and the draft of a campaign whose items one person reviews.
func newLarge(b *testing.B, s *store.Store) (*world, console.ID) {
	w := newWorld(b, s)
	groups := make([]ingesttest.Group, 400)
	for g := range groups {
		groups[g] = ingesttest.Group{ID: fmt.Sprintf("g%03d", g), Name: fmt.Sprintf("Group %d", g)}
	}
	tenant := ingesttest.Tenant{}
	for n := range *itemCount / 4 {
		account := fmt.Sprintf("a%06d", n)
		tenant.Accounts = append(tenant.Accounts, ingesttest.Account(account, fmt.Sprintf("Person Number %d", n), account+"@example.test"))
		for k := range 4 {
			g := &groups[(n*7+k*100)%400]
			g.Members = append(g.Members, account)
		}
	}
	tenant.Groups = groups
	var app, connector console.ID
	w.Update(func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: "Large", Owners: []console.ID{w.ID("own")}}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: "large"})
		return err
	})
	w.Later(time.Minute)
	tenant.Apply(b, s, connector, w.Time)
	for part := range slices.Chunk(tenant.Accounts, 1000) {
		w.Update(func(tx *store.Tx) error {
			m, err := tx.Moment(app, time.Time{})
			if err != nil {
				return err
			}
			for _, a := range part {
				id, err := tx.AddPerson(console.Person{Name: a.DisplayName, Emails: []string{a.User.Login}, Department: "Sales"})
				if err != nil {
					return err
				}
				r, err := tx.ResourceByID(m, "user", a.ID.ID)
				if err != nil {
					return err
				}
				if err := tx.SetAccountOwner(r.Key, id, store.OwnerMatched); err != nil {
					return err
				}
			}
			return nil
		})
	}
	id, err := w.AddCampaign(ctx, w.Callers["camp"], govern.NewCampaign{CampaignSettings: settings(func(c *console.CampaignSettings) { c.Scope.Apps = []console.ID{app} })})
	w.Check(err)
	w.Check(w.PrepareCampaign(ctx, w.Callers["camp"], id, "measured"))
	return w, id
}

func (w *world) measure(b *testing.B, id console.ID) {
	runtime.GC()
	before := cpu()
	_, err := review.Advance(ctx, w.Store, func() time.Time { return w.Time }, id, func() error { return nil })
	w.Check(err)
	stage := cpu() - before
	w.Check(w.StartCampaign(ctx, w.Callers["camp"], id))
	floor := w.floor(b, id)
	b.ReportMetric(stage.Seconds(), "stage-CPU-s")
	b.ReportMetric(floor.Seconds(), "floor-CPU-s")
	b.ReportMetric(stage.Seconds()/floor.Seconds(), "stage/floor")

	var times []time.Duration
	for n := range 200 {
		after := (n * 37 % 100) * *itemCount / 100
		for _, page := range []func() error{
			func() error {
				_, err := w.CampaignItems(ctx, w.Callers["aud"], id, store.ItemFilter{}, after, 50)
				return err
			},
			func() error {
				_, err := w.MyReviewItems(ctx, w.Callers["own"], id, store.ReviewerFilter{ByPerson: n%2 == 0}, store.AssignmentPlace{Place: after / 4, Item: after}, 50)
				return err
			},
		} {
			began := time.Now()
			w.Check(page())
			times = append(times, time.Since(began))
		}
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "page-p95-ms")

	before = cpu()
	for n := range 1000 {
		_, err := w.DecideReview(ctx, w.Callers["own"], id, []review.Choice{{Item: 1 + n*7, Choice: console.ChooseKeep, Seconds: 3}}, 0, false)
		w.Check(err)
	}
	_, err = w.SubmitReview(ctx, w.Callers["own"], id)
	w.Check(err)
	b.ReportMetric((cpu() - before).Seconds(), "1000-decisions-CPU-s")

	times = times[:0]
	for range 50 {
		began := time.Now()
		_, err := w.Campaign(ctx, w.Callers["aud"], id)
		w.Check(err)
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "progress-p95-ms")
}

// floor hashes what the items show, and inserts the rows into a table without indexes.
func (w *world) floor(b *testing.B, id console.ID) time.Duration {
	var rows [][]byte
	for after := 0; ; {
		n := 0
		w.View(func(tx *store.Tx) error {
			items, err := tx.ReviewItems(id, store.ItemFilter{}, after, store.PageSize)
			for _, i := range items {
				rows, after, n = append(rows, i.Shown.Encode()), i.Number, n+1
			}
			return err
		})
		if n == 0 {
			break
		}
	}
	conn, err := zs.OpenConn(filepath.Join(b.TempDir(), "floor.db"), zs.OpenReadWrite, zs.OpenCreate, zs.OpenWAL)
	w.Check(err)
	defer conn.Close()
	w.Check(sqlitex.ExecuteTransient(conn, "CREATE TABLE row (number INTEGER PRIMARY KEY, shown BLOB, hash BLOB)", nil))
	runtime.GC()
	before := cpu()
	end := sqlitex.Transaction(conn)
	for n, r := range rows {
		h := console.HashShown(r)
		if err = sqlitex.Execute(conn, "INSERT INTO row VALUES (?, ?, ?)", &sqlitex.ExecOptions{Args: []any{n, r, h[:]}}); err != nil {
			break
		}
	}
	end(&err)
	w.Check(err)
	return cpu() - before
}
