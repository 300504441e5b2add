package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"baton/console"
	"baton/console/store"
	"baton/internal/longtest"
)

// filtered creates a large app with accounts of every kind, in the streams of two connectors.
func filtered(t *testing.T, s *store.Store, accounts int) (w *world, all []store.Resource, m model) {
	w = newWorld(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	m = model{groups: []string{"admins", "members", "empty"}, grants: map[[2]string]grant{}, statuses: map[string]console.Status{}, kinds: map[string]console.AccountKind{}}
	for i := range accounts {
		id := fmt.Sprintf("u%05d.x%d", i*7919%accounts, i%7)
		m.accounts = append(m.accounts, id)
		m.statuses[id] = console.Status(random.IntN(20) % 4)
		m.kinds[id] = console.AccountKind(random.IntN(40) % 4 * (i % 2))
		if i%3 > 0 {
			m.grants[[2]string{"members", id}] = grant{}
		}
		if i%401 == 0 {
			m.grants[[2]string{"admins", id}] = grant{}
		}
	}
	w.sync(1, m)
	// The lists also contain closed and reopened rows.
	for i := range accounts / 10 {
		m.statuses[m.accounts[i]] = console.StatusEnabled
	}
	w.sync(2, m)
	view(t, s, func(tx *store.Tx) error {
		for after := (store.ResourceAfter{}); ; {
			page, err := tx.Accounts(w.now(tx), after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			all, after = append(all, page...), page[len(page)-1].After()
		}
	})
	return w, all, m
}

// testAccountFilter compares pages of filtered lists with a check of every account, for filters that
// match few and many accounts.
func testAccountFilter(t *testing.T, db Database) {
	s := store.New(db.Open(t), keyring(t, "first"))
	w, all, m := filtered(t, s, longtest.Pick(1700, 2400))
	if len(all) != len(m.accounts) {
		t.Fatalf("%d accounts, want %d", len(all), len(m.accounts))
	}
	admins, members := w.member("admins"), w.member("members")
	owners := map[console.ResourceKey]console.PersonStatus{}
	update(t, s, by(3), func(tx *store.Tx) error {
		people := map[console.PersonStatus]console.ID{}
		for _, status := range []console.PersonStatus{console.PersonActive, console.PersonDisabled, console.PersonGone} {
			id, err := tx.AddPerson(console.Person{Name: "Person " + string(status), Status: status})
			if err != nil {
				return err
			}
			people[status] = id
		}
		for i, r := range all {
			status := console.PersonActive
			switch {
			case i%10 == 0:
				continue // without an owner
			case i%97 == 0:
				status = console.PersonDisabled
			case i%89 == 0:
				status = console.PersonGone
			}
			owners[r.Key] = status
			if err := tx.SetAccountOwner(r.Key, people[status], store.OwnerMatched); err != nil {
				return err
			}
			if i%11 == 0 { // and cleared
				delete(owners, r.Key)
			}
		}
		return nil
	})
	update(t, s, by(4), func(tx *store.Tx) error {
		for i, r := range all {
			if i%10 != 0 && i%11 == 0 {
				if err := tx.SetAccountOwner(r.Key, "", store.OwnerCleared); err != nil {
					return err
				}
			}
		}
		return nil
	})
	enabled := func(r store.Resource) bool { return console.HasAccount(true, r.Status) }
	holds := func(r store.Resource, groups ...string) bool {
		return slices.ContainsFunc(groups, func(g string) bool { _, ok := m.grants[[2]string{g, r.ID}]; return ok })
	}
	word := func(r store.Resource, w string) bool {
		return strings.HasPrefix(r.Account.Login, w) || slices.ContainsFunc(console.SearchWords(r.Name), func(have string) bool { return strings.HasPrefix(have, w) })
	}
	last := all[len(all)-1].ID
	for _, tt := range []struct {
		name   string
		filter store.AccountFilter
		want   func(store.Resource) bool
	}{
		{"all", store.AccountFilter{}, func(store.Resource) bool { return true }},
		{"without owner", store.AccountFilter{Unowned: true}, func(r store.Resource) bool { return owners[r.Key] == "" && r.Account.Kind.Human() }},
		{"orphaned", store.AccountFilter{Orphaned: true}, func(r store.Resource) bool {
			return owners[r.Key] != "" && owners[r.Key] != console.PersonActive && enabled(r)
		}},
		{"disabled", store.AccountFilter{Disabled: true}, func(r store.Resource) bool { return !enabled(r) }},
		{"disabled with access", store.AccountFilter{Disabled: true, Holding: true}, func(r store.Resource) bool { return !enabled(r) && holds(r, "admins", "members") }},
		{"machines", store.AccountFilter{Kinds: []console.AccountKind{console.AccountService, console.AccountSystem}}, func(r store.Resource) bool { return !r.Account.Kind.Human() }},
		{"services", store.AccountFilter{Kinds: []console.AccountKind{console.AccountService}}, func(r store.Resource) bool { return r.Account.Kind == console.AccountService }},
		{"enabled humans", store.AccountFilter{Enabled: true, Kinds: []console.AccountKind{console.AccountHuman, console.AccountUnspecified}}, func(r store.Resource) bool { return enabled(r) && r.Account.Kind.Human() }},
		{"admins", store.AccountFilter{AnyOf: []console.EntitlementKey{admins}}, func(r store.Resource) bool { return holds(r, "admins") }},
		{"members", store.AccountFilter{AnyOf: []console.EntitlementKey{members}}, func(r store.Resource) bool { return holds(r, "members") }},
		{"members, not admins", store.AccountFilter{AnyOf: []console.EntitlementKey{members}, NoneOf: []console.EntitlementKey{admins}}, func(r store.Resource) bool { return holds(r, "members") && !holds(r, "admins") }},
		{"both", store.AccountFilter{Several: [][]console.EntitlementKey{{admins}, {}, {members}}}, func(r store.Resource) bool { return holds(r, "members") && holds(r, "admins") }},
		{"neither", store.AccountFilter{NoneOf: []console.EntitlementKey{admins, members}}, func(r store.Resource) bool { return !holds(r, "members", "admins") }},
		{"disabled admins", store.AccountFilter{AnyOf: []console.EntitlementKey{admins}, Disabled: true}, func(r store.Resource) bool { return holds(r, "admins") && !enabled(r) }},
		{"a word that few have", store.AccountFilter{Words: "x3"}, func(r store.Resource) bool { return word(r, "x3") }},
		{"a word that all have", store.AccountFilter{Words: "name"}, func(store.Resource) bool { return true }},
		{"two words", store.AccountFilter{Words: "NAME x3"}, func(r store.Resource) bool { return word(r, "x3") }},
		{"a word and a filter", store.AccountFilter{Words: "x3", Unowned: true}, func(r store.Resource) bool { return word(r, "x3") && owners[r.Key] == "" && r.Account.Kind.Human() }},
		{"a login", store.AccountFilter{Words: last}, func(r store.Resource) bool { return r.ID == last }},
		{"the beginning of an address", store.AccountFilter{Words: last + "@EXAMPLE"}, func(r store.Resource) bool { return r.ID == last }},
		{"no such word", store.AccountFilter{Words: "nobody"}, func(store.Resource) bool { return false }},
		{"signs", store.AccountFilter{Words: "§§"}, func(store.Resource) bool { return false }},
		{"in Go", store.AccountFilter{Match: func(r store.Resource) bool { return strings.HasSuffix(r.ID, "x5") }}, func(r store.Resource) bool { return strings.HasSuffix(r.ID, "x5") }},
	} {
		var want, got []string
		for _, r := range all {
			if tt.want(r) {
				want = append(want, r.ID)
			}
		}
		view(t, s, func(tx *store.Tx) error {
			now := w.now(tx)
			for after := (store.ResourceAfter{}); ; {
				page, err := tx.FilterAccounts(now, tt.filter, after, 97)
				if err != nil {
					return err
				}
				for _, r := range page.Rows {
					got = append(got, r.ID)
				}
				if len(page.Rows) > 97 {
					t.Errorf("%s: a page of %d", tt.name, len(page.Rows))
				}
				if page.Next == nil {
					return nil
				}
				after = *page.Next
			}
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d accounts, want %d\n%.300q\n%.300q", tt.name, len(got), len(want), got, want)
		}
		if len(want) == 0 && tt.name != "no such word" && tt.name != "signs" {
			t.Errorf("%s selects nothing: the test shows nothing", tt.name)
		}
	}
}

// testEntitlementFilter does the same for entitlements.
func testEntitlementFilter(t *testing.T, db Database) {
	s := store.New(db.Open(t), keyring(t, "first"))
	w := newWorld(t, s)
	m := model{accounts: []string{"ann"}, grants: map[[2]string]grant{}}
	n := longtest.Pick(1300, 2300)
	for i := range n {
		g := fmt.Sprintf("g%04d-part%d", i*7919%n, i%5)
		m.groups = append(m.groups, g)
		if i%2 == 0 {
			m.grants[[2]string{g, "ann"}] = grant{}
		}
	}
	w.sync(1, m)
	var all []store.Entitlement
	view(t, s, func(tx *store.Tx) error {
		for after := (store.EntitlementAfter{}); ; {
			page, err := tx.Entitlements(w.now(tx), after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			all, after = append(all, page...), page[len(page)-1].After()
		}
	})
	held := func(e store.Entitlement) bool {
		_, ok := m.grants[[2]string{strings.TrimSuffix(strings.TrimPrefix(e.ID, "group:"), ":member"), "ann"}]
		return ok
	}
	some := []console.EntitlementKey{all[3].Key, all[9].Key, all[1000].Key}
	for _, tt := range []struct {
		name   string
		filter store.EntitlementFilter
		want   func(store.Entitlement) bool
	}{
		{"all", store.EntitlementFilter{}, func(store.Entitlement) bool { return true }},
		{"held by nobody", store.EntitlementFilter{Unheld: true}, func(e store.Entitlement) bool { return !held(e) }},
		{"some", store.EntitlementFilter{Only: some}, func(e store.Entitlement) bool { return slices.Contains(some, e.Key) }},
		{"none of some", store.EntitlementFilter{Only: []console.EntitlementKey{}}, func(store.Entitlement) bool { return false }},
		{"the others", store.EntitlementFilter{Not: some}, func(e store.Entitlement) bool { return !slices.Contains(some, e.Key) }},
		{"a word that few have", store.EntitlementFilter{Words: "part3"}, func(e store.Entitlement) bool { return strings.Contains(e.ID, "part3") }},
		{"a word that all have", store.EntitlementFilter{Words: "member"}, func(store.Entitlement) bool { return true }},
		{"words and a filter", store.EntitlementFilter{Words: "memb part3", Unheld: true}, func(e store.Entitlement) bool { return strings.Contains(e.ID, "part3") && !held(e) }},
		{"signs", store.EntitlementFilter{Words: "§"}, func(store.Entitlement) bool { return false }},
	} {
		var want, got []string
		for _, e := range all {
			if tt.want(e) {
				want = append(want, e.ID)
			}
		}
		view(t, s, func(tx *store.Tx) error {
			for after := (store.EntitlementAfter{}); ; {
				page, err := tx.FilterEntitlements(w.now(tx), tt.filter, after, 97)
				if err != nil {
					return err
				}
				for _, e := range page.Rows {
					got = append(got, e.ID)
				}
				if page.Next == nil {
					return nil
				}
				after = *page.Next
			}
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d entitlements, want %d\n%.300q\n%.300q", tt.name, len(got), len(want), got, want)
		}
	}
}

// testPersonSearch finds people by the words of their current names, and by their addresses.
func testPersonSearch(t *testing.T, db Database) {
	s := store.New(db.Open(t), keyring(t, "first"))
	var ben console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if _, err = tx.AddPerson(console.Person{Name: "Ana-Lucía Ortiz", Emails: []string{"ana@example.com"}}); err != nil {
			return err
		}
		ben, err = tx.AddPerson(console.Person{Name: "Ben Weiß", Emails: []string{"b.weiss@example.com"}})
		return err
	})
	check := func(text string, want ...string) {
		t.Helper()
		var got []string
		view(t, s, func(tx *store.Tx) error {
			found, _, err := tx.SearchPersons(text, 10, func(p console.Person) bool { return p.Name != "Hidden" })
			for _, p := range found {
				got = append(got, p.Name)
			}
			return err
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	check("ortiz", "Ana-Lucía Ortiz")
	check("LUCIA", "Ana-Lucía Ortiz")
	check("ort ana", "Ana-Lucía Ortiz")
	check("ort ben")
	check("b.weiss@", "Ben Weiß")
	check("", []string(nil)...)
	check("%")
	update(t, s, by(1), func(tx *store.Tx) error {
		p, err := tx.Person(ben)
		if err != nil {
			return err
		}
		p.Name = "Hidden"
		return tx.ChangePerson(p)
	})
	check("weiß")
	check("hidden")
	update(t, s, by(2), func(tx *store.Tx) error {
		p, err := tx.Person(ben)
		if err != nil {
			return err
		}
		p.Name = "Benjamin Black"
		return tx.ChangePerson(p)
	})
	check("b", "Benjamin Black")
}

// testFactHistory checks ended facts and the changes of each sync, with a fact that only changed its
// source, one that came back, and one that never ended.
func testFactHistory(t *testing.T, db Database) {
	s := store.New(db.Open(t), keyring(t, "first"))
	w := newWorld(t, s)
	through := grant{sources: []console.Source{{Entitlement: "other"}}}
	base := model{accounts: []string{"ann", "bob", "cat"}, groups: []string{"a", "b"}}
	step := func(minute int, grants ...map[[2]string]grant) console.SyncNumber {
		m := base
		m.grants = join(grants...)
		return w.sync(minute, m)
	}
	first := step(1, pairs("a", "ann", "bob"))
	second := step(2, pairs("a", "ann", "cat"), pairs("b", "ann"))                         // bob loses, cat and b gain
	third := step(3, map[[2]string]grant{{"a", "ann"}: through}, pairs("a", "bob", "cat")) // ann is held through another, bob is back, b lost
	fourth := step(4, pairs("a", "bob"))                                                   // ann and cat lose
	a, ann, bob, cat := w.member("a"), w.account("ann"), w.account("bob"), w.account("cat")
	view(t, s, func(tx *store.Tx) error {
		now := w.now(tx)
		var got []string
		for before := (store.PastBefore{}); ; {
			page, err := tx.PastHolders(now, a, before, 2)
			if err != nil {
				return err
			}
			for _, f := range page {
				got = append(got, fmt.Sprint(f.Principal, f.From, f.Until))
				before = store.PastBefore{Closed: f.Until, Principal: f.Principal}
			}
			if len(page) < 2 {
				break
			}
		}
		if want := []string{fmt.Sprint(cat, second, fourth), fmt.Sprint(ann, first, fourth), fmt.Sprint(bob, first, second)}; !slices.Equal(got, want) {
			t.Errorf("past holders %q, want %q", got, want)
		}
		past, err := tx.PastAccess(now, ann, store.PastBefore{}, 10)
		if err != nil || len(past) != 2 || past[0].Until != fourth || past[0].From != first || past[1].From != second || past[1].Until != third {
			t.Errorf("past access %+v, %v", past, err)
		}
		if past, err = tx.PastAccess(now, ann, store.PastBefore{Closed: past[0].Until, Entitlement: past[0].Entitlement}, 10); err != nil || len(past) != 1 {
			t.Errorf("the next page of it: %+v, %v", past, err)
		}
		turn := func(t store.Turn) string { return fmt.Sprint(t.Sync, t.Gained, t.Lost) }
		turns, err := tx.EntitlementTurns(now, a, 0)
		got = nil
		for _, t := range turns {
			got = append(got, turn(t))
		}
		if want := []string{fmt.Sprint(fourth, 0, 2), fmt.Sprint(third, 1, 0), fmt.Sprint(second, 1, 1), fmt.Sprint(first, 2, 0)}; err != nil || !slices.Equal(got, want) {
			t.Errorf("turns of the entitlement %q, want %q (%v)", got, want, err)
		}
		turns, err = tx.AccountTurns(now, ann, fourth)
		if err != nil || len(turns) != 3 || turn(turns[0]) != fmt.Sprint(third, 0, 1) || turn(turns[1]) != fmt.Sprint(second, 1, 0) || turn(turns[2]) != fmt.Sprint(first, 1, 0) {
			t.Errorf("turns of the account before the last sync: %+v, %v", turns, err)
		}
		last, err := tx.LastShowing(1, fourth)
		if err != nil || last == nil || last.Number != third {
			t.Errorf("the last sync that showed what is gone: %+v, %v", last, err)
		}
		return err
	})
	// With many holders, gains are only counted.
	big := base
	big.grants = pairs("a", "bob")
	for i := range 1200 {
		id := fmt.Sprintf("u%04d", i)
		big.accounts = append(slices.Clone(big.accounts), id)
		big.grants[[2]string{"a", id}] = grant{}
	}
	fifth := w.sync(5, big)
	big.grants = join(big.grants, map[[2]string]grant{{"a", "bob"}: through}, pairs("a", "cat"))
	sixth := w.sync(6, big)
	view(t, s, func(tx *store.Tx) error {
		turns, err := tx.EntitlementTurns(w.now(tx), a, 0)
		if err != nil || len(turns) != 6 || turns[0].Sync != sixth || turns[0].Gained != 1 || turns[0].Lost != 0 || turns[1].Sync != fifth || turns[1].Gained != 1200 || turns[3].Gained != 1 {
			t.Errorf("turns of a large entitlement: %+v, %v", turns, err)
		}
		return err
	})
}
