package perplexity

import (
	"slices"
	"strings"
	"unicode"

	"baton"
	"baton/connector/scim"
)

const (
	priorityAdmin  = "admin"
	priorityMember = "member"
)

// roles says which groups carry which role. Several candidates for Admin that
// nobody configured are alternatives: only one of them is the real one, and a guard
// must hold for each.
type roles struct {
	admin    [][]string // group ids; groups of one alternative carry the role together
	member   []string
	named    bool // configured, or found by one of the usual names
	priority string
}

// The usual names of role groups, letters and digits only, lower case. A later
// tier counts only when the earlier ones match nothing.
var (
	adminNames  = [][]string{{"pplxadmin", "pplxadmins", "perplexityadmin", "perplexityadmins", "perplexityadministrators"}}
	memberNames = []string{"pplxmember", "pplxmembers", "perplexitymember", "perplexitymembers", "pplxuser", "pplxusers", "perplexityusers"}
)

func (c *connector) rolesAmong(groups []scim.Group) (roles, error) {
	r := roles{priority: c.cfg.Priority}
	if len(c.cfg.AdminGroups) > 0 {
		ids, err := named(groups, c.cfg.AdminGroups, "admin-group")
		if err != nil {
			return r, err
		}
		r.admin, r.named = [][]string{ids}, true
	} else {
		var ids []string
		ids, r.named = guessAdmin(groups)
		for _, id := range ids {
			r.admin = append(r.admin, []string{id})
		}
	}
	if len(c.cfg.MemberGroups) > 0 {
		ids, err := named(groups, c.cfg.MemberGroups, "member-group")
		if err != nil {
			return r, err
		}
		r.member = ids
		return r, nil
	}
	for _, g := range groups {
		if slices.Contains(memberNames, plain(g.DisplayName)) && !r.isAdmin(g.ID) {
			r.member = append(r.member, g.ID)
		}
	}
	return r, nil
}

// guessAdmin finds the groups of the first tier of names that matches any, and
// failing that every group with "admin" in its name: missing the real one would
// leave it without a guard.
func guessAdmin(groups []scim.Group) (ids []string, usual bool) {
	for _, tier := range adminNames {
		for _, g := range groups {
			if slices.Contains(tier, plain(g.DisplayName)) {
				ids = append(ids, g.ID)
			}
		}
		if len(ids) > 0 {
			return ids, true
		}
	}
	for _, g := range groups {
		if strings.Contains(plain(g.DisplayName), "admin") {
			ids = append(ids, g.ID)
		}
	}
	return ids, false
}

// named finds the configured groups by id or display name; one that is missing is
// an error, for a guard that guards nothing must not look like one.
func named(groups []scim.Group, names []string, setting string) ([]string, error) {
	var ids []string
	for _, name := range names {
		found := false
		for _, g := range groups {
			if g.ID == name || strings.EqualFold(strings.TrimSpace(g.DisplayName), strings.TrimSpace(name)) {
				ids, found = append(ids, g.ID), true
			}
		}
		if !found {
			return nil, baton.Errorf(baton.Invalid, "the group %q that %s names is not there", name, setting).
				WithFix("Correct %s; it takes the display name or the id of a group that SCIM lists.", setting)
		}
	}
	return ids, nil
}

func (r roles) isAdmin(groupID string) bool {
	return slices.ContainsFunc(r.admin, func(ids []string) bool { return slices.Contains(ids, groupID) })
}

func (r roles) isMember(groupID string) bool { return slices.Contains(r.member, groupID) }

// carries reports whether the group decides about a role.
func (r roles) carries(groupID string) bool { return r.isAdmin(groupID) || r.isMember(groupID) }

// settled reports whether it is certain which groups mean Admin.
func (r roles) settled() bool { return len(r.admin) == 1 }

func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// quoted names something for a person, with the id to look it up by.
func quoted(name, id string) string {
	if name == "" || name == id {
		return id
	}
	return name + " (" + id + ")"
}
