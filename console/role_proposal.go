package console

import (
	"slices"
	"strings"
	"unicode"

	"baton"
)

// RoleCandidate is an entitlement that may belong to a role.
type RoleCandidate struct {
	Key          EntitlementKey
	Slug         string
	ResourceType string
	ResourceID   string
	ResourceName string
}

// RoleProposal is a proposal for the roles of an app. It has no effect until a person accepts it.
type RoleProposal struct {
	Map     RoleMap
	Minimum int // minimum of administrators; 0 if the connector names no administrator role
	// ByConnector means that the connector named the entitlements, through its settings or the usual
	// names of its upstream.
	ByConnector bool
	Unclear     []string // ambiguous names; none of their resources is proposed
	Missing     []string // configured names for which there is no resource
}

// The names of the proposed roles.
const (
	AdminRole  = "Administrator"
	MemberRole = "Member"
)

// ProposeRoles proposes the entitlements of the roles administrator and member. It uses the
// connector's hints. If hints is nil, it looks for words in the names.
func ProposeRoles(hints *baton.RoleHints, candidates []RoleCandidate) RoleProposal {
	p := RoleProposal{}
	var admin, member []EntitlementKey
	if hints != nil {
		p.ByConnector, p.Minimum = true, max(hints.MinimumAdmins, 0)
		switch strings.ToLower(hints.Priority) {
		case "admin":
			p.Map.Priority = HighestWins
		case "member":
			p.Map.Priority = LowestWins
		}
		var fitting []RoleCandidate
		for _, c := range candidates {
			if c.ResourceType == hints.ResourceType && (hints.Slug == "" || c.Slug == hints.Slug) {
				fitting = append(fitting, c)
			}
		}
		admin = p.named(hints.Admin, fitting)
		member = p.named(hints.Member, fitting)
	} else {
		admin, member = byWords(candidates)
	}
	member = slices.DeleteFunc(member, func(e EntitlementKey) bool { return slices.Contains(admin, e) })
	if len(admin) > 0 {
		p.Map.Roles = append(p.Map.Roles, AppRole{Name: AdminRole, Admin: true, Entitlements: admin})
	}
	if len(member) > 0 {
		p.Map.Roles = append(p.Map.Roles, AppRole{Name: MemberRole, Entitlements: member})
	}
	return p
}

// named returns the entitlements of the resources that a connector named: the configured ones or, if
// there are none, those with a usual name.
func (p *RoleProposal) named(n baton.RoleNames, candidates []RoleCandidate) (keys []EntitlementKey) {
	if len(n.Configured) == 0 {
		for _, c := range candidates {
			if slices.Contains(n.Usual, lettersAndDigits(c.ResourceName)) {
				keys = append(keys, c.Key)
			}
		}
		return keys
	}
	for _, name := range n.Configured {
		var byID, exact, similar []EntitlementKey
		for _, c := range candidates {
			switch {
			case c.ResourceID == name:
				byID = append(byID, c.Key)
			case strings.TrimSpace(c.ResourceName) == strings.TrimSpace(name):
				exact = append(exact, c.Key)
			case strings.EqualFold(strings.TrimSpace(c.ResourceName), strings.TrimSpace(name)):
				similar = append(similar, c.Key)
			}
		}
		found := byID
		for _, more := range [][]EntitlementKey{exact, similar} {
			if len(found) == 0 {
				found = more
			}
		}
		switch {
		case len(found) == 0:
			p.Missing = append(p.Missing, name)
		case len(found) > 1:
			p.Unclear = append(p.Unclear, name)
		case !slices.Contains(keys, found[0]):
			keys = append(keys, found[0])
		}
	}
	return keys
}

var (
	adminWords  = []string{"admin", "admins", "administrator", "administrators", "superadmin", "superuser", "owner", "owners"}
	memberWords = []string{"member", "members", "user", "users"}
)

// byWords returns the entitlements whose slug is a word for a role, or whose resource has such a
// word in its name. A slug that only means membership does not count.
func byWords(candidates []RoleCandidate) (admin, member []EntitlementKey) {
	adminSlugs := map[[2]string]bool{} // resources with an administrator slug of their own
	has := func(text string, list []string) bool {
		return slices.ContainsFunc(words(text), func(w string) bool { return slices.Contains(list, w) })
	}
	for _, c := range candidates {
		if has(c.Slug, adminWords) {
			adminSlugs[[2]string{c.ResourceType, c.ResourceID}] = true
		}
	}
	for _, c := range candidates {
		switch {
		case has(c.Slug, adminWords):
			admin = append(admin, c.Key)
		case adminSlugs[[2]string{c.ResourceType, c.ResourceID}]:
			if has(c.Slug, memberWords) {
				member = append(member, c.Key)
			}
		case has(c.ResourceName, adminWords):
			admin = append(admin, c.Key)
		case has(c.ResourceName, memberWords):
			member = append(member, c.Key)
		}
	}
	return admin, member
}

// words splits a name into lower-case words: PPLX_Admin, pplx admin and PplxAdmin all give "pplx",
// "admin".
func words(name string) (all []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			all = append(all, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	lower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			end()
		}
		lower = unicode.IsLower(r)
		word = append(word, r)
	}
	end()
	return all
}

// lettersAndDigits returns the letters and digits of a name, in lower case.
func lettersAndDigits(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
