package main

import (
	"cmp"
	"slices"

	"baton"
	"baton/agent/cli"
	"baton/sandbox/perplexity"
)

// sandbox describes the upstream of the commands demo and sandbox.
func sandbox() *cli.Sandbox {
	s := &cli.Sandbox{New: newSandbox, Sizes: []cli.Size{
		{Name: "users", Description: "number of users to generate (default: the demonstration organisation)"},
		{Name: "groups", Description: "number of groups to generate (default: the two role groups and ten departments)"},
		{Name: "members-min", Description: "with --groups: fewest members of a group (default: a twentieth of the users)"},
		{Name: "members-max", Description: "with --groups: most members of a group (default: a quarter of the users)"},
	}}
	for _, f := range perplexity.Faults() {
		name := f.Name
		if f.Value != "" {
			name += "=" + f.Value
		}
		s.Faults = append(s.Faults, cli.Fault{Name: name, Description: f.Description})
	}
	return s
}

func newSandbox(o cli.SandboxOptions) (cli.SandboxServer, error) {
	options, err := organisation(o.Sizes)
	if err != nil {
		return cli.SandboxServer{}, err
	}
	server := perplexity.New(options)
	if err := server.SetFaults(o.Faults...); err != nil {
		return cli.SandboxServer{}, baton.Errorf(baton.Invalid, "%w", err).WithFix("see baton-perplexity sandbox --list-faults")
	}
	state := server.State()
	demo := cli.SandboxServer{
		Handler: server,
		Settings: func(origin string) map[string]string {
			return map[string]string{"scim-url": origin + server.URLPath(), "scim-token": server.Token()}
		},
		Mark: baton.ResourceID{Type: "user", ID: state.Users[0].ID},
	}
	if options.Users == 0 {
		demo.Tour = tour(state) // made for the demonstration organisation
	}
	return demo, nil
}

// organisation returns the options for the sizes that were given. Without any, the sandbox
// is the demonstration organisation; without groups, a company with departments.
func organisation(sizes map[string]int) (perplexity.Options, error) {
	users, groups := sizes["users"], sizes["groups"]
	low, high := sizes["members-min"], sizes["members-max"]
	o := perplexity.Options{Users: users, Groups: groups}
	switch {
	case low+high > 0 && groups == 0:
		return o, baton.Errorf(baton.Invalid, "--members-min and --members-max apply to generated groups only").WithFix("add --groups")
	case high > 0 && low > high:
		return o, baton.Errorf(baton.Invalid, "--members-min is above --members-max")
	case users == 0 && groups == 0:
		return o, nil
	case users == 0:
		o.Users = defaultUsers
	case groups == 0:
		o.Departments = true
	}
	o.MembersMax = cmp.Or(high, max(low, o.Users/4, 1))
	o.MembersMin = cmp.Or(low, min(o.MembersMax, o.Users/20))
	return o, nil
}

// defaultUsers is the number of users if only the number of groups is given.
const defaultUsers = 100

// tour grants and revokes a membership, and shows that the last admin cannot be removed.
func tour(state perplexity.State) []cli.TourStep {
	admins, _ := state.Group("PPLX_Admin")
	members, _ := state.Group("PPLX_Members")
	var newcomer perplexity.UserState
	for _, u := range state.Users {
		if u.Active && u.Managed && !slices.Contains(members.Members, u.ID) && !slices.Contains(admins.Members, u.ID) {
			newcomer = u
		}
	}
	admin, _ := state.User(admins.Members[0])
	grant := []string{"--grant-entitlement", entitlement(members), "--grant-principal", newcomer.ID, "--grant-principal-type", "user"}
	return []cli.TourStep{
		{Title: newcomer.DisplayName + " has no role. Membership of PPLX_Members gives the role Member:", Args: grant},
		{Title: "The same grant again changes nothing:", Args: grant},
		{Title: "The next sync reads the new grant into the file:"},
		{Title: "The grant can be revoked:", Args: []string{"--revoke-grant", entitlement(members) + ":user:" + newcomer.ID}},
		{Title: admin.DisplayName + " is the only account that is Admin for certain, so revoking this grant is refused:",
			Args: []string{"--revoke-grant", entitlement(admins) + ":user:" + admin.ID}, Refused: true},
	}
}

func entitlement(g perplexity.GroupState) string { return "group:" + g.ID + ":member" }
