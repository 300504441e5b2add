package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
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
	m := task{Actions: actionsOf(t), CreatedAt: stamp(t.Created), CreatedByUserID: string(t.Requester.ID), Data: t.Form, Description: t.Why,
		DisplayName: "Access to " + t.What, EmergencyAccess: t.Emergency, ID: string(t.ID), NumericID: t.Number, Origin: "TASK_ORIGIN_WEBAPP",
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
		m.DisplayName = "Removal of " + t.What
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

// Names of the states of steps.
const (
	stepActive = "POLICY_STEP_STATE_ACTIVE"
	stepDone   = "POLICY_STEP_STATE_DONE"
)

// policyStateOf returns the steps of a request: past, current and future ones. The last one is the
// change in the application.
func policyStateOf(t govern.RequestTask) (p policyState) {
	add := func(s stepState) {
		s.PolicyGenerationID = generation(t.Request.Policy, t.PolicyVersion)
		if s.State == stepActive {
			p.Current = &s
			return
		}
		p.History = append(p.History, s)
	}
	for i, s := range t.Plan.Steps {
		switch {
		case i > t.Step && t.State.Deciding():
			p.Next = append(p.Next, stepOf(s.PolicyStep))
		case i > t.Step || i == t.Step && !t.State.Deciding() && decisionOf(t, s.ID) == nil:
			// The step was not reached.
		case i == t.Step && t.State.Deciding():
			add(openOf(t, s))
		default:
			add(overOf(t, s))
		}
	}
	made := provisionOf(t)
	switch {
	case t.State.Deciding():
		p.Next = append(p.Next, step{Provision: &made})
	case t.State.Open():
		add(stepState{ID: "provision", State: stepActive, Provision: &provisionState{Provision: made, State: "PROVISION_INSTANCE_STATE_WAITING"}})
	case t.Outcome == console.OutcomeGranted || t.Outcome == console.OutcomeRevoked:
		add(stepState{ID: "provision", State: stepDone, Provision: &provisionState{Provision: made, State: "PROVISION_INSTANCE_STATE_DONE"}})
	case t.Outcome == console.OutcomeDenied && len(t.Plan.Steps) == 0:
		add(stepState{ID: "reject", State: stepDone, Reject: &rejectState{t.OutcomeWhy}})
	}
	return p
}

func provisionOf(t govern.RequestTask) provision {
	p := provision{ProvisionTarget: provisionTarget{AppEntitlementID: key(t.Entitlement), AppID: string(t.App), AppUserID: accountID(t.Account), GrantDuration: lasts(t.Request)}}
	if t.Operation != nil && t.Operation.State == console.Manual {
		p.ProvisionPolicy.Manual = &manualProvision{}
	} else {
		p.ProvisionPolicy.Connector = &empty{}
	}
	return p
}

// decisionOf returns the decision in a step; nil if there is none.
func decisionOf(t govern.RequestTask, step console.ID) *console.RequestEntry {
	for i, e := range t.Entries {
		if e.Step == step && (e.Kind == console.EntryApproved || e.Kind == console.EntryDenied) {
			return &t.Entries[i]
		}
	}
	return nil
}

func overOf(t govern.RequestTask, s console.PlanStep) stepState {
	m := stepState{ID: string(s.ID), State: stepDone}
	if s.Wait != nil {
		w := waitStateOf(t, s, "WAIT_INSTANCE_STATE_COMPLETED")
		m.Wait = &w
		return m
	}
	a := approvalState{Approval: approvalOf(s, nil), State: "APPROVAL_INSTANCE_STATE_DONE"}
	if e := decisionOf(t, s.ID); e != nil && e.Kind == console.EntryApproved {
		a.Approved = &approvedBy{ApprovedAt: stamp(e.At), UserID: string(e.Actor.Person())}
	} else if e != nil {
		a.Denied = &deniedBy{stamp(e.At), string(e.Actor.Person())}
	}
	m.Approval = &a
	return m
}

func openOf(t govern.RequestTask, s console.PlanStep) stepState {
	m := stepState{ID: string(s.ID), State: stepActive}
	if s.Wait != nil && s.Wait.Answers {
		m.Form = &formState{Data: t.Form, Form: formOf(t), State: "FORM_INSTANCE_STATE_WAITING"}
		return m
	}
	if s.Wait != nil {
		w := waitStateOf(t, s, "WAIT_INSTANCE_STATE_WAITING")
		m.Wait = &w
		return m
	}
	var asked []string
	for _, a := range t.Asked {
		asked = append(asked, string(a.Person))
	}
	a := approvalState{Approval: approvalOf(s, asked), AssignedAt: stamp(t.StepBegan), State: "APPROVAL_INSTANCE_STATE_WAITING"}
	for _, e := range t.Entries {
		if e.Kind == console.EntryReassigned && e.Step == s.ID {
			a.Reassigned = &reassignedBy{NewPolicyStepID: string(s.ID), ReassignedAt: stamp(e.At), UserID: string(e.Actor.Person())}
		}
	}
	m.Approval = &a
	return m
}

func waitStateOf(t govern.RequestTask, s console.PlanStep, state string) waitState {
	w := waitState{Name: s.Name, StartedWaitingAt: stamp(t.StepBegan), State: state, TimeoutDuration: period(s.Limit)}
	if s.Limit > 0 {
		w.Timeout = stamp(t.StepBegan.Add(time.Duration(s.Limit)))
	}
	if s.Wait.Until != "" {
		w.Condition = &waitCondition{s.Wait.Until}
	} else {
		w.UntilTime = &waitUntil{DurationIfExists: period(s.Wait.For), UntilTime: stamp(s.Wait.Ends(t.StepBegan))}
	}
	return w
}

// approvalOf converts the approvers of a step. Approvers of a kind that the platform does not have
// become people.
func approvalOf(s console.PlanStep, asked []string) approval {
	a := approvalRule(s.PolicyStep)
	if len(s.Passed) > 0 || a.AppOwners == nil && a.EntitlementOwners == nil && a.Expression == nil && a.Group == nil && a.Manager == nil {
		a = approval{AllowDelegation: a.AllowDelegation, AllowReassignment: a.AllowReassignment, RequireApprovalReason: a.RequireApprovalReason,
			RequireDenialReason: a.RequireDenialReason, RequireReassignmentReason: a.RequireReassignmentReason, Escalation: a.Escalation, EscalationEnabled: a.EscalationEnabled,
			Users: &byUsers{RequireDistinctApprovers: s.Distinct, UserIDs: asked}}
	}
	a.Assigned = len(asked) > 0
	if a.Manager != nil {
		a.Manager.AssignedUserIDs = asked
	}
	if a.Expression != nil {
		a.Expression.AssignedUserIDs = asked
	}
	return a
}

func formOf(t govern.RequestTask) form {
	f := form{ID: "form", DisplayName: "Questions"}
	for _, q := range t.Settings.Form {
		field := formField{DisplayName: q.Label, Name: q.Name, Required: q.Required, StringField: &stringField{DefaultValue: t.Form[q.Name]}}
		if q.Required {
			field.StringField.Rules = &stringRules{MinLen: 1, MaxBytes: console.MaxRequestText}
		}
		f.Fields = append(f.Fields, field)
	}
	return f
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

type taskActionResponse struct {
	Expanded       list[packed] `json:"expanded"`
	TaskView       taskView     `json:"taskView"`
	TicketActionID string       `json:"ticketActionId"`
}

// task responds with the current state of a request.
func (c *call) task(id console.ID, m expandMask) (r taskResponse, err error) {
	t, err := c.Console.RequestTask(c.ctx(), c.caller, id)
	if err != nil {
		return r, err
	}
	x := expander{mask: m}
	r.TaskView = taskViewOf(t, &x)
	r.Expanded = x.Items
	return r, nil
}

// acted responds to an action on a request.
func (c *call) acted(id console.ID, m expandMask) (any, error) {
	t, err := c.Console.RequestTask(c.ctx(), c.caller, id)
	if err != nil {
		return nil, err
	}
	x := expander{mask: m}
	r := taskActionResponse{TaskView: taskViewOf(t, &x), TicketActionID: string(t.ID)}
	if n := len(t.Entries); n > 0 {
		r.TicketActionID = string(t.Entries[n-1].ID)
	}
	r.Expanded = x.Items
	return r, nil
}

// taskID returns the request in the path, by ID or by number.
func (c *call) taskID() (console.ID, error) {
	text := c.r.PathValue("task")
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && !console.ID(text).Valid() {
		return c.Console.RequestNumber(c.ctx(), c.caller, number)
	}
	return console.ID(text), nil
}

func getTask(c *call) (any, error) {
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	return c.task(id, everything)
}

type createGrantRequest struct {
	AppEntitlementID string                     `json:"appEntitlementId"`
	AppID            string                     `json:"appId"`
	AppUserID        string                     `json:"appUserId"`
	Description      string                     `json:"description"`
	EmergencyAccess  bool                       `json:"emergencyAccess"`
	ExpandMask       taskMask                   `json:"expandMask"`
	GrantDuration    string                     `json:"grantDuration"`
	IdentityUserID   string                     `json:"identityUserId"`
	RequestData      map[string]json.RawMessage `json:"requestData"`
}

func createGrant(c *call) (any, error) {
	var r createGrantRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	n := govern.NewRequest{App: console.ID(r.AppID), Why: r.Description, Emergency: r.EmergencyAccess, AnswersLater: len(r.RequestData) == 0}
	var err error
	if n.Entitlement, err = entitlementKey(r.AppEntitlementID); err != nil {
		return nil, err
	}
	if n.Account, err = accountKey(r.AppUserID); err != nil {
		return nil, err
	}
	if n.Term.For, err = grantDuration(r.GrantDuration); err != nil {
		return nil, err
	}
	if n.Form, err = answers(r.RequestData); err != nil {
		return nil, err
	}
	if r.IdentityUserID != string(c.caller.Person.ID) {
		n.For = console.ID(r.IdentityUserID) // "": the caller
	}
	made, err := c.Console.SubmitRequest(c.ctx(), c.caller, n)
	if err != nil {
		return nil, err
	}
	return c.task(made.ID, r.ExpandMask.expandMask)
}

type createRevokeRequest struct {
	AppEntitlementID string   `json:"appEntitlementId"`
	AppID            string   `json:"appId"`
	AppUserID        string   `json:"appUserId"`
	Description      string   `json:"description"`
	ExpandMask       taskMask `json:"expandMask"`
	IdentityUserID   string   `json:"identityUserId"`
}

// createRevoke ends access of the caller, or files a request to remove another person's access.
func createRevoke(c *call) (any, error) {
	var r createRevokeRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	e, err := entitlementKey(r.AppEntitlementID)
	if err != nil {
		return nil, err
	}
	account, err := accountKey(r.AppUserID)
	if err != nil {
		return nil, err
	}
	if r.IdentityUserID != "" && r.IdentityUserID != string(c.caller.Person.ID) {
		done, err := c.Console.RemoveAccessOf(c.ctx(), c.caller, console.ID(r.AppID), console.ID(r.IdentityUserID), account, e, r.Description)
		if err != nil {
			return nil, err
		}
		return c.task(done.Request, r.ExpandMask.expandMask)
	}
	made, err := c.Console.GiveBack(c.ctx(), c.caller, console.ID(r.AppID), e, account, strings.TrimSpace(r.Description))
	if err != nil {
		return nil, err
	}
	return c.task(made.ID, r.ExpandMask.expandMask)
}

func entitlementKey(id string) (console.EntitlementKey, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 {
		return 0, baton.Errorf(baton.NotFound, "no entitlement")
	}
	return console.EntitlementKey(n), nil
}

func accountKey(id string) (console.ResourceKey, error) {
	if id == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, baton.Errorf(baton.NotFound, "no account")
	}
	return console.ResourceKey(n), nil
}

// grantDuration decodes a duration in seconds, "3600s" or "1.5s"; 0 for none.
func grantDuration(text string) (console.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || !strings.HasSuffix(text, "s") {
		return 0, baton.Errorf(baton.Invalid, "the field grantDuration has %q, which is no duration", text).WithFix("Write it in seconds, as 3600s.")
	}
	if d < time.Second { // rounding down must not remove the limit
		return 0, baton.Errorf(baton.Invalid, "the duration that is asked for is shorter than a second")
	}
	return console.Duration(d.Truncate(time.Second)), nil
}

// answers decodes the answers to the form of a request: texts, numbers, booleans or lists of them.
func answers(data map[string]json.RawMessage) (map[string]string, error) {
	form := map[string]string{}
	for name, raw := range data {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, baton.Errorf(baton.Invalid, "the answer %s cannot be read", name)
		}
		switch v := v.(type) {
		case nil:
		case string:
			form[name] = v
		case bool, float64:
			form[name] = string(raw)
		case []any:
			var parts []string
			for _, one := range v {
				text, ok := one.(string)
				if !ok {
					return nil, baton.Errorf(baton.Invalid, "the answer %s is a list of something else than texts", name)
				}
				parts = append(parts, text)
			}
			form[name] = strings.Join(parts, ", ")
		default:
			return nil, baton.Errorf(baton.Invalid, "the answer %s is neither a text nor a list", name)
		}
	}
	if len(form) == 0 {
		return nil, nil
	}
	return form, nil
}

type decideTaskRequest struct {
	Comment      string   `json:"comment"`
	ExpandMask   taskMask `json:"expandMask"`
	PolicyStepID string   `json:"policyStepId"`
}

func approveTask(c *call) (any, error) { return c.decideTask(true) }

func denyTask(c *call) (any, error) { return c.decideTask(false) }

func (c *call) decideTask(approve bool) (any, error) {
	var r decideTaskRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	if r.PolicyStepID == "" {
		return nil, baton.Errorf(baton.Invalid, "the field policyStepId is missing").WithFix("Give the id of the step that was looked at: task.policy.current.id.")
	}
	done, err := c.Console.Decide(c.ctx(), c.caller, govern.NewDecision{Request: id, Step: console.ID(r.PolicyStepID), Approve: approve, Comment: r.Comment})
	if err != nil {
		return nil, err
	}
	if done.Reset {
		return nil, baton.Errorf(baton.Refused, "what is asked for has changed since, so the decision does not count").WithFix("Look at it again, then decide.")
	}
	return c.acted(id, r.ExpandMask.expandMask)
}

func commentTask(c *call) (any, error) {
	var r decideTaskRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	if err := c.Console.CommentRequest(c.ctx(), c.caller, id, r.Comment); err != nil {
		return nil, err
	}
	return c.task(id, r.ExpandMask.expandMask)
}

func escalateTask(c *call) (any, error) {
	var r decideTaskRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	if err := c.Console.EscalateRequest(c.ctx(), c.caller, id, r.Comment); err != nil {
		return nil, err
	}
	return c.acted(id, r.ExpandMask.expandMask)
}

type answerTaskRequest struct {
	Data       map[string]json.RawMessage `json:"data"`
	ExpandMask taskMask                   `json:"expandMask"`
}

// answerTask records the answers to the form of a request.
func answerTask(c *call) (any, error) {
	var r answerTaskRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	given, err := answers(r.Data)
	if err != nil {
		return nil, err
	}
	if err := c.Console.AnswerRequest(c.ctx(), c.caller, id, given); err != nil {
		return nil, err
	}
	return c.acted(id, r.ExpandMask.expandMask)
}

// closeTask cancels a request.
func closeTask(c *call) (any, error) {
	var r decideTaskRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	id, err := c.taskID()
	if err != nil {
		return nil, err
	}
	if err := c.Console.CancelRequest(c.ctx(), c.caller, id, r.Comment); err != nil {
		return nil, err
	}
	return c.acted(id, r.ExpandMask.expandMask)
}

type searchTasksRequest struct {
	page
	ExpandMask               taskMask                     `json:"expandMask"`
	AccessReviewIDs          []string                     `json:"accessReviewIds"`
	AppEntitlementIDs        []string                     `json:"appEntitlementIds"`
	AppUserSubjectIDs        []string                     `json:"appUserSubjectIds"`
	ApplicationIDs           []string                     `json:"applicationIds"`
	AssigneesInIDs           []string                     `json:"assigneesInIds"`
	AssignedOrStepApproverID string                       `json:"assignedOrStepApproverUserId"`
	MyWorkUserIDs            []string                     `json:"myWorkUserIds"`
	CertifyOutcomes          []string                     `json:"certifyOutcomes"`
	CreatedAfter             time.Time                    `json:"createdAfter"`
	CreatedBefore            time.Time                    `json:"createdBefore"`
	OutcomeAfter             time.Time                    `json:"outcomeAfter"`
	OutcomeBefore            time.Time                    `json:"outcomeBefore"`
	CurrentStep              string                       `json:"currentStep"`
	EmergencyStatus          string                       `json:"emergencyStatus"`
	ExcludeAppEntitlementIDs []string                     `json:"excludeAppEntitlementIds"`
	ExcludeApplicationIDs    []string                     `json:"excludeApplicationIds"`
	ExcludeIDs               []string                     `json:"excludeIds"`
	GrantOutcomes            []string                     `json:"grantOutcomes"`
	RevokeOutcomes           []string                     `json:"revokeOutcomes"`
	OlderThanDuration        string                       `json:"olderThanDuration"`
	OpenerIDs                []string                     `json:"openerIds"`
	OpenerOrSubjectUserID    string                       `json:"openerOrSubjectUserId"`
	Query                    string                       `json:"query"`
	Refs                     []struct{ ID string }        `json:"refs"`
	SortBy                   string                       `json:"sortBy"`
	SubjectIDs               []string                     `json:"subjectIds"`
	TaskStates               []string                     `json:"taskStates"`
	TaskTypes                []map[string]json.RawMessage `json:"taskTypes"`
}

// searched are the supported fields of a search for tasks. Others must be empty: a response that
// ignored them would contain tasks that were not searched for.
var searched = []string{"pageSize", "pageToken", "expandMask", "accessReviewIds", "appEntitlementIds", "appUserSubjectIds", "applicationIds", "assigneesInIds",
	"assignedOrStepApproverUserId", "myWorkUserIds", "certifyOutcomes", "createdAfter", "createdBefore", "outcomeAfter", "outcomeBefore", "currentStep", "emergencyStatus",
	"excludeAppEntitlementIds", "excludeApplicationIds", "excludeIds", "grantOutcomes", "revokeOutcomes", "olderThanDuration", "openerIds", "openerOrSubjectUserId", "query",
	"refs", "sortBy", "subjectIds", "taskStates", "taskTypes", "includeDeleted"}

type tasksResponse struct {
	Expanded      list[packed]   `json:"expanded"`
	List          list[taskView] `json:"list"`
	NextPageToken string         `json:"nextPageToken"`
}

func searchTasks(c *call) (any, error) {
	var r searchTasksRequest
	if err := c.decode(&r); err != nil {
		return nil, err
	}
	if err := c.onlyFields(searched); err != nil {
		return nil, err
	}
	q, empty, err := r.query(c.Console.Now())
	if err != nil || empty {
		return tasksResponse{}, err
	}
	if err := r.place("tasks", &q.Before); err != nil {
		return nil, err
	}
	q.N = r.size()
	tasks, next, err := c.Console.RequestTasks(c.ctx(), c.caller, q)
	if err != nil {
		return nil, err
	}
	x := expander{mask: r.ExpandMask.expandMask}
	var out tasksResponse
	for _, t := range tasks {
		out.List = append(out.List, taskViewOf(t, &x))
	}
	if out.Expanded = x.Items; next != 0 {
		out.NextPageToken = token("tasks", next)
	}
	return out, nil
}

// query converts the search; empty reports that nothing can match.
func (r searchTasksRequest) query(now time.Time) (q govern.RequestTaskQuery, empty bool, err error) {
	q = govern.RequestTaskQuery{Apps: ids(r.ApplicationIDs), Subjects: ids(r.SubjectIDs), Requesters: ids(r.OpenerIDs), Asked: ids(r.AssigneesInIDs)}
	if r.AssignedOrStepApproverID != "" {
		q.Asked = append(q.Asked, console.ID(r.AssignedOrStepApproverID))
	}
	q.Asked = append(q.Asked, ids(r.MyWorkUserIDs)...)
	for _, ref := range r.Refs {
		q.IDs = append(q.IDs, console.ID(ref.ID))
	}
	closed, open := false, false
	for _, s := range r.TaskStates {
		switch s {
		case "TASK_STATE_OPEN":
			open = true
		case "TASK_STATE_CLOSED":
			closed = true
		case "TASK_STATE_UNSPECIFIED":
			open, closed = true, true
		default:
			return q, false, noValue("taskStates", s)
		}
	}
	q.Open = open && !closed
	onlyClosed := closed && !open
	kinds := map[console.RequestKind]bool{}
	for _, t := range r.TaskTypes {
		for name := range t {
			switch name {
			case "grant":
				kinds[console.RequestGrant] = true
			case "revoke":
				kinds[console.RequestRevoke] = true
			case "certify", "offboarding", "action", "finding": // there are no such tasks
			default:
				return q, false, noValue("taskTypes", name)
			}
		}
	}
	wanted := map[string]bool{} // by outcome
	for field, values := range map[string][]string{"grantOutcomes": r.GrantOutcomes, "revokeOutcomes": r.RevokeOutcomes} {
		prefix := map[string]string{"grantOutcomes": "GRANT_OUTCOME_", "revokeOutcomes": "REVOKE_OUTCOME_"}[field]
		for _, v := range values {
			if name, ok := strings.CutPrefix(v, prefix); !ok || !slices.Contains(outcomeNames, name) {
				return q, false, noValue(field, v)
			}
			wanted[v] = true
		}
	}
	older, err := grantDuration(r.OlderThanDuration)
	if err != nil {
		return q, false, err
	}
	switch r.EmergencyStatus {
	case "", "UNSPECIFIED", "ALL", "NON_EMERGENCY", "EMERGENCY":
	default:
		return q, false, noValue("emergencyStatus", r.EmergencyStatus)
	}
	switch r.CurrentStep {
	case "", "TASK_SEARCH_CURRENT_STEP_UNSPECIFIED", "TASK_SEARCH_CURRENT_STEP_APPROVAL", "TASK_SEARCH_CURRENT_STEP_PROVISION":
	default:
		return q, false, noValue("currentStep", r.CurrentStep)
	}
	switch r.SortBy {
	case "", "TASK_SEARCH_SORT_BY_UNSPECIFIED", "TASK_SEARCH_SORT_BY_REVERSE_TICKET_ID", "TASK_SEARCH_SORT_BY_REVERSE_CREATED_AT":
	default:
		return q, false, baton.Errorf(baton.Invalid, "tasks cannot be sorted by %q", r.SortBy).WithFix("They come with the newest first.")
	}
	if len(r.AccessReviewIDs)+len(r.CertifyOutcomes) > 0 || len(r.TaskTypes) > 0 && len(kinds) == 0 {
		return q, true, nil
	}
	in := func(all []string, id string) bool { return len(all) == 0 || slices.Contains(all, id) }
	within := func(at, after, before time.Time) bool {
		return (after.IsZero() || at.After(after)) && (before.IsZero() || !at.IsZero() && at.Before(before)) && (after.IsZero() || !at.IsZero())
	}
	q.Selected = func(s govern.RequestSummary) bool {
		prefix := "GRANT_OUTCOME_"
		if s.Kind == console.RequestRevoke {
			prefix = "REVOKE_OUTCOME_"
		}
		subject, opener := string(s.Subject.ID), string(s.Requester.ID)
		return (!onlyClosed || !s.State.Open()) && (len(kinds) == 0 || kinds[s.Kind]) && (len(wanted) == 0 || wanted[prefix+outcomes[s.Outcome]]) &&
			in(r.AppEntitlementIDs, key(s.Entitlement)) && in(r.AppUserSubjectIDs, accountID(s.Account)) &&
			(r.OpenerOrSubjectUserID == "" || r.OpenerOrSubjectUserID == subject || r.OpenerOrSubjectUserID == opener) &&
			!slices.Contains(r.ExcludeIDs, string(s.ID)) && !slices.Contains(r.ExcludeApplicationIDs, string(s.App)) && !slices.Contains(r.ExcludeAppEntitlementIDs, key(s.Entitlement)) &&
			within(s.Created, r.CreatedAfter, r.CreatedBefore) && within(s.Closed, r.OutcomeAfter, r.OutcomeBefore) && (older == 0 || now.Sub(s.Created) > time.Duration(older)) &&
			(r.EmergencyStatus != "EMERGENCY" || s.Emergency) && (r.EmergencyStatus != "NON_EMERGENCY" || !s.Emergency) &&
			(r.CurrentStep != "TASK_SEARCH_CURRENT_STEP_APPROVAL" || s.State == console.RequestAsking) &&
			(r.CurrentStep != "TASK_SEARCH_CURRENT_STEP_PROVISION" || s.State == console.RequestCarrying || s.State == console.RequestScheduled) && named(s, r.Query)
	}
	return q, false, nil
}

// outcomeNames are the suffixes of the names of outcomes.
var outcomeNames = []string{"UNSPECIFIED", "GRANTED", "REVOKED", "DENIED", "ERROR", "CANCELLED", "WAIT_TIMED_OUT"}

func noValue(field, value string) error {
	return baton.Errorf(baton.Invalid, "there is no %q for %s", value, field)
}

// named reports whether a text is the number of a request, or all of its words are in the request's
// texts.
func named(s govern.RequestSummary, text string) bool {
	if text = strings.ToLower(strings.TrimSpace(text)); text == "" || strings.TrimPrefix(text, "#") == strconv.FormatInt(s.Number, 10) {
		return true
	}
	about := strings.ToLower(strings.Join([]string{s.What, s.Name, s.AppName, s.Subject.Name, s.Requester.Name, s.Why}, " "))
	for word := range strings.FieldsSeq(text) {
		if !strings.Contains(about, word) {
			return false
		}
	}
	return true
}

// onlyFields refuses a request with unknown fields that are not empty.
func (c *call) onlyFields(known []string) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(c.body, &all) != nil {
		return nil // decode reports errors; there may be no body
	}
	for name, value := range all {
		if name = camelName(name); slices.Contains(known, name) || slices.Contains([]string{"null", "[]", "{}", `""`, "false", "0"}, string(value)) {
			continue
		}
		if strings.HasSuffix(string(value), `_UNSPECIFIED"`) || string(value) == `"UNSPECIFIED"` {
			continue
		}
		return baton.Errorf(baton.Invalid, "the console cannot search by %s", name).WithFix("Leave it out.")
	}
	return nil
}

// source returns the program that a client says it is, for the events, as one line of limited
// length.
func source(header string) string {
	header = strings.TrimSpace(header)
	if len(header) > maxSource || !utf8.ValidString(header) || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return header
}

const maxSource = 100

// sourceHeader is the header with the program of a client.
const sourceHeader = "C1-Request-Source"
