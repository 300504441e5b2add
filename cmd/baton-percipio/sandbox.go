package main

import (
	"cmp"
	"net/http"
	"strings"
	"sync/atomic"

	"baton"
	"baton/agent/cli"
	"baton/sandbox/percipio"
)

// sandbox describes the upstream of the commands demo and sandbox.
func sandbox() *cli.Sandbox {
	s := &cli.Sandbox{New: newSandbox, Sizes: []cli.Size{
		{Name: "users", Description: "number of users to generate (default: the demonstration organisation)"},
		{Name: "courses", Description: "number of courses in the catalogue (default: a fifth of the users)"},
		{Name: "rows", Description: "number of rows of learning activity (default: ten for each user)"},
	}}
	for _, f := range percipio.Faults() {
		name := f.Name
		if f.Value != "" {
			name += "=" + f.Value
		}
		s.Faults = append(s.Faults, cli.Fault{Name: name, Description: f.Description})
	}
	return s
}

// newSandbox creates an organisation of the sizes that were given, or the demonstration
// organisation.
func newSandbox(o cli.SandboxOptions) (cli.SandboxServer, error) {
	var server *percipio.Server
	var reports atomic.Int64
	var options percipio.Options
	if len(o.Sizes) == 0 {
		// Somebody finishes a course before the second report is generated.
		options.OnRequest = func(_ int, r *http.Request) {
			if r.Method == http.MethodPost && reports.Add(1) == 2 {
				finish(server)
			}
		}
	} else {
		options.Users = cmp.Or(o.Sizes["users"], 20)
		options.Courses = cmp.Or(o.Sizes["courses"], max(20, options.Users/5))
		options.Rows = cmp.Or(o.Sizes["rows"], 10*options.Users)
	}
	server = percipio.New(options)
	if err := server.SetFaults(o.Faults...); err != nil {
		return cli.SandboxServer{}, baton.Errorf(baton.Invalid, "%w", err).WithFix("see baton-percipio sandbox --list-faults")
	}
	demo := cli.SandboxServer{
		Handler: server,
		Settings: func(origin string) map[string]string {
			return map[string]string{"base-url": origin, "organization-id": server.OrganizationID(), "api-token": server.Token()}
		},
		Mark: baton.ResourceID{Type: "user", ID: server.State().Users[0].ID},
	}
	if options.OnRequest != nil {
		name, title := newcomer(server.State())
		demo.Tour = []cli.TourStep{
			{Title: name + " finishes " + title + ". The next sync requests a new report, which contains it:"},
			{Title: "doctor checks the settings without a sync:", Args: []string{"doctor"}},
		}
	}
	return demo, nil
}

// finish completes the course of the tour.
func finish(s *percipio.Server) {
	if p, ok := unfinished(s.State()); ok {
		s.Record(p.User, p.Course, "Completed")
	}
}

// unfinished returns a course that somebody has started and not completed.
func unfinished(st percipio.State) (percipio.Progress, bool) {
	for p := range st.Expected() {
		if p.Status == percipio.InProgress {
			return p, true
		}
	}
	return percipio.Progress{}, false
}

// newcomer returns the names of the user and of the course of [finish].
func newcomer(st percipio.State) (name, title string) {
	p, _ := unfinished(st)
	for _, u := range st.Users {
		if u.ID == p.User {
			name = strings.TrimSpace(u.FirstName + " " + u.LastName)
		}
	}
	for _, c := range st.Courses {
		if c.ID == p.Course {
			title = c.Title
		}
	}
	return name, title
}
