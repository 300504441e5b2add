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

// newPerplexity returns the demonstration organisation. Then somebody becomes an admin
// outside the console, and somebody who leaves keeps a membership.
func newPerplexity() cli.SandboxServer {
	server := perplexity.New(perplexity.Options{})
	state := server.State()
	demo := cli.SandboxServer{
		Handler: server,
		Settings: func(origin string) map[string]string {
			return map[string]string{"scim-url": origin + server.URLPath(), "scim-token": server.Token()}
		},
	}
	var admins string
	for _, g := range state.Groups {
		if g.Role == perplexity.Admin {
			admins = g.ID
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
	if len(members) < 2 || admins == "" {
		return demo
	}
	up, leaver := members[0], members[1]
	demo.Changes = []cli.Change{
		{Text: fmt.Sprintf("somebody adds %s to the Admin group in Perplexity, past the console", nameOf(up)), Do: func() { server.AddMember(admins, up.ID) }},
		{Text: fmt.Sprintf("%s leaves: the account is disabled and keeps its group", nameOf(leaver)), Do: func() { server.SetActive(leaver.ID, false) }},
	}
	return demo
}

// nameOf returns a name of a person, of whom the application may not know all parts.
func nameOf(u perplexity.UserState) string {
	return cmp.Or(u.DisplayName, strings.TrimSpace(u.GivenName+" "+u.FamilyName), u.UserName)
}

// newPercipio returns the demonstration organisation. Then somebody completes a course.
func newPercipio() cli.SandboxServer {
	server := percipio.New(percipio.Options{})
	state := server.State()
	demo := cli.SandboxServer{
		Handler: server,
		Settings: func(origin string) map[string]string {
			return map[string]string{"base-url": origin, "organization-id": server.OrganizationID(), "api-token": server.Token()}
		},
	}
	for p := range state.Expected() {
		if p.Status != percipio.InProgress {
			continue
		}
		demo.Changes = []cli.Change{{Text: "somebody completes a course in Percipio", Do: func() { server.Record(p.User, p.Course, "Completed") }}}
		break
	}
	return demo
}
