package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

func testDue(t *testing.T, db Database) {
	s := open(t, db)
	update(t, s, by(0), func(tx *store.Tx) error {
		for i, ref := range []string{"c", "a", "b"} {
			if err := tx.SetDue("kind", ref, at(10-i), []byte("for "+ref)); err != nil {
				return err
			}
		}
		return tx.SetDue("other", "a", at(0), nil)
	})
	claim := func(minute int, owner string, n int) []store.Due {
		t.Helper()
		all, err := s.Claim(ctx, at(minute), "kind", owner, 5*time.Minute, n)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	refs := func(all []store.Due) (refs []string) {
		for _, d := range all {
			refs = append(refs, d.Ref)
		}
		return refs
	}
	waiting := func(minute int, want ...string) {
		t.Helper()
		got, _, err := s.Waiting(ctx, at(minute), []string{"none", "kind"})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("after %d minutes %q waits (%v), want %q", minute, got, err, want)
		}
	}
	if got := claim(7, "one", 9); len(got) != 0 {
		t.Errorf("claimed before they are due: %v", got)
	}
	waiting(7)
	waiting(8, "kind")
	first := claim(9, "one", 9)
	if !slices.Equal(refs(first), []string{"b", "a"}) || string(first[0].Payload) != "for b" || first[0].Attempts != 1 || !first[0].At.Equal(at(8)) {
		t.Errorf("claimed %+v", first)
	}
	if got := claim(10, "two", 9); !slices.Equal(refs(got), []string{"c"}) {
		t.Errorf("claimed %+v, although two are leased", got)
	}
	waiting(13) // all are leased
	waiting(14, "kind")
	view(t, s, func(tx *store.Tx) error {
		if next, ok, err := tx.NextDue("kind"); !ok || err != nil || !next.Equal(at(14)) {
			t.Errorf("next at %v, %v, %v", next, ok, err)
		}
		if _, ok, err := tx.NextDue("none"); ok || err != nil {
			t.Errorf("none: %v, %v", ok, err)
		}
		if when, ok, err := tx.DueAt("kind", "a"); !ok || err != nil || !when.Equal(at(9)) {
			t.Errorf("due at %v, %v, %v", when, ok, err)
		}
		return nil
	})
	// The lease of the first claim has expired.
	second := claim(14, "two", 1)
	if !slices.Equal(refs(second), []string{"b"}) || second[0].Attempts != 2 || second[0].Lease == first[0].Lease {
		t.Errorf("claimed %+v", second)
	}
	for name, fn := range map[string]func(*store.Tx, store.Due) error{
		"finish": func(tx *store.Tx, d store.Due) error { return tx.FinishDue(d) },
		"retry":  func(tx *store.Tx, d store.Due) error { return tx.RetryDue(d, at(99)) },
		"extend": func(tx *store.Tx, d store.Due) error { return tx.ExtendDue(d, time.Hour) },
	} {
		fails(t, s, by(14), name+" without the lease", baton.Refused, func(tx *store.Tx) error { return fn(tx, first[0]) })
	}
	update(t, s, by(14), func(tx *store.Tx) error { return tx.FinishDue(second[0]) })
	fails(t, s, by(14), "finish twice", baton.Refused, func(tx *store.Tx) error { return tx.FinishDue(second[0]) })
	// A late owner whose row was not claimed again may finish.
	update(t, s, by(15), func(tx *store.Tx) error { return tx.RetryDue(first[1], at(20)) })
	fails(t, s, by(15), "finish after giving back", baton.Refused, func(tx *store.Tx) error { return tx.FinishDue(first[1]) })
	third := claim(20, "one", 9)
	if !slices.Equal(refs(third), []string{"a", "c"}) || third[0].Attempts != 2 || !third[0].At.Equal(at(9)) {
		t.Errorf("claimed %+v", third)
	}
	update(t, s, by(22), func(tx *store.Tx) error { return tx.ExtendDue(third[0], 30*time.Minute) })
	if got := claim(30, "two", 9); !slices.Equal(refs(got), []string{"c"}) {
		t.Errorf("claimed %+v, although one was extended", got)
	}
	// SetDue takes the row away from its owner.
	update(t, s, by(31), func(tx *store.Tx) error { return tx.SetDue("kind", "a", at(40), []byte("new")) })
	fails(t, s, by(31), "finish what was set anew", baton.Refused, func(tx *store.Tx) error { return tx.FinishDue(third[0]) })
	if got := claim(40, "one", 1); !slices.Equal(refs(got), []string{"c"}) && !slices.Equal(refs(got), []string{"a"}) {
		t.Errorf("claimed %+v", got)
	}
	update(t, s, by(41), func(tx *store.Tx) error {
		if err := tx.RemoveDue("kind", "a"); err != nil {
			return err
		}
		return tx.RemoveDue("kind", "none")
	})
	if _, err := s.Claim(ctx, at(41), "kind", "one", time.Minute, 0); baton.KindOf(err) != baton.Invalid {
		t.Errorf("claim of nothing: %v", err)
	}
}

// testDueConcurrency claims from several processes at once: no two of them get the same row.
// failingDB fails every write at the end of its transaction.
type failingDB struct{ engine.DB }

func (d failingDB) Write(ctx context.Context, fn func(engine.Tx) error) error {
	return d.DB.Write(ctx, func(tx engine.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errors.New("the transaction was undone")
	})
}

// testDueUndoneClaim claims rows in a transaction that is undone, as by a process that is told to stop:
// it gets none, because it holds none.
func testDueUndoneClaim(t *testing.T, db Database) {
	engine := db.Open(t)
	s := store.New(engine, keyring(t, "first"))
	update(t, s, by(0), func(tx *store.Tx) error { return tx.SetDue("kind", "a", at(0), nil) })
	if got, err := store.New(failingDB{engine}, keyring(t, "first")).Claim(ctx, at(1), "kind", "one", time.Minute, 9); err == nil || len(got) > 0 {
		t.Errorf("claimed %+v, %v", got, err)
	}
	if got, err := s.Claim(ctx, at(1), "kind", "two", time.Minute, 9); err != nil || len(got) != 1 || got[0].Attempts != 1 {
		t.Errorf("claimed afterwards: %+v, %v", got, err)
	}
}

func testDueConcurrency(t *testing.T, db Database) {
	const rows = 300
	s := open(t, db)
	update(t, s, by(0), func(tx *store.Tx) error {
		for i := range rows {
			if err := tx.SetDue("kind", fmt.Sprint(i), at(0), nil); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	seen := map[string]string{}
	var wg sync.WaitGroup
	for i := range 6 {
		s := open(t, db)
		wg.Go(func() {
			owner := fmt.Sprint(i)
			for {
				all, err := s.Claim(ctx, at(1), "kind", owner, time.Hour, 7)
				if err != nil || len(all) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, d := range all {
					if other, ok := seen[d.Ref]; ok {
						t.Errorf("%s was claimed by %s and %s", d.Ref, other, owner)
					}
					seen[d.Ref] = owner
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != rows {
		t.Errorf("%d of %d were claimed", len(seen), rows)
	}
}

// testDueExactlyOnce lets several processes claim under leases that expire while they work. Every
// effect happens exactly once, because it is written with the finish.
func testDueExactlyOnce(t *testing.T, db Database) {
	const rows = 60
	s := open(t, db)
	update(t, s, by(0), func(tx *store.Tx) error {
		for i := range rows {
			if err := tx.SetDue("kind", fmt.Sprint(i), at(0), nil); err != nil {
				return err
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	for i := range 4 {
		s := open(t, db)
		wg.Go(func() {
			for minute := 1; minute < 60; minute++ {
				// Each claim is later than the leases of all earlier ones.
				all, err := s.Claim(ctx, at(minute), "kind", fmt.Sprint(i), time.Second, 8)
				if err != nil {
					t.Error(err)
					return
				}
				for n, d := range all {
					if n%3 == 2 {
						continue // this one dies with the process
					}
					err := s.Update(ctx, by(minute), func(tx *store.Tx) error {
						tx.Append(console.Event{Kind: "effect.done", Object: d.Ref})
						return tx.FinishDue(d)
					})
					if err != nil && baton.KindOf(err) != baton.Refused {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	done := map[string]int{}
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			done[e.Object]++
		}
		return err
	})
	for i := range rows {
		if n := done[fmt.Sprint(i)]; n != 1 {
			t.Errorf("%d happened %d times", i, n)
		}
	}
}

// testWake checks that a command wakes the watchers, including those of other processes if the
// database can be shared.
func testWake(t *testing.T, db Database) {
	s := open(t, db)
	watcher := s
	if s.Database() == "postgres" {
		watcher = open(t, db)
	}
	woken, stop := watcher.Watch(store.DueTopic("kind"))
	defer stop()
	quiet, stopQuiet := watcher.Watch(store.DueTopic("other"))
	defer stopQuiet()
	deadline := time.After(20 * time.Second)
	for i := 0; ; i++ { // the watch of another process may take a moment to begin
		update(t, s, by(i), func(tx *store.Tx) error { return tx.SetDue("kind", "a", at(i), nil) })
		select {
		case <-woken:
			select {
			case <-quiet:
				// A new watch wakes everybody once.
			default:
			}
			return
		case <-deadline:
			t.Fatal("nobody was woken")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// testDueAwait claims a row that a running command relies on: the command's changes are there before
// the worker reads, and a command that comes after the claim keeps the row.
func testDueAwait(t *testing.T, db Database) {
	s := open(t, db)
	const kind, ref = "kind", "ref"
	effects := func() (n int) {
		view(t, s, func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
			for _, e := range events {
				if e.Kind == "effect.done" {
					n++
				}
			}
			return err
		})
		return n
	}
	command := func(minute int, wait <-chan struct{}) (relies chan struct{}, done chan error) {
		relies, done = make(chan struct{}, 9), make(chan error, 1) // it may run more than once
		go func() {
			done <- s.Update(ctx, by(minute), func(tx *store.Tx) error {
				tx.Append(console.Event{Kind: "effect.done"})
				if err := tx.DueBy(kind, ref, at(minute)); err != nil {
					return err
				}
				relies <- struct{}{}
				<-wait
				return nil
			})
		}()
		return relies, done
	}
	ended := func(done <-chan error) {
		t.Helper()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	claim := func(minute int) store.Due {
		t.Helper()
		all, err := s.Claim(ctx, at(minute), kind, "one", 5*time.Minute, 9)
		if err != nil || len(all) != 1 {
			t.Fatalf("claimed %+v, %v", all, err)
		}
		return all[0]
	}
	now := make(chan struct{})
	close(now)

	_, done := command(1, now)
	ended(done)
	commit := make(chan struct{})
	relies, done := command(2, commit) // the row is due early enough
	<-relies
	var d store.Due
	if s.Database() == "postgres" {
		d = claim(3) // a running command does not hinder claims
		time.AfterFunc(200*time.Millisecond, func() { close(commit) })
	} else { // one writer: the claim waits for the command
		close(commit)
		d = claim(3)
	}
	if err := s.AwaitDue(ctx, d); err != nil {
		t.Fatal(err)
	}
	if n := effects(); n != 2 {
		t.Errorf("%d of 2 changes are there before the worker reads", n)
	}
	ended(done)

	_, done = command(4, now) // after the claim
	ended(done)
	update(t, s, by(5), func(tx *store.Tx) error { return tx.FinishDue(d) })
	if err := s.AwaitDue(ctx, d); baton.KindOf(err) != baton.Refused {
		t.Errorf("await without the lease: %v", err)
	}
	d = claim(6)
	if !d.At.Equal(at(4)) {
		t.Errorf("claimed %+v", d)
	}
	update(t, s, by(7), func(tx *store.Tx) error { return tx.FinishDue(d) })
	if err := s.AwaitDue(ctx, d); baton.KindOf(err) != baton.Refused {
		t.Errorf("await what is finished: %v", err)
	}
}
