package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

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
	Refs                     []ref                        `json:"refs"`
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

func searchTasks(c *call, r searchTasksRequest) (*tasksResponse, error) {
	if err := c.onlyFields(searched); err != nil {
		return nil, err
	}
	q, empty, err := r.query(c.Console.Now())
	if err != nil || empty {
		return &tasksResponse{}, err
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
	return &out, nil
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
