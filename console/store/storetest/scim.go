package storetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

// addSCIMSource adds an identity provider.
func addSCIMSource(t *testing.T, s *store.Store, name string) (made console.SCIMSource) {
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		creator, err := tx.AddPerson(console.Person{Name: "creator of " + name})
		if err == nil {
			made, err = tx.AddSCIMSource(console.SCIMSource{Name: name, Creator: creator})
		}
		return err
	})
	return made
}

// testSCIMSource stores identity providers and their tokens.
func testSCIMSource(t *testing.T, db Database) {
	s := open(t, db)
	okta, entra := addSCIMSource(t, s, "Okta \x00"), addSCIMSource(t, s, "Entra")
	if okta.Stream == entra.Stream {
		t.Errorf("both have the stream %d", okta.Stream)
	}
	fails(t, s, by(1), "a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddSCIMSource(console.SCIMSource{Name: "Entra", Creator: okta.Creator})
		return err
	})
	for _, name := range []string{"", strings.Repeat("x", 101)} {
		fails(t, s, by(1), "a bad name", baton.Invalid, func(tx *store.Tx) error {
			_, err := tx.AddSCIMSource(console.SCIMSource{Name: name, Creator: okta.Creator})
			return err
		})
	}
	hash := func(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }
	var tokens []console.ID
	for i, text := range []string{"one", "two"} {
		update(t, s, by(2+i), func(tx *store.Tx) error {
			id, err := tx.AddSCIMToken(okta.ID, hash(text))
			tokens = append(tokens, id)
			return err
		})
	}
	tokens = tokens[len(tokens)-2:]
	fails(t, s, by(4), "a third token", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.AddSCIMToken(okta.ID, hash("three"))
		return err
	})
	fails(t, s, by(4), "a token of nothing", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.AddSCIMToken("nothing", hash("three"))
		return err
	})
	fails(t, s, by(4), "another's token", baton.NotFound, func(tx *store.Tx) error { return tx.RevokeSCIMToken(entra.ID, tokens[0]) })
	for range 2 {
		update(t, s, by(5), func(tx *store.Tx) error { return tx.RevokeSCIMToken(okta.ID, tokens[0]) })
	}
	update(t, s, by(6), func(tx *store.Tx) error { return tx.UseSCIMToken(tokens[1]) })
	update(t, s, by(7), func(tx *store.Tx) error { return tx.SetSCIMError(okta.ID, "it failed \xff") })
	update(t, s, by(7), func(tx *store.Tx) error { return tx.SetSCIMError(okta.ID, "it failed \xff") })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.SCIMSources()
		if err != nil || len(all) != 2 || !all[1].ErrorAt.IsZero() && !all[0].ErrorAt.IsZero() {
			t.Errorf("sources %+v, %v", all, err)
		}
		got, err := tx.SCIMSource(okta.ID)
		if err != nil || got.Name != okta.Name || got.Stream != okta.Stream || got.Error != "it failed \xff" || !got.ErrorAt.Equal(at(7)) {
			t.Errorf("source %+v, %v", got, err)
		}
		listed, err := tx.SCIMTokens(okta.ID, 10)
		if err != nil || len(listed) != 2 || listed[0].ID != tokens[1] || !listed[0].LastUsed.Equal(at(6)) || !listed[0].Revoked.IsZero() || !listed[1].Revoked.Equal(at(5)) {
			t.Errorf("tokens %+v, %v", listed, err)
		}
		token, err := tx.SCIMTokenByHash(hash("two"))
		if err != nil || token.ID != tokens[1] || token.Source != okta.ID {
			t.Errorf("token %+v, %v", token, err)
		}
		if _, err := tx.SCIMTokenByHash(hash("three")); baton.KindOf(err) != baton.NotFound {
			t.Errorf("an unknown token: %v", err)
		}
		return nil
	})
	if got, want := kinds(t, s), []string{"person.added", "scim.source-added", "person.added", "scim.source-added", "scim.token-added", "scim.token-added", "scim.token-revoked"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

// pushed returns a user to be pushed.
func pushed(name, externalID string) console.SCIMUser {
	return console.SCIMUser{UserName: name, ExternalID: externalID, Addresses: []string{name + "@x", "all@x", "all@x"},
		Entry: console.DirectoryEntry{Name: name, Emails: []string{name + "@x"}, Manager: "Boss", Status: console.PersonActive}, Document: []byte(`{"userName":"` + name + `\u0000"}`)}
}

// testSCIMUser stores users that were pushed.
func testSCIMUser(t *testing.T, db Database) {
	s := open(t, db)
	okta, entra := addSCIMSource(t, s, "Okta"), addSCIMSource(t, s, "Entra")
	add := func(minute int, source console.SCIMSource, u console.SCIMUser) (made console.SCIMUser) {
		update(t, s, by(minute), func(tx *store.Tx) (err error) {
			made, err = tx.AddSCIMUser(source, u)
			return err
		})
		return made
	}
	a, b, c := add(1, okta, pushed("a", "1")), add(2, okta, pushed("b", "")), add(3, okta, pushed("c\xff", "3"))
	other := add(4, entra, pushed("a", "1"))
	if other.ID == a.ID || other.Key == a.Key || a.Version != 1 {
		t.Errorf("%+v, %+v", a, other)
	}
	fails(t, s, by(5), "a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddSCIMUser(okta, pushed("a", "9"))
		return err
	})
	fails(t, s, by(5), "a change to a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		u := b
		u.UserName = "a"
		_, err := tx.ChangeSCIMUser(b, u)
		return err
	})
	fails(t, s, by(5), "a change of an old version", baton.Refused, func(tx *store.Tx) error {
		old := b
		old.Version = 7
		_, err := tx.ChangeSCIMUser(old, b)
		return err
	})
	b.UserName, b.ExternalID, b.Addresses, b.Entry.Manager = "b2", "2", []string{"b2@x"}, "None"
	update(t, s, by(6), func(tx *store.Tx) (err error) {
		before, err := tx.LockSCIMUser(okta.ID, b.ID)
		if err == nil {
			b, err = tx.ChangeSCIMUser(before, b)
		}
		return err
	})
	for _, key := range []console.ResourceKey{a.Key, c.Key} {
		update(t, s, by(7), func(tx *store.Tx) error { return tx.SettleSCIMUser(key, true) })
	}
	names := func(all []console.SCIMUser, err error) string {
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, u := range all {
			names = append(names, u.UserName)
		}
		return fmt.Sprintf("%q", names)
	}
	view(t, s, func(tx *store.Tx) error {
		for _, tt := range []struct {
			filter store.SCIMUserFilter
			want   string
		}{
			{store.SCIMUserFilter{}, `["a" "b2" "c\xff"]`}, {store.SCIMUserFilter{ID: b.ID}, `["b2"]`}, {store.SCIMUserFilter{ID: other.ID}, `[]`}, {store.SCIMUserFilter{UserName: "a"}, `["a"]`},
			{store.SCIMUserFilter{UserName: "b"}, `[]`}, {store.SCIMUserFilter{ExternalID: "2"}, `["b2"]`}, {store.SCIMUserFilter{Address: "all@x"}, `["a" "c\xff"]`},
			{store.SCIMUserFilter{Address: "b@x"}, `[]`}, {store.SCIMUserFilter{Group: "none"}, `[]`},
		} {
			if got := names(tx.SCIMUsers(okta.ID, tt.filter, 0, 10)); got != tt.want {
				t.Errorf("%+v: %s, want %s", tt.filter, got, tt.want)
			}
		}
		if got := names(tx.SCIMUsers(okta.ID, store.SCIMUserFilter{}, a.Key, 1)); got != `["b2"]` {
			t.Errorf("the second page is %s", got)
		}
		if n, err := tx.CountSCIMUsers(okta.ID); n != 3 || err != nil {
			t.Errorf("%d users, %v", n, err)
		}
		key, ok, err := tx.SCIMUserBefore(okta.ID, 2)
		if got := names(tx.SCIMUsers(okta.ID, store.SCIMUserFilter{}, key, 5)); err != nil || !ok || got != `["c\xff"]` {
			t.Errorf("from the third on: %s, %v, %v", got, ok, err)
		}
		if _, ok, err := tx.SCIMUserBefore(okta.ID, 3); ok || err != nil {
			t.Errorf("past the end: %v, %v", ok, err)
		}
		if got := names(tx.UnsettledSCIMUsers(okta.ID, a.Key, 5)); got != `["c\xff"]` {
			t.Errorf("unsettled after a: %s", got)
		}
		if got := names(tx.SCIMReports(okta.ID, []string{"", "x", " BOSS "}, 5)); got != `["a" "c\xff"]` {
			t.Errorf("reports: %s", got)
		}
		if got := names(tx.SCIMReports(okta.ID, []string{"none", "boss"}, 1)); got != `["a"]` {
			t.Errorf("one report: %s", got)
		}
		u, err := tx.SCIMUsers(okta.ID, store.SCIMUserFilter{ID: b.ID}, 0, 1)
		if err != nil || len(u) != 1 || u[0].Version != 2 || !u[0].Created.Equal(at(2)) || !u[0].Modified.Equal(at(6)) || string(u[0].Document) != string(b.Document) || !u[0].Entry.Equal(b.Entry) {
			t.Errorf("%+v, %v", u, err)
		}
		return nil
	})

	// A deleted user frees its name, and comes back under its external id only.
	for _, u := range []console.SCIMUser{a, b} {
		update(t, s, by(8), func(tx *store.Tx) error { return tx.EndSCIMUser(u) })
	}
	fails(t, s, by(9), "a deleted user", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.LockSCIMUser(okta.ID, a.ID)
		return err
	})
	fails(t, s, by(9), "a user who was deleted again", baton.NotFound, func(tx *store.Tx) error { return tx.EndSCIMUser(a) })
	if again := add(10, okta, pushed("a", "new")); again.ID == a.ID {
		t.Error("another external id is the same user")
	}
	if again := add(11, okta, pushed("d", "1")); again.ID != a.ID || again.Key != a.Key || again.Version <= a.Version {
		t.Errorf("back as %+v", again)
	}
	fails(t, s, by(12), "back under a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddSCIMUser(okta, pushed("a", "2"))
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		if got := names(tx.SCIMUsers(okta.ID, store.SCIMUserFilter{}, 0, 10)); got != `["d" "c\xff" "a"]` {
			t.Errorf("users at the end: %s", got)
		}
		return nil
	})
}

// testSCIMGroup stores groups that were pushed, their members and the roles that they give.
func testSCIMGroup(t *testing.T, db Database) {
	s := open(t, db)
	okta, entra := addSCIMSource(t, s, "Okta"), addSCIMSource(t, s, "Entra")
	var users [3]console.SCIMUser
	var team, empty console.SCIMGroup
	var person console.ID
	update(t, s, by(1), func(tx *store.Tx) (err error) {
		for i := range users {
			if users[i], err = tx.AddSCIMUser(okta, pushed(fmt.Sprint("u", i), "")); err != nil {
				return err
			}
		}
		if person, err = tx.AddPerson(console.Person{Name: "Ana"}); err != nil {
			return err
		}
		if err := tx.PutDirectoryRecord("", store.DirectoryRecord{Account: users[1].Key, Stream: okta.Stream, Person: person}); err != nil {
			return err
		}
		if team, err = tx.AddSCIMGroup(console.SCIMGroup{Source: okta.ID, Name: "Team \x00", ExternalID: "g"}); err != nil {
			return err
		}
		empty, err = tx.AddSCIMGroup(console.SCIMGroup{Source: okta.ID, Name: "Empty"})
		return err
	})
	for _, tt := range []struct {
		name string
		fn   func(tx *store.Tx) error
	}{
		{"a taken name", func(tx *store.Tx) error {
			_, err := tx.AddSCIMGroup(console.SCIMGroup{Source: okta.ID, Name: "TEAM \x00"})
			return err
		}},
		{"a change to a taken name", func(tx *store.Tx) error {
			g := empty
			g.Name = "team \x00"
			_, err := tx.ChangeSCIMGroup(empty, g, 0)
			return err
		}},
	} {
		fails(t, s, by(2), tt.name, baton.AlreadyExists, tt.fn)
	}
	fails(t, s, by(2), "a change of an old version", baton.Refused, func(tx *store.Tx) error {
		old := team
		old.Version = 7
		_, err := tx.ChangeSCIMGroup(old, team, 0)
		return err
	})
	fails(t, s, by(2), "the group of another", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.LockSCIMGroup(entra.ID, team.ID)
		return err
	})
	fails(t, s, by(2), "an unknown role", baton.Invalid, func(tx *store.Tx) error { return tx.SetSCIMGroupRole(team, "king") })
	keys := []console.ResourceKey{users[0].Key, users[1].Key}
	update(t, s, by(3), func(tx *store.Tx) error {
		if added, err := tx.AddSCIMMembers(team.ID, keys[:1]); err != nil || !slices.Equal(added, keys[:1]) {
			return fmt.Errorf("added %v, %w", added, err)
		}
		if added, err := tx.AddSCIMMembers(team.ID, keys); err != nil || !slices.Equal(added, keys[1:]) {
			return fmt.Errorf("added again %v, %w", added, err)
		}
		if removed, err := tx.RemoveSCIMMembers(team.ID, []console.ResourceKey{users[2].Key}); err != nil || len(removed) != 0 {
			return fmt.Errorf("removed %v, %w", removed, err)
		}
		if err := tx.SetSCIMGroupRole(team, console.Auditor); err != nil {
			return err
		}
		if any, err := tx.HasSCIMRoles(okta.ID); err != nil || !any {
			return fmt.Errorf("roles %v, %w", any, err)
		}
		roles, err := tx.SCIMRoles(users[1].Key)
		if err != nil || !slices.Equal(roles, []console.ConsoleRole{console.Auditor}) {
			return fmt.Errorf("roles %v, %w", roles, err)
		}
		if _, err := tx.MapSCIMRoles(person, okta.ID, roles); err != nil {
			return err
		}
		g, err := tx.LockSCIMGroup(okta.ID, team.ID)
		if err != nil || g.Role != console.Auditor {
			return fmt.Errorf("group %+v, %w", g, err)
		}
		after := g
		after.Name = "The team"
		team, err = tx.ChangeSCIMGroup(g, after, 2)
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		for _, tt := range []struct {
			filter store.SCIMGroupFilter
			want   string
		}{
			{store.SCIMGroupFilter{Name: "the team"}, "[The team]"}, {store.SCIMGroupFilter{Name: "team"}, "[]"}, {store.SCIMGroupFilter{ID: empty.ID}, "[Empty]"},
			{store.SCIMGroupFilter{ExternalID: "g"}, "[The team]"}, {store.SCIMGroupFilter{Member: users[1].Key}, "[The team]"}, {store.SCIMGroupFilter{Member: users[2].Key}, "[]"},
		} {
			all, err := tx.SCIMGroups(okta.ID, tt.filter, "", 10)
			names := []string{}
			for _, g := range all {
				names = append(names, g.Name)
			}
			if got := fmt.Sprint(names); err != nil || got != tt.want {
				t.Errorf("%+v: %s, want %s, %v", tt.filter, got, tt.want, err)
			}
		}
		if n, err := tx.CountSCIMGroups(okta.ID); n != 2 || err != nil {
			t.Errorf("%d groups, %v", n, err)
		}
		if n, err := tx.CountSCIMMembers(team.ID); n != 2 || err != nil {
			t.Errorf("%d members, %v", n, err)
		}
		members, err := tx.SCIMMembers(team.ID, users[0].Key, 10)
		if err != nil || len(members) != 1 || members[0] != (store.SCIMMember{Key: users[1].Key, ID: users[1].ID, Name: "u1", Person: person}) {
			t.Errorf("members %+v, %v", members, err)
		}
		known, err := tx.SCIMUserKeys(okta.ID, []console.ID{users[0].ID, "nobody", users[2].ID})
		if err != nil || len(known) != 2 || known[users[2].ID] != users[2].Key {
			t.Errorf("keys %v, %v", known, err)
		}
		p, err := tx.Person(person)
		if !slices.Equal(p.Roles, []console.ConsoleRole{console.Auditor}) {
			t.Errorf("roles %v", p.Roles)
		}
		return err
	})
	update(t, s, by(4), func(tx *store.Tx) error {
		if err := tx.EndSCIMUser(users[0]); err != nil {
			return err
		}
		return tx.RemoveSCIMGroup(empty)
	})
	update(t, s, by(5), func(tx *store.Tx) error { return tx.RemoveSCIMSource(okta.ID) })
	view(t, s, func(tx *store.Tx) error {
		if all, err := tx.SCIMSources(); err != nil || len(all) != 1 || all[0].ID != entra.ID {
			t.Errorf("left %+v, %v", all, err)
		}
		if r, err := tx.DirectoryRecord(users[1].Key); r != nil || err != nil {
			t.Errorf("record %+v, %v", r, err)
		}
		p, err := tx.Person(person)
		if len(p.Roles) > 0 {
			t.Errorf("roles %v of an identity provider that was removed", p.Roles)
		}
		return err
	})
}
