package perplexity

import (
	"slices"
	"strings"

	"baton"
	"baton/connector/scim"
	"baton/internal/english"
)

// review summarises who is Admin, Member, both or neither.
func (c *connector) review(facts baton.Facts) ([]baton.Note, error) {
	groups, err := groupsOf(facts)
	if err != nil {
		return nil, err
	}
	r, err := c.rolesAmong(groups)
	if err != nil {
		return []baton.Note{{Level: baton.Warning, Label: "Roles", Text: err.Error() + ". " + baton.FixOf(err), Floors: c.floors(0, 0)}}, nil
	}
	// in returns the members of the groups, with true for certain ones.
	in := func(ids []string) (map[string]bool, error) {
		set := map[string]bool{}
		for _, id := range ids {
			if err := facts.Grants(memberOf(id), func(g baton.Grant) error {
				user := g.ID.Principal.ID
				set[user] = set[user] || !c.doubts.has(id, user)
				return nil
			}); err != nil {
				return nil, err
			}
		}
		return set, nil
	}
	member, err := in(r.member)
	if err != nil {
		return nil, err
	}
	t := tally{roles: r, member: member, sure: make([]int, len(r.admin))}
	for _, ids := range r.admin {
		holders, err := in(ids)
		if err != nil {
			return nil, err
		}
		t.admin = append(t.admin, holders)
	}
	if err := facts.Resources(userType, t.add); err != nil {
		return nil, err
	}
	notes := t.notes()
	likely := t.least()
	certain := likely
	if !r.named {
		certain = 0
	}
	notes[0].Floors = c.floors(certain, likely)
	return append(r.notes(groups), notes...), nil
}

// floors returns the counts of admins below which a sync is held, because a read that lost admins looks like
// a lockout. Groups that only have "admin" in their names have no certain admins, so that they do not replace
// the real Admin group when it is gone.
func (c *connector) floors(certain, likely int) []baton.Floor {
	return []baton.Floor{
		{Noun: "enabled accounts that are certain to be Admin", Count: certain, Least: c.cfg.minAdmins()},
		{Noun: "enabled accounts that are likely to be Admin", Count: likely, Least: c.cfg.minAdmins()},
	}
}

// groupsOf returns the groups of a sync, without their members.
func groupsOf(facts baton.Facts) (groups []scim.Group, err error) {
	err = facts.Resources(groupType, func(r baton.Resource) error {
		groups = append(groups, scim.Group{ID: r.ID.ID, DisplayName: r.DisplayName})
		return nil
	})
	return groups, err
}

// readRoles returns the entitlements that amount to Admin and Member. It returns none if that is not certain;
// the review gives the reason.
func (c *connector) readRoles(facts baton.Facts) (baton.Roles, error) {
	groups, err := groupsOf(facts)
	if err != nil {
		return baton.Roles{}, err
	}
	r, err := c.rolesAmong(groups)
	if err != nil {
		return baton.Roles{}, nil
	}
	admin := baton.Role{Name: roleAdmin, Privileged: true}
	for _, id := range slices.Concat(r.admin...) {
		admin.Entitlements = append(admin.Entitlements, memberOf(id))
	}
	member := baton.Role{Name: roleMember}
	for _, id := range r.member {
		member.Entitlements = append(member.Entitlements, memberOf(id))
	}
	all := baton.Roles{Roles: []baton.Role{admin, member}, Fix: "Set --role-priority to what Perplexity has."}
	switch r.priority {
	case priorityAdmin:
		all.Counts = roleAdmin
	case priorityMember:
		all.Counts = roleMember
	}
	return all, nil
}

// tally counts accounts by the roles they hold.
type tally struct {
	roles  roles
	admin  []map[string]bool // by alternative; the value is true if certain
	member map[string]bool

	sure []int // certain enabled admins, by alternative

	admins, members, both, neither people
	dormant                        people // disabled, but still in a role group
}

// people counts accounts and keeps the names of the first few.
type people struct {
	n     int
	first []string
}

func (p *people) add(r baton.Resource) {
	p.n++
	if len(p.first) < 5 {
		p.first = append(p.first, r.DisplayName)
	}
}

func (p people) String() string {
	if p.n == 0 {
		return "nobody"
	}
	s := english.Number(p.n) + ": " + strings.Join(p.first, ", ")
	if more := p.n - len(p.first); more > 0 {
		s += " and " + english.Number(more) + " more"
	}
	return s
}

func (t *tally) add(r baton.Resource) error {
	admin := false
	_, member := t.member[r.ID.ID]
	for i, holders := range t.admin {
		certain, ok := holders[r.ID.ID]
		if !ok {
			continue
		}
		admin = true
		if certain && r.Status == baton.StatusEnabled && (!member || t.roles.priority == priorityAdmin) {
			t.sure[i]++
		}
	}
	switch {
	case r.Status == baton.StatusDisabled:
		if admin || member {
			t.dormant.add(r)
		}
	case admin && (!member || t.roles.priority != priorityMember):
		t.admins.add(r) // even if the priority is unknown: everybody who may be Admin counts
	case member:
		t.members.add(r)
	default:
		t.neither.add(r)
	}
	if r.Status != baton.StatusDisabled && admin && member {
		t.both.add(r)
	}
	return nil
}

// least returns the number of certain, enabled admins of the alternative with the fewest.
func (t *tally) least() int {
	if len(t.sure) == 0 {
		return 0
	}
	return slices.Min(t.sure)
}

func (t *tally) notes() []baton.Note {
	r := t.roles
	notes := []baton.Note{
		{Label: "Admin", Text: t.admins.String(), Counts: true},
		{Label: "Member", Text: t.members.String(), Counts: true},
	}
	if t.both.n > 0 {
		text := t.both.String()
		level := baton.OK
		switch r.priority {
		case "":
			level, text = baton.Warning, text+" (which role counts is not known, so they are counted as Admin; set --role-priority)"
		default:
			text += " (" + r.effective(true, true) + " has priority)"
		}
		notes = append(notes, baton.Note{Level: level, Label: "Both roles", Text: text, Counts: true})
	}
	notes = append(notes, baton.Note{Label: "No role", Text: t.neither.String(), Counts: true})
	if t.dormant.n > 0 {
		notes = append(notes, baton.Note{Label: "Disabled, with a role", Text: t.dormant.String() + " (enabling gives the role back)", Counts: true})
	}
	if t.least() == 0 && len(r.admin) > 0 {
		notes = append(notes, baton.Note{Level: baton.Warning, Label: "No admin", Text: "no enabled account is certain to be Admin; see docs/perplexity.md on losing admin access"})
	}
	return notes
}

// notes returns warnings about groups that may not carry the role that they seem to carry.
func (r roles) notes(groups []scim.Group) []baton.Note {
	var notes []baton.Note
	warn := func(label, text string) {
		notes = append(notes, baton.Note{Level: baton.Warning, Label: label, Text: text})
	}
	switch {
	case len(r.admin) == 0:
		warn("Admin group", "none was recognised by its name; set --admin-group")
	case len(r.admin) > 1:
		warn("Admin group", severalGroups(withIDs(groups, slices.Concat(r.admin...)), roleAdmin)+". Set --admin-group to one of the ids.")
	}
	if r.memberUnclear {
		warn("Member group", severalGroups(withIDs(groups, r.member), roleMember)+". Set --member-group to one of the ids.")
	}
	for _, text := range r.nearly {
		warn("Role groups", text)
	}
	return notes
}
