package perplexity

import (
	"fmt"
	"net/http"
	"slices"
)

// Write is a SCIM write request with its effects.
type Write struct {
	Method string `json:"method"`
	Path   string `json:"path"` // below the SCIM root
	Body   string `json:"body,omitempty"`
	Status int    `json:"status"` // as sent, or as it would have been sent
	// Effects lists the effects in order, with the identities that a sync has. A plus sign marks an addition,
	// a minus sign a removal, and an equals sign a changed account, followed by "enabled" or "disabled" if
	// that changed.
	Effects []string `json:"effects,omitempty"`
}

// maxWrites limits the number of recorded writes.
const maxWrites = 10_000

// Writes returns the last ten thousand writes over SCIM, oldest first. It does not include changes by
// [Server.AddMember] and similar methods.
func (s *Server) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// audit starts recording the effects of a request. The returned func ends the recording.
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

// effect records a change if a write is in progress.
func (s *Server) effect(format string, args ...any) {
	if s.effects != nil {
		*s.effects = append(*s.effects, fmt.Sprintf(format, args...))
	}
}

// neighbour returns the id of another resource of the same type, or "".
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
