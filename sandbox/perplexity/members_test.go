package perplexity_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"baton/sandbox/perplexity"
)

// membersOf returns the JSON of a group from its members on.
func (s *sandbox) membersOf(group string) string {
	s.t.Helper()
	raw := string(s.want(200, s.do("GET", "/Groups/"+s.group(group).ID, "")).raw)
	return raw[strings.Index(raw, `"members`):]
}

// formTests has tests of the forms of members.
func formTests() map[string]func(*testing.T, *sandbox) {
	// first requires this form for the first member of Engineering: %s is the id, %n the userName, %d the
	// display name.
	first := func(want string) func(*testing.T, *sandbox) {
		return func(t *testing.T, s *sandbox) {
			u := s.user(s.group("Engineering").Members[0])
			want := strings.NewReplacer("%s", u.ID, "%n", u.UserName, "%d", u.DisplayName, "%l", strings.ToLower(u.ID), "%u", s.url+"/Users/"+u.ID).Replace(want)
			if got := s.membersOf("Engineering"); !strings.HasPrefix(got, want) {
				t.Errorf("members %.200s, want %s", got, want)
			}
			// A shown member can be removed by its shown value.
			if m := regexp.MustCompile(`"(?:value|id)":"([^"]+)"`).FindStringSubmatch(want); m != nil {
				s.want(200, s.do("PATCH", "/Groups/"+s.group("Engineering").ID, patch(removeOp(m[1]))))
				if n := len(s.group("Engineering").Members); n != 6 {
					t.Errorf("%d members are left of 7", n)
				}
			}
			consistent(t, s.State())
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"members-as-object":       first(`"members":{"0":{"value":"%s","display":"%d","type":"User"},"2":{`),
		"members-by-id":           first(`"members":[{"id":"%s","display":"%d","type":"User"}`),
		"members-by-ref":          first(`"members":[{"ref":"%u"},`),
		"members-by-object":       first(`"members":[{"value":{"id":"%s"},"display":"%d","type":"User"}`),
		"members-by-user-name":    first(`"members":[{"value":"%n","display"`),
		"members-by-display-name": first(`"members":[{"value":"%d","display"`),
		"members-in-other-case":   first(`"members":[{"value":"%l","display"`),
		"members-by-membership": func(t *testing.T, s *sandbox) {
			if got := s.membersOf("Engineering"); !strings.HasPrefix(got, `"members":[{"id":"membership-`) || strings.Contains(got, `"value"`) {
				t.Errorf("%s", got)
			}
		},
		"members-nameless": func(t *testing.T, s *sandbox) {
			if got := s.membersOf("Engineering"); !regexp.MustCompile(`,\{"display":"[^"]+","type":"User"\}\]`).MatchString(got) || strings.Count(got, `"value"`) != 6 {
				t.Errorf("%s", got)
			}
		},
		"members-as-text":     first(`"members":"%s,directory_user_01`),
		"members-in-envelope": first(`"members":{"totalResults":7,"Resources":[{"value":"%s","display"`),
		"members-linked": func(t *testing.T, s *sandbox) {
			if got := s.membersOf("Engineering"); !strings.HasPrefix(got, `"members@odata.nextLink":"`+s.url) || strings.Count(got, `"value"`) != 2 {
				t.Errorf("%s", got)
			}
		},
		"members-miscounted": first(`"membersCount":8,"members":[{"value":"%s"`),
		"shared-names": func(t *testing.T, s *sandbox) {
			users := s.State().Users
			if r := s.want(200, s.do("GET", "/Users/"+users[0].ID, "")); r.JSON["externalId"] != users[1].UserName {
				t.Errorf("%s", r.raw)
			}
		},
		"crowded-group": func(t *testing.T, s *sandbox) {
			s.SetFaults("crowded-group=1")
			if got := s.membersOf("Engineering"); len(got) < 1<<20 || len(got) > 3<<19 || !strings.Contains(got, `},"a","b","c",`) || !strings.Contains(got, `,"z"],`) {
				t.Errorf("%d bytes", len(got))
			}
			if r := s.want(200, s.do("GET", "/Groups", "")); len(r.raw) < 1<<20 || len(r.raw) > 3<<19 || len(r.resources()) != 3 {
				t.Errorf("%d bytes", len(r.raw))
			}
		},
		"repeated-members": func(t *testing.T, s *sandbox) {
			s.SetFaults("repeated-members=1")
			id := s.group("Engineering").Members[3]
			if got := s.membersOf("Engineering"); len(got) < 1<<20 || len(got) > 3<<19 || strings.Count(got, id) < 1000 {
				t.Errorf("%d bytes, %d times", len(got), strings.Count(got, id))
			}
		},
	}
}

// kindTests has tests of objects that are easily confused.
func kindTests() map[string]func(*testing.T, *sandbox) {
	also := func(want string) func(*testing.T, *sandbox) {
		return func(t *testing.T, s *sandbox) {
			outsider := s.State().Users[1].ID // the first user outside Engineering
			want := strings.NewReplacer("%s", outsider, "%u", s.url).Replace(want)
			if got := s.membersOf("Engineering"); strings.Count(got, want) != 1 || strings.Count(got, outsider) != strings.Count(want, outsider) {
				t.Errorf("members %s, want %s among them", got, want)
			}
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"device-members":    also(`{"value":"%s","display":"Laptop","type":"Device"}`),
		"principal-members": also(`{"value":"%s","$ref":"%u/ServicePrincipals/%s"}`),
		"crossed-kinds":     also(`{"value":"%s","type":"User","$ref":"%u/Groups/%s"}`),
		"odd-kind-members": func(t *testing.T, s *sandbox) {
			also(`{"value":"%s","type":"Somebody"}`)(t, s)
			if g := s.group("Engineering"); len(g.Doubtful) != 1 || g.Doubtful[0] != s.State().Users[1].ID {
				t.Errorf("doubtful %q", g.Doubtful)
			}
		},
		"odd-kind": func(t *testing.T, s *sandbox) {
			if got := s.membersOf("Engineering"); strings.Count(got, `"type":"value"`) != 7 || strings.Contains(got, `"User"`) {
				t.Errorf("%s", got)
			}
		},
		"role-groups": func(t *testing.T, s *sandbox) {
			members := s.group("PPLX_Members").ID // the first user is not a member
			r := s.want(200, s.do("GET", "/Users/"+s.State().Users[0].ID, ""))
			if want := `{"value":"` + members + `","display":"Auditor","$ref":"` + s.url + "/Roles/" + members + `"}`; !strings.Contains(string(r.raw), want) {
				t.Errorf("%s", r.raw)
			}
		},
		"second-admin-group": func(t *testing.T, s *sandbox) {
			admins := s.State().Admins
			second := s.group("pplx_admin")
			if len(second.Members) != 2 || second.Role != perplexity.NoRole || len(admins) != 2 || s.do("GET", "/Groups", "").total() != 4 {
				t.Errorf("%+v, admins %q", second, admins)
			}
			consistent(t, s.State())
			s.SetFaults("second-admin-group", "page-cap")
			if s.group("pplx_admin").ID != second.ID {
				t.Error("it is another group")
			}
			s.SetFaults()
			if n := s.do("GET", "/Groups", "").total(); n != 3 {
				t.Errorf("%d groups", n)
			}
			consistent(t, s.State())
		},
		"similar-ids": func(t *testing.T, s *sandbox) {
			first := s.State().Users[0].ID
			for _, id := range []string{"user:" + first, first + " "} {
				s.want(200, s.do("PATCH", "/Users/"+strings.ReplaceAll(id, " ", "%20"), setActive(false)))
				if s.user(id).Active || !s.user(first).Active {
					t.Errorf("%q is %+v", id, s.user(id))
				}
			}
			s.SetFaults()
			if n := s.do("GET", "/Users", "").total(); n != 25 {
				t.Errorf("%d users", n)
			}
		},
		"latin-1": func(t *testing.T, s *sandbox) {
			r := s.want(200, s.do("GET", "/Users/"+s.State().Users[1].ID, ""))
			if !bytes.Contains(r.raw, []byte("Bj\xf6rn")) || r.Header.Get("Content-Type") != "application/scim+json; charset=ISO-8859-1" {
				t.Errorf("%v %q", r.Header, r.raw)
			}
			s.want(201, s.do("POST", "/Users", `{"userName":"x@acme.example","displayName":"Đặng 🙂"}`))
			if r := s.do("GET", "/Users/"+s.user("x@acme.example").ID, ""); r.JSON["displayName"] != "Đặng 🙂" {
				t.Errorf("%s", r.raw)
			}
		},
		"latin-1-undeclared": func(t *testing.T, s *sandbox) {
			r := s.want(200, s.do("GET", "/Users", ""))
			if utf8.Valid(r.raw) || strings.Contains(r.Header.Get("Content-Type"), "charset") {
				t.Errorf("%v %q", r.Header, r.raw)
			}
		},
		"tenant-in-query": func(t *testing.T, s *sandbox) {
			own, other := s.want(200, s.do("GET", "/Users?tenant=acme", "")), s.want(200, s.do("GET", "/Users", ""))
			if ids(own.resources())[0] != s.State().Users[0].ID || len(other.resources()) != 25 || ids(other.resources())[0] == s.State().Users[0].ID {
				t.Errorf("%s", other.raw)
			}
			s.want(404, s.do("GET", "/Users/"+s.State().Users[0].ID, ""))
			s.want(201, s.do("POST", "/Users?tenant=other", `{"userName":"x@acme.example"}`))
			if len(s.State().Users) != 27 {
				t.Error("the write came here")
			}
		},
	}
}

// TestIDs: each form of ids is unique.
func TestIDs(t *testing.T) {
	for form, pattern := range map[perplexity.IDForm]string{
		perplexity.WorkOSIDs: `^directory_(user|group)_01[0-9A-Z]{24}$`,
		perplexity.UUIDs:     `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$`,
		perplexity.Numbers:   `^1[0-9]{5}$`,
	} {
		t.Run(fmt.Sprint(form), func(t *testing.T) {
			st := start(t, perplexity.Options{IDs: form}).State()
			seen := map[string]bool{}
			for _, u := range st.Users {
				seen[u.ID] = true
			}
			for _, g := range st.Groups {
				seen[g.ID] = true
			}
			for id := range seen {
				if !regexp.MustCompile(pattern).MatchString(id) {
					t.Errorf("id %q", id)
				}
			}
			if len(seen) != 30 {
				t.Errorf("%d ids", len(seen))
			}
		})
	}
}
