package config_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// company is a configuration with an app whose administrators are guarded.
const company = `
people:
  - {email: ana@example.test, name: Ana, roles: [super-administrator]}
  - {email: ben@example.test, name: Ben, roles: [security-officer]}
apps:
  - {name: App, owners: [ana@example.test], admin_entitlements: ["group:admins:member"], minimum_admins: 2, policies: {request: Two eyes}}
policies:
  - name: Two eyes
    rules:
      - {outcome: ask, steps: [{ask: [manager], limit: 2d}, {ask: [app-owner]}]}
connectors:
  - {name: of app, app: App, interval: 1h}
`

// company applies the configuration and a sync, and returns the people by name.
func newCompany(t *testing.T) (r fixture, people map[string]console.Actor) {
	t.Helper()
	r = fixture{t, engines[0].open(t)}
	if _, err := r.apply(company, console.Console, config.Options{Source: "files"}); err != nil {
		t.Fatal(err)
	}
	people = map[string]console.Actor{}
	var connector, app console.ID
	r.view(func(tx *store.Tx) error {
		for _, name := range []string{"ana", "ben"} {
			p, err := tx.PersonByEmail(name + "@example.test")
			if err != nil {
				return err
			}
			people[name] = console.ByPerson(p.ID)
		}
		c, err := tx.ConnectorByName("of app")
		connector, app = c.ID, c.App
		return err
	})
	ingesttest.Tenant{Groups: []ingesttest.Group{{ID: "admins", Name: "Admins"}, {ID: "others", Name: "Others"}}}.Apply(t, r.s, connector, noon)
	r.update(console.Console, func(tx *store.Tx) error { return config.ResolveAdmins(tx, app) })
	return r, people
}

// lines returns the changes of a plan as text.
func lines(p console.ConfigurationPlan) string {
	var all []string
	for _, c := range p.Changes {
		for _, f := range c.Fields {
			all = append(all, fmt.Sprintf("%s %s %s: %s: %s -> %s %s", c.Do, c.Kind, c.Name, f.Field, f.Before, f.After, f.Waits))
		}
		if len(c.Fields) == 0 {
			all = append(all, fmt.Sprintf("%s %s %s", c.Do, c.Kind, c.Name))
		}
	}
	return strings.Join(all, "\n")
}

// TestPlan compares what a plan says with what applying does.
func TestPlan(t *testing.T) {
	r, people := newCompany(t)
	changed := strings.NewReplacer("name: Ben", "name: Benjamin", "interval: 1h", "interval: 2h", "{ask: [manager], limit: 2d}", "{ask: [manager], limit: 2d, comment: true}",
		"minimum_admins: 2", "minimum_admins: 3").Replace(company) + "  - {name: another, app: App}\n"
	n := r.events()
	plan := r.plan(changed, people["ana"], config.Options{Source: "files"})
	const want = `change person Benjamin: name: Ben -> Benjamin 
change application App: minimum_admins: 2 -> 3 
change policy Two eyes: rules[1].steps[1].comment:  -> true 
change connector of app: interval: 1h -> 2h 
create connector another: app:  -> App 
create connector another: name:  -> another `
	if got := lines(plan); got != want {
		t.Errorf("plan:\n%s\nwant:\n%s", got, want)
	}
	if r.events() != n {
		t.Error("the plan changed something")
	}
	if _, err := r.apply(changed, people["ana"], config.Options{Source: "files", Digest: "another"}); baton.KindOf(err) != baton.Refused || r.events() != n {
		t.Errorf("another plan: %v", err)
	}
	done, err := r.apply(changed, people["ana"], config.Options{Source: "files", Digest: plan.Digest})
	if err != nil || lines(done) != want {
		t.Errorf("applied: %v\n%s", err, lines(done))
	}
	if plan := r.plan(changed, people["ana"], config.Options{Source: "files"}); len(plan.Changes) != 0 {
		t.Errorf("afterwards: %s", lines(plan))
	}
}

// TestWeakening applies changes that weaken a control, as a person. Each waits for a second person, once.
func TestWeakening(t *testing.T) {
	r, people := newCompany(t)
	o := config.Options{Source: "files"}
	for name, edit := range map[string]*strings.Replacer{
		"the minimum":     strings.NewReplacer("minimum_admins: 2", "minimum_admins: 1"),
		"the owners":      strings.NewReplacer("owners: [ana@", "owners: [ben@"),
		"the admin mark":  strings.NewReplacer(`admin_entitlements: ["group:admins:member"]`, "admin_entitlements: []"),
		"more admins":     strings.NewReplacer(`["group:admins:member"]`, `["group:admins:member", "group:others:member"]`),
		"the policy":      strings.NewReplacer("limit: 2d}, {ask: [app-owner]}]", "limit: 2d}]"),
		"another policy":  strings.NewReplacer("request: Two eyes", "request: Emergency"),
		"anybody decides": strings.NewReplacer("{outcome: ask, steps: [{ask: [manager], limit: 2d}, {ask: [app-owner]}]}", "{outcome: approve}"),
	} {
		text := edit.Replace(company)
		before := r.export()
		plan, err := r.apply(text, people["ana"], o)
		if err != nil || len(plan.Changes) == 0 || !plan.Changes[0].Waits() || plan.Changes[0].Fields[0].Waits != console.WaitsForSecondPerson {
			t.Fatalf("%s: %v\n%s", name, err, lines(plan))
		}
		if r.export() != before {
			t.Fatalf("%s: it took effect", name)
		}
		n := r.events()
		if again, err := r.apply(text, people["ana"], o); err != nil || r.events() != n || lines(again) != lines(plan) {
			t.Fatalf("%s: applied again: %v, %d events more\n%s", name, err, r.events()-n, lines(again))
		}
		var open []console.Amendment
		r.view(func(tx *store.Tx) (err error) {
			open, err = tx.OpenAmendments()
			return err
		})
		if len(open) != 1 || open[0].Author != people["ana"].Person() {
			t.Fatalf("%s: %+v", name, open)
		}
		r.update(people["ben"], func(tx *store.Tx) error { return tx.DecideAmendment(open[0].ID, console.AmendmentDiscarded) })
		n = r.events()
		if again, err := r.apply(text, people["ana"], o); err != nil || r.events() != n || again.Changes[0].Fields[0].Waits != console.WaitsDiscarded {
			t.Fatalf("%s: after it was discarded: %v, %d events more\n%s", name, err, r.events()-n, lines(again))
		}
		if _, err := r.apply(company, people["ana"], o); err != nil {
			t.Fatal(err)
		}
		if r.export() != before {
			t.Fatalf("%s: the old files changed something", name)
		}
	}
}

// TestPrune removes what the files described before, only if that is asked for.
func TestPrune(t *testing.T) {
	r, people := newCompany(t)
	more := company + "  - {name: another, app: App}\nrequirements: []\noidc:\n  - {name: okta, issuer: 'https://okta.example.test', client_id: c}\n"
	more = strings.Replace(more, "apps:\n", "apps:\n  - {name: Unused}\n", 1)
	if _, err := r.apply(more, people["ana"], config.Options{Source: "files"}); err != nil {
		t.Fatal(err)
	}
	r.update(console.Console, func(tx *store.Tx) error {
		_, err := tx.AddApp(console.App{Name: "By hand"})
		return err
	})
	before := r.export()
	plan, err := r.apply(company, people["ana"], config.Options{Source: "files"})
	if err != nil || len(plan.Changes) != 0 || len(plan.Unmanaged) != 3 || r.export() != before {
		t.Fatalf("without pruning: %v, %+v", err, plan)
	}
	if _, err := r.apply(company, people["ana"], config.Options{Source: "other", Prune: true}); err != nil || r.export() != before {
		t.Fatalf("another source: %v", err)
	}
	plan, err = r.apply(company, people["ana"], config.Options{Source: "files", Prune: true})
	const want = "remove connector another\nremove application Unused\nremove identity provider okta"
	if err != nil || lines(plan) != want {
		t.Fatalf("%v\n%s", err, lines(plan))
	}
	after := r.export()
	if strings.Contains(after, "Unused") || strings.Contains(after, "another") || strings.Contains(after, "okta") || !strings.Contains(after, "By hand") {
		t.Errorf("after pruning:\n%s", after)
	}
	noRoles := strings.Replace(company, "  - {email: ben@example.test, name: Ben, roles: [security-officer]}\n", "", 1)
	plan, err = r.apply(noRoles, people["ana"], config.Options{Source: "files", Prune: true})
	if err != nil || lines(plan) != "remove person Ben: roles: security-officer ->  " {
		t.Errorf("a person: %v\n%s", err, lines(plan))
	}
	nobody := strings.Replace(noRoles, "  - {email: ana@example.test, name: Ana, roles: [super-administrator]}\n", "  - {email: cem@example.test, name: Cem}\n", 1)
	nobody = strings.Replace(nobody, "ana@example.test", "cem@example.test", 1)
	if _, err := r.apply(nobody, people["ana"], config.Options{Source: "files", Prune: true}); baton.KindOf(err) != baton.Refused {
		t.Errorf("nobody could administer the console: %v", err)
	}
}

// TestDrift shows what was changed by hand since files were applied.
func TestDrift(t *testing.T) {
	r, people := newCompany(t)
	drift := func() string {
		t.Helper()
		var all []console.ConfigurationDifference
		r.view(func(tx *store.Tx) (err error) {
			all, err = config.Drift(tx, "files")
			return err
		})
		return lines(console.ConfigurationPlan{Changes: all})
	}
	if got := drift(); got != "" {
		t.Fatalf("at first: %s", got)
	}
	r.update(people["ben"], func(tx *store.Tx) error {
		c, err := tx.ConnectorByName("of app")
		if err != nil {
			return err
		}
		c.Interval, c.Directory = 3*time.Hour, true // the files do not say whether it is a directory
		if err := tx.ChangeConnector(c); err != nil {
			return err
		}
		p, err := tx.PersonByEmail("ben@example.test")
		if err != nil {
			return err
		}
		return tx.SetRoles(p.ID, []console.ConsoleRole{console.SecurityOfficer, console.Auditor})
	})
	const want = "change connector of app: interval: 3h -> 1h \nchange person Ben: roles: auditor, security-officer -> security-officer "
	if got := drift(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, err := r.apply(company, people["ana"], config.Options{Source: "files"}); err != nil || drift() != "" {
		t.Errorf("after applying: %v, %s", err, drift())
	}
	// What waits for a second person is drift until that person confirms it.
	if _, err := r.apply(strings.Replace(company, "minimum_admins: 2", "minimum_admins: 1", 1), people["ana"], config.Options{Source: "files"}); err != nil || drift() != "change application App: minimum_admins: 2 -> 1 " {
		t.Errorf("%v, %s", err, drift())
	}
}

// TestByProgram applies files with a credential: it can neither give roles nor change how people sign in.
func TestByProgram(t *testing.T) {
	r, people := newCompany(t)
	o := config.Options{Source: "files", Program: true}
	plan, err := r.apply(strings.Replace(company, "roles: [security-officer]", "roles: [security-officer, super-administrator]", 1)+"\n", people["ana"], o)
	if err != nil || lines(plan) != "change person Ben: roles: security-officer -> security-officer, super-administrator second-person" {
		t.Fatalf("%v\n%s", err, lines(plan))
	}
	plan, err = r.apply(strings.Replace(company, "apps:", "  - {email: cem@example.test, name: Cem, roles: [super-administrator]}\napps:", 1), people["ana"], o)
	if err != nil || !strings.Contains(lines(plan), "roles:  -> super-administrator second-person") {
		t.Fatalf("somebody new: %v\n%s", err, lines(plan))
	}
	r.view(func(tx *store.Tx) error {
		for _, email := range []string{"ben@example.test", "cem@example.test"} {
			p, err := tx.PersonByEmail(email)
			if err != nil || slices.Contains(p.Roles, console.SuperAdministrator) {
				t.Errorf("%+v, %v", p, err)
			}
		}
		return nil
	})
	n := r.events()
	if _, err := r.apply(company+"oidc:\n  - {name: okta, issuer: 'https://okta.example.test', client_id: c}\n", people["ana"], o); baton.KindOf(err) != baton.PermissionDenied || r.events() != n {
		t.Errorf("a provider: %v", err)
	}
}

// TestSecretsStay keeps secrets that files do not give, and does not send them to another address.
func TestSecretsStay(t *testing.T) {
	r := fixture{t, engines[0].open(t)}
	file := "apps: [{name: App}]\nconnectors:\n  - {name: c, app: App, product: thing, hosted: true, settings: {base-url: 'https://a.example.test', api-token: s3cret}}\n"
	o := config.Options{Source: "files"}
	plan, err := r.apply(file, console.Console, o)
	if err != nil || strings.Contains(fmt.Sprint(plan), "s3cret") || !strings.Contains(lines(plan), "settings.api-token:  -> (new value)") {
		t.Fatalf("%v\n%s", err, lines(plan))
	}
	if export := r.export(); strings.Contains(export, "s3cret") || !strings.Contains(export, "base-url: https://a.example.test") {
		t.Fatalf("export:\n%s", export)
	}
	token := func() string {
		var s baton.Secret
		r.view(func(tx *store.Tx) error {
			c, err := tx.ConnectorByName("c")
			if err == nil {
				s, err = tx.ConnectorSecret(c.ID, "api-token")
			}
			return err
		})
		return s.Reveal()
	}
	n := r.events()
	if _, err := r.apply(r.export(), console.Console, o); err != nil || token() != "s3cret" {
		t.Errorf("without the secret: %v, %q", err, token())
	}
	if got := r.events() - n; got > 1 { // the files name more fields than before
		t.Errorf("%d events", got)
	}
	moved := strings.Replace(r.export(), "https://a.", "https://b.", 1)
	if _, err := r.apply(moved, console.Console, o); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "Base URL") {
		t.Errorf("another address: %v", err)
	}
	secret := func(name string) (baton.Secret, error) {
		if name != "token" {
			return baton.Secret{}, errors.New("no such file")
		}
		return baton.NewSecret("n3w"), nil
	}
	with := config.Reader{MinInterval: time.Minute, Products: reader.Products, Secret: secret}
	for name, want := range map[string]string{"token": "", "other": "no such file"} {
		text := strings.Replace(moved, "base-url:", "api-token-file: "+name+"\n      base-url:", 1)
		f, err := with.Read([]console.ConfigurationFile{{Name: "c.yaml", Text: text}})
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "c.yaml: line") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			_, _, err = f.Apply(t.Context(), r.s, console.By{At: noon, Actor: console.Console}, o)
		}
		if err != nil || token() != "n3w" {
			t.Errorf("%s: %v, %q", name, err, token())
		}
	}
}
