package scim_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/connector/rest"
	client "baton/connector/scim"
	"baton/console"
	"baton/console/directory"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/match"
	"baton/console/scim"
	"baton/console/store"
)

// TestOwnClient works on the server with the client of the connectors, which reads everything back.
func TestOwnClient(t *testing.T) {
	f := newFixture(t)
	r, err := rest.New(rest.Config{BaseURL: f.server.URL + scim.Base, Token: f.token, RetryFor: -1})
	f.check(err)
	c := client.New(client.Config{REST: r, PageSize: 2})
	ctx := t.Context()
	var ids []string
	for _, name := range []string{"ana@example.com", "ben@example.com", "cem@example.com", "dora@example.com", "eva@example.com"} {
		u, isNew, err := c.CreateUser(ctx, client.NewUser{UserName: name, DisplayName: "Name of " + name, Email: name})
		if err != nil || !isNew || u.UserName != name {
			t.Fatalf("%+v, %v, %v", u, isNew, err)
		}
		ids = append(ids, u.ID)
	}
	if _, _, err := c.CreateUser(ctx, client.NewUser{UserName: "ANA@example.com", Email: "x@example.com"}); baton.KindOf(err) != baton.AlreadyExists || client.ErrorType(err) != "uniqueness" {
		t.Errorf("a second one: %v", err)
	}
	if config, err := c.ServiceProviderConfig(ctx); err != nil || config.FilterMaxResults != 200 {
		t.Errorf("%+v, %v", config, err)
	}
	var listed []string
	f.check(c.AllUsers(ctx, func(u client.User) { listed = append(listed, u.ID) }))
	if slices.Sort(listed); !slices.Equal(listed, slices.Sorted(slices.Values(ids))) {
		t.Errorf("listed %v, want %v", listed, ids)
	}
	found, err := c.FindUsers(ctx, "Ben@Example.com")
	if err != nil || len(found) != 1 || found[0].ID != ids[1] {
		t.Errorf("found %+v, %v", found, err)
	}
	f.check(c.SetActive(ctx, ids[1], false))
	if p := f.person("ben@example.com"); p.Status != console.PersonDisabled {
		t.Errorf("%+v", p)
	}
	group := f.want(201, "POST", "/Groups", `{"displayName":"Team","members":[]}`).id()
	f.check(c.AddMember(ctx, group, ids[0]))
	f.check(c.AddMember(ctx, group, ids[2]))
	f.check(c.RemoveMember(ctx, group, ids[0]))
	g, err := c.GetGroup(ctx, group)
	if err != nil || g.DisplayName != "Team" || g.Members.Entries() != 1 {
		t.Errorf("%+v, %v", g, err)
	}
	all, err := c.AllGroups(ctx, func(*client.Group, client.Member) bool { return true })
	if err != nil || len(all) != 1 || !all[0].MembersListed || all[0].Members.Entries() != 1 {
		t.Errorf("groups %+v, %v", all, err)
	}
	var members []string
	if err := c.UsersInGroup(ctx, group, func(u client.User) { members = append(members, u.ID) }); err != nil || !slices.Equal(members, ids[2:3]) {
		t.Errorf("users in the group %v, %v", members, err)
	}
}

// TestEndToEnd pushes three people with a manager, matches the accounts of an application to them, and
// deactivates one: the sessions end, and so does what the person could do.
func TestEndToEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		boss := f.want(201, "POST", "/Users", newUser("boss@example.com", `"displayName":"Boss"`, `"active":true`)).id()
		manager := `"` + enterprise + `":{"department":"R&D","manager":{"value":"` + boss + `"}}`
		ana := f.want(201, "POST", "/Users", newUser("ana@example.com", `"displayName":"Ana"`, `"active":true`, manager)).id()
		f.want(201, "POST", "/Users", newUser("ben@example.com", `"displayName":"Ben"`, `"active":true`, manager))
		for _, email := range []string{"ana@example.com", "ben@example.com"} {
			if p := f.person(email); p.Manager != f.person("boss@example.com").ID || p.Department != "R&D" {
				t.Errorf("%+v", p)
			}
		}

		var app, connector console.ID
		f.update(func(tx *store.Tx) (err error) {
			if app, err = tx.AddApp(console.App{Name: "App"}); err == nil {
				connector, err = tx.AddConnector(console.Connector{App: app, Name: "App"})
			}
			return err
		})
		f.pass(time.Minute)
		ingesttest.Tenant{Accounts: []baton.Resource{ingesttest.Account("1", "Ana", "ana@example.com"), ingesttest.Account("2", "Ben", "ben@example.com"), ingesttest.Account("3", "Boss", "boss@example.com"), ingesttest.Account("4", "Eve", "eve@example.org")}}.
			Apply(t, f.store, connector, f.clock())
		f.pass(time.Minute)
		if n, err := match.App(t.Context(), f.store, console.By{At: f.clock(), Actor: console.Console}, app); err != nil || n != 3 {
			t.Errorf("%d accounts are matched, %v", n, err)
		}
		person := f.person("ana@example.com")
		accounts := func(id console.ID) (keys []console.ResourceKey) {
			f.view(func(tx *store.Tx) (err error) {
				keys, err = tx.AccountsOf(id)
				return err
			})
			return keys
		}
		if n := len(accounts(person.ID)); n != 1 {
			t.Errorf("Ana has %d accounts", n)
		}

		// Ana is signed in, and has a credential.
		hash := [32]byte{7}
		f.update(func(tx *store.Tx) error {
			return tx.BeginSession(hash, console.Session{Person: person.ID, Began: f.clock(), Seen: f.clock(), Proved: f.clock()})
		})
		made, err := f.govern.IssueClient(t.Context(), person.ID, govern.NewClient{Name: "ana", Scopes: []console.Scope{console.ScopeRead}, Life: time.Hour})
		f.check(err)

		f.want(200, "PATCH", "/Users/"+ana, patch(`{"op":"replace","value":{"active":false}}`))
		if p := f.person("ana@example.com"); p.Status != console.PersonDisabled || p.Manager == "" {
			t.Errorf("deactivated: %+v", p)
		}
		f.view(func(tx *store.Tx) error {
			if _, _, err := tx.Session(hash, f.clock()); err == nil {
				t.Error("the session still works")
			}
			c, err := tx.Client(made.ID)
			if c.Good(f.clock()) {
				t.Error("the credential still works")
			}
			return err
		})
		if n := len(accounts(person.ID)); n != 1 {
			t.Errorf("the history of Ana's account is lost: %d", n)
		}
		if left, err := directory.Settle(context.Background(), f.store, console.By{At: f.clock(), Actor: console.Console}, f.source); left || err != nil {
			t.Errorf("left %v, %v", left, err)
		}
	})
}
