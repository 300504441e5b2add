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
	Problem  *problem
	Rules    []ruleText
	Question policyQuestion
}

// ruleText is a rule as sentences.
type ruleText struct {
	Name, When, Outcome, Why string
	Steps                    []string
}

func ruleTexts(p console.Policy) (all []ruleText) {
	for _, r := range p.Rules {
		t := ruleText{Name: r.Name, When: r.When, Outcome: string(r.Outcome), Why: r.Why}
		for _, s := range r.Steps {
			t.Steps = append(t.Steps, s.Sentence())
		}
		all = append(all, t)
	}
	return all
}

func policyShown(c *call) error {
	v, err := c.console().Policy(c.ctx(), c.caller, console.ID(c.r.PathValue("policy")))
	if err != nil {
		return err
	}
	if edit := c.r.URL.Query().Get("edit"); edit != "" {
		return c.editPolicy(v, edit)
	}
	p := policyPage{PolicyView: v, Rules: ruleTexts(v.Policy)}
	kind := govern.QuestionRequest
	switch v.Kind {
	case console.PolicyRevoke:
		kind = govern.QuestionRevoke
	case console.PolicyReview:
		kind = govern.QuestionReview
	}
	if p.Question, err = c.policyQuestion(kind); err != nil {
		return err
	}
	if err := p.Question.ask(c, v.ID); err != nil {
		return err
	}
	return c.page("policy", v.Name, p)
}

// policyQuestion is the form that tests who would be asked, with its result.
type policyQuestion struct {
	Path                                                        string
	Kind                                                        govern.QuestionKind
	Kinds                                                       []choice
	Email, Requester, App, Entitlement, Duration, RequesterHint string
	Apps                                                        []console.App
	Answer                                                      *govern.PolicyAnswer
	Problem                                                     *problem
}

var questionLabels = map[govern.QuestionKind]string{
	govern.QuestionRequest:   "asks for it",
	govern.QuestionEmergency: "asks for it in an emergency",
	govern.QuestionRevoke:    "is to lose it",
	govern.QuestionGiveBack:  "gives it back",
	govern.QuestionReview:    "is reviewed",
}

// policyQuestion decodes the form. The default kind is used if it has none.
func (c *call) policyQuestion(kind govern.QuestionKind) (q policyQuestion, err error) {
	get := func(name string) string { return strings.TrimSpace(c.r.FormValue(name)) }
	q = policyQuestion{Path: c.r.URL.Path, Kind: kind, Email: get("email"), Requester: get("requester"), App: get("app"), Entitlement: get("entitlement"), Duration: get("duration")}
	if k := get("kind"); k != "" {
		q.Kind = govern.QuestionKind(k)
	}
	for _, k := range govern.QuestionKinds() {
		q.Kinds = append(q.Kinds, choice{string(k), questionLabels[k], k == q.Kind})
	}
	apps, _, err := c.console().Apps(c.ctx(), c.caller, store.NameAfter{}, rowsPerPage)
	for _, a := range apps {
		q.Apps = append(q.Apps, a.App)
	}
	return q, err
}

// ask tests the policy if the form was filled in. policy is "" for the one that applies.
func (q *policyQuestion) ask(c *call, policy console.ID) error {
	if q.Email == "" {
		return nil
	}
	length, err := console.ParseDuration(q.Duration)
	if err == nil && length == 0 {
		length = console.Duration(time.Hour)
	}
	var answer govern.PolicyAnswer
	if err == nil {
		answer, err = c.console().TestPolicy(c.ctx(), c.caller, govern.PolicyQuestion{Kind: q.Kind, Policy: policy, App: console.ID(q.App), Entitlement: q.Entitlement,
			Subject: q.Email, Requester: q.Requester, Term: console.Term{For: length}})
	}
	if k := baton.KindOf(err); err != nil && k != baton.NotFound && k != baton.Refused && k != baton.Invalid {
		return err
	}
	if err != nil {
		q.Problem = problemOf(err)
		return nil
	}
	q.Answer, q.Problem = &answer, problemOf(answer.Refused)
	return nil
}

// testPolicies shows who would be asked under the policy that applies.
func testPolicies(c *call) error {
	if _, err := c.console().Policies(c.ctx(), c.caller); err != nil { // everybody who may see them may test them
		return err
	}
	q, err := c.policyQuestion(govern.QuestionRequest)
	if err == nil {
		err = q.ask(c, "")
	}
	if err != nil {
		return err
	}
	return c.page("policy-test", "Who would be asked?", q)
}

type policyEditPage struct {
	govern.PolicyView
	New     bool
	YAML    bool
	Path    string
	Text    string
	Form    policyForm
	Why     string
	Problem *problem
	Checked bool // the form was checked without problems
	Roles   []string
}

func (c *call) showPolicyEdit(status int, p policyEditPage) error {
	p.Path = c.r.URL.Path
	for _, r := range console.ConsoleRoles() {
		p.Roles = append(p.Roles, string(r))
	}
	title := "New policy"
	if !p.New {
		title = "Change " + p.Policy.Name
	}
	return c.show(status, "policy-edit", title, p)
}

func (c *call) editPolicy(v govern.PolicyView, as string) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManagePolicies, console.Object{}); err != nil {
		return err
	}
	if as != "form" && as != "yaml" {
		return baton.Errorf(baton.Invalid, "a policy is edited as a form or as YAML")
	}
	text, err := writePolicy(v.Named)
	if err != nil {
		return err
	}
	return c.showPolicyEdit(http.StatusOK, policyEditPage{PolicyView: v, YAML: as == "yaml", Text: text, Form: policyFormOf(v.Named)})
}

// newPolicy is the initial content of the form of a new policy.
var newPolicy = console.Policy{Kind: console.PolicyRequest, Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{
	{Name: "Owner", Ask: []console.Approver{{Kind: console.ApproverAppOwner}}, Fallback: []console.Approver{{Kind: console.ApproverManager}}, Limit: console.Duration(7 * 24 * time.Hour)}}}}}

func newPolicyPage(c *call) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManagePolicies, console.Object{}); err != nil {
		return err
	}
	text, err := writePolicy(newPolicy)
	if err != nil {
		return err
	}
	return c.showPolicyEdit(http.StatusOK, policyEditPage{New: true, YAML: c.r.URL.Query().Get("edit") == "yaml", Text: text, Form: policyFormOf(newPolicy)})
}

func addPolicy(c *call) error { return c.savePolicy(true) }

func savePolicy(c *call) error { return c.savePolicy(false) }

// savePolicy saves the edited policy, as YAML or as a form. Some buttons only change the form.
func (c *call) savePolicy(isNew bool) (err error) {
	if err := c.console().Require(c.ctx(), c.caller, console.ManagePolicies, console.Object{}); err != nil {
		return err
	}
	page := policyEditPage{New: isNew, Text: c.r.PostFormValue("text"), Why: c.r.PostFormValue("why")}
	page.YAML = c.r.PostForm.Has("text")
	version := 0
	if !isNew {
		if page.PolicyView, err = c.console().Policy(c.ctx(), c.caller, console.ID(c.r.PathValue("policy"))); err != nil {
			return err
		}
		if version, err = strconv.Atoi(c.r.PostFormValue("version")); err != nil {
			return baton.Errorf(baton.Invalid, "the form has no version of the policy").WithFix("Load the page again.")
		}
	}
	var p console.Policy
	button := c.r.PostFormValue("do")
	if page.YAML {
		p, err = readPolicy(page.Text)
	} else {
		if page.Form, err = readPolicyForm(c.r.PostForm); err != nil {
			return err
		}
		if button != "save" && button != "" && !page.Form.edit(button) {
			return baton.Errorf(baton.Invalid, "the form has no button %q", button)
		}
		if p, err = page.Form.policy(); err == nil && button == "check" {
			err = govern.CheckPolicy(p)
			page.Checked = err == nil
		}
		if button != "save" && button != "" {
			if button == "check" {
				page.Problem = problemOf(err)
			}
			return c.showPolicyEdit(http.StatusOK, page)
		}
	}
	var saved govern.Saved
	if err == nil {
		if !isNew {
			p.ID = page.ID
		}
		saved, err = c.console().SavePolicy(c.ctx(), c.caller, p, version, page.Why)
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		page.Problem = problemOf(err)
		return c.showPolicyEdit(statusOf(err), page)
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
	Revoke      console.ID
	Review      console.ID
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
	p = requestSettingsPage{Head: h, SettingsView: v, Path: c.r.URL.Path, Requestable: string(s.Requestable), Policy: s.Policy, Emergency: s.Emergency, Revoke: s.Revoke, Review: s.Review, Manual: s.Manual}
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
	p.Revoke, p.Review = console.ID(c.r.PostFormValue("revoke")), console.ID(c.r.PostFormValue("review"))
	p.Form, p.Manual, p.Why = c.r.PostFormValue("form"), c.r.PostFormValue("manual") != "", c.r.PostFormValue("why")
	s = console.SettingsVersion{App: p.SettingsView.App.ID, Entitlement: p.Current.Entitlement,
		Settings: console.RequestSettings{Requestable: console.Requestable(p.Requestable), Policy: p.Policy, Emergency: p.Emergency, Revoke: p.Revoke, Review: p.Review, Manual: p.Manual}}
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
