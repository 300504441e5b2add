package perplexity

import (
	"fmt"
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
	// memberUnclear says that several groups have one of the usual names for Member, and
	// nobody configured which of them carries the role.
	memberUnclear bool
	// nearly are warnings about groups whose names differ from a configured one in
	// the case of letters only.
	nearly []string
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
		ids, nearly, err := configured(groups, c.cfg.AdminGroups, roleAdmin, "admin-group")
		if err != nil {
			return r, err
		}
		r.admin, r.named, r.nearly = [][]string{ids}, true, nearly
	} else {
		var ids []string
		ids, r.named = guessAdmin(groups)
		for _, id := range ids {
			r.admin = append(r.admin, []string{id})
		}
	}
	if len(c.cfg.MemberGroups) > 0 {
		ids, nearly, err := configured(groups, c.cfg.MemberGroups, roleMember, "member-group")
		if err != nil {
			return r, err
		}
		r.member, r.nearly = ids, append(r.nearly, nearly...)
		return r, nil
	}
	for _, g := range groups {
		if slices.Contains(memberNames, plain(g.DisplayName)) && !r.isAdmin(g.ID) {
			r.member = append(r.member, g.ID)
		}
	}
	r.memberUnclear = len(r.member) > 1
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

// configured returns the ids of the groups that a setting names, by id or by display
// name. An id is exact. A name that one group spells exactly so means that group; nearly
// then warns about others that differ in case only. Blanks at the ends of a name do not
// count, for a sync does not keep them. A name that several groups could be meant by is an error with their ids, and so is a name
// that no group has: a guard that guards the wrong group must not look like one.
func configured(groups []scim.Group, names []string, role, setting string) (ids, nearly []string, err error) {
	for _, name := range names {
		var exact, similar []scim.Group
		byID := false
		for _, g := range groups {
			switch {
			case g.ID == name:
				exact, byID = []scim.Group{g}, true
			case byID:
			case g.Label() == strings.TrimSpace(name):
				exact = append(exact, g)
			case similarName(g.Label(), name):
				similar = append(similar, g)
			}
		}
		found := exact
		if len(exact) == 0 {
			found = similar
		}
		switch {
		case len(found) == 0:
			return nil, nil, notThere(groups, names, name, setting)
		case len(found) > 1:
			return nil, nil, baton.Errorf(baton.Invalid, "%s", severalGroups(found, role)).WithFix("Set --%s to one of the ids.", setting)
		case !byID && len(exact) == 1 && len(similar) > 0:
			nearly = append(nearly, fmt.Sprintf("%s is the %s group because --%s spells it exactly so; there is also %s. Set --%s to the id to be certain.",
				labels(exact), role, setting, labels(similar), setting))
		}
		if id := found[0].ID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nearly, nil
}

// similarName compares names without the case of ASCII letters and blanks at the ends.
func similarName(a, b string) bool {
	return scim.SameName(strings.TrimSpace(a), strings.TrimSpace(b))
}

// severalGroups says that it is not clear which group carries a role.
func severalGroups(groups []scim.Group, role string) string {
	number := fmt.Sprint(len(groups))
	if len(groups) == 2 {
		number = "Two"
	}
	return fmt.Sprintf("%s groups could be the %s group: %s", number, role, labels(groups))
}

// labels names groups with their ids.
func labels(groups []scim.Group) string {
	var names []string
	for i := range groups {
		names = append(names, groups[i].Label()+" ("+groups[i].ID+")")
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// withIDs returns the groups with those ids.
func withIDs(groups []scim.Group, ids []string) []scim.Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g scim.Group) bool { return !slices.Contains(ids, g.ID) })
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
