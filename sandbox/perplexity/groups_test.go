package perplexity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton/sandbox/perplexity"
)

// patch wraps operations in a PATCH body.
func patch(ops ...string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

func addOp(id string) string {
	return `{"op":"add","path":"members","value":[{"value":"` + id + `"}]}`
}

func removeOp(id string) string {
	return `{"op":"remove","path":"members[value eq \"` + id + `\"]"}`
}

func TestGroupLifeCycle(t *testing.T) {
	s := start(t, perplexity.Options{})
	ada := s.user("ada.okafor@acme.example").ID
	r := s.want(201, s.do("POST", "/Groups", `{"displayName":"Sales","externalId":"s-1","members":[{"value":"`+ada+`"},{"value":"nobody"},{"value":"`+ada+`"}]}`))
	id := r.JSON["id"].(string)
	if g := s.group("Sales"); !slices.Equal(g.Members, []string{ada}) || g.Role != perplexity.NoRole {
		t.Errorf("created %+v", g)
	}
	s.want(409, s.do("POST", "/Groups", `{"displayName":"Other name","externalId":"s-1"}`))
	s.want(400, s.do("POST", "/Groups", `{"externalId":"s-2"}`))
	s.want(200, s.do("PATCH", "/Groups/"+id, patch(`{"op":"replace","value":{"id":"`+id+`","displayName":"Sellers"}}`)))
	s.want(409, s.do("POST", "/Groups", `{"displayName":"Sellers","externalId":"s-1"}`))
	s.want(200, s.do("PUT", "/Groups/"+id, `{"displayName":"Sellers","members":[]}`))
	if g := s.group("Sellers"); len(g.Members) != 0 || g.ExternalID != "" {
		t.Errorf("replaced %+v", g)
	}
	s.want(204, s.do("DELETE", "/Groups/"+id, ""))
	s.want(404, s.do("GET", "/Groups/"+id, ""))
	s.want(404, s.do("PATCH", "/Groups/"+id, patch(addOp(ada))))
	if slices.Contains(s.user(ada).Groups, id) {
		t.Error("the user keeps a deleted group")
	}
}

func TestGroupIdentitySurvivesRename(t *testing.T) {
	s := start(t, perplexity.Options{})
	g := s.group("Engineering")
	s.want(200, s.do("PATCH", "/Groups/"+g.ID, patch(`{"op":"replace","path":"displayName","value":"Builders"}`)))
	s.want(409, s.do("POST", "/Groups", `{"displayName":"Engineering"}`))
	s.want(201, s.do("POST", "/Groups", `{"displayName":"Builders"}`))
}

// TestMemberForms checks the ways in which clients change members.
func TestMemberForms(t *testing.T) {
	s := start(t, perplexity.Options{})
	g := s.group("Engineering")
	path := "/Groups/" + g.ID
	in, other := g.Members[1], g.Members[2]
	out := s.user(s.group("PPLX_Members").Members[0]).ID
	if slices.Contains(g.Members, out) {
		t.Fatal("the user should not be in Engineering")
	}
	without := func(gone ...string) []string {
		return slices.DeleteFunc(slices.Clone(g.Members), func(id string) bool { return slices.Contains(gone, id) })
	}
	for _, c := range []struct {
		name string
		ops  string
		want []string
	}{
		{"add", addOp(out), append(without(), out)},
		{"add twice", addOp(out) + "," + addOp(out), append(without(), out)},
		{"add a member again", addOp(in), g.Members},
		{"add nobody", addOp("directory_user_01NOBODY"), g.Members},
		{"add a single object", `{"op":"add","path":"members","value":{"value":"` + out + `"}}`, append(without(), out)},
		{"add without a path", `{"op":"add","value":{"members":[{"value":"` + out + `"}]}}`, append(without(), out)},
		{"add, Entra", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"` + out + `"}]}`, append(without(), out)},
		{"add with the URN", `{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":[{"value":"` + out + `"}]}`, append(without(), out)},
		{"remove", removeOp(in), without(in)},
		{"remove spelt differently", `{"op":"REMOVE","path":"Members[ Value EQ \"` + in + `\" ]"}`, without(in)},
		{"remove, Entra", `{"op":"Remove","path":"members","value":[{"value":"` + in + `"},{"value":"` + other + `"}]}`, without(in, other)},
		{"remove an empty list", `{"op":"remove","path":"members","value":[]}`, g.Members},
		{"remove two by or", `{"op":"remove","path":"members[value eq \"` + in + `\" or value eq \"` + other + `\"]"}`, without(in, other)},
		{"remove nobody", removeOp("nobody"), g.Members},
		{"remove all", `{"op":"remove","path":"members"}`, nil},
		{"replace", `{"op":"replace","path":"members","value":[{"value":"` + out + `"}]}`, []string{out}},
		{"replace without a path", `{"op":"replace","value":{"members":[{"value":"` + in + `"}]}}`, []string{in}},
		{"add and remove", addOp(out) + "," + removeOp(in), append(without(in), out)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, perplexity.Options{})
			s.want(200, s.do("PATCH", path, patch(c.ops)))
			if got := s.group("Engineering").Members; !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("members\n%v, want\n%v", got, c.want)
			}
			for _, u := range s.State().Users {
				if slices.Contains(u.Groups, g.ID) != slices.Contains(s.group("Engineering").Members, u.ID) {
					t.Errorf("%s and the group disagree", u.UserName)
				}
			}
		})
	}
}

func TestLastMemberCanBeRemoved(t *testing.T) {
	s := start(t, perplexity.Options{})
	id := s.AddGroup("Alone")
	ada := s.user("ada.okafor@acme.example").ID
	s.AddMember(id, ada)
	r := s.want(200, s.do("PATCH", "/Groups/"+id, patch(removeOp(ada))))
	if members := r.JSON["members"]; fmt.Sprint(members) != "[]" {
		t.Errorf("members %v", members)
	}
}

func TestRolePriority(t *testing.T) {
	memberFirst := []perplexity.RoleRule{{Group: "PPLX_Members", Role: perplexity.Member}, {Group: "PPLX_Admin", Role: perplexity.Admin}}
	custom := []perplexity.RoleRule{{Group: "engineering", Role: perplexity.Admin}}
	for _, c := range []struct {
		name   string
		opts   perplexity.Options
		both   perplexity.Role // of the user in both role groups
		admins int
	}{
		{"Admin first", perplexity.Options{}, perplexity.Admin, 2},
		{"Member first", perplexity.Options{Roles: memberFirst}, perplexity.Member, 1},
		{"Member first by fault", perplexity.Options{Faults: []string{"member-first"}}, perplexity.Member, 1},
		{"another group", perplexity.Options{Roles: custom}, perplexity.NoRole, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.opts)
			both := s.State().Users[1]
			if both.Role != c.both || len(s.State().Admins) != c.admins {
				t.Errorf("the user in both is %s, admins %v", both.Role, s.State().Admins)
			}
		})
	}
	t.Run("changes", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		both, admins := s.State().Users[1].ID, s.group("PPLX_Admin").ID
		s.want(200, s.do("PATCH", "/Groups/"+admins, patch(removeOp(both))))
		if r := s.user(both).Role; r != perplexity.Member {
			t.Errorf("without the Admin group: %s", r)
		}
		s.want(200, s.do("PATCH", "/Users/"+both, setActive(false)))
		if u := s.user(both); u.Role != perplexity.Disabled || len(u.Groups) == 0 {
			t.Errorf("disabled: %+v", u)
		}
	})
	t.Run("a former admin is one again when enabled", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		former := s.State().Users[2]
		s.want(200, s.do("PATCH", "/Users/"+former.ID, setActive(true)))
		if r := s.user(former.ID).Role; former.Role != perplexity.Disabled || r != perplexity.Admin {
			t.Errorf("%s became %s", former.Role, r)
		}
	})
	t.Run("nobody left", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		s.want(200, s.do("PUT", "/Groups/"+s.group("PPLX_Admin").ID, `{"displayName":"PPLX_Admin","members":[]}`))
		if st := s.State(); len(st.Admins) != 0 {
			t.Errorf("admins %v", st.Admins)
		}
	})
}
