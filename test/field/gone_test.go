package field

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/internal/longtest"
)

// Command lines of the changes.

func revoking(group, user string) []string {
	return []string{"--revoke-grant", "group:" + group + ":member:user:" + user}
}

func granting(group, user string) []string {
	return []string{"--grant-entitlement", "group:" + group + ":member", "--grant-principal", user, "--grant-principal-type", "user"}
}

func acting(action, user string) []string {
	return []string{"--invoke-action", action, "--invoke-action-args", `{"user_id":` + jsonText(user) + `}`}
}

func creating(email string) []string {
	return []string{"--create-account-email", email, "--create-account-profile", `{"display_name":"Jane Smith"}`}
}

// changes returns one change of each kind for acme.
func changes() map[string][]string {
	return map[string][]string{
		"revoke":        revoking("g2", "u2"),
		"revoke admin":  revoking("g1", "u1"),
		"grant":         granting("g3", "u2"),
		"disable":       acting("disable_user", "u2"),
		"disable admin": acting("disable_user", "u1"),
		"enable":        acting("enable_user", "u2"),
		"create":        creating("jane@acme.example"),
	}
}

// syncedAcme returns the imitation and the program after a first sync.
func syncedAcme(t *testing.T, env ...string) (*imitation, *program) {
	t.Helper()
	m := acme()
	p := perplexity(t, m.start(t), env...)
	p.run(t).succeeds(t)
	return m, p
}

// TestA404OnEveryPathProvesNothing: a load balancer without a backend answers with every form of a 404.
func TestA404OnEveryPathProvesNothing(t *testing.T) {
	for form, denies := range denials() {
		for name, args := range changes() {
			t.Run(form+"/"+name, func(t *testing.T) {
				t.Parallel()
				m, p := syncedAcme(t)
				m.answer(denies)
				p.run(t, args...).fails(t, p.host())
				if changed := m.changed(); len(changed) > 0 {
					t.Errorf("changed: %q", changed)
				}
			})
		}
	}
}

// TestA404FromTheWriteOn: the same, starting with the write.
func TestA404FromTheWriteOn(t *testing.T) {
	for form, denies := range denials() {
		for name, args := range changes() {
			if name == "enable" {
				continue // it is already enabled, so nothing is written
			}
			t.Run(form+"/"+name, func(t *testing.T) {
				t.Parallel()
				m, p := syncedAcme(t)
				down := false
				m.answer(func(w http.ResponseWriter, r *http.Request) bool {
					down = down || r.Method != http.MethodGet
					return down && denies(w, r)
				})
				p.run(t, args...).fails(t)
				if changed := m.changed(); len(changed) > 0 {
					t.Errorf("changed: %q", changed)
				}
			})
		}
	}
}

// TestA404ToTheWriteOnly: reads succeed, and the write gets a 404.
func TestA404ToTheWriteOnly(t *testing.T) {
	for form, denies := range denials() {
		for name, args := range changes() {
			if name == "enable" {
				continue
			}
			t.Run(form+"/"+name, func(t *testing.T) {
				t.Parallel()
				m, p := syncedAcme(t)
				m.answer(onRequest("^(PATCH|POST) ", denies))
				p.run(t, args...).fails(t, "404")
			})
		}
	}
}

// TestA404AfterTheWrite: the write is carried out, and all later reads get a 404.
func TestA404AfterTheWrite(t *testing.T) {
	for name, args := range changes() {
		if name == "enable" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			written := false
			m.answer(func(w http.ResponseWriter, r *http.Request) bool {
				if written {
					return text404(w, r)
				}
				written = r.Method != http.MethodGet
				return false
			})
			p.run(t, args...).fails(t)
		})
	}
}

// TestGroupsMissingNowAndThen: while an instance is replaced, the load balancer answers some reads of a group
// with 404. The sync has all grants, or it is not sealed.
func TestGroupsMissingNowAndThen(t *testing.T) {
	for form, denies := range denials() {
		for _, every := range []int{6, 2, 13}[:longtest.Pick(1, 3)] {
			t.Run(fmt.Sprintf("%s/%d", form, every), func(t *testing.T) {
				t.Parallel()
				m := largeAcme()
				n := 0
				m.instead = func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasPrefix(r.URL.Path, "/scim/v2/Groups/") {
						return false
					}
					n++
					return n%every == 0 && denies(w, r)
				}
				p := perplexity(t, m.start(t))
				sealsAll(t, m, p)
			})
		}
	}
}

// TestOneGroupMissingForGood: the list has the group, and GET of the group always gets a 404.
func TestOneGroupMissingForGood(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m := largeAcme()
			m.instead = onRequest("^GET /scim/v2/Groups/g7$", denies)
			p := perplexity(t, m.start(t))
			p.run(t).fails(t, "/Groups/g7")
			if p.sealed() {
				t.Error("the sync is sealed")
			}
		})
	}
}

// TestListsMissingNowAndThen tests the same for lists.
func TestListsMissingNowAndThen(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m := largeAcme()
			n := 0
			m.instead = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, "/scim/v2/Groups/") {
					return false
				}
				n++
				return n%3 == 2 && denies(w, r)
			}
			p := perplexity(t, m.start(t))
			sealsAll(t, m, p)
		})
	}
}

// largeAcme returns an imitation with 297 memberships in 30 groups. Lists show the groups without members.
func largeAcme() *imitation {
	m := &imitation{}
	for i := range 150 {
		m.people = append(m.people, &fakeUser{id: fmt.Sprint("u", i), userName: fmt.Sprintf("p%d@acme.example", i)})
	}
	for i := range 30 {
		g := &fakeGroup{id: fmt.Sprint("g", i), name: fmt.Sprint("Crew ", i), hidden: true}
		for k := range 10 - (i+9)/10%2*(i%2) {
			g.members = append(g.members, fmt.Sprint("u", (i*7+k)%150))
		}
		m.crews = append(m.crews, g)
	}
	return m
}

func sealsAll(t *testing.T, m *imitation, p *program) {
	t.Helper()
	r := p.run(t)
	if r.code != 0 {
		if p.sealed() {
			t.Errorf("it failed, and the sync is sealed:\n%s", r.stderr)
		}
		return
	}
	if diff := cmp.Diff(m.memberships(), p.synced(t)); diff != "" {
		t.Errorf("memberships (-true +sealed):\n%s", diff)
	}
}

// TestAGroupThatIsGone: only a complete list proves that a group is gone. Then a revocation has nothing to
// do, and the error of a grant names the missing group.
func TestAGroupThatIsGone(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.do(func() { m.crews = slices.Delete(m.crews, 1, 2) })
			m.answer(onRequest("^GET /scim/v2/Groups/g2$", denies))
			p.run(t, revoking("g2", "u2")...).succeeds(t, "already revoked")
			r := p.run(t, granting("g2", "u4")...)
			r.fails(t, "g2")
			if r.code != 5 {
				t.Errorf("exit code %d, want 5: not found", r.code)
			}
		})
	}
}

// unproved returns answers to lists that do not prove that anything is gone.
func unproved() map[string]answering {
	lists := "^GET /scim/v2/(Users|Groups)$"
	return map[string]answering{
		"a 404":                             onRequest(lists, text404),
		"a SCIM 404":                        onRequest(lists, scim404),
		"a 403 of a firewall":               onRequest(lists, reply(403, `<html><title>Attention Required! | Cloudflare</title></html>`)),
		"a web page":                        onRequest(lists, reply(200, `<html><title>Sign in</title></html>`)),
		"nothing":                           onRequest(lists, reply(200, ``)),
		"null":                              onRequest(lists, reply(200, `null`)),
		"an empty object":                   onRequest(lists, reply(200, `{}`)),
		"an empty array":                    onRequest(lists, reply(200, `[]`)),
		"an error with status 200":          onRequest(lists, reply(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500"}`)),
		"a total that is not SCIM":          onRequest(lists, reply(200, `{"totalResults":0}`)),
		"an empty list that is not SCIM":    onRequest(lists, reply(200, `{"totalResults":0,"Resources":[]}`)),
		"rows that are not SCIM":            onRequest(lists, reply(200, `{"totalResults":1,"Resources":[{"id":"x"}]}`)),
		"another kind of list":              onRequest(lists, reply(200, `{"total":1,"items":[{"id":"x"}],"totalResults":1,"Resources":[{"id":"x","title":"X"}]}`)),
		"empty lists of everything":         onRequest(lists, reply(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)),
		"a list that is shorter than total": onRequest(lists, reply(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":3,"Resources":[{"id":"x","userName":"x@acme.example","displayName":"X"}]}`)),
	}
}

// TestListsThatProveNothing: GET of the object gets a 404, and the list is no proof.
func TestListsThatProveNothing(t *testing.T) {
	for name, lists := range unproved() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.answer(either(onRequest("^GET /scim/v2/(Users/u2|Groups/g2)$", scim404), lists))
			p.run(t, revoking("g2", "u2")...).fails(t)
			p.run(t, acting("disable_user", "u2")...).fails(t)
			p.run(t, granting("g2", "u4")...).fails(t)
			if changed := m.changed(); len(changed) > 0 {
				t.Errorf("changed: %q", changed)
			}
		})
	}
}

// TestListsThatSpeakAgainstA404: the server answers 404 for an object in its list. The object counts as
// existing.
func TestListsThatSpeakAgainstA404(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.answer(onRequest("^GET /scim/v2/(Users|Groups)/", denies))
			p.run(t, revoking("g2", "u2")...).succeeds(t, "Removed u2")
			p.run(t, acting("disable_user", "u3")...).succeeds(t, "Disabled")
			p.run(t, granting("g3", "u2")...).succeeds(t, "Added u2")
			if diff := cmp.Diff([]string{"-g2:u2", "u3 disabled", "+g3:u2"}, m.changed()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFiltersDoNotProve: an account that a search does not find may exist.
func TestFiltersDoNotProve(t *testing.T) {
	m, p := syncedAcme(t)
	empty := reply(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)
	m.answer(either(onRequest("^GET /scim/v2/Users/u2$", scim404), func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Query().Has("filter") && empty(w, r)
	}))
	p.run(t, acting("disable_user", "u2")...).succeeds(t, "Disabled")
	if diff := cmp.Diff([]string{"u2 disabled"}, m.changed()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestDisablingNobody: disabling an id that no account ever had is an error, so that a mistyped offboarding
// is noticed.
func TestDisablingNobody(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.answer(onRequest("^GET /scim/v2/Users/u222$", denies))
			for _, action := range []string{"disable_user", "enable_user"} {
				r := p.run(t, acting(action, "u222")...)
				r.fails(t, "u222")
				if r.code != 5 {
					t.Errorf("%s: exit code %d, want 5: not found", action, r.code)
				}
			}
		})
	}
	t.Run("without a sync file", func(t *testing.T) {
		t.Parallel()
		p := perplexity(t, acme().start(t))
		if r := p.run(t, acting("disable_user", "u222")...); r.code != 5 {
			t.Errorf("exit code %d, want 5: %s", r.code, r.stderr)
		}
	})
}

// TestDisablingWhoWasThere: the directory has dropped an account that is in the sync file.
func TestDisablingWhoWasThere(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.do(func() { m.people = slices.Delete(m.people, 1, 2) })
			m.answer(onRequest("^GET /scim/v2/Users/u2$", denies))
			p.run(t, acting("disable_user", "u2")...).succeeds(t, "nothing to change")
			r := p.run(t, acting("enable_user", "u2")...)
			r.fails(t, "u2")
			if r.code != 5 {
				t.Errorf("enable_user: exit code %d, want 5", r.code)
			}
		})
	}
}

// TestDisablingWhoVanishes: the directory drops accounts that it disables, and its list proves that.
func TestDisablingWhoVanishes(t *testing.T) {
	for form, denies := range denials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.answer(func(w http.ResponseWriter, r *http.Request) bool {
				for i, u := range m.people {
					if u.disabled {
						m.people = slices.Delete(m.people, i, i+1)
						break
					}
				}
				return m.user("u2") == nil && onRequest("/Users/u2$", denies)(w, r)
			})
			p.run(t, acting("disable_user", "u2")...).succeeds(t, "Disabled")
			p.run(t, acting("disable_user", "u2")...).succeeds(t, "nothing to change")
		})
	}
}

// TestAdminsWhoCannotBeRead: it is unknown whether another admin remains, so the guard refuses.
func TestAdminsWhoCannotBeRead(t *testing.T) {
	for name, answers := range map[string]answering{
		"neither alone nor listed": either(onRequest("^GET /scim/v2/Users/u4$", text404), onRequest("^GET /scim/v2/Users$", text404)),
		"gone":                     nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, p := syncedAcme(t)
			m.answer(answers)
			if answers == nil {
				m.do(func() { m.people = m.people[:3] })
			}
			p.run(t, revoking("g1", "u1")...).fails(t)
			p.run(t, acting("disable_user", "u1")...).fails(t)
			if changed := m.changed(); len(changed) > 0 {
				t.Errorf("changed: %q", changed)
			}
		})
	}
	t.Run("denied, and listed", func(t *testing.T) {
		t.Parallel()
		m, p := syncedAcme(t)
		m.answer(onRequest("^GET /scim/v2/Users/u4$", text404))
		p.run(t, revoking("g1", "u1")...).succeeds(t, "Removed u1")
	})
}

// TestAServiceTellsC1WhatIsKnown tests the same cases in service mode.
func TestAServiceTellsC1WhatIsKnown(t *testing.T) {
	for form, denies := range denials() {
		t.Run("404 on every path/"+form, func(t *testing.T) {
			t.Parallel()
			m := acme()
			s := perplexity(t, m.start(t)).serve(t)
			taskSucceeds(t, s.sync())
			m.answer(denies)
			taskFails(t, s.revoke("g2", "u2"), "404")
			taskFails(t, s.grant("g3", "u2"), "404")
			taskFails(t, s.action("disable_user", "u2"), "404")
			taskFails(t, s.create("jane@acme.example", "Jane Smith"), "404")
			taskFails(t, s.sync())
			m.answer(nil)
			m.answer(onRequest("^PATCH ", denies))
			taskFails(t, s.revoke("g2", "u2"), "404")
			taskFails(t, s.action("disable_user", "u2"), "404")
			if changed := m.changed(); len(changed) > 0 {
				t.Errorf("changed: %q", changed)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		m := acme()
		s := perplexity(t, m.start(t)).serve(t)
		taskSucceeds(t, s.sync())
		m.do(func() {
			m.people = slices.Delete(m.people, 1, 2)
			m.crews = slices.Delete(m.crews, 1, 2)
		})
		r := s.revoke("g2", "u2")
		taskSucceeds(t, r)
		if !already(r) {
			t.Errorf("C1 does not learn that there was nothing to do: %v", r.Annotations)
		}
		taskSucceeds(t, s.action("disable_user", "u2"))
		taskFails(t, s.action("disable_user", "u222"), "u222")
		taskFails(t, s.action("enable_user", "u2"), "u2")
	})
}
