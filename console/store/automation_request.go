package store

import (
	"baton/console"
	"baton/console/store/internal/engine"
)

func scanAutomationRequest(r engine.Row) console.AutomationRequest {
	var q console.AutomationRequest
	decode(r.Bytes(1), &q)
	q.Execution = console.ID(r.Text(0))
	return q
}

// AutomationRequest returns the request of an execution. NotFound if nobody requested it.
func (t *Tx) AutomationRequest(execution console.ID) (console.AutomationRequest, error) {
	return get(t, scanAutomationRequest, "request", "SELECT execution, body FROM automation_request WHERE execution = $1", execution)
}

// PutAutomationRequest stores the request of an execution, or its progress.
func (t *Tx) PutAutomationRequest(q console.AutomationRequest) error {
	_, err := t.e.Exec("INSERT INTO automation_request (execution, body) VALUES ($1, $2) ON CONFLICT (execution) DO UPDATE SET body = excluded.body", q.Execution, encode(q))
	return err
}

// AskingExecutions returns the executions about which people have to decide, the oldest first, at most
// [PageSize].
func (t *Tx) AskingExecutions() ([]console.AutomationExecution, error) {
	return list(t, scanExecution, "SELECT "+executionColumns+" FROM automation_execution WHERE state = 'asking' AND finished IS NULL ORDER BY created, id LIMIT $1", PageSize)
}

// AutomationAsked appends the event that people are asked about a request.
func (t *Tx) AutomationAsked(x console.AutomationExecution, q console.AutomationRequest) error {
	a, err := t.Automation(x.Automation)
	if err != nil {
		return err
	}
	var asked []console.ID
	for _, p := range q.Asked {
		asked = append(asked, p.Person)
	}
	return t.executionEvent(x, "automation.asked", map[string]any{"execution": x.ID, "name": a.Name, "asked": asked, "requester": q.Requester, "why": x.Trigger.Why})
}

// AutomationDecided appends the event of a decision about a request.
func (t *Tx) AutomationDecided(x console.AutomationExecution, d console.AutomationDecision) error {
	return t.executionEvent(x, "automation.decided", map[string]any{"execution": x.ID, "approved": d.Approved, "comment": d.Comment, "for": d.For})
}
