package perplexity

import "slices"

// past holds the old state that readers see after a write while a fault makes reads stale. A nil entry means
// that the resource did not exist.
type past struct {
	left   int
	users  map[string]*user
	groups map[string]*group
}

// remember keeps the state of a group and a user before a change. Either may be nil.
func (s *Server) remember(g *group, u *user) {
	if !s.remembers() {
		return
	}
	if g != nil {
		if _, known := s.past.groups[g.id]; !known {
			old := *g
			old.members = slices.Clone(g.members)
			s.past.groups[g.id] = &old
		}
	}
	if u != nil {
		if _, known := s.past.users[u.id]; !known {
			old := *u
			old.groups = slices.Clone(u.groups)
			s.past.users[u.id] = &old
		}
	}
}

// rememberAbsent records that a resource did not exist before its creation. Users and groups never share an
// id.
func (s *Server) rememberAbsent(id string) {
	if s.remembers() {
		s.past.users[id], s.past.groups[id] = nil, nil
	}
}

func (s *Server) remembers() bool {
	n := max(s.faults.Number("stale-reads"), s.faults.Number("stale-reads-always"))
	if n == 0 {
		return false
	}
	s.past.left = n
	if s.past.users == nil {
		s.past.users, s.past.groups = map[string]*user{}, map[string]*group{}
	}
	return true
}

// seen returns the old state that a reader sees, or nil for the present one. It counts stale reads.
func (s *Server) seen(noCache bool) *past {
	if s.past.left == 0 || noCache && !s.faults.On("stale-reads-always") {
		return nil
	}
	p := s.past
	if s.past.left--; s.past.left == 0 {
		s.past = past{}
	}
	return &p
}

// restore replaces the rows of a list by their old state.
func restore[T interface{ ident() string }](rows []T, old map[string]T, gone func(T) bool) []T {
	if len(old) == 0 {
		return rows
	}
	var then []T
	present := map[string]bool{}
	for _, row := range rows {
		was, changed := old[row.ident()]
		switch {
		case !changed:
			then = append(then, row)
		case !gone(was):
			then = append(then, was)
		}
		present[row.ident()] = true
	}
	var deleted []string
	for id, was := range old {
		if !present[id] && !gone(was) {
			deleted = append(deleted, id)
		}
	}
	slices.Sort(deleted)
	for _, id := range deleted {
		then = append(then, old[id])
	}
	return then
}
