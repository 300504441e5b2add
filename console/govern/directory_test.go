package govern_test

import (
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// TestSetDirectory makes a connector a directory: it checks the rights, and that its people are
// created at once.
func TestSetDirectory(t *testing.T) {
	f := newFixture(t)
	owner, super := f.caller("owner"), f.caller("super", console.SuperAdministrator)
	_, connector := f.addApp("Directory", owner.Person.ID)
	f.sync(connector, ingesttest.Tenant{Accounts: []baton.Resource{ingesttest.Account("1", "Zoe", "zoe@example.com"), ingesttest.Account("2", "Twin", "zoe@example.com")}})
	for name, c := range f.everybody(owner) {
		err := f.SetDirectory(ctx, c, connector, false)
		if may := name == "super"; may != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if v, err := f.Directory(ctx, c, connector); err == nil && v.MaySet != (name == "super") {
			t.Errorf("%s may set it: %+v", name, v)
		}
	}
	super.Session.Proved = f.now
	f.check(f.SetDirectory(ctx, super, connector, true))
	f.view(func(tx *store.Tx) error {
		when, due, err := tx.DueAt(console.DueDirectory, string(connector))
		if !due || !when.Equal(f.now) {
			t.Errorf("due %v, %v", when, due)
		}
		return err
	})
	_, err := directory.Sync(ctx, f.store, console.By{At: f.now, Actor: console.Console}, connector)
	f.check(err)
	if v, err := f.Directory(ctx, owner, connector); err != nil || !v.Directory || len(v.Conflicts) != 1 || v.Conflicts[0].Account.Name != "Twin" && v.Conflicts[0].Account.Name != "Zoe" {
		t.Errorf("conflicts %+v, %v", v, err)
	}
	if v, err := f.Directory(ctx, f.caller("connectors", console.ConnectorAdministrator), connector); err != nil || len(v.Conflicts) != 0 {
		t.Errorf("who sees counts only sees accounts: %+v, %v", v, err)
	}
	f.check(f.SetDirectory(ctx, super, connector, false))
	f.view(func(tx *store.Tx) error {
		if _, due, err := tx.DueAt(console.DueDirectory, string(connector)); err != nil || due {
			t.Errorf("still due, %v", err)
		}
		return nil
	})
	super.Session.Proved = f.now.Add(-console.StepUp)
	if err := f.SetDirectory(ctx, super, connector, true); err != govern.ErrStepUp {
		t.Errorf("an old login: %v", err)
	}
}

// TestEditPerson edits people.
func TestEditPerson(t *testing.T) {
	f := newFixture(t)
	super, ana, ben := f.caller("super", console.SuperAdministrator), f.caller("ana").Person, f.caller("ben").Person
	person := func(id console.ID) (p console.Person) {
		f.view(func(tx *store.Tx) (err error) {
			p, err = tx.Person(id)
			return err
		})
		return p
	}
	f.check(f.EditPerson(ctx, super, ana.ID, govern.PersonEdit{Name: " Ana B. ", Emails: []string{"Ana@Example.com", "ana@example.com", "", "a@b.example"}, Manager: "ben@example.com", Department: "R&D", Version: ana.Version}))
	if p := person(ana.ID); p.Name != "Ana B." || !slices.Equal(p.Emails, []string{"ana@example.com", "a@b.example"}) || p.Manager != ben.ID || p.Department != "R&D" {
		t.Errorf("%+v", p)
	}
	version := person(ana.ID).Version
	for name, tt := range map[string]struct {
		id   console.ID
		edit govern.PersonEdit
		want baton.Kind
	}{
		"an old version":      {ana.ID, govern.PersonEdit{Name: "x", Version: 1}, baton.Refused},
		"no name":             {ana.ID, govern.PersonEdit{Version: version}, baton.Invalid},
		"no address":          {ana.ID, govern.PersonEdit{Name: "x", Emails: []string{"x"}, Version: version}, baton.Invalid},
		"a taken address":     {ana.ID, govern.PersonEdit{Name: "x", Emails: []string{"ben@example.com"}, Version: version}, baton.AlreadyExists},
		"an unknown manager":  {ana.ID, govern.PersonEdit{Name: "x", Manager: "nobody@example.com", Version: version}, baton.Invalid},
		"one's own manager":   {ana.ID, govern.PersonEdit{Name: "x", Manager: "a@b.example", Version: version}, baton.Invalid},
		"through another one": {ben.ID, govern.PersonEdit{Name: "x", Manager: "ana@example.com", Version: ben.Version}, baton.Invalid},
		"nobody":              {"nobody", govern.PersonEdit{Name: "x"}, baton.NotFound},
	} {
		if err := f.EditPerson(ctx, super, tt.id, tt.edit); err == nil || baton.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for name, c := range f.everybody(f.caller("owner")) {
		if err := f.EditPerson(ctx, c, ana.ID, govern.PersonEdit{Name: "x"}); (name == "super") != (baton.KindOf(err) == baton.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	super.Session.Proved = f.now.Add(-console.StepUp)
	if err := f.EditPerson(ctx, super, ana.ID, govern.PersonEdit{Name: "x", Emails: person(ana.ID).Emails, Version: version}); err != nil {
		t.Errorf("a name, with an old login: %v", err)
	}
	if err := f.EditPerson(ctx, super, ana.ID, govern.PersonEdit{Name: "x", Version: version + 1}); err != govern.ErrStepUp {
		t.Errorf("addresses, with an old login: %v", err)
	}
}

// TestMergePersons merges people, but not if that would remove something or hide that they are two.
func TestMergePersons(t *testing.T) {
	f := newFixture(t)
	super := f.caller("super", console.SuperAdministrator)
	ana, double := f.caller("ana").Person, f.caller("double").Person
	app, connector := f.addApp("App", double.ID)
	f.sync(connector, organisation())
	key := f.account(app, "2")
	f.update(func(tx *store.Tx) error {
		if err := tx.SetAccountOwner(key, double.ID, store.OwnerSet); err != nil {
			return err
		}
		if _, err := tx.AddPerson(console.Person{Name: "Under", Emails: []string{"under@example.com"}, Manager: double.ID}); err != nil {
			return err
		}
		p, err := tx.Person(ana.ID)
		p.Manager = double.ID
		if err != nil {
			return err
		}
		return tx.ChangePerson(p)
	})
	person := func(id console.ID) (p console.Person) {
		f.view(func(tx *store.Tx) (err error) {
			p, err = tx.Person(id)
			return err
		})
		return p
	}
	v, err := f.PlanMerge(ctx, super, double.ID, "Ana@example.com")
	f.check(err)
	if v.Refused != nil || v.From.ID != double.ID || v.Into.ID != ana.ID {
		t.Errorf("plan %+v", v)
	}
	merge := func(from, into console.ID) error {
		return f.MergePersons(ctx, super, from, into, person(from).Version, person(into).Version)
	}
	if err := f.MergePersons(ctx, super, double.ID, ana.ID, 99, 1); baton.KindOf(err) != baton.Refused {
		t.Errorf("an old version: %v", err)
	}
	for name, err := range map[string]error{
		"oneself": merge(super.Person.ID, ana.ID), "into oneself": merge(ana.ID, super.Person.ID),
	} {
		if baton.KindOf(err) != baton.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := merge(ana.ID, ana.ID); baton.KindOf(err) != baton.Invalid {
		t.Errorf("into the same person: %v", err)
	}
	f.check(merge(double.ID, ana.ID))
	if p := person(ana.ID); !slices.Equal(p.Emails, []string{"ana@example.com", "double@example.com"}) || p.Manager != "" {
		t.Errorf("Ana: %+v", p)
	}
	f.view(func(tx *store.Tx) error {
		a, err := tx.App(app)
		if err != nil {
			return err
		}
		if !slices.Equal(a.Owners, []console.ID{ana.ID}) {
			t.Errorf("owners %v", a.Owners)
		}
		o, err := tx.AccountOwner(key, time.Time{})
		if err == nil && o.Person != ana.ID {
			t.Errorf("owner %+v", o)
		}
		under, err := tx.PersonByEmail("under@example.com")
		if err == nil && under.Manager != ana.ID {
			t.Errorf("manager %+v", under)
		}
		return err
	})
	if err := merge(double.ID, ana.ID); err == nil {
		t.Error("merged twice")
	}

	// An active person cannot be merged into one who left.
	cem, dora := f.caller("cem").Person, f.caller("dora").Person
	f.update(func(tx *store.Tx) error {
		p, err := tx.Person(cem.ID)
		p.Status = console.PersonGone
		if err != nil {
			return err
		}
		return tx.ChangePerson(p)
	})
	if err := merge(dora.ID, cem.ID); baton.KindOf(err) != baton.Refused || baton.FixOf(err) == "" {
		t.Errorf("into somebody who left: %v", err)
	}
	f.check(merge(cem.ID, dora.ID))

	// Two people in one directory are two people.
	f.update(func(tx *store.Tx) error {
		c, err := tx.Connector(connector)
		c.Directory = true
		if err != nil {
			return err
		}
		return tx.ChangeConnector(c)
	})
	_, err = directory.Sync(ctx, f.store, console.By{At: f.now, Actor: console.Console}, connector)
	f.check(err)
	var ben, bot console.Person
	f.view(func(tx *store.Tx) (err error) {
		if ben, err = tx.PersonByEmail("ben@example.com"); err == nil {
			bot, err = tx.PersonByEmail("bot@example.com")
		}
		return err
	})
	if err := merge(ben.ID, bot.ID); baton.KindOf(err) != baton.Refused {
		t.Errorf("two of a directory: %v", err)
	}
	for name, c := range f.everybody(f.caller("owner")) {
		may := name == "super"
		if _, err := f.PlanMerge(ctx, c, ben.ID, "bot@example.com"); may != (err == nil) {
			t.Errorf("%s looks at it: %v", name, err)
		}
		if err := f.MergePersons(ctx, c, ben.ID, bot.ID, 0, 0); may != (baton.KindOf(err) == baton.Refused) {
			t.Errorf("%s merges: %v", name, err)
		}
	}
}

// TestImportPeople applies a file only if the plan is still the displayed one.
func TestImportPeople(t *testing.T) {
	f := newFixture(t)
	super := f.caller("super", console.SuperAdministrator)
	csv := []byte("email,name,manager\nzoe@example.com,Zoe,ana@example.com\nana@example.com,Ana,\n")
	plan, err := f.PlanPeople(ctx, super, csv)
	f.check(err)
	if len(plan.Changes) != 2 {
		t.Fatalf("%+v", plan)
	}
	f.caller("ana") // somebody adds her in the meantime
	if _, err := f.ImportPeople(ctx, super, csv, plan.Digest()); baton.KindOf(err) != baton.Refused {
		t.Errorf("an old plan: %v", err)
	}
	plan, err = f.PlanPeople(ctx, super, csv)
	f.check(err)
	_, err = f.ImportPeople(ctx, super, csv, plan.Digest())
	f.check(err)
	f.view(func(tx *store.Tx) error {
		zoe, err := tx.PersonByEmail("zoe@example.com")
		if err != nil {
			return err
		}
		ana, err := tx.PersonByEmail("ana@example.com")
		if zoe.Manager != ana.ID || ana.Name != "Ana" {
			t.Errorf("%+v, %+v", zoe, ana)
		}
		return err
	})
	for name, c := range f.everybody(f.caller("owner")) {
		may := name == "super"
		p, err := f.PlanPeople(ctx, c, csv)
		if may != (err == nil) {
			t.Errorf("%s looks at it: %v", name, err)
		}
		if _, err := f.ImportPeople(ctx, c, csv, p.Digest()); may != (err == nil) {
			t.Errorf("%s imports: %v", name, err)
		}
	}
	super.Session.Proved = f.now.Add(-console.StepUp)
	if _, err := f.ImportPeople(ctx, super, csv, plan.Digest()); err != govern.ErrStepUp {
		t.Errorf("an old login: %v", err)
	}
}
