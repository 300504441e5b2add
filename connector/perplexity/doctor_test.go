package perplexity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/connector/perplexity"
	sandbox "baton/sandbox/perplexity"
)

// TestDoctorCountsAdmins: doctor reports the number of certain admins for each group that may be the Admin
// group, even if there are enough, or that the number is unknown.
func TestDoctorCountsAdmins(t *testing.T) {
	const admin = "PPLX_Admin"
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, o *org)
		edit    func(*perplexity.Config)
		want    []string
	}{
		"enough":            {want: []string{"ok 2 enabled admins can be counted on"}},
		"fewer than needed": {edit: func(c *perplexity.Config) { c.MinAdmins = 3 }, want: []string{"warning 2 enabled admins can be counted on, fewer than the 3 that must remain"}},
		"none": {prepare: func(t *testing.T, o *org) {
			g := group(t, o.State(), admin)
			for _, id := range g.Members {
				o.RemoveMember(g.ID, id)
			}
		}, want: []string{"warning no enabled admin can be counted on, fewer than the 1 that must remain"}},
		"many": {prepare: func(t *testing.T, o *org) {
			g := group(t, o.State(), admin)
			for _, u := range o.State().Users {
				if u.Active && u.Managed {
					o.AddMember(g.ID, u.ID)
				}
			}
		}, want: []string{"ok 23 enabled admins can be counted on"}},
		"the group is gone": {prepare: func(t *testing.T, o *org) { o.RemoveGroup(group(t, o.State(), admin).ID) },
			want: []string{"warning the number is unknown"}},
		"one of two groups": {prepare: func(t *testing.T, o *org) {
			g := group(t, o.State(), admin)
			o.RemoveGroup(g.ID)
			o.AddMember(o.AddGroup("Site administrators"), g.Members[0])
			o.AddGroup("Admins of Acme")
		}, want: []string{"ok if Admin is Site administrators: 1 enabled admin can be counted on", "warning if Admin is Admins of Acme: no enabled admin can be counted on, fewer than the 1"}},
		"a group of another name": {edit: func(c *perplexity.Config) { c.AdminGroups = []string{"Nobody"} }, want: []string{"warning the number is unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := start(t, sandbox.Options{})
			if tc.prepare != nil {
				tc.prepare(t, o)
			}
			if tc.edit == nil {
				tc.edit = func(*perplexity.Config) {}
			}
			var got []string
			o.connect(t, tc.edit).Diagnose(t.Context(), func(f baton.Finding) {
				if f.Check == "admins" {
					got = append(got, fmt.Sprint(f.Level, " ", f.Detail))
				}
				if f.Level != baton.OK && f.Fix == "" {
					t.Errorf("%s: %s, without advice", f.Check, f.Detail)
				}
			})
			if len(got) != len(tc.want) {
				t.Fatalf("it says %q, want %q", got, tc.want)
			}
			for i, want := range tc.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("it says %q, want %q", got, tc.want)
				}
			}
		})
	}
}

// TestDoctorIdentifiesMembers: doctor warns if members cannot be identified, and counts admins whom their
// group lists under another name.
func TestDoctorIdentifiesMembers(t *testing.T) {
	for faults, want := range map[string]string{
		"":                        "",
		"members-by-reference":    "",
		"unknown-members":         "",
		"nested-groups":           "",
		"device-members":          "",
		"members-by-user-name":    "ok: members are not listed by the ids of accounts, but each of them stands for one account",
		"members-by-display-name": "failure: the members of group PPLX_Admin",
		"members-in-other-case":   "failure: the members of group PPLX_Admin",
		"members-by-membership":   "failure: the members of group PPLX_Admin",
		"members-by-user-name,shared-names,members-empty": "failure: the members of group PPLX_Admin",
		"members-as-text":  "failure: the members of group PPLX_Admin",
		"members-nameless": "failure: the members of group PPLX_Admin",
	} {
		t.Run(faults, func(t *testing.T) {
			o := start(t, sandbox.Options{})
			if faults != "" {
				if err := o.SetFaults(strings.Split(faults, ",")...); err != nil {
					t.Fatal(err)
				}
			}
			var got, admins []string
			o.connect(t).Diagnose(t.Context(), func(f baton.Finding) {
				text := fmt.Sprint(f.Level, ": ", f.Detail)
				switch {
				case f.Check == "admins":
					admins = append(admins, text)
				case f.Check == "members" && !strings.Contains(f.Detail, "listed with"):
					got = append(got, text)
				}
				if f.Level != baton.OK && f.Fix == "" {
					t.Errorf("%s: %s, without advice", f.Check, f.Detail)
				}
			})
			if want == "" && faults != "device-members" && strings.Contains(strings.Join(got, " "), "failure") || !strings.Contains(strings.Join(got, " "), want) {
				t.Errorf("it says %q, want %q", got, want)
			}
			if !strings.HasPrefix(want, "failure") && !slices.Equal(admins, []string{"ok: 2 enabled admins can be counted on"}) {
				t.Errorf("it says %q", admins)
			}
		})
	}
}
