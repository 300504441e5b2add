package field

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/internal/longtest"
)

// five returns an organisation with an account 5 and, if both is true, one whose id is user:5.
func five(both bool) *imitation {
	m := acme()
	m.people = append(m.people, &fakeUser{id: "5", userName: "five@acme.example"})
	if both {
		m.people = append(m.people, &fakeUser{id: "user:5", userName: "user.five@acme.example"})
	}
	return m
}

// TestAnIDWithAPrefix: ids are opaque. The type of a resource's identity is removed only if nothing has the
// id as given.
func TestAnIDWithAPrefix(t *testing.T) {
	for name, tc := range map[string]struct {
		people  []string // in addition to those of acme
		removed string   // after the first sync
		answers answering
		asks    string
		changed []string
		code    int
	}{
		"both are there":                   {people: []string{"5", "user:5"}, asks: "user:5", changed: []string{"user:5 disabled"}},
		"only the exact one":               {people: []string{"user:5"}, asks: "user:5", changed: []string{"user:5 disabled"}},
		"only the one without prefix":      {people: []string{"5"}, asks: "user:5", changed: []string{"5 disabled"}},
		"neither":                          {asks: "user:5", code: 5},
		"a bare id":                        {people: []string{"5", "user:5"}, asks: "5", changed: []string{"5 disabled"}},
		"the prefix twice":                 {people: []string{"5", "user:5"}, asks: "user:user:5", changed: []string{"user:5 disabled"}},
		"the prefix twice, and only 5":     {people: []string{"5"}, asks: "user:user:5", code: 5},
		"the prefix in capitals":           {people: []string{"5"}, asks: "USER:5", code: 5},
		"another type":                     {people: []string{"5"}, asks: "group:5", code: 5},
		"the prefix alone":                 {people: []string{"5"}, asks: "user:", code: 5},
		"the exact one was there":          {people: []string{"5", "user:5"}, removed: "user:5", asks: "user:5"},
		"the one without prefix was there": {people: []string{"5"}, removed: "5", asks: "user:5"},
		"the exact one is not known": {people: []string{"5"}, asks: "user:5", code: 10,
			answers: either(onRequest("^GET /scim/v2/Users/user:5$", text404), onRequest("^GET /scim/v2/Users$", text404))},
		"the exact one is denied and listed": {people: []string{"5", "user:5"}, asks: "user:5", changed: []string{"user:5 disabled"},
			answers: onRequest("^GET /scim/v2/Users/user:5$", html404)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := acme()
			for i, id := range tc.people {
				m.people = append(m.people, &fakeUser{id: id, userName: string(rune('v'+i)) + "@acme.example"})
			}
			p := perplexity(t, m.start(t))
			p.run(t).succeeds(t)
			m.do(func() {
				m.people = slices.DeleteFunc(m.people, func(u *fakeUser) bool { return u.id == tc.removed })
				m.instead = tc.answers
			})
			r := p.run(t, acting("disable_user", tc.asks)...)
			if r.code != tc.code {
				t.Errorf("exit code %d, want %d:\n%s%s", r.code, tc.code, r.stdout, r.stderr)
			}
			if diff := cmp.Diff(tc.changed, m.changed()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// oddIDs returns ids that are almost u2.
func oddIDs() []string {
	all := []string{"u2 ", "U2", "u2/", "%75%32", "..", " u2", "u2\t", "u2\n", "u2\u00a0", "u2\u200b", "u2?", "u2#", "u2%20", "./u2", "../Users/u2", "u2/../u2", ".", "u2\x00", "u2*"}
	return all[:longtest.Pick(5, len(all))]
}

// TestAnIDIsNotTrimmed: an id that is almost another one is a different id, even if the server treats both as
// the same.
func TestAnIDIsNotTrimmed(t *testing.T) {
	lax := func(w http.ResponseWriter, r *http.Request) bool {
		id, one := strings.CutPrefix(r.URL.Path, "/scim/v2/Users/")
		if !one || r.Method != http.MethodGet || id == "" {
			return false
		}
		m, _ := r.Context().Value(serverKey{}).(*imitation)
		if u := m.user(strings.ToLower(strings.TrimRight(id, " \t\n\u00a0\u200b/"))); u != nil {
			io.WriteString(w, u.document())
			return true
		}
		return false
	}
	for name, answers := range map[string]answering{"strict server": nil, "lax server": lax} {
		for _, id := range oddIDs() {
			t.Run(name+"/"+jsonText(id), func(t *testing.T) {
				t.Parallel()
				m := acme()
				m.instead = answers
				p := perplexity(t, m.start(t))
				for _, action := range []string{"disable_user", "enable_user"} {
					p.run(t, acting(action, id)...).fails(t)
				}
				if changed := m.changed(); len(changed) > 0 {
					t.Errorf("changed: %q", changed)
				}
			})
		}
	}
	for _, id := range []string{"", " ", "\t\n"} {
		t.Run("blank/"+jsonText(id), func(t *testing.T) {
			t.Parallel()
			r := perplexity(t, acme().start(t)).run(t, acting("disable_user", id)...)
			if r.code != 3 {
				t.Errorf("exit code %d, want 3: invalid\n%s", r.code, r.stderr)
			}
		})
	}
}

// TestAnAccountWithAnOddID: accounts with odd ids are found.
func TestAnAccountWithAnOddID(t *testing.T) {
	for _, id := range []string{"u9 ", " u9", "a/b", "a b", "50%", "a?b#c", "é", "user:", "USER:9", "..."} {
		t.Run(jsonText(id), func(t *testing.T) {
			t.Parallel()
			m := acme()
			m.people = append(m.people, &fakeUser{id: id, userName: "odd@acme.example"})
			p := perplexity(t, m.start(t))
			p.run(t).succeeds(t)
			p.run(t, acting("disable_user", id)...).succeeds(t, "Disabled")
			p.run(t, granting("g3", id)...).succeeds(t, "Added")
			if diff := cmp.Diff([]string{id + " disabled", "+g3:" + id}, m.changed()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAGrantToNobody: the server accepts any id as a member and reports success, but the next sync would drop
// the grant.
func TestAGrantToNobody(t *testing.T) {
	for form, denies := range denials() {
		t.Run("in service mode/"+form, func(t *testing.T) {
			t.Parallel()
			m := acme()
			m.instead = func(w http.ResponseWriter, r *http.Request) bool {
				id, one := strings.CutPrefix(r.URL.Path, "/scim/v2/Users/")
				return one && m.user(id) == nil && denies(w, r)
			}
			s := perplexity(t, m.start(t)).serve(t)
			taskSucceeds(t, s.sync())
			for _, id := range append(oddIDs(), "nobody", "user:u2") {
				if !strings.ContainsAny(id, "\x00") { // a task cannot contain it
					taskFails(t, s.grant("g3", id))
				}
			}
			taskFails(t, s.grant("g3", "nobody"), `no account with the id "nobody"`)
			taskFails(t, s.grant("nothing", "u2"), `no group with the id "nothing"`)
			if changed := m.changed(); len(changed) > 0 {
				t.Errorf("changed: %q", changed)
			}
			r := s.grant("g3", "u2")
			taskSucceeds(t, r)
			if already(r) {
				t.Error("C1 learns that there was nothing to do")
			}
		})
	}
	t.Run("who was removed since the sync", func(t *testing.T) {
		t.Parallel()
		m, p := syncedAcme(t)
		m.do(func() { m.people = slices.Delete(m.people, 1, 2) })
		r := p.run(t, granting("g3", "u2")...)
		r.fails(t, "u2")
		if r.code != 5 {
			t.Errorf("exit code %d, want 5: not found", r.code)
		}
		if changed := m.changed(); len(changed) > 0 {
			t.Errorf("changed: %q", changed)
		}
	})
	t.Run("who is listed as a member, and has no account", func(t *testing.T) {
		t.Parallel()
		m := acme()
		m.group("g3").members = append(m.group("g3").members, "nobody")
		s := perplexity(t, m.start(t)).serve(t)
		taskFails(t, s.grant("g3", "nobody"), "nobody")
		taskSucceeds(t, s.revoke("g3", "nobody"))
		if diff := cmp.Diff([]string{"-g3:nobody"}, m.changed()); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestARevocationByAnOddID: an id that is almost a member's is not a member, and the member stays.
func TestARevocationByAnOddID(t *testing.T) {
	t.Parallel()
	m := acme()
	s := perplexity(t, m.start(t)).serve(t)
	for _, id := range oddIDs() {
		if !strings.ContainsAny(id, "\x00") {
			s.revoke("g2", id)
		}
	}
	if changed := m.changed(); len(changed) > 0 {
		t.Errorf("changed: %q", changed)
	}
}

// TestIDsInServiceMode runs actions as C1 requests them.
func TestIDsInServiceMode(t *testing.T) {
	t.Parallel()
	m := five(true)
	s := perplexity(t, m.start(t)).serve(t)
	taskSucceeds(t, s.sync())
	taskSucceeds(t, s.action("disable_user", "user:5"))
	for _, id := range []string{"u2 ", "user:u2 ", "u222", "user:u222"} {
		taskFails(t, s.action("disable_user", id))
	}
	if diff := cmp.Diff([]string{"user:5 disabled"}, m.changed()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
