package main

import (
	"cmp"
	"slices"

	"baton"
	"baton/agent/cli"
	"baton/sandbox/perplexity"
)

// sandbox is the organisation of the demo and of the sandbox command.
func sandbox() *cli.Sandbox {
	s := &cli.Sandbox{New: newSandbox, Sizes: []cli.Size{
		{Name: "users", Description: "how many users to make up (the demonstration organisation unless given)"},
		{Name: "groups", Description: "how many groups to make up (the two role groups and ten departments unless given)"},
		{Name: "members-min", Description: "with --groups: how many members a group has at least (a twentieth of the users unless given)"},
		{Name: "members-max", Description: "with --groups: how many it has at most (a quarter of the users unless given)"},
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
		demo.Tour = tour(state) // which knows the demonstration organisation
	}
	return demo, nil
}

// organisation is the organisation of the sizes that were given: the demonstration
// organisation without any, and an ordinary company without groups.
func organisation(sizes map[string]int) (perplexity.Options, error) {
	users, groups := sizes["users"], sizes["groups"]
	low, high := sizes["members-min"], sizes["members-max"]
	o := perplexity.Options{Users: users, Groups: groups}
	switch {
	case low+high > 0 && groups == 0:
		return o, baton.Errorf(baton.Invalid, "--members-min and --members-max are for groups that are made up").WithFix("add --groups")
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

// defaultUsers is how many users are made up when only the number of groups is given.
const defaultUsers = 100

// tour makes somebody a Member and takes it back, and runs into the guard of the
// last admin.
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
		{Title: newcomer.DisplayName + " has no role yet. PPLX_Members gives one:", Args: grant},
		{Title: "Asking again does no harm:", Args: grant},
		{Title: "The file learns of it with the next sync:"},
		{Title: "And back:", Args: []string{"--revoke-grant", entitlement(members) + ":user:" + newcomer.ID}},
		{Title: admin.DisplayName + " is the only one who is certain to be Admin. That one stays:",
			Args: []string{"--revoke-grant", entitlement(admins) + ":user:" + admin.ID}, Refused: true},
	}
}

func entitlement(g perplexity.GroupState) string { return "group:" + g.ID + ":member" }
