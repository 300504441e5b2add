package config_test

import (
	"testing"

	"baton/console"
	"baton/console/config"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// TestRequirements applies the requirements of a file once syncs show what they name, and leaves later
// changes on the pages.
func TestRequirements(t *testing.T) {
	d := newDesk(t)
	file := whole + `
requirements:
  - {app: App, entitlement: "group:staff:member", needs: [Courses/Security Basics], within_months: 12, grace: 14d, mode: enforce}
`
	if _, err := d.apply(file); err != nil {
		t.Fatal(err)
	}
	var app, courses, connector, school console.ID
	update := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := d.s.Update(t.Context(), console.By{At: noon, Actor: console.Console}, fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *store.Tx) error {
		a, err := tx.AppByName("App")
		if err != nil {
			return err
		}
		app = a.ID
		if courses, err = tx.AddApp(console.App{Name: "Courses"}); err != nil {
			return err
		}
		if school, err = tx.AddConnector(console.Connector{App: courses, Name: "school"}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: "of app"})
		return err
	})
	versions := func() (all []console.Requirement) {
		t.Helper()
		update(config.ResolveRequirements)
		d.view(func(tx *store.Tx) error {
			active, err := tx.ActiveRequirements(app)
			if err != nil || len(active) == 0 {
				return err
			}
			all, err = tx.Requirements(app, active[0].Entitlement)
			return err
		})
		return all
	}
	ingesttest.Tenant{Groups: []ingesttest.Group{{ID: "staff", Name: "Staff"}}}.Apply(t, d.s, connector, noon)
	if all := versions(); len(all) != 0 {
		t.Fatalf("before the course is shown: %+v", all)
	}
	ingesttest.Tenant{Courses: []ingesttest.Course{{ID: "security", Name: "Security Basics"}}}.Apply(t, d.s, school, noon)
	all := versions()
	if len(all) != 1 || all[0].Months != 12 || all[0].Mode != console.RequirementEnforce || all[0].Needs[0].App != courses || all[0].Author != "" {
		t.Fatalf("%+v", all)
	}
	update(func(tx *store.Tx) error {
		next := all[0]
		next.Months = 6
		return tx.AddRequirement(next)
	})
	if _, err := d.apply(file); err != nil {
		t.Fatal(err)
	}
	if all := versions(); len(all) != 2 || all[0].Months != 6 {
		t.Errorf("the file undid a change on the pages: %+v", all)
	}
}
