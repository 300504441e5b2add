package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testChanged checks that the recorded changes give the same differences as a comparison of all
// rows, between any two syncs and page by page, and that an abandoned sync leaves none.
func testChanged(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 1)
	st.sync(2, model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members"},
		grants: join(pairs("admins", "ana", "ben", "cem"), pairs("members", "dan"))})
	o := st.mustCreate(3, st.op("ben", st.admin, console.Revoke))
	if refused := st.dispatch(4, o.ID, "task", store.Circumstances{}); refused != nil {
		t.Fatal(refused)
	}
	update(t, s, by(5), func(tx *store.Tx) error { return finish(tx, o.ID, "task", console.Applied, "") })
	update(t, s, by(6), func(tx *store.Tx) error {
		_, err := tx.AddReason(console.Reason{App: st.app, Account: st.account("dan"), Entitlement: st.admin, Kind: console.ReasonManual})
		return err
	})
	st.sync(10, model{accounts: []string{"ana", "ben", "cem", "dan", "eve"}, groups: []string{"admins", "members", "interns"},
		logins: map[string]string{"ana": "ana2"}, statuses: map[string]console.Status{"ben": console.StatusDisabled},
		grants: join(pairs("admins", "ana", "dan"), pairs("interns", "ana"))})
	st.sync(20, model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members", "interns"},
		logins:   map[string]string{"ana": "ana2"},
		statuses: map[string]console.Status{"ben": console.StatusDisabled},
		grants:   join(pairs("admins", "ana", "dan", "cem"), pairs("interns", "ana"))})
	st.sync(30, model{accounts: []string{"ana", "ben", "cem", "dan"}, groups: []string{"admins", "members", "interns"},
		grants: join(map[[2]string]grant{{"admins", "ana"}: {detail: "x"}, {"admins", "dan"}: {}}, pairs("interns", "ana", "ben"))})

	var numbers []console.SyncNumber
	began := map[console.SyncNumber]console.Sync{}
	view(t, s, func(tx *store.Tx) error {
		syncs, err := tx.Syncs(st.connector, store.SyncBefore{}, 9)
		for _, s := range syncs {
			numbers = append(numbers, s.Number)
			began[s.Number] = s
		}
		slices.Reverse(numbers)
		return err
	})
	words := map[store.Change]string{store.Open: "gained", store.Close: "lost", store.Replace: "changed"}
	rangeOf := func(from, to console.SyncNumber) store.StreamRange {
		return store.StreamRange{Stream: st.stream(), Connector: st.connector, App: st.app, From: from, To: to, Began: began[from].Began}
	}
	line := func(c store.Changed, why string) string {
		switch {
		case c.Resource != nil:
			return fmt.Sprintf("resource %d %s %s", c.Principal, words[c.Resource.Change], why)
		case c.Entitlement != nil:
			return fmt.Sprintf("entitlement %d %s %s", c.ChangeKey.Entitlement, words[c.Entitlement.Change], why)
		}
		return fmt.Sprintf("fact %d %d %s %s", c.ChangeKey.Entitlement, c.Principal, words[c.Fact.Change], why)
	}
	paged := func(from, to console.SyncNumber, n int) (all []string) {
		after := store.ChangeKey{}
		for {
			var p store.ChangedPage
			view(t, s, func(tx *store.Tx) (err error) {
				if p, err = tx.ChangedBetween([]store.StreamRange{rangeOf(from, to)}, after, n, store.ChangedOnly{}, nil); err != nil {
					return err
				}
				why, err := tx.WhyChanged(p.Lines)
				for i, c := range p.Lines {
					all = append(all, line(c, string(why[i].Kind)))
				}
				return err
			})
			if p.Next == nil {
				slices.Sort(all)
				return all
			}
			after = *p.Next
		}
	}
	// compared returns the same differences from a comparison of all rows, whose explanations are
	// coarser.
	compared := func(from, to console.SyncNumber) (all []string) {
		for d, err := range s.Differences(ctx, st.connector, from, to) {
			if err != nil {
				t.Fatal(err)
			}
			why := string(d.Explanation.Kind)
			switch {
			case d.Resource != nil:
				if is := func(r store.Resource) bool { return r.Account != nil && console.HasAccount(true, r.Status) }; is(d.Resource.Before) == is(d.Resource.After) {
					why = string(console.ByNature)
				}
				all = append(all, fmt.Sprintf("resource %d %s %s", max(d.Resource.Before.Key, d.Resource.After.Key), words[d.Resource.Change], why))
			case d.Entitlement != nil:
				all = append(all, fmt.Sprintf("entitlement %d %s %s", max(d.Entitlement.Before.Key, d.Entitlement.After.Key), words[d.Entitlement.Change], console.ByNature))
			default:
				if d.Fact.Change == store.Replace {
					why = string(console.ByNature)
				}
				all = append(all, fmt.Sprintf("fact %d %d %s %s", max(d.Fact.Before.Entitlement, d.Fact.After.Entitlement), max(d.Fact.Before.Principal, d.Fact.After.Principal), words[d.Fact.Change], why))
			}
		}
		slices.Sort(all)
		return all
	}
	lines := 0
	for i := range numbers {
		for j := i; j < len(numbers); j++ {
			want := compared(numbers[i], numbers[j])
			lines += len(want)
			for _, n := range []int{1, 2, 3, 50} {
				if diff := cmp.Diff(want, paged(numbers[i], numbers[j], n)); diff != "" {
					t.Errorf("%d to %d, %d on a page (-compared +noted):\n%s", numbers[i], numbers[j], n, diff)
				}
			}
		}
	}
	// What indexes exclude does not belong in the selection.
	selected := func(r store.StreamRange, n int, only store.ChangedOnly, wanted func(store.Changed, store.WhyChanged) bool) (all []string, looked int) {
		after := store.ChangeKey{}
		for {
			var p store.ChangedPage
			view(t, s, func(tx *store.Tx) (err error) {
				p, err = tx.ChangedBetween([]store.StreamRange{r}, after, n, only, func(lines []store.Changed) ([]bool, error) {
					looked += len(lines)
					why, err := tx.WhyChanged(lines)
					taken := make([]bool, len(lines))
					for i, c := range lines {
						taken[i] = wanted(c, why[i])
					}
					return taken, err
				})
				for _, c := range p.Lines {
					all = append(all, line(c, fmt.Sprint(c.Sync)))
				}
				return err
			})
			if p.Next == nil {
				return all, looked
			}
			after = *p.Next
		}
	}
	kindIs := func(kinds ...console.ExplanationKind) func(store.Changed, store.WhyChanged) bool {
		return func(_ store.Changed, w store.WhyChanged) bool { return slices.Contains(kinds, w.Kind) }
	}
	accounts := map[string]console.ResourceKey{}
	holds := map[console.SyncNumber]map[console.ResourceKey]bool{} // the accounts that hold a role at a sync
	view(t, s, func(tx *store.Tx) error {
		for _, n := range numbers {
			m := store.Moment{Streams: []store.StreamAt{{Stream: st.stream(), Sync: n}}}
			holds[n] = map[console.ResourceKey]bool{}
			for _, name := range []string{"ana", "ben", "cem", "dan", "eve"} {
				r, err := tx.ResourceByID(m, "user", name)
				if baton.KindOf(err) == baton.NotFound {
					continue
				}
				if err != nil {
					return err
				}
				accounts[name] = r.Key
				for _, e := range []console.EntitlementKey{st.admin, st.member} {
					f, err := tx.Fact(m, e, r.Key)
					if err != nil {
						return err
					}
					holds[n][r.Key] = holds[n][r.Key] || f != nil
				}
			}
		}
		return nil
	})
	update(t, s, by(35), func(tx *store.Tx) error {
		gone, err := tx.AddPerson(console.Person{Name: "Gone", Status: console.PersonGone})
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(accounts["ana"], gone, store.OwnerSet)
	})
	found, less := map[string]int{}, map[string]bool{}
	for i := range numbers {
		for j := i + 1; j < len(numbers); j++ {
			r := rangeOf(numbers[i], numbers[j])
			for name, c := range map[string]struct {
				only   store.ChangedOnly
				wanted func(store.Changed, store.WhyChanged) bool
			}{
				"explained":   {store.ChangedOnly{Explained: true}, kindIs(console.ByOperation, console.ByReason, console.ByPersonLater)},
				"unexplained": {store.ChangedOnly{Unexplained: true}, kindIs(console.Unexplained)},
				"expected":    {store.ChangedOnly{Expected: true}, kindIs(console.ByBaseline, console.ByNature)},
				"came back":   {store.ChangedOnly{CameBack: true}, func(_ store.Changed, w store.WhyChanged) bool { return w.CameBack }},
				"owned": {store.ChangedOnly{Owned: true}, func(c store.Changed, _ store.WhyChanged) bool {
					return slices.ContainsFunc([]string{"ana", "ben", "cem", "dan"}, func(name string) bool { return c.Principal == accounts[name] })
				}},
				"owner gone": {store.ChangedOnly{OwnerGone: true}, func(c store.Changed, _ store.WhyChanged) bool { return c.Principal == accounts["ana"] }},
				"several": {store.ChangedOnly{Several: 1, Of: map[console.ID][]console.EntitlementKey{st.app: {st.admin, st.member}}},
					func(c store.Changed, _ store.WhyChanged) bool { return holds[r.To][c.Principal] }},
				"several of none": {store.ChangedOnly{Several: 2}, func(store.Changed, store.WhyChanged) bool { return false }},
			} {
				for _, n := range []int{1, 50} {
					want, looked := selected(r, n, store.ChangedOnly{}, c.wanted)
					got, fewer := selected(r, n, c.only, c.wanted)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s, %d to %d, %d on a page (-all +selected):\n%s", name, r.From, r.To, n, diff)
					}
					found[name] += len(want)
					less[name] = less[name] || fewer < looked
				}
			}
		}
	}
	for name := range less {
		if !less[name] || found[name] == 0 && name != "several of none" && name != "came back" {
			t.Errorf("%s: %d found, rows excluded: %t", name, found[name], less[name])
		}
	}
	if lines < 50 {
		t.Errorf("only %d lines were compared", lines)
	}

	// A person can explain a change once.
	cem := store.ChangeKey{Sync: numbers[3], Kind: store.ChangedFact, Entitlement: st.admin, Principal: st.account("cem")}
	explain := func(tx *store.Tx) error {
		_, err := tx.Explain(rangeOf(numbers[2], numbers[3]), cem, "agreed by phone")
		return err
	}
	update(t, s, by(40), explain)
	fails(t, s, by(41), "a second explanation", baton.AlreadyExists, explain)
	fails(t, s, by(41), "no explanation", baton.Invalid, func(tx *store.Tx) error {
		_, err := tx.Explain(rangeOf(numbers[2], numbers[3]), cem, "")
		return err
	})
	fails(t, s, by(41), "no change", baton.NotFound, func(tx *store.Tx) error {
		k := cem
		k.Sync = numbers[0]
		_, err := tx.Explain(rangeOf(numbers[2], numbers[3]), k, "x")
		return err
	})
	if all := paged(numbers[2], numbers[3], 50); !slices.ContainsFunc(all, func(l string) bool {
		return strings.HasSuffix(l, string(console.ByPersonLater)) && strings.Contains(l, fmt.Sprintf("fact %d %d gained", st.admin, cem.Principal))
	}) {
		t.Errorf("the explanation is not shown: %v", all)
	}

	// The last versions of many objects, and who owned accounts.
	view(t, s, func(tx *store.Tx) error {
		ana, ben, eve := accounts["ana"], accounts["ben"], accounts["eve"]
		for i, n := range numbers {
			got, err := tx.LastResources(st.stream(), n, []console.ResourceKey{eve, ana, ana})
			if err != nil {
				return err
			}
			if _, there := got[eve]; there != (i >= 2) || got[ana].Key != ana || got[ana].From > n {
				t.Errorf("the last versions at sync %d are %+v", n, got)
			}
			if gone := got[eve].Until <= n; i >= 2 && gone != (i >= 3) {
				t.Errorf("at sync %d eve is gone: %t", n, gone)
			}
			entitlements, err := tx.LastEntitlements(st.stream(), n, []console.EntitlementKey{st.admin, st.admin, 9999})
			if err != nil {
				return err
			}
			if e := entitlements[st.admin]; len(entitlements) != 1 || e.Key != st.admin || e.From > n {
				t.Errorf("the last versions at sync %d are %+v", n, entitlements)
			}
		}
		syncs, err := tx.SyncsByNumber([]console.SyncNumber{numbers[0], numbers[2], 9999})
		if len(syncs) != 2 || cmp.Diff(syncs[numbers[2]], began[numbers[2]]) != "" {
			t.Errorf("the syncs are %+v", syncs)
		}
		if err != nil {
			return err
		}
		owners, err := tx.AccountOwners(ben)
		if err != nil {
			return err
		}
		owned, err := tx.RecentlyOwned([]console.ResourceKey{ana, ben, eve}, owners[0].Person, owners[0].From.Add(time.Hour))
		if !owned[ben] || owned[ana] || owned[eve] {
			t.Errorf("owned: %v", owned)
		}
		if err != nil {
			return err
		}
		now, _, err := tx.OwnersAndLately([]console.ResourceKey{ana, ben, eve}, "", at(500))
		last := owners[len(owners)-1]
		if who, owned := now[ben]; owned != last.Until.IsZero() || owned && who != last.Person {
			t.Errorf("owners: %v, and of ben %+v", now, owners)
		}
		return err
	})

	staging, err := s.BeginSync(ctx, by(50), st.receive(50, console.SyncFull))
	if err == nil {
		err = stage(ctx, staging, model{accounts: []string{"ana"}, groups: []string{"admins"}, grants: pairs("admins", "ana")})
	}
	if err == nil {
		err = staging.Abandon(ctx, by(50))
	}
	if err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *store.Tx) error {
		p, err := tx.ChangedBetween([]store.StreamRange{rangeOf(numbers[4], staging.Number)}, store.ChangeKey{}, 50, store.ChangedOnly{}, nil)
		if len(p.Lines)+p.Looked > 0 {
			t.Errorf("an abandoned sync left %+v", p)
		}
		return err
	})
}
