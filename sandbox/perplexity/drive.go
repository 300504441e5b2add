package perplexity

import (
	"slices"
	"strings"
)

// Person describes a user for AddUser.
type Person struct {
	UserName   string // also the primary work address, if it is an address
	GivenName  string
	FamilyName string
	ExternalID string
	Disabled   bool
	// Elsewhere makes the user a member of another organisation, too.
	Elsewhere bool
	// Console creates the user in the console: SCIM does not show it.
	Console bool
}

// AddUser adds a user without SCIM and its checks, and returns the id. The user is last in lists.
func (s *Server) AddUser(p Person) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.newPerson(p)
	if p.Console {
		s.hidden = append(s.hidden, u)
	} else {
		s.insertUser(u, len(s.users))
	}
	return u.id
}

func (s *Server) newPerson(p Person) *user {
	now := s.now()
	u := &user{id: s.ids.user(), externalID: p.ExternalID, userName: p.UserName, active: !p.Disabled, elsewhere: p.Elsewhere, console: p.Console,
		displayName: strings.TrimSpace(p.GivenName + " " + p.FamilyName), meta: meta{now, now, 1}}
	u.name[givenName], u.name[familyName] = p.GivenName, p.FamilyName
	if isAddress(p.UserName) {
		u.emails = []email{{value: p.UserName, kind: "work", primary: true}}
	}
	return u
}

// RemoveUser removes a user permanently, which no SCIM client can, and reports whether it existed.
func (s *Server) RemoveUser(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.hidden, func(u *user) bool { return u.id == id }); i >= 0 {
		s.hidden = slices.Delete(s.hidden, i, i+1)
		return true
	}
	u := s.userByID[id]
	if u == nil {
		return false
	}
	s.deleteUser(u)
	return true
}

// SetActive disables or enables a user and reports whether it exists.
func (s *Server) SetActive(id string, active bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.userByID[id]
	if u == nil {
		return false
	}
	s.remember(nil, u)
	u.active = active
	u.touch(s.now())
	return true
}

// AddGroup adds an empty group and returns its id.
func (s *Server) AddGroup(displayName string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	g := &group{id: s.ids.group(), displayName: displayName, identity: displayName, meta: meta{now, now, 1}}
	s.insertGroup(g)
	return g.id
}

// RemoveGroup removes a group and reports whether it existed.
func (s *Server) RemoveGroup(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groupByID[id]
	if g == nil {
		return false
	}
	s.deleteGroup(g)
	return true
}

// AddMember adds a user to a group, as another SCIM client might, and reports whether that changed anything.
func (s *Server) AddMember(groupID, userID string) bool {
	return s.changeMember(groupID, userID, s.link)
}

// RemoveMember ends a membership and reports whether that changed anything.
func (s *Server) RemoveMember(groupID, userID string) bool {
	return s.changeMember(groupID, userID, s.unlink)
}

func (s *Server) changeMember(groupID, userID string, change func(*group, *user) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, u := s.groupByID[groupID], s.userByID[userID]
	if g == nil || u == nil || !change(g, u) {
		return false
	}
	g.touch(s.now())
	return true
}
