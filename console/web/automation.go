package web

import (
	"net/http"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

func (c *call) automation() console.ID { return console.ID(c.r.PathValue("automation")) }

func automationPath(id console.ID) string { return "/automations/" + string(id) }

// automationChip returns the state of an automation.
func automationChip(a console.Automation) chip {
	switch {
	case a.State == console.AutomationPaused:
		return chip{"warn", "Paused"}
	case a.State == console.AutomationTripped:
		return chip{"bad", "Circuit breaker"}
	case a.State == console.AutomationStopped:
		return chip{"bad", "Stopped"}
	case a.Published == 0:
		return chip{"plain", "Draft"}
	}
	return chip{"good", "Published"}
}

// executionChip returns the state of an execution.
func executionChip(s console.ExecutionState) chip {
	switch s {
	case console.ExecutionDone:
		return chip{"good", "Done"}
	case console.ExecutionFailed:
		return chip{"bad", "Failed"}
	case console.ExecutionHeld:
		return chip{"warn", "Waits for a person"}
	case console.ExecutionCancelled:
		return chip{"plain", "Cancelled"}
	case console.ExecutionAsking:
		return chip{"warn", "Waits for a decision"}
	case console.ExecutionQueued:
		return chip{"plain", "Begins"}
	}
	return chip{"accent", "Running"}
}

func stepChip(s console.StepState) chip {
	switch s {
	case console.StepDone:
		return chip{"good", "Done"}
	case console.StepSkipped:
		return chip{"plain", "Skipped"}
	case console.StepFailed:
		return chip{"bad", "Failed"}
	case console.StepEnds:
		return chip{"plain", "Ended here"}
	}
	return chip{"accent", "Waits"}
}

type automationsList struct {
	govern.AutomationsView
	Desk    govern.AutomationDesk
	Problem *problem
}

func automationsPage(c *call) error { return c.automations(nil) }

func (c *call) automations(wrong error) error {
	v, err := c.console().Automations(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	desk, err := c.console().AutomationDesk(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "automations", "Automations", automationsList{v, desk, problemOf(wrong)})
}

func pauseAutomations(c *call) error {
	err := c.console().PauseAutomations(c.ctx(), c.caller, c.r.PostFormValue("paused") == "true", c.r.PostFormValue("why"))
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.automations(err)
	}
	return c.redirect("/automations")
}

type automationForm struct {
	Apps      []choice
	Templates []console.AutomationTemplate
	Template  string
	Name      string
	Problem   *problem
}

func (c *call) automationForm() (f automationForm, err error) {
	v, err := c.console().Automations(c.ctx(), c.caller)
	if err != nil {
		return f, err
	}
	if !v.MayAdd {
		return f, console.ManageAutomations.Check(c.caller.Person, console.Object{})
	}
	f = automationForm{Templates: console.AutomationTemplates(), Template: c.r.FormValue("template"), Name: c.r.FormValue("name")}
	if _, ok := console.TemplateNamed(f.Template); !ok {
		f.Template = f.Templates[0].ID
	}
	for _, a := range v.Apps {
		f.Apps = append(f.Apps, choice{string(a.ID), a.Name, string(a.ID) == c.r.FormValue("app")})
	}
	return f, nil
}

func newAutomationPage(c *call) error {
	f, err := c.automationForm()
	if err != nil {
		return err
	}
	return c.page("automation-new", "Add an automation", f)
}

func addAutomation(c *call) error {
	f, err := c.automationForm()
	if err != nil {
		return err
	}
	id, err := c.console().AddAutomation(c.ctx(), c.caller, govern.NewAutomation{App: console.ID(c.r.PostFormValue("app")), Name: f.Name, Template: c.r.PostFormValue("template")})
	if err != nil && (shown(err) || baton.KindOf(err) == baton.NotFound) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "automation-new", "Add an automation", f)
	}
	if err != nil {
		return err
	}
	return c.redirect(automationPath(id))
}

type automationDetail struct {
	govern.AutomationView
	Path    string
	Kinds   []console.StepRule
	Problem *problem
	Notice  string
}

func automationPage(c *call) error { return c.showAutomation(nil) }

func (c *call) showAutomation(wrong error) error {
	v, err := c.console().Automation(c.ctx(), c.caller, c.automation())
	if err != nil {
		return err
	}
	p := automationDetail{AutomationView: v, Path: automationPath(v.ID), Kinds: console.StepRules(), Problem: problemOf(wrong)}
	if n := c.r.URL.Query().Get("published"); n != "" && len(v.Versions) > 0 {
		p.Notice = "Version " + strconv.Itoa(v.Versions[0].Version) + " runs now."
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "automation", text(v.Name), p)
}

// automationDone answers a form on the page of an automation.
func (c *call) automationDone(err error, query string) error {
	if err != nil && shown(err) {
		return c.showAutomation(err)
	}
	if err != nil {
		return err
	}
	return c.redirect(automationPath(c.automation()) + query)
}

func (c *call) formVersion() int64 {
	n, _ := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64) // a wrong one is refused
	return max(n, 1)
}

func publishAutomation(c *call) error {
	_, err := c.console().PublishAutomation(c.ctx(), c.caller, c.automation(), c.formVersion())
	return c.automationDone(err, "?published=1")
}

func restoreAutomation(c *call) error {
	n, err := strconv.Atoi(c.r.PathValue("version"))
	if err != nil {
		return baton.Errorf(baton.NotFound, "no version of the automation")
	}
	return c.automationDone(c.console().RestoreAutomation(c.ctx(), c.caller, c.automation(), n), "")
}

func pauseAutomation(c *call) error {
	return c.automationDone(c.console().PauseAutomation(c.ctx(), c.caller, c.automation(), c.r.PostFormValue("why")), "")
}

func resumeAutomation(c *call) error {
	return c.automationDone(c.console().ResumeAutomation(c.ctx(), c.caller, c.automation(), c.r.PostFormValue("held") == "run", c.r.PostFormValue("why")), "")
}

func removeAutomation(c *call) error {
	v, err := c.console().Automation(c.ctx(), c.caller, c.automation())
	if err != nil {
		return err
	}
	if v.MayChange && strings.TrimSpace(c.r.PostFormValue("name")) != text(v.Name) {
		return c.automationDone(baton.Errorf(baton.Invalid, "the name is another one").WithFix("Write the name of the automation to remove it."), "")
	}
	if err := c.console().RemoveAutomation(c.ctx(), c.caller, c.automation()); err != nil {
		return c.automationDone(err, "")
	}
	return c.redirect("/automations")
}

type automationTest struct {
	govern.AutomationView
	Path      string
	Whom, Why string
	Draft     bool
	Answers   map[string]string
	Form      []console.RequestField
	Ran       *govern.DryRun
	List      string
	Problem   *problem
}

func (t automationTest) Answer(name string) string { return t.Answers[name] }

func (c *call) automationTest() (t automationTest, target govern.AutomationTarget, err error) {
	v, err := c.console().Automation(c.ctx(), c.caller, c.automation())
	if err != nil {
		return t, target, err
	}
	if !v.MayChange {
		return t, target, console.ManageAutomations.Check(c.caller.Person, console.Object{App: &v.App})
	}
	t = automationTest{AutomationView: v, Path: automationPath(v.ID), Whom: c.r.FormValue("whom"), Why: c.r.PostFormValue("why"), Draft: c.r.FormValue("version") != "published" || v.Published == 0, Answers: map[string]string{}}
	t.Form = v.Draft.Trigger.Form
	if !t.Draft {
		t.Form = v.Versions[0].Trigger.Form
	}
	for _, f := range t.Form {
		t.Answers[f.Name] = c.r.PostFormValue("form." + f.Name)
	}
	return t, govern.AutomationTarget{Whom: t.Whom, Form: t.Answers, Why: t.Why}, nil
}

func automationTestPage(c *call) error {
	t, _, err := c.automationTest()
	if err != nil {
		return err
	}
	return c.page("automation-test", "Try "+text(t.Name), t)
}

func testAutomation(c *call) error {
	t, target, err := c.automationTest()
	if err != nil {
		return err
	}
	ran, err := c.console().TestAutomation(c.ctx(), c.caller, c.automation(), target, t.Draft)
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		t.Problem = problemOf(err)
		return c.show(statusOf(err), "automation-test", "Try "+text(t.Name), t)
	}
	t.Ran, t.List = &ran, string(ran.List)
	return c.page("automation-test", "Try "+text(t.Name), t)
}

func runAutomation(c *call) error {
	t, target, err := c.automationTest()
	if err != nil {
		return err
	}
	id, err := c.console().RunAutomation(c.ctx(), c.caller, c.automation(), target)
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		t.Problem = problemOf(err)
		return c.show(statusOf(err), "automation-test", "Try "+text(t.Name), t)
	}
	return c.redirect(automationPath(c.automation()) + "/runs/" + string(id))
}

type executionsList struct {
	govern.ExecutionsView
	Path, State, NextPage string
	States                []choice
}

func executionsPage(c *call) error {
	var before store.ExecutionBefore
	if err := c.place(&before); err != nil {
		return err
	}
	state := console.ExecutionState(c.r.FormValue("state"))
	v, err := c.console().Executions(c.ctx(), c.caller, c.automation(), state, before, rowsPerPage)
	if err != nil {
		return err
	}
	p := executionsList{ExecutionsView: v, Path: automationPath(c.automation()), State: string(state)}
	for _, s := range console.ExecutionStates() {
		p.States = append(p.States, choice{string(s), executionChip(s).Label, s == state})
	}
	if v.Next.ID != "" {
		p.NextPage = c.nextPath(cursor(v.Next))
	}
	return c.page("automation-runs", "Runs of "+text(v.Automation.Name), p)
}

type executionDetail struct {
	govern.ExecutionView
	Path    string
	List    string
	Problem *problem
}

func executionPage(c *call) error { return c.showExecution(nil) }

func (c *call) showExecution(wrong error) error {
	v, err := c.console().Execution(c.ctx(), c.caller, c.automation(), console.ID(c.r.PathValue("run")))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "automation-run", "A run of "+text(v.Automation.Name), executionDetail{v, automationPath(v.Automation.ID), string(v.List), problemOf(wrong)})
}

func cancelExecution(c *call) error {
	err := c.console().CancelExecution(c.ctx(), c.caller, c.automation(), console.ID(c.r.PathValue("run")), c.r.PostFormValue("why"))
	if err != nil && shown(err) {
		return c.showExecution(err)
	}
	if err != nil {
		return err
	}
	return c.redirect(automationPath(c.automation()) + "/runs/" + c.r.PathValue("run"))
}

// jsonLines formats JSON for display; "" for none.
func jsonLines(b []byte) string {
	if s := strings.TrimSpace(string(b)); s != "{}" && s != "null" {
		return s
	}
	return ""
}

// lines makes each line of a text safe for display.
func lines(s string) string {
	all := strings.Split(s, "\n")
	for i, line := range all {
		all[i] = text(line)
	}
	return strings.Join(all, "\n")
}
