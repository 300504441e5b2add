package perplexity

import "strings"

// Role is the role of a user in the organisation, as Perplexity derives it from the groups.
type Role string

// The effective roles. The last three are reasons for having none.
const (
	Admin    Role = "Admin"
	Member   Role = "Member"
	NoRole   Role = "none"     // in no group that carries a role
	Excluded Role = "excluded" // belongs to another organisation
	Disabled Role = "disabled"
)

// RoleRule gives the members of a group a role.
type RoleRule struct {
	Group string // the group's displayName; case does not matter
	Role  Role
}

// defaultRoles returns the mapping in Perplexity's set-up guide, Admin first.
func defaultRoles() []RoleRule {
	return []RoleRule{{Group: "PPLX_Admin", Role: Admin}, {Group: "PPLX_Members", Role: Member}}
}

// rules returns the role rules in order of priority.
func (s *Server) rules() []RoleRule {
	if !s.faults.On("member-first") {
		return s.opts.Roles
	}
	var first, rest []RoleRule
	for _, r := range s.opts.Roles {
		if r.Role == Member {
			first = append(first, r)
		} else {
			rest = append(rest, r)
		}
	}
	return append(first, rest...)
}

// effectiveRole applies the organisation's rules to a user. A user who is disabled or belongs to
// another organisation has no role. Of several rules, the first one decides.
func effectiveRole(u *user, rules []RoleRule) Role {
	switch {
	case !u.active:
		return Disabled
	case u.elsewhere:
		return Excluded
	case u.console:
		return Member // SCIM controls all other roles
	}
	for _, rule := range rules {
		for _, g := range u.groups {
			if !g.unmapped && strings.EqualFold(g.displayName, rule.Group) {
				return rule.Role
			}
		}
	}
	return NoRole
}

// roleOfGroup returns the role that a group carries, or NoRole.
func roleOfGroup(g *group, rules []RoleRule) Role {
	for _, rule := range rules {
		if !g.unmapped && strings.EqualFold(g.displayName, rule.Group) {
			return rule.Role
		}
	}
	return NoRole
}

// takesSeat reports whether the user takes a seat. Users of another organisation are accepted over SCIM and
// take none.
func takesSeat(u *user) bool { return u.active && !u.elsewhere }

func (s *Server) seatsUsed() int {
	n := 0
	for _, u := range s.users {
		if takesSeat(u) {
			n++
		}
	}
	return n + len(s.hidden)
}

// seatFor refuses to activate another user if no seat is left.
func (s *Server) seatFor(u *user) *failure {
	if !takesSeat(u) {
		return nil
	}
	if s.faults.On("seats-full") || s.seatsUsed() >= s.opts.Seats {
		return fail(403, "", "no seat is left in this organisation: all %d are taken; add seats or disable somebody first", s.opts.Seats)
	}
	return nil
}

// enterpriseSeats is the number of seats from which the plan includes SCIM.
const enterpriseSeats = 50

// planAllows refuses requests if the organisation's plan does not include SCIM.
func (s *Server) planAllows() *failure {
	if s.faults.On("not-in-plan") || s.opts.Seats < enterpriseSeats && !s.opts.EnterpriseMax {
		return fail(403, "", "SCIM needs an Enterprise plan with at least %d seats, or one Enterprise Max user; this organisation has %d seats",
			enterpriseSeats, s.opts.Seats)
	}
	return nil
}

// domainAllowed refuses addresses outside the verified domains. A malformed address has no domain to check:
// WorkOS accepts it and ignores it.
func (s *Server) domainAllowed(u *user) *failure {
	address := u.primaryEmail()
	_, domain, ok := strings.Cut(address, "@")
	if !ok {
		return nil
	}
	if !s.faults.On("unverified-domain") {
		for _, d := range s.opts.Domains {
			if strings.EqualFold(d, domain) {
				return nil
			}
		}
	}
	return fail(400, "invalidValue", "the domain %q of %q is not verified in this organisation; verify it under Settings, My Organization first", domain, address)
}
