package storetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

func testRetention(t *testing.T, db Database) {
	s := open(t, db)
	var r console.Retention
	view(t, s, func(tx *store.Tx) (err error) {
		r, err = tx.Retention()
		return err
	})
	if r != console.DefaultRetention() {
		t.Errorf("before anything was set: %+v", r)
	}
	for _, bad := range []console.Retention{{}, {SyncFiles: 1}, {SyncFiles: 1001, MailDays: 1}, {SyncFiles: 1, MailDays: 1, TaskDays: 6}, {SyncFiles: 1, MailDays: 1, HistoryDays: 29}, {SyncFiles: 1, MailDays: 1, HistoryDays: -1}} {
		if err := s.Update(ctx, by(1), func(tx *store.Tx) error { return tx.SetRetention(bad, "why") }); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	want := console.Retention{SyncFiles: 3, MailDays: 7, TaskDays: 7, HistoryDays: 30}
	update(t, s, by(2), func(tx *store.Tx) error { return tx.SetRetention(want, "the law") })
	view(t, s, func(tx *store.Tx) (err error) {
		r, err = tx.Retention()
		return err
	})
	if r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
	update(t, s, by(3), func(tx *store.Tx) error {
		if err := tx.RetentionApplied(store.Removed{}); err != nil { // nothing: no event
			return err
		}
		return tx.RetentionApplied(store.Removed{Facts: 2})
	})
	events := allEvents(t, s)
	last := events[len(events)-1]
	if n := len(events); n < 2 || last.Kind != "retention.applied" || string(last.Data) != `{"facts":2}` || events[n-2].Kind != "retention.changed" {
		t.Errorf("events: %+v", last)
	}
}

// testForgetHistory applies random syncs, forgets the history before some of them, and compares what
// is left with what was there: every moment since then has the same answer, every moment before has
// none, and what is still held is held since the same sync.
func testForgetHistory(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	other := namedWorld(t, s, "other") // keeps its history
	rnd := rand.New(rand.NewPCG(7, 11))
	people, groups := []string{"ana", "ben", "cem", "dan", "eve"}, []string{"a", "b"}
	step := func(w *world, n int) console.SyncNumber {
		m := model{accounts: people, groups: groups, grants: map[[2]string]grant{}}
		for _, g := range groups {
			for _, p := range people {
				if k := rnd.IntN(4); k < 2 {
					m.grants[[2]string{g, p}] = grant{detail: fmt.Sprint("detail ", k)}
				}
			}
		}
		return w.sync(n*24*60, m) // one a day
	}
	// intervals returns since when everything is held that is held now.
	intervals := func() map[string]console.SyncNumber {
		all := map[string]console.SyncNumber{}
		view(t, s, func(tx *store.Tx) error {
			m, err := tx.Moment(w.app, time.Time{})
			if err != nil {
				return err
			}
			for _, g := range groups {
				for _, p := range people {
					r, err := tx.ResourceByID(m, "user", p)
					if err != nil {
						return err
					}
					e, err := tx.EntitlementByID(m, "group:"+g+":member")
					if err != nil {
						return err
					}
					held, err := tx.HeldIntervals(m, r.Key, e.Key)
					if err != nil {
						return err
					}
					for _, f := range held {
						if f.Until == console.Never {
							all[g+" "+p] = f.From
						}
					}
				}
			}
			return nil
		})
		return all
	}
	differences := func(from, to console.SyncNumber) (all []string, err error) {
		for d, e := range s.FactDifferences(ctx, w.stream(), from, to) {
			if e != nil {
				return nil, e
			}
			all = append(all, fmt.Sprintf("%d %+v %+v", d.Change, d.Before, d.After))
		}
		return all, nil
	}
	const days = 24
	var numbers []console.SyncNumber
	then := map[int]string{}
	for day := range days {
		numbers = append(numbers, step(w, day))
		step(other, day)
	}
	moment := func(day int) time.Time { return at(day*24*60 + 1) }
	for day := range days {
		then[day] = w.shown(moment(day))
	}
	otherThen := other.shown(moment(1))
	held := intervals()
	stored := func() (facts, notes, dangling int64) {
		view(t, s, func(tx *store.Tx) error {
			for _, q := range []struct {
				n   *int64
				sql string
			}{{&facts, "SELECT count(*) FROM fact WHERE stream = $1"}, {&notes, "SELECT count(*) FROM changed WHERE stream = $1"},
				{&dangling, "SELECT count(*) FROM fact_by_principal p JOIN resource r ON r.key = p.principal WHERE r.stream = $1 AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.stream = $1 AND f.entitlement = p.entitlement AND f.principal = p.principal AND f.opened = p.opened)"}} {
				n, err := engine.Get(tx.Engine(), func(r engine.Row) int64 { return r.Int(0) }, "count", q.sql, w.stream())
				if err != nil {
					return err
				}
				*q.n = n
			}
			return nil
		})
		return facts, notes, dangling
	}
	for _, tt := range []struct {
		day, kept int
		moved     bool
	}{{0, 0, true}, {3, 3, true}, {3, 3, false}, {2, 3, false}, {9, 9, true}, {17, 17, true}, {days - 1, days - 1, true}} {
		day, kept := tt.day, tt.kept
		before, _, _ := stored()
		events := len(allEvents(t, s))
		removed, err := s.ForgetHistory(ctx, by(days*24*60), w.connector, moment(day))
		if err != nil {
			t.Fatal(err)
		}
		after, notes, dangling := stored()
		if before-after != int64(removed) || dangling != 0 {
			t.Errorf("day %d: %d facts went, %d are said to; %d rows without a fact", day, before-after, removed, dangling)
		}
		var since time.Time
		view(t, s, func(tx *store.Tx) (err error) {
			since, err = tx.HistoryKept(w.app)
			return err
		})
		if got := int(since.Sub(noon) / (24 * time.Hour)); got != kept {
			t.Fatalf("day %d: the history is kept since %s", day, since)
		}
		if n := len(allEvents(t, s)) - events; (n == 1) != tt.moved || n > 1 {
			t.Errorf("day %d: %d events", day, n)
		}
		for d := range days {
			if d < kept {
				view(t, s, func(tx *store.Tx) error {
					if _, err := tx.Moment(w.app, moment(d)); baton.KindOf(err) != baton.NotFound {
						t.Errorf("what was so on day %d is answered, although the history is kept since day %d: %v", d, kept, err)
					}
					return nil
				})
				if _, err := differences(numbers[d], numbers[days-1]); baton.KindOf(err) != baton.NotFound {
					t.Errorf("day %d is compared, although the history is kept since day %d: %v", d, kept, err)
				}
				view(t, s, func(tx *store.Tx) error {
					_, err := tx.ChangedBetween([]store.StreamRange{{Stream: w.stream(), Connector: w.connector, App: w.app, From: numbers[d], To: numbers[days-1]}}, store.ChangeKey{}, 10, store.ChangedOnly{}, nil)
					if baton.KindOf(err) != baton.NotFound {
						t.Errorf("changes since day %d are listed, although the history is kept since day %d: %v", d, kept, err)
					}
					return nil
				})
				continue
			}
			if diff := cmp.Diff(then[d], w.shown(moment(d))); diff != "" {
				t.Fatalf("day %d shows something else, now that the history is kept since day %d:\n%s", d, kept, diff)
			}
		}
		if diff := cmp.Diff(held, intervals()); diff != "" {
			t.Fatalf("since when access is held changed with the history since day %d:\n%s", kept, diff)
		}
		if day == days-1 && notes != 0 {
			t.Errorf("%d notes of changes are left", notes)
		}
	}
	if other.shown(moment(1)) != otherThen {
		t.Error("the history of another connector changed")
	}
	// Rows that are left and ended belong to intervals that go on.
	if after, _, _ := stored(); after < int64(len(held)) {
		t.Errorf("%d facts are left of %d that are held", after, len(held))
	}
	step(w, days)
	if w.shown(moment(days-1)) != then[days-1] {
		t.Error("the last moment changed with the next sync")
	}
	if len(slices.Collect(maps.Keys(intervals()))) == 0 {
		t.Error("nothing is held: the test is empty")
	}
}

// testForgetTasks removes old tasks with their uploads, and keeps those that something needs.
func testForgetTasks(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	file, kept := storeFile(t, s, 1, []byte("a log"), 10), storeFile(t, s, 1, []byte("a sync"), 10)
	var operation console.ID
	w.sync(1, model{accounts: []string{"ana"}, groups: []string{"g"}, grants: pairs("g", "ana")})
	update(t, s, by(2), func(tx *store.Tx) error {
		if _, err := tx.ReceiveSync(console.Sync{Connector: w.connector, Kind: console.SyncFull, Began: at(2), Dispatched: at(2), File: kept}); err != nil {
			return err
		}
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", "ana")
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:g:member")
		if err != nil {
			return err
		}
		o, err := tx.CreateOperation(console.Operation{App: w.app, Connector: w.connector, Account: r.Key, Entitlement: e.Key, Verb: console.Revoke, Input: console.Input{Why: "x"},
			Cause: console.Cause{Kind: console.CauseManual, Evidence: console.EvidenceDecision, By: console.Console}}, store.Circumstances{ByHand: true})
		operation = o.ID
		return err
	})
	add := func(n int, id, ref, state string, day int) {
		update(t, s, by(3), func(tx *store.Tx) error {
			return engine.Insert(tx.Engine(), "task", `INSERT INTO task (id, connector, ref, number, type, exclusive, work, only_host, debug, due, lease_us, state, added, cancelled, host, lease, heartbeats)
				VALUES ($1, $2, $3, $4, 'sync', $5, $6, $6, $5, $7, 1, $8, $7, $5, $6, 0, 0)`, id, string(w.connector), ref, n, false, []byte{}, at(day*24*60), state)
		})
	}
	upload := func(id console.ID, n int, task string) {
		update(t, s, by(3), func(tx *store.Tx) error {
			return engine.Insert(tx.Engine(), "upload", "INSERT INTO upload (id, number, connector, task, kind, host, lease) VALUES ($1, $2, $3, $4, 'x', $5, 0)", id, n, string(w.connector), task, []byte{})
		})
	}
	add(1, "old", "", "finished", 0)
	add(2, "synced", "", "finished", 0)
	add(3, "of-operation", string(operation), "finished", 0)
	add(4, "leased", "", "leased", 0)
	add(5, "young", "", "finished", 10)
	add(6, "newest", "", "finished", 0)
	upload(file, 1, "old")
	upload(kept, 2, "synced")
	removed, rounds := 0, 0
	for place, more := int64(0), true; more; rounds++ {
		update(t, s, by(20*24*60), func(tx *store.Tx) error {
			n, next, err := tx.ForgetTasks(at(5*24*60), place, 1)
			removed, place, more = removed+n, next, next > 0
			return err
		})
		if rounds > 20 {
			t.Fatal("it does not end")
		}
	}
	var left []string
	view(t, s, func(tx *store.Tx) (err error) {
		left, err = engine.List(tx.Engine(), func(r engine.Row) string { return r.Text(0) }, "SELECT id FROM task ORDER BY number")
		if _, e := tx.File(file); baton.KindOf(e) != baton.NotFound {
			err = errors.Join(err, fmt.Errorf("the log of a task that is gone is there: %w", e))
		}
		if _, e := tx.FileChunk(kept, 0); e != nil {
			err = errors.Join(err, fmt.Errorf("the file of a sync is gone with its task: %w", e))
		}
		return err
	})
	if removed != 2 || !slices.Equal(left, []string{"of-operation", "leased", "young", "newest"}) {
		t.Errorf("%d removed, left are %q", removed, left)
	}
}

func allEvents(t testing.TB, s *store.Store) (all []store.Event) {
	t.Helper()
	view(t, s, func(tx *store.Tx) (err error) {
		all, err = tx.Events(store.EventFilter{}, 0, store.PageSize)
		return err
	})
	return all
}
