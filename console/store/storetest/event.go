package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// appendEvents appends n events in one command.
func appendEvents(t testing.TB, s *store.Store, minute, n int) {
	t.Helper()
	update(t, s, by(minute), func(tx *store.Tx) error {
		for i := range n {
			tx.Append(console.Event{Kind: "test.happened", Object: fmt.Sprint(i), Data: json.RawMessage(`{"n":` + fmt.Sprint(i) + `}`)})
		}
		return nil
	})
}

func testEventChain(t *testing.T, db Database) {
	s := open(t, db)
	if h := chainHead(t, s); h.Number != 0 || h.Epoch != 1 {
		t.Errorf("a new chain begins at %+v", h)
	}
	checkChain(t, s)
	appendEvents(t, s, 1, 3)
	appendEvents(t, s, 2, 2)
	h := chainHead(t, s)
	if h.Number != 5 || !h.At.Equal(at(2)) {
		t.Errorf("head %+v", h)
	}
	// An exported head verifies the chain later, in another process too.
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var exported console.ChainHead
	if err := json.Unmarshal(b, &exported); err != nil || exported.Hash != h.Hash {
		t.Fatalf("%s: %+v, %v", b, exported, err)
	}
	appendEvents(t, s, 3, 1)
	checkChain(t, open(t, db), exported, h)
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, 100)
		if err != nil || len(events) != 6 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for i, e := range events {
			if e.Number != int64(i+1) || e.Epoch != 1 || e.Kind != "test.happened" || e.Actor != console.Console || e.Event.At.Location() != time.UTC {
				t.Errorf("%+v", e)
			}
			if i > 0 && e.Previous != events[i-1].Hash {
				t.Errorf("event %d is not chained to the one before", e.Number)
			}
		}
		return nil
	})
}

func testEventFilters(t *testing.T, db Database) {
	s := open(t, db)
	update(t, s, by(1), func(tx *store.Tx) error {
		for i := range 6 {
			tx.Append(console.Event{Kind: "a.b", App: console.ID(fmt.Sprint("app", i%2)), Connector: console.ID(fmt.Sprint("con", i%3)), Person: console.ID(fmt.Sprint("per", i%2)),
				Account: console.ResourceKey(i%2 + 1), Entitlement: console.EntitlementKey(i % 3), Object: fmt.Sprint("obj", i)})
		}
		return nil
	})
	byPer0 := by(3)
	byPer0.Actor = console.ByPerson("per0")
	update(t, s, byPer0, func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "a.b", Person: "per2", Object: "obj6"})
		return nil
	})
	for _, tt := range []struct {
		f    store.EventFilter
		want []int64
	}{
		{store.EventFilter{}, []int64{1, 2, 3, 4, 5, 6, 7}},
		{store.EventFilter{App: "app1"}, []int64{2, 4, 6}},
		{store.EventFilter{Connector: "con2"}, []int64{3, 6}},
		{store.EventFilter{Person: "per0"}, []int64{1, 3, 5}},
		{store.EventFilter{Actor: console.ByPerson("per0")}, []int64{7}},
		{store.EventFilter{Actor: console.Console}, []int64{1, 2, 3, 4, 5, 6}},
		{store.EventFilter{Own: "per0"}, []int64{1, 3, 5, 7}},
		{store.EventFilter{Own: "per2"}, []int64{7}},
		{store.EventFilter{Account: 2, Entitlement: 1}, []int64{2}},
		{store.EventFilter{Account: 1, Entitlement: console.AccountItself}, []int64{1}},
		{store.EventFilter{Object: "obj3"}, []int64{4}},
		{store.EventFilter{Object: "none"}, nil},
	} {
		view(t, s, func(tx *store.Tx) error {
			var up, down []int64
			for after := int64(0); ; {
				page, err := tx.Events(tt.f, after, 2)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					up = append(up, e.Number)
				}
				after = up[len(up)-1]
			}
			for before := int64(0); ; {
				page, err := tx.EventsBefore(tt.f, before, 2)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					down = append(down, e.Number)
				}
				before = down[len(down)-1]
			}
			slices.Reverse(down)
			if !slices.Equal(up, tt.want) || !slices.Equal(down, tt.want) {
				t.Errorf("%+v: %v upwards, %v downwards, want %v", tt.f, up, down, tt.want)
			}
			return nil
		})
	}
}

// testEventAt checks which event was the last one at a time.
func testEventAt(t *testing.T, db Database) {
	s := open(t, db)
	for i, minute := range []int{1, 2, 2, 5} {
		appendEvents(t, s, minute, 1+i%2)
	}
	for when, want := range map[time.Time]int64{at(0): 0, at(1): 1, at(2): 4, at(4): 4, at(5): 6, at(9): 6, at(5).Add(-time.Microsecond): 4} {
		view(t, s, func(tx *store.Tx) error {
			if n, err := tx.EventAt(when); err != nil || n != want {
				t.Errorf("at %s: event %d, %v, want %d", when.Format("15:04:05"), n, err, want)
			}
			return nil
		})
	}
}

// testEventTamper changes the tables directly and checks what the verification finds.
func testEventTamper(t *testing.T, db Database) {
	s := open(t, db)
	for i := range 10 {
		appendEvents(t, s, i, 1)
	}
	exported := chainHead(t, s)
	appendEvents(t, s, 11, 2) // 12 events
	checkChain(t, s, exported)
	rehash := func(e engine.Tx, n int64) error { // gives event n the right hash for its content
		var hash console.Hash
		err := e.Query(func(r engine.Row) error {
			hash = console.HashEvent(console.Link{Epoch: r.Int(0), Number: n, Previous: console.Hash(r.Bytes(1))}, r.Bytes(2))
			return nil
		}, "SELECT epoch, previous, payload FROM event WHERE number = $1", n)
		if err == nil {
			_, err = e.Exec("UPDATE event SET hash = $2 WHERE number = $1", n, hash)
		}
		return err
	}
	exec := func(statements ...string) func(engine.Tx) error {
		return func(e engine.Tx) error {
			for _, sql := range statements {
				if _, err := e.Exec(sql); err != nil {
					return err
				}
			}
			return nil
		}
	}
	payload := func(n int64, edit func(*console.Event)) func(engine.Tx) error {
		return func(e engine.Tx) error {
			var ev console.Event
			err := e.Query(func(r engine.Row) error { return json.Unmarshal(r.Bytes(0), &ev) }, "SELECT payload FROM event WHERE number = $1", n)
			if err != nil {
				return err
			}
			edit(&ev)
			b, err := json.Marshal(ev)
			if err == nil {
				_, err = e.Exec("UPDATE event SET payload = $2 WHERE number = $1", n, b)
			}
			return err
		}
	}
	edited := payload(4, func(e *console.Event) { e.Data = json.RawMessage(`{"n":99}`) })
	for _, tt := range []struct {
		name   string
		tamper func(engine.Tx) error
		want   map[int64]store.ChainFaultKind
	}{
		{"content", edited, map[int64]store.ChainFaultKind{4: store.EventEdited}},
		{"the first", payload(1, func(e *console.Event) { e.Kind = "x.y" }), map[int64]store.ChainFaultKind{1: store.EventEdited}},
		{"the last", payload(12, func(e *console.Event) { e.Object = "x" }), map[int64]store.ChainFaultKind{12: store.EventEdited}},
		{"content and hash", func(e engine.Tx) error { return errJoin(edited(e), rehash(e, 4)) }, map[int64]store.ChainFaultKind{4: store.EventEdited}},
		{"a column", exec("UPDATE event SET kind = 'x.y' WHERE number = 7"), map[int64]store.ChainFaultKind{7: store.EventEdited}},
		{"the time column", exec("UPDATE event SET at = at + 1 WHERE number = 7"), map[int64]store.ChainFaultKind{7: store.EventEdited}},
		{"an account column", exec("UPDATE event SET account = 3, entitlement = 4 WHERE number = 7"), map[int64]store.ChainFaultKind{7: store.EventEdited}},
		{"removed", exec("DELETE FROM event WHERE number = 5"), map[int64]store.ChainFaultKind{5: store.EventRemoved}},
		{"the first removed", exec("DELETE FROM event WHERE number = 1"), map[int64]store.ChainFaultKind{1: store.EventRemoved}},
		{"two removed", exec("DELETE FROM event WHERE number IN (5, 6)"), map[int64]store.ChainFaultKind{5: store.EventRemoved, 6: store.EventRemoved}},
		{"cut off", exec("DELETE FROM event WHERE number > 11"), map[int64]store.ChainFaultKind{12: store.EventCutOff}},
		{"cut off, with the head", exec("DELETE FROM event WHERE number > 8",
			"UPDATE chain SET number = 8, hash = (SELECT hash FROM event WHERE number = 8)"), map[int64]store.ChainFaultKind{9: store.EventCutOff, 10: store.EventCutOff}},
		{"the head alone", exec("UPDATE chain SET number = 11, hash = (SELECT hash FROM event WHERE number = 11)"), map[int64]store.ChainFaultKind{12: store.EventAdded}},
		{"the head's hash", exec("UPDATE chain SET hash = (SELECT hash FROM event WHERE number = 3)"), map[int64]store.ChainFaultKind{12: store.EventEdited}},
		{"renumbered", exec("DELETE FROM event WHERE number = 12", "UPDATE event SET number = 12 WHERE number = 11"),
			map[int64]store.ChainFaultKind{11: store.EventRemoved, 12: store.EventEdited}},
		{"everything from one on rewritten", func(e engine.Tx) error {
			if err := errJoin(edited(e), rehash(e, 4)); err != nil {
				return err
			}
			for n := int64(5); n <= 12; n++ {
				if _, err := e.Exec("UPDATE event SET previous = (SELECT hash FROM event WHERE number = $2) WHERE number = $1", n, n-1); err != nil {
					return err
				}
				if err := rehash(e, n); err != nil {
					return err
				}
			}
			return exec("UPDATE chain SET hash = (SELECT hash FROM event WHERE number = 12)")(e)
		}, map[int64]store.ChainFaultKind{10: store.EventEdited}}, // the exported one
	} {
		var report store.ChainReport
		saved := dump(t, s)
		if err := s.Engine().Write(ctx, tt.tamper); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		report, err := s.VerifyChain(ctx, exported)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int64]store.ChainFaultKind{}
		for _, f := range report.Faults {
			got[f.Number] = f.Kind
			if f.Detail == "" {
				t.Errorf("%s: fault %d says nothing", tt.name, f.Number)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: found %+v, want %v", tt.name, report.Faults, tt.want)
		}
		restore(t, s, saved)
		checkChain(t, s, exported)
	}
}

func errJoin(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type savedEvent struct {
	number, epoch, at       int64
	kind, actor, object     string
	payload, previous, hash []byte
}

// dump copies the events and the head, for restore.
func dump(t testing.TB, s *store.Store) (all []savedEvent) {
	t.Helper()
	err := s.Engine().Read(ctx, func(e engine.Tx) error {
		return e.Query(func(r engine.Row) error {
			all = append(all, savedEvent{r.Int(0), r.Int(1), r.Int(2), r.Text(3), r.Text(4), r.Text(5), r.Bytes(6), r.Bytes(7), r.Bytes(8)})
			return nil
		}, "SELECT number, epoch, at, kind, actor, object, payload, previous, hash FROM event ORDER BY number")
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func restore(t testing.TB, s *store.Store, all []savedEvent) {
	t.Helper()
	err := s.Engine().Write(ctx, func(e engine.Tx) error {
		if _, err := e.Exec("DELETE FROM event"); err != nil {
			return err
		}
		for _, v := range all {
			if _, err := e.Exec("INSERT INTO event (number, epoch, at, kind, actor, object, payload, previous, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
				v.number, v.epoch, v.at, v.kind, v.actor, v.object, v.payload, v.previous, v.hash); err != nil {
				return err
			}
		}
		last := all[len(all)-1]
		_, err := e.Exec("UPDATE chain SET epoch = $1, number = $2, hash = $3, at = $4", last.epoch, last.number, last.hash, last.at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testEventEpoch(t *testing.T, db Database) {
	s := open(t, db)
	appendEvents(t, s, 1, 2)
	before := chainHead(t, s)
	update(t, s, by(2), func(tx *store.Tx) error { return tx.BeginEpoch("restored from a backup") })
	appendEvents(t, s, 3, 1)
	after := chainHead(t, s)
	if after.Epoch != 2 || after.Number != 4 {
		t.Errorf("head %+v", after)
	}
	checkChain(t, s, before, after)
	// The same events have different hashes in the first epoch, so a copy cannot pass for the
	// original.
	twin := console.HashEvent(console.Link{Epoch: 1, Number: 4}, nil)
	if twin == console.HashEvent(console.Link{Epoch: 2, Number: 4}, nil) {
		t.Error("epochs do not change hashes")
	}
	fails(t, s, by(4), "an error after it", baton.Internal, func(tx *store.Tx) error {
		if err := tx.BeginEpoch("x"); err != nil {
			return err
		}
		return errStop
	})
}

// testEventConcurrency appends from several processes at once: every event has its own position.
func testEventConcurrency(t *testing.T, db Database) {
	stores := []*store.Store{open(t, db), open(t, db), open(t, db)}
	const each = 40
	errs := make(chan error, len(stores))
	for i, s := range stores {
		go func() {
			for n := range each {
				err := s.Update(ctx, by(n), func(tx *store.Tx) error {
					tx.Append(console.Event{Kind: "a.b", Object: fmt.Sprint(i, n)})
					return nil
				})
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range stores {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if h := chainHead(t, stores[0]); h.Number != each*int64(len(stores)) {
		t.Errorf("%d events", h.Number)
	}
	checkChain(t, stores[0])
}

func testUpdateIsAtomic(t *testing.T, db Database) {
	s := open(t, db)
	fails(t, s, by(1), "an error", baton.Internal, func(tx *store.Tx) error {
		if _, err := tx.AddPerson(console.Person{Name: "Ana", Emails: []string{"a@b"}}); err != nil {
			return err
		}
		return errStop
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		s.Update(ctx, by(1), func(tx *store.Tx) error {
			if _, err := tx.AddPerson(console.Person{Name: "Ana", Emails: []string{"a@b"}}); err != nil {
				return err
			}
			panic("stop here")
		})
	}()
	// The store works after an error, including a unique violation.
	update(t, s, by(2), func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Ana", Emails: []string{"a@b"}})
		return err
	})
	fails(t, s, by(3), "a taken address", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Ana", Emails: []string{"a@b"}})
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		if all, err := tx.Persons(store.NameAfter{}, 10); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		return nil
	})
	// A view cannot write.
	if err := s.View(ctx, func(tx *store.Tx) error { return tx.SetSetting("a", nil) }); err == nil {
		t.Error("a view wrote")
	}
}

func testViewIsASnapshot(t *testing.T, db Database) {
	s := open(t, db)
	update(t, s, by(1), func(tx *store.Tx) error { return tx.SetSetting("a", []byte("1")) })
	view(t, s, func(tx *store.Tx) error {
		before, err := tx.Setting("a")
		if err != nil {
			return err
		}
		update(t, s, by(2), func(tx *store.Tx) error { return tx.SetSetting("a", []byte("2")) })
		after, err := tx.Setting("a")
		if string(before) != "1" || string(after) != "1" {
			t.Errorf("a view read %q and then %q", before, after)
		}
		return err
	})
}
