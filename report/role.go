package report

import (
	"math/bits"
	"strings"

	"baton"
)

// roleText returns the role of an account in words: "Admin"; "Admin and Member" if it holds both and
// it is unknown which one counts; "Admin (also Member)" if that is known; "" for none.
func roleText(roles baton.Roles, held uint32) string {
	if held == 0 {
		return ""
	}
	var counts string
	var names []string
	for i, r := range roles.Roles {
		switch {
		case held&(1<<i) == 0:
		case r.Name == roles.Counts:
			counts = r.Name
		default:
			names = append(names, r.Name)
		}
	}
	switch {
	case counts == "":
		return strings.Join(names, " and ")
	case len(names) == 0:
		return counts
	}
	return counts + " (also " + strings.Join(names, ", ") + ")"
}

// effective returns the index of the role that counts, -1 for none. Sure is false if the account
// holds several and it is unknown which one counts: then it is the most powerful.
func effective(roles baton.Roles, held uint32) (index int, sure bool) {
	if held == 0 {
		return -1, true
	}
	for i, r := range roles.Roles {
		if held&(1<<i) != 0 && r.Name == roles.Counts {
			return i, true
		}
	}
	return bits.TrailingZeros32(held), bits.OnesCount32(held) == 1
}

// rank orders members: the more powerful first, those without a role last.
func (p *population) rank(m *member) int {
	i, _ := effective(p.roles, m.roles)
	if i < 0 {
		return len(p.roles.Roles)
	}
	return i
}

// tally counts accounts by role.
type tally struct {
	accounts, enabled int
	role              []group // by role, for the accounts to which it applies
	both              group   // several roles
	none              group   // enabled, without a role
	dormant           group   // disabled, and holding a role, or any access if there are no roles
	unknown           int     // named only by a grant
}

// group counts people and keeps the first few.
type group struct {
	n     int
	first []personName
}

const fewNames = 5

func (g *group) add(p *population, m *member) {
	g.n++
	if len(g.first) < fewNames {
		g.first = append(g.first, p.personName(m))
	}
}

// more returns the number of people that were not kept.
func (g group) more() int { return g.n - len(g.first) }

func nameOf(m *member) string {
	for _, name := range []string{m.name, m.email} {
		if name != "" {
			return name
		}
	}
	return m.id.ID
}

func (p *population) tally() tally {
	t := tally{role: make([]group, len(p.roles.Roles))}
	for i := range p.members {
		m := &p.members[i]
		if !m.account {
			t.unknown += flag(!m.listed)
			continue
		}
		t.accounts++
		if !m.disabled() {
			t.enabled++
		}
		role, _ := effective(p.roles, m.roles)
		switch {
		case m.disabled() && (m.roles != 0 || len(p.roles.Roles) == 0 && len(m.holds) > 0):
			t.dormant.add(p, m)
		case m.disabled():
		case role >= 0:
			if bits.OnesCount32(m.roles) > 1 {
				t.both.add(p, m)
			}
			t.role[role].add(p, m)
		default:
			t.none.add(p, m)
		}
	}
	return t
}
