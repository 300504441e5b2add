package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testFindings follows findings through their states, lists them in pages, and counts them.
func testFindings(t *testing.T, db Database) {
	s := open(t, db)
	first, second := namedWorld(t, s, "first"), namedWorld(t, s, "second")
	rule := func(k console.FindingKind) console.FindingRule { r, _ := k.Rule(); return r }
	appear := func(minute int, app console.ID, k console.FindingKind, subjects ...string) {
		t.Helper()
		var causes []store.FindingCause
		for _, subject := range subjects {
			causes = append(causes, store.FindingCause{Subject: subject, FindingAbout: console.FindingAbout{Account: 7, Detail: map[string]string{"why": "\x00 <b>"}}})
		}
		update(t, s, by(minute), func(tx *store.Tx) error { return tx.AppearFindings(app, rule(k), causes) })
	}
	everything := store.FindingScope{}
	for _, r := range console.FindingRules() {
		everything[r.Kind] = nil
	}
	list := func(scope store.FindingScope, state console.FindingState, n int) (subjects []string, ids []console.ID) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			for after := (store.FindingAfter{}); ; {
				page, err := tx.Findings(scope, state, after, n)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, f := range page {
					subjects, ids = append(subjects, f.Subject), append(ids, f.ID)
					after = store.FindingAfter{Kind: f.Kind, Appeared: f.Appeared, ID: f.ID}
				}
			}
		})
		return subjects, ids
	}
	appear(1, first.app, console.AccountUnmatched, "u3")
	appear(2, second.app, console.AccountUnmatched, "u1", "u2")
	appear(3, first.app, console.AdminsBelow, "minimum")
	appear(4, first.app, console.AdminsBelow, "minimum") // there already
	for n := 1; n < 6; n++ {
		got, _ := list(everything, console.FindingOpen, n)
		slices.Sort(got[2:])
		if fmt.Sprint(got) != "[minimum u3 u1 u2]" {
			t.Errorf("pages of %d: %v", n, got)
		}
	}
	owned := store.FindingScope{console.AccountUnmatched: {Apps: []console.ID{first.app}}, console.AdminsBelow: {Apps: []console.ID{second.app}}, console.ConnectorOffline: {Connectors: []console.ID{first.connector}}}
	if got, _ := list(owned, console.FindingOpen, 2); fmt.Sprint(got) != "[u3]" {
		t.Errorf("of one app: %v", got)
	}
	update(t, s, by(4), func(tx *store.Tx) error {
		return tx.AppearFindings(first.app, rule(console.ConnectorOffline), []store.FindingCause{{Subject: "c", FindingAbout: console.FindingAbout{Connector: first.connector}}})
	})
	view(t, s, func(tx *store.Tx) error {
		for name, tt := range map[string]struct {
			scope store.FindingScope
			want  string
		}{"all": {everything, "map[account-unmatched:3 admins-below:1 connector-offline:1]"}, "owned": {owned, "map[account-unmatched:1 connector-offline:1]"}, "nothing": {store.FindingScope{}, "map[]"}} {
			counts, err := tx.CountFindings(tt.scope, console.FindingOpen)
			if err != nil {
				return err
			}
			sum := map[console.FindingKind]int{}
			for _, c := range counts {
				sum[c.Kind] += c.Count
			}
			if got := fmt.Sprint(sum); got != tt.want {
				t.Errorf("%s: %s, want %s", name, got, tt.want)
			}
		}
		return nil
	})

	// Accepted, open again, resolved, and back.
	_, ids := list(store.FindingScope{console.AdminsBelow: nil}, console.FindingOpen, 9)
	id := ids[0]
	get := func() (f console.Finding) {
		view(t, s, func(tx *store.Tx) (err error) { f, err = tx.Finding(id); return err })
		return f
	}
	until := at(100)
	for what, bad := range map[string]func(tx *store.Tx) error{
		"without a reason": func(tx *store.Tx) error { return tx.AcceptFinding(id, 1, console.FindingAccepted, until, " ") },
		"in the past":      func(tx *store.Tx) error { return tx.AcceptFinding(id, 1, console.FindingSnoozed, at(1), "") },
		"for ever":         func(tx *store.Tx) error { return tx.AcceptFinding(id, 1, console.FindingAccepted, at(600000), "x") },
	} {
		fails(t, s, by(5), what, baton.Invalid, bad)
	}
	fails(t, s, by(5), "another version", baton.Refused, func(tx *store.Tx) error { return tx.AcceptFinding(id, 9, console.FindingAccepted, until, "x") })
	fails(t, s, by(5), "another finding", baton.NotFound, func(tx *store.Tx) error { return tx.AcceptFinding("x", 1, console.FindingAccepted, until, "x") })
	update(t, s, by(5), func(tx *store.Tx) error { return tx.AcceptFinding(id, 1, console.FindingAccepted, until, "known") })
	returned := func(minute int) (next time.Time) {
		update(t, s, by(minute), func(tx *store.Tx) (err error) {
			next, err = tx.ReturnFindings(first.app, console.AdminsBelow)
			return err
		})
		return next
	}
	if next := returned(99); !next.Equal(until) || get().State != console.FindingAccepted || get().Why != "known" {
		t.Errorf("next %s, %+v", next, get())
	}
	update(t, s, by(99), func(tx *store.Tx) error {
		return tx.ResolveFindings(first.app, rule(console.AdminsBelow), []console.ID{id})
	})
	fails(t, s, by(99), "a resolved one", baton.Refused, func(tx *store.Tx) error {
		return tx.AcceptFinding(id, get().Version, console.FindingAccepted, until, "x")
	})
	appear(99, first.app, console.AdminsBelow, "minimum")
	if f := get(); f.State != console.FindingAccepted || !f.Until.Equal(until) {
		t.Errorf("back before its time: %+v", f)
	}
	if next := returned(100); !next.IsZero() || get().State != console.FindingOpen || get().Why != "" || !get().Told.Equal(at(100)) {
		t.Errorf("after its time: next %s, %+v", next, get())
	}
	update(t, s, by(101), func(tx *store.Tx) error {
		return tx.AcceptFinding(id, get().Version, console.FindingSnoozed, at(200), "")
	})
	update(t, s, by(102), func(tx *store.Tx) error { return tx.ReopenFinding(id) })
	if get().State != console.FindingOpen {
		t.Errorf("opened again: %+v", get())
	}
	update(t, s, by(103), func(tx *store.Tx) error {
		return tx.ResolveFindings(first.app, rule(console.AdminsBelow), []console.ID{id, id, "gone"})
	})
	fails(t, s, by(104), "opening a resolved one", baton.Refused, func(tx *store.Tx) error { return tx.ReopenFinding(id) })
	told := kinds(t, s)
	for kind, want := range map[string]int{"finding.appeared": 5, "finding.accepted": 1, "finding.returned": 1, "finding.snoozed": 1, "finding.reopened": 1, "finding.resolved": 2} {
		if n := len(slices.DeleteFunc(slices.Clone(told), func(k string) bool { return k != kind })); n != want {
			t.Errorf("%d events %s, want %d", n, kind, want)
		}
	}
	stream := first.stream()
	update(t, s, by(200), func(tx *store.Tx) error {
		n, err := tx.ForgetFindings(at(150), 10)
		if err != nil || n != 1 {
			t.Errorf("forgot %d, %v", n, err)
		}
		if err := tx.SetSeenChanges(stream, 5); err != nil {
			return err
		}
		return tx.SetSeenChanges(stream, 6)
	})
	view(t, s, func(tx *store.Tx) error {
		_, gone := tx.Finding(id)
		wantKind(t, "forgotten", gone, baton.NotFound)
		if n, err := tx.SeenChanges(stream); n != 6 || err != nil {
			t.Errorf("seen %d, %v", n, err)
		}
		current, err := tx.CurrentFindings(second.app, console.AccountUnmatched)
		if len(current) != 2 || current["u1"].Detail["why"] != "\x00 <b>" || current["u1"].Account != 7 {
			t.Errorf("%+v", current)
		}
		return err
	})
}
