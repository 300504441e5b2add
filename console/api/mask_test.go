package api_test

import (
	"fmt"
	"testing"
)

// TestMasksByRole changes fields that a mask can name, one at a time, as each person.
func TestMasksByRole(t *testing.T) {
	const app, con, ent, policy = "/api/v1/apps/{app}", "/api/v1/apps/{app}/connectors/{connector}", "/api/v1/apps/{app}/entitlements/{entitlement}", "/api/v1/policies/{policy}"
	for _, tt := range []struct {
		path, object, field, value string
		statuses                   [5]int // of people
	}{
		{app, "app", "displayName", `"Perplexity 2"`, [5]int{404, 200, 403, 403, 200}},
		{con, "connector", "displayName", `"perplexity 2"`, [5]int{404, 200, 200, 403, 200}},
		{con, "connector", "userIds", `[]`, [5]int{404, 200, 200, 403, 200}},
		{ent, "entitlement", "alias", `"other"`, [5]int{404, 200, 403, 403, 200}},
		{ent, "entitlement", "durationGrant", `"3600s"`, [5]int{404, 200, 403, 403, 200}},
		{ent, "entitlement", "grantPolicyId", `""`, [5]int{404, 200, 403, 403, 200}},
		{policy, "policy", "displayName", `"Other"`, [5]int{403, 403, 403, 403, 200}},
	} {
		f := newFixture(t) // what one field changes is as before for the next
		for i, p := range people {
			a := f.call(f.as(p.name), "POST", f.path(tt.path), fmt.Sprintf(`{%q:{%q:%s},"updateMask":%q}`, tt.object, tt.field, tt.value, tt.field))
			if a.status != tt.statuses[i] {
				t.Errorf("%s of %s as %s: %d, want %d: %s", tt.field, tt.path, p.name, a.status, tt.statuses[i], a.body)
			}
		}
	}
}
