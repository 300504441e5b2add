package config

import (
	"fmt"
	"testing"

	"baton/console"
)

// TestAdminRoleOfApp adds the administrator entitlements of a file to the administrator role that the
// app has, whatever it is called, and makes one only for an app without any.
func TestAdminRoleOfApp(t *testing.T) {
	role := func(name string, admin bool, keys ...console.EntitlementKey) console.AppRole {
		return console.AppRole{Name: name, Admin: admin, Entitlements: keys}
	}
	keys := func(keys ...console.EntitlementKey) []console.EntitlementKey { return keys }
	for _, tt := range []struct {
		name            string
		have            []console.AppRole
		listed, dropped []console.EntitlementKey
		want            []console.AppRole
	}{
		{"no role", nil, keys(1, 2), nil, []console.AppRole{role("Administrator", true, 1, 2)}},
		{"no admin role", []console.AppRole{role("Member", false, 3)}, keys(1), nil, []console.AppRole{role("Administrator", true, 1), role("Member", false, 3)}},
		{"a role of another name", []console.AppRole{role("Org Admin", true, 5), role("Member", false, 3)}, keys(1), nil, []console.AppRole{role("Org Admin", true, 1, 5), role("Member", false, 3)}},
		{"in the role already", []console.AppRole{role("Org Admin", true, 1)}, keys(1), nil, []console.AppRole{role("Org Admin", true, 1)}},
		{"in a lower admin role", []console.AppRole{role("Owner", true, 9), role("Admin", true, 1)}, keys(1, 2), nil, []console.AppRole{role("Owner", true, 2, 9), role("Admin", true, 1)}},
		{"the list changes", []console.AppRole{role("Org Admin", true, 1, 5)}, keys(2), keys(1), []console.AppRole{role("Org Admin", true, 2, 5)}},
		{"the list gets longer", []console.AppRole{role("Org Admin", true, 1)}, keys(1, 2), keys(1), []console.AppRole{role("Org Admin", true, 1, 2)}},
		{"the list gets empty", []console.AppRole{role("Administrator", true, 1)}, nil, keys(1), []console.AppRole{role("Administrator", true)}},
	} {
		before := fmt.Sprint(tt.have)
		if got := adminRoles(tt.have, tt.listed, tt.dropped); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if fmt.Sprint(tt.have) != before {
			t.Errorf("%s: the app's own roles were changed", tt.name)
		}
	}
}
