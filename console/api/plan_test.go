package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestPlans makes a plan, reads its rows and lines, and applies it.
func TestPlans(t *testing.T) {
	f := newFixture(t)
	owner := f.as("owner")
	made := f.ok(owner, "POST", "/api/v1/plans", fmt.Sprintf(`{"displayName":"Q4","reason":"left the team","cap":5,"rows":[{"appId":%q,"accountId":"%d","appEntitlementId":"%d"},{"appId":%q,"accountId":"%d","appEntitlementId":"0"}]}`,
		f.app, f.account, f.member, f.app, f.account))
	for path, want := range map[string]any{"plan.state": "ready", "plan.cause": "selection", "plan.displayName": "Q4", "plan.reason": "left the team", "plan.rows": 2.0, "plan.planned": 2.0, "plan.people": 1.0, "plan.cap": 5.0,
		"plan.apps.0.appId": string(f.app), "plan.apps.0.seatsBefore": 32.0, "plan.apps.0.seatsAfter": 31.0, "results.planned": 2.0, "plan.createdBy": string(f.people["owner"])} {
		if got := at(made, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	plan := "/api/v1/plans/" + at(made, "plan.id").(string)
	rows := f.ok(owner, "GET", plan+"/rows?result=planned", "")["list"].([]any)
	if len(rows) != 2 {
		t.Fatalf("%v", rows)
	}
	for path, want := range map[string]any{"appEntitlementId": "0", "accountId": fmt.Sprint(f.account), "do": "remove", "userId": string(f.people["user"]), "result": "planned", "displayName": "Account"} {
		if got := at(rows[0], path); got != want {
			t.Errorf("the row: %s is %v, want %v", path, got, want)
		}
	}
	lines := f.call(owner, "GET", plan+"/lines", "")
	if sum := sha256.Sum256([]byte(lines.body)); lines.status != 200 || hex.EncodeToString(sum[:]) != at(made, "plan.hash") || strings.Count(lines.body, "\n") != 3 {
		t.Errorf("%d %s", lines.status, lines.body)
	}
	if list := f.ok(owner, "GET", "/api/v1/plans?open=true", ""); len(list["list"].([]any)) != 2 || at(list, "list.0.id") != at(made, "plan.id") {
		t.Errorf("%v", list)
	}

	f.fails("no hash", owner, "POST", plan+"/action/apply", `{}`, 400, 3)
	f.fails("no reason", owner, "POST", "/api/v1/plans", fmt.Sprintf(`{"rows":[{"appId":%q,"accountId":"%d","appEntitlementId":"0"}]}`, f.app, f.account), 400, 3)
	f.fails("a damaged row", owner, "POST", "/api/v1/plans", fmt.Sprintf(`{"reason":"x","rows":[{"appId":%q,"accountId":"x","appEntitlementId":"0"}]}`, f.app), 400, 3)
	f.fails("a campaign", owner, "POST", "/api/v1/plans", fmt.Sprintf(`{"cause":"campaign","reason":"x","rows":[{"appId":%q,"accountId":"%d","appEntitlementId":"0"}]}`, f.app, f.account), 400, 3)
	applied := f.ok(owner, "POST", plan+"/action/apply", fmt.Sprintf(`{"hash":%q,"planned":2}`, at(made, "plan.hash")))
	if at(applied, "plan.state") != "applying" || at(applied, "plan.appliedBy") != string(f.people["owner"]) {
		t.Errorf("%v", applied)
	}
	if stopped := f.ok(owner, "POST", plan+"/action/stop", `{"reason":"enough"}`); at(stopped, "results.stopped") != 2.0 {
		t.Errorf("%v", stopped)
	}

	leaving := f.ok(f.as("super"), "POST", "/api/v1/plans", fmt.Sprintf(`{"cause":"leaving","causeId":%q,"reason":"left"}`, f.people["user"]))
	if at(leaving, "plan.cause") != "leaving" || at(leaving, "plan.rows").(float64) < 1 {
		t.Errorf("%v", leaving)
	}
	f.fails("no time", owner, "POST", "/api/v1/plans", fmt.Sprintf(`{"cause":"unexplained","causeId":%q,"reason":"x"}`, f.app), 400, 3)
}
