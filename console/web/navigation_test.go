package web

import (
	"strings"
	"testing"

	"baton/console"
)

// TestNavigationLeadsToPages follows every link of the navigation, for each role, in a console in which
// little has happened: each page has a heading, and says what is not there yet.
func TestNavigationLeadsToPages(t *testing.T) {
	f := withPeople(t)
	for name, role := range map[string]console.ConsoleRole{"super": console.SuperAdministrator, "auditor": console.Auditor, "user": ""} {
		me := console.Person{}
		if role != "" {
			me.Roles = []console.ConsoleRole{role}
		}
		b := f.as(name)
		for _, s := range navigation(me, "/") {
			for _, l := range s.Links {
				page := b.get(l.Path)
				page.wants(t, name+" at "+l.Path, 200, "<h1")
				if main := page.body[strings.Index(page.body, "<main"):]; !strings.Contains(main, "<h1") {
					t.Errorf("%s at %s sees an empty page", name, l.Path)
				}
			}
		}
	}
}
