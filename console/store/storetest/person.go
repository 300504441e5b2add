package storetest

import (
	"fmt"
	"slices"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testPerson(t *testing.T, db Database) {
	s := open(t, db)
	var ana, ben console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if ben, err = tx.AddPerson(console.Person{Name: "Ben"}); err != nil {
			return err
		}
		ana, err = tx.AddPerson(console.Person{Name: "Ana \x00 Müller", Emails: []string{" Ana@Example.com", "a@b"}, Manager: ben, Department: "R&D", Roles: []console.ConsoleRole{console.Auditor}})
		return err
	})
	want := console.Person{ID: ana, Name: "Ana \x00 Müller", Emails: []string{"ana@example.com", "a@b"}, Status: console.PersonActive, Manager: ben,
		Department: "R&D", Roles: []console.ConsoleRole{console.Auditor}, Version: 1}
	view(t, s, func(tx *store.Tx) error {
		for _, get := range []func() (console.Person, error){
			func() (console.Person, error) { return tx.Person(ana) },
			func() (console.Person, error) { return tx.PersonByEmail("ANA@example.com") },
			func() (console.Person, error) { return tx.PersonByEmail("a@b") },
		} {
			p, err := get()
			if err != nil || fmt.Sprint(p) != fmt.Sprint(want) {
				t.Errorf("%+v, %v; want %+v", p, err, want)
			}
		}
		_, err := tx.Person("nobody")
		wantKind(t, "no person", err, baton.NotFound)
		_, err = tx.PersonByEmail("b@b")
		wantKind(t, "no address", err, baton.NotFound)
		return nil
	})
	fails(t, s, by(1), "a taken address", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Other", Emails: []string{"A@B"}})
		return err
	})
	fails(t, s, by(1), "no name", baton.Invalid, func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{})
		return err
	})
	fails(t, s, by(1), "an unknown role", baton.Invalid, func(tx *store.Tx) error { return tx.SetRoles(ana, []console.ConsoleRole{"king"}) })

	changed := want
	changed.Name, changed.Emails, changed.Status, changed.Manager = "Ana B.", []string{"new@b"}, console.PersonDisabled, ""
	update(t, s, by(2), func(tx *store.Tx) error { return tx.ChangePerson(changed) })
	fails(t, s, by(3), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangePerson(changed) })
	changed.Version = 2
	view(t, s, func(tx *store.Tx) error {
		p, err := tx.PersonByEmail("new@b")
		if err != nil || fmt.Sprint(p) != fmt.Sprint(changed) {
			t.Errorf("%+v, %v; want %+v", p, err, changed)
		}
		_, err = tx.PersonByEmail("ana@example.com")
		wantKind(t, "the former address", err, baton.NotFound)
		return nil
	})
	if got, want := kinds(t, s), []string{"person.added", "person.added", "person.roles-changed", "person.changed"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}

	// Pages in the order of names.
	update(t, s, by(4), func(tx *store.Tx) error {
		for i := range 7 {
			if _, err := tx.AddPerson(console.Person{Name: fmt.Sprintf("%c", 'a'+i*3)}); err != nil {
				return err
			}
		}
		return nil
	})
	var names []string
	view(t, s, func(tx *store.Tx) error {
		var after store.NameAfter
		for {
			page, err := tx.Persons(after, 2)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, p := range page {
				names = append(names, p.Name)
				after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
			}
		}
	})
	if want := []string{"a", "Ana B.", "Ben", "d", "g", "j", "m", "p", "s"}; !slices.Equal(names, want) {
		t.Errorf("pages %v, want %v", names, want)
	}
	view(t, s, func(tx *store.Tx) error {
		_, err := tx.Persons(store.NameAfter{}, 0)
		wantKind(t, "a page of nothing", err, baton.Invalid)
		return nil
	})
	checkChain(t, s)
}

func testPersonMerge(t *testing.T, db Database) {
	s := open(t, db)
	var a, b, c console.ID
	update(t, s, by(0), func(tx *store.Tx) error {
		for i, id := range []*console.ID{&a, &b, &c} {
			name := string(rune('a' + i))
			v, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@x"}})
			if err != nil {
				return err
			}
			*id = v
		}
		return tx.SetAccountOwner(7, b, store.OwnerMatched)
	})
	update(t, s, by(1), func(tx *store.Tx) error { return tx.MergePersons(b, a) })
	update(t, s, by(2), func(tx *store.Tx) error { return tx.MergePersons(a, c) })
	view(t, s, func(tx *store.Tx) error {
		for _, id := range []console.ID{a, b, c} {
			if got, err := tx.Canonical(id); err != nil || got != c {
				t.Errorf("canonical of %s: %s, %v", id, got, err)
			}
		}
		if got, err := tx.CanonicalPersons([]console.ID{a, b, c, "", "nobody", a}); err != nil || len(got) != 4 || got[a] != c || got[b] != c || got[c] != c || got["nobody"] != "nobody" {
			t.Errorf("canonical of all: %v, %v", got, err)
		}
		if p, err := tx.PersonByEmail("b@x"); err != nil || p.ID != c || len(p.Emails) != 3 || p.Emails[0] != "c@x" {
			t.Errorf("by a former address: %+v, %v", p, err)
		}
		if all, err := tx.Persons(store.NameAfter{}, 10); err != nil || len(all) != 1 {
			t.Errorf("listed: %v, %v", all, err)
		}
		if acc, err := tx.AccountsOf(c); err != nil || !slices.Equal(acc, []console.ResourceKey{7}) {
			t.Errorf("accounts: %v, %v", acc, err)
		}
		return nil
	})
	fails(t, s, by(3), "merge into itself", baton.Invalid, func(tx *store.Tx) error { return tx.MergePersons(c, a) })
	checkChain(t, s)
}

func testLastSuperAdministrator(t *testing.T, db Database) {
	s := open(t, db)
	super := []console.ConsoleRole{console.SuperAdministrator}
	var a, b console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if a, err = tx.AddPerson(console.Person{Name: "a", Roles: super}); err != nil {
			return err
		}
		b, err = tx.AddPerson(console.Person{Name: "b", Roles: super})
		return err
	})
	update(t, s, by(1), func(tx *store.Tx) error { return tx.SetRoles(a, nil) })
	fails(t, s, by(2), "the last loses the role", baton.Refused, func(tx *store.Tx) error { return tx.SetRoles(b, nil) })
	fails(t, s, by(2), "the last is disabled", baton.Refused, func(tx *store.Tx) error {
		p, err := tx.Person(b)
		if err != nil {
			return err
		}
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
	fails(t, s, by(2), "the last is merged", baton.Refused, func(tx *store.Tx) error { return tx.MergePersons(b, a) })
	update(t, s, by(3), func(tx *store.Tx) error { return tx.SetRoles(a, super) })

	// Of two commands that each remove the other one, one must fail.
	errs := make(chan error, 2)
	for _, id := range []console.ID{a, b} {
		go func() {
			errs <- s.Update(ctx, by(4), func(tx *store.Tx) error { return tx.SetRoles(id, nil) })
		}()
	}
	if err1, err2 := <-errs, <-errs; (err1 == nil) == (err2 == nil) {
		t.Errorf("two removals at once: %v, %v", err1, err2)
	}
	checkChain(t, s)
}
