package perplexity

import (
	"fmt"
	"net/http"
	"slices"
)

// Write is a SCIM request that was to change something, and what it changed.
type Write struct {
	Method string `json:"method"`
	Path   string `json:"path"` // below the SCIM root
	Body   string `json:"body,omitempty"`
	Status int    `json:"status"` // as it was sent, or would have been
	// Effects are, in the order in which they took place and by the identities that a
	// sync has: what came to be with a plus sign, what ceased to be with a minus sign,
	// and an account that became another with an equals sign, followed by "enabled" or
	// "disabled" where that is what happened.
	Effects []string `json:"effects,omitempty"`
}

// maxWrites is how many writes are remembered.
const maxWrites = 10_000

// Writes are the writes so far, oldest first, the last ten thousand of them. What
// [Server.AddMember] and the like do behind SCIM's back is not among them.
func (s *Server) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// audit begins to record what a request does; the returned func ends that.
func (s *Server) audit(x *exchange) (done func(*answer)) {
	switch x.r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return func(*answer) {}
	}
	w := Write{Method: x.r.Method, Path: x.r.URL.Path[len(s.base):], Body: string(x.body)}
	s.effects = &w.Effects
	return func(a *answer) {
		s.effects = nil
		w.Status = a.status
		if len(s.writes) == maxWrites {
			s.writes = slices.Delete(s.writes, 0, maxWrites/10)
		}
		s.writes = append(s.writes, w)
	}
}

// effect notes a change if a write is being carried out.
func (s *Server) effect(format string, args ...any) {
	if s.effects != nil {
		*s.effects = append(*s.effects, fmt.Sprintf(format, args...))
	}
}

// neighbour is another resource of the kind, or "".
func (s *Server) neighbour(resource, id string) string {
	switch resource {
	case "Users":
		if i := slices.IndexFunc(s.users, func(u *user) bool { return u.id != id }); i >= 0 {
			return s.users[i].id
		}
	case "Groups":
		if i := slices.IndexFunc(s.groups, func(g *group) bool { return g.id != id }); i >= 0 {
			return s.groups[i].id
		}
	}
	return ""
}
