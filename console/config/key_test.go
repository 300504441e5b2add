package config_test

import (
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// TestRename changes names of objects that have keys, and of those of an export. A rename is one change,
// also of what names the object, and applying the files again changes nothing.
func TestRename(t *testing.T) {
	for name, keys := range map[string]*strings.Replacer{
		"keys of the files": strings.NewReplacer("{name: App,", "{name: App, key: app,", "- name: Two eyes", "- name: Two eyes\n    key: eyes", "{name: of app,", "{name: of app, key: first,", "- name: Leaver", "- name: Leaver\n    key: leaver"),
		"an export":         nil,
	} {
		r, people := newCompany(t)
		o := config.Options{Source: "files"}
		if _, err := r.apply(automated+"requirements: [{app: App, entitlement: \"group:others:member\", needs: [App/group:admins:member]}]\n", people["ana"], o); err != nil {
			t.Fatal(err)
		}
		text := r.export()
		if keys != nil {
			text = keys.Replace(automated + "requirements: [{app: App, entitlement: \"group:others:member\", needs: [App/group:admins:member]}]\n")
		}
		if plan, err := r.apply(text, people["ana"], o); err != nil || len(plan.Changes) != 0 {
			t.Fatalf("%s: %v\n%s", name, err, lines(plan))
		}
		renamed := strings.NewReplacer("name: App\n", "name: Application\n", "name: App,", "name: Application,", "app: App\n", "app: Application\n", "app: App,", "app: Application,", "- App/", "- Application/", "[App/", "[Application/",
			"Two eyes", "Four eyes", "of app", "of the app", "Leaver", "Left").Replace(text)
		plan, err := r.apply(renamed, people["ana"], o)
		if err != nil || len(plan.Unmanaged) != 0 {
			t.Fatalf("%s: %v\n%+v", name, err, plan.Unmanaged)
		}
		got := lines(plan)
		for _, want := range []string{"change application Application: name: App -> Application ", "change policy Four eyes: name: Two eyes -> Four eyes ", "change connector of the app: name: of app -> of the app ", "change automation Left of Application: name: Leaver -> Left "} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the plan does not say %q:\n%s", name, want, got)
			}
		}
		if strings.Contains(got, "create") || strings.Contains(got, "requirement") {
			t.Errorf("%s:\n%s", name, got)
		}
		n := r.events()
		if again, err := r.apply(renamed, people["ana"], o); err != nil || r.events() != n || len(again.Changes) != 0 {
			t.Errorf("%s: applied again: %v, %d events\n%s", name, err, r.events()-n, lines(again))
		}
		// A new object may take the name that is free now.
		if keys == nil {
			continue
		}
		more := strings.Replace(renamed, "apps:\n", "apps:\n  - {name: App, key: second}\n", 1)
		if plan, err := r.apply(more, people["ana"], o); err != nil || lines(plan) != "create application App: name:  -> App " {
			t.Errorf("%s: a new one: %v\n%s", name, err, lines(plan))
		}
		for wrong, want := range map[string]string{"key: a b": `the key "a b" is not made of`, "key: app": "is there twice"} {
			if _, err := reader.Read([]console.ConfigurationFile{{Name: "all.yaml", Text: strings.Replace(more, "key: second", wrong, 1)}}); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", wrong, err)
			}
		}
	}
}

// TestRoles maps entitlements to the roles of an app, those that no sync shows yet after the one that
// does, and exports them as they are.
func TestRoles(t *testing.T) {
	r := fixture{t, engines[0].open(t)}
	o := config.Options{Source: "files"}
	const file = `apps:
  - name: App
    roles:
      - {name: Owner, admin: true, accounts: human, entitlements: ["group:owners:member"]}
      - {name: Member, entitlements: ["group:members:member", "group:late:member"]}
      - {name: Robot, accounts: service, entitlements: ["group:robots:member"]}
    role_priority: highest
    minimum_admins: 2
connectors:
  - {name: of app, app: App}
`
	for range 2 {
		if _, err := r.apply(file, console.Console, o); err != nil {
			t.Fatal(err)
		}
	}
	before := r.export()
	var connector console.Connector
	r.view(func(tx *store.Tx) (err error) {
		connector, err = tx.ConnectorByName("of app")
		return err
	})
	roles := func() (all console.RoleMap) {
		r.view(func(tx *store.Tx) error {
			a, err := tx.App(connector.App)
			all = a.Roles
			return err
		})
		return all
	}
	ingesttest.Tenant{Groups: []ingesttest.Group{{ID: "owners", Name: "Owners"}, {ID: "members", Name: "Members"}, {ID: "robots", Name: "Robots"}}}.Apply(t, r.s, connector.ID, r.now())
	r.update(console.Console, func(tx *store.Tx) error { return config.ResolveAdmins(tx, connector.App) })
	got := roles()
	if len(got.Roles) != 3 || got.Priority != console.HighestWins || !got.Roles[0].Admin || len(got.Roles[0].Entitlements) != 1 || len(got.Roles[1].Entitlements) != 1 || got.Roles[2].Kind != console.AccountService {
		t.Errorf("after the sync: %+v", got)
	}
	if after := r.export(); after != before {
		t.Errorf("the export was\n%s\nand is\n%s", before, after)
	}
	n := r.events()
	if plan, err := r.apply(file, console.Console, o); err != nil || r.events() != n || len(plan.Changes) != 0 {
		t.Errorf("applied again: %v, %d events\n%s", err, r.events()-n, lines(plan))
	}
	plan, err := r.apply(strings.Replace(file, "name: Member", "name: Staff", 1), console.Console, o)
	if err != nil || !strings.Contains(lines(plan), "roles[2].name: Member -> Staff") || roles().Roles[1].Name != "Staff" {
		t.Errorf("%v\n%s", err, lines(plan))
	}
	plan, err = r.apply(strings.Replace(file, "role_priority: highest", "role_priority: lowest", 1), console.Console, o)
	if err != nil || !strings.Contains(lines(plan), "role_priority: highest -> lowest second-person") || roles().Priority != console.HighestWins {
		t.Errorf("a weaker map: %v\n%s", err, lines(plan))
	}
	for change, want := range map[[2]string]string{
		{"role_priority: highest", "role_priority: best"}:                      "role_priority is highest or lowest",
		{"accounts: service", "accounts: robots"}:                              "accounts is human, service or system",
		{"name: Member", "name: owner"}:                                        "role 2 has no name of its own",
		{"group:late:member", "group:owners:member"}:                           "gives two roles",
		{"minimum_admins: 2", "minimum_admins: 2\n    admin_entitlements: []"}: "exclude each other",
	} {
		if _, err := reader.Read([]console.ConfigurationFile{{Name: "a.yaml", Text: strings.Replace(file, change[0], change[1], 1)}}); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "a.yaml: line 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change[1], err)
		}
	}
}

// TestIncompatible declares incompatible entitlements once syncs show both, exports them, and ends the
// declaration if the files leave it out and are pruned.
func TestIncompatible(t *testing.T) {
	r, people := newCompany(t)
	o := config.Options{Source: "files"}
	file := company + "incompatible:\n  - {entitlements: [\"App/group:others:member\", \"App/group:admins:member\"], why: Four eyes}\n  - {entitlements: [\"App/group:late:member\", \"App/group:admins:member\"], why: Later}\n"
	for i := range 2 {
		n := r.events()
		plan, err := r.apply(file, people["ana"], o)
		if err != nil || !strings.Contains(lines(plan), "create incompatible entitlements App/group:admins:member and App/group:late:member: why:  -> Later sync") || i == 1 && r.events() != n {
			t.Fatalf("%v, %d events\n%s", err, r.events()-n, lines(plan))
		}
	}
	before := r.export()
	if !strings.Contains(before, "- App/group:late:member\n") {
		t.Errorf("the export:\n%s", before)
	}
	var connector console.Connector
	pairs := func() (n int) {
		r.view(func(tx *store.Tx) error {
			c, err := tx.ConnectorByName("of app")
			if err != nil {
				return err
			}
			connector = c
			all, err := tx.IncompatiblePairs()
			n = len(all)
			return err
		})
		return n
	}
	if pairs() != 1 {
		t.Errorf("%d pairs", pairs())
	}
	ingesttest.Tenant{Groups: []ingesttest.Group{{ID: "admins", Name: "Admins"}, {ID: "others", Name: "Others"}, {ID: "late", Name: "Late"}}}.Apply(t, r.s, connector.ID, r.now())
	r.update(console.Console, config.ResolveIncompatible)
	if pairs() != 2 || r.export() != before {
		t.Errorf("%d pairs\n%s", pairs(), r.export())
	}
	plan, err := r.apply(strings.Replace(file, "Four eyes", "Two eyes", 1), people["ana"], o)
	if err != nil || !strings.Contains(lines(plan), "why: Four eyes -> Two eyes") {
		t.Errorf("%v\n%s", err, lines(plan))
	}
	plan, err = r.apply(company, people["ana"], config.Options{Source: "files", Prune: true})
	if err != nil || pairs() != 0 || strings.Count(lines(plan), "remove incompatible") != 2 {
		t.Errorf("%v, %d pairs\n%s", err, pairs(), lines(plan))
	}
	for wrong, want := range map[string]string{
		"[{entitlements: [App/a], why: w}]":                                                "needs two entitlements",
		"[{entitlements: [App/a, App/b]}]":                                                 "needs two entitlements",
		"[{entitlements: [App/a, b], why: w}]":                                             "needs two entitlements",
		"[{entitlements: [App/a, App/a], why: w}]":                                         "not incompatible with itself",
		"[{entitlements: [App/a, App/b], why: w}, {entitlements: [App/b, App/a], why: x}]": "is there twice",
	} {
		if _, err := reader.Read([]console.ConfigurationFile{{Name: "a.yaml", Text: "incompatible: " + wrong}}); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.yaml: line 1") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := r.apply("incompatible: [{entitlements: [None/a, App/b], why: w}]", people["ana"], o); baton.KindOf(err) != baton.Invalid {
		t.Errorf("no app: %v", err)
	}
}
