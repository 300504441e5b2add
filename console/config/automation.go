package config

import (
	"fmt"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// Automation describes an automation. It is published, unless it is a draft.
type Automation struct {
	Name  string `yaml:"name,omitempty" json:"name"`
	Key   string `yaml:"key,omitempty" json:"key,omitempty"` // stays the same when the name changes
	App   string `yaml:"app,omitempty" json:"app"`
	Owner string `yaml:"owner,omitempty" json:"owner"` // e-mail address
	Draft bool   `yaml:"draft,omitempty" json:"draft,omitempty"`
	// Paused pauses it. Only a person lets it go on.
	Paused  bool        `yaml:"paused,omitempty" json:"paused,omitempty"`
	Trigger Trigger     `yaml:"trigger,omitempty" json:"trigger"`
	Steps   []Step      `yaml:"steps,omitempty" json:"steps,omitempty"`
	Limits  StepsLimits `yaml:"limits,omitempty" json:"limits"`
}

// Trigger describes when an automation runs.
type Trigger struct {
	Kind        console.TriggerKind   `yaml:"kind,omitempty" json:"kind"`
	When        string                `yaml:"when,omitempty" json:"when,omitempty"`
	From        string                `yaml:"from,omitempty" json:"from,omitempty"`               // app of the entitlement, if it is another one
	Entitlement string                `yaml:"entitlement,omitempty" json:"entitlement,omitempty"` // id as the app's connector reports it
	Origin      console.TriggerOrigin `yaml:"origin,omitempty" json:"origin,omitempty"`
	Every       console.Duration      `yaml:"every,omitempty" json:"every,omitzero"`
	Cron        string                `yaml:"cron,omitempty" json:"cron,omitempty"`
	Zone        string                `yaml:"zone,omitempty" json:"zone,omitempty"`
	Each        bool                  `yaml:"each,omitempty" json:"each,omitempty"`
	Hook        string                `yaml:"hook,omitempty" json:"hook,omitempty"` // name of an incoming webhook
	Person      string                `yaml:"person,omitempty" json:"person,omitempty"`
	Policy      string                `yaml:"policy,omitempty" json:"policy,omitempty"` // name
	Form        []Question            `yaml:"form,omitempty" json:"form,omitempty"`
}

// Question is a question of a form.
type Question struct {
	Name     string `yaml:"name,omitempty" json:"name"`
	Label    string `yaml:"label,omitempty" json:"label"`
	Required bool   `yaml:"required,omitempty" json:"required,omitempty"`
}

// Step describes a step of an automation.
type Step struct {
	ID           string            `yaml:"id,omitempty" json:"id"`
	Kind         console.StepKind  `yaml:"kind,omitempty" json:"kind"`
	Skip         string            `yaml:"skip,omitempty" json:"skip,omitempty"`
	Connector    string            `yaml:"connector,omitempty" json:"connector,omitempty"` // name
	Action       string            `yaml:"action,omitempty" json:"action,omitempty"`
	ResourceType string            `yaml:"resource_type,omitempty" json:"resource_type,omitempty"`
	Fields       map[string]string `yaml:"fields,omitempty" json:"fields,omitempty"`
	Entitlement  string            `yaml:"entitlement,omitempty" json:"entitlement,omitempty"` // id as the app's connector reports it
	For          console.Duration  `yaml:"for,omitempty" json:"for,omitzero"`
	When         string            `yaml:"when,omitempty" json:"when,omitempty"`
	To           string            `yaml:"to,omitempty" json:"to,omitempty"`
	Subject      string            `yaml:"subject,omitempty" json:"subject,omitempty"`
	Text         string            `yaml:"text,omitempty" json:"text,omitempty"`
	Webhook      string            `yaml:"webhook,omitempty" json:"webhook,omitempty"`       // address, as its page displays it
	Automation   string            `yaml:"automation,omitempty" json:"automation,omitempty"` // name of another one of the app
}

// StepsLimits is the circuit breaker of an automation.
type StepsLimits struct {
	Runs    int              `yaml:"runs,omitempty" json:"runs,omitempty"`
	Changes int              `yaml:"changes,omitempty" json:"changes,omitempty"`
	Period  console.Duration `yaml:"period,omitempty" json:"period,omitzero"`
}

// checkAutomations reports the problems of the automations.
func (f *File) checkAutomations(bad *problems, all seen) {
	for i, a := range f.Automations {
		at := f.at("automations", i)
		if strings.TrimSpace(a.Name) == "" || a.App == "" || !strings.Contains(a.Owner, "@") {
			bad.add(at, "automation %d needs a name, an app and an owner with an e-mail address", i+1)
			continue
		}
		all.once(bad, at, "the automation", a.Name+" of "+a.App)
		rule, err := a.rule(anyNames{})
		if err == nil {
			err = govern.CheckAutomation(rule, a.Draft)
		}
		if err != nil {
			bad.add(at, "automation %s: %v", a.Name, err)
		}
	}
}

// names finds what an automation names.
type names interface {
	app(name string) (console.ID, error)
	entitlement(app, id string) (console.EntitlementKey, error)
	connector(name string) (console.ID, error)
	policy(name string) (console.ID, error)
	hook(name string) (console.ID, error)
	webhook(address string) (console.ID, error)
	automation(app, name string) (console.ID, error)
}

// anyNames finds everything: it is for checks without a console.
type anyNames struct{}

func (anyNames) app(name string) (console.ID, error)                      { return console.ID(name), nil }
func (anyNames) entitlement(_, id string) (console.EntitlementKey, error) { return 1, nil }
func (anyNames) connector(name string) (console.ID, error)                { return console.ID(name), nil }
func (anyNames) policy(name string) (console.ID, error)                   { return console.ID(name), nil }
func (anyNames) hook(name string) (console.ID, error)                     { return console.ID(name), nil }
func (anyNames) webhook(address string) (console.ID, error)               { return console.ID(address), nil }
func (anyNames) automation(_, name string) (console.ID, error)            { return console.ID(name), nil }

// rule returns the described rule. The error is that of the first name that is not found.
func (a Automation) rule(n names) (r console.AutomationRule, err error) {
	find := func(to *console.ID, name string, by func(string) (console.ID, error)) {
		if err == nil && name != "" {
			*to, err = by(name)
		}
	}
	t := a.Trigger
	r.Trigger = console.AutomationTrigger{Kind: t.Kind, When: t.When, Origin: t.Origin, Every: t.Every, Cron: t.Cron, Zone: t.Zone, Each: t.Each, Person: t.Person}
	find(&r.Trigger.From, t.From, n.app)
	find(&r.Trigger.Hook, t.Hook, n.hook)
	find(&r.Trigger.Policy, t.Policy, n.policy)
	if t.Entitlement != "" && err == nil {
		of := t.From
		if of == "" {
			of = a.App
		}
		r.Trigger.Entitlement, err = n.entitlement(of, t.Entitlement)
	}
	for _, q := range t.Form {
		r.Trigger.Form = append(r.Trigger.Form, console.RequestField(q))
	}
	for i, s := range a.Steps {
		step := console.AutomationStep{ID: s.ID, Kind: s.Kind, Skip: s.Skip, Action: s.Action, ResourceType: s.ResourceType, Fields: s.Fields, For: s.For, When: s.When, To: s.To, Subject: s.Subject, Text: s.Text}
		find(&step.Connector, s.Connector, n.connector)
		find(&step.Webhook, s.Webhook, n.webhook)
		find(&step.Automation, s.Automation, func(name string) (console.ID, error) { return n.automation(a.App, name) })
		if s.Entitlement != "" && err == nil {
			step.Entitlement, err = n.entitlement(a.App, s.Entitlement)
		}
		if err != nil {
			return r, baton.Errorf(baton.KindOf(err), "step %d: %w", i+1, err)
		}
		r.Steps = append(r.Steps, step)
	}
	r.Limits = console.AutomationLimits(a.Limits)
	return r, err
}

// describeAutomation returns an automation as a file describes it: the version that runs, or the draft
// if none was published.
func describeAutomation(t *store.Tx, a console.Automation) (d Automation, err error) {
	app, err := t.App(a.App)
	if err != nil {
		return d, err
	}
	d = Automation{Name: a.Name, App: app.Name, Draft: a.Published == 0, Paused: a.State != console.AutomationOn}
	if d.Owner, err = emailOf(t, a.Owner); err != nil {
		return d, err
	}
	rule := a.Draft
	if a.Published > 0 {
		v, err := t.AutomationVersion(a.ID, a.Published)
		if err != nil {
			return d, err
		}
		rule = v.AutomationRule
	}
	return d, d.describeRule(t, rule)
}

// describeRule sets the described rule of an automation. What was removed meanwhile has its id in place
// of its name.
func (a *Automation) describeRule(t *store.Tx, r console.AutomationRule) (err error) {
	name := func(to *string, id console.ID, by func() (string, error)) {
		if err != nil || id == "" {
			return
		}
		if *to, err = by(); baton.KindOf(err) == baton.NotFound {
			*to, err = string(id), nil
		}
	}
	entitlement := func(to *string, key console.EntitlementKey) {
		if err != nil || key == 0 {
			return
		}
		if *to, err = entitlementID(t, key); baton.KindOf(err) == baton.NotFound {
			*to, err = fmt.Sprint(key), nil
		}
	}
	x := r.Trigger
	a.Trigger = Trigger{Kind: x.Kind, When: x.When, Origin: x.Origin, Every: x.Every, Cron: x.Cron, Zone: x.Zone, Each: x.Each, Person: x.Person}
	name(&a.Trigger.From, x.From, func() (string, error) { v, err := t.App(x.From); return v.Name, err })
	name(&a.Trigger.Hook, x.Hook, func() (string, error) { v, err := t.Hook(x.Hook); return v.Name, err })
	name(&a.Trigger.Policy, x.Policy, func() (string, error) { v, err := t.Policy(x.Policy); return v.Name, err })
	entitlement(&a.Trigger.Entitlement, x.Entitlement)
	for _, q := range x.Form {
		a.Trigger.Form = append(a.Trigger.Form, Question(q))
	}
	for _, s := range r.Steps {
		d := Step{ID: s.ID, Kind: s.Kind, Skip: s.Skip, Action: s.Action, ResourceType: s.ResourceType, Fields: s.Fields, For: s.For, When: s.When, To: s.To, Subject: s.Subject, Text: s.Text}
		name(&d.Connector, s.Connector, func() (string, error) { v, err := t.Connector(s.Connector); return v.Name, err })
		name(&d.Webhook, s.Webhook, func() (string, error) { v, err := t.Webhook(s.Webhook); return v.Address, err })
		name(&d.Automation, s.Automation, func() (string, error) { v, err := t.Automation(s.Automation); return v.Name, err })
		entitlement(&d.Entitlement, s.Entitlement)
		a.Steps = append(a.Steps, d)
	}
	a.Limits = StepsLimits(r.Limits)
	return err
}
