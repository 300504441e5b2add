package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/approve"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// provisions makes the connector of the fixture report its capabilities.
func (f *fixture) provisions() {
	f.t.Helper()
	f.check(rpcstore.New(f.store).Hello(context.Background(), f.now, string(f.connector),
		rpc.Hello{Host: "h", Connector: rpc.Description{Capabilities: []rpc.Capability{rpc.CanProvision, rpc.CanCreateAccounts}}}))
	f.update(func(tx *store.Tx) error {
		return tx.SetRoleMap(f.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{f.admin}},
			{Name: "Member", Entitlements: []console.EntitlementKey{f.member}}}}, 1)
	})
}

// ask files a request of user for a group without members.
func (f *fixture) ask() map[string]any {
	f.t.Helper()
	f.provisions()
	v := f.ok(f.as("user"), "POST", "/api/v1/task/grant", f.grantBody(""))
	f.task, f.step = 0, fmt.Sprint(at(v, "taskView.task.policy.current.id"))
	fmt.Sscan(fmt.Sprint(at(v, "taskView.task.numericId")), &f.task)
	return v
}

// askForMember files a request of user that can be closed.
func (f *fixture) askForMember() {
	f.t.Helper()
	v := f.ok(f.as("user"), "POST", "/api/v1/task/grant", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"again"}`, f.app, f.member))
	fmt.Sscan(fmt.Sprint(at(v, "taskView.task.numericId")), &f.closing)
}

// grantBody returns the body of a request for the group, with further fields.
func (f *fixture) grantBody(more string) string {
	return fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","appUserId":"","description":"need it","emergencyAccess":false,"identityUserId":%q%s}`, f.app, f.group, f.people["user"], more)
}

func (f *fixture) taskPath(more string) string {
	return fmt.Sprintf("/api/v1/tasks/%d%s", f.task, more)
}

// carry carries out the operation of the request, and applies a sync that shows it.
func (f *fixture) carry(task int64, groups ...string) {
	f.t.Helper()
	id := console.NewID(f.now)
	f.update(func(tx *store.Tx) error {
		r, err := tx.RequestByNumber(task)
		if err != nil {
			return err
		}
		refused, err := tx.DispatchOperation(r.Operation, id, f.now, f.now.Add(time.Minute), store.Circumstances{})
		if refused != nil || err != nil {
			return fmt.Errorf("%v, %v", refused, err)
		}
		return tx.FinishOperation(r.Operation, id, store.Answer{At: f.now, State: console.Applied})
	})
	f.now = f.now.Add(time.Second)
	for i := range f.tenant.Groups {
		if f.tenant.Groups[i].ID == "xaa" {
			f.tenant.Groups[i].Members = groups
		}
	}
	s := f.tenant.Receive(f.t, f.store, f.connector, f.now)
	if s.State != console.SyncApplied {
		f.t.Fatalf("the sync is %s", s.State)
	}
	f.update(func(tx *store.Tx) error {
		r, err := tx.RequestByNumber(task)
		if err != nil {
			return err
		}
		o, err := tx.Operation(r.Operation)
		if err != nil {
			return err
		}
		a, err := tx.Access(o.App, o.Account, o.Entitlement, f.now)
		if err != nil {
			return err
		}
		return tx.JudgeOperation(o.ID, console.Verify(o, console.Sighting{Kind: s.Kind, Dispatched: s.Dispatched, Covers: true, Held: a.Held, Direct: a.Direct}), s.Number)
	})
	f.now = f.now.Add(time.Second)
}

// TestTask follows a request through the calls of clients: filed, approved by another person,
// granted when a sync shows it, and given back.
func TestTask(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	user, owner := f.as("user"), f.as("owner")
	made := f.ok(user, "POST", "/api/v1/task/grant", f.grantBody(`,"grantDuration":"3600s","unknown":{"a":1}`))
	task := at(made, "taskView.task")
	f.task, f.step = 0, fmt.Sprint(at(task, "policy.current.id"))
	fmt.Sscan(fmt.Sprint(at(task, "numericId")), &f.task)
	for path, want := range map[string]any{
		"state": "TASK_STATE_OPEN", "processing": "TASK_PROCESSING_TYPE_WAITING", "description": "need it", "userId": string(f.people["user"]), "createdByUserId": string(f.people["user"]),
		"origin": "TASK_ORIGIN_API", "type.grant.outcome": "GRANT_OUTCOME_UNSPECIFIED", "type.grant.grantDuration": "3600s", "type.grant.outcomeTime": nil, "type.revoke": nil,
		"type.grant.appUserId": fmt.Sprint(f.account), "policy.current.state": "POLICY_STEP_STATE_ACTIVE", "policy.current.approval.state": "APPROVAL_INSTANCE_STATE_WAITING",
		"policy.current.approval.approval.users.userIds.0": string(f.people["owner"]), "stepApproverIds.0": string(f.people["owner"]), "emergencyAccess": false, "commentCount": 0.0,
	} {
		if got := at(task, path); got != want {
			t.Errorf("a new task: %s is %v, want %v", path, got, want)
		}
	}
	if _, isText := at(task, "numericId").(string); !isText {
		t.Errorf("numericId is %T", at(task, "numericId"))
	}
	if a := fmt.Sprint(at(task, "actions")); strings.Contains(a, "APPROVE") || !strings.Contains(a, "CLOSE") {
		t.Errorf("the requester may %s", a)
	}

	// The same request again is refused, with the ID of the first.
	again := f.call(user, "POST", "/api/v1/task/grant", f.grantBody(""))
	if again.status != 409 || !strings.Contains(again.body, "duplicate ticket found") || !strings.Contains(again.body, fmt.Sprintf(`"id":%q`, at(task, "id"))) || !strings.Contains(again.body, `TaskRef"`) {
		t.Errorf("the same again: %d %s", again.status, again.body)
	}

	// By number and by ID, for people who may see it.
	byID := f.ok(owner, "GET", fmt.Sprintf("/api/v1/tasks/%v", at(task, "id")), "")
	if at(byID, "taskView.task.numericId") != at(task, "numericId") || at(byID, "taskView.userPath") == "" || !strings.Contains(fmt.Sprint(at(byID, "taskView.task.actions")), "APPROVE") {
		t.Errorf("by id: %v", byID)
	}
	f.ok(owner, "GET", f.taskPath(""), "")
	f.fails("somebody else", f.as("connectors"), "GET", f.taskPath(""), "", 404, 5)
	f.fails("no number", user, "GET", "/api/v1/tasks/99999", "", 404, 5)
	f.fails("no id", user, "GET", "/api/v1/tasks/x", "", 404, 5)

	// Nobody decides for themselves; a decision names its step; a past step is not decided again.
	body := fmt.Sprintf(`{"comment":"ok","policyStepId":%q}`, f.step)
	f.fails("own approval", user, "POST", f.taskPath("/action/approve"), body, 400, 9, "obody decides about their own access")
	f.fails("no step", owner, "POST", f.taskPath("/action/approve"), `{"comment":""}`, 400, 3, "policyStepId")
	f.fails("another step", owner, "POST", f.taskPath("/action/approve"), `{"comment":"","policyStepId":"2stp000000000000000000000S"}`, 404, 5)
	if v := f.ok(owner, "POST", f.taskPath("/action/comment"), `{"comment":"hello"}`); at(v, "taskView.task.commentCount") != 1.0 || at(v, "taskView.task.state") == nil {
		t.Errorf("commented: %v", v)
	}
	f.fails("an empty comment", owner, "POST", f.taskPath("/action/comment"), `{"comment":" "}`, 400, 3)
	done := f.ok(owner, "POST", f.taskPath("/action/approve"), body)
	if at(done, "taskView.task.state") != "TASK_STATE_OPEN" || at(done, "taskView.task.processing") != "TASK_PROCESSING_TYPE_PROCESSING" || at(done, "ticketActionId") == "" ||
		at(done, "taskView.task.policy.current.provision.state") == nil || at(done, "taskView.task.policy.history.0.approval.approved.userId") != string(f.people["owner"]) {
		t.Errorf("approved: %v", done)
	}
	f.fails("again", owner, "POST", f.taskPath("/action/approve"), body, 400, 9, "approved it already")
	f.fails("a denial after it", owner, "POST", f.taskPath("/action/deny"), body, 400, 9, "approved it already")

	// It is granted only when a sync shows it.
	f.carry(f.task, "u1")
	closed := f.ok(user, "GET", f.taskPath(""), "")
	if at(closed, "taskView.task.state") != "TASK_STATE_CLOSED" || at(closed, "taskView.task.processing") != "TASK_PROCESSING_TYPE_DONE" || at(closed, "taskView.task.type.grant.outcome") != "GRANT_OUTCOME_GRANTED" ||
		at(closed, "taskView.task.type.grant.outcomeTime") == nil || at(closed, "taskView.task.policy.current") != nil {
		t.Errorf("granted: %v", closed)
	}
	grants := f.ok(user, "GET", fmt.Sprintf("/api/v1/apps/%s/entitlements/%d/users/%s/grants", f.app, f.group, f.people["user"]), "")
	if at(grants, "bindings.0.deprovisionAt") == nil {
		t.Errorf("the grant has no end: %v", grants)
	}

	// An owner removes the access of another person. Other people may not do so.
	of := func(person string) string {
		return fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"left the team","identityUserId":%q}`, f.app, f.group, f.people[person])
	}
	removal := f.ok(owner, "POST", "/api/v1/task/revoke", of("user"))
	if at(removal, "taskView.task.type.revoke") == nil || at(removal, "taskView.task.createdByUserId") != string(f.people["owner"]) || at(removal, "taskView.task.userId") != string(f.people["user"]) {
		t.Errorf("%v", removal)
	}
	f.fails("of somebody else", user, "POST", "/api/v1/task/revoke", of("owner"), 404, 5, "No app.")

	// Given back.
	back := f.ok(user, "POST", "/api/v1/task/revoke", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"","identityUserId":%q}`, f.app, f.group, f.people["user"]))
	if at(back, "taskView.task.type.revoke.outcome") != "REVOKE_OUTCOME_UNSPECIFIED" || at(back, "taskView.task.state") != "TASK_STATE_OPEN" || at(back, "taskView.task.type.grant") != nil {
		t.Errorf("given back: %v", back)
	}
	fmt.Sscan(fmt.Sprint(at(back, "taskView.task.numericId")), &f.task)
	f.carry(f.task)
	if v := f.ok(user, "GET", f.taskPath(""), ""); at(v, "taskView.task.type.revoke.outcome") != "REVOKE_OUTCOME_REVOKED" || at(v, "taskView.task.state") != "TASK_STATE_CLOSED" {
		t.Errorf("revoked: %v", v)
	}
	f.fails("what is gone", owner, "POST", "/api/v1/task/revoke", of("user"), 400, 9, "does not hold it")
}

// TestTaskSource checks that events contain the client's program.
func TestTaskSource(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	for source, want := range map[string]string{"cone:get": "cone:get", strings.Repeat("x", 101): "", "caf\u00e9": ""} {
		r, err := http.NewRequest("POST", f.server.URL+"/api/v1/task/grant", strings.NewReader(f.grantBody("")))
		f.check(err)
		r.Header.Set("Authorization", "Bearer "+f.as("user"))
		r.Header.Set("C1-Request-Source", source)
		resp, err := http.DefaultClient.Do(r)
		f.check(err)
		resp.Body.Close()
		f.update(func(tx *store.Tx) error {
			events, err := tx.EventsBefore(store.EventFilter{Person: f.people["user"]}, 0, 1)
			if len(events) != 1 || events[0].Source != want || events[0].Client == "" {
				t.Errorf("the event of a call with the source %q: %+v", source, events)
			}
			if err != nil {
				return err
			}
			open, err := tx.OpenRequests(f.app, f.people["user"], f.group)
			for _, r := range open {
				err = tx.CloseRequest(r, console.OutcomeCancelled, "")
			}
			return err
		})
	}
}

// TestGrantRefused checks requests that are refused.
func TestGrantRefused(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	user := f.as("user")
	for _, tt := range []struct {
		what, body   string
		status, code int
		text         string
	}{
		{"no app", `{"appId":"x","appEntitlementId":"1","description":"x"}`, 404, 5, ""},
		{"no entitlement", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"x","description":"x"}`, f.app), 404, 5, ""},
		{"no justification", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":" "}`, f.app, f.group), 400, 3, "justification"},
		{"a duration of nothing", f.grantBody(`,"grantDuration":"0s"`), 400, 3, "shorter than a second"},
		{"a duration in words", f.grantBody(`,"grantDuration":"PT8H"`), 400, 3, "3600s"},
		{"a number as duration", f.grantBody(`,"grantDuration":3600`), 400, 3, ""},
		{"somebody unknown", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"x","identityUserId":"x"}`, f.app, f.group), 404, 5, ""},
		{"somebody else", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"x","identityUserId":%q}`, f.app, f.group, f.people["auditor"]), 404, 5, ""},
		{"the account of somebody else", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"x","appUserId":"%d"}`, f.app, f.group, f.account+1), 404, 5, ""},
		{"an emergency where there is none", strings.Replace(f.grantBody(""), `"emergencyAccess":false`, `"emergencyAccess":true`, 1), 400, 9, "emergency"},
		{"an answer that is an object", f.grantBody(`,"requestData":{"a":{}}`), 400, 3, "neither a text nor a list"},
	} {
		f.fails(tt.what, user, "POST", "/api/v1/task/grant", tt.body, tt.status, tt.code, tt.text)
	}
	f.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: f.app, Entitlement: f.group, Settings: console.RequestSettings{Longest: console.Duration(8 * time.Hour)}, Version: 0})
	})
	for _, more := range []string{"", `,"grantDuration":"28801s"`} {
		a := f.call(user, "POST", "/api/v1/task/grant", f.grantBody(more))
		_, rest, ok := strings.Cut(a.body, "grant duration must be less than or equal to max provision time")
		if a.status != 400 || !ok || !strings.Contains(rest, ")") {
			t.Errorf("longer than the limit: %d %s", a.status, a.body)
		}
	}
	f.ok(user, "POST", "/api/v1/task/grant", f.grantBody(`,"grantDuration":"28800s"`))
}

// TestDenyTask denies a request, and finds it by search.
func TestDenyTask(t *testing.T) {
	f := newFixture(t)
	f.ask()
	v := f.ok(f.as("owner"), "POST", f.taskPath("/action/deny"), fmt.Sprintf(`{"comment":"no","policyStepId":%q}`, f.step))
	task := at(v, "taskView.task")
	if at(task, "state") != "TASK_STATE_CLOSED" || at(task, "type.grant.outcome") != "GRANT_OUTCOME_DENIED" || at(task, "policy.history.0.approval.denied.userId") != string(f.people["owner"]) || at(task, "policy.current") != nil {
		t.Errorf("denied: %v", v)
	}
	f.fails("approved after it", f.as("owner"), "POST", f.taskPath("/action/approve"), fmt.Sprintf(`{"comment":"","policyStepId":%q}`, f.step), 400, 9, "denied it already")
}

// TestEscalateTask makes a request an emergency request.
func TestEscalateTask(t *testing.T) {
	f := newFixture(t)
	f.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: f.app, Entitlement: console.WholeApp, Settings: console.RequestSettings{Emergency: console.EmergencyPolicy}, Version: 0})
	})
	f.ask()
	f.fails("by the owner", f.as("owner"), "POST", f.taskPath("/action/escalate"), "{}", 403, 7)
	v := f.ok(f.as("user"), "POST", f.taskPath("/action/escalate"), "{}")
	step := at(v, "taskView.task.policy.current.id")
	if at(v, "taskView.task.emergencyAccess") != true || step == f.step || step == nil || at(v, "taskView.task.policyGenerationId") != "emergency.0" {
		t.Errorf("escalated: %v", v)
	}
	f.fails("again", f.as("user"), "POST", f.taskPath("/action/escalate"), "{}", 400, 9, "already")
	f.fails("the step of before", f.as("owner"), "POST", f.taskPath("/action/approve"), fmt.Sprintf(`{"comment":"","policyStepId":%q}`, f.step), 400, 9, "not open")
}

// TestSearchTasks finds requests by their properties, and only those that the caller may see.
func TestSearchTasks(t *testing.T) {
	f := newFixture(t)
	f.ask()
	number := fmt.Sprint(f.task)
	f.ok(f.as("super"), "POST", "/api/v1/task/grant", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"%d","description":"other"}`, f.app, f.group))
	user, owner, super := f.people["user"], f.people["owner"], f.people["super"]
	for _, tt := range []struct {
		who, body string
		want      int
	}{
		{"user", `{"includeDeleted":false}`, 1},
		{"owner", `{"includeDeleted":false}`, 2},
		{"connectors", `{}`, 0},
		{"auditor", `{}`, 2},
		{"auditor", `{"taskStates":["TASK_STATE_OPEN"]}`, 2},
		{"auditor", `{"taskStates":["TASK_STATE_CLOSED"]}`, 0},
		{"auditor", `{"taskTypes":[{"grant":{}}]}`, 2},
		{"auditor", `{"taskTypes":[{"revoke":{}}]}`, 0},
		{"auditor", `{"taskTypes":[{"certify":{}}]}`, 0},
		{"auditor", `{"taskTypes":[{"certify":{}},{"grant":{}}]}`, 2},
		{"auditor", fmt.Sprintf(`{"subjectIds":[%q]}`, user), 1},
		{"auditor", fmt.Sprintf(`{"openerIds":[%q]}`, super), 1},
		{"auditor", fmt.Sprintf(`{"openerIds":[%q,%q]}`, super, user), 2},
		{"auditor", fmt.Sprintf(`{"assigneesInIds":[%q]}`, owner), 2},
		{"auditor", fmt.Sprintf(`{"assigneesInIds":[%q]}`, user), 0},
		{"connectors", fmt.Sprintf(`{"assigneesInIds":[%q]}`, owner), 0},
		{"connectors", fmt.Sprintf(`{"subjectIds":[%q]}`, user), 0},
		{"auditor", fmt.Sprintf(`{"applicationIds":[%q]}`, f.app), 2},
		{"connectors", fmt.Sprintf(`{"applicationIds":[%q]}`, f.app), 0},
		{"auditor", `{"applicationIds":["x"]}`, 0},
		{"auditor", fmt.Sprintf(`{"appEntitlementIds":["%d"]}`, f.group), 2},
		{"auditor", fmt.Sprintf(`{"appEntitlementIds":["%d"]}`, f.member), 0},
		{"auditor", fmt.Sprintf(`{"appUserSubjectIds":["%d"]}`, f.account), 1},
		{"auditor", fmt.Sprintf(`{"query":%q}`, number), 1},
		{"auditor", `{"query":"need group"}`, 1},
		{"auditor", `{"query":"nothing"}`, 0},
		{"auditor", `{"accessReviewIds":["x"]}`, 0},
		{"auditor", `{"emergencyStatus":"EMERGENCY"}`, 0},
		{"auditor", `{"emergencyStatus":"NON_EMERGENCY"}`, 2},
		{"auditor", `{"grantOutcomes":["GRANT_OUTCOME_UNSPECIFIED"]}`, 2},
		{"auditor", `{"grantOutcomes":["GRANT_OUTCOME_DENIED"]}`, 0},
		{"auditor", `{"createdAfter":"2026-11-29T12:00:00Z"}`, 0},
		{"auditor", `{"createdBefore":"2026-11-29T12:00:01Z"}`, 2},
		{"auditor", `{"outcomeAfter":"2020-11-29T12:00:00Z"}`, 0},
		{"auditor", `{"olderThanDuration":"60s"}`, 0},
		{"auditor", fmt.Sprintf(`{"openerOrSubjectUserId":%q}`, user), 1},
		{"auditor", `{"currentStep":"TASK_SEARCH_CURRENT_STEP_PROVISION"}`, 0},
		{"auditor", `{"requireDenialReason":false,"stepApprovalTypes":[],"pendingActionFilter":"PENDING_ACTION_FILTER_UNSPECIFIED"}`, 2},
	} {
		v := f.ok(f.as(tt.who), "POST", "/api/v1/search/tasks", tt.body)
		if got := v["list"].([]any); len(got) != tt.want || v["expanded"] == nil || v["nextPageToken"] != "" {
			t.Errorf("%s as %s finds %d, want %d", tt.body, tt.who, len(got), tt.want)
		}
	}
	for _, body := range []string{`{"taskStates":["OPEN"]}`, `{"taskTypes":[{"x":{}}]}`, `{"grantOutcomes":["GRANTED"]}`, `{"actorId":"x"}`, `{"requireDenialReason":true}`, `{"sortBy":"TASK_SEARCH_SORT_BY_ACCOUNT"}`,
		`{"emergencyStatus":"X"}`, `{"createdAfter":"yesterday"}`} {
		f.fails(body, f.as("auditor"), "POST", "/api/v1/search/tasks", body, 400, 3)
	}
	f.update(func(tx *store.Tx) error { // many requests, so that several lists are merged
		for i := range 120 {
			if _, err := tx.AddRequest(console.Request{Kind: console.RequestGrant, App: f.app, Entitlement: console.EntitlementKey(1000 + i), Subject: user, Requester: user, State: console.RequestClosed}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, who := range []string{"user", "owner", "auditor"} {
		seen, next := map[any]bool{}, ""
		for pages := 0; pages < 20; pages++ {
			v := f.ok(f.as(who), "POST", "/api/v1/search/tasks", fmt.Sprintf(`{"pageSize":20,"pageToken":%q,"expandMask":{"paths":["*"]}}`, next))
			for _, row := range v["list"].([]any) {
				if id := at(row, "task.id"); seen[id] {
					t.Errorf("%v comes twice", id)
				} else {
					seen[id] = true
				}
			}
			if next = fmt.Sprint(v["nextPageToken"]); next == "" {
				break
			}
		}
		if want := map[string]int{"user": 121, "owner": 122, "auditor": 122}[who]; len(seen) != want {
			t.Errorf("%s finds %d of %d", who, len(seen), want)
		}
	}
}

// TestTaskForm answers the questions of a request after filing it, like an official client.
func TestTaskForm(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	f.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: f.app, Entitlement: f.group, Settings: console.RequestSettings{
			Form: []console.RequestField{{Name: "ticket", Label: "Ticket", Required: true}, {Name: "note", Label: "Note"}}}})
	})
	user, owner := f.as("user"), f.as("owner")
	made := at(f.ok(user, "POST", "/api/v1/task/grant", f.grantBody("")), "taskView.task")
	fmt.Sscan(fmt.Sprint(at(made, "numericId")), &f.task)
	if at(made, "form.fields.0.name") != "ticket" || at(made, "form.fields.0.stringField.rules.minLen") != "1" || at(made, "form.fields.1.stringField.rules") != nil ||
		at(made, "policy.current.form.state") != "FORM_INSTANCE_STATE_WAITING" || at(made, "processing") != "TASK_PROCESSING_TYPE_WAITING" || at(made, "stepApproverIds.0") != nil {
		t.Errorf("a request with questions: %v", made)
	}
	step := fmt.Sprint(at(made, "policy.current.id"))
	f.fails("a decision before the answers", owner, "POST", f.taskPath("/action/approve"), fmt.Sprintf(`{"comment":"","policyStepId":%q}`, step), 400, 9)
	answer := f.taskPath("/action/update-request-data")
	for _, body := range []string{`{"data":{"ticket":" "}}`, `{"data":{"other":"x"}}`, `{"data":{"ticket":{}}}`, `{"data":{}}`, fmt.Sprintf(`{"data":{"ticket":%q}}`, strings.Repeat("x", 4001))} {
		f.fails(body, user, "POST", answer, body, 400, 3)
	}
	f.fails("answers of somebody else", owner, "POST", answer, `{"data":{"ticket":"7"}}`, 403, 7)
	v := at(f.ok(user, "POST", answer, `{"data":{"ticket":7,"note":["a","b"]}}`), "taskView.task")
	if at(v, "data.ticket") != "7" || at(v, "data.note") != "a, b" || at(v, "policy.current.approval") == nil || at(v, "stepApproverIds.0") != string(f.people["owner"]) {
		t.Errorf("answered: %v", v)
	}
	f.step = fmt.Sprint(at(v, "policy.current.id"))
	// The same answers change nothing. Different ones restart the decisions.
	if v := at(f.ok(user, "POST", answer, `{"data":{"ticket":"7"}}`), "taskView.task"); at(v, "policy.current.id") != f.step {
		t.Errorf("the same answers: %v", v)
	}
	if v := at(f.ok(user, "POST", answer, `{"data":{"ticket":"8"}}`), "taskView.task"); at(v, "policy.current.id") == f.step || at(v, "data.note") != "a, b" {
		t.Errorf("other answers: %v", v)
	} else {
		f.step = fmt.Sprint(at(v, "policy.current.id"))
	}
	f.ok(owner, "POST", f.taskPath("/action/approve"), fmt.Sprintf(`{"comment":"","policyStepId":%q}`, f.step))
	f.fails("answers after the decision", user, "POST", answer, `{"data":{"ticket":"9"}}`, 400, 9, "decided already")
	if closed := at(f.ok(user, "POST", f.taskPath("/action/close"), "{}"), "taskView.task"); at(closed, "state") != "TASK_STATE_CLOSED" || at(closed, "type.grant.outcome") != "GRANT_OUTCOME_CANCELLED" {
		t.Errorf("closed: %v", closed)
	}
	f.fails("closed again", user, "POST", f.taskPath("/action/close"), "{}", 400, 9)

	// With answers in the request, no second call is needed.
	made = at(f.ok(user, "POST", "/api/v1/task/grant", f.grantBody(`,"requestData":{"ticket":"1"}`)), "taskView.task")
	if at(made, "policy.current.approval") == nil || at(made, "data.ticket") != "1" {
		t.Errorf("answered with the request: %v", made)
	}
	f.ok(user, "POST", fmt.Sprintf("/api/v1/tasks/%v/action/close", at(made, "id")), "{}")
	f.fails("a form without its answer", user, "POST", "/api/v1/task/grant", f.grantBody(`,"requestData":{"note":"1"}`), 400, 3, "Ticket is missing")
	// Nobody answers.
	made = at(f.ok(user, "POST", "/api/v1/task/grant", f.grantBody("")), "taskView.task")
	f.now = f.now.Add(15 * 24 * time.Hour)
	f.update(func(tx *store.Tx) error { return approve.Advance(tx, console.ID(fmt.Sprint(at(made, "id")))) })
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		r, err := tx.Request(console.ID(fmt.Sprint(at(made, "id"))))
		if r.Outcome != console.OutcomeTimedOut || !strings.Contains(r.OutcomeWhy, "Nobody answered") {
			t.Errorf("%s: %s", r.Outcome, r.OutcomeWhy)
		}
		return err
	}))
}
