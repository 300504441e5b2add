package perplexity

import (
	"slices"
	"strings"
	"time"
)

// user is a person in the organisation.
type user struct {
	id, externalID, userName, displayName string
	name                                  [len(nameParts)]string
	emails                                []email
	active                                bool
	extra                                 object // attributes without a meaning here
	groups                                []*group
	meta

	elsewhere bool // belongs to another organisation: accepted, but excluded
	console   bool // created in the console: SCIM does not show it

	alias string // the userName for filters, if not empty
}

type email struct {
	value, kind, display string
	primary              bool
}

// group is a SCIM group. No two groups have the same identity, which is the first externalId or displayName
// and does not change with the name.
type group struct {
	id, externalID, displayName string
	identity                    string
	members                     []*user
	unknownMembers              []string // ids of members that are not users
	unmapped                    bool     // role rules ignore it, whatever its name
	extra                       object
	meta
}

// meta holds the times and number of changes of a resource.
type meta struct {
	created, modified time.Time
	version           int
}

func (m *meta) touch(now time.Time) {
	m.modified = now
	m.version++
}

func (u *user) in(g *group) bool { return slices.Contains(u.groups, g) }

// primaryEmail returns the address that Perplexity uses: the primary one, else the first for work, else the
// first for home; "" if that one is malformed.
func (u *user) primaryEmail() string {
	best := ""
	for _, rank := range []func(email) bool{
		func(e email) bool { return e.primary },
		func(e email) bool { return strings.EqualFold(e.kind, "work") },
		func(e email) bool { return strings.EqualFold(e.kind, "home") },
	} {
		if i := slices.IndexFunc(u.emails, rank); i >= 0 {
			best = u.emails[i].value
			break
		}
	}
	if !isAddress(best) {
		return ""
	}
	return best
}

func isAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(domain, "@ ") && !strings.Contains(local, " ")
}

// link makes the user a member and reports whether that is a change.
func (s *Server) link(g *group, u *user) bool {
	if u.in(g) {
		return false
	}
	s.remember(g, u)
	g.members = append(g.members, u)
	u.groups = append(u.groups, g)
	s.effect("+group:%s:member:user:%s", g.id, u.id)
	return true
}

// unlink ends a membership and reports whether that is a change.
func (s *Server) unlink(g *group, u *user) bool {
	if !u.in(g) {
		return false
	}
	s.remember(g, u)
	g.members = slices.DeleteFunc(g.members, func(m *user) bool { return m == u })
	u.groups = slices.DeleteFunc(u.groups, func(of *group) bool { return of == g })
	s.effect("-group:%s:member:user:%s", g.id, u.id)
	return true
}

// insertUser adds the user at an index of the list order.
func (s *Server) insertUser(u *user, at int) {
	s.rememberAbsent(u.id)
	s.users = slices.Insert(s.users, at, u)
	s.userByID[u.id] = u
	s.userByName[strings.ToLower(u.userName)] = u
	s.effect("+user:%s", u.id)
}

func (s *Server) deleteUser(u *user) {
	s.effect("-user:%s", u.id)
	for _, g := range slices.Clone(u.groups) {
		s.unlink(g, u)
	}
	s.remember(nil, u)
	s.users = slices.DeleteFunc(s.users, func(o *user) bool { return o == u })
	delete(s.userByID, u.id)
	delete(s.userByName, strings.ToLower(u.userName))
}

func (s *Server) insertGroup(g *group) {
	s.rememberAbsent(g.id)
	s.groups = append(s.groups, g)
	s.groupByID[g.id] = g
	s.effect("+group:%s", g.id)
}

func (s *Server) deleteGroup(g *group) {
	s.effect("-group:%s", g.id)
	for _, u := range slices.Clone(g.members) {
		s.unlink(g, u)
	}
	s.remember(g, nil)
	s.groups = slices.DeleteFunc(s.groups, func(o *group) bool { return o == g })
	delete(s.groupByID, g.id)
}

// State is the organisation as Perplexity sees it, regardless of SCIM.
type State struct {
	Users  []UserState  `json:"users"`
	Groups []GroupState `json:"groups"`
	// Admins lists the ids of the users whose effective role is Admin. If it is empty, the organisation is
	// locked out.
	Admins    []string `json:"admins"`
	Seats     int      `json:"seats"`
	SeatsUsed int      `json:"seatsUsed"`
	// Held lists the userNames of refused creations that left a row behind.
	Held []string `json:"held,omitempty"`
}

// UserState is one person.
type UserState struct {
	ID          string `json:"id"`
	UserName    string `json:"userName"`
	ExternalID  string `json:"externalId,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	GivenName   string `json:"givenName,omitempty"`
	FamilyName  string `json:"familyName,omitempty"`
	Email       string `json:"email,omitempty"` // the primary address, empty if malformed
	Active      bool   `json:"active"`
	// Managed reports whether SCIM manages the user: the console cannot change it.
	Managed bool     `json:"managed"`
	Role    Role     `json:"role"`
	Groups  []string `json:"groups,omitempty"` // ids
}

// GroupState is one group.
type GroupState struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	ExternalID  string   `json:"externalId,omitempty"`
	Role        Role     `json:"role"`              // the role it carries
	Members     []string `json:"members,omitempty"` // ids
	// Doubtful lists the ids of users that a fault shows as members of an unknown type.
	Doubtful []string `json:"doubtful,omitempty"`
}

// User returns a user by id or, ignoring case, by userName.
func (st State) User(key string) (UserState, bool) {
	for _, u := range st.Users {
		if u.ID == key || strings.EqualFold(u.UserName, key) {
			return u, true
		}
	}
	return UserState{}, false
}

// Group returns a group by id or displayName.
func (st State) Group(key string) (GroupState, bool) {
	for _, g := range st.Groups {
		if g.ID == key || g.DisplayName == key {
			return g, true
		}
	}
	return GroupState{}, false
}

// State returns a snapshot of the organisation.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := s.rules()
	st := State{Seats: s.opts.Seats, SeatsUsed: s.seatsUsed(), Admins: []string{},
		Users: make([]UserState, 0, len(s.users)+len(s.hidden)), Groups: make([]GroupState, 0, len(s.groups))}
	for _, u := range s.users {
		us := stateOf(u, rules)
		if us.Role == Admin {
			st.Admins = append(st.Admins, u.id)
		}
		st.Users = append(st.Users, us)
	}
	for _, u := range s.hidden {
		st.Users = append(st.Users, stateOf(u, rules))
	}
	for _, g := range s.groups {
		gs := GroupState{ID: g.id, DisplayName: g.displayName, ExternalID: g.externalID, Role: roleOfGroup(g, rules), Members: make([]string, len(g.members))}
		for i, u := range g.members {
			gs.Members[i] = u.id
		}
		if u := s.outsider(g); u != nil && s.faults.Has("odd-kind-members") {
			gs.Doubtful = []string{u.id}
		}
		st.Groups = append(st.Groups, gs)
	}
	for name := range s.held {
		st.Held = append(st.Held, name)
	}
	slices.Sort(st.Held)
	return st
}

func stateOf(u *user, rules []RoleRule) UserState {
	us := UserState{ID: u.id, UserName: u.userName, ExternalID: u.externalID, DisplayName: u.displayName,
		GivenName: u.name[givenName], FamilyName: u.name[familyName], Email: u.primaryEmail(),
		Active: u.active, Managed: !u.console, Role: effectiveRole(u, rules), Groups: make([]string, len(u.groups))}
	for i, g := range u.groups {
		us.Groups[i] = g.id
	}
	return us
}
