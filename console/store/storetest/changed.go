package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

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
				if p, err = tx.ChangedBetween([]store.StreamRange{rangeOf(from, to)}, after, n, nil); err != nil {
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
		p, err := tx.ChangedBetween([]store.StreamRange{rangeOf(numbers[4], staging.Number)}, store.ChangeKey{}, 50, nil)
		if len(p.Lines)+p.Looked > 0 {
			t.Errorf("an abandoned sync left %+v", p)
		}
		return err
	})
}
