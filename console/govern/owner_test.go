package govern_test

import (
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/mail/mailtest"
	"baton/console/store"
)

// TestOwners adds and removes owners of an app and of a connector.
func TestOwners(t *testing.T) {
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	people := map[string]console.Person{}
	var app, connector console.ID
	f.update(func(tx *store.Tx) error {
		for _, name := range []string{"ana", "bo", "gone", "twin"} {
			p := console.Person{Name: name, Emails: []string{name + "@example.com"}}
			if name == "gone" {
				p.Status = console.PersonDisabled
			}
			id, err := tx.AddPerson(p)
			if err != nil {
				return err
			}
			people[name] = console.Person{ID: id, Name: name}
		}
		if err := tx.MergePersons(people["twin"].ID, people["bo"].ID); err != nil {
			return err
		}
		var err error
		if app, err = tx.AddApp(console.App{Name: "App", Owners: []console.ID{people["ana"].ID}}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: "c", Owners: []console.ID{people["ana"].ID}})
		return err
	})
	ana, bo := govern.Caller{Person: people["ana"]}, govern.Caller{Person: people["bo"]}
	owners := func() (ofApp, ofConnector []console.ID) {
		t.Helper()
		if err := f.store.View(ctx, func(tx *store.Tx) error {
			a, err := tx.App(app)
			if err != nil {
				return err
			}
			c, err := tx.Connector(connector)
			ofApp, ofConnector = a.Owners, c.Owners
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return ofApp, ofConnector
	}
	for name, change := range map[string]func(govern.Caller, govern.OwnerChange) error{
		"app": func(by govern.Caller, o govern.OwnerChange) error { return f.ChangeAppOwners(ctx, by, app, o) },
		"connector": func(by govern.Caller, o govern.OwnerChange) error {
			return f.ChangeConnectorOwners(ctx, by, connector, o)
		},
	} {
		wantKind(t, name+": nothing to do", change(ana, govern.OwnerChange{}), baton.Invalid)
		wantKind(t, name+": somebody who is not active", change(ana, govern.OwnerChange{Add: "gone@example.com"}), baton.Invalid)
		wantKind(t, name+": nobody", change(ana, govern.OwnerChange{Add: "nobody@example.com"}), baton.Invalid)
		wantKind(t, name+": the last owner", change(ana, govern.OwnerChange{Remove: people["ana"].ID}), baton.Refused)
		wantKind(t, name+": no owner", change(ana, govern.OwnerChange{Remove: people["bo"].ID}), baton.Refused)
		if name == "app" {
			wantKind(t, name+": by somebody who may not see it", change(bo, govern.OwnerChange{Add: "bo@example.com"}), baton.NotFound)
		}
		if err := change(ana, govern.OwnerChange{Add: " Twin@example.com "}); err != nil { // belongs to a person who was merged into bo
			t.Fatal(err)
		}
		wantKind(t, name+": twice", change(ana, govern.OwnerChange{Add: "bo@example.com"}), baton.AlreadyExists)
	}
	ofApp, ofConnector := owners()
	want := []console.ID{people["ana"].ID, people["bo"].ID}
	slices.Sort(want)
	if !slices.Equal(ofApp, want) || !slices.Equal(ofConnector, want) {
		t.Errorf("owners %q and %q, want %q", ofApp, ofConnector, want)
	}
	for _, id := range want {
		if err := f.ChangeAppOwners(ctx, root, app, govern.OwnerChange{Remove: id, Alone: true}); err != nil {
			t.Error(err)
		}
	}
	if ofApp, _ := owners(); len(ofApp) != 0 {
		t.Errorf("owners %q", ofApp)
	}
	_, err := f.AddConnector(ctx, root, govern.NewConnector{Name: "d", Product: govern.Generic.Name, App: app, Owners: []console.ID{people["gone"].ID}})
	wantKind(t, "a new connector of somebody who is not active", err, baton.Invalid)
}

// TestOwnersOfAdmins checks that a new owner, who would decide about the administrators of an
// app, takes a second person.
func TestOwnersOfAdmins(t *testing.T) {
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	people := map[string]console.ID{}
	var app console.ID
	f.update(func(tx *store.Tx) (err error) {
		for _, name := range []string{"ana", "bo", "officer"} {
			p := console.Person{Name: name, Emails: []string{name + "@example.com"}}
			if name == "officer" {
				p.Roles = []console.ConsoleRole{console.SecurityOfficer}
			}
			if people[name], err = tx.AddPerson(p); err != nil {
				return err
			}
		}
		if app, err = tx.AddApp(console.App{Name: "App", Owners: []console.ID{people["ana"]}}); err != nil {
			return err
		}
		return tx.SetRoleMap(app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{1}}}}, 1)
	})
	caller := func(name string, proved time.Time) govern.Caller {
		p := console.Person{ID: people[name], Name: name}
		return govern.Caller{Person: p, Session: console.Session{Person: p.ID, Proved: proved}}
	}
	ana := caller("ana", f.now)
	owners := func() (all []console.ID) {
		f.update(func(tx *store.Tx) error {
			a, err := tx.App(app)
			all = a.Owners
			return err
		})
		return all
	}
	add := govern.OwnerChange{Add: "bo@example.com", Why: "the team grows"}
	if err := f.ChangeAppOwners(ctx, caller("ana", f.now.Add(-time.Hour)), app, add); err != govern.ErrStepUp {
		t.Errorf("an old login: %v", err)
	}
	wantKind(t, "without a reason", f.ChangeAppOwners(ctx, ana, app, govern.OwnerChange{Add: add.Add}), baton.Invalid)
	name := "Application"
	both := []console.ID{people["ana"], people["bo"]}
	for what, err := range map[string]error{
		"the page":           f.ChangeAppOwners(ctx, ana, app, add),
		"the REST interface": f.ConfigureApp(ctx, ana, app, govern.AppSettings{Name: &name, Owners: &both}),
	} {
		if err != govern.ErrOwnersWait || !slices.Equal(owners(), []console.ID{people["ana"]}) {
			t.Errorf("%s: %v, owners %q", what, err, owners())
		}
	}
	v, err := f.Policies(ctx, root)
	if err != nil || len(v.Amendments) != 2 {
		t.Fatalf("%d changes wait: %v", len(v.Amendments), err)
	}
	id := v.Amendments[0].ID
	wantKind(t, "whoever proposed it", f.DecideAmendment(ctx, ana, id, true), baton.Refused)
	if err := f.DecideAmendment(ctx, caller("officer", f.now), id, true); err != nil {
		t.Fatal(err)
	}
	if got := owners(); len(got) != 2 {
		t.Errorf("owners %q", got)
	}
	// Fewer owners need nobody else.
	if err := f.ChangeAppOwners(ctx, ana, app, govern.OwnerChange{Remove: people["bo"]}); err != nil || len(owners()) != 1 {
		t.Errorf("%v, owners %q", err, owners())
	}
}

// TestInviteByMail keeps the link until it is mailed, or until another one is displayed.
func TestInviteByMail(t *testing.T) {
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	var ana console.ID
	f.update(func(tx *store.Tx) (err error) {
		ana, err = tx.AddPerson(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
		return err
	})
	kept := func() (token baton.Secret) {
		t.Helper()
		if err := f.store.View(ctx, func(tx *store.Tx) error {
			var err error
			if token, err = tx.InvitationToken(ana); baton.KindOf(err) == baton.NotFound {
				return nil
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return token
	}
	to, _, err := f.InviteByMail(ctx, root, ana)
	if err != nil || to != "" || !kept().IsZero() {
		t.Errorf("before mail is set up: %q, %v", to, err)
	}
	if err := f.ConfigureMail(ctx, root, console.MailSettings{Host: "mail.example.com", Port: 587, TLS: console.MailSTARTTLS, User: "u", From: "b@example.com"}, mailtest.Secret()); err != nil {
		t.Fatal(err)
	}
	to, expires, err := f.InviteByMail(ctx, root, ana)
	if err != nil || to != "ana@example.com" || !expires.Equal(f.now.Add(72*time.Hour)) {
		t.Fatalf("%q, %v, %v", to, expires, err)
	}
	mailed := kept()
	if p, err := f.Invited(ctx, mailed); err != nil || p.ID != ana {
		t.Errorf("the kept link: %+v, %v", p, err)
	}
	shown, _, err := f.Invite(ctx, root, ana)
	if err != nil || !kept().IsZero() {
		t.Errorf("the link of an invitation that has ended is kept: %v", err)
	}
	if _, err := f.Invited(ctx, mailed); baton.KindOf(err) != baton.NotFound {
		t.Errorf("two invitations are good: %v", err)
	}
	if _, err := f.Invited(ctx, shown); err != nil {
		t.Error(err)
	}
	f.later(11 * time.Minute)
	_, _, err = f.InviteByMail(ctx, root, ana)
	wantKind(t, "an old login", err, baton.PermissionDenied)
}
