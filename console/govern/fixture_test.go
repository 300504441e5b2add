package govern_test

import (
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// update changes the store as the console itself.
func (f *fixture) update(fn func(*store.Tx) error) {
	f.t.Helper()
	f.check(f.store.Update(ctx, console.By{At: f.now, Actor: console.Console}, fn))
}

func (f *fixture) view(fn func(*store.Tx) error) {
	f.t.Helper()
	f.check(f.store.View(ctx, fn))
}

// caller returns a person with roles who has just signed in, and creates the person if necessary.
func (f *fixture) caller(name string, roles ...console.ConsoleRole) govern.Caller {
	f.t.Helper()
	var p console.Person
	f.update(func(tx *store.Tx) error {
		var err error
		if p, err = tx.PersonByEmail(name + "@example.com"); err == nil {
			return nil
		}
		id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@example.com"}, Roles: roles})
		if err == nil {
			p, err = tx.Person(id)
		}
		return err
	})
	return govern.Caller{Person: p, Session: console.Session{Person: p.ID, Began: f.now, Proved: f.now, Seen: f.now}}
}

// addApp adds an app with a connector of the same name.
func (f *fixture) addApp(name string, owners ...console.ID) (app, connector console.ID) {
	f.t.Helper()
	f.update(func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: name, Owners: owners, MinimumAdmins: 1}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: name, Interval: time.Hour})
		return err
	})
	return app, connector
}

// sync applies a sync of a connector, a minute later.
func (f *fixture) sync(connector console.ID, x ingesttest.Tenant) console.Sync {
	f.t.Helper()
	f.now = f.now.Add(time.Minute)
	return x.Apply(f.t, f.store, connector, f.now)
}

// kinds returns the kinds of an object's events, oldest first.
func (f *fixture) kinds(filter store.EventFilter) (kinds []string) {
	f.t.Helper()
	f.view(func(tx *store.Tx) error {
		events, err := tx.Events(filter, 0, store.PageSize)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		return err
	})
	return kinds
}

// everybody returns callers with each console role, and the owner of the app under test.
func (f *fixture) everybody(owner govern.Caller) map[string]govern.Caller {
	return map[string]govern.Caller{"user": f.caller("user"), "owner": owner,
		"helpdesk": f.caller("helpdesk", console.Helpdesk), "connectors": f.caller("connectors", console.ConnectorAdministrator),
		"campaigns": f.caller("campaigns", console.CampaignAdministrator), "auditor": f.caller("auditor", console.Auditor),
		"officer": f.caller("officer", console.SecurityOfficer), "super": f.caller("super", console.SuperAdministrator)}
}
