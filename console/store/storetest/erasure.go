package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// everything returns all rows of all tables of text and bytes, in lower case.
func everything(t *testing.T, s *store.Store, columns map[string][]string) (all []string) {
	t.Helper()
	view(t, s, func(tx *store.Tx) error {
		for table, names := range columns {
			for _, c := range names {
				rows, err := engine.List(tx.Engine(), func(r engine.Row) string {
					if r.Null(0) {
						return ""
					}
					return strings.ToLower(string(r.Bytes(0)))
				}, "SELECT "+c+" FROM "+table)
				if err != nil {
					return fmt.Errorf("%s.%s: %w", table, c, err)
				}
				for _, row := range rows {
					all = append(all, table+"."+c+": "+row)
				}
			}
		}
		return nil
	})
	return all
}

// personalColumns are the columns of bytes, in which names can be.
var personalColumns = map[string][]string{
	"person": {"name", "sort_key", "department"}, "person_email": {"email"}, "person_word": {"word"}, "login": {"name"}, "event": {"payload"}, "identity": {"subject", "email"},
	"mail": {"subject", "address", "detail"}, "notice": {"content"}, "resource": {"id"}, "resource_version": {"name", "login", "detail"}, "lookup": {"value"}, "amendment": {"before", "after", "why"},
	"reason": {"ended_why"}, "bar": {"why", "lifted_why"}, "operation": {"cause", "answer", "input"}, "client": {"name"}, "directory_account": {"given", "why"}, "erasure": {"body"}, "due": {"payload"},
	"request": {"body"}, "request_entry": {"body"}, "explanation": {"why"}, "session": {"address"},
}

// testErasure erases a person who left, and looks for the person in every table. The chain verifies,
// an event that somebody edits afterwards is found, erased or not, and nothing is erased twice.
func testErasure(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	var ana, boss, second console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if boss, err = tx.AddPerson(console.Person{Name: "Boss", Emails: []string{"boss@example.com"}, Roles: []console.ConsoleRole{console.SuperAdministrator}}); err != nil {
			return err
		}
		if second, err = tx.AddPerson(console.Person{Name: "Second", Emails: []string{"second@example.com"}, Roles: []console.ConsoleRole{console.SecurityOfficer}}); err != nil {
			return err
		}
		ana, err = tx.AddPerson(console.Person{Name: "Anastasia Löwe", Emails: []string{"loewe@example.com", "ana.private@example.org"}, Department: "Loewe-Department", Manager: boss})
		return err
	})
	update(t, s, console.By{At: at(1), Actor: console.ByPerson(ana), Address: "192.0.2.77", Source: "cone"}, func(tx *store.Tx) error {
		if err := tx.SetLogin(console.Login{Person: ana, Name: "loewe-login", Password: "hash"}, baton.NewSecret("code")); err != nil {
			return err
		}
		return tx.SetMailChoice(ana, console.MailDaily)
	})
	w.sync(1, model{accounts: []string{"loewe-account", "other"}, groups: []string{"g"}, grants: pairs("g", "loewe-account", "other")})
	var account console.ResourceKey
	update(t, s, by(2), func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", "loewe-account")
		if err != nil {
			return err
		}
		account = r.Key
		if err := tx.SetAccountOwner(r.Key, ana, store.OwnerSet); err != nil {
			return err
		}
		if err := tx.AddNotice(console.Notice{Event: 1, Person: boss, Class: console.OrdinaryNotice, Created: at(2), Subject: "Anastasia Löwe asks", Text: "x"}); err != nil {
			return err
		}
		tx.Append(console.Event{Kind: "request.commented", Actor: console.Console, Data: json.RawMessage(`{"why":"ANASTASIA LÖWE, loewe@example.com, is a friend of Anastasia Löwenthal"}`)})
		_, err = tx.AddAmendment(console.Amendment{Kind: console.AmendPolicy, Object: "p", Before: []byte(`{"approver":"loewe@example.com"}`), After: []byte("{}"), Why: "for Anastasia Löwe"})
		return err
	})
	refuse := func(what, want string) {
		t.Helper()
		events := len(allEvents(t, s))
		err := s.Update(ctx, by(3), func(tx *store.Tx) error { return tx.ErasePerson(ana, boss, second, "why") })
		if baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if n := len(allEvents(t, s)); n != events {
			t.Errorf("%s: %d events more", what, n-events)
		}
	}
	refuse("somebody active", "is active")
	update(t, s, by(4), func(tx *store.Tx) error {
		p, err := tx.Person(ana)
		if err == nil {
			p.Status = console.PersonDisabled
			err = tx.ChangePerson(p)
		}
		return err
	})
	refuse("somebody with an account", "is enabled")
	w.sync(5, model{accounts: []string{"loewe-account", "other"}, groups: []string{"g"}, grants: pairs("g", "loewe-account", "other"), statuses: map[string]console.Status{"loewe-account": console.StatusDisabled}})
	refuse("somebody who holds access", "holds access")
	update(t, s, by(5), func(tx *store.Tx) error { return ownedBy(tx, w.app, ana) })
	gone := model{accounts: []string{"other"}, groups: []string{"g"}, grants: pairs("g", "other")}
	w.sync(6, gone)
	refuse("an owner", "owns an application")
	update(t, s, by(7), func(tx *store.Tx) error { return ownedBy(tx, w.app) })
	update(t, s, by(8), func(tx *store.Tx) error { return tx.ErasePerson(ana, boss, second, "Anastasia Löwe asked for it") })
	refuse("twice", "was erased before")
	for range 2 { // it can be done again, for example after a crash
		d := store.Due{}
		claimed, err := s.Claim(ctx, at(8), console.DueErasure, "test", time.Minute, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(claimed) == 1 {
			d = claimed[0]
			lost := d
			lost.Lease++ // whoever lost the lease has done everything but the end
			if err := s.EraseFrom(ctx, by(8), lost); baton.KindOf(err) != baton.Refused {
				t.Errorf("without the lease: %v", err)
			}
			if err := s.EraseFrom(ctx, by(9), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, row := range everything(t, s, personalColumns) {
		for _, name := range []string{"anastasia löwe", "loewe", "ana.private", "192.0.2.77", "anastasia l\\u00f6we"} {
			if strings.Contains(row, name) && !strings.Contains(row, "löwenthal") || strings.Contains(row, "anastasia löwe,") {
				t.Errorf("%q is still in %.300s", name, row)
			}
		}
	}
	var done *console.Erasure
	view(t, s, func(tx *store.Tx) (err error) {
		p, err := tx.Person(ana)
		if err != nil || p.Name != "Erased person" || len(p.Emails) > 0 || p.Department != "" || p.Manager != "" {
			t.Errorf("the person is %+v, %v", p, err)
		}
		if done, err = tx.Erasure(ana); err != nil || done == nil || done.Author != boss || done.Second != second || done.Done.IsZero() || done.Payloads == 0 || done.Why != "[erased] asked for it" {
			t.Errorf("the erasure: %+v, %v", done, err)
		}
		again, err := tx.ToErase([]console.Erasure{{Person: ana}, {Person: boss, At: at(1)}, {Person: "nobody"}})
		if len(again) != 1 || again[0].Person != boss {
			t.Errorf("to erase again: %+v", again)
		}
		return err
	})
	// What was so before has the same shape, without the name.
	if then := w.shown(at(2)); !strings.Contains(then, fmt.Sprintf(`"erased:%d"`, account)) || !strings.Contains(then, `"other"`) {
		t.Errorf("the past shows %s", then)
	}
	// Whoever comes back with the same id is somebody new.
	w.sync(10, model{accounts: []string{"loewe-account", "other"}, groups: []string{"g"}, grants: pairs("g", "other")})
	view(t, s, func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", "loewe-account")
		if r.Key == account {
			t.Error("an account that came back is the erased one")
		}
		return err
	})

	sound := func() store.ChainReport {
		t.Helper()
		r, err := s.VerifyChain(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := sound()
	if len(r.Faults) > 0 || r.Erased != int64(done.Payloads) {
		t.Errorf("the chain: %+v, %d erased of %d", r.Faults, r.Erased, done.Payloads)
	}
	events := allEvents(t, s)
	pick := func(ok func(store.Event) bool) store.Event {
		i := slices.IndexFunc(events, ok)
		if i < 0 {
			t.Fatal("no such event")
		}
		return events[i]
	}
	erased := pick(func(e store.Event) bool { return e.Erased && e.Data != nil })
	whole := pick(func(e store.Event) bool { return !e.Erased && e.Kind == "person.changed" })
	list := pick(func(e store.Event) bool { return e.Kind == console.PayloadsErased })
	set := func(number int64, payload []byte) {
		update(t, s, by(20), func(tx *store.Tx) error {
			return engine.Change(tx.Engine(), "event", "UPDATE event SET payload = $2 WHERE number = $1", number, payload)
		})
	}
	for _, tt := range []struct {
		what    string
		e       store.Event
		payload []byte
	}{
		{"an erased event that is edited", erased, []byte(strings.Replace(string(erased.Payload), `"at":"2026`, `"at":"2027`, 1))},
		{"an erased event with other data", erased, []byte(strings.Replace(string(erased.Payload), `"data":{`, `"data":{"x":1,`, 1))},
		{"an event that is edited and says that it is erased", whole, []byte(strings.Replace(string(whole.Payload), `"data":{`, `"erased":true,"data":{"x":1,`, 1))},
		{"the event that lists another payload", list, []byte(strings.Replace(string(list.Payload), `"payload":"`, `"payload":"00`, 1))},
	} {
		if string(tt.payload) == string(tt.e.Payload) {
			t.Fatalf("%s: nothing is edited in %s", tt.what, tt.e.Payload)
		}
		set(tt.e.Number, tt.payload)
		if r := sound(); !slices.ContainsFunc(r.Faults, func(f store.ChainFault) bool { return f.Number == tt.e.Number }) {
			t.Errorf("%s is not found: event %d, %+v", tt.what, tt.e.Number, r.Faults)
		}
		set(tt.e.Number, tt.e.Payload)
		if r := sound(); len(r.Faults) > 0 {
			t.Fatalf("%s: put back, %+v", tt.what, r.Faults)
		}
	}
}

// ownedBy sets the owners of an app.
func ownedBy(tx *store.Tx, app console.ID, owners ...console.ID) error {
	a, err := tx.App(app)
	if err != nil {
		return err
	}
	a.Owners = owners
	return tx.ChangeApp(a)
}
