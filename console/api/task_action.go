package api

import (
	"encoding/json"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type taskActionResponse struct {
	Expanded       list[packed] `json:"expanded"`
	TaskView       taskView     `json:"taskView"`
	TicketActionID string       `json:"ticketActionId"`
}

// onTask runs an action on the request in the path, and responds with the request after it.
func (c *call) onTask(m taskMask, do func(console.ID) error) (*taskActionResponse, error) {
	id, err := c.taskID()
	if err == nil {
		err = do(id)
	}
	if err != nil {
		return nil, err
	}
	t, err := c.Console.RequestTask(c.ctx(), c.caller, id)
	if err != nil {
		return nil, err
	}
	x := expander{mask: m.expandMask}
	r := taskActionResponse{TaskView: taskViewOf(t, &x), TicketActionID: string(t.ID)}
	if n := len(t.Entries); n > 0 {
		r.TicketActionID = string(t.Entries[n-1].ID)
	}
	r.Expanded = x.Items
	return &r, nil
}

type decideTaskRequest struct {
	Comment      string   `json:"comment"`
	ExpandMask   taskMask `json:"expandMask"`
	PolicyStepID string   `json:"policyStepId"`
}

func approveTask(c *call, r decideTaskRequest) (*taskActionResponse, error) {
	return c.decideTask(r, true)
}

func denyTask(c *call, r decideTaskRequest) (*taskActionResponse, error) {
	return c.decideTask(r, false)
}

func (c *call) decideTask(r decideTaskRequest, approve bool) (*taskActionResponse, error) {
	return c.onTask(r.ExpandMask, func(id console.ID) error {
		if r.PolicyStepID == "" {
			return baton.Errorf(baton.Invalid, "the field policyStepId is missing").WithFix("Give the id of the step that was looked at: task.policy.current.id.")
		}
		done, err := c.Console.Decide(c.ctx(), c.caller, govern.NewDecision{Request: id, Step: console.ID(r.PolicyStepID), Approve: approve, Comment: r.Comment})
		if err == nil && done.Reset {
			err = baton.Errorf(baton.Refused, "what is asked for has changed since, so the decision does not count").WithFix("Look at it again, then decide.")
		}
		return err
	})
}

type commentTaskRequest struct {
	Comment    string   `json:"comment"`
	ExpandMask taskMask `json:"expandMask"`
}

func commentTask(c *call, r commentTaskRequest) (*taskResponse, error) {
	done, err := c.onTask(r.ExpandMask, func(id console.ID) error { return c.Console.CommentRequest(c.ctx(), c.caller, id, r.Comment) })
	if err != nil {
		return nil, err
	}
	return &taskResponse{done.Expanded, done.TaskView}, nil
}

func escalateTask(c *call, r decideTaskRequest) (*taskActionResponse, error) {
	return c.onTask(r.ExpandMask, func(id console.ID) error { return c.Console.EscalateRequest(c.ctx(), c.caller, id, r.Comment) })
}

// closeTask cancels a request.
func closeTask(c *call, r commentTaskRequest) (*taskActionResponse, error) {
	return c.onTask(r.ExpandMask, func(id console.ID) error { return c.Console.CancelRequest(c.ctx(), c.caller, id, r.Comment) })
}

type answerTaskRequest struct {
	Data       map[string]json.RawMessage `json:"data"`
	ExpandMask taskMask                   `json:"expandMask"`
}

// answerTask records the answers to the form of a request.
func answerTask(c *call, r answerTaskRequest) (*taskActionResponse, error) {
	return c.onTask(r.ExpandMask, func(id console.ID) error {
		given, err := answers(r.Data)
		if err != nil {
			return err
		}
		return c.Console.AnswerRequest(c.ctx(), c.caller, id, given)
	})
}
