package storetest

import (
	"slices"
	"testing"

	"baton/console"
	"baton/console/store"
)

// testLateExpiries returns removals of expired access that are late, whatever else is late, and the
// overdue access of an app in pages.
func testLateExpiries(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 1)
	st.mustCreate(3, st.op("ana", st.member, console.Revoke)) // a review
	expired := map[string]console.Operation{}
	expire := func(minute int, name string) {
		t.Helper()
		o := st.op(name, st.member, console.Revoke)
		update(t, s, by(minute), func(tx *store.Tx) error {
			r, err := tx.AddReason(console.Reason{App: st.app, Account: o.Account, Entitlement: st.member, Kind: console.ReasonRequest, Until: at(minute + 1)})
			o.Cause = console.Cause{Kind: console.CauseExpiry, Ref: string(r), Evidence: console.EvidenceTime}
			return err
		})
		expired[name] = st.mustCreate(minute+1, o)
	}
	expire(4, "dan")
	expire(6, "cem")
	expire(20, "ben")
	late := func(n int) (names []string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.LateExpiries(st.connector, at(10), n)
			for _, o := range all {
				for name, e := range expired {
					if e.ID == o.ID {
						names = append(names, name)
					}
				}
			}
			return err
		})
		return names
	}
	if got := late(1); !slices.Equal(got, []string{"dan"}) {
		t.Errorf("the first is %q", got)
	}
	if got := late(9); !slices.Equal(got, []string{"dan", "cem"}) {
		t.Errorf("late are %q", got)
	}
	mark := func(minute int, name string) {
		t.Helper()
		o := expired[name]
		update(t, s, by(minute), func(tx *store.Tx) error {
			return tx.MarkOverdue(console.Overdue{App: st.app, Connector: st.connector, Account: o.Account, Entitlement: o.Entitlement, Reason: console.ID(o.Cause.Ref), Expired: at(5), Why: name})
		})
	}
	mark(11, "dan")
	if got := late(9); !slices.Equal(got, []string{"cem"}) {
		t.Errorf("after the first was marked, late are %q", got)
	}
	mark(12, "ben")
	mark(12, "cem") // at the same time
	var pages []string
	view(t, s, func(tx *store.Tx) error {
		for after := (store.OverdueAfter{}); ; {
			page, err := tx.AllOverdue(st.app, after, 1)
			if err != nil || len(page) == 0 {
				return err
			}
			pages = append(pages, page[0].Why)
			after = store.OverdueAfter{Since: page[0].Since, Account: page[0].Account, Entitlement: page[0].Entitlement}
		}
	})
	slices.Sort(pages[1:])
	if !slices.Equal(pages, []string{"dan", "ben", "cem"}) {
		t.Errorf("the pages have %q", pages)
	}
}
