package console

import (
	"slices"
	"testing"

	"baton"
)

func TestProposeRoles(t *testing.T) {
	group := func(key EntitlementKey, id, name string) RoleCandidate {
		return RoleCandidate{Key: key, Slug: "member", ResourceType: "group", ResourceID: id, ResourceName: name}
	}
	groups := []RoleCandidate{group(1, "g1", "PPLX_Admin"), group(2, "g2", "PPLX Members"), group(3, "g3", "Engineering"), group(4, "g4", "Badminton"),
		{Key: 5, Slug: "owner", ResourceType: "group", ResourceID: "g1", ResourceName: "PPLX_Admin"}, {Key: 6, Slug: "member", ResourceType: "course", ResourceID: "c", ResourceName: "PPLX_Admin"}}
	usual := baton.RoleHints{ResourceType: "group", Slug: "member", Admin: baton.RoleNames{Usual: []string{"pplxadmin"}}, Member: baton.RoleNames{Usual: []string{"pplxmembers"}}, MinimumAdmins: 1}
	with := func(edit func(*baton.RoleHints)) *baton.RoleHints {
		h := usual
		edit(&h)
		return &h
	}
	for _, tt := range []struct {
		name             string
		hints            *baton.RoleHints
		candidates       []RoleCandidate
		admin, member    []EntitlementKey
		priority         Priority
		missing, unclear []string
	}{
		{name: "usual names of the upstream", hints: &usual, candidates: groups, admin: []EntitlementKey{1}, member: []EntitlementKey{2}},
		{name: "by id", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{"g3"} }), candidates: groups, admin: []EntitlementKey{3}, member: []EntitlementKey{2}},
		{name: "by name", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{" Engineering", "g1"} }), candidates: groups, admin: []EntitlementKey{3, 1}, member: []EntitlementKey{2}},
		{name: "by a name in another case", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{"engineering"} }), candidates: groups, admin: []EntitlementKey{3}, member: []EntitlementKey{2}},
		{name: "a name that is not there", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{"Nobody"} }), candidates: groups, member: []EntitlementKey{2}, missing: []string{"Nobody"}},
		{name: "a name that two have", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{"Twin"} }), candidates: append(slices.Clone(groups), group(7, "t1", "Twin"), group(8, "t2", "Twin")), member: []EntitlementKey{2}, unclear: []string{"Twin"}},
		{name: "an id that is another's name", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{"g3"} }), candidates: append(slices.Clone(groups), group(7, "t1", "g3")), admin: []EntitlementKey{3}, member: []EntitlementKey{2}},
		{name: "one group for both", hints: with(func(h *baton.RoleHints) {
			h.Admin.Configured, h.Member.Configured = []string{"g1"}, []string{"g1", "g2"}
		}), candidates: groups, admin: []EntitlementKey{1}, member: []EntitlementKey{2}},
		{name: "admin counts", hints: with(func(h *baton.RoleHints) { h.Priority = "Admin" }), candidates: groups, admin: []EntitlementKey{1}, member: []EntitlementKey{2}, priority: HighestWins},
		{name: "member counts", hints: with(func(h *baton.RoleHints) { h.Priority = "member" }), candidates: groups, admin: []EntitlementKey{1}, member: []EntitlementKey{2}, priority: LowestWins},
		{name: "by words", candidates: []RoleCandidate{group(1, "a", "Super-Admin"), group(2, "b", "AllUsers"), group(3, "c", "Badminton"), group(4, "d", "Administration")}, admin: []EntitlementKey{1}, member: []EntitlementKey{2}},
		{name: "by slugs", candidates: []RoleCandidate{{Key: 1, Slug: "admin", ResourceType: "org", ResourceID: "o", ResourceName: "Members of Acme"},
			{Key: 2, Slug: "member", ResourceType: "org", ResourceID: "o", ResourceName: "Members of Acme"}, {Key: 3, Slug: "read", ResourceType: "org", ResourceID: "o", ResourceName: "Members of Acme"}},
			admin: []EntitlementKey{1}, member: []EntitlementKey{2}},
		{name: "nothing"},
		{name: "hostile", hints: with(func(h *baton.RoleHints) { h.Admin.Configured = []string{"", "\x00", "g\xff"} }), candidates: []RoleCandidate{{}, group(1, "\x00", "\xff")}, admin: []EntitlementKey{1}, missing: []string{"", "g\xff"}},
	} {
		p := ProposeRoles(tt.hints, tt.candidates)
		var admin, member []EntitlementKey
		for _, r := range p.Map.Roles {
			if r.Admin {
				admin = r.Entitlements
			} else {
				member = r.Entitlements
			}
		}
		if !slices.Equal(admin, tt.admin) || !slices.Equal(member, tt.member) || p.Map.Priority != tt.priority || !slices.Equal(p.Missing, tt.missing) || !slices.Equal(p.Unclear, tt.unclear) ||
			p.ByConnector != (tt.hints != nil) || (p.Minimum == 1) != (tt.hints != nil) {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string][]string{"PPLX_Admin": {"pplx", "admin"}, "PplxAdmin": {"pplx", "admin"}, "  a--B c1 ": {"a", "b", "c1"}, "": nil, "ÉcoleAdmin": {"école", "admin"}} {
		if got := words(name); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
