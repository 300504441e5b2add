package hosted_test

import (
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// TestProvisioning fills the fields of new accounts with an expression, tests it, makes an
// account by hand, welcomes its person, and offers the actions that fit the account.
func TestProvisioning(t *testing.T) {
	c := newCourse(t)
	ctx := t.Context()
	var person console.ID
	c.update(func(tx *store.Tx) (err error) {
		person, err = tx.AddPerson(console.Person{Name: "van Dijk, Noor", Emails: []string{"noor@acme.example"}})
		return err
	})
	v, err := c.console.Provisioning(ctx, c.caller, c.app)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Connectors) != 1 || !v.Connectors[0].Makes || len(v.Connectors[0].Fields) == 0 || v.Connectors[0].Fields[0].Name != "display_name" || v.Connectors[0].Fields[0].Example != "Jane Smith" {
		t.Fatalf("the connector asks for %+v", v.Connectors)
	}
	p := v.Current
	p.Fields = map[string]string{"display_name": `subject.name.split(", ")[1] + " " + subject.name.split(", ")[0]`}
	p.Welcome = "Ask in #perplexity for help."
	tests, err := c.console.TestProvisioning(ctx, c.caller, c.app, p, "noor@acme.example")
	if err != nil || len(tests) != 1 || len(tests[0].Missing) != 0 || tests[0].Fields[0].Value != "Noor van Dijk" || tests[0].Work.Login != "noor@acme.example" {
		t.Fatalf("the test found %+v, %v", tests, err)
	}
	for name, wrong := range map[string]map[string]string{"no expression": {"display_name": "subject."}, "no such field": {"nothing": "subject.name"}} {
		bad := p
		bad.Fields = wrong
		if err := c.console.SetProvisioning(ctx, c.caller, c.app, bad); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.console.TestProvisioning(ctx, c.caller, c.app, bad, "noor@acme.example"); baton.KindOf(err) != baton.Invalid {
			t.Errorf("test of %s: %v", name, err)
		}
	}
	if _, err := c.console.TestProvisioning(ctx, c.caller, c.app, p, "nobody@acme.example"); baton.KindOf(err) != baton.Invalid {
		t.Errorf("for nobody: %v", err)
	}
	if err := c.console.SetProvisioning(ctx, c.caller, c.app, p); err != nil {
		t.Fatal(err)
	}
	if err := c.console.SetProvisioning(ctx, c.caller, c.app, p); baton.KindOf(err) != baton.Refused {
		t.Errorf("an old version: %v", err)
	}

	before := c.writes()
	form, err := c.console.NewAccount(ctx, c.caller, c.app, "noor@acme.example")
	if err != nil || form.Plan == nil || form.Plan.Fields[0].Value != "Noor van Dijk" || form.Exists != 0 || form.Manual {
		t.Fatalf("the form has %+v, %v", form, err)
	}
	if _, err := c.console.CreateAccount(ctx, c.caller, c.app, "noor@acme.example", map[string]string{"display_name": " "}, "starts on Monday"); baton.KindOf(err) != baton.Invalid {
		t.Errorf("without what is required: %v", err)
	}
	self := c.person("Owner", "")
	c.update(func(tx *store.Tx) error {
		a, err := tx.App(c.app)
		if err != nil {
			return err
		}
		a.Owners = []console.ID{self.Person.ID}
		return tx.ChangeApp(a)
	})
	if _, err := c.console.CreateAccount(ctx, self, c.app, self.Person.Emails[0], nil, "for me"); !refusedBy(err, console.GuardSelf) {
		t.Errorf("for oneself: %v", err)
	}
	id, err := c.console.CreateAccount(ctx, c.caller, c.app, "noor@acme.example", nil, "starts on Monday")
	if err != nil {
		t.Fatal(err)
	}
	c.state(id, console.Verified)
	u, ok := c.org.State().User("noor@acme.example")
	if !ok || u.GivenName != "Noor" || u.FamilyName != "van Dijk" || c.writes() != before+1 {
		t.Errorf("upstream: %+v, %v; %d changes", u, ok, c.writes()-before)
	}
	if n := c.events("account.ready"); n != 1 {
		t.Errorf("%d people are welcomed", n)
	}
	if _, err := c.console.CreateAccount(ctx, c.caller, c.app, "noor@acme.example", nil, "again"); baton.KindOf(err) != baton.Refused {
		t.Errorf("a second account: %v", err)
	}
	key := c.account(u.ID)
	c.view(func(tx *store.Tx) error {
		reasons, err := tx.Reasons(c.app, key, console.AccountItself)
		if err != nil || len(reasons) != 1 || reasons[0].Kind != console.ReasonManual {
			t.Errorf("reasons %+v, %v", reasons, err)
		}
		owner, _, err := tx.AccountPerson(key, time.Time{})
		if owner != person {
			t.Errorf("the account belongs to %q", owner)
		}
		return err
	})

	// The account is enabled: what disables it fits, what enables it does not.
	if err := c.console.AskActions(ctx, c.caller, c.connector); err != nil {
		t.Fatal(err)
	}
	c.wait("the connector says which actions it offers", func(tx *store.Tx) (bool, error) {
		o, err := rpcstore.Actions(tx, string(c.connector))
		return o.Known, err
	})
	actions, err := c.console.AccountActions(ctx, c.caller, c.app, key)
	if err != nil || len(actions) != 1 || actions[0].Name != "disable_user" || actions[0].Argument != "user_id" || actions[0].ID != u.ID {
		t.Errorf("actions %+v, %v", actions, err)
	}
	if actions, err := c.console.EntitlementActions(ctx, c.caller, c.app, c.group(adminGroup)); err != nil || len(actions) != 0 {
		t.Errorf("actions of a group %+v, %v", actions, err)
	}
	if v, err = c.console.Provisioning(ctx, c.caller, c.app); err != nil || v.Connectors[0].Disable == nil || v.Connectors[0].Disable.Name != "disable_user" {
		t.Errorf("it disables with %+v, %v", v.Connectors, err)
	}
}

// TestMastered says where it is decided who holds an entitlement: who changes it is warned.
func TestMastered(t *testing.T) {
	c := newCourse(t)
	ctx := t.Context()
	e := c.group(adminGroup)
	u := c.outsider(adminGroup)
	warns := func() []string {
		t.Helper()
		var p console.Proposal
		c.view(func(tx *store.Tx) (err error) {
			p, err = tx.Foresee(console.Operation{App: c.app, Connector: c.connector, Account: c.account(u.ID), Entitlement: e, Verb: console.Grant}, store.Circumstances{MasteredBy: "its product"})
			return err
		})
		return p.Warnings()
	}
	const says = "Who holds this is decided in %. A change made here may be undone there; one made there stays."
	check := func(what, where string) {
		t.Helper()
		got := warns()
		want := ""
		for _, r := range says {
			if r == '%' {
				want += where
			} else {
				want += string(r)
			}
		}
		if where == "" && len(got) > 0 || where != "" && (len(got) != 1 || got[0] != want) {
			t.Errorf("%s: warnings %q, want %q", what, got, want)
		}
	}
	check("nobody said so", "its product")
	if err := c.console.SetProvisioning(ctx, c.caller, c.app, console.Provisioning{MasteredIn: "Okta"}); err != nil {
		t.Fatal(err)
	}
	check("the app", "Okta")
	if err := c.console.SetMaster(ctx, c.caller, c.app, e, "OneLogin"); err != nil {
		t.Fatal(err)
	}
	check("the entitlement", "OneLogin")
	if err := c.console.SetMaster(ctx, c.caller, c.app, e, console.HereItself); err != nil {
		t.Fatal(err)
	}
	check("in the application", "")
	if err := c.console.SetMaster(ctx, c.caller, c.app, e, ""); err != nil {
		t.Fatal(err)
	}
	check("as the app again", "Okta")
}
