package percipio_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"baton/sandbox/percipio"
)

// fieldTests has tests of faults for test/field and test/storm.
func fieldTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"bad-gateway": func(t *testing.T, s *sandbox) {
			if r := everyThird(t, s, 502); !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%v", r.Header)
			}
		},
		"error-in-200": func(t *testing.T, s *sandbox) {
			s.faults("error-in-200=1")
			if r := s.want(200, s.users("")); len(r.list) != 0 || !strings.Contains(string(r.raw), "message") {
				t.Errorf("%s", r.raw)
			}
			if s.want(200, s.post(allTime)); len(s.State().Reports) != 0 {
				t.Error("a report was requested")
			}
		},
		"empty-200": func(t *testing.T, s *sandbox) {
			s.faults("empty-200=1")
			if r := s.want(200, s.users("")); len(r.raw) != 0 {
				t.Errorf("%s", r.raw)
			}
		},
		"stall": func(t *testing.T, s *sandbox) {
			s.faults("stall=1")
			ctx, cancel := context.WithCancel(t.Context())
			req := httptest.NewRequestWithContext(ctx, "GET", s.path("user-management/v1", "/users"), nil)
			req.Header.Set("Authorization", "Bearer "+s.Token())
			cancel() // a client waits until its own timeout
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, req)
			if rec.Body.Len() != 0 || s.FaultsMet()["stall"] != 1 {
				t.Errorf("%s", rec.Body)
			}
		},
		"latin-1": func(t *testing.T, s *sandbox) {
			r := s.want(200, s.users(""))
			if !strings.Contains(string(r.raw), "Bj\xf6rn") || r.Header.Get("Content-Type") != "application/json; charset=ISO-8859-1" {
				t.Errorf("%v %q", r.Header, r.raw)
			}
		},
		"latin-1-undeclared": func(t *testing.T, s *sandbox) {
			if r := s.want(200, s.users("")); utf8.Valid(r.raw) || strings.Contains(r.Header.Get("Content-Type"), "charset") {
				t.Errorf("%v %q", r.Header, r.raw)
			}
		},
		"empty-page": func(t *testing.T, s *sandbox) {
			s.faults("empty-page=2")
			users, items := s.want(200, s.users("?max=5")), s.want(200, s.catalogue("?max=5"))
			if again := s.want(200, s.catalogue("?max=5")); len(users.list) != 5 || len(items.list) != 0 || len(again.list) != 5 {
				t.Errorf("%d, %d and %d rows", len(users.list), len(items.list), len(again.list))
			}
		},
		"users-shift-both": func(t *testing.T, s *sandbox) {
			before := userIDs(s.State())
			s.want(200, s.users("?max=5"))
			after := userIDs(s.State())
			if len(after) != len(before) || !slices.Equal(after[:len(after)-1], before[1:]) || slices.Contains(before, after[len(after)-1]) {
				t.Errorf("from %q to %q", before, after)
			}
		},
	}
}

// TestFaultsMet: a fault counts as met only if it can affect the answer.
func TestFaultsMet(t *testing.T) {
	s := start(t, percipio.Options{Faults: []string{"no-link", "bare-errors", "pending"}})
	s.want(200, s.users(""))
	if met := s.FaultsMet(); len(met) != 0 {
		t.Errorf("met %v", met)
	}
	s.want(200, s.catalogue(""))
	s.want(404, s.poll("x"))
	if met := s.FaultsMet(); met["no-link"] != 1 || met["bare-errors"] != 1 || met["pending"] != 0 {
		t.Errorf("met %v", met)
	}
}
