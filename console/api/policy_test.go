package api_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"baton/console"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// TestPolicies creates, reads, changes and finds policies, as official clients do.
func TestPolicies(t *testing.T) {
	f := newFixture(t)
	super := f.token(f.issue("super", console.ScopeConfigure))
	owner := f.people["owner"]
	body := fmt.Sprintf(`{"displayName":"Two steps","policyType":"POLICY_TYPE_GRANT","description":"","postActions":[],"reassignTasksToDelegates":true,
		"policySteps":{"grant":{"steps":[{"approval":{"users":{"userIds":[%q]},"allowDelegation":true,"requireApprovalReason":true}},{"wait":{"duration":{"duration":"3600s"},"name":"A while"}},
		{"approval":{"manager":{"fallback":true,"fallbackUserIds":[%q],"requireDistinctApprovers":true},"escalationEnabled":true,"escalation":{"expiration":"86400","reassignToApprovers":{"approverIds":[%q]}}}},{"provision":{}}]},
		"short":{"steps":[{"accept":{}},{"provision":{"provisionPolicy":{"connector":{}}}}]},"never":{"steps":[{"reject":{"rejectMessage":"Not for you."}}]}},
		"rules":[{"condition":"request.emergency","policyKey":"never"},{"condition":"subject.department == \"Ops\"","policyKey":"short"}]}`, owner, owner, owner)
	made := at(f.ok(super, "POST", "/api/v1/policies", body), "policy")
	id := fmt.Sprint(at(made, "id"))
	read := at(f.ok(super, "GET", "/api/v1/policies/"+id, ""), "policy")
	for path, want := range map[string]any{
		"displayName": "Two steps", "policyType": "POLICY_TYPE_GRANT", "systemBuiltin": false, "policySteps.grant.steps.0.approval.users.userIds.0": string(owner),
		"policySteps.grant.steps.0.approval.requireApprovalReason": true, "policySteps.grant.steps.1.wait.duration.duration": "3600s",
		"policySteps.grant.steps.2.approval.manager.fallbackUserIds.0": string(owner), "policySteps.grant.steps.2.approval.manager.requireDistinctApprovers": true,
		"policySteps.grant.steps.2.approval.escalation.expiration": "86400", "policySteps.rule-1.steps.0.reject.rejectMessage": "Not for you.",
		"rules.0.condition": "request.emergency", "rules.1.policyKey": "rule-2",
	} {
		if got := at(read, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if at(read, "policySteps.grant.steps.3.provision") == nil || at(read, "policySteps.rule-2.steps.0.accept") == nil || at(read, "policySteps.grant.steps.2.approval.users") != nil {
		t.Errorf("its steps: %v", read)
	}

	// The whole object, as it was read, changes no rule; a mask changes the name only.
	whole, err := json.Marshal(map[string]any{"policy": read})
	f.check(err)
	if v := at(f.ok(super, "POST", "/api/v1/policies/"+id, string(whole)), "policy"); fmt.Sprint(at(v, "policySteps")) != fmt.Sprint(at(read, "policySteps")) {
		t.Errorf("after an update without a change: %v, before %v", v, read)
	}
	if v := at(f.ok(super, "POST", "/api/v1/policies/"+id, `{"policy":{"displayName":"Renamed"},"updateMask":"displayName"}`), "policy"); at(v, "displayName") != "Renamed" || len(at(v, "rules").([]any)) != 2 {
		t.Errorf("renamed: %v", v)
	}
	f.fails("a policy that asks for less", super, "POST", "/api/v1/policies/"+id,
		`{"policy":{"policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"accept":{}}]}}}}`, 400, 9, "takes two people")

	for what, steps := range map[string]string{
		"a step of an unknown kind": `[{"form":{}}]`, "approvers of an unknown kind": `[{"approval":{"webhook":{}}}]`, "own approval": `[{"approval":{"self":{}}}]`,
		"own approval among others": `[{"approval":{"manager":{"allowSelfApproval":true}}}]`, "two kinds": `[{"approval":{"manager":{},"appOwners":{}}}]`, "nobody": `[{"approval":{"users":{"userIds":[]}}}]`,
		"no steps": `[]`, "an early provision": `[{"provision":{}},{"approval":{"manager":{}}}]`, "another provisioner": `[{"approval":{"manager":{}}},{"provision":{"provisionPolicy":{"webhook":{}}}}]`,
		"an empty step": `[{}]`, "a rejection and more": `[{"reject":{}},{"approval":{"manager":{}}}]`, "another time zone": `[{"wait":{"untilTime":{"hours":9,"timezone":"Europe/Berlin"}}},{"approval":{"manager":{}}}]`,
		"an escalation that skips": `[{"approval":{"manager":{},"escalationEnabled":true,"escalation":{"expiration":"60","skipStep":{}}}}]`,
	} {
		f.fails(what, super, "POST", "/api/v1/policies", `{"displayName":"X","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":`+steps+`}}}`, 400, 3)
	}
	for what, body := range map[string]string{
		"an unknown type":                 `{"displayName":"X","policyType":"POLICY_TYPE_PROVISION","policySteps":{"provision":{"steps":[{"provision":{}}]}}}`,
		"no base":                         `{"displayName":"X","policyType":"POLICY_TYPE_GRANT","policySteps":{"revoke":{"steps":[{"accept":{}}]}}}`,
		"a spare key":                     `{"displayName":"X","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"accept":{}}]},"other":{"steps":[{"accept":{}}]}}}`,
		"no condition":                    `{"displayName":"X","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"accept":{}}]},"other":{"steps":[{"accept":{}}]}},"rules":[{"policyKey":"other"}]}`,
		"a condition that cannot be read": `{"displayName":"X","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"accept":{}}]},"other":{"steps":[{"accept":{}}]}},"rules":[{"condition":"((","policyKey":"other"}]}`,
		"a description":                   `{"displayName":"X","description":"d","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"accept":{}}]}}}`,
	} {
		f.fails(what, super, "POST", "/api/v1/policies", body, 400, 3)
	}
	f.fails("by an owner", f.as("owner"), "POST", "/api/v1/policies", body, 403, 7, "Super Administrator")

	found := func(body string) int {
		return len(f.ok(super, "POST", "/api/v1/search/policies", body)["list"].([]any))
	}
	for body, want := range map[string]int{`{"displayName":"Renamed"}`: 1, `{"query":"RENA","policyTypes":["POLICY_TYPE_GRANT"]}`: 1, `{"policyTypes":["POLICY_TYPE_REVOKE"],"displayName":"Renamed"}`: 0} {
		if n := found(body); n != want {
			t.Errorf("%s finds %d, want %d", body, n, want)
		}
	}
	f.fails("an unknown type", super, "POST", "/api/v1/search/policies", `{"policyTypes":["X"]}`, 400, 3)
	if v := at(f.ok(super, "GET", "/api/v1/policies/standard", ""), "policy"); at(v, "systemBuiltin") != true || at(v, "policySteps.grant.steps.0.approval.users") == nil {
		t.Errorf("the standard policy: %v", v)
	}
}

// TestPolicyGroups reads the holders of an entitlement back as approvers as they were sent, in every
// place that can name them.
func TestPolicyGroups(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	sent := fmt.Sprintf(`{"group":{"appGroupId":"%d","appId":%q,"fallback":false,"isGroupFallbackEnabled":true,"fallbackGroupIds":[{"appEntitlementId":"%d","appId":%q}],"requireDistinctApprovers":true,"allowSelfApproval":false}}`, f.member, f.app, f.admin, f.app)
	body := `{"displayName":"By groups","policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"approval":` + sent + `},{"provision":{}}]}}}`
	var want map[string]any
	f.check(json.Unmarshal([]byte(sent), &want))
	same := func(what string, policy any) {
		t.Helper()
		group, _ := at(policy, "policySteps.grant.steps.0.approval.group").(map[string]any)
		for name, value := range want["group"].(map[string]any) {
			if fmt.Sprint(group[name]) != fmt.Sprint(value) {
				t.Errorf("%s: %s is %v, and %v was sent", what, name, group[name], value)
			}
		}
	}
	made := at(f.ok(super, "POST", "/api/v1/policies", body), "policy")
	same("created", made)
	path := "/api/v1/policies/" + fmt.Sprint(at(made, "id"))
	read := at(f.ok(super, "GET", path, ""), "policy")
	same("read", read)
	whole, err := json.Marshal(map[string]any{"policy": read})
	f.check(err)
	same("updated", at(f.ok(super, "POST", path, string(whole)), "policy"))
	same("found", at(f.ok(super, "POST", "/api/v1/search/policies", `{"displayName":"By groups"}`), "list.0"))
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error { // the policy itself has the application's id
		p, err := tx.Policy(console.ID(fmt.Sprint(at(made, "id"))))
		if p.Version != 2 || p.Rules[0].Steps[0].Ask[0].Entitlement != ingesttest.Member("members") {
			t.Errorf("the policy: %+v", p)
		}
		return err
	}))
}
