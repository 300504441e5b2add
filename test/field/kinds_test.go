package field

import (
	"slices"
	"strings"
	"testing"
)

// fleet returns an organisation in which accounts, devices and service principals have numbers as ids.
// Account 7 is in no group; another object with the id 7 is in both.
func fleet(seven string) *organisation {
	return &organisation{
		accounts: []*account{{id: "1", userName: "ann@acme.example"}, {id: "2", userName: "bob@acme.example"}, {id: "7", userName: "gus@acme.example"}},
		teams:    []*team{{id: "g1", name: "PPLX_Admin", members: []string{"1"}}, {id: "g2", name: "Engineering", members: []string{"2"}}},
		shape: func(g *team) string {
			return `"members":[` + each(g.members, func(id string) string { return `{"value":"` + id + `","$ref":"/scim/v2/Users/` + id + `"}` }) + `,` + seven + `]`
		},
	}
}

// TestMembersOfAnotherKind puts an object with the id of an account into all groups. The account gets no
// grant, and does not count as a remaining admin.
func TestMembersOfAnotherKind(t *testing.T) {
	for _, seven := range []string{
		`{"value":"7","$ref":"ServicePrincipals/7"}`,
		`{"value":"7","$ref":"https://x.example/scim/v2/ServicePrincipals/7","display":"Gus"}`,
		`{"value":"7","$ref":"../Devices/7/"}`,
		`{"value":7,"$ref":"/Robots/7?x"}`,
		`{"$ref":"/Devices/7"}`,
		`{"value":"7","type":"ServiceAccount"}`,
		`{"value":"7","type":"Device"}`,
		`{"value":"7","type":"ServicePrincipal"}`,
		`{"value":"7","type":"application"}`,
		`{"value":"7","type":"service_account"}`,
		`{"value":"7","type":"urn:example:core:1.0:Device"}`,
		`{"value":"7","resourceType":"ServicePrincipal"}`,
		`{"value":"7","@odata.type":"#microsoft.graph.servicePrincipal"}`,
		`{"value":"7","meta":{"resourceType":"Device"}}`,
		`{"value":"7","type":"Group"}`,
		`{"value":"7","$ref":"Groups/7"}`,
	} {
		t.Run(seven, func(t *testing.T) {
			t.Parallel()
			o := fleet(seven)
			p := perplexity(t, o.serve(t))
			if r := p.run(t); r.code != 0 {
				t.Fatal(r.stderr)
			}
			if got := p.grants(t); !slices.Equal(got, o.memberships()) {
				t.Errorf("grants %q, want %q", got, o.memberships())
			}
			for _, change := range [][]string{
				{"--invoke-action", "disable_user", "--invoke-action-args", `{"user_id":"1"}`},
				{"--revoke-grant", "group:g1:member:user:1"},
			} {
				if r := p.run(t, change...); r.code == 0 || o.wrote() > 0 {
					t.Errorf("%q ends with %d after %d writes: %s", change, r.code, o.wrote(), r.stdout)
				}
			}
		})
	}
}

// TestMembersOfAnUnknownKind: PingFederate calls accounts "value". They keep their grants, and none counts as
// a remaining admin.
func TestMembersOfAnUnknownKind(t *testing.T) {
	o := small()
	o.teams[0].members = []string{"u1", "u3"}
	o.shape = func(g *team) string {
		return array(func(id string) string { return `{"type":"value","value":"` + id + `"}` })(g.members)
	}
	p := perplexity(t, o.serve(t))
	if r := p.run(t); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if got := p.grants(t); !slices.Equal(got, o.memberships()) {
		t.Errorf("grants %q, want %q", got, o.memberships())
	}
	if r := p.run(t, "--revoke-grant", "group:g1:member:user:u1"); r.code == 0 || o.wrote() > 0 {
		t.Errorf("the revocation ends with %d: %s", r.code, r.stdout)
	}
	if r := p.run(t, "--revoke-grant", "group:g2:member:user:u2"); r.code != 0 || o.has("g2", "u2") {
		t.Errorf("the revocation ends with %d: %s", r.code, r.stderr)
	}
	if r := p.run(t, "--revoke-grant", "group:g1:member:user:u1", "--allow-last-admin"); r.code != 0 || o.has("g1", "u1") {
		t.Errorf("the revocation ends with %d: %s", r.code, r.stderr)
	}
}

// TestContradictoryKinds: a member whose type and reference contradict each other prevents sealing.
func TestContradictoryKinds(t *testing.T) {
	for _, seven := range []string{
		`{"value":"7","type":"User","$ref":"Groups/7"}`,
		`{"value":"7","type":"Group","$ref":"Users/7"}`,
		`{"value":"7","type":"User","$ref":"ServicePrincipals/7"}`,
		`{"value":"7","$ref":"Users/1"}`,
	} {
		t.Run(seven, func(t *testing.T) {
			t.Parallel()
			o := fleet(seven)
			p := perplexity(t, o.serve(t))
			r := p.run(t)
			if r.code == 0 || p.sealed() || !strings.Contains(r.stderr, "g1") && !strings.Contains(r.stderr, "g2") {
				t.Errorf("the sync ends with %d, sealed %t: %s", r.code, p.sealed(), r.stderr)
			}
			if r := p.run(t, "--revoke-grant", "group:g2:member:user:7"); r.code == 0 {
				t.Errorf("the revocation ends well: %s", r.stdout)
			}
		})
	}
}

// TestGroupsOfAnotherKind: the groups of an account can contain other objects.
func TestGroupsOfAnotherKind(t *testing.T) {
	o := fleet(`{"value":"7","type":"Device"}`)
	o.teams = append(o.teams, &team{id: "3", name: "Number 3", members: []string{"1"}})
	for _, u := range o.accounts {
		u.more = `"groups":[{"value":"3","$ref":"Roles/3"},{"value":"3","type":"entitlement"}]`
	}
	p := perplexity(t, o.serve(t))
	if r := p.run(t); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if got := p.grants(t); !slices.Equal(got, o.memberships()) {
		t.Errorf("grants %q, want %q", got, o.memberships())
	}
}

// TestUserAndDeviceWithOneID: a group lists a device and an account with the same id. The account has its
// grant, and counts as a remaining admin.
func TestUserAndDeviceWithOneID(t *testing.T) {
	o := fleet(`{"value":"7","type":"Device"}`)
	for _, g := range o.teams {
		g.members = append(g.members, "7")
	}
	p := perplexity(t, o.serve(t))
	if r := p.run(t); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if got := p.grants(t); !slices.Equal(got, o.memberships()) {
		t.Errorf("grants %q, want %q", got, o.memberships())
	}
	p.run(t, "--revoke-grant", "group:g1:member:user:1").succeeds(t, "Removed")
	if r := p.run(t, "--revoke-grant", "group:g1:member:user:7"); r.code == 0 || !o.has("g1", "7") {
		t.Errorf("taking Admin from the last admin ends with %d: %s", r.code, r.stdout)
	}
}

// TestGrantToWhoMayBeListed: a group lists a member of an unknown type with the id of an account. If accounts
// have another type, a grant to the account is carried out. If no other type occurs, the grant counts as
// existing.
func TestGrantToWhoMayBeListed(t *testing.T) {
	grant := []string{"--grant-entitlement", "group:g2:member", "--grant-principal", "7", "--grant-principal-type", "user"}
	o := fleet(`{"value":"7","type":"Robot-2"}`)
	p := perplexity(t, o.serve(t))
	p.run(t).succeeds(t)
	p.run(t, grant...).succeeds(t, "Added")
	if !o.has("g2", "7") {
		t.Error("the account is not a member")
	}
	o = fleet(`{"value":"8","type":"value"}`)
	o.teams[1].members = []string{"2", "7"}
	o.shape = func(g *team) string {
		return array(func(id string) string { return `{"type":"value","value":"` + id + `"}` })(g.members)
	}
	p = perplexity(t, o.serve(t))
	p.run(t).succeeds(t)
	p.run(t, grant...).succeeds(t, "already")
	if o.wrote() > 0 {
		t.Errorf("%d writes", o.wrote())
	}
}
