package review_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"baton/console"
	"baton/console/evidence"
	"baton/console/evidence/evidencetest"
	"baton/console/govern"
	"baton/console/govern/governtest"
	"baton/console/ingest/ingesttest"
	"baton/console/plan"
	"baton/console/review"
	"baton/console/store"
	"baton/internal/longtest"
)

// newLarge returns a console with accounts that hold four entitlements each, of people of their own,
// and the draft of a campaign whose items one person reviews.
func newLarge(t testing.TB, s *store.Store, items int) (*world, console.ID) {
	w := newWorld(t, s)
	app := w.addLarge(items/4, 4)
	id, err := w.AddCampaign(ctx, w.Callers["camp"], govern.NewCampaign{CampaignSettings: settings(func(c *console.CampaignSettings) { c.Scope.Apps = []console.ID{app} })})
	w.Check(err)
	w.Check(w.PrepareCampaign(ctx, w.Callers["camp"], id, "measured"))
	return w, id
}

// addLarge adds an application with 400 groups and accounts of people of their own, each in some of
// the groups.
func (w *world) addLarge(accounts, each int) console.ID {
	w.T.Helper()
	groups := make([]ingesttest.Group, 400)
	for g := range groups {
		groups[g] = ingesttest.Group{ID: fmt.Sprintf("g%03d", g), Name: fmt.Sprintf("Group %d", g)}
	}
	tenant := ingesttest.Tenant{}
	for n := range accounts {
		account := fmt.Sprintf("a%06d", n)
		tenant.Accounts = append(tenant.Accounts, ingesttest.Account(account, fmt.Sprintf("Person Number %d", n), account+"@example.test"))
		for k := range each {
			g := &groups[(n*7+k*400/each)%400]
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
	tenant.Apply(w.T, w.Store, connector, w.Time)
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
	return app
}

// decideAll decides about all items of a campaign that are open, every hundredth of them as a removal,
// and applies the plan.
func (w *world) decideAll(id console.ID) {
	w.T.Helper()
	for {
		var open []int
		w.View(func(tx *store.Tx) (err error) {
			open, err = tx.OpenItems(id, w.ID("own"), 0, store.PageSize)
			return err
		})
		if len(open) == 0 {
			break
		}
		removals := 0
		choices := make([]review.Choice, len(open))
		for i, n := range open {
			choices[i] = review.Choice{Item: n, Choice: console.ChooseKeep, Seconds: 3, Note: "needed for the work of the team"}
			if n%100 == 0 {
				choices[i].Choice = console.ChooseRemove
				removals++
			}
		}
		_, err := w.DecideReview(ctx, w.Callers["own"], id, choices, removals, false)
		w.Check(err)
		_, err = w.SubmitReview(ctx, w.Callers["own"], id)
		w.Check(err)
	}
	w.Check(w.CloseCampaign(ctx, w.Callers["camp"], id))
	w.advance(id)
	var p console.RemovalPlan
	w.View(func(tx *store.Tx) (err error) {
		p, err = tx.Plan(w.campaign(id).Plan)
		return err
	})
	w.Check(w.ApplyPlan(ctx, w.Callers["camp"], p.ID, p.Hash, fmt.Sprint(p.Rows)))
	for range 3 {
		w.Check(plan.Advance(ctx, w.Store, func() time.Time { return w.Time }, p.ID))
	}
}

// heapFile is a file that looks at the live heap while a pack is written to it.
type heapFile struct {
	*os.File
	every   int // number of bytes between two looks, each of which collects garbage
	written int
	most    uint64
}

func (f *heapFile) WriteAt(p []byte, at int64) (int, error) {
	before := f.written / f.every
	if f.written += len(p); f.written/f.every > before {
		f.most = max(f.most, liveHeap())
	}
	return f.File.WriteAt(p, at)
}

// liveHeap collects garbage and returns the size of the live heap.
func liveHeap() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// packGrowth makes the pack of a campaign and returns its size, and by how much the live heap grew
// meanwhile, which it looks at after a number of bytes.
func (w *world) packGrowth(id console.ID, every int) (size int64, growth uint64) {
	w.T.Helper()
	f, err := os.Create(filepath.Join(w.T.TempDir(), "pack.zip"))
	w.Check(err)
	defer f.Close()
	before := liveHeap()
	h := &heapFile{File: f, every: every}
	w.View(func(tx *store.Tx) error {
		src, err := review.NewPack(tx, id)
		if err == nil {
			_, size, err = evidence.Build(ctx, h, src, evidencetest.Key)
		}
		return err
	})
	if h.most > before {
		growth = h.most - before
	}
	return size, growth
}

// TestPackMemory makes the packs of a small and of a large review: the memory that it takes does not
// grow with the number of items, decisions, removals and events.
func TestPackMemory(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": governtest.OpenSQLite, "postgres": governtest.OpenPostgres} {
		t.Run(name, func(t *testing.T) {
			var grown []uint64
			for _, items := range []int{1500, longtest.Pick(4500, 100_000)} {
				w, id := newLarge(t, open(t), items)
				w.advance(id)
				w.Check(w.StartCampaign(ctx, w.Callers["camp"], id))
				w.decideAll(id)
				size, growth := w.packGrowth(id, 1<<18)
				t.Logf("%d items: a pack of %d bytes, and %d of memory", items, size, growth)
				if size < int64(items)*1000 {
					t.Errorf("a pack of %d bytes for %d items", size, items)
				}
				grown = append(grown, growth)
			}
			if small, large := grown[0], grown[1]; large > small+512<<10 {
				t.Errorf("the memory grew from %d to %d bytes", small, large)
			}
		})
	}
}
