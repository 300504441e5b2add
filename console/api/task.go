package api

import (
	"slices"
	"strconv"

	"baton/console"
	"baton/console/govern"
)

// outcomes are the suffixes of the names of outcomes.
var outcomes = map[console.Outcome]string{
	console.OutcomeNone: "UNSPECIFIED", console.OutcomeGranted: "GRANTED", console.OutcomeRevoked: "REVOKED", console.OutcomeDenied: "DENIED",
	console.OutcomeCancelled: "CANCELLED", console.OutcomeError: "ERROR", console.OutcomeTimedOut: "WAIT_TIMED_OUT",
}

// taskState returns the names of the state and the outcome of a request.
func taskState(r govern.RequestTask) (state, processing string) {
	switch {
	case r.State == console.RequestClosed:
		return "TASK_STATE_CLOSED", "TASK_PROCESSING_TYPE_DONE"
	case r.State == console.RequestCarrying && (r.Operation == nil || r.Operation.State != console.Manual):
		return "TASK_STATE_OPEN", "TASK_PROCESSING_TYPE_PROCESSING"
	}
	return "TASK_STATE_OPEN", "TASK_PROCESSING_TYPE_WAITING"
}

// accountID returns the id of an account; "" if there is none yet.
func accountID(k console.ResourceKey) string {
	if k == 0 {
		return ""
	}
	return key(k)
}

func taskOf(t govern.RequestTask) task {
	m := task{Actions: actionsOf(t), CreatedAt: stamp(t.Created), CreatedByUserID: string(t.Requester.ID), Data: t.Form, Description: text(t.Why),
		DisplayName: text("Access to " + t.What), EmergencyAccess: t.Emergency, ID: string(t.ID), NumericID: t.Number, Origin: "TASK_ORIGIN_WEBAPP",
		Policy: policyStateOf(t), PolicyGenerationID: generation(t.Request.Policy, t.PolicyVersion), Recommendation: "INSIGHT_RECOMMENDATION_UNSPECIFIED",
		UpdatedAt: stamp(t.Created), UserID: string(t.Subject.ID)}
	m.State, m.Processing = taskState(t)
	if t.Client != "" {
		m.Origin = "TASK_ORIGIN_API"
	}
	if len(t.Settings.Form) > 0 {
		f := formOf(t)
		m.Form = &f
	}
	for _, e := range t.Entries {
		m.UpdatedAt = stamp(e.At)
		switch e.Kind {
		case console.EntryComment:
			m.CommentCount++
		case console.EntryApproved, console.EntryDenied:
			if id := string(e.Actor.Person()); !slices.Contains(m.ApproverIDs, id) {
				m.ApproverIDs = append(m.ApproverIDs, id)
			}
		}
	}
	for _, a := range t.Asked {
		m.StepApproverIDs = append(m.StepApproverIDs, string(a.Person))
	}
	if t.Kind == console.RequestRevoke {
		m.DisplayName = text("Removal of " + t.What)
		m.Type.Revoke = &taskRevoke{AppEntitlementID: key(t.Entitlement), AppID: string(t.App), AppUserID: accountID(t.Account), IdentityUserID: string(t.Subject.ID),
			Outcome: "REVOKE_OUTCOME_" + outcomes[t.Outcome], OutcomeTime: stamp(t.Closed), Source: revokeSource{revokeByRequest{string(t.Requester.ID)}}}
		return m
	}
	m.Type.Grant = &taskGrant{AppEntitlementID: key(t.Entitlement), AppID: string(t.App), AppUserID: accountID(t.Account), GrantDuration: lasts(t.Request),
		IdentityUserID: string(t.Subject.ID), Outcome: "GRANT_OUTCOME_" + outcomes[t.Outcome], OutcomeTime: stamp(t.Closed)}
	return m
}

// lasts returns the requested duration; 0 without an end.
func lasts(r console.Request) period {
	effect := r.Created
	if r.Start.After(effect) {
		effect = r.Start
	}
	length, _ := r.Term.Length(effect)
	return period(max(length, 0))
}

// generation identifies a version of a policy.
func generation(policy console.ID, version int) string {
	return string(policy) + "." + strconv.Itoa(version)
}

// actionsOf returns the actions that the caller may take on a request.
func actionsOf(t govern.RequestTask) (all list[string]) {
	for _, a := range []struct {
		may  bool
		name string
	}{
		{t.MayCancel, "TASK_ACTION_TYPE_CLOSE"}, {t.MayDecide, "TASK_ACTION_TYPE_APPROVE"}, {t.MayDecide, "TASK_ACTION_TYPE_DENY"}, {true, "TASK_ACTION_TYPE_COMMENT"},
		{t.MayReassign, "TASK_ACTION_TYPE_REASSIGN"}, {t.MayEscalate, "TASK_ACTION_TYPE_ESCALATE_TO_EMERGENCY_ACCESS"},
		{t.MayAnswer, "TASK_ACTION_TYPE_UPDATE_REQUEST_DATA"},
	} {
		if a.may {
			all = append(all, a.name)
		}
	}
	return all
}

// taskViewOf returns a request with the places of its expanded objects.
func taskViewOf(t govern.RequestTask, x *expander) taskView {
	v := taskView{Task: taskOf(t)}
	user := func(path string, p console.Person) string {
		return x.add(path, "c1.api.user.v1.User", string(p.ID), func() any {
			return userOf(console.Person{ID: p.ID, Name: p.Name, Emails: p.Emails, Status: p.Status, Service: p.Service})
		})
	}
	v.AppPath = x.add("app_id", "c1.api.app.v1.App", string(t.App), func() any { return appOf(govern.AppSummary{App: console.App{ID: t.App, Name: t.AppName}}) })
	v.UserPath, v.IdentityUserPath = user("user_id", t.Subject), user("identity_user_id", t.Subject)
	v.CreatedByUserPath = user("created_by_user_id", t.Requester)
	return v
}

type taskResponse struct {
	Expanded list[packed] `json:"expanded"`
	TaskView taskView     `json:"taskView"`
}

// task responds with the current state of a request.
func (c *call) task(id console.ID, m expandMask) (*taskResponse, error) {
	t, err := c.Console.RequestTask(c.ctx(), c.caller, id)
	if err != nil {
		return nil, err
	}
	x := expander{mask: m}
	r := taskResponse{TaskView: taskViewOf(t, &x)}
	r.Expanded = x.Items
	return &r, nil
}

// taskID returns the request in the path, by ID or by number.
func (c *call) taskID() (console.ID, error) {
	text := c.r.PathValue("task")
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && !console.ID(text).Valid() {
		return c.Console.RequestNumber(c.ctx(), c.caller, number)
	}
	return console.ID(text), nil
}

func getTask(c *call) (*taskResponse, error) {
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	return c.task(id, everything)
}

func formOf(t govern.RequestTask) form {
	f := form{ID: "form", DisplayName: "Questions"}
	for _, q := range t.Settings.Form {
		field := formField{DisplayName: text(q.Label), Name: q.Name, Required: q.Required, StringField: &stringField{DefaultValue: t.Form[q.Name]}}
		if q.Required {
			field.StringField.Rules = &stringRules{MinLen: 1, MaxBytes: console.MaxRequestText}
		}
		f.Fields = append(f.Fields, field)
	}
	return f
}
