package perplexity

import (
	"context"
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

// roster is one group with its members, and whether they are known.
type roster struct {
	scim.Group
	members map[string]bool // user ids
	// proven says that the members are what the server has, rather than what it
	// chose to show: it shows at least one, or it shows members of other groups.
	proven bool
	// byAccount says that the account itself is known as a member from its own side only.
	byAccount bool
	// fromAccounts says that the members are known from the accounts' side only.
	fromAccounts bool
}

func (r roster) unproven() error {
	return baton.Errorf(baton.Incomplete, "the server shows no members of group %s, nor of any other group", r.label()).
		WithFix("Check in Perplexity who is in the group; the server does not let it be read.")
}

func (r roster) label() string { return quoted(r.Group.Label(), r.ID) }

func rosterOf(g scim.Group) roster {
	r := roster{Group: g, members: make(map[string]bool, len(g.Members))}
	for _, m := range g.Members {
		if m.IsUser() && m.Value != "" {
			r.members[m.Value] = true
		}
	}
	r.proven = len(g.Members) > 0
	return r
}

// roster reads one group, uncached, with one call.
func (c *connector) roster(ctx context.Context, id string) (roster, error) {
	g, err := c.scim.GetGroup(ctx, id)
	return rosterOf(g), err
}

// prove looks for evidence about a group that shows nobody: another group that
// does show somebody, or accounts that say which groups they are in. Without any,
// the roster stays unproven. Groups are those of the list, if it was read already.
func (c *connector) prove(ctx context.Context, r *roster, groups []scim.Group) (err error) {
	if r.proven {
		return nil
	}
	if groups == nil {
		if groups, err = c.scim.AllGroups(ctx, nobody); err != nil {
			return err
		}
	}
	if r.proven, err = c.showsMembers(ctx, groups, r.ID); r.proven || err != nil {
		return err
	}
	return c.askAccounts(ctx, r)
}

// showsMembers reports whether the server shows the members of any other group, in
// the list or, where the list leaves them out, one by one.
func (c *connector) showsMembers(ctx context.Context, groups []scim.Group, except string) (bool, error) {
	if slices.ContainsFunc(groups, func(g scim.Group) bool { return len(g.Members) > 0 }) {
		return true, nil
	}
	for _, g := range groups {
		if g.ID == except {
			continue
		}
		one, err := c.scim.GetGroup(ctx, g.ID)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return false, err
		}
		if len(one.Members) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// nobody keeps no members of a list of groups, where it is enough that there are some.
func nobody(*scim.Group, scim.Member) bool { return false }

// askAccounts fills the roster from the accounts' side, where that is shown.
func (c *connector) askAccounts(ctx context.Context, r *roster) error {
	err := c.scim.UsersInGroup(ctx, r.ID, func(u scim.User) {
		r.members[u.ID] = true
		r.Members = append(r.Members, scim.Member{Value: u.ID})
	})
	if baton.KindOf(err) == baton.Unsupported {
		return nil
	}
	r.proven, r.fromAccounts = err == nil, err == nil && len(r.members) > 0
	return err
}

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
