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

// automated is a company with automations of several kinds.
const automated = company + `automations:
  - name: Leaver
    app: App
    owner: ana@example.test
    trigger: {kind: person-disabled}
    steps:
      - {id: disable, kind: disable-account, skip: 'account.id == ""'}
      - {id: tell, kind: mail, to: app-owners, subject: Gone, text: '=subject.name'}
    limits: {runs: 5, period: 1d}
  - name: Nightly
    app: App
    owner: ana@example.test
    trigger: {kind: schedule, cron: 0 3 * * *, zone: Europe/Berlin}
    steps: [{id: other, kind: run, automation: By hand}]
  - name: By hand
    app: App
    owner: ana@example.test
    paused: true
    trigger: {kind: on-demand, form: [{name: why, label: Why, required: true}]}
    steps: [{id: pause, kind: wait, for: 2d}, {id: out, kind: revoke, entitlement: "group:others:member"}]
  - name: Idea
    app: App
    owner: ben@example.test
    draft: true
    trigger: {kind: grant-found, origin: unexplained}
`

// automation returns an automation of the app; nil if it is not there.
func (r fixture) automation(name string) (found *console.Automation) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		all, err := tx.Automations("")
		for _, a := range all {
			if a.Name == name {
				found = &a
			}
		}
		return err
	})
	return found
}

// TestAutomations applies automations: they are published, in whatever order the files have them, and
// applying them again changes nothing. A changed one gets another version.
func TestAutomations(t *testing.T) {
	r, people := newCompany(t)
	o := config.Options{Source: "files"}
	plan, err := r.apply(automated, people["ana"], o)
	if err != nil {
		t.Fatal(err)
	}
	if text := lines(plan); !strings.Contains(text, "create automation Leaver of App: steps[2].subject:  -> Gone") || strings.Contains(text, "second-person") {
		t.Errorf("%s", text)
	}
	for name, want := range map[string]struct {
		published int
		state     console.AutomationState
	}{"Leaver": {1, console.AutomationOn}, "Nightly": {1, console.AutomationOn}, "By hand": {1, console.AutomationPaused}, "Idea": {0, console.AutomationOn}} {
		if a := r.automation(name); a == nil || a.Published != want.published || a.State != want.state || a.Author != people["ana"].Person() {
			t.Errorf("%s: %+v", name, a)
		}
	}
	n := r.events()
	if again, err := r.apply(automated, people["ana"], o); err != nil || r.events() != n || len(again.Changes) != 0 {
		t.Errorf("applied again: %v, %d events more\n%s", err, r.events()-n, lines(again))
	}
	plan, err = r.apply(strings.Replace(automated, "runs: 5", "runs: 6", 1), people["ana"], o)
	if a := r.automation("Leaver"); err != nil || lines(plan) != "change automation Leaver of App: limits.runs: 5 -> 6 " || a.Published != 2 {
		t.Errorf("%v\n%s\n%+v", err, lines(plan), a)
	}
	// Files do not resume what a person paused.
	leaver := r.automation("Leaver")
	r.update(people["ben"], func(tx *store.Tx) error {
		return tx.SetAutomationState(leaver.ID, console.AutomationPaused, "by hand")
	})
	if _, err := r.apply(automated, people["ana"], o); err != nil || r.automation("Leaver").State != console.AutomationPaused {
		t.Errorf("%v, %+v", err, r.automation("Leaver"))
	}
	if _, err := r.apply(strings.Replace(automated, "owner: ana@example.test\n    trigger: {kind: person", "owner: ana@example.test\n    draft: true\n    trigger: {kind: person", 1), people["ana"], o); baton.KindOf(err) != baton.Refused || baton.FixOf(err) == "" {
		t.Errorf("a published automation as a draft: %v", err)
	}
	plan, err = r.apply(company, people["ana"], config.Options{Source: "files", Prune: true})
	if err != nil || strings.Count(lines(plan), "remove automation") != 4 || r.automation("Leaver") != nil {
		t.Errorf("pruned: %v\n%s", err, lines(plan))
	}
}

// TestAutomationsThatWait applies automations that give access, or that name what is not there yet. Nothing
// runs before somebody else, or a sync, makes it possible.
func TestAutomationsThatWait(t *testing.T) {
	r, people := newCompany(t)
	o := config.Options{Source: "files"}
	gives := company + `automations:
  - {name: Joiner, app: App, owner: ana@example.test, trigger: {kind: person-created}, steps: [{id: account, kind: create-account}]}
`
	for range 2 {
		plan, err := r.apply(gives, people["ana"], o)
		if err != nil || !strings.Contains(lines(plan), "-> true second-person") || r.automation("Joiner").Published != 0 {
			t.Fatalf("%v\n%s", err, lines(plan))
		}
	}
	export := r.export()
	if strings.Contains(export, "draft: true") {
		t.Errorf("the export of what waits:\n%s", export)
	}
	if plan, err := r.apply(gives, people["ben"], config.Options{Source: "files", Program: true}); err != nil || r.automation("Joiner").Published != 0 {
		t.Errorf("a program: %v\n%s", err, lines(plan))
	}
	r.update(people["ana"], func(tx *store.Tx) error {
		return tx.SetRoles(people["ben"].Person(), []console.ConsoleRole{console.SecurityOfficer, console.SuperAdministrator})
	})
	both := strings.Replace(gives, "roles: [security-officer]", "roles: [security-officer, super-administrator]", 1)
	if _, err := r.apply(both, people["ben"], o); err != nil || r.automation("Joiner").Published != 1 || r.automation("Joiner").Author != people["ana"].Person() {
		t.Fatalf("a second person: %v, %+v", err, r.automation("Joiner"))
	}

	late := company + `automations:
  - {name: Course, app: App, owner: ana@example.test, trigger: {kind: course-completed, from: Courses, entitlement: Security Basics}, steps: [{id: tell, kind: mail, to: subject, subject: Well done}]}
  - {name: Hooked, app: App, owner: ana@example.test, trigger: {kind: webhook, hook: Payroll}, steps: [{id: tell, kind: mail, to: owner, subject: Paid}]}
  - {name: Act, app: App, owner: ana@example.test, trigger: {kind: person-disabled}, steps: [{id: act, kind: action, connector: of app, action: disable_user, fields: {user_id: =account.id}}]}
  - {name: After it, app: App, owner: ana@example.test, trigger: {kind: on-demand}, steps: [{id: course, kind: run, automation: Course}]}
`
	late = strings.Replace(late, "apps:\n", "apps:\n  - {name: Courses}\n", 1)
	late = strings.Replace(late, "connectors:\n", "connectors:\n  - {name: school, app: Courses}\n", 1)
	for range 2 {
		plan, err := r.apply(late, people["ana"], o)
		if text := lines(plan); err != nil || !strings.Contains(text, "create automation Course: name:  -> Course sync") || !strings.Contains(text, "Hooked named") || !strings.Contains(text, "After it named") || !strings.Contains(text, "automation Act of App: published: ") {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if r.automation("Course") != nil || !strings.Contains(r.export(), "name: Course\n") {
		t.Errorf("the export:\n%s", r.export())
	}
	var school console.ID
	r.view(func(tx *store.Tx) error {
		c, err := tx.ConnectorByName("school")
		school = c.ID
		return err
	})
	ingesttest.Tenant{Courses: []ingesttest.Course{{ID: "security", Name: "Security Basics"}}}.Apply(t, r.s, school, r.now())
	r.update(console.Console, config.ResolveAutomations)
	if a, b := r.automation("Course"), r.automation("After it"); a == nil || a.Published != 1 || b == nil || b.Published != 1 || r.automation("Hooked") != nil {
		t.Errorf("after the sync: %+v, %+v", a, b)
	}
	if a := r.automation("Act"); a == nil || a.Published != 0 {
		t.Errorf("before the connector says which actions it offers: %+v", a)
	}
	n := r.events()
	r.update(console.Console, config.ResolveAutomations)
	if r.events() != n {
		t.Errorf("%d events more", r.events()-n)
	}
}

// TestWrongAutomations refuses automations that cannot be meant, by name and line.
func TestWrongAutomations(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"kind: person-disabled", "kind: person-gone"}:                       `all.yaml: line 14: automation Leaver: the trigger: there is no kind of triggers "person-gone"`,
		{"kind: disable-account", "kind: delete-account"}:                    `line 14: automation Leaver: step 1: there is no kind of steps "delete-account"`,
		{`account.id == ""`, `account.id = ""`}:                              "line 14: automation Leaver: step 1: skip:",
		{"id: tell", "id: disable"}:                                          `line 14: automation Leaver: step 2: another step is called "disable"`,
		{"runs: 5", "runs: -5"}:                                              "line 14: automation Leaver: the limits are from 1",
		{"owner: ben@example.test", "owner: ben"}:                            "line 33: automation 4 needs a name, an app and an owner",
		{"name: Idea", "name: Leaver"}:                                       `line 33: the automation "Leaver of App" is there twice, before in all.yaml: line 14`,
		{"subject: Gone, ", ""}:                                              "line 14: automation Leaver: step 2: the mail has no recipient or no subject",
		{"zone: Europe/Berlin", "zone: Mars"}:                                "line 22: automation Nightly: there is no time zone",
		{"origin: unexplained", "origin: unexplained, colour: red"}:          "line 37: field colour is not known",
		{"paused: true", "paused: maybe"}:                                    "line 30: cannot unmarshal",
		{"run, automation: By hand", "action, connector: none, action: run"}: `all.yaml: line 22: automation Nightly: step 1: there is no connector "none"`,
		{"app: App\n    owner: ben", "app: Other\n    owner: ben"}:           `all.yaml: line 33: automation Idea: there is no app "Other"`,
		{"owner: ben@", "owner: nobody@"}:                                    `all.yaml: line 33: owner of automation Idea: nobody has the address "nobody@example.test"`,
	} {
		text := strings.Replace(automated, change[0], change[1], 1)
		if text == automated {
			t.Fatalf("%q is not in the file", change[0])
		}
		f, err := reader.Read([]console.ConfigurationFile{{Name: "all.yaml", Text: text}})
		if err == nil {
			r, people := newCompany(t)
			n := r.events()
			if _, _, err = f.Apply(t.Context(), r.s, console.By{At: r.now(), Actor: people["ana"]}, planned); r.events() != n {
				t.Errorf("%s: something was applied", change[1])
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || baton.FixOf(err) == "" {
			t.Errorf("%s: %v, want %q", change[1], err, want)
		}
	}
}
