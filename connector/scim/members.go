package scim

import (
	"fmt"
	"iter"
	"strings"

	"baton/internal/intern"
)

// maxMembers limits the different members of one group held in memory. A list of groups delivers members one
// by one and holds none.
const maxMembers = 1 << 19

// Members is the set of members of one group. It takes little more memory than their ids. A nil set is empty.
type Members struct {
	values  intern.Table
	kinds   []uint8        // by number in values: a bit for each MemberKind
	folded  map[string]int // UUIDs in lower case to their number; built after some misses
	misses  int
	entries int
	problem string
	other   string // detail of the first OtherMember
}

// Add adds one entry of the group.
func (s *Members) Add(m Member) {
	s.entries++
	switch {
	case s.problem != "" && (m.Kind == UnreadableMember || s.values.Len() == maxMembers):
		return
	case m.Kind == UnreadableMember:
		s.Fail(fmt.Sprintf("member %d cannot be read: %s", s.entries, m.Detail))
		return
	case s.values.Len() == maxMembers:
		s.Fail(fmt.Sprintf("the group has more than %d members", maxMembers))
		return
	case m.Kind == OtherMember && s.other == "":
		s.other = strings.Clone(m.Detail)
	}
	n, fresh := s.values.Add([]byte(m.Value))
	if fresh {
		s.kinds = append(s.kinds, 0)
		s.folded = nil
	}
	s.kinds[n] |= 1 << m.Kind
}

// Skip counts an entry that is not kept.
func (s *Members) Skip() { s.entries++ }

// Fail records why some members are unknown. The first reason is kept.
func (s *Members) Fail(problem string) {
	if s.problem == "" {
		s.problem = problem
	}
}

// Entries returns the number of entries added, of any kind.
func (s *Members) Entries() int {
	if s == nil {
		return 0
	}
	return s.entries
}

// Problem says why some members are unknown, or is empty.
func (s *Members) Problem() string {
	if s == nil {
		return ""
	}
	return s.problem
}

// Find returns the kinds of the entries for an id. An exact match comes first; for a UUID, the only match
// that ignores case comes second. as is the id as the server writes it.
func (s *Members) Find(id string) (as string, kinds MemberKinds) {
	if s == nil {
		return "", 0
	}
	if n, ok := s.values.Find([]byte(id)); ok {
		return id, MemberKinds(s.kinds[n])
	}
	if !IsUUID(id) {
		return "", 0
	}
	n := s.findFolded(id)
	if n < 0 {
		return "", 0
	}
	return string(s.values.Text(n)), MemberKinds(s.kinds[n])
}

// findFolded returns the number of the only UUID that differs from id in case alone, or -1. It scans all
// members, and builds an index if that happens often.
func (s *Members) findFolded(id string) int {
	const often = 16
	if s.misses++; s.misses > often && s.folded == nil {
		s.fold()
	}
	if s.folded != nil {
		if n, ok := s.folded[strings.ToLower(id)]; ok {
			return n
		}
		return -1
	}
	found := -1
	for n := range s.values.Len() {
		if as := s.values.Text(n); len(as) == len(id) && strings.EqualFold(string(as), id) {
			if found >= 0 {
				return -1
			}
			found = n
		}
	}
	return found
}

// fold indexes the UUIDs in lower case. Two ids that differ only in case stay two ids, and a third spelling
// finds neither.
func (s *Members) fold() {
	s.folded = map[string]int{}
	for n := range s.values.Len() {
		id := string(s.values.Text(n))
		if !IsUUID(id) {
			continue
		}
		id = strings.ToLower(id)
		if _, twice := s.folded[id]; twice {
			n = -1
		}
		s.folded[id] = n
	}
}

// All returns the members and their kinds in the order in which they were first added.
func (s *Members) All() iter.Seq2[string, MemberKinds] {
	return func(yield func(string, MemberKinds) bool) {
		if s == nil {
			return
		}
		for n := range s.values.Len() {
			if !yield(string(s.values.Text(n)), MemberKinds(s.kinds[n])) {
				return
			}
		}
	}
}

// MemberKinds is the set of kinds that the entries for one id have.
type MemberKinds uint8

// Has reports whether an entry has the kind.
func (k MemberKinds) Has(kind MemberKind) bool { return k&(1<<kind) != 0 }

// IsUser reports whether an entry counts as an account.
func (k MemberKinds) IsUser() bool { return k.Has(UserMember) || k.Has(LikelyUser) }
