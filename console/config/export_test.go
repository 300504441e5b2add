package config_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/console"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
	"baton/internal/longtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// hosted is a product with a secret, which the console can host.
var hosted = govern.Product{Name: "thing", DisplayName: "Thing", Settings: []baton.Setting{
	{Name: "base-url", DisplayName: "Base URL", Required: true}, {Name: "api-token", DisplayName: "API token", Kind: baton.SecretSetting, Required: true}},
	Open: func(baton.Values, rest.Options) (*baton.Connector, error) { return &baton.Connector{}, nil }}

var reader = config.Reader{MinInterval: time.Minute, Products: []govern.Product{hosted}}

// engines open empty stores of both databases.
var engines = []struct {
	name string
	open func(*testing.T) *store.Store
}{
	{"sqlite", func(t *testing.T) *store.Store {
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, keyring(t))
		return opened(t, s, err)
	}},
	{"postgres", func(t *testing.T) *store.Store {
		s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Now: noon}, keyring(t))
		return opened(t, s, err)
	}},
}

func keyring(t *testing.T) *store.Keyring {
	t.Helper()
	keys, err := store.NewKeyring("k", map[string][]byte{"k": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func opened(t *testing.T, s *store.Store, err error) *store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fixture is a store with the console as the one who applies.
type fixture struct {
	t *testing.T
	s *store.Store
}

func (r fixture) read(text string) *config.File {
	r.t.Helper()
	f, err := reader.Read([]console.ConfigurationFile{{Name: "all.yaml", Text: text}})
	if err != nil {
		r.t.Fatalf("%v\n%s", err, text)
	}
	return f
}

// now is a second later after each event, so that what is newer has a later time.
func (r fixture) now() time.Time { return noon.Add(time.Duration(r.events()) * time.Second) }

func (r fixture) apply(text string, by console.Actor, o config.Options) (console.ConfigurationPlan, error) {
	r.t.Helper()
	_, plan, err := r.read(text).Apply(r.t.Context(), r.s, console.By{At: r.now(), Actor: by}, o)
	return plan, err
}

func (r fixture) plan(text string, by console.Actor, o config.Options) console.ConfigurationPlan {
	r.t.Helper()
	plan, err := r.read(text).Plan(r.t.Context(), r.s, console.By{At: r.now(), Actor: by}, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return plan
}

func (r fixture) export() (text string) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		b, err := config.Export(tx)
		text = string(b)
		return err
	})
	return text
}

func (r fixture) view(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.s.View(r.t.Context(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r fixture) update(by console.Actor, fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.s.Update(context.Background(), console.By{At: r.now(), Actor: by}, fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r fixture) events() (n int64) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		h, err := tx.ChainHead()
		n = h.Number
		return err
	})
	return n
}

// odd are names that a writer of YAML must quote, or that look like something else.
var odd = []string{"yes", "null", "~", "1e3", "0x1F", "2026-11-29", "a: b", "- item", "# none", "'single'", `"double"`, "trailing ", " leading", "two  spaces", "Ünïcode", "日本", "=", "<<", "{a}", "[b]",
	"*alias", "&anchor", "!tag", "%25", "back\\slash", "true", "NaN", "...", "---", "a#b", "x | y", "> folded", "\u2028line", "é́"}

// randomFile returns a configuration that a company could have, with odd names.
func randomFile(r *rand.Rand) config.File {
	var f config.File
	name := func(kind string, i int) string { return fmt.Sprintf("%s %s %d", odd[r.IntN(len(odd))], kind, i) }
	var emails []string
	for i := range 1 + r.IntN(6) {
		p := config.Person{Email: fmt.Sprintf("p%d@example.test", i), Name: name("person", i)}
		if i > 0 && r.IntN(2) == 0 {
			p.Manager = emails[r.IntN(len(emails))]
		}
		for _, role := range console.ConsoleRoles() {
			if r.IntN(4) == 0 {
				p.Roles = append(p.Roles, role)
			}
		}
		emails = append(emails, p.Email)
		f.People = append(f.People, p)
	}
	some := func(all []string) (chosen []string) {
		for _, x := range all {
			if r.IntN(3) == 0 {
				chosen = append(chosen, x)
			}
		}
		return chosen
	}
	var policies []string
	for i := range r.IntN(4) {
		steps := []console.PolicyStep{{Name: name("step", i), Ask: []console.Approver{{Kind: console.ApproverManager}, {Kind: console.ApproverPerson, Person: console.ID(emails[0])}},
			Fallback: []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}}, Distinct: r.IntN(2) == 0, Limit: console.Duration(time.Duration(r.IntN(100)) * time.Hour)}}
		p := config.Policy{Name: name("policy", i), Rules: []console.PolicyRule{{When: `request.duration <= duration("1h")`, Outcome: console.OutcomeApprove}, {Name: name("rule", i), Outcome: console.OutcomeAsk, Steps: steps}}}
		policies = append(policies, p.Name)
		f.Policies = append(f.Policies, p)
	}
	if r.IntN(3) == 0 {
		f.Policies = append(f.Policies, config.Policy{Name: "Standard", Rules: []console.PolicyRule{{Outcome: console.OutcomeDeny, Why: name("reason", 0)}}})
	}
	for i := range r.IntN(5) {
		a := config.App{Name: name("app", i), Owners: some(emails), AdminEntitlements: some([]string{"group:a:member", "group:b:member", odd[r.IntN(len(odd))]})}
		if n := r.IntN(4); n > 0 {
			a.MinimumAdmins = &n
		}
		if r.IntN(3) == 0 {
			a.AdminEntitlements, a.RolePriority = nil, []console.Priority{"", console.HighestWins}[r.IntN(2)]
			a.Roles = []config.Role{{Name: odd[r.IntN(len(odd))], Admin: true, Entitlements: []string{"group:a:member"}}, {Name: "Member", Accounts: "service", Entitlements: some([]string{"group:b:member", "group:c:member"})}}
		}
		if r.IntN(3) == 0 {
			f.Incompatible = append(f.Incompatible, config.Incompatible{Entitlements: []string{a.Name + "/group:b:member", a.Name + "/group:a/b:member"}, Why: odd[r.IntN(len(odd))]})
		}
		if r.IntN(3) == 0 {
			a.Seats = &config.Seats{Purchased: 1 + r.IntN(100), Renewal: "2027-01-31", Block: r.IntN(2) == 0, Otherwise: some([]string{odd[r.IntN(len(odd))]})}
		}
		if len(policies) > 0 && r.IntN(2) == 0 {
			a.Policies.Request = policies[r.IntN(len(policies))]
		}
		if r.IntN(3) == 0 {
			a.Policies.Emergency = "Emergency"
		}
		f.Apps = append(f.Apps, a)
		for j := range r.IntN(3) {
			c := config.Connector{Name: fmt.Sprintf("connector-%d-%d", i, j), App: a.Name, Product: "baton-x", Owners: some(emails), Interval: config.Duration(time.Duration(1+r.IntN(300)) * time.Minute)}
			switch r.IntN(4) {
			case 0:
				c.Interval, c.Cron, c.Zone = 0, "30 2 * * 1-5", "Europe/Berlin"
			case 1:
				yes := true
				c.Directory = &yes
			case 2:
				c.Uploaded = true
			}
			f.Connectors = append(f.Connectors, c)
		}
		for j := range r.IntN(3) {
			f.Automations = append(f.Automations, randomAutomation(r, a.Name, name("automation", j), emails[r.IntN(len(emails))]))
		}
		if r.IntN(2) == 0 {
			f.Requirements = append(f.Requirements, config.Requirement{App: a.Name, Entitlement: "group:a:member", Needs: []string{"Courses/" + odd[r.IntN(len(odd))]}, WithinMonths: r.IntN(24), Mode: console.RequirementEnforce})
		}
	}
	for i := range r.IntN(3) {
		f.OIDC = append(f.OIDC, config.Provider{Name: fmt.Sprintf("provider-%d", i), Label: name("provider", i), Issuer: fmt.Sprintf("https://p%d.example.test", i), ClientID: odd[r.IntN(len(odd))] + "c",
			GroupsClaim: "groups", Groups: map[string][]console.ConsoleRole{odd[r.IntN(len(odd))]: {console.Auditor}}, AddPeople: r.IntN(2) == 0, Off: r.IntN(2) == 0})
	}
	if r.IntN(2) == 0 {
		f.Mail = &config.Mail{Host: "smtp.example.test", From: "a@example.test", TLS: console.MailImplicit}
	}
	if r.IntN(2) == 0 {
		days := 400
		f.Retention = &config.Retention{HistoryDays: &days}
	}
	return f
}

// randomAutomation returns an automation, some of which wait for a sync.
func randomAutomation(r *rand.Rand, app, name, owner string) config.Automation {
	d := config.Automation{Name: name, App: app, Owner: owner, Draft: r.IntN(4) == 0, Paused: r.IntN(4) == 0}
	d.Trigger = []config.Trigger{
		{Kind: console.TriggerPersonDisabled, When: `subject.email != ""`},
		{Kind: console.TriggerSchedule, Every: console.Duration(time.Duration(1+r.IntN(40)) * time.Hour), Each: true},
		{Kind: console.TriggerOnDemand, Form: []config.Question{{Name: "why", Label: odd[r.IntN(len(odd))], Required: true}}},
		{Kind: console.TriggerGrantFound, Entitlement: "group:a:member", Origin: console.OriginUnexplained},
		{Kind: console.TriggerWebhook, Hook: odd[r.IntN(len(odd))], Person: "message.user.email"},
	}[r.IntN(5)]
	d.Steps = []config.Step{{ID: "tell", Kind: console.StepMail, To: console.MailAppOwners, Subject: odd[r.IntN(len(odd))], Text: "said " + odd[r.IntN(len(odd))] + "\nsecond line"}}
	switch r.IntN(3) {
	case 0:
		d.Steps = append(d.Steps, config.Step{ID: "make", Kind: console.StepCreate, Fields: map[string]string{"email": "=subject.email", "team": odd[r.IntN(len(odd))]}})
	case 1:
		d.Steps = append(d.Steps, config.Step{ID: "out", Kind: console.StepRevoke, Entitlement: "group:a:member", Skip: `account.id == ""`})
	}
	if r.IntN(2) == 0 {
		d.Limits = config.StepsLimits{Runs: r.IntN(9), Period: console.Duration(time.Hour)}
	}
	return d
}

// asJSON returns a file as JSON, which is YAML without the styles of texts.
func asJSON(t *testing.T, f *config.File) string {
	t.Helper()
	all, err := config.Tree(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExportApply applies random configurations. What an export says, applied to an empty console, gives
// the same export; applied again, it changes nothing.
func TestExportApply(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			seeds := longtest.Pick(12, 300)
			if e.name == "postgres" {
				seeds = longtest.Pick(2, 30)
			}
			for seed := range seeds {
				f := randomFile(rand.New(rand.NewPCG(uint64(seed), 7)))
				text := asJSON(t, &f)
				from, to := fixture{t, e.open(t)}, fixture{t, e.open(t)}
				if _, err := from.apply(text, console.Console, config.Options{Source: "files"}); err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, text)
				}
				export := from.export()
				if again := from.export(); again != export {
					t.Fatalf("seed %d: two exports differ", seed)
				}
				if _, err := to.apply(export, console.Console, config.Options{Source: "files"}); err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, export)
				}
				if got := to.export(); got != export {
					t.Fatalf("seed %d: an empty console has\n%s\nwant\n%s", seed, got, export)
				}
				n := to.events()
				plan, err := to.apply(export, console.Console, config.Options{Source: "files"})
				if err != nil || to.events() != n || slices.ContainsFunc(plan.Changes, func(d console.ConfigurationDifference) bool { return !d.Waits() }) {
					t.Fatalf("seed %d: applied again: %v, %d events, %+v", seed, err, to.events()-n, plan.Changes)
				}
				files, err := config.Split([]byte(export))
				if err != nil {
					t.Fatal(err)
				}
				parts, err := reader.Read(files)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if plan, err := parts.Plan(t.Context(), to.s, console.By{At: noon, Actor: console.Console}, config.Options{Source: "files"}); err != nil || slices.ContainsFunc(plan.Changes, func(d console.ConfigurationDifference) bool { return !d.Waits() }) {
					t.Fatalf("seed %d: the parts of the export: %v, %+v", seed, err, plan.Changes)
				}
			}
		})
	}
}
