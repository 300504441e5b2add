package console

import "slices"

// Admins holds the data that the minimum of administrators is checked against. The store reads it
// after it has locked the app's row.
type Admins struct {
	Minimum  int // 0: no minimum
	Roles    RoleMap
	Holders  []RoleHolder
	InFlight []Change // changes by operations that are queued, dispatched or not yet verified
	// Others is the number of further people who are administrators for certain, and whom no change
	// that is checked concerns.
	Others int
}

// RoleHolder is an account that holds entitlements of the role map.
type RoleHolder struct {
	Account      ResourceKey
	Person       ID          // the canonical person; "" if the account has no owner
	PersonActive bool        // the person is neither disabled nor gone
	Kind         AccountKind // according to the upstream
	Said         AccountKind // set by a person
	Enabled      bool
	Held         []EntitlementKey
}

// Change is the effect of an operation on one account.
type Change struct {
	Account     ResourceKey
	Entitlement EntitlementKey
	Verb        Verb
}

// Count returns how many people are certainly administrators: their accounts are effective
// administrators, enabled, human and matched to an active person, whichever of the given changes and
// those in flight happen. Several accounts of one person count once.
func (a Admins) Count(changes ...Change) int {
	all := append(slices.Clone(a.InFlight), changes...)
	people := map[ID]bool{}
	for _, h := range a.Holders {
		if h.Person != "" && h.PersonActive && a.certain(h, all) {
			people[h.Person] = true
		}
	}
	return a.Others + len(people)
}

// maxUncertain limits the changes of one account of which all combinations are tried. An account
// with more does not count.
const maxUncertain = 8

// certain reports whether a holder is an administrator after every subset of the changes.
func (a Admins) certain(h RoleHolder, changes []Change) bool {
	var own []Change
	for _, c := range changes {
		if c.Account == h.Account && !slices.Contains(own, c) {
			own = append(own, c)
		}
	}
	if len(own) > maxUncertain {
		return false
	}
	for set := range 1 << len(own) {
		held, enabled := slices.Clone(h.Held), h.Enabled
		for i, c := range own {
			switch {
			case set&(1<<i) == 0:
			case c.Entitlement == AccountItself:
				enabled = c.Verb == Grant
			case c.Verb == Grant:
				held = append(held, c.Entitlement)
			default:
				held = slices.DeleteFunc(held, func(e EntitlementKey) bool { return e == c.Entitlement })
			}
		}
		role := a.Roles.Effective(held)
		if !enabled || !role.Floor.admin() || !TypeOf(h.Kind, h.Said, role).Kind.Human() {
			return false
		}
	}
	return true
}

// lowers reports whether a change may lower the count below the minimum. It also returns the count
// before and after the change.
func (a Admins) lowers(c Change) (before, after int, below bool) {
	before, after = a.Count(), a.Count(c)
	return before, after, after < before && after < a.Minimum
}
