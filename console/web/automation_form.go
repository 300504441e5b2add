package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
)

// triggerForm is the form of the name, the owner, the trigger and the limits of an automation.
type triggerForm struct {
	govern.AutomationView
	Path                                    string
	Kinds                                   []choice
	Rule                                    console.TriggerRule
	NameText, OwnerText, Entitlement, When  string
	Origin, Every, Cron, Zone, Hook, Person string
	Each                                    bool
	Questions, Runs, Changes, Period        string
	Hooks, Policies                         []choice
	Policy                                  string
	Choices                                 govern.AutomationChoices
	Problem                                 *problem
}

// Is reports whether the form is for a kind of triggers.
func (f triggerForm) Is(kind string) bool { return string(f.Rule.Kind) == kind }

func (c *call) triggerForm() (f triggerForm, err error) {
	v, err := c.console().Automation(c.ctx(), c.caller, c.automation())
	if err != nil {
		return f, err
	}
	choices, err := c.console().AutomationChoices(c.ctx(), c.caller, c.automation())
	if err != nil {
		return f, err
	}
	kind, t := v.Draft.Trigger.Kind, v.Draft.Trigger
	if chosen := console.TriggerKind(c.r.FormValue("kind")); chosen != "" && chosen != kind {
		kind, t = chosen, console.AutomationTrigger{Kind: chosen}
	}
	f = triggerForm{AutomationView: v, Path: automationPath(v.ID), Choices: choices, NameText: v.Name, When: t.When, Origin: string(t.Origin), Cron: t.Cron, Zone: t.Zone, Hook: string(t.Hook), Person: t.Person, Each: t.Each}
	if f.Rule, _ = kind.Rule(); f.Rule.Kind == "" {
		return f, baton.Errorf(baton.Invalid, "there is no kind of triggers %q", kind)
	}
	for _, r := range console.TriggerRules() {
		f.Kinds = append(f.Kinds, choice{string(r.Kind), r.Label, r.Kind == kind})
	}
	if t.Every > 0 {
		f.Every = t.Every.String()
	}
	if t.Entitlement != 0 {
		if f.Entitlement, err = c.console().AutomationEntitlementText(c.ctx(), c.caller, v.ID, console.Need{App: t.From, Entitlement: t.Entitlement}); err != nil {
			return f, err
		}
	}
	var lines []string
	for _, q := range t.Form {
		line := q.Name + ": " + q.Label
		if q.Required {
			line += " *"
		}
		lines = append(lines, line)
	}
	f.Questions = strings.Join(lines, "\n")
	l := v.Draft.Limits
	f.Runs, f.Changes, f.Period = number(l.Runs), number(l.Changes), ""
	if l.Period > 0 {
		f.Period = l.Period.String()
	}
	f.Policy = string(t.Policy)
	for _, p := range choices.Policies {
		f.Policies = append(f.Policies, choice{string(p.ID), p.Name, p.ID == t.Policy})
	}
	for _, h := range choices.Hooks {
		f.Hooks = append(f.Hooks, choice{string(h.ID), h.Name, string(h.ID) == f.Hook})
	}
	return f, nil
}

// number formats a number for a field; "" for 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// again fills the form with what was sent.
func (f *triggerForm) again(c *call) {
	post := c.r.PostFormValue
	f.NameText, f.OwnerText, f.Entitlement, f.When, f.Origin, f.Every, f.Cron, f.Zone = post("name"), post("owner"), post("entitlement"), post("when"), post("origin"), post("every"), post("cron"), post("zone")
	f.Hook, f.Person, f.Each, f.Questions, f.Runs, f.Changes, f.Period = post("hook"), post("person"), post("each") == "true", post("questions"), post("runs"), post("changes"), post("period")
	for i, h := range f.Hooks {
		f.Hooks[i].Chosen = h.Value == f.Hook
	}
	f.Policy = post("policy")
	for i, p := range f.Policies {
		f.Policies[i].Chosen = p.Value == f.Policy
	}
}

func triggerPage(c *call) error {
	f, err := c.triggerForm()
	if err != nil {
		return err
	}
	return c.page("automation-trigger", "Change "+text(f.Name), f)
}

func setTrigger(c *call) error {
	f, err := c.triggerForm()
	if err != nil {
		return err
	}
	f.again(c)
	edit, err := c.triggerEdit(f)
	if err == nil {
		err = c.console().ChangeAutomation(c.ctx(), c.caller, f.ID, edit)
	}
	if err != nil && shown(err) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "automation-trigger", "Change "+text(f.Name), f)
	}
	if err != nil {
		return err
	}
	return c.redirect(f.Path)
}

// triggerEdit decodes the form.
func (c *call) triggerEdit(f triggerForm) (e govern.AutomationEdit, err error) {
	rule := f.Draft
	e = govern.AutomationEdit{Version: c.formVersion(), Name: &f.NameText, Rule: &rule}
	if owner := strings.TrimSpace(f.OwnerText); owner != "" {
		e.Owner = &owner
	}
	t := console.AutomationTrigger{Kind: f.Rule.Kind, When: strings.TrimSpace(f.When)}
	if f.Rule.Origin {
		t.Origin = console.TriggerOrigin(f.Origin)
	}
	if f.Rule.Entitlement && strings.TrimSpace(f.Entitlement) != "" {
		n, err := c.console().AutomationEntitlement(c.ctx(), c.caller, f.ID, f.Entitlement)
		if err != nil {
			return e, err
		}
		if t.Entitlement = n.Entitlement; n.App != f.App.ID || t.Kind == console.TriggerCourseCompleted {
			t.From = n.App
		}
	}
	switch t.Kind {
	case console.TriggerSchedule:
		t.Cron, t.Zone, t.Each = strings.TrimSpace(f.Cron), strings.TrimSpace(f.Zone), f.Each
		if t.Every, err = console.ParseDuration(f.Every); err != nil {
			return e, err
		}
	case console.TriggerWebhook:
		t.Hook, t.Person = console.ID(f.Hook), strings.TrimSpace(f.Person)
	case console.TriggerOnDemand, console.TriggerRequest:
		if t.Kind == console.TriggerRequest {
			t.Policy = console.ID(f.Policy)
		}
		if t.Form, err = readQuestions(f.Questions); err != nil {
			return e, err
		}
	}
	rule.Trigger = t
	for _, n := range []struct {
		text, label string
		into        *int
	}{{f.Runs, "number of runs", &rule.Limits.Runs}, {f.Changes, "number of changes", &rule.Limits.Changes}} {
		*n.into = 0
		if text := strings.TrimSpace(n.text); text != "" {
			if *n.into, err = strconv.Atoi(text); err != nil || *n.into < 1 {
				return e, baton.Errorf(baton.Invalid, "%q is no %s", text, n.label).WithFix("Write a whole number.")
			}
		}
	}
	rule.Limits.Period, err = console.ParseDuration(f.Period)
	return e, err
}

// readQuestions reads the questions of a form, one a line: "ticket: Which ticket? *".
func readQuestions(lines string) (form []console.RequestField, err error) {
	for _, line := range strings.Split(lines, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, label, ok := strings.Cut(line, ":")
		if !ok {
			return nil, baton.Errorf(baton.Invalid, "%q is no question", line).WithFix("Write a name, a colon and the question, and * at the end if an answer is required.")
		}
		label, required := strings.CutSuffix(strings.TrimSpace(label), "*")
		form = append(form, console.RequestField{Name: strings.TrimSpace(name), Label: strings.TrimSpace(label), Required: required})
	}
	return form, nil
}

// automationStepForm is the form of one step.
type automationStepForm struct {
	govern.AutomationView
	Path        string
	Index       int
	Step        console.AutomationStep
	Kind        console.StepRule
	Problem     *problem
	Actions     []choice // of a step with an action
	Action      *rpc.Action
	Broken      string // why the action cannot be chosen or does not work
	Fields      []rpc.Field
	Entitlement string
	For         string
	Entitled    govern.AutomationChoices
	Webhooks    []choice
	Others      []choice
	To          []choice
	ToText      string
}

// Is reports whether the form is for a kind of steps.
func (f automationStepForm) Is(kind string) bool { return string(f.Step.Kind) == kind }

// Value returns the value of a field.
func (f automationStepForm) Value(name string) string { return f.Step.Fields[name] }

func (c *call) automationStepForm() (f automationStepForm, err error) {
	v, err := c.console().Automation(c.ctx(), c.caller, c.automation())
	if err != nil {
		return f, err
	}
	choices, err := c.console().AutomationChoices(c.ctx(), c.caller, c.automation())
	if err != nil {
		return f, err
	}
	i := slices.IndexFunc(v.Draft.Steps, func(s console.AutomationStep) bool { return s.ID == c.r.PathValue("step") })
	if i < 0 {
		return f, baton.Errorf(baton.NotFound, "no step")
	}
	f = automationStepForm{AutomationView: v, Path: automationPath(v.ID), Index: i, Step: v.Draft.Steps[i], Entitled: choices}
	f.Kind, _ = f.Step.Kind.Rule()
	if f.Step.Entitlement != 0 {
		if f.Entitlement, err = c.console().AutomationEntitlementText(c.ctx(), c.caller, v.ID, console.Need{Entitlement: f.Step.Entitlement}); err != nil {
			return f, err
		}
	}
	if f.Step.For > 0 {
		f.For = f.Step.For.String()
	}
	f.addChoices(c)
	return f, nil
}

// addChoices adds what the form can choose.
func (f *automationStepForm) addChoices(c *call) {
	chosen := fmt.Sprintf("%s/%s/%s", f.Step.Connector, f.Step.ResourceType, f.Step.Action)
	if a := c.r.FormValue("action"); a != "" && f.Step.Kind == console.StepAction {
		if chosen != a {
			f.Step.Fields = nil
		}
		chosen = a
	}
	if f.Step.Kind == console.StepAction {
		f.addActions(chosen)
	}
	for _, h := range f.Entitled.Webhooks {
		label := h.Description
		if label == "" {
			label = h.Address
		}
		f.Webhooks = append(f.Webhooks, choice{string(h.ID), label, h.ID == f.Step.Webhook})
	}
	for _, a := range f.Entitled.Automations {
		f.Others = append(f.Others, choice{string(a.ID), a.Name, a.ID == f.Step.Automation})
	}
	words := map[string]string{console.MailOwner: "The owner of the automation", console.MailAppOwners: "The owners of the application", console.MailSubject: "The person", console.MailManager: "The manager of the person"}
	known := false
	recipients := console.MailRecipients()
	if f.Step.Kind == console.StepCampaign {
		recipients = console.ReviewRecipients()
	}
	for _, to := range recipients {
		f.To = append(f.To, choice{to, words[to], to == f.Step.To})
		known = known || to == f.Step.To
	}
	if f.Step.To != "" && !known {
		f.ToText = strings.TrimPrefix(f.Step.To, "=")
	}
}

// addActions adds the actions that the connectors of the application offer, and the fields of the
// chosen one.
func (f *automationStepForm) addActions(chosen string) {
	var unknown []string
	for _, con := range f.Entitled.Connectors {
		if !con.Known {
			unknown = append(unknown, con.Name)
		}
		for _, a := range con.Actions {
			value := fmt.Sprintf("%s/%s/%s", con.ID, a.ResourceType, a.Name)
			label := con.Name + ": " + a.Name
			if value == chosen {
				f.Action, f.Fields = &a, a.Arguments
				f.Step.Connector, f.Step.ResourceType, f.Step.Action = con.ID, a.ResourceType, a.Name
				if con.State == console.Offline || con.State == console.NotConnected {
					f.Broken = "The connector “" + con.Name + "” does not work now. " + con.Sentence
				}
			}
			f.Actions = append(f.Actions, choice{value, label, value == chosen})
		}
	}
	switch {
	case f.Action == nil && f.Step.Action != "":
		f.Broken = fmt.Sprintf("No connector of the application offers the action %q.", f.Step.Action)
	case len(f.Actions) == 0 && len(unknown) > 0:
		f.Broken = "It is not known yet which actions " + strings.Join(unknown, ", ") + " offers. Ask on the page of the connector, under Actions."
	case len(f.Actions) == 0:
		f.Broken = "No connector of the application offers actions."
	}
}

func stepPage(c *call) error {
	f, err := c.automationStepForm()
	if err != nil {
		return err
	}
	return c.page("automation-step", f.Kind.Label, f)
}

func setStep(c *call) error {
	f, err := c.automationStepForm()
	if err != nil {
		return err
	}
	rule := f.Draft
	rule.Steps = slices.Clone(rule.Steps)
	err = c.readStep(&f)
	if err == nil {
		rule.Steps[f.Index] = f.Step
		err = c.console().ChangeAutomation(c.ctx(), c.caller, f.ID, govern.AutomationEdit{Version: c.formVersion(), Rule: &rule})
	}
	if err != nil && shown(err) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "automation-step", f.Kind.Label, f)
	}
	if err != nil {
		return err
	}
	return c.redirect(f.Path)
}

// readStep decodes the form into its step.
func (c *call) readStep(f *automationStepForm) (err error) {
	post := func(name string) string { return strings.TrimSpace(c.r.PostFormValue(name)) }
	s := &f.Step
	s.ID, s.Skip = post("id"), post("skip")
	switch s.Kind {
	case console.StepAction:
		s.Fields = map[string]string{}
		for _, field := range f.Fields {
			if v := post("field." + field.Name); v != "" {
				s.Fields[field.Name] = v
			}
		}
		if f.Action == nil {
			return baton.Errorf(baton.Invalid, "choose an action")
		}
	case console.StepCreate, console.StepRun:
		if s.Fields, err = readFields(post("fields")); err != nil {
			return err
		}
		if s.Kind == console.StepRun {
			s.Automation = console.ID(post("automation"))
		}
	case console.StepGrant, console.StepRevoke:
		if err = c.readEntitlement(f, post("entitlement")); err != nil {
			return err
		}
		if s.Kind == console.StepGrant {
			f.For = post("for")
			s.For, err = console.ParseDuration(f.For)
		}
	case console.StepWait:
		f.For = post("for")
		s.For, err = console.ParseDuration(f.For)
	case console.StepCondition:
		s.When = post("when")
	case console.StepMail:
		if s.To = post("to"); post("to-text") != "" {
			f.ToText = post("to-text")
			s.To = f.ToText
		}
		s.Subject, s.Text = post("subject"), post("text")
	case console.StepCampaign:
		s.To, s.Subject, s.Text, f.For = post("to"), post("subject"), post("text"), post("for")
		if err = c.readEntitlement(f, post("entitlement")); err != nil {
			return err
		}
		s.For, err = console.ParseDuration(f.For)
	case console.StepWebhook:
		s.Webhook = console.ID(post("webhook"))
	}
	return err
}

// readEntitlement sets the entitlement of the step to the one that a text names; "" for none.
func (c *call) readEntitlement(f *automationStepForm, text string) error {
	f.Entitlement, f.Step.Entitlement = text, 0
	if text == "" {
		return nil
	}
	n, err := c.console().AutomationEntitlement(c.ctx(), c.caller, f.ID, text)
	if err != nil {
		return err
	}
	if n.App != f.App.ID {
		return baton.Errorf(baton.Invalid, "the entitlement belongs to another application")
	}
	f.Step.Entitlement = n.Entitlement
	return nil
}

// readFields reads fields with their values, one a line: "display_name = =subject.name".
func readFields(lines string) (map[string]string, error) {
	fields := map[string]string{}
	for _, line := range strings.Split(lines, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, baton.Errorf(baton.Invalid, "%q is no field with a value", line).WithFix("Write the name, =, and the value; an expression has a second =.")
		}
		fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if len(fields) == 0 {
		return nil, nil
	}
	return fields, nil
}

// FieldLines returns the fields of a step as [readFields] reads them.
func (f automationStepForm) FieldLines() string {
	var lines []string
	for name, value := range f.Step.Fields {
		lines = append(lines, name+" = "+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// changeSteps changes the steps of the draft, and leads to a page.
func (c *call) changeSteps(change func(steps []console.AutomationStep) ([]console.AutomationStep, error), path func() string) error {
	v, err := c.console().Automation(c.ctx(), c.caller, c.automation())
	if err != nil {
		return err
	}
	if !v.MayChange {
		return console.ManageAutomations.Check(c.caller.Person, console.Object{App: &v.App})
	}
	rule := v.Draft
	if rule.Steps, err = change(slices.Clone(rule.Steps)); err == nil {
		err = c.console().ChangeAutomation(c.ctx(), c.caller, v.ID, govern.AutomationEdit{Version: c.formVersion(), Rule: &rule})
	}
	if err != nil {
		return c.automationDone(err, "")
	}
	return c.redirect(path())
}

func addStep(c *call) error {
	kind := console.StepKind(c.r.PostFormValue("kind"))
	id := ""
	return c.changeSteps(func(steps []console.AutomationStep) ([]console.AutomationStep, error) {
		if _, ok := kind.Rule(); !ok {
			return nil, baton.Errorf(baton.Invalid, "choose what the step does")
		}
		for n := 1; id == ""; n++ {
			id = strings.ReplaceAll(string(kind), "-", "_")
			if n > 1 {
				id += strconv.Itoa(n)
			}
			if slices.ContainsFunc(steps, func(s console.AutomationStep) bool { return s.ID == id }) {
				id = ""
			}
		}
		return append(steps, console.AutomationStep{ID: id, Kind: kind}), nil
	}, func() string { return automationPath(c.automation()) + "/steps/" + id })
}

func moveStep(c *call) error {
	return c.changeSteps(func(steps []console.AutomationStep) ([]console.AutomationStep, error) {
		i := slices.IndexFunc(steps, func(s console.AutomationStep) bool { return s.ID == c.r.PathValue("step") })
		j := i - 1
		if c.r.PostFormValue("to") == "down" {
			j = i + 1
		}
		if i < 0 {
			return nil, baton.Errorf(baton.NotFound, "no step")
		}
		if j >= 0 && j < len(steps) {
			steps[i], steps[j] = steps[j], steps[i]
		}
		return steps, nil
	}, func() string { return automationPath(c.automation()) })
}

func removeStep(c *call) error {
	return c.changeSteps(func(steps []console.AutomationStep) ([]console.AutomationStep, error) {
		left := slices.DeleteFunc(slices.Clone(steps), func(s console.AutomationStep) bool { return s.ID == c.r.PathValue("step") })
		if len(left) == len(steps) {
			return nil, baton.Errorf(baton.NotFound, "no step")
		}
		return left, nil
	}, func() string { return automationPath(c.automation()) })
}
