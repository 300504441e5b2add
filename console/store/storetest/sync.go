package storetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testSync(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	first := model{accounts: []string{"ana", "ben", "cem"}, groups: []string{"admins", "staff"},
		grants: join(pairs("admins", "ana"), pairs("staff", "ana", "ben", "admins"))}
	second := model{accounts: []string{"ana", "ben", "dan"}, groups: []string{"staff", "guests"},
		grants: join(pairs("staff", "ana", "dan"), pairs("guests", "ben")), statuses: map[string]console.Status{"ben": console.StatusDisabled}}
	third := second
	w.sync(1, first)
	n2 := w.sync(3, second)
	n3 := w.sync(5, third)
	w.check(at(1), model{}) // before the first sync began
	w.check(at(2), first)
	w.check(at(3), first) // a sync shows the state after its beginning
	w.check(at(4), second)
	w.check(at(6), third)
	w.check(time.Time{}, third)
	checkChain(t, s)

	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Syncs(w.connector, store.SyncBefore{}, 2)
		if err != nil || len(all) != 2 || all[0].Number != n3 || all[1].Number != n2 || all[0].State != console.SyncApplied {
			t.Errorf("newest syncs %+v, %v", all, err)
			return nil
		}
		if c := all[0].Counts; c.Opened != 0 || c.Closed != 0 || c.Facts != 3 {
			t.Errorf("an unchanged sync counts %+v", c)
		}
		if c := all[1].Counts; c.Opened != 2 || c.Closed != 3 {
			t.Errorf("a changed sync counts %+v", c)
		}
		rest, err := tx.Syncs(w.connector, store.SyncBefore{Received: all[1].Received, ID: all[1].ID}, 10)
		if err != nil || len(rest) != 1 {
			t.Errorf("oldest syncs %+v, %v", rest, err)
		}
		head, err := tx.HeadSync(w.stream())
		if err != nil || head == nil || head.Number != n3 {
			t.Errorf("head %+v, %v", head, err)
		}
		return nil
	})

	var lines []string
	for d, err := range s.FactDifferences(ctx, w.stream(), n2-1, n3) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(d.Change, d.At))
	}
	if want := []string{"2 2", "2 2", "2 2", "1 2", "1 2"}; len(lines) != 5 || !slices.Equal(sorted(lines), sorted(want)) {
		t.Errorf("difference %v, want %v", lines, want)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func testSyncOrder(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"ana"}}
	late := w.receive(1, console.SyncFull)
	if _, err := s.BeginSync(ctx, by(2), w.receive(2, console.SyncTargeted)); baton.KindOf(err) != baton.Refused {
		t.Errorf("a targeted sync before the first: %v", err)
	}
	w.sync(5, m)
	partial, imported := w.receive(6, console.SyncPartial), w.receive(7, console.SyncImport)
	for id, want := range map[console.ID]console.SyncState{late: console.SyncSuperseded, partial: console.SyncStored, imported: console.SyncRefused} {
		if _, err := s.BeginSync(ctx, by(8), id); baton.KindOf(err) != baton.Refused {
			t.Errorf("%s: %v", want, err)
		}
		view(t, s, func(tx *store.Tx) error {
			if got, err := tx.Sync(id); err != nil || got.State != want || got.Why == "" {
				t.Errorf("%+v, %v; want %s", got, err, want)
			}
			return nil
		})
		if _, err := s.BeginSync(ctx, by(9), id); baton.KindOf(err) != baton.Refused {
			t.Errorf("%s, again: %v", want, err)
		}
	}
	w.check(time.Time{}, m)
	fails(t, s, by(9), "an applied sync is discarded", baton.Refused, func(tx *store.Tx) error {
		head, err := tx.HeadSync(w.stream())
		if err != nil {
			return err
		}
		return tx.EndSync(head.ID, console.SyncDiscarded, "")
	})
	fails(t, s, by(9), "an end that is none", baton.Invalid, func(tx *store.Tx) error { return tx.EndSync(late, console.SyncApplied, "") })
	checkChain(t, s)
}

// testSyncInvisible checks that a sync is invisible before it is published.
func testSyncInvisible(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	first := model{accounts: []string{"ana", "ben"}, groups: []string{"g"}, grants: pairs("g", "ana", "ben"), seen: map[string]time.Time{"ana": at(-9)}}
	second := model{accounts: []string{"ana", "cem"}, groups: []string{"g", "h"}, grants: pairs("g", "cem"), seen: map[string]time.Time{"ana": at(-1)},
		logins: map[string]string{"ana": "anna"}}
	w.sync(1, first)
	st, err := s.BeginSync(ctx, by(2), w.receive(2, console.SyncFull))
	if err != nil {
		t.Fatal(err)
	}
	if err := stage(ctx, st, second); err != nil {
		t.Fatal(err)
	}
	w.check(time.Time{}, first)
	w.check(at(9), first)
	ana := w.account("ana")
	lastLogin := func() (when time.Time) {
		view(t, s, func(tx *store.Tx) error {
			r, err := tx.Account(w.now(tx), ana)
			if err == nil {
				when = r.Account.LastLogin
			}
			found, err2 := tx.AccountsByLogin(w.now(tx), "ANNA")
			if want := when.Equal(at(-1)); (len(found) == 1) != want {
				t.Errorf("by the new login: %v, %v", found, err2)
			}
			return err
		})
		return when
	}
	if got := lastLogin(); !got.Equal(at(-9)) {
		t.Errorf("the last login is %v before the sync is published", got)
	}
	if err := st.Publish(ctx, by(3), console.Counts{}); err != nil {
		t.Fatal(err)
	}
	w.check(time.Time{}, second)
	if got := lastLogin(); !got.Equal(at(-1)) {
		t.Errorf("the last login is %v after the sync was published", got)
	}
}

// testSyncAbandoned checks that a sync can be undone, and that the next sync does that.
func testSyncAbandoned(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	first := model{accounts: []string{"ana", "ben"}, groups: []string{"g"}, grants: pairs("g", "ana", "ben"), seen: map[string]time.Time{"ana": at(-9)}}
	second := model{accounts: []string{"ana", "cem"}, groups: []string{"g", "h"}, seen: map[string]time.Time{"ana": at(-1)},
		grants: map[[2]string]grant{{"g", "ana"}: {detail: "x"}, {"h", "cem"}: {}}}
	w.sync(1, first)
	id := w.receive(2, console.SyncFull)
	for _, end := range []func(*store.Staging) error{
		func(st *store.Staging) error { return st.Abandon(ctx, by(2)) },
		func(*store.Staging) error { return nil }, // as if the process had died
		func(*store.Staging) error { return nil },
	} {
		st, err := s.BeginSync(ctx, by(2), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := stage(ctx, st, second); err != nil {
			t.Fatal(err)
		}
		if err := end(st); err != nil {
			t.Fatal(err)
		}
		w.check(time.Time{}, first)
	}
	// Another sync of the connector replaces the unfinished one.
	third := model{accounts: []string{"ana"}, groups: []string{"g"}, grants: pairs("g", "ana")}
	w.sync(4, third)
	w.check(time.Time{}, third)
	w.check(at(2), first)
	if _, err := s.BeginSync(ctx, by(5), id); baton.KindOf(err) != baton.Refused {
		t.Errorf("the sync that was left: %v", err)
	}

	st, err := s.BeginSync(ctx, by(6), w.receive(6, console.SyncFull))
	if err != nil {
		t.Fatal(err)
	}
	if err := stage(ctx, st, second); err != nil {
		t.Fatal(err)
	}
	if err := st.Refuse(ctx, by(6), "damaged"); err != nil {
		t.Fatal(err)
	}
	w.check(time.Time{}, third)
	w.sync(7, second)
	w.check(time.Time{}, second)
	checkChain(t, s)
}

// testSyncTakenOver checks that a process cannot write after another one took over its sync.
func testSyncTakenOver(t *testing.T, db Database) {
	s1, s2 := open(t, db), open(t, db)
	w := newWorld(t, s1)
	id := w.receive(1, console.SyncFull)
	first := model{accounts: []string{"ana", "ben"}, groups: []string{"g"}, grants: pairs("g", "ana")}
	old, err := s1.BeginSync(ctx, by(1), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := stage(ctx, old, first); err != nil {
		t.Fatal(err)
	}
	st, err := s2.BeginSync(ctx, by(2), id)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "write", stage(ctx, old, first), baton.Refused)
	wantKind(t, "publish", old.Publish(ctx, by(2), console.Counts{}), baton.Refused)
	if err := stage(ctx, st, first); err != nil {
		t.Fatal(err)
	}
	if err := st.Publish(ctx, by(2), console.Counts{}); err != nil {
		t.Fatal(err)
	}
	w.check(time.Time{}, first)
	checkChain(t, s1)
}

func testSyncHeld(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	first := model{accounts: []string{"ana", "ben"}, groups: []string{"g"}, grants: pairs("g", "ana", "ben")}
	second := model{accounts: []string{"ana"}}
	w.sync(1, first)
	hold := func(minute int) console.ID {
		id := w.receive(minute, console.SyncFull)
		st, err := s.BeginSync(ctx, by(minute), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Hold(ctx, by(minute), []console.Hold{{Kind: console.HoldVanished, Type: "group", Before: 1, Detail: "no group is left"}}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	old := hold(2)
	w.check(time.Time{}, first)
	id := hold(3)
	var ana console.ID
	update(t, s, by(4), func(tx *store.Tx) (err error) {
		if held, err := tx.HeldSync(w.connector); err != nil || held == nil || held.ID != id || len(held.Holds) != 1 {
			t.Errorf("held: %+v, %v", held, err)
		}
		ana, err = tx.AddPerson(console.Person{Name: "Ana"})
		return err
	})
	if _, err := s.BeginSync(ctx, by(5), id); baton.KindOf(err) != baton.Refused {
		t.Errorf("a held sync is staged: %v", err)
	}
	fails(t, s, by(5), "the console confirms", baton.Refused, func(tx *store.Tx) error { return tx.ConfirmSync(id, "") })
	update(t, s, byPerson(5, ana), func(tx *store.Tx) error { return tx.ConfirmSync(id, "we removed the group") })
	fails(t, s, byPerson(5, ana), "twice", baton.Refused, func(tx *store.Tx) error { return tx.ConfirmSync(id, "") })
	// The process that stages it dies once.
	for range 2 {
		st, err := s.BeginSync(ctx, by(6), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := stage(ctx, st, second); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.BeginSync(ctx, by(6), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stage(ctx, st, second), st.Publish(ctx, by(6), console.Counts{})); err != nil {
		t.Fatal(err)
	}
	w.check(time.Time{}, second)
	view(t, s, func(tx *store.Tx) error {
		if o, err := tx.Sync(old); err != nil || o.State != console.SyncSuperseded {
			t.Errorf("the older held sync: %+v, %v", o, err)
		}
		if held, err := tx.HeldSync(w.connector); err != nil || held != nil {
			t.Errorf("still held: %+v, %v", held, err)
		}
		return nil
	})
	discarded := hold(8)
	update(t, s, byPerson(9, ana), func(tx *store.Tx) error { return tx.EndSync(discarded, console.SyncDiscarded, "wrong tenant") })
	w.check(time.Time{}, second)
	checkChain(t, s)
}

// testSyncRandom applies random syncs, some of them abandoned or interrupted, and compares every
// past moment and every difference with the models.
func testSyncRandom(t *testing.T, db Database) {
	s := open(t, db)
	for seed, logins := range []bool{false, true} {
		w := namedWorld(t, s, fmt.Sprint("app ", seed))
		rnd := rand.New(rand.NewPCG(1, uint64(seed)))
		var past []model
		var numbers []console.SyncNumber
		for i := range 12 {
			minute := 2*i + 1
			if rnd.IntN(3) == 0 {
				st, err := s.BeginSync(ctx, by(minute), w.receive(minute, console.SyncFull))
				if err != nil {
					t.Fatal(err)
				}
				if err := stage(ctx, st, randomModel(rnd, logins)); err != nil {
					t.Fatal(err)
				}
				if rnd.IntN(2) == 0 {
					if err := st.Abandon(ctx, by(minute)); err != nil {
						t.Fatal(err)
					}
				}
			}
			m := randomModel(rnd, logins)
			past = append(past, m)
			numbers = append(numbers, w.sync(minute, m))
		}
		for i, m := range past {
			w.check(at(2*i+2), m)
		}
		// An account that reappears with another login is a different account, whose grants are lost
		// and gained. Differences are only compared where that cannot happen.
		for range 20 {
			a, b := rnd.IntN(len(past)), rnd.IntN(len(past))
			if a, b = min(a, b), max(a, b); !logins {
				checkDifference(t, w, past[a], past[b], numbers[a], numbers[b])
			}
		}
	}
	checkChain(t, s)
}

func randomModel(rnd *rand.Rand, logins bool) model {
	m := model{grants: map[[2]string]grant{}, statuses: map[string]console.Status{}, logins: map[string]string{}}
	for i := range 12 {
		id := fmt.Sprintf("u%d", i)
		if rnd.IntN(4) == 0 {
			continue
		}
		m.accounts = append(m.accounts, id)
		m.statuses[id] = console.Status(rnd.IntN(3))
		if logins && rnd.IntN(5) == 0 {
			m.logins[id] = fmt.Sprintf("login-%d", rnd.IntN(3))
		}
	}
	for i := range 5 {
		if g := fmt.Sprintf("g%d", i); rnd.IntN(4) > 0 {
			m.groups = append(m.groups, g)
		}
	}
	principals := append(slices.Clone(m.accounts), m.groups...)
	for _, g := range m.groups {
		for _, p := range principals {
			if rnd.IntN(3) > 0 {
				continue
			}
			var v grant
			if rnd.IntN(3) == 0 {
				v.sources = []console.Source{{Entitlement: fmt.Sprintf("group:g%d:member", rnd.IntN(5)), Direct: rnd.IntN(2) == 0}}
			}
			if rnd.IntN(4) == 0 {
				v.detail = fmt.Sprintf(`{"n":%d}`, rnd.IntN(3))
			}
			v.expandable = rnd.IntN(6) == 0
			m.grants[[2]string{g, p}] = v
		}
	}
	return m
}

// checkDifference compares the difference of two syncs with that of their models.
func checkDifference(t testing.TB, w *world, from, to model, a, b console.SyncNumber) {
	t.Helper()
	got := map[string]int{}
	for d, err := range w.s.FactDifferences(ctx, w.stream(), a, b) {
		if err != nil {
			t.Fatal(err)
		}
		got[fmt.Sprintf("%d %s → %s", d.Change, w.factLine(d.Before), w.factLine(d.After))]++
		if d.At <= a || d.At > b {
			t.Errorf("a change between %d and %d was made by %d", a, b, d.At)
		}
	}
	want := map[string]int{}
	for id, g := range from.grants {
		if _, ok := to.grants[id]; !ok {
			want[fmt.Sprintf("%d %s → ", store.Close, g.line(id))]++
		} else if g.line(id) != to.grants[id].line(id) {
			want[fmt.Sprintf("%d %s → %s", store.Replace, g.line(id), to.grants[id].line(id))]++
		}
	}
	for id, g := range to.grants {
		if _, ok := from.grants[id]; !ok {
			want[fmt.Sprintf("%d  → %s", store.Open, g.line(id))]++
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("difference of %d and %d:\n%v\nwant\n%v", a, b, got, want)
	}
}

func (g grant) line(id [2]string) string {
	return grantLine("group:"+id[0]+":member", id[1], console.Fact{Sources: g.sources, Detail: []byte(g.detail), Expandable: g.expandable})
}

// factLine returns a stored fact as text; "" for none.
func (w *world) factLine(f store.FactRow) (line string) {
	if f.Entitlement == 0 {
		return ""
	}
	view(w.t, w.s, func(tx *store.Tx) error {
		history, err := tx.FactHistory(w.stream(), f.Entitlement, f.Principal)
		if err != nil {
			return err
		}
		versions, err := tx.ResourceVersions(f.Principal)
		if err != nil {
			return err
		}
		m := store.Moment{Streams: []store.StreamAt{{Stream: w.stream(), Sync: f.From}}}
		e, err := tx.Entitlement(m, f.Entitlement)
		if err != nil {
			return err
		}
		for _, h := range history {
			if h.From == f.From {
				line = grantLine(e.ID, versions[0].ID, h)
			}
		}
		return nil
	})
	return line
}

func testForeignBytes(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"\x00", "\x00\x00", "a\x00b", "\xff\xfe", "ü", "%", "'", `\`, " "}, groups: []string{"\xc3\x28", "g:\x00"}}
	m.grants = join(pairs("\xc3\x28", m.accounts...), pairs("g:\x00", "\xff\xfe"))
	w.sync(1, m)
	w.check(time.Time{}, m)
	m.accounts = m.accounts[:5]
	m.grants = pairs("\xc3\x28", m.accounts...)
	w.sync(2, m)
	w.check(time.Time{}, m)
	view(t, s, func(tx *store.Tx) error {
		for _, id := range m.accounts {
			r, err := tx.ResourceByID(w.now(tx), "user", id)
			if err != nil || r.ID != id {
				t.Errorf("%q: %+v, %v", id, r, err)
			}
		}
		_, err := tx.ResourceByID(w.now(tx), "user", "\x00\x00\x00")
		wantKind(t, "another id", err, baton.NotFound)
		return nil
	})
}

func testSourceSets(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	through := []console.Source{{Entitlement: "group:h:member"}}
	both := []console.Source{{Entitlement: "group:g:member", Direct: true}, {Entitlement: "group:h:member"}}
	m := model{accounts: []string{"ana", "ben", "cem"}, groups: []string{"g", "h"}, grants: map[[2]string]grant{
		{"g", "ana"}: {sources: through}, {"g", "ben"}: {sources: through}, {"g", "cem"}: {sources: both}, {"g", "h"}: {expandable: true}}}
	w.sync(1, m)
	w.check(time.Time{}, m)
	direct := func(id string) bool {
		var f *console.Fact
		view(t, s, func(tx *store.Tx) (err error) {
			f, err = tx.Fact(w.now(tx), w.member("g"), w.account(id))
			return err
		})
		return f != nil && f.Direct()
	}
	if direct("ana") || !direct("cem") {
		t.Error("only direct facts are direct")
	}
	m.grants[[2]string{"g", "ana"}] = grant{sources: both}
	m.grants[[2]string{"g", "cem"}] = grant{}
	w.sync(2, m)
	w.check(time.Time{}, m)
	if !direct("ana") || !direct("cem") {
		t.Error("facts became direct")
	}
}

func testVolatile(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"ana", "ben"}, seen: map[string]time.Time{"ana": at(-5)}}
	w.sync(1, m)
	m.seen = map[string]time.Time{"ana": at(-4), "ben": at(-3)}
	w.sync(2, m)
	m.seen = map[string]time.Time{"ana": at(-4)}
	w.sync(3, m)
	view(t, s, func(tx *store.Tx) error {
		for id, want := range map[string]time.Time{"ana": at(-4), "ben": {}} {
			r, err := tx.ResourceByID(w.now(tx), "user", id)
			if err != nil || !r.Account.LastLogin.Equal(want) {
				t.Errorf("%s signed in at %v, %v; want %v", id, r.Account.LastLogin, err, want)
			}
			if v, err := tx.ResourceVersions(r.Key); err != nil || len(v) != 1 {
				t.Errorf("%s has %d versions, %v", id, len(v), err)
			}
		}
		return nil
	})
}

func testLists(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{logins: map[string]string{}}
	for i := range 20 {
		id := fmt.Sprintf("id-%02d", i)
		m.accounts = append(m.accounts, id)
		m.logins[id] = fmt.Sprintf("%c%02d", 'z'-i%5, i)
	}
	w.sync(1, m)
	// A second connector of the app, whose accounts sort between the others.
	second := &world{t: t, s: s, app: w.app}
	update(t, s, by(2), func(tx *store.Tx) (err error) {
		second.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "second"})
		return err
	})
	second.sync(3, model{accounts: []string{"id-00", "yy"}, logins: map[string]string{"id-00": "z"}})
	var names []string
	view(t, s, func(tx *store.Tx) error {
		now := w.now(tx)
		for after := (store.ResourceAfter{}); ; {
			page, err := tx.Accounts(now, after, 4)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, r := range page {
				names = append(names, r.Name)
				after = r.After()
			}
		}
	})
	if len(names) != 22 || !slices.IsSorted(names) {
		t.Errorf("%d names: %q", len(names), names)
	}
	view(t, s, func(tx *store.Tx) error {
		now := w.now(tx)
		if found, err := tx.AccountsByEmail(now, " Z00@EXAMPLE.com"); err != nil || len(found) != 1 || found[0].ID != "id-00" {
			t.Errorf("by address: %+v, %v", found, err)
		}
		if found, err := tx.AccountsByLogin(now, "Z"); err != nil || len(found) != 1 || found[0].ID != "id-00" {
			t.Errorf("by login: %+v, %v", found, err)
		}
		_, err := tx.Account(now, 1<<40)
		wantKind(t, "no account", err, baton.NotFound)
		return nil
	})
}

// testHoldersMany checks that a list of very many holders has the same order as a short one.
func testHoldersMany(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{groups: []string{"big", "small"}, grants: map[[2]string]grant{{"big", "small"}: {}}}
	for i := range 2500 {
		id := fmt.Sprintf("u%04d", i*7919%2500)
		m.accounts = append(m.accounts, id)
		if i%50 != 0 {
			m.grants[[2]string{"big", id}] = grant{}
		}
		if i%3 == 0 {
			m.grants[[2]string{"small", id}] = grant{}
		}
	}
	w.sync(1, m)
	view(t, s, func(tx *store.Tx) error {
		now := w.now(tx)
		for group, want := range map[string]int{"big": 2451, "small": 834} {
			var names []string
			for after := (store.HolderAfter{}); ; {
				page, err := tx.Holders(now, w.member(group), after, 500)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, h := range page {
					if h.Principal.Account != nil {
						names = append(names, h.Principal.Name)
					}
					after = h.After()
				}
				if group == "big" && after.Other {
					names = append(names, "~")
				}
			}
			if len(names) != want || !slices.IsSorted(names) {
				t.Errorf("%s: %d holders, in order: %v", group, len(names), slices.IsSorted(names))
			}
		}
		if n, err := tx.CountHolders(now, w.member("big"), 100); err != nil || n != 100 {
			t.Errorf("counted %d, %v", n, err)
		}
		return nil
	})
}

// testIncarnations checks that an account with a reused id is a different account.
func testIncarnations(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	m := model{accounts: []string{"u1", "u2"}, created: map[string]time.Time{"u1": at(-60), "u2": at(-60)}}
	w.sync(1, m)
	first, second := w.account("u1"), w.account("u2")
	w.sync(2, model{})
	m.created = map[string]time.Time{"u1": at(-60), "u2": at(-5)}
	w.sync(3, m)
	if got := w.account("u1"); got != first {
		t.Errorf("the same account has key %d, and had %d", got, first)
	}
	if got := w.account("u2"); got == second {
		t.Error("an account that was created later has the key of the former one")
	}
	view(t, s, func(tx *store.Tx) error {
		r, err := tx.ResourceByID(w.now(tx), "user", "u2")
		if err != nil || r.Incarnation != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		past, err := tx.Moment(w.app, at(2))
		if err != nil {
			return err
		}
		if r, err := tx.ResourceByID(past, "user", "u2"); err != nil || r.Key != second || r.Incarnation != 1 {
			t.Errorf("before: %+v, %v", r, err)
		}
		return nil
	})
	w.check(time.Time{}, m)
}

// testUpload checks that the person who uploaded a file beside a live connector cannot confirm it,
// also under another identity.
func testUpload(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	people := map[string]console.ID{}
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		for _, name := range []string{"uploader", "alias", "other"} {
			if people[name], err = tx.AddPerson(console.Person{Name: name}); err != nil {
				return err
			}
		}
		return tx.MergePersons(people["alias"], people["uploader"])
	})
	var id console.ID
	update(t, s, byPerson(1, people["alias"]), func(tx *store.Tx) (err error) {
		id, err = tx.ReceiveSync(console.Sync{Connector: w.connector, Kind: console.SyncUpload, Began: at(1)})
		return err
	})
	st, err := s.BeginSync(ctx, by(2), id)
	if err == nil {
		err = st.Hold(ctx, by(2), []console.Hold{{Kind: console.HoldUpload, Detail: "by hand"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"uploader", "alias"} {
		fails(t, s, byPerson(3, people[who]), who+" confirms", baton.Refused, func(tx *store.Tx) error { return tx.ConfirmSync(id, "seen") })
	}
	fails(t, s, by(3), "the console confirms", baton.Refused, func(tx *store.Tx) error { return tx.ConfirmSync(id, "seen") })
	update(t, s, byPerson(4, people["other"]), func(tx *store.Tx) error { return tx.ConfirmSync(id, "seen") })
}
