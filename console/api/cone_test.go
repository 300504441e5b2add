package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// cone sends requests as cone v0.0.41 was recorded to send them (docs/peers.md): one token for each
// command, then the requests in this order, with these headers and bodies.
type cone struct {
	f                *fixture
	person           string
	command          string // "get", or "task:approve"
	token            string
	app, entitlement string
}

// cone begins a command.
func (f *fixture) cone(person, command string) *cone {
	f.t.Helper()
	m := f.issue(person, console.ScopeRead, console.ScopeAsk, console.ScopeConfigure, console.ScopeDecide)
	req, err := http.NewRequest("POST", f.server.URL+rpc.TokenPath, strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "client_id": {m.ClientID}, "client_secret": {m.Secret.Reveal()}}.Encode()))
	f.check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "cone-c1-credential-provider cone")
	resp, err := http.DefaultClient.Do(req)
	f.check(err)
	defer resp.Body.Close()
	var token struct {
		Text    string  `json:"access_token"`
		Type    string  `json:"token_type"`
		Seconds float64 `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || resp.StatusCode != 200 || token.Text == "" || token.Type != "Bearer" || token.Seconds < 60 {
		f.t.Fatalf("the token: %s %+v, %v", resp.Status, token, err)
	}
	return &cone{f: f, person: person, command: command, token: token.Text, app: string(f.app), entitlement: fmt.Sprint(f.group)}
}

// send sends a request and checks that the answer has the fields without which cone fails.
func (c *cone) send(method, path, body string, needs ...string) map[string]any {
	c.f.t.Helper()
	req, err := http.NewRequest(method, c.f.server.URL+path, strings.NewReader(body))
	c.f.check(err)
	for name, value := range map[string]string{"Accept": "application/json", "Authorization": "Bearer " + c.token, "C1-Request-Source": "cone:" + c.command,
		"User-Agent": "cone/dev speakeasy-sdk/go 1.28.2 2.882.0 0.1.0-alpha github.com/conductorone/conductorone-sdk-go"} {
		req.Header.Set(name, value)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	c.f.check(err)
	defer resp.Body.Close()
	var v map[string]any
	// Any other status, or any other type of content, is a failure for cone.
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		c.f.t.Fatalf("cone %s: %s %s: %s %v, %v", c.command, method, path, resp.Status, v, err)
	}
	for _, path := range needs {
		if at(v, path) == nil {
			c.f.t.Errorf("cone %s: the answer of %s %s has no %s: %v", c.command, method, req.URL.Path, path, v)
		}
	}
	return v
}

func (c *cone) introspect() (user string) {
	return fmt.Sprint(c.send("GET", "/api/v1/auth/introspect", "", "userId", "roles")["userId"])
}

// holds looks at the active grants of the caller.
func (c *cone) holds(user string) bool {
	v := c.send("GET", fmt.Sprintf("/api/v1/apps/%s/entitlements/%s/users/%s/grants", c.app, c.entitlement, user), "", "bindings")
	return len(v["bindings"].([]any)) > 0 && at(v, "bindings.0.appEntitlementId") != "" && at(v, "bindings.0.createdAt") != nil
}

// find resolves an alias.
func (c *cone) find(alias string) {
	v := c.send("POST", "/api/v1/search/request_catalog/entitlements", fmt.Sprintf(`{"entitlementAlias":%q,"expandMask":{},"grantedStatus":"ALL","includeDeleted":false,"pageSize":100}`, alias),
		"list", "list.0.entitlement.appEntitlement.id", "list.0.entitlement.appEntitlement.appId")
	if n := len(v["list"].([]any)); n != 1 {
		c.f.t.Fatalf("%d entitlements have the alias", n)
	}
	c.app, c.entitlement = fmt.Sprint(at(v, "list.0.entitlement.appEntitlement.appId")), fmt.Sprint(at(v, "list.0.entitlement.appEntitlement.id"))
}

// taskFields are those that cone reads of every task. Without state and processing it panics.
var taskFields = []string{"taskView.task.id", "taskView.task.numericId", "taskView.task.state", "taskView.task.processing", "taskView.task.displayName"}

// get asks for the entitlement for an hour, and returns the number of the task.
func (c *cone) get() string {
	user := c.introspect()
	if c.holds(user) {
		c.f.t.Fatal("cone get ends with: you already have access")
	}
	c.send("GET", fmt.Sprintf("/api/v1/apps/%s/entitlements/%s", c.app, c.entitlement), "", "appEntitlementView.appEntitlement.displayName")
	accounts := c.send("GET", fmt.Sprintf("/api/v1/apps/%s/users/%s/app_users", c.app, user), "", "list")
	account := "" // there is none
	if list := accounts["list"].([]any); len(list) == 1 {
		account = fmt.Sprint(at(list[0], "appUser.id"))
	}
	v := c.send("POST", "/api/v1/task/grant", fmt.Sprintf(`{"appEntitlementId":%q,"appId":%q,"appUserId":%q,"description":"x","emergencyAccess":false,"grantDuration":"3600s","identityUserId":%q}`,
		c.entitlement, c.app, account, user), taskFields...)
	number, ok := at(v, "taskView.task.numericId").(string)
	if !ok {
		c.f.t.Errorf("numericId is %v: cone decodes it from text only", at(v, "taskView.task.numericId"))
	}
	c.f.task = 0
	fmt.Sscan(number, &c.f.task)
	c.f.step = fmt.Sprint(at(v, "taskView.task.policy.current.id"))
	return number
}

// decide approves or denies a task.
func (c *cone) decide(number, decision string) map[string]any {
	task := c.send("GET", "/api/v1/tasks/"+number, "", append(taskFields, "taskView.task.policy.current.id")...)
	return c.send("POST", "/api/v1/tasks/"+number+"/action/"+decision, fmt.Sprintf(`{"comment":"","policyStepId":%q}`, at(task, "taskView.task.policy.current.id")), taskFields...)
}

var expandedPath = regexp.MustCompile(`^\$\.expanded\[(\d+)\]$`)

// TestConeCommands runs the commands of cone, in the order of a story: find, ask, decide, wait, have, give back.
func TestConeCommands(t *testing.T) {
	f := newFixture(t)
	f.provisions()

	// cone whoami
	c := f.cone("user", "whoami")
	if v := c.send("GET", "/api/v1/users/"+c.introspect(), "", "userView.user.email", "userView.user.status", "userView.user.createdAt"); at(v, "userView.user.status") != "ENABLED" {
		t.Errorf("whoami: %v", at(v, "userView.user.status"))
	}

	// cone search. An unknown type in expanded ends the command, and an index outside of it in a panic.
	v := f.cone("user", "search").send("POST", "/api/v1/search/request_catalog/entitlements",
		`{"expandMask":{"paths":["app_id","app_resource_type_id","app_resource_id"]},"grantedStatus":"ALL","includeDeleted":false,"pageSize":100}`, "list.0.entitlement.appEntitlement.id", "expanded.0")
	expanded := v["expanded"].([]any)
	for _, e := range expanded {
		switch e.(map[string]any)["@type"] {
		case "type.googleapis.com/c1.api.app.v1.App", "type.googleapis.com/c1.api.app.v1.AppResource", "type.googleapis.com/c1.api.app.v1.AppResourceType":
		default:
			t.Errorf("cone does not know %v", e)
		}
	}
	for _, row := range v["list"].([]any) {
		for _, name := range []string{"appPath", "appResourceTypePath", "appResourcePath"} {
			path := fmt.Sprint(at(row, "entitlement."+name))
			var index int
			if m := expandedPath.FindStringSubmatch(path); m != nil {
				fmt.Sscan(m[1], &index)
			} else if path != "" {
				t.Errorf("%s is %q", name, path)
			}
			if index >= len(expanded) {
				t.Errorf("%s is %q, and %d are expanded", name, path, len(expanded))
			}
		}
	}

	// cone generate-alias
	c = f.cone("super", "generate-alias")
	if roles := c.send("GET", "/api/v1/auth/introspect", "", "userId")["roles"]; !strings.Contains(fmt.Sprint(roles), "role/c1.api.tenant.v1.Tenant:owner") {
		t.Errorf("generate-alias refuses somebody with %v", roles)
	}
	c.send("POST", fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.group), `{"entitlement":{"alias":"the-group"},"updateMask":"alias"}`)

	// cone get the-group -d 1h; then the same again
	c = f.cone("user", "get")
	c.find("the-group")
	number := c.get()
	if again := f.call(c.token, "POST", "/api/v1/task/grant", f.grantBody("")); again.status != 409 || !strings.Contains(again.body, "duplicate ticket found") {
		t.Errorf("asked twice: %d %s", again.status, again.body)
	}

	// cone task search, task get, task comment; task approve by whoever asked, and by the owner
	listed := f.cone("owner", "task:search").send("POST", "/api/v1/search/tasks", `{"includeDeleted":false}`, "list.0.task.state", "list.0.task.processing", "list.0.task.numericId")
	if at(listed, "list.0.task.numericId") != number {
		t.Errorf("the list: %v", listed)
	}
	f.cone("owner", "task:get").send("GET", "/api/v1/tasks/"+number, "", append(taskFields, "taskView.task.createdAt")...)
	f.cone("owner", "task:comment").send("POST", "/api/v1/tasks/"+number+"/action/comment", `{"comment":"why?"}`, "taskView.task.state")
	f.now = f.now.Add(time.Second)
	f.fails("a decision about one's own request", f.cone("user", "task:approve").token, "POST", "/api/v1/tasks/"+number+"/action/approve", fmt.Sprintf(`{"comment":"","policyStepId":%q}`, f.step), 400, 9)
	if v := f.cone("owner", "task:approve").decide(number, "approve"); at(v, "taskView.task.state") != "TASK_STATE_OPEN" || at(v, "taskView.task.processing") != "TASK_PROCESSING_TYPE_PROCESSING" {
		t.Errorf("approved: %v", at(v, "taskView.task.state"))
	}

	// cone get --wait asks every second until the task is closed, which it is when a sync shows the access.
	wait := f.cone("user", "get")
	for _, state := range []string{"TASK_STATE_OPEN", "TASK_STATE_CLOSED"} {
		v := wait.send("GET", fmt.Sprint("/api/v1/tasks/", number), "", taskFields...)
		if at(v, "taskView.task.state") != state {
			t.Errorf("--wait: %v, want %s", at(v, "taskView.task.state"), state)
		}
		if state == "TASK_STATE_OPEN" {
			f.carry(f.task, "u1")
		} else if at(v, "taskView.task.type.grant.outcome") != "GRANT_OUTCOME_GRANTED" {
			t.Errorf("--wait: %v", at(v, "taskView.task.type"))
		}
	}

	// cone has, and cone get of what one has
	c = f.cone("user", "has")
	user := c.introspect()
	c.send("GET", "/api/v1/apps/"+c.app, "", "app.id")
	c.send("GET", fmt.Sprintf("/api/v1/apps/%s/entitlements/%s", c.app, c.entitlement), "", "appEntitlementView.appEntitlement.id")
	if !c.holds(user) {
		t.Error("cone has: no")
	}

	// cone drop --wait; then cone has again
	v = f.cone("user", "drop").send("POST", "/api/v1/task/revoke", fmt.Sprintf(`{"appEntitlementId":%q,"appId":%q,"description":"","identityUserId":%q}`, c.entitlement, c.app, user), taskFields...)
	f.task = 0
	fmt.Sscan(fmt.Sprint(at(v, "taskView.task.numericId")), &f.task)
	f.carry(f.task)
	v = f.cone("user", "drop").send("GET", fmt.Sprint("/api/v1/tasks/", f.task), "", append(taskFields, "taskView.task.type.revoke.outcome")...)
	if at(v, "taskView.task.state") != "TASK_STATE_CLOSED" || at(v, "taskView.task.type.revoke.outcome") != "REVOKE_OUTCOME_REVOKED" {
		t.Errorf("dropped: %v", at(v, "taskView.task"))
	}
	if f.cone("user", "has").holds(user) {
		t.Error("cone has: still")
	}

	// cone task deny. A closed task needs an outcome: --wait panics without.
	number = f.cone("user", "get").get()
	v = f.cone("owner", "task:deny").decide(number, "deny")
	if at(v, "taskView.task.state") != "TASK_STATE_CLOSED" || at(v, "taskView.task.type.grant.outcome") != "GRANT_OUTCOME_DENIED" {
		t.Errorf("denied: %v", at(v, "taskView.task"))
	}

	// Commands that the console refuses, in a sentence that cone prints: escalate where there are no emergencies,
	// virtual-entitlements create, decrypt-credential.
	number = f.cone("user", "get").get()
	f.fails("escalate", c.token, "POST", "/api/v1/tasks/"+number+"/action/escalate", "{}", 400, 9, "no emergency requests")
	super := f.cone("super", "virtual-entitlements:create")
	f.fails("virtual-entitlements create", super.token, "POST", "/api/v1/apps/"+c.app+"/resource_types", `{"displayName":"x","resourceType":"CUSTOM"}`, 501, 12, "creates no resource types")
	f.fails("decrypt-credential", c.token, "GET", fmt.Sprintf("/api/v1/apps/%s/app_users/%d/credentials", c.app, f.account), "", 501, 12, "keeps no passwords")

	// Events say which command it was.
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsBefore(store.EventFilter{}, 0, 200)
		seen := map[string]bool{}
		for _, e := range events {
			seen[e.Kind+" "+e.Source] = true
		}
		for _, want := range []string{"request.filed cone:get", "request.commented cone:task:comment", "request.decided cone:task:approve", "request.denied cone:task:deny", "entitlement.alias-changed cone:generate-alias"} {
			if !seen[want] {
				t.Errorf("there is no event %s", want)
			}
		}
		return err
	}))
}
