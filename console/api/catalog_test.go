package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// names returns the names of the entitlements in a response of the catalogue.
func names(v any) (all []string) {
	for _, row := range at(v, "list").([]any) {
		all = append(all, fmt.Sprint(at(row, "entitlement.appEntitlement.displayName")))
	}
	return all
}

// TestCatalog searches requestable entitlements as a person who may not see the application.
func TestCatalog(t *testing.T) {
	f := newFixture(t)
	const path, body = "/api/v1/search/request_catalog/entitlements", `{"expandMask":{"paths":["app_id","app_resource_type_id","app_resource_id"]},"pageSize":100,"grantedStatus":%q,"query":%q}`
	user := f.token(f.issue("user", console.ScopeAsk))
	if all := names(f.ok(user, "POST", path, fmt.Sprintf(body, "ALL", ""))); len(all) != 1 {
		t.Errorf("the connector cannot give anything, and %v can be asked for", all)
	}
	f.provisions()
	v := f.ok(user, "POST", path, fmt.Sprintf(body, "ALL", ""))
	if all := names(v); len(all) != 33 || all[0] != "An account" {
		t.Errorf("%d can be asked for: %v", len(all), all)
	}
	for i, row := range at(v, "list").([]any) {
		if n := at(row, "entitlement.appEntitlement.grantCount"); n != "0" {
			t.Errorf("%d: it says how many hold it: %v", i, n)
		}
		if at(row, "entitlement.appPath") == "" {
			t.Errorf("%d: no app", i)
		}
	}
	if all := names(f.ok(user, "POST", path, fmt.Sprintf(body, "GRANTED", ""))); len(all) != 2 {
		t.Errorf("it holds %v", all)
	}
	if all := names(f.ok(user, "POST", path, fmt.Sprintf(body, "NOT_GRANTED", "xaa"))); len(all) != 1 || all[0] != "Group xaa member" {
		t.Errorf("it does not hold %v", all)
	}
	if all := names(f.ok(user, "POST", path, `{"appDisplayName":"Nothing"}`)); len(all) != 0 {
		t.Errorf("another app has %v", all)
	}

	// The entitlement has its request settings.
	f.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: f.app, Entitlement: f.group, Settings: console.RequestSettings{Longest: console.Duration(8 * time.Hour), Emergency: console.EmergencyPolicy}})
	})
	one := fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.group)
	e := at(f.ok(user, "GET", one, ""), "appEntitlementView.appEntitlement")
	if at(e, "durationGrant") != "28800s" || at(e, "durationUnset") != nil || at(e, "emergencyGrantEnabled") != true || at(e, "emergencyGrantPolicyId") != "emergency" || at(e, "grantPolicyId") != "standard" {
		t.Errorf("the entitlement: %v", e)
	}
	f.ok(user, "GET", "/api/v1/apps/"+string(f.app), "")
	account := fmt.Sprintf("/api/v1/apps/%s/entitlements/0", f.app)
	if e := at(f.ok(user, "GET", account, ""), "appEntitlementView"); at(e, "appEntitlement.systemBuiltin") != true || at(e, "appResourcePath") != "" {
		t.Errorf("an account as entitlement: %v", e)
	}
	if g := f.ok(user, "GET", account+"/users/"+string(f.people["user"])+"/grants", ""); len(at(g, "bindings").([]any)) != 1 {
		t.Errorf("it has an account: %v", g)
	}

	// Entitlements that cannot be requested are missing.
	f.update(func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: f.app, Entitlement: f.group, Version: 1, Settings: console.RequestSettings{Requestable: console.RequestableNo}})
	})
	f.fails("what cannot be asked for", user, "GET", one, "", 404, 5)
	if all := names(f.ok(user, "POST", path, fmt.Sprintf(body, "ALL", "xaa"))); len(all) != 0 {
		t.Errorf("it can be asked for: %v", all)
	}
}

// TestAlias sets the alias of an entitlement, and finds it by the alias.
func TestAlias(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	owner := f.token(f.issue("owner", console.ScopeConfigure))
	path := fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.group)
	v := f.ok(owner, "POST", path, `{"entitlement":{"alias":"group-xaa"},"updateMask":"alias"}`)
	if at(v, "appEntitlementView.appEntitlement.alias") != "group-xaa" {
		t.Errorf("named: %v", v)
	}
	user := f.token(f.issue("user", console.ScopeAsk))
	const search = "/api/v1/search/request_catalog/entitlements"
	found := f.ok(user, "POST", search, `{"entitlementAlias":"group-xaa","expandMask":{},"pageSize":100,"grantedStatus":"ALL"}`)
	if at(found, "list.0.entitlement.appEntitlement.id") != fmt.Sprint(f.group) || at(found, "list.0.entitlement.appEntitlement.appId") != string(f.app) || at(found, "list.1") != nil {
		t.Errorf("by alias: %v", found)
	}
	for _, body := range []string{`{"entitlementAlias":"group"}`, `{"entitlementAlias":"group-xaa","grantedStatus":"GRANTED"}`, `{"entitlementAlias":"group-xaa","appDisplayName":"Other"}`} {
		if v := f.ok(user, "POST", search, body); len(at(v, "list").([]any)) != 0 || at(v, "nextPageToken") != "" {
			t.Errorf("%s finds %v", body, v)
		}
	}
	// These lists only contain what the caller may see or holds.
	if v := f.ok(user, "POST", "/api/v1/search/entitlements", `{"alias":"group-xaa"}`); len(at(v, "list").([]any)) != 0 {
		t.Errorf("the user sees %v", v)
	}
	if v := f.ok(owner, "POST", "/api/v1/search/entitlements", fmt.Sprintf(`{"alias":"group-xaa","appIds":[%q]}`, f.app)); len(at(v, "list").([]any)) != 1 {
		t.Errorf("the owner sees %v", v)
	}
	other := fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.member)
	f.fails("a taken alias", owner, "POST", other, `{"entitlement":{"alias":"group-xaa"},"updateMask":"alias"}`, 409, 6)
	f.fails("no alias", owner, "POST", other, `{"entitlement":{"alias":"Group X"},"updateMask":"alias"}`, 400, 3)
	f.fails("by somebody who only asks", user, "POST", path, `{"entitlement":{"alias":"x"},"updateMask":"alias"}`, 403, 7, "scope")
	f.fails("by an auditor", f.as("auditor"), "POST", path, `{"entitlement":{"alias":"x"},"updateMask":"alias"}`, 403, 7, "Super Administrator")
	f.fails("no entitlement", owner, "POST", "/api/v1/apps/"+string(f.app)+"/entitlements/99999", `{"entitlement":{"alias":"x"},"updateMask":"alias"}`, 404, 5)
	if v := f.ok(owner, "POST", path, `{"entitlement":{},"updateMask":"alias"}`); at(v, "appEntitlementView.appEntitlement.alias") != "" {
		t.Errorf("without its name: %v", v)
	}
}

// TestUpdateEntitlement changes request settings, with full objects and with masks.
func TestUpdateEntitlement(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	owner := f.token(f.issue("owner", console.ScopeConfigure))
	path := fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.group)
	before := at(f.ok(owner, "GET", path, ""), "appEntitlementView.appEntitlement")
	// The unchanged object changes nothing.
	full := strings.ReplaceAll(fmt.Sprintf(`{"entitlement":{"displayName":%q,"grantPolicyId":"standard","durationUnset":{},"emergencyGrantEnabled":false,"emergencyGrantPolicyId":"","alias":""}}`, before.(map[string]any)["displayName"]), "\n", "")
	f.ok(owner, "POST", path, full)
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		versions, err := tx.RequestSettings(f.app, f.group)
		if len(versions) > 0 && versions[0].Settings.Policy != "" {
			t.Errorf("what held already was written down: %+v", versions[0])
		}
		return err
	}))
	e := func(body string) any { return at(f.ok(owner, "POST", path, body), "appEntitlementView.appEntitlement") }
	if v := e(`{"entitlement":{"durationGrant":"3600s","emergencyGrantEnabled":true},"updateMask":"duration_grant,emergencyGrantEnabled"}`); at(v, "durationGrant") != "3600s" || at(v, "emergencyGrantPolicyId") != "emergency" {
		t.Errorf("changed: %v", v)
	}
	if v := e(`{"entitlement":{"durationUnset":{}}}`); at(v, "durationUnset") == nil || at(v, "emergencyGrantEnabled") != true {
		t.Errorf("without a limit: %v", v)
	}
	if v := e(`{"entitlement":{"emergencyGrantEnabled":false,"grantPolicyId":"privileged"}}`); at(v, "emergencyGrantEnabled") != false || at(v, "grantPolicyId") != "privileged" {
		t.Errorf("without emergencies: %v", v)
	}
	f.fails("another name", owner, "POST", path, `{"entitlement":{"displayName":"Mine"}}`, 400, 3, "as the application has it")
	f.fails("a mask of what cannot change", owner, "POST", path, `{"entitlement":{"displayName":"Mine"},"updateMask":"displayName"}`, 400, 3)
	f.fails("no policy", owner, "POST", path, `{"entitlement":{"grantPolicyId":"x"}}`, 404, 5)
	f.fails("a policy of another kind", owner, "POST", path, `{"entitlement":{"grantPolicyId":"give-back"}}`, 400, 3)

	// For administrators, weaker settings need two people.
	admin := fmt.Sprintf("/api/v1/apps/%s/entitlements/%d", f.app, f.admin)
	f.fails("a weaker policy for administrators", owner, "POST", admin, `{"entitlement":{"grantPolicyId":"standard"}}`, 400, 9, "takes two people")
	f.ok(owner, "POST", admin, `{"entitlement":{"durationGrant":"3600s"}}`)

	// Owners.
	f.ok(owner, "PUT", path+"/owners", fmt.Sprintf(`{"userIds":[%q,%q]}`, f.people["auditor"], f.people["auditor"]))
	if v := f.ok(owner, "GET", path+"/ownerids", ""); at(v, "userIds.0") != string(f.people["auditor"]) || at(v, "userIds.1") != nil {
		t.Errorf("owners: %v", v)
	}
	f.fails("an owner who is nobody", owner, "PUT", path+"/owners", `{"userIds":["x"]}`, 400, 3)
	if v := f.ok(owner, "DELETE", path+"/owners", `{}`); len(v) != 0 {
		t.Errorf("removed: %v", v)
	}
	if v := f.ok(owner, "GET", path+"/ownerids", ""); len(at(v, "userIds").([]any)) != 0 {
		t.Errorf("owners: %v", v)
	}
}
