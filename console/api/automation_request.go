package api

import (
	"baton"
	"baton/console/govern"
)

type requestAutomationRequest struct {
	Target automationTarget `json:"target"` // whom is the e-mail address of somebody for whom the caller may ask; empty: the caller
}

// automationRequestMessage is a request that an automation runs.
type automationRequestMessage struct {
	ExecutionID  string       `json:"executionId"`
	AutomationID string       `json:"automationId"`
	DisplayName  string       `json:"displayName"`
	State        string       `json:"state"` // of the execution; "asking" while people decide
	RequesterID  string       `json:"requesterId"`
	UserID       string       `json:"userId"`
	Reason       string       `json:"reason"`
	Form         words        `json:"form"`
	AskedIDs     list[string] `json:"askedIds"`
	CreatedAt    stamp        `json:"createdAt"`
}

type automationRequestResponse struct {
	Request automationRequestMessage `json:"request"`
}

func automationRequestOf(r govern.AutomationRequestRow) *automationRequestResponse {
	m := automationRequestMessage{ExecutionID: string(r.ID), AutomationID: string(r.Automation), DisplayName: r.Name, State: string(r.State), RequesterID: string(r.Request.Requester), UserID: string(r.Person),
		Reason: r.Trigger.Why, Form: r.Trigger.Form, CreatedAt: stamp(r.Created)}
	if r.State == "asking" {
		for _, a := range r.Request.Asked {
			m.AskedIDs = append(m.AskedIDs, string(a.Person))
		}
	}
	return &automationRequestResponse{m}
}

type requestedAutomationResponse struct {
	ExecutionID string `json:"executionId"`
}

func requestAutomation(c *call, r requestAutomationRequest) (*requestedAutomationResponse, error) {
	id, err := c.Console.RequestAutomation(c.ctx(), c.caller, c.path("automation"), govern.AutomationTarget{Whom: r.Target.Whom, Form: r.Target.Form, Why: r.Target.Reason})
	return &requestedAutomationResponse{string(id)}, err
}

func getAutomationRequest(c *call) (*automationRequestResponse, error) {
	row, err := c.Console.AutomationRequest(c.ctx(), c.caller, c.path("execution"))
	return automationRequestOf(row), err
}

type decideAutomationRequest struct {
	Decision string `json:"decision"` // "approve" or "deny"
	Comment  string `json:"comment"`
}

func decideAutomation(c *call, r decideAutomationRequest) (*automationRequestResponse, error) {
	if r.Decision != "approve" && r.Decision != "deny" {
		return nil, baton.Errorf(baton.Invalid, "decision: %q is none", r.Decision).WithFix("Write approve or deny.")
	}
	if err := c.Console.DecideAutomation(c.ctx(), c.caller, c.path("execution"), r.Decision == "approve", r.Comment); err != nil {
		return nil, err
	}
	return getAutomationRequest(c)
}
