package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
)

// TestGrants lists who holds an entitlement and what an account holds, now and in the past, and
// explains one of them.
func TestGrants(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	f.ask()
	f.ok(f.as("owner"), "POST", f.taskPath("/action/approve"), fmt.Sprintf(`{"policyStepId":%q}`, f.step))
	before := f.now.Add(time.Second).UTC().Format(time.RFC3339)
	f.now = f.now.Add(time.Minute)
	f.carry(f.task, "u1")
	f.now = f.now.Add(time.Minute)
	of := func(query string) []any {
		t.Helper()
		return f.ok(super, "GET", fmt.Sprintf("/api/v1/grants?app_id=%s&%s", f.app, query), "")["list"].([]any)
	}
	holders := of(fmt.Sprintf("entitlement_id=%d", f.group))
	if len(holders) != 1 {
		t.Fatalf("the holders: %v", holders)
	}
	for name, want := range map[string]any{"appUserId": fmt.Sprint(f.account), "userId": string(f.people["user"]), "state": "explained", "direct": true, "sinceBaseline": false, "group": false} {
		if got := at(holders[0], name); got != want {
			t.Errorf("the holder: %s is %v, want %v", name, got, want)
		}
	}
	if all := of(fmt.Sprintf("account_id=%d", f.account)); len(all) != 2 {
		t.Errorf("it holds %v", all)
	}
	if then := of(fmt.Sprintf("entitlement_id=%d&at=%s", f.group, before)); len(then) != 0 {
		t.Errorf("it was held then: %v", then)
	}
	if then := of(fmt.Sprintf("account_id=%d&at=%s", f.account, before)); len(then) != 1 || at(then[0], "state") != "baseline" || at(then[0], "sinceBaseline") != true {
		t.Errorf("it held then: %v", then)
	}
	if n := len(f.ok(super, "GET", fmt.Sprintf("/api/v1/accounts?app_id=%s&page_size=100&at=%s", f.app, before), "")["list"].([]any)); n != 32 {
		t.Errorf("there were %d accounts", n)
	}
	if v := f.ok(super, "GET", fmt.Sprintf("/api/v1/accounts/%d?app_id=%s&at=%s", f.account, f.app, before), ""); len(v["bindings"].([]any)) != 1 {
		t.Errorf("the account then: %v", v)
	}
	for what, query := range map[string]string{"neither": "", "both": "account_id=1&entitlement_id=2", "no id": "account_id=x", "the future": fmt.Sprintf("account_id=%d&at=2100-01-01T00:00:00Z", f.account), "no moment": fmt.Sprintf("account_id=%d&at=yesterday-ish", f.account)} {
		f.fails(what, super, "GET", fmt.Sprintf("/api/v1/grants?app_id=%s&%s", f.app, query), "", 400, 3)
	}

	e := at(f.ok(super, "GET", fmt.Sprintf("/api/v1/accounts/%d/entitlements/%d?app_id=%s", f.account, f.group, f.app), ""), "explanation")
	for path, want := range map[string]any{"held": true, "state": "explained", "reasons.0.kind": "request", "operations.0.state": "verified", "operations.0.verb": "grant", "intervals.0.endedSyncId": "", "intervals.0.baseline": false} {
		if got := at(e, path); got != want {
			t.Errorf("the explanation: %s is %v, want %v", path, got, want)
		}
	}
	f.fails("what it never held", super, "GET", fmt.Sprintf("/api/v1/accounts/%d/entitlements/%d?app_id=%s", f.account, f.admin, f.app), "", 404, 5)

	// The changes in between.
	changes := f.ok(super, "GET", fmt.Sprintf("/api/v1/changes?app_id=%s&from=%s", f.app, before), "")["list"].([]any)
	if len(changes) != 1 {
		t.Fatalf("the changes: %v", changes)
	}
	for name, want := range map[string]any{"kind": "grant", "verb": "gained", "appUserId": fmt.Sprint(f.account), "appEntitlementId": fmt.Sprint(f.group), "explanation": "operation", "cameBack": false, "userId": string(f.people["user"])} {
		if got := at(changes[0], name); got != want {
			t.Errorf("the change: %s is %v, want %v", name, got, want)
		}
	}
	for query, want := range map[string]int{"show=unexplained": 0, "show=explained": 1, "to=" + before: 0} {
		if n := len(f.ok(super, "GET", "/api/v1/changes?from=2026-11-29T12:00:01Z&"+query, "")["list"].([]any)); n != want {
			t.Errorf("%s: %d changes, want %d", query, n, want)
		}
	}
	f.fails("from nowhere", super, "GET", "/api/v1/changes", "", 400, 3, "From is missing")
	f.fails("an unknown filter", super, "GET", "/api/v1/changes?from=1&show=x", "", 400, 3)
}

// TestOwnPages reads the console's own lists to their end.
func TestOwnPages(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	for i := range f.tenant.Groups { // one account holds everything, and everybody holds one thing
		f.tenant.Groups[i].Members = append(f.tenant.Groups[i].Members, "u1")
	}
	for _, a := range f.tenant.Accounts {
		f.tenant.Groups[0].Members = append(f.tenant.Groups[0].Members, a.ID.ID)
	}
	for i := range f.tenant.Groups {
		f.tenant.Groups[i].Members = unique(f.tenant.Groups[i].Members)
	}
	from := f.now.Add(time.Second).UTC().Format(time.RFC3339)
	f.now = f.now.Add(time.Minute)
	if s := f.tenant.Receive(t, f.store, f.connector, f.now); s.State != console.SyncApplied {
		t.Fatalf("the sync is %s: %+v", s.State, s.Holds)
	}
	f.now = f.now.Add(time.Minute)
	for _, tt := range []struct {
		path string
		rows int
	}{
		{fmt.Sprintf("/api/v1/grants?app_id=%s&account_id=%d", f.app, f.account), 32},
		{fmt.Sprintf("/api/v1/grants?app_id=%s&entitlement_id=%d", f.app, f.admin), 32},
		{"/api/v1/changes?from=" + from, 61}, // u1 gains 31 groups, and 30 others the first one
	} {
		next, rows, pages := "", 0, 0
		for {
			v := f.ok(super, "GET", tt.path+"&page_size=10&page_token="+url.QueryEscape(next), "")
			rows += len(v["list"].([]any))
			if next = fmt.Sprint(v["nextPageToken"]); next == "" || pages > 20 {
				break
			}
			pages++
		}
		if rows != tt.rows || pages < 3 {
			t.Errorf("%s: %d rows on %d pages, want %d", tt.path, rows, pages+1, tt.rows)
		}
	}
}

func unique(all []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s] {
			seen[s], out = true, append(out, s)
		}
	}
	return out
}

// TestSearchEvents finds events, for people who may read all or only their own.
func TestSearchEvents(t *testing.T) {
	f := newFixture(t)
	f.ask()
	find := func(who, body string) []any {
		t.Helper()
		return f.ok(f.as(who), "POST", "/api/v1/search/events", body)["list"].([]any)
	}
	all := find("auditor", `{"kind":"request.filed"}`)
	if len(all) != 1 || at(all[0], "actorId") != string(f.people["user"]) || at(all[0], "actorName") != "user" || at(all[0], "appName") != "Perplexity" || at(all[0], "credentialId") == "" || at(all[0], "address") != "127.0.0.1" {
		t.Errorf("the request: %v", all)
	}
	if own := find("user", `{"kind":"request.filed"}`); len(own) != 1 {
		t.Errorf("the own request: %v", own)
	}
	if others := find("connectors", `{"kind":"request.filed"}`); len(others) != 0 {
		t.Errorf("somebody else's request: %v", others)
	}
	for body, want := range map[string]int{`{"kind":"request","source":"cone"}`: 0, fmt.Sprintf(`{"kind":"request.filed","appId":%q}`, f.app): 1, `{"kind":"request.filed","until":"2026-11-01T00:00:00Z"}`: 0, `{"kind":"request.filed","from":"2026-11-01T00:00:00Z"}`: 1} {
		if n := len(find("auditor", body)); n != want {
			t.Errorf("%s: %d events, want %d", body, n, want)
		}
	}
	next, numbers := "", map[any]bool{}
	for pages := 0; pages < 50; pages++ {
		v := f.ok(f.as("auditor"), "POST", "/api/v1/search/events", fmt.Sprintf(`{"pageSize":10,"pageToken":%q}`, next))
		for _, e := range v["list"].([]any) {
			numbers[at(e, "number")] = true
		}
		if next = fmt.Sprint(v["nextPageToken"]); next == "" {
			break
		}
	}
	if len(numbers) < 15 || !numbers["1"] || strings.Contains(next, " ") {
		t.Errorf("%d events are found", len(numbers))
	}
}
