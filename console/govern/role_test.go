package govern_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// organisation is a tenant with an admin and a member group.
func organisation() ingesttest.Tenant {
	return ingesttest.Tenant{
		Accounts: []baton.Resource{ingesttest.Account("1", "Ana", "ana@example.com"), ingesttest.Account("2", "Ben", "ben@example.com"), ingesttest.Account("3", "Bot", "bot@example.com")},
		Groups:   []ingesttest.Group{{ID: "g1", Name: "PPLX_Admin", Members: []string{"1", "3"}}, {ID: "g2", Name: "PPLX_Members", Members: []string{"1", "2"}}, {ID: "g3", Name: "Robots", Members: []string{"3"}}},
	}
}

// entitlement returns the key of the entitlement of a group's members.
func (f *fixture) entitlement(app console.ID, group string) (key console.EntitlementKey) {
	f.t.Helper()
	f.view(func(tx *store.Tx) error {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, ingesttest.Member(group))
		key = e.Key
		return err
	})
	return key
}

// hello introduces a host of a connector.
func (f *fixture) hello(connector console.ID, d rpc.Description) {
	f.t.Helper()
	f.now = f.now.Add(time.Minute)
	f.check(rpcstore.New(f.store).Hello(ctx, f.now, string(connector), rpc.Hello{Host: "h", Connector: d}))
}

// TestAppRoles proposes the roles of an app, from names and then from the connector's hints, and
// sets them.
func TestAppRoles(t *testing.T) {
	f := newFixture(t)
	owner := f.caller("owner")
	app, connector := f.addApp("Perplexity", owner.Person.ID)
	f.sync(connector, organisation())
	admin, member, robots := f.entitlement(app, "g1"), f.entitlement(app, "g2"), f.entitlement(app, "g3")

	v, err := f.AppRoles(ctx, owner, app)
	f.check(err)
	if p := v.Proposal; len(v.Roles) != 0 || p.ByConnector || len(p.Map.Roles) != 2 || p.Map.Roles[0].Entitlements[0] != admin || p.Map.Roles[1].Entitlements[0] != member || v.Proposed[0].Gives[0].On.Name != "PPLX_Admin" {
		t.Errorf("proposal by names %+v", p)
	}
	f.hello(connector, rpc.Description{DisplayName: "P", Roles: &baton.RoleHints{ResourceType: "group", Slug: "member", Admin: baton.RoleNames{Configured: []string{"robots", "Gone"}},
		Member: baton.RoleNames{Usual: []string{"pplxmembers"}}, Priority: "admin", MinimumAdmins: 1}})
	v, err = f.AppRoles(ctx, owner, app)
	f.check(err)
	if p := v.Proposal; !p.ByConnector || p.Minimum != 1 || p.Map.Priority != console.HighestWins || p.Map.Roles[0].Entitlements[0] != robots || !slices.Equal(p.Missing, []string{"Gone"}) {
		t.Errorf("proposal by the connector %+v", p)
	}
	// A newer host without hints does not hide another host's hints.
	f.check(rpcstore.New(f.store).Hello(ctx, f.now.Add(time.Hour), string(connector), rpc.Hello{Host: "official", Connector: rpc.Description{DisplayName: "P"}}))
	if v, err = f.AppRoles(ctx, owner, app); err != nil || !v.Proposal.ByConnector {
		t.Errorf("after another host: %+v, %v", v.Proposal, err)
	}

	n := govern.NewRoles{MinimumAdmins: 2, Version: v.App.Version, Map: console.RoleMap{Roles: []console.AppRole{
		{Name: " Admin ", Admin: true, Entitlements: []console.EntitlementKey{admin}}, {Name: "Member", Entitlements: []console.EntitlementKey{member}}}}}
	f.check(f.SetAppRoles(ctx, owner, app, n))
	if err := f.SetAppRoles(ctx, owner, app, n); baton.KindOf(err) != baton.Refused {
		t.Errorf("an old version: %v", err)
	}
	account := func(search string) govern.AccountRow {
		t.Helper()
		p, err := f.Accounts(ctx, owner, govern.AccountQuery{App: app, Search: search, N: 10})
		f.check(err)
		return p.Rows[0]
	}
	if ana := account("Ana"); !ana.RoleUnknown() || ana.Role.Risk.Name != "Admin" || ana.Role.Floor.Name != "Member" {
		t.Errorf("with an unknown priority: %+v", ana.Role)
	}
	n.Version++
	n.Map.Priority, n.Map.Roles = console.HighestWins, append(slices.Clone(n.Map.Roles), console.AppRole{Name: "Robots", Kind: console.AccountService, Entitlements: []console.EntitlementKey{robots}})
	f.now = f.now.Add(time.Minute)
	f.check(f.SetAppRoles(ctx, owner, app, n))
	if ana := account("Ana"); ana.RoleUnknown() || ana.Role.Risk.Name != "Admin" {
		t.Errorf("with a known priority: %+v", ana.Role)
	}
	f.view(func(tx *store.Tx) error { // intervals
		for when, want := range map[time.Time]int{f.now.Add(-time.Second): 2, f.now: 3} {
			if roles, minimum, err := tx.RoleMapAt(app, when); err != nil || len(roles.Roles) != want || minimum != 2 {
				t.Errorf("at %v: %+v, %d, %v", when, roles, minimum, err)
			}
		}
		return nil
	})
	v, err = f.AppRoles(ctx, owner, app)
	f.check(err)
	if got := v.Versions; len(got) != 3 || got[0].By.ID != owner.Person.ID || len(got[0].Roles) != 3 || got[2].By.ID != "" || got[1].Priority != console.PriorityUnknown {
		t.Errorf("versions %+v", got)
	}
	if found, err := f.FindEntitlements(ctx, owner, app, "pplx_a", 10); err != nil || len(found) != 1 || found[0].Key != admin {
		t.Errorf("search: %+v, %v", found, err)
	}

	other, second := f.addApp("Other")
	f.sync(second, organisation())
	version := v.App.Version
	for _, tt := range []struct {
		name string
		edit func(*govern.NewRoles)
		want baton.Kind
	}{
		{"no name", func(n *govern.NewRoles) { n.Map.Roles = []console.AppRole{{Name: " "}} }, baton.Invalid},
		{"a long name", func(n *govern.NewRoles) { n.Map.Roles = []console.AppRole{{Name: strings.Repeat("x", 201)}} }, baton.Invalid},
		{"one name twice", func(n *govern.NewRoles) { n.Map.Roles = []console.AppRole{{Name: "Ä"}, {Name: "ä"}} }, baton.Invalid},
		{"one entitlement twice", func(n *govern.NewRoles) {
			n.Map.Roles = []console.AppRole{{Name: "a", Entitlements: []console.EntitlementKey{admin}}, {Name: "b", Entitlements: []console.EntitlementKey{admin}}}
		}, baton.Invalid},
		{"another app's entitlement", func(n *govern.NewRoles) {
			n.Map.Roles = []console.AppRole{{Name: "a", Entitlements: []console.EntitlementKey{f.entitlement(other, "g1")}}}
		}, baton.NotFound},
		{"no entitlement", func(n *govern.NewRoles) {
			n.Map.Roles = []console.AppRole{{Name: "a", Entitlements: []console.EntitlementKey{99999}}}
		}, baton.NotFound},
		{"a negative minimum", func(n *govern.NewRoles) { n.MinimumAdmins = -1 }, baton.Invalid},
		{"a huge minimum", func(n *govern.NewRoles) { n.MinimumAdmins = 1001 }, baton.Invalid},
		{"an unknown priority", func(n *govern.NewRoles) { n.Map.Priority = "newest" }, baton.Invalid},
		{"an unknown type", func(n *govern.NewRoles) { n.Map.Roles = []console.AppRole{{Name: "a", Kind: 7}} }, baton.Invalid},
		{"many roles", func(n *govern.NewRoles) {
			n.Map.Roles = nil
			for i := range 21 {
				n.Map.Roles = append(n.Map.Roles, console.AppRole{Name: fmt.Sprint(i)})
			}
		}, baton.Invalid},
	} {
		bad := n
		bad.Version = version
		tt.edit(&bad)
		if err := f.SetAppRoles(ctx, owner, app, bad); err == nil || baton.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}

	// An entitlement that is no longer shown keeps its role.
	smaller := organisation()
	smaller.Groups = smaller.Groups[:2]
	f.sync(connector, smaller)
	v, err = f.AppRoles(ctx, owner, app)
	f.check(err)
	if g := v.Roles[2].Gives; len(g) != 1 || g[0].Shown {
		t.Errorf("a group that is gone: %+v", g)
	}
	n.Version = v.App.Version
	f.check(f.SetAppRoles(ctx, owner, app, n))

	// Who may see and change the roles; an old login may not change them.
	for name, c := range f.everybody(owner) {
		v, err := f.AppRoles(ctx, c, app)
		sees := slices.Contains([]string{"owner", "auditor", "officer", "super"}, name)
		may := name == "owner" || name == "super"
		if sees != (err == nil) || sees && v.MayConfigure != may {
			t.Errorf("%s looks at the roles: %v, %v", name, v.MayConfigure, err)
		}
		bad := n
		bad.Version = 0
		if err := f.SetAppRoles(ctx, c, app, bad); may != (baton.KindOf(err) == baton.Refused) {
			t.Errorf("%s sets the roles: %v", name, err)
		}
		if _, err := f.FindEntitlements(ctx, c, app, "", 10); may != (err == nil) {
			t.Errorf("%s looks for entitlements: %v", name, err)
		}
	}
	owner.Session.Proved = f.now.Add(-console.StepUp)
	if err := f.SetAppRoles(ctx, owner, app, n); err != govern.ErrStepUp {
		t.Errorf("an old login: %v", err)
	}
}
