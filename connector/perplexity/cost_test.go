package perplexity_test

import (
	"fmt"
	"testing"

	"baton"
	"baton/internal/longtest"
	sandbox "baton/sandbox/perplexity"
)

// bill counts the requests of one change, by route.
func bill(t *testing.T, server *sandbox.Server, change func() error) (n int, routes map[string]int) {
	t.Helper()
	before := server.Requests()
	if err := change(); err != nil {
		t.Error(err)
	}
	routes = map[string]int{}
	for route, count := range server.Requests() {
		if count -= before[route]; count > 0 {
			routes[route] = count
			n += count
		}
	}
	return n, routes
}

// TestCost counts the requests of a group change. A grant takes four and a revocation three, whatever the
// size of the group; both take two if nothing has to be done. If the group carries a role, the guard adds the
// list of groups. If an admin may lose rights, it reads as many accounts as must remain, and repeats all that
// after the change. docs/perplexity.md lists the numbers.
func TestCost(t *testing.T) {
	for _, members := range longtest.Pick([]int{10, 3000}, []int{10, 1000, 100_000}) {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			server := sandbox.New(sandbox.Options{Users: members, Groups: 3, MembersMin: members, MembersMax: members, Token: "sk-scim-0123456789"})
			bosses, plain := "", ""
			for _, g := range server.State().Groups {
				switch g.DisplayName {
				case "PPLX_Admin":
					bosses = g.ID
				case "PPLX_Members":
				default:
					plain = g.ID
				}
				if len(g.Members) < members*9/10 {
					t.Fatalf("group %s has %d members", g.DisplayName, len(g.Members))
				}
			}
			user := server.AddUser(sandbox.Person{UserName: "new@acme.example", GivenName: "New", FamilyName: "Comer"})
			empty := server.AddGroup("crew")
			c := connectTo(t, server, admin)
			for _, tc := range []struct {
				name    string
				group   string
				change  func(baton.GrantRequest) (baton.Outcome, error)
				dry     bool
				already bool
				want    int
			}{
				{name: "dry-run grant", group: plain, change: grantOn(t, c), dry: true, want: 2},
				{name: "grant", group: plain, change: grantOn(t, c), want: 4},
				{name: "grant again", group: plain, change: grantOn(t, c), already: true, want: 2},
				{name: "revoke", group: plain, change: revokeOn(t, c), want: 3},
				{name: "revoke again", group: plain, change: revokeOn(t, c), already: true, want: 3},

				{name: "grant, nobody there yet", group: empty, change: grantOn(t, c), want: 4},
				{name: "revoke, the last one", group: empty, change: revokeOn(t, c), want: 3},

				{name: "grant Admin", group: bosses, change: grantOn(t, c), want: 6},
				{name: "grant Admin again", group: bosses, change: grantOn(t, c), already: true, want: 2},
				{name: "revoke Admin", group: bosses, change: revokeOn(t, c), want: 9},
				{name: "revoke Admin again", group: bosses, change: revokeOn(t, c), already: true, want: 3},
			} {
				if members > 1000 && tc.group != plain {
					continue // these read the same large group more often
				}
				req := request(tc.group, user)
				req.DryRun = tc.dry
				n, routes := bill(t, server, func() error {
					out, err := tc.change(req)
					if out.Already != tc.already {
						t.Errorf("%s: %+v", tc.name, out)
					}
					return err
				})
				if n != tc.want {
					t.Errorf("%s: %d requests, want %d: %v", tc.name, n, tc.want, routes)
				}
			}
		})
	}
}

// TestCostOfAccounts counts the requests of actions and of a creation.
func TestCostOfAccounts(t *testing.T) {
	server := sandbox.New(sandbox.Options{Users: 30, Groups: 3, MembersMin: 5, MembersMax: 9, Token: "sk-scim-0123456789"})
	user := server.AddUser(sandbox.Person{UserName: "new@acme.example", GivenName: "New", FamilyName: "Comer"})
	bosses, _ := server.State().Group("PPLX_Admin")
	c := connectTo(t, server, admin)
	for _, tc := range []struct {
		action, user string
		want         int
	}{
		{"disable_user", user, 6},
		{"disable_user", user, 1},
		{"enable_user", user, 5},
		{"disable_user", bosses.Members[0], 9},
		{"disable_user", bosses.Members[0], 1},
		{"enable_user", bosses.Members[0], 5},
	} {
		n, routes := bill(t, server, func() error {
			a, _ := c.Action(tc.action)
			_, err := a.Run(t.Context(), baton.ActionRequest{Arguments: map[string]any{"user_id": tc.user}})
			return err
		})
		if n != tc.want {
			t.Errorf("%s: %d requests, want %d: %v", tc.action, n, tc.want, routes)
		}
	}
	n, routes := bill(t, server, func() error {
		_, err := c.Account.Create(t.Context(), baton.AccountRequest{Email: "jane@acme.example", Profile: map[string]any{"display_name": "Jane Smith"}})
		return err
	})
	if n != 3 {
		t.Errorf("create: %d requests, want 3: %v", n, routes)
	}
}

func grantOn(t *testing.T, c *baton.Connector) func(baton.GrantRequest) (baton.Outcome, error) {
	return func(req baton.GrantRequest) (baton.Outcome, error) { return c.Grant(t.Context(), req) }
}

func revokeOn(t *testing.T, c *baton.Connector) func(baton.GrantRequest) (baton.Outcome, error) {
	return func(req baton.GrantRequest) (baton.Outcome, error) { return c.Revoke(t.Context(), req) }
}
