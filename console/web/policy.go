package web

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// policyText is the editable form of a policy.
type policyText struct {
	Name  string               `yaml:"name"`
	Kind  console.PolicyKind   `yaml:"kind"`
	Rules []console.PolicyRule `yaml:"rules"`
}

func writePolicy(p console.Policy) (string, error) {
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(policyText{p.Name, p.Kind, p.Rules}); err != nil {
		return "", baton.Errorf(baton.Internal, "encode policy: %w", err)
	}
	return b.String(), nil
}

func readPolicy(text string) (p console.Policy, err error) {
	var t policyText
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&t); err != nil && !errors.Is(err, io.EOF) {
		return p, baton.Errorf(baton.Invalid, "the policy cannot be read: %s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	return console.Policy{Name: t.Name, Kind: t.Kind, Rules: t.Rules}, nil
}

type policiesPage struct {
	govern.PoliciesView
	Problem *problem
	Notice  string
}

func policies(c *call) error { return c.showPolicies(http.StatusOK, nil) }

func (c *call) showPolicies(status int, problem error) error {
	v, err := c.console().Policies(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	p := policiesPage{PoliciesView: v, Problem: problemOf(problem)}
	if c.r.URL.Query().Get("waits") != "" {
		p.Notice = "The change asks for less than before. It waits for a second person."
	}
	return c.show(status, "policies", "Policies", p)
}

func decideChange(c *call) error {
	confirm := c.r.PostFormValue("decision") == "confirm"
	if !confirm && c.r.PostFormValue("decision") != "discard" {
		return baton.Errorf(baton.Invalid, "a change is confirmed or discarded")
	}
	err := c.console().DecideAmendment(c.ctx(), c.caller, console.ID(c.r.PathValue("change")), confirm)
	if baton.KindOf(err) == baton.Refused {
		return c.showPolicies(statusOf(err), err)
	}
	if err != nil {
		return err
	}
	return c.redirect("/policies")
}

type policyPage struct {
	govern.PolicyView
	New     bool
	Text    string
	Why     string
	Problem *problem
	Steps   []ruleText
	// Fields of the form that tests a policy.
	Email, App, Entitlement string
	Apps                    []console.App
	Tested                  *govern.RequestForm
	TestProblem             *problem
}

// ruleText is a rule as a sentence.
type ruleText struct {
	When, Outcome, Why string
	Steps              []string
}

func ruleTexts(p console.Policy) (all []ruleText) {
	for _, r := range p.Rules {
		t := ruleText{When: r.When, Outcome: string(r.Outcome), Why: r.Why}
		for _, s := range r.Steps {
			t.Steps = append(t.Steps, s.Sentence())
		}
		all = append(all, t)
	}
	return all
}

func (c *call) policy() (p policyPage, err error) {
	v, err := c.console().Policy(c.ctx(), c.caller, console.ID(c.r.PathValue("policy")))
	if err != nil {
		return p, err
	}
	p = policyPage{PolicyView: v, Steps: ruleTexts(v.Policy)}
	if p.Text, err = writePolicy(v.Policy); err != nil {
		return p, err
	}
	apps, _, err := c.console().Apps(c.ctx(), c.caller, store.NameAfter{}, rowsPerPage)
	for _, a := range apps {
		p.Apps = append(p.Apps, a.App)
	}
	return p, err
}

func policyShown(c *call) error {
	p, err := c.policy()
	if err != nil {
		return err
	}
	p.Email, p.App, p.Entitlement = c.r.FormValue("email"), c.r.FormValue("app"), c.r.FormValue("entitlement")
	if p.Email != "" {
		f, err := c.console().TestPolicy(c.ctx(), c.caller, p.Policy.ID, p.Entitlement, govern.NewRequest{App: console.ID(p.App), Email: p.Email, Term: console.Term{For: console.Duration(time.Hour)}})
		if k := baton.KindOf(err); err != nil && k != baton.NotFound && k != baton.Refused && k != baton.Invalid {
			return err
		}
		if err != nil {
			p.TestProblem = problemOf(err)
		} else {
			p.Tested = &f
			p.TestProblem = problemOf(f.Refused)
		}
	}
	return c.page("policy", p.Policy.Name, p)
}

const newPolicyText = `name: 
kind: request
rules:
  - outcome: ask
    steps:
      - name: Owner
        ask: [{kind: app-owner}]
        fallback: [{kind: manager}]
        limit: 7d
`

func newPolicyPage(c *call) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManagePolicies, console.Object{}); err != nil {
		return err
	}
	return c.page("policy", "New policy", policyPage{New: true, Text: newPolicyText, PolicyView: govern.PolicyView{MayManage: true}})
}

func addPolicy(c *call) error { return c.savePolicy(true) }

func savePolicy(c *call) error { return c.savePolicy(false) }

func (c *call) savePolicy(isNew bool) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManagePolicies, console.Object{}); err != nil {
		return err
	}
	p, err := readPolicy(c.r.PostFormValue("text"))
	version := 0
	if err == nil && !isNew {
		p.ID = console.ID(c.r.PathValue("policy"))
		version, err = strconv.Atoi(c.r.PostFormValue("version"))
		if err != nil {
			err = baton.Errorf(baton.Invalid, "the form has no version of the policy")
		}
	}
	var saved govern.Saved
	if err == nil {
		saved, err = c.console().SavePolicy(c.ctx(), c.caller, p, version, c.r.PostFormValue("why"))
	}
	if problem := err; problem != nil && (baton.KindOf(problem) == baton.Invalid || baton.KindOf(problem) == baton.Refused) {
		page := policyPage{New: true, PolicyView: govern.PolicyView{MayManage: true}}
		if !isNew {
			if page, err = c.policy(); err != nil {
				return err
			}
		}
		page.Text, page.Why, page.Problem = c.r.PostFormValue("text"), c.r.PostFormValue("why"), problemOf(problem)
		return c.show(statusOf(problem), "policy", "Policy", page)
	}
	if err != nil {
		return err
	}
	if saved.Waits {
		return c.redirect("/policies?waits=1")
	}
	return c.redirect("/policies/" + string(saved.ID))
}

type requestSettingsPage struct {
	govern.SettingsView
	Head        appHead
	Path        string
	Requestable string
	Longest     string
	Presets     string
	Policy      console.ID
	Emergency   console.ID
	Owners      string
	Form        string
	Manual      bool
	Why         string
	Problem     *problem
}

// settingsOf decodes the app and the entitlement of a page with request settings.
func (c *call) settingsOf() (console.EntitlementKey, error) {
	if c.r.PathValue("entitlement") == "" {
		return console.WholeApp, nil
	}
	key, err := c.key("entitlement")
	return console.EntitlementKey(key), err
}

func (c *call) requestSettings() (p requestSettingsPage, err error) {
	e, err := c.settingsOf()
	if err != nil {
		return p, err
	}
	v, err := c.console().RequestSettings(c.ctx(), c.caller, c.app(), e)
	if err != nil {
		return p, err
	}
	s := v.Current.Settings
	h, err := c.appHead("requests")
	if err != nil {
		return p, err
	}
	p = requestSettingsPage{Head: h, SettingsView: v, Path: c.r.URL.Path, Requestable: string(s.Requestable), Policy: s.Policy, Emergency: s.Emergency, Manual: s.Manual}
	if s.Longest > 0 {
		p.Longest = s.Longest.String()
	}
	var presets, owners, form []string
	for _, d := range s.Presets {
		presets = append(presets, d.String())
	}
	for _, o := range s.Owners {
		if emails := v.Names[o].Emails; len(emails) > 0 {
			owners = append(owners, emails[0])
		}
	}
	for _, f := range s.Form {
		line := f.Label
		if f.Required {
			line += " *"
		}
		form = append(form, line)
	}
	p.Presets, p.Owners, p.Form = strings.Join(presets, ", "), strings.Join(owners, ", "), strings.Join(form, "\n")
	return p, nil
}

func requestSettingsShown(c *call) error {
	p, err := c.requestSettings()
	if err != nil {
		return err
	}
	return c.page("request-settings", "Requests of "+text(p.SettingsView.App.Name), p)
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// readSettings decodes the form with request settings.
func (c *call) readSettings(p *requestSettingsPage) (s console.SettingsVersion, emails []string, err error) {
	p.Requestable, p.Longest, p.Presets = c.r.PostFormValue("requestable"), c.r.PostFormValue("longest"), c.r.PostFormValue("presets")
	p.Policy, p.Emergency, p.Owners = console.ID(c.r.PostFormValue("policy")), console.ID(c.r.PostFormValue("emergency")), c.r.PostFormValue("owners")
	p.Form, p.Manual, p.Why = c.r.PostFormValue("form"), c.r.PostFormValue("manual") != "", c.r.PostFormValue("why")
	s = console.SettingsVersion{App: p.SettingsView.App.ID, Entitlement: p.Current.Entitlement,
		Settings: console.RequestSettings{Requestable: console.Requestable(p.Requestable), Policy: p.Policy, Emergency: p.Emergency, Manual: p.Manual}}
	if s.Version, err = strconv.Atoi(c.r.PostFormValue("version")); err != nil {
		return s, nil, baton.Errorf(baton.Invalid, "the form has no version").WithFix("Load the page again.")
	}
	switch s.Settings.Requestable {
	case console.RequestableDefault, console.RequestableYes, console.RequestableNo:
	default:
		return s, nil, baton.Errorf(baton.Invalid, "something can be asked for, or cannot")
	}
	if s.Settings.Longest, err = console.ParseDuration(p.Longest); err != nil {
		return s, nil, err
	}
	for _, text := range splitList(p.Presets) {
		d, err := console.ParseDuration(text)
		if err != nil {
			return s, nil, err
		}
		s.Settings.Presets = append(s.Settings.Presets, d)
	}
	for _, line := range strings.Split(p.Form, "\n") {
		label, required := strings.CutSuffix(strings.TrimSpace(line), "*")
		if label = strings.TrimSpace(label); label != "" {
			s.Settings.Form = append(s.Settings.Form, console.RequestField{Name: strings.Trim(notInName.ReplaceAllString(strings.ToLower(label), "-"), "-"), Label: label, Required: required})
		}
	}
	return s, splitList(p.Owners), nil
}

func splitList(text string) (all []string) {
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func setRequestSettings(c *call) error {
	p, err := c.requestSettings()
	if err != nil {
		return err
	}
	s, owners, err := c.readSettings(&p)
	var saved govern.Saved
	if err == nil {
		saved, err = c.console().SetRequestSettings(c.ctx(), c.caller, s, owners, p.Why)
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "request-settings", "Requests of "+text(p.SettingsView.App.Name), p)
	}
	if err != nil {
		return err
	}
	if saved.Waits {
		return c.redirect("/policies?waits=1")
	}
	return c.redirect(c.r.URL.Path)
}

type delegationPage struct {
	Delegation          console.Delegation
	Delegate            console.Person
	Email, Until, Start string
	Problem             *problem
}

func delegationShown(c *call) error { return c.showDelegation(http.StatusOK, nil) }

func (c *call) showDelegation(status int, problem error) error {
	d, delegate, err := c.console().Delegation(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.show(status, "delegation", "Your delegate", delegationPage{Delegation: d, Delegate: delegate, Email: c.r.PostFormValue("email"),
		Until: c.r.PostFormValue("until"), Start: c.r.PostFormValue("start"), Problem: problemOf(problem)})
}

func setDelegation(c *call) error {
	d := console.Delegation{From: c.console().Now()}
	start, err := readClock("From", c.r.PostFormValue("start"))
	if err == nil && !start.IsZero() {
		d.From = start
	}
	if err == nil {
		d.Until, err = readClock("Until", c.r.PostFormValue("until"))
	}
	if err == nil {
		err = c.console().SetDelegation(c.ctx(), c.caller, c.r.PostFormValue("email"), d)
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		return c.showDelegation(statusOf(err), err)
	}
	if err != nil {
		return err
	}
	return c.redirect("/delegation")
}
