package scim_test

import (
	"slices"
	"testing"
	"time"

	"baton/console"
	"baton/console/directory"
	"baton/console/store"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// TestPeople pushes users, and looks at the people that they make.
func TestPeople(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		// The report comes before the manager, who is named by the id at the identity provider.
		ana := f.want(201, "POST", "/Users", newUser("Ana@Example.com", `"externalId":"00u1"`, `"displayName":"Ana B."`, `"active":true`,
			`"`+enterprise+`":{"department":"R&D","manager":{"value":"00u2"}}`)).id()
		if p := f.person("ana@example.com"); p.Name != "Ana B." || p.Department != "R&D" || p.Manager != "" || p.Status != console.PersonActive {
			t.Errorf("%+v", p)
		}
		ben := f.want(201, "POST", "/Users", newUser("ben", `"externalId":"00u2"`, `"name":{"givenName":"Ben","familyName":"C."}`,
			`"emails":[{"value":"b@private.example","type":"home"},{"value":"Ben@Example.com","type":"work","primary":true}]`)).id()
		p, manager := f.person("ana@example.com"), f.person("ben@example.com")
		if p.Manager != manager.ID || manager.ID == "" {
			t.Errorf("the manager is %q, want %q", p.Manager, manager.ID)
		}
		if manager.Name != "Ben C." || !slices.Equal(manager.Emails, []string{"ben@example.com", "b@private.example"}) {
			t.Errorf("%+v", manager)
		}

		// What a request does not mention does not change.
		f.want(200, "PATCH", "/Users/"+ana, patch(`{"op":"replace","path":"active","value":"False"}`))
		if p := f.person("ana@example.com"); p.Status != console.PersonDisabled {
			t.Errorf("status %s after active False", p.Status)
		}
		f.want(200, "PATCH", "/Users/"+ana, patch(`{"op":"replace","value":{"displayName":"Ana D."}}`))
		f.want(200, "PUT", "/Users/"+ana, newUser("ana@example.com", `"displayName":"Ana E."`, `"externalId":"00u1"`))
		if p := f.person("ana@example.com"); p.Status != console.PersonDisabled || p.Name != "Ana E." || p.Department != "" {
			t.Errorf("after changes without active: %+v", p)
		}
		before := len(f.events())
		f.want(200, "PATCH", "/Users/"+ana, patch(`{"op":"replace","path":"displayName","value":"Ana E."}`))
		if n := len(f.events()); n != before {
			t.Errorf("a PATCH without a difference made %d events: %v", n-before, f.events()[before:])
		}
		f.want(200, "PATCH", "/Users/"+ana, patch(`{"op":"replace","value":{"active":true}}`))
		if p := f.person("ana@example.com"); p.Status != console.PersonActive {
			t.Errorf("status %s after active true", p.Status)
		}

		// A deleted user is unknown, the person is gone, and both come back under the same external id.
		f.want(204, "DELETE", "/Users/"+ana, "")
		f.refused(404, "", "GET", "/Users/"+ana, "")
		f.refused(404, "", "DELETE", "/Users/"+ana, "")
		gone := f.person("ana@example.com")
		if gone.Status != console.PersonGone || gone.ID != p.ID {
			t.Errorf("after the deletion: %+v", gone)
		}
		f.pass(time.Hour)
		back := f.want(201, "POST", "/Users", newUser("ana.new@example.com", `"externalId":"00u1"`, `"displayName":"Ana F."`)).id()
		again := f.person("ana.new@example.com")
		if back != ana || again.ID != p.ID || again.Status != console.PersonActive || again.Name != "Ana F." {
			t.Errorf("back as %s (was %s): %+v", back, ana, again)
		}

		// Somebody else with the address of a deleted user is not taken for the same person.
		f.want(204, "DELETE", "/Users/"+ben, "")
		f.want(201, "POST", "/Users", newUser("ben", `"externalId":"00u3"`, `"emails":[{"value":"ben@example.com"}]`))
		if p := f.person("ben@example.com"); p.Status != console.PersonGone {
			t.Errorf("another user revived %+v", p)
		}
		v, err := f.govern.SCIMSource(t.Context(), f.super, f.source)
		f.check(err)
		if len(v.Conflicts) != 1 || v.Conflicts[0].Name != "ben" || v.Users != 2 {
			t.Errorf("source %+v", v)
		}
	})
}

// TestTwoDirectories pushes one person from two identity providers: it is gone when both say so.
func TestTwoDirectories(t *testing.T) {
	f := newFixture(t)
	first := f.want(201, "POST", "/Users", newUser("ana@example.com")).id()
	oktaToken := f.token
	var err error
	_, f.token, err = f.govern.AddSCIMSource(t.Context(), f.super, "Entra")
	f.check(err)
	f.refused(404, "", "GET", "/Users/"+first, "")
	if a := f.want(200, "GET", "/Users", ""); a.json["totalResults"] != 0.0 {
		t.Errorf("one identity provider sees the users of another: %s", a.body)
	}
	f.want(201, "POST", "/Users", newUser("ana@example.com", `"displayName":"Ana"`))
	entraToken := f.token
	f.token = oktaToken
	f.want(204, "DELETE", "/Users/"+first, "")
	if p := f.person("ana@example.com"); p.Status != console.PersonActive || p.Name != "Ana" {
		t.Errorf("one of two deleted it: %+v", p)
	}
	f.token = entraToken
	id := f.want(200, "GET", `/Users?filter=userName eq "ANA@example.com"`, "").at("Resources/0/id").(string)
	f.want(204, "DELETE", "/Users/"+id, "")
	if p := f.person("ana@example.com"); p.Status != console.PersonGone {
		t.Errorf("both deleted it: %+v", p)
	}
}

// TestLastSuperAdministrator: nobody disables the last one, also not through an identity provider.
func TestLastSuperAdministrator(t *testing.T) {
	f := newFixture(t)
	id := f.want(201, "POST", "/Users", newUser("super@example.com")).id()
	if a := f.want(200, "PATCH", "/Users/"+id, patch(`{"op":"replace","value":{"active":false}}`)); a.json["active"] != false {
		t.Errorf("%s", a.body)
	}
	f.want(204, "DELETE", "/Users/"+id, "")
	if p := f.person("super@example.com"); p.Status != console.PersonActive {
		t.Errorf("%+v", p)
	}
}

// TestSettle pushes more reports than are settled at once before their manager, and one whose address is
// another person's until that changes.
func TestSettle(t *testing.T) {
	f := newFixture(t)
	f.update(func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Other", Emails: []string{"taken@example.com"}})
		return err
	})
	for i := range 60 {
		f.want(201, "POST", "/Users", newUser("p"+string(rune('A'+i/10))+string(rune('0'+i%10))+"@example.com", `"`+enterprise+`":{"manager":"boss"}`))
	}
	f.want(201, "POST", "/Users", newUser("boss", `"emails":["boss@example.com"]`))
	managed := func() (n int) {
		boss := f.person("boss@example.com").ID
		f.view(func(tx *store.Tx) error {
			people, err := tx.Persons(store.NameAfter{}, store.PageSize)
			for _, p := range people {
				if p.Manager == boss && boss != "" {
					n++
				}
			}
			return err
		})
		return n
	}
	if n := managed(); n != 50 {
		t.Errorf("%d reports at once", n)
	}
	f.view(func(tx *store.Tx) error {
		when, due, err := tx.DueAt(console.DueSCIM, string(f.source))
		if !due || when.After(noon.Add(directory.SettleSoon)) {
			t.Errorf("due %v, %v", when, due)
		}
		return err
	})
	left, err := directory.Settle(t.Context(), f.store, console.By{At: noon, Actor: console.Console}, f.source)
	if n := managed(); err != nil || left || n != 60 {
		t.Errorf("%d reports, left %v, %v", n, left, err)
	}
}

// TestRoles maps a group to a role in the console.
func TestRoles(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ana := f.want(201, "POST", "/Users", newUser("ana@example.com")).id()
		ben := f.want(201, "POST", "/Users", newUser("ben@example.com")).id()
		group := f.want(201, "POST", "/Groups", `{"displayName":"Auditors","members":[{"value":"`+ana+`"}]}`).id()
		roles := func(want ...console.ConsoleRole) {
			t.Helper()
			for i, email := range []string{"ana@example.com", "ben@example.com"} {
				var expected []console.ConsoleRole
				if want[i] != "" {
					expected = []console.ConsoleRole{want[i]}
				}
				if p := f.person(email); !slices.Equal(p.Roles, expected) {
					t.Errorf("%s has %v, want %v", email, p.Roles, expected)
				}
			}
		}
		roles("", "")
		f.check(f.govern.SetSCIMGroupRole(t.Context(), f.super, f.source, console.ID(group), console.Auditor))
		roles(console.Auditor, "")
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"Add","path":"members","value":[{"value":"`+ben+`"}]}`, `{"op":"Remove","path":"members[value eq \"`+ana+`\"]"}`))
		roles("", console.Auditor)
		f.want(200, "PATCH", "/Users/"+ben, patch(`{"op":"replace","path":"active","value":false}`))
		roles("", "")
		f.want(200, "PATCH", "/Users/"+ben, patch(`{"op":"replace","path":"active","value":true}`))
		roles("", console.Auditor)
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"replace","path":"members","value":[{"value":"`+ana+`"}]}`))
		roles(console.Auditor, "")
		f.want(204, "DELETE", "/Users/"+ana, "")
		roles("", "")
		f.want(204, "PATCH", "/Groups/"+group, patch(`{"op":"add","value":{"members":[{"value":"`+ben+`"}]}}`))
		roles("", console.Auditor)
		f.want(204, "DELETE", "/Groups/"+group, "")
		roles("", "")

		group = f.want(201, "POST", "/Groups", `{"displayName":"Auditors","members":[{"value":"`+ben+`"}]}`).id()
		f.check(f.govern.SetSCIMGroupRole(t.Context(), f.super, f.source, console.ID(group), console.Auditor))
		roles("", console.Auditor)
		f.check(f.govern.SetSCIMGroupRole(t.Context(), f.super, f.source, console.ID(group), ""))
		roles("", "")
		f.check(f.govern.SetSCIMGroupRole(t.Context(), f.super, f.source, console.ID(group), console.Auditor))
		f.check(f.govern.RemoveSCIMSource(t.Context(), f.super, f.source))
		roles("", "")
		if p := f.person("ben@example.com"); p.Status != console.PersonActive {
			t.Errorf("after the identity provider was removed: %+v", p)
		}
		f.refused(401, "", "GET", "/Users", "")
	})
}
