package field

import (
	"slices"
	"strings"
	"testing"
)

// twins returns an organisation with two groups whose names differ only in case: g1 has u1, g9 has u2 and u3.
func twins() *imitation {
	m := acme()
	m.crews = []*fakeGroup{
		{id: "g1", name: "PPLX_Admin", members: []string{"u1"}},
		{id: "g9", name: "pplx_admin", members: []string{"u2", "u3"}},
		{id: "g3", name: "PPLX_Members", members: []string{"u4"}},
	}
	return m
}

// TestTwoGroupsWithTheConfiguredName: every operation that needs the group refuses an ambiguous name and
// lists both ids.
func TestTwoGroupsWithTheConfiguredName(t *testing.T) {
	for name, tc := range map[string]struct {
		edit    func(*imitation)
		setting string
		role    string
		ids     []string
	}{
		"neither is spelled so":           {func(*imitation) {}, "BATON_ADMIN_GROUP=Pplx_Admin", "Admin", []string{"g1", "g9"}},
		"both are spelled so":             {func(m *imitation) { m.group("g9").name = "PPLX_Admin" }, "BATON_ADMIN_GROUP=PPLX_Admin", "Admin", []string{"g1", "g9"}},
		"one has a blank at the end":      {func(m *imitation) { m.group("g9").name = "PPLX_Admin " }, "BATON_ADMIN_GROUP=PPLX_Admin", "Admin", []string{"g1", "g9"}},
		"three":                           {func(m *imitation) { m.group("g3").name = "pplx_ADMIN" }, "BATON_ADMIN_GROUP=Pplx_Admin", "Admin", []string{"g1", "g9", "g3"}},
		"the Member group":                {func(m *imitation) { m.group("g9").name = "pplx_members"; m.group("g3").name = "PPLX_MEMBERS" }, "BATON_MEMBER_GROUP=PPLX_Members", "Member", []string{"g9", "g3"}},
		"one of several names is unclear": {func(*imitation) {}, "BATON_ADMIN_GROUP=PPLX_Members,Pplx_Admin", "Admin", []string{"g1", "g9"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := twins()
			tc.edit(m)
			p := perplexity(t, m.start(t), tc.setting)
			unclear := append([]string{"could be the " + tc.role + " group: "}, tc.ids...)
			synced := p.run(t)
			synced.succeeds(t, unclear...) // the sync itself is correct
			doctor := p.run(t, "doctor")
			doctor.fails(t, unclear...)
			report := p.run(t, "report", "--format", "json")
			for _, text := range unclear {
				if !strings.Contains(report.stdout, text) {
					t.Errorf("the report does not say %q", text)
				}
			}
			p.run(t, revoking("g1", "u1")...).fails(t, unclear...)
			p.run(t, revoking("g9", "u2")...).fails(t, unclear...)
			p.run(t, acting("disable_user", "u1")...).fails(t, unclear...)
			if changed := m.changed(); len(changed) > 0 {
				t.Errorf("changed: %q", changed)
			}
			s := p.serve(t)
			taskFails(t, s.revoke("g1", "u1"), unclear...)
			taskFails(t, s.action("disable_user", "u1"), unclear...)
		})
	}
}

// TestOneGroupWithTheNameExactly: the only group with the exact name is used, the doctor mentions the other
// one, and the guard counts the members of the first only.
func TestOneGroupWithTheNameExactly(t *testing.T) {
	t.Parallel()
	m := twins()
	p := perplexity(t, m.start(t), "BATON_ADMIN_GROUP=PPLX_Admin")
	p.run(t).succeeds(t, "PPLX_Admin (g1)", "pplx_admin (g9)")
	p.run(t, "doctor").succeeds(t, "PPLX_Admin (g1)", "pplx_admin (g9)")
	p.run(t, revoking("g1", "u1")...).fails(t, "no enabled admin")
	p.run(t, acting("disable_user", "u1")...).fails(t, "no enabled admin")
	p.run(t, revoking("g9", "u2")...).succeeds(t, "Removed u2")
	s := p.serve(t)
	taskFails(t, s.revoke("g1", "u1"), "no enabled admin")
}

// TestAGroupByItsID: an id identifies one group, even if it is the name of another.
func TestAGroupByItsID(t *testing.T) {
	t.Parallel()
	m := twins()
	m.crews = append(m.crews, &fakeGroup{id: "g5", name: "g1", members: []string{"u2", "u3"}})
	p := perplexity(t, m.start(t), "BATON_ADMIN_GROUP=g1")
	p.run(t).succeeds(t)
	doctor := p.run(t, "doctor")
	doctor.succeeds(t)
	if strings.Contains(doctor.stdout, "could be") || strings.Contains(doctor.stdout, "g9") {
		t.Errorf("the doctor is in doubt:\n%s", doctor.stdout)
	}
	p.run(t, revoking("g1", "u1")...).fails(t, "no enabled admin")
	if changed := m.changed(); len(changed) > 0 {
		t.Errorf("changed: %q", changed)
	}
}

// TestTwoGroupsWithAUsualName: no Admin group is configured, and two could be it. The last member of either
// is guarded.
func TestTwoGroupsWithAUsualName(t *testing.T) {
	t.Parallel()
	m := twins()
	p := perplexity(t, m.start(t))
	says := []string{"Two groups could be the Admin group: PPLX_Admin (g1) and pplx_admin (g9)", "Set --admin-group to one of the ids."}
	p.run(t).succeeds(t, says...)
	p.run(t, "doctor").succeeds(t, says...)
	p.run(t, revoking("g1", "u1")...).fails(t)
	p.run(t, acting("disable_user", "u1")...).fails(t)
	if changed := m.changed(); len(changed) > 0 {
		t.Errorf("changed: %q", changed)
	}
}

// TestTwoGroupsForMembers: two groups could be the Member group, which has priority. A member of one of them
// may still be Admin, and is guarded.
func TestTwoGroupsForMembers(t *testing.T) {
	t.Parallel()
	m := acme()
	m.crews = []*fakeGroup{
		{id: "g1", name: "PPLX_Admin", members: []string{"u1"}},
		{id: "g2", name: "PPLX_Members", members: []string{"u2"}},
		{id: "g3", name: "pplx-members", members: []string{"u1", "u3"}},
	}
	p := perplexity(t, m.start(t), "BATON_ROLE_PRIORITY=member")
	p.run(t).succeeds(t, "PPLX_Members (g2) and pplx-members (g3)", "--member-group")
	p.run(t, "doctor").succeeds(t, "PPLX_Members (g2) and pplx-members (g3)", "--member-group")
	p.run(t, acting("disable_user", "u1")...).fails(t, "no enabled admin")
	if changed := m.changed(); len(changed) > 0 {
		t.Errorf("changed: %q", changed)
	}
}

// TestALookAlikeOfTheConfiguredName: letters of other alphabets and signs that fold to a letter make a
// different name.
func TestALookAlikeOfTheConfiguredName(t *testing.T) {
	for name, other := range map[string]string{"Cyrillic": "PPLX_\u0410dmin", "Kelvin sign": "\u212AING", "long s": "bo\u017F\u017Fe\u017F"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := acme()
			m.crews = slices.DeleteFunc(m.crews, func(g *fakeGroup) bool { return g.id == "g1" })
			m.crews = append(m.crews, &fakeGroup{id: "g9", name: other, members: []string{"u1"}})
			wanted := map[string]string{"Cyrillic": "PPLX_Admin", "Kelvin sign": "KING", "long s": "bosses"}[name]
			p := perplexity(t, m.start(t), "BATON_ADMIN_GROUP="+wanted)
			p.run(t, "doctor").fails(t, "does not exist")
		})
	}
}
