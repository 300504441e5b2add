package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"baton"
	"baton/console"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/internal/longtest"
)

// hostileNames are names as applications and people can have them.
var hostileNames = []string{
	"<script>alert(1)</script>", `"quoted" 'twice' \back`, "line\nbreak\ttab", "bell\a esc\x1b[31mred\x1b[0m nul\x00", "עברית \u202eevil\u202c", "日本語 🦊 e\u0301", "%s %n {{.}} ${HOME} `id`",
	"grant duration must be less than or equal to max provision time", "duplicate ticket found", "$.expanded[99]", strings.Repeat("long ", 300), " leading and trailing ", "\ufeffmark\u2028separator",
}

// addTenant adds an app with a connector that can provision, and applies a sync of a tenant.
func (f *fixture) addTenant(name string, x ingesttest.Tenant) (app console.ID) {
	f.t.Helper()
	var connector console.ID
	f.update(func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: name, Owners: []console.ID{f.people["owner"]}}); err != nil {
			return err
		}
		connector, err = tx.AddConnector(console.Connector{App: app, Name: name, Owners: []console.ID{f.people["owner"]}, Interval: time.Hour})
		return err
	})
	f.check(rpcstore.New(f.store).Hello(f.t.Context(), f.now, string(connector), rpc.Hello{Host: "h", Connector: rpc.Description{Capabilities: []rpc.Capability{rpc.CanProvision, rpc.CanCreateAccounts}}}))
	x.Apply(f.t, f.store, connector, f.now)
	return app
}

// hostileTenant has an account of a person, and a group of each hostile name.
func hostileTenant() (x ingesttest.Tenant) {
	x.Accounts = []baton.Resource{ingesttest.Account("h", "User", "user@example.com")}
	for i, name := range hostileNames {
		x.Groups = append(x.Groups, ingesttest.Group{ID: fmt.Sprintf("h%d", i), Name: name})
	}
	return x
}

// manyTenant has an account and many groups.
func manyTenant(groups int) (x ingesttest.Tenant) {
	x.Accounts = []baton.Resource{ingesttest.Account("m", "User", "user@example.com")}
	for i := range groups {
		x.Groups = append(x.Groups, ingesttest.Group{ID: fmt.Sprintf("m%05d", i), Name: fmt.Sprintf("Team %05d", i)})
	}
	return x
}

// TestHostileNames asks for, approves and finds entitlements with hostile names and reasons, as the
// official client does. It prints names on terminals.
func TestHostileNames(t *testing.T) {
	f := newFixture(t)
	f.provisions()
	app := f.addTenant(hostileNames[0]+hostileNames[3], hostileTenant())
	f.update(func(tx *store.Tx) error {
		accounts, err := tx.FilterAccounts(must(tx.Moment(app, time.Time{})), store.AccountFilter{}, store.ResourceAfter{}, 1)
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(accounts.Rows[0].Key, f.people["user"], store.OwnerMatched)
	})
	user, owner := f.as("user"), f.as("owner")
	found := f.ok(user, "POST", "/api/v1/search/request_catalog/entitlements", fmt.Sprintf(`{"expandMask":{"paths":["app_id","app_resource_type_id","app_resource_id"]},"grantedStatus":"ALL","pageSize":100,"appDisplayName":%s}`, quoted(hostileNames[0]+hostileNames[3])))
	printable(t, "search", found)
	var ids []string
	for _, row := range found["list"].([]any) {
		if e := at(row, "entitlement.appEntitlement"); at(e, "systemBuiltin") != true {
			ids = append(ids, fmt.Sprint(at(e, "id")))
		}
	}
	if len(ids) != len(hostileNames) {
		t.Fatalf("%d entitlements are found, want %d", len(ids), len(hostileNames))
	}
	for i, id := range ids {
		reason := strings.TrimSpace("need " + hostileNames[i])
		body := fmt.Sprintf(`{"appEntitlementId":%q,"appId":%q,"appUserId":"","description":%s,"emergencyAccess":false,"grantDuration":"7200s","identityUserId":%q}`, id, app, quoted(reason), f.people["user"])
		v := f.ok(user, "POST", "/api/v1/task/grant", body)
		printable(t, reason, v)
		task := fmt.Sprint("/api/v1/tasks/", at(v, "taskView.task.numericId"))
		again := f.call(user, "POST", "/api/v1/task/grant", body)
		var refused struct {
			Message string
			Details []struct{ ID string }
		}
		if json.Unmarshal([]byte(again.body), &refused) != nil || again.status != 409 || len(refused.Details) != 1 || refused.Details[0].ID != at(v, "taskView.task.id") {
			t.Errorf("%q twice: %d %s", reason, again.status, again.body)
		}
		step := fmt.Sprintf(`{"comment":%s,"policyStepId":%q}`, quoted(reason), at(v, "taskView.task.policy.current.id"))
		f.fails("by the requester", user, "POST", task+"/action/approve", step, 400, 9, "own access")
		printable(t, reason, f.ok(owner, "POST", task+"/action/comment", fmt.Sprintf(`{"comment":%s}`, quoted(reason))))
		printable(t, reason, f.ok(owner, "POST", task+"/action/approve", step))
	}
	printable(t, "tasks", f.ok(owner, "POST", "/api/v1/search/tasks", `{"includeDeleted":false,"pageSize":100}`))

	// What a person names cannot have such names.
	super := f.as("super")
	for _, name := range []string{"a\nb", "a\x1b[31m", "nul\x00", "c1\u009b"} {
		f.fails("an app", super, "POST", "/api/v1/apps", `{"displayName":`+quoted(name)+`}`, 400, 3, "control character")
		f.fails("a name of an app", super, "POST", "/api/v1/apps/"+string(app), `{"app":{"displayName":`+quoted(name)+`}}`, 400, 3, "control character")
		f.fails("a connector", super, "POST", "/api/v1/apps/"+string(app)+"/connectors", `{"displayName":`+quoted(name)+`}`, 400, 3, "control character")
		f.fails("a policy", super, "POST", "/api/v1/policies", `{"displayName":`+quoted(name)+`,"policyType":"POLICY_TYPE_GRANT","policySteps":{"grant":{"steps":[{"approval":{"manager":{}}}]}}}`, 400, 3, "control character")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// printable checks that the texts in a response that clients display contain nothing that controls a
// terminal or the direction of other text.
func printable(t *testing.T, what string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if text, ok := value.(string); ok && slices.Contains([]string{"displayName", "description"}, name) && strings.ContainsFunc(text, func(r rune) bool {
				return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) || strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff", r)
			}) {
				t.Errorf("%.40q: the %s is %.80q", what, name, text)
			}
			printable(t, what, value)
		}
	case []any:
		for _, one := range v {
			printable(t, what, one)
		}
	}
}

// TestManyEntitlements searches 10,000 entitlements as the official client does. Pages end, and what
// the caller holds is not found by reading all of them.
func TestManyEntitlements(t *testing.T) {
	groups := longtest.Pick(350, 10_000)
	f := newFixture(t)
	f.provisions()
	x := manyTenant(groups)
	last := len(x.Groups) - 1
	x.Groups[last].Members = []string{"m"}
	app := f.addTenant("Many", x)
	f.update(func(tx *store.Tx) error {
		accounts, err := tx.FilterAccounts(must(tx.Moment(app, time.Time{})), store.AccountFilter{}, store.ResourceAfter{}, 1)
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(accounts.Rows[0].Key, f.people["user"], store.OwnerMatched)
	})
	user := f.as("user")
	search := func(more string) map[string]any {
		began := time.Now()
		v := f.ok(user, "POST", "/api/v1/search/request_catalog/entitlements", `{"expandMask":{"paths":["app_id","app_resource_type_id","app_resource_id"]},"includeDeleted":false,"pageSize":100,"appDisplayName":"Many"`+more+`}`)
		t.Logf("%.40s: %d rows, %v", more, len(v["list"].([]any)), time.Since(began))
		return v
	}
	for more, want := range map[string]int{`,"grantedStatus":"ALL"`: 100, `,"grantedStatus":"NOT_GRANTED"`: 99, `,"grantedStatus":"GRANTED"`: 2, `,"query":"Team 00277"`: 1, `,"query":"nothing"`: 0,
		fmt.Sprintf(`,"query":"%05d","grantedStatus":"GRANTED"`, last): 1, `,"query":"Team 00277","grantedStatus":"GRANTED"`: 0} {
		v := search(more)
		if n := len(v["list"].([]any)); n != want || (want < 99) != (v["nextPageToken"] == "") {
			t.Errorf("%s: %d rows and then %q, want %d", more, n, v["nextPageToken"], want)
		}
	}
	seen, next := map[string]bool{}, ""
	for pages := 0; ; pages++ {
		v := search(fmt.Sprintf(`,"pageToken":%q`, next))
		for _, name := range names(v) {
			seen[name] = true
		}
		if next = fmt.Sprint(v["nextPageToken"]); next == "" || pages > groups/100+1 {
			break
		}
	}
	if len(seen) != groups+1 {
		t.Errorf("the pages have %d entitlements, want %d", len(seen), groups+1)
	}
}
