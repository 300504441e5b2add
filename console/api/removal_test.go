package api_test

import (
	"fmt"
	"testing"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/ingest"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// TestRemovals creates what Terraform creates, and removes it in the order in which Terraform does. A
// removal answers 200, and the object is then not found.
func TestRemovals(t *testing.T) {
	f := newFixture(t)
	super, user := f.as("super"), f.as("user")
	app := fmt.Sprint(at(f.ok(super, "POST", "/api/v1/apps", `{"displayName":"Made"}`), "app.id"))
	policy := fmt.Sprint(at(f.ok(super, "POST", "/api/v1/policies", `{"displayName":"Made","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"approval":{"manager":{}}},{"provision":{}}]}}}`), "policy.id"))
	connector := fmt.Sprint(at(f.ok(super, "POST", "/api/v1/apps/"+app+"/connectors", `{"displayName":"made"}`), "connectorView.connector.id"))
	credential := at(f.ok(super, "POST", "/api/v1/apps/connectors/credentials", fmt.Sprintf(`{"appId":%q,"connectorId":%q}`, app, connector)), "credential")
	paths := struct{ app, connector, credential, policy string }{"/api/v1/apps/" + app, "/api/v1/apps/" + app + "/connectors/" + connector,
		"/api/v1/apps/" + app + "/connectors/" + connector + "/credentials/" + fmt.Sprint(at(credential, "id")), "/api/v1/policies/" + policy}

	f.fails("an app with a connector", super, "DELETE", paths.app, "{}", 400, 9, "the connector “made”", "Remove its connectors first")
	f.fails("by somebody else", user, "DELETE", paths.app, "{}", 404, 5)
	f.ok(super, "POST", paths.credential, "{}") // the removal of a credential
	if v := f.ok(super, "GET", paths.credential, ""); at(v, "credential.deletedAt") == nil {
		t.Errorf("the credential after its removal: %v", v)
	}

	// A connector that shows access stays.
	x := ingesttest.Tenant{Accounts: f.tenant.Accounts[:1], Groups: []ingesttest.Group{{ID: "g", Name: "G", Members: []string{"u1"}}}}
	x.Apply(t, f.store, console.ID(connector), f.now)
	f.fails("a connector that shows access", super, "DELETE", paths.connector, "{}", 400, 9, "1 accounts and 1 grants", "pause the connector")
	f.fails("of another app", super, "DELETE", "/api/v1/apps/"+string(f.app)+"/connectors/"+connector, "{}", 404, 5)
	was := f.now
	f.now = f.now.Add(2 * time.Minute)
	empty := ingesttest.Tenant{}
	held := empty.Receive(t, f.store, console.ID(connector), f.now)
	if held.State != console.SyncHeld {
		t.Fatalf("a sync without access is %s", held.State)
	}
	f.fails("a connector with a held sync", super, "DELETE", paths.connector, "{}", 400, 9, "held")
	f.check(f.store.Update(t.Context(), console.By{At: f.now, Actor: console.ByPerson(f.people["super"])}, func(tx *store.Tx) error { return tx.ConfirmSync(held.ID, "it is closed") }))
	f.fails("a connector with a sync that is being read", super, "DELETE", paths.connector, "{}", 503, 14)
	in := &ingest.Ingester{Store: f.store, Scratch: t.TempDir(), Now: func() time.Time { return f.now }}
	if s, err := in.Apply(t.Context(), console.Console, held.ID); err != nil || s.State != console.SyncApplied {
		t.Fatalf("the confirmed sync is %s, %v", s.State, err)
	}
	rotated := f.ok(super, "POST", "/api/v1/apps/connectors/credentials", fmt.Sprintf(`{"appId":%q,"connectorId":%q}`, app, connector))
	if len(f.ok(super, "DELETE", paths.connector, "{}")) != 0 {
		t.Error("the answer has fields")
	}
	for _, path := range []string{paths.connector, paths.credential, "/api/v1/connectors/" + connector} {
		f.fails("a removed connector", super, "GET", path, "", 404, 5)
	}
	f.fails("a removed connector", super, "DELETE", paths.connector, "{}", 404, 5)
	f.fails("a sync of a removed connector", super, "POST", "/api/v1/connectors/"+connector+"/action/sync", "", 404, 5)
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		c, err := tx.ConnectorByName("made")
		if err == nil {
			t.Errorf("its name is not free: %+v", c)
		}
		return nil
	}))
	if clientID := fmt.Sprint(at(rotated, "credential.clientId")); clientID != "" {
		c, err := rpcstore.New(f.store).Credential(t.Context(), clientID)
		if err != nil || c.Good(f.now) {
			t.Errorf("a credential of the removed connector: %+v, %v", c, err)
		}
	}

	// An app that something else needs stays.
	f.update(func(tx *store.Tx) error {
		if err := tx.AddRequirement(console.Requirement{App: f.app, Entitlement: f.group, RequirementRule: console.RequirementRule{Mode: console.RequirementReport, Needs: []console.Need{{App: console.ID(app), Entitlement: 1}}}}); err != nil {
			return err
		}
		_, err := tx.AddPolicyVersion(console.Policy{Kind: console.PolicyRequest, Name: "Holders", Rules: []console.PolicyRule{{Outcome: console.OutcomeAsk,
			Steps: []console.PolicyStep{{Ask: []console.Approver{{Kind: console.ApproverGroup, App: console.ID(app), Entitlement: "group:g:member"}}}}}}}, 0)
		return err
	})
	f.fails("an app that a requirement needs", super, "DELETE", paths.app, "{}", 400, 9, "A requirement of “Perplexity”")
	f.update(func(tx *store.Tx) error {
		return tx.AddRequirement(console.Requirement{App: f.app, Entitlement: f.group, Version: 1, Weaker: true, RequirementRule: console.RequirementRule{Mode: console.RequirementReport}})
	})
	f.fails("an app whose holders a policy asks", super, "DELETE", paths.app, "{}", 400, 9, "The policy “Holders”")
	holders := fmt.Sprint(at(f.ok(super, "POST", "/api/v1/search/policies", `{"displayName":"Holders"}`), "list.0.id"))
	f.ok(super, "DELETE", "/api/v1/policies/"+holders, "{}")

	// The app: what was there is still known of the time before.
	f.now = f.now.Add(time.Minute)
	f.ok(super, "DELETE", paths.app, "{}")
	f.fails("a removed app", super, "GET", paths.app, "", 404, 5)
	f.fails("a removed app", super, "DELETE", paths.app, "{}", 404, 5)
	for what, call := range map[string][2]string{"a connector for a removed app": {"POST " + paths.app + "/connectors", `{"displayName":"x"}`}, "its name": {"POST " + paths.app, `{"app":{"displayName":"y"}}`},
		"its owners": {"PUT " + paths.app + "/owners", `{"userIds":[]}`}, "its entitlements": {"GET " + paths.app + "/entitlements", ""}, "its accounts": {"GET " + paths.app + "/app_users", ""},
		"a request": {"POST /api/v1/task/grant", fmt.Sprintf(`{"appId":%q,"appEntitlementId":"0","description":"x"}`, app)}} {
		var method, path string
		fmt.Sscan(call[0], &method, &path)
		f.fails(what, super, method, path, call[1], 404, 5)
	}
	for _, a := range f.ok(super, "GET", "/api/v1/apps", "")["list"].([]any) {
		if at(a, "id") == app {
			t.Error("the removed app is in the list")
		}
	}
	then := f.govern.AsOf(was.Add(time.Minute))
	caller := govern.Caller{Person: console.Person{ID: f.people["super"]}}
	accounts, err := then.Accounts(t.Context(), caller, govern.AccountQuery{App: console.ID(app), N: 10})
	if err != nil || len(accounts.Rows) != 1 {
		t.Errorf("before it was removed: %+v, %v", accounts.Rows, err)
	}
	apps, _, err := then.Apps(t.Context(), caller, store.NameAfter{}, 10)
	if err != nil || len(apps) != 2 {
		t.Errorf("the apps before it was removed: %+v, %v", apps, err)
	}
	again := f.ok(super, "POST", "/api/v1/apps", `{"displayName":"Made"}`)
	f.ok(super, "DELETE", "/api/v1/apps/"+fmt.Sprint(at(again, "app.id")), "{}")

	// A policy that is chosen stays.
	f.provisions()
	entitlement := fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.group)
	f.ok(super, "POST", entitlement, fmt.Sprintf(`{"entitlement":{"grantPolicyId":%q}}`, policy))
	f.fails("a policy that is chosen", super, "DELETE", paths.policy, "{}", 400, 9, "Perplexity", "Choose another")
	f.fails("by an owner", f.as("owner"), "DELETE", paths.policy, "{}", 403, 7)
	f.update(func(tx *store.Tx) error { // the manager decides
		p, err := tx.Person(f.people["user"])
		if err != nil {
			return err
		}
		p.Manager = f.people["auditor"]
		return tx.ChangePerson(p)
	})
	task := f.ok(user, "POST", "/api/v1/task/grant", f.grantBody(""))
	f.ok(super, "POST", entitlement, `{"entitlement":{"grantPolicyId":"standard"}}`)
	f.fails("a policy that a request follows", super, "DELETE", paths.policy, "{}", 400, 9, "Request 1 follows")
	f.ok(user, "POST", fmt.Sprintf("/api/v1/tasks/%v/action/close", at(task, "taskView.task.id")), "{}")
	f.ok(super, "DELETE", paths.policy, "{}")
	f.fails("a removed policy", super, "GET", paths.policy, "", 404, 5)
	f.fails("a removed policy", super, "DELETE", paths.policy, "{}", 404, 5)
	f.fails("a change of a removed policy", super, "POST", paths.policy, `{"policy":{"displayName":"x"},"updateMask":"displayName"}`, 404, 5)
	f.fails("a removed policy is chosen", super, "POST", entitlement, fmt.Sprintf(`{"entitlement":{"grantPolicyId":%q}}`, policy), 404, 5)
	if v := f.ok(super, "POST", "/api/v1/search/policies", `{"displayName":"Made"}`); len(v["list"].([]any)) != 0 {
		t.Errorf("found: %v", v)
	}
	f.ok(user, "GET", fmt.Sprintf("/api/v1/tasks/%v", at(task, "taskView.task.id")), "") // its steps are still known
	f.fails("a policy of the console", super, "DELETE", "/api/v1/policies/standard", "{}", 400, 9, "comes with the console")
}
