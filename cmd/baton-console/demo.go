package main

import (
	"cmp"
	"fmt"
	"strings"

	"baton/console/cli"
	"baton/sandbox/percipio"
	"baton/sandbox/perplexity"
)

// sandboxes are the applications that the demo starts and connects.
var sandboxes = []cli.Sandbox{
	{Product: "perplexity", App: "Perplexity", New: newPerplexity},
	{Product: "percipio", App: "Percipio", New: newPercipio},
}

// newPerplexity returns the demonstration organisation. Later, people join and leave, and two people
// become administrators outside the console, one of them only temporarily.
func newPerplexity() cli.SandboxServer {
	server := perplexity.New(perplexity.Options{})
	state := server.State()
	demo := cli.SandboxServer{
		Handler: server,
		Settings: func(origin string) map[string]string {
			return map[string]string{"scim-url": origin + server.URLPath(), "scim-token": server.Token()}
		},
	}
	groups := map[perplexity.Role]string{}
	for _, g := range state.Groups {
		if g.Role != "" && groups[g.Role] == "" {
			groups[g.Role] = g.ID
		}
	}
	var members []perplexity.UserState
	for _, u := range state.Users {
		if u.Active && u.Email != "" {
			demo.People = append(demo.People, cli.DemoPerson{Name: nameOf(u), Email: u.Email})
		}
		if u.Active && u.Role == perplexity.Member && len(u.Groups) == 1 {
			members = append(members, u)
		}
	}
	admins, everybody := groups[perplexity.Admin], groups[perplexity.Member]
	if len(members) < 3 || admins == "" || everybody == "" {
		return demo
	}
	demo.AdminEntitlements = []string{"group:" + admins + ":member"}
	up, leaver, guest := members[0], members[1], members[2]
	_, domain, _ := strings.Cut(up.Email, "@")
	joins := func(given, family, address string) {
		server.AddMember(everybody, server.AddUser(perplexity.Person{UserName: address, GivenName: given, FamilyName: family}))
	}
	demo.Changes = []cli.Change{
		{Text: "Nadia Berg joins and becomes a Member", Do: func() { joins("Nadia", "Berg", "nadia.berg@"+domain) }},
		{Text: fmt.Sprintf("somebody adds %s and %s to the Admin group in Perplexity, past the console", nameOf(up), nameOf(guest)), Do: func() {
			server.AddMember(admins, up.ID)
			server.AddMember(admins, guest.ID)
		}},
		{Text: "a consultant of another company gets an account", Do: func() { joins("Kim", "Lindqvist", "kim@consultants.example") }},
		{Text: fmt.Sprintf("%s is taken out of the Admin group again", nameOf(guest)), Do: func() { server.RemoveMember(admins, guest.ID) }},
		{Text: fmt.Sprintf("%s leaves: the account is disabled and keeps its group", nameOf(leaver)), Do: func() { server.SetActive(leaver.ID, false) }},
	}
	return demo
}

// nameOf returns a person's name. The application may not know all parts of it.
func nameOf(u perplexity.UserState) string {
	return cmp.Or(u.DisplayName, strings.TrimSpace(u.GivenName+" "+u.FamilyName), u.UserName)
}

// newPercipio returns the demonstration organisation. Later, somebody starts a course, somebody
// joins, and courses are completed.
func newPercipio() cli.SandboxServer {
	server := percipio.New(percipio.Options{})
	state := server.State()
	demo := cli.SandboxServer{
		Handler: server,
		Settings: func(origin string) map[string]string {
			return map[string]string{"base-url": origin, "organization-id": server.OrganizationID(), "api-token": server.Token()}
		},
	}
	type pair struct{ user, course string }
	known := map[pair]bool{}
	var open []percipio.Progress
	for p := range state.Expected() {
		known[pair{p.User, p.Course}] = true
		if p.Status == percipio.InProgress {
			open = append(open, p)
		}
	}
	course := func(id string) string {
		for _, c := range state.Courses {
			if c.ID == id {
				return c.Title
			}
		}
		return id
	}
	person := func(id string) string {
		for _, u := range state.Users {
			if u.ID == id {
				return cmp.Or(strings.TrimSpace(u.FirstName+" "+u.LastName), u.LoginName, u.Email)
			}
		}
		return id
	}
	completes := func(p percipio.Progress) cli.Change {
		return cli.Change{Text: fmt.Sprintf("%s completes “%s”", person(p.User), course(p.Course)), Do: func() { server.Record(p.User, p.Course, "Completed") }}
	}
	if len(open) > 0 {
		demo.Changes = append(demo.Changes, completes(open[0]))
	}
	for _, u := range state.Users {
		for _, c := range state.Courses {
			if u.Active && c.Listed && !known[pair{u.ID, c.ID}] && len(demo.Changes) == 1 {
				demo.Changes = append(demo.Changes, cli.Change{Text: fmt.Sprintf("%s starts “%s”", person(u.ID), c.Title), Do: func() { server.Record(u.ID, c.ID, "Started") }})
			}
		}
	}
	demo.Changes = append(demo.Changes, cli.Change{Text: "Nadia Berg joins", Do: func() {
		server.AddUser(percipio.Person{Email: "nadia.berg@acme.example", LoginName: "nadia.berg", FirstName: "Nadia", LastName: "Berg"})
	}})
	if len(open) > 1 {
		demo.Changes = append(demo.Changes, completes(open[len(open)-1]))
	}
	return demo
}
