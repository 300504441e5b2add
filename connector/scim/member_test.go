package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"baton"
	"baton/connector/paging"
	"baton/connector/scim"
)

// TestMemberKinds reads entries whose kind comes from an attribute, from a reference, from both, or from
// neither.
func TestMemberKinds(t *testing.T) {
	const user, likely, group, other, unread = scim.UserMember, scim.LikelyUser, scim.GroupMember, scim.OtherMember, scim.UnreadableMember
	for entry, want := range map[string]scim.MemberKind{
		`"7"`:                         user,
		`{"value":"7"}`:               user,
		`{"value":7}`:                 user,
		`{"value":"7","type":""}`:     user,
		`{"value":"7","type":null}`:   user,
		`{"value":"7","type":"User"}`: user,
		`{"value":"7","type":"USER"}`: user,
		`{"value":"7","type":"urn:ietf:params:scim:schemas:core:2.0:User"}`:                                     user,
		`{"value":"7","resourceType":"user"}`:                                                                   user,
		`{"value":"7","@odata.type":"#microsoft.graph.user"}`:                                                   user,
		`{"value":"7","meta":{"resourceType":"User"}}`:                                                          user,
		`{"value":"7","$ref":"https://x/scim/v2/Users/7"}`:                                                      user,
		`{"value":"7","$ref":"users/7/?x=y"}`:                                                                   user,
		`{"value":"7","$ref":"https://x/scim/v2/Users/7","type":"value"}`:                                       user,
		`{"value":"a/b","$ref":"https://x/scim/v2/Users/a/b"}`:                                                  user,
		`{"value":"a/b","$ref":"https://x/scim/v2/Users/a%2Fb"}`:                                                user,
		`{"value":"7","$ref":"https://x/scim/v2/Users"}`:                                                        user,
		`{"value":"7","$ref":"urn:x:7"}`:                                                                        user,
		`{"value":"7","$ref":"7"}`:                                                                              user,
		`{"value":"7","$ref":null,"display":"Ann","unknown":[1]}`:                                               user,
		`{"user":{"id":"7"}}`:                                                                                   user,
		`{"value":"0A1B2C3D-0000-4000-8000-00000000000F","$ref":"/Users/0a1b2c3d-0000-4000-8000-00000000000f"}`: user,
		`{"value":"7","type":"value"}`:                                                                          likely,
		`{"value":"7","type":"direct"}`:                                                                         likely,
		`{"value":"7","type":"person"}`:                                                                         likely,
		`{"value":"7","$ref":"/Users/7","type":"ServiceAccount"}`:                                               likely,
		`{"value":"7","type":"Group"}`:                                                                          group,
		`{"value":"7","type":" gROUP"}`:                                                                         group,
		`{"value":"7","$ref":"https://x/scim/v2/GROUPS/7"}`:                                                     group,
		`{"value":"7","$ref":"Groups/7"}`:                                                                       group,
		`{"type":"Group","display":"Nested"}`:                                                                   group,
		`{"group":{"id":"7"}}`:                                                                                  group,
		`{"value":"7","$ref":"ServicePrincipals/7"}`:                                                            other,
		`{"value":"7","$ref":"https://x/scim/v2/Devices/7"}`:                                                    other,
		`{"value":"7","$ref":"../Robots/7/"}`:                                                                   other,
		`{"value":"7","$ref":"/Devices/8"}`:                                                                     other,
		`{"value":"7","type":"ServiceAccount"}`:                                                                 other,
		`{"value":"7","type":"service_principal"}`:                                                              other,
		`{"value":"7","type":"Device"}`:                                                                         other,
		`{"value":"7","type":"Applications"}`:                                                                   other,
		`{"value":"7","resourceType":"ServicePrincipal"}`:                                                       other,
		`{"value":"7","@odata.type":"#microsoft.graph.servicePrincipal"}`:                                       other,
		`{"value":"7","meta":{"resourceType":"Device"}}`:                                                        other,
		`{"value":"7","type":"direct","resourceType":"Device"}`:                                                 other,
		`{"value":"7","type":"User","$ref":"../Groups/7"}`:                                                      unread,
		`{"value":"7","type":"Group","$ref":"/Users/7"}`:                                                        unread,
		`{"value":"7","type":"User","$ref":"ServicePrincipals/7"}`:                                              unread,
		`{"value":"7","$ref":"/Users/8"}`:                                                                       unread,
		`{"$ref":"/Users/"}`:                                                                                    unread,
		`{"$ref":"urn:x:7"}`:                                                                                    unread,
		`{"display":"Ann"}`:                                                                                     unread,
		`{}`:                                                                                                    unread,
		`null`:                                                                                                  unread,
		`true`:                                                                                                  unread,
		`""`:                                                                                                    unread,
		`["7"]`:                                                                                                 unread,
		`{"value":["7"]}`:                                                                                       unread,
		`{"value":{"value":{"id":"7"}}}`:                                                                        unread,
		`{"value":{"name":"Ann"}}`:                                                                              unread,
		`{"id":"m7","memberOf":"u7"}`:                                                                           unread,
		`{"value":"` + strings.Repeat("7", 5000) + `"}`:                                                         unread,
	} {
		var got []scim.Member
		_, err := listGroups(listOf(t, `{"totalResults":2,"Resources":[{"id":"g","displayName":"G","members":[`+entry+`]}]}`), t.Context(), paging.Position{}, nil,
			func(g referenceGroup) { got = g.Members })
		if err != nil || len(got) != 1 || got[0].Kind != want {
			t.Errorf("%s: %+v, %v; want kind %d", entry, got, err, want)
			continue
		}
		if id := got[0].Value; got[0].IsUser() && id != "7" && id != "a/b" && !scim.IsUUID(id) || want == unread && (id != "" || got[0].Detail == "") {
			t.Errorf("%s: %+v", entry, got[0])
		}
	}
}

// TestMembers prefers exact ids and matches UUIDs without regard to case.
func TestMembers(t *testing.T) {
	const lower, upper = "0a1b2c3d-0000-4000-8000-00000000000f", "0A1B2C3D-0000-4000-8000-00000000000F"
	set := func(ids ...string) *scim.Members {
		s := new(scim.Members)
		for _, id := range ids {
			s.Add(scim.Member{Value: id})
		}
		return s
	}
	for _, tt := range []struct {
		in       *scim.Members
		id, want string
	}{
		{set("u1", "u2"), "u2", "u2"},
		{set("u1"), "U1", ""},
		{set(upper), lower, upper},
		{set(lower), upper, lower},
		{set(upper, lower), lower, lower},
		{set(upper, lower), "0a1b2c3d-0000-4000-8000-00000000000F", ""},
		{set(upper[1:]), lower[1:], ""},
		{nil, "u1", ""},
	} {
		for range 40 { // an index is built after some misses
			if as, kinds := tt.in.Find(tt.id); as != tt.want || kinds.IsUser() != (tt.want != "") {
				t.Fatalf("%s: %q %v, want %q", tt.id, as, kinds, tt.want)
			}
		}
	}
	s := set("u1", "u1")
	s.Add(scim.Member{Value: "u1", Kind: scim.OtherMember})
	if _, kinds := s.Find("u1"); !kinds.Has(scim.UserMember) || !kinds.Has(scim.OtherMember) || s.Entries() != 3 || s.Problem() != "" {
		t.Errorf("%v, %d entries", kinds, s.Entries())
	}
	s.Add(scim.Member{Kind: scim.UnreadableMember, Detail: "it is null"})
	if s.Problem() != "member 4 cannot be read: it is null" {
		t.Error(s.Problem())
	}
}

// TestMoreMembersThanAreHeld reads a page whose groups have too many members before their names to hold: the
// page is read once more.
func TestMoreMembersThanAreHeld(t *testing.T) {
	defer scim.MaxHeld(500)()
	var rows []string
	for i := range 5 {
		n := 10
		if i == 3 {
			n = 1000
		}
		rows = append(rows, fmt.Sprintf(`{"members":[%s"u"],"id":"g%d","displayName":"Group %d"}`, strings.Repeat(`"m",`, n), i, i))
	}
	for name, tt := range map[string]struct {
		answers  []string // the last one again and again
		requests int
		err      string
	}{
		"the same again":          {[]string{strings.Join(rows, ",")}, 2, ""},
		"another name afterwards": {[]string{strings.Join(rows, ","), strings.Replace(strings.Join(rows, ","), "Group 3", "Group X", 1)}, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) {
				reply(w, 200, `{"totalResults":9,"Resources":[`+tt.answers[min(requests, len(tt.answers)-1)]+`]}`)
				requests++
			}), 100)
			var got assembled
			_, err := c.ListGroups(t.Context(), paging.Position{}, got.sink(t))
			if err != nil || requests != tt.requests || len(got.groups) != 5 {
				t.Fatalf("%v, %d groups in %d requests", err, len(got.groups), requests)
			}
			for i, g := range got.groups {
				want := 11
				if i == 3 {
					want = 1001
				}
				if len(g.Members) != want || g.ID != fmt.Sprint("g", i) {
					t.Errorf("group %s has %d members", g.ID, len(g.Members))
				}
			}
		})
	}
	n := 0
	c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) {
		n++
		reply(w, 200, strings.ReplaceAll(`{"totalResults":9,"Resources":[`+rows[3]+`]}`, "Group 3", fmt.Sprint("Group ", n)))
	}), 100)
	var got assembled
	if _, err := c.ListGroups(t.Context(), paging.Position{}, got.sink(t)); baton.KindOf(err) != baton.Incomplete || n != 4 {
		t.Errorf("%v after %d requests", err, n)
	}
	c = connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) { reply(w, 200, rows[3]) }), 100)
	if g, err := c.GetGroup(t.Context(), "g3"); err != nil || g.Members.Entries() != 1001 {
		t.Errorf("%d members, %v", g.Members.Entries(), err)
	}
	count := 0
	if _, _, err := c.StreamGroup(t.Context(), "g3", func(g *scim.Group, m scim.Member) {
		if count++; g.Label() != "Group 3" {
			t.Errorf("a member of %s", g.Label())
		}
	}, func() { count = 0 }); err != nil || count != 1001 {
		t.Errorf("%d members, %v", count, err)
	}
}

// FuzzMembers checks that every entry of a group's members is read or reported as unreadable. A list of
// strings is read as it is.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `{}`, `""`, `"u1"`, `["u1","u2"]`, `[{"value":"u1"},{"value":2}]`, `{"0":{"value":"u1"},"2":"u2"}`, `[{"$ref":"../Users/u%31"}]`,
		`[{"value":{"id":"u1"},"type":"Device"}]`, `[[["u1"]]]`, `{"Resources":[{"value":"u1"}]}`, `[{"value":"7","type":"User","$ref":"Groups/7"}]`, `[null,{},7,true]`,
	} {
		f.Add(seed, "")
		f.Add(seed, `,"memberCount":2`)
	}
	f.Fuzz(func(t *testing.T, members, more string) {
		body := `{"id":"g","displayName":"G","members":` + members + more + `}`
		c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, body) }), 100)
		g, err := c.GetGroup(t.Context(), "g")
		if err != nil {
			return
		}
		var whole map[string]any
		if json.Unmarshal([]byte(body), &whole) != nil {
			t.Fatalf("%s passed for JSON", body)
		}
		if len(whole) > 3 {
			return // members may be there more than once
		}
		n := 0
		for value, kinds := range g.Members.All() {
			if n++; value == "" && kinds.IsUser() {
				t.Errorf("%s: an account without an id", body)
			}
		}
		list, isList := whole["members"].([]any)
		if isList && g.Members.Entries() != len(list) && g.Members.Problem() == "" {
			t.Errorf("%s: %d entries", body, g.Members.Entries())
		}
		if g.Members.Problem() != "" {
			return
		}
		for _, v := range list {
			if id, ok := v.(string); ok {
				if _, kinds := g.Members.Find(id); !kinds.IsUser() {
					t.Errorf("%s: %q is no member", body, id)
				}
			}
		}
		if object, ok := whole["members"].(map[string]any); ok && len(object) > 0 && g.Members.Entries() == 0 {
			t.Errorf("%s: nobody is a member", body)
		}
	})
}
