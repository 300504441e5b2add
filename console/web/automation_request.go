package web

import (
	"net/http"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type automationRequestNew struct {
	govern.RequestableAutomation
	Whom, Why string
	Answers   map[string]string
	Problem   *problem
}

func (f automationRequestNew) Answer(name string) string { return f.Answers[name] }

func (c *call) automationRequestNew() (f automationRequestNew, err error) {
	f = automationRequestNew{Whom: c.r.PostFormValue("whom"), Why: c.r.PostFormValue("why"), Answers: map[string]string{}}
	if f.RequestableAutomation, err = c.console().AutomationRequestForm(c.ctx(), c.caller, c.automation()); err != nil {
		return f, err
	}
	for _, q := range f.Form {
		f.Answers[q.Name] = c.r.PostFormValue("form." + q.Name)
	}
	return f, nil
}

func automationRequestForm(c *call) error {
	f, err := c.automationRequestNew()
	if err != nil {
		return err
	}
	return c.page("automation-request-new", "Request "+text(f.Name), f)
}

func requestAutomation(c *call) error {
	f, err := c.automationRequestNew()
	if err != nil {
		return err
	}
	id, err := c.console().RequestAutomation(c.ctx(), c.caller, f.ID, govern.AutomationTarget{Whom: f.Whom, Form: f.Answers, Why: f.Why})
	if err != nil && shown(err) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "automation-request-new", "Request "+text(f.Name), f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/automation-requests/" + string(id))
}

type automationRequestDetail struct {
	govern.AutomationRequestRow
	Problem *problem
}

func automationRequestPage(c *call) error { return c.showAutomationRequest(nil) }

func (c *call) showAutomationRequest(wrong error) error {
	row, err := c.console().AutomationRequest(c.ctx(), c.caller, console.ID(c.r.PathValue("run")))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "automation-request", "Request: "+text(row.Name), automationRequestDetail{row, problemOf(wrong)})
}

func decideAutomation(c *call) error {
	decision := c.r.PostFormValue("decision")
	var err error
	if decision == "approve" || decision == "deny" {
		err = c.console().DecideAutomation(c.ctx(), c.caller, console.ID(c.r.PathValue("run")), decision == "approve", c.r.PostFormValue("comment"))
	} else {
		err = baton.Errorf(baton.Invalid, "choose to approve or to deny")
	}
	if err != nil && shown(err) {
		return c.showAutomationRequest(err)
	}
	if err != nil {
		return err
	}
	return c.redirect("/automation-requests/" + c.r.PathValue("run"))
}
