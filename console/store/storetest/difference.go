package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testDifferences checks that the difference of two syncs covers accounts, groups, entitlements and
// facts, each with the right explanation.
func testDifferences(t *testing.T, db Database) {
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
		logins: map[string]string{"ana": "ana2"}, statuses: map[string]console.Status{"ben": console.StatusDisabled},
		grants: join(pairs("admins", "ana", "dan"), pairs("interns", "ana"))})
	var numbers []console.SyncNumber
	names := map[console.ResourceKey]string{}
	view(t, s, func(tx *store.Tx) error {
		syncs, err := tx.Syncs(st.connector, store.SyncBefore{}, 9)
		for _, s := range syncs {
			numbers = append(numbers, s.Number)
		}
		slices.Reverse(numbers)
		return err
	})
	lines := func(from, to console.SyncNumber) (all []string) {
		words := map[store.Change]string{store.Open: "gained", store.Close: "lost", store.Replace: "changed"}
		for d, err := range s.Differences(ctx, st.connector, from, to) {
			if err != nil {
				t.Fatal(err)
			}
			var line string
			switch {
			case d.Resource != nil:
				r := d.Resource.After
				if d.Resource.Change == store.Close {
					r = d.Resource.Before
				}
				names[r.Key] = r.ID
				line = fmt.Sprintf("%s %s %s", r.Type, r.ID, words[d.Resource.Change])
			case d.Entitlement != nil:
				line = fmt.Sprintf("entitlement %s%s %s", d.Entitlement.After.ID, d.Entitlement.Before.ID, words[d.Entitlement.Change])
			case d.Fact != nil:
				line = fmt.Sprintf("fact %s%s %s", st.factLine(d.Fact.Before), st.factLine(d.Fact.After), words[d.Fact.Change])
			}
			all = append(all, line+": "+string(d.Explanation.Kind))
		}
		slices.Sort(all)
		return all
	}
	fact := func(group, account string) string { return (grant{}).line([2]string{group, account}) }
	want := []string{
		"user ana changed: unexplained",
		"user ben changed: unexplained",
		"user eve gained: unexplained",
		"group interns gained: baseline",
		"entitlement group:interns:member gained: baseline",
		"fact " + fact("admins", "ben") + " lost: operation",
		"fact " + fact("admins", "cem") + " lost: unexplained",
		"fact " + fact("admins", "dan") + " gained: reason",
		"fact " + fact("members", "dan") + " lost: unexplained",
		"fact " + fact("interns", "ana") + " gained: baseline",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, lines(numbers[1], numbers[2])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Eve appeared and disappeared between the two syncs.
	want = slices.DeleteFunc(want, func(l string) bool { return l == "user eve gained: unexplained" })
	if diff := cmp.Diff(want, lines(numbers[1], numbers[3])); diff != "" {
		t.Errorf("to the last (-want +got):\n%s", diff)
	}
	for _, line := range lines(0, numbers[0]) {
		if line[len(line)-len(": baseline"):] != ": baseline" {
			t.Errorf("the first sync: %s", line)
		}
	}
	for d, err := range s.Differences(ctx, st.connector, numbers[1], 9999) {
		if baton.KindOf(err) != baton.NotFound {
			t.Errorf("to a sync that does not exist: %+v, %v", d, err)
		}
	}
	for range s.Differences(ctx, st.connector, numbers[1], numbers[2]) {
		break // the iteration ends without an error
	}
}
