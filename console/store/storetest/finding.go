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
		update(t, s, by(minute), func(tx *store.Tx) error {
			_, err := tx.AppearFindings(app, rule(k), causes, store.FindingBatch{})
			return err
		})
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
		_, err := tx.AppearFindings(first.app, rule(console.ConnectorOffline), []store.FindingCause{{Subject: "c", FindingAbout: console.FindingAbout{Connector: first.connector}}}, store.FindingBatch{})
		return err
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

// testFindingLook reads findings beside accounts, and what events touched.
func testFindingLook(t *testing.T, db Database) {
	s := open(t, db)
	w := namedWorld(t, s, "first")
	rule, _ := console.AccountUnmatched.Rule()
	lapsed, _ := console.CourseLapsed.Rule()
	var unmatched, holders []store.FindingCause
	for n := console.ResourceKey(1); n <= 200; n++ {
		unmatched = append(unmatched, store.FindingCause{Subject: fmt.Sprint(n), FindingAbout: console.FindingAbout{Account: n}})
		holders = append(holders, store.FindingCause{Subject: fmt.Sprintf("%d:%d", 5+n%2, n), FindingAbout: console.FindingAbout{Account: n, Entitlement: console.EntitlementKey(5 + n%2)}})
	}
	update(t, s, by(1), func(tx *store.Tx) error {
		for _, again := range []int{200, 0} { // those that are there are found, however many there are
			told, err := tx.AppearFindings(w.app, rule, unmatched, store.FindingBatch{})
			if err != nil || told != again {
				t.Errorf("told of %d, %v", told, err)
			}
		}
		told, err := tx.AppearFindings(w.app, lapsed, holders, store.FindingBatch{Further: true})
		if told != 0 {
			t.Errorf("told again of %d", told)
		}
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		for _, tt := range []struct {
			keys store.KeyRange
			want int
		}{{store.KeyRange{After: 10, Last: 110}, 100}, {store.Accounts(190), 10}, {store.KeyRange{Only: []console.ResourceKey{1, 2, 999}}, 2}} {
			if rows, err := tx.FindingsOfAccounts(w.app, console.AccountUnmatched, tt.keys); len(rows) != tt.want || err != nil || rows[0].ID == "" || rows[0].Account == 0 {
				t.Errorf("%+v: %d rows, %v", tt.keys, len(rows), err)
			}
		}
		if known, err := tx.FindingsAbout(w.app, console.CourseLapsed, 5, store.KeyRange{After: 100, Last: 200}); len(known) != 50 || err != nil || known["5:102"].Account != 102 {
			t.Errorf("%d about an entitlement, %v", len(known), err)
		}
		if rest, err := tx.FindingsElsewhere(w.app, console.CourseLapsed, []console.EntitlementKey{6, 7}, 1000); len(rest) != 100 || err != nil {
			t.Errorf("%d elsewhere, %v", len(rest), err)
		}
		if rest, err := tx.FindingsElsewhere(w.app, console.CourseLapsed, nil, 150); len(rest) != 150 || err != nil {
			t.Errorf("%d at all, %v", len(rest), err)
		}
		return nil
	})

	// Events touch their accounts; what may touch all says so.
	touched := func(after int64) (all store.Touched) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) { all, err = tx.TouchedAccounts(w.app, after, 3); return err })
		return all
	}
	if first := touched(0); !first.All || first.Event == 0 {
		t.Errorf("without a look before: %+v", first)
	}
	since := touched(0).Event
	if none := touched(since); none.All || len(none.Accounts) != 0 {
		t.Errorf("nothing happened: %+v", none)
	}
	update(t, s, by(2), func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "account.owner-changed", App: w.app, Account: 7})
		tx.Append(console.Event{Kind: "account.type-changed", App: w.app, Account: 7})
		tx.Append(console.Event{Kind: "account.owner-changed", App: "other", Account: 8})
		return nil
	})
	if one := touched(since); one.All || !slices.Equal(one.Accounts, []console.ResourceKey{7}) {
		t.Errorf("one account: %+v", one)
	}
	update(t, s, by(3), func(tx *store.Tx) error {
		for n := range console.ResourceKey(3) {
			tx.Append(console.Event{Kind: "account.owner-changed", App: w.app, Account: 20 + n})
		}
		return nil
	})
	if many := touched(since); !many.All {
		t.Errorf("more than are listed: %+v", many)
	}
	since = touched(since).Event
	update(t, s, by(4), func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "app.roles-changed", App: w.app})
		return tx.SetLookedAt(w.app, console.AccountUnmatched, since)
	})
	if roles := touched(since); !roles.All {
		t.Errorf("other roles: %+v", roles)
	}
	view(t, s, func(tx *store.Tx) error {
		if n, err := tx.LookedAt(w.app, console.AccountUnmatched); n != since || err != nil {
			t.Errorf("looked at %d, %v", n, err)
		}
		return nil
	})
}
