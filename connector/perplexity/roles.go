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

// roles holds which groups carry which role. If several groups may be the Admin group and none is configured,
// they are alternatives: one of them is the real one, so the guard must hold for each.
type roles struct {
	admin    [][]string // group ids; groups of one alternative carry the role together
	member   []string
	named    bool // configured, or found by one of the usual names
	priority string
	// memberUnclear is true if several groups have one of the usual names for Member and none is configured.
	memberUnclear bool
	// nearly holds warnings about groups whose names differ from a configured one only in case.
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

// guessAdmin finds the groups of the first tier of names that matches any, and otherwise every group with
// "admin" in its name. A real Admin group that it missed would not be guarded.
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

// configured returns the ids of the groups in a setting, given by id or by display name. An id must match
// exactly. If one group has exactly the name, that group is used, and nearly has a warning about others that
// differ only in case. Blanks around a name are ignored, because a sync does not keep them. A name that
// several groups may have is an error that lists their ids. A name that no group has is an error, too:
// otherwise the wrong group would be guarded.
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

// similarName compares names, ignoring the case of ASCII letters and surrounding blanks.
func similarName(a, b string) bool {
	return scim.SameName(strings.TrimSpace(a), strings.TrimSpace(b))
}

// severalGroups returns the message that several groups may carry a role.
func severalGroups(groups []scim.Group, role string) string {
	number := fmt.Sprint(len(groups))
	if len(groups) == 2 {
		number = "Two"
	}
	return fmt.Sprintf("%s groups could be the %s group: %s", number, role, labels(groups))
}

// labels lists groups with their ids for a message.
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

// carries reports whether the group carries a role, or may carry one.
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

// quoted returns a name followed by the id, for a message.
func quoted(name, id string) string {
	if name == "" || name == id {
		return id
	}
	return name + " (" + id + ")"
}
