package worker

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// TestRecoveryReminder changes who is administrator. Those who keep a copy of the recovery card and may
// still read it, and the owners, are told what changed, at most once a day, and not of what was undone
// meanwhile.
func TestRecoveryReminder(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		o := newOffice(x)
		var auditor console.ID
		o.update(func(tx *store.Tx) (err error) {
			auditor, err = tx.AddPerson(console.Person{Name: "Sue", Roles: []console.ConsoleRole{console.Auditor}})
			return err
		})
		version := func() (n int64) {
			o.view(func(tx *store.Tx) (err error) { _, n, err = tx.RecoveryCard(o.app); return err })
			return n
		}
		keep := func(person console.ID, n int64) error {
			return x.s.Update(t.Context(), console.By{At: o.now, Actor: console.ByPerson(person)}, func(tx *store.Tx) error { return tx.KeepRecoveryCopy(o.app, person, n) })
		}
		first := version()
		for _, person := range []console.ID{auditor, o.people["dan"]} { // dan may not read it
			if err := keep(person, first); err != nil {
				t.Fatal(err)
			}
		}
		seen := len(o.found("recovery.changed"))
		if seen != 0 {
			t.Fatal("somebody is told of the first version")
		}
		told := func(step, what string, who ...console.ID) {
			t.Helper()
			o.settle()
			events := o.found("recovery.changed")[seen:]
			seen += len(events)
			if what == "" || len(events) != 1 {
				if len(events) > 0 || what != "" {
					t.Errorf("%s: %d events", step, len(events))
				}
				return
			}
			var data struct{ What string }
			if err := json.Unmarshal(events[0].Data, &data); err != nil || data.What != what {
				t.Errorf("%s: %q, want %q", step, data.What, what)
			}
			people, n := o.tells(events[0])
			slices.Sort(people)
			slices.Sort(who)
			if !slices.Equal(people, who) || n.Subject != "The recovery card of app changed: "+what {
				t.Errorf("%s: %v are told %q", step, people, n.Subject)
			}
		}
		admins := func(names ...string) {
			o.advance(time.Minute)
			o.up.members["admins"] = names
			o.sync()
		}
		told("nothing", "")
		admins("ana", "ben", "cem")
		told("one more", "1 administrator more", auditor, o.owner)
		if n := version(); n != first+1 {
			t.Errorf("version %d after %d", n, first)
		}
		if err := keep(o.owner, first); baton.KindOf(err) != baton.Refused {
			t.Errorf("an earlier version: %v", err)
		}
		if err := keep(auditor, first+1); err != nil {
			t.Error(err)
		}
		admins("ana", "cem")
		told("again on the same day", "")
		o.advance(25 * time.Hour)
		told("a day later", "1 administrator less", auditor, o.owner)
		admins("ana", "cem", "dan")
		told("on the same day", "")
		admins("ana", "cem")
		o.advance(25 * time.Hour)
		told("undone meanwhile", "")
		if err := keep(auditor, 0); err != nil {
			t.Error(err)
		}
		o.status("ana", console.PersonDisabled)
		told("the owner of an account left", "1 administrator does not count any more", o.owner)
	})
}
