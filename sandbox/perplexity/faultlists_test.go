package perplexity_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// page reads rows of the user list.
func (s *sandbox) page(start, count int) ([]string, response) {
	s.t.Helper()
	r := s.want(200, s.do("GET", fmt.Sprintf("/Users?startIndex=%d&count=%d", start, count), ""))
	return ids(r.resources()), r
}

// plain returns the order of the list without faults.
func plain(s *sandbox) []string {
	on := s.ActiveFaults()
	s.SetFaults()
	all := s.order()
	s.SetFaults(on...)
	return all
}

func listTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"page-cap": func(t *testing.T, s *sandbox) {
			if rows, r := s.page(1, 20); len(rows) != 10 || r.total() != 25 {
				t.Errorf("%d rows", len(rows))
			}
		},
		"total-is-page-size": func(t *testing.T, s *sandbox) {
			if _, r := s.page(1, 10); r.total() != 10 {
				t.Errorf("total %d", r.total())
			}
		},
		"total-missing": func(t *testing.T, s *sandbox) {
			if _, r := s.page(1, 10); r.JSON["totalResults"] != nil {
				t.Errorf("total %d", r.total())
			}
		},
		"total-lies-high": func(t *testing.T, s *sandbox) {
			if _, r := s.page(1, 10); r.total() != 32 {
				t.Errorf("total %d", r.total())
			}
		},
		"wrap-around": func(t *testing.T, s *sandbox) {
			if rows, _ := s.page(26, 10); !slices.Equal(rows, plain(s)[:10]) {
				t.Errorf("%d rows past the end", len(rows))
			}
		},
		"ignore-start-index": func(t *testing.T, s *sandbox) {
			if rows, _ := s.page(11, 10); !slices.Equal(rows, plain(s)[:10]) {
				t.Error("not the first page")
			}
		},
		"zero-based-start": func(t *testing.T, s *sandbox) {
			if rows, _ := s.page(1, 10); !slices.Equal(rows, plain(s)[1:11]) {
				t.Error("startIndex 1 does not skip a row")
			}
			if rows, _ := s.page(0, 10); !slices.Equal(rows, plain(s)[:10]) {
				t.Error("startIndex 0 is not the first page")
			}
		},
		"items-per-page-echo": func(t *testing.T, s *sandbox) {
			if rows, r := s.page(21, 10); r.JSON["itemsPerPage"] != 10.0 || len(rows) != 5 {
				t.Errorf("itemsPerPage %v", r.JSON["itemsPerPage"])
			}
		},
		"items-per-page-zero": func(t *testing.T, s *sandbox) {
			if rows, r := s.page(1, 10); r.JSON["itemsPerPage"] != 0.0 || len(rows) != 10 {
				t.Errorf("itemsPerPage %v", r.JSON["itemsPerPage"])
			}
		},
		"resources-absent": func(t *testing.T, s *sandbox) {
			if _, r := s.page(26, 10); strings.Contains(string(r.raw), "Resources") {
				t.Errorf("%s", r.raw)
			}
		},
		"duplicate-rows": func(t *testing.T, s *sandbox) {
			rows, r := s.page(1, 100)
			if len(rows) != 30 || rows[4] != rows[5] || r.total() != 25 {
				t.Errorf("%d rows, total %d", len(rows), r.total())
			}
		},
		"overlap-pages": func(t *testing.T, s *sandbox) {
			first, _ := s.page(1, 10)
			if second, _ := s.page(11, 10); second[0] != first[9] || len(second) != 10 {
				t.Error("no overlap")
			}
		},
		"short-page": func(t *testing.T, s *sandbox) {
			all := plain(s)
			if rows, r := s.page(1, 10); !slices.Equal(rows, slices.Delete(all[:10:10], 2, 3)) || r.total() != 25 {
				t.Errorf("%d rows, total %d", len(rows), r.total())
			}
			if rows, _ := s.page(3, 1); len(rows) != 0 {
				t.Error("the row shows when asked for alone")
			}
		},
		"rows-shift-delete": func(t *testing.T, s *sandbox) {
			all := plain(s)
			s.page(1, 10)
			second, _ := s.page(11, 10)
			if again, _ := s.page(1, 10); second[0] != all[11] || again[9] != all[10] || len(s.State().Users) != 26 {
				t.Error("nobody was skipped, or too many left")
			}
		},
		"rows-shift-insert": func(t *testing.T, s *sandbox) {
			all := plain(s)
			s.page(1, 10)
			if second, r := s.page(11, 10); second[0] != all[9] || r.total() != 26 {
				t.Error("no row came twice")
			}
		},
		"cursor": func(t *testing.T, s *sandbox) {
			var got []string
			r := s.want(200, s.do("GET", "/Users?startIndex=1&count=10", ""))
			for {
				got = append(got, ids(r.resources())...)
				next, more := r.JSON["nextCursor"].(string)
				if !more {
					break
				}
				r = s.want(200, s.do("GET", "/Users?count=10&cursor="+url.QueryEscape(next), ""))
				if r.JSON["startIndex"] != nil || r.total() != 25 {
					t.Errorf("page %s", r.raw)
				}
			}
			if !slices.Equal(got, plain(s)) {
				t.Errorf("%d users by cursor", len(got))
			}
			for _, bad := range []string{"x", "YWZ0ZXIgLTE", "YWZ0ZXIgMDE"} {
				if r := s.want(400, s.do("GET", "/Users?cursor="+bad, "")); r.JSON["scimType"] != "invalidCursor" {
					t.Errorf("%s", r.raw)
				}
			}
			if r := s.do("GET", "/ServiceProviderConfig", ""); !strings.Contains(string(r.raw), `"pagination":{"cursor":true,"index":true`) {
				t.Errorf("%s", r.raw)
			}
		},
		"cursor-only": func(t *testing.T, s *sandbox) {
			_, r := s.page(1, 10)
			if r.JSON["nextCursor"] == nil || r.JSON["totalResults"] != nil || r.JSON["startIndex"] != nil {
				t.Errorf("%s", r.raw)
			}
			s.want(400, s.do("GET", "/Users?startIndex=11", ""))
		},
		"expire-cursor": func(t *testing.T, s *sandbox) {
			_, r := s.page(1, 10)
			next := "/Users?cursor=" + r.JSON["nextCursor"].(string)
			if r := s.want(400, s.do("GET", next, "")); r.JSON["scimType"] != "expiredCursor" {
				t.Errorf("%s", r.raw)
			}
			s.want(200, s.do("GET", next, ""))
		},
		"filter-unsupported": func(t *testing.T, s *sandbox) {
			s.want(501, s.do("GET", "/Users?filter=id+pr", ""))
			if r := s.do("GET", "/ServiceProviderConfig", ""); !strings.Contains(string(r.raw), `"filter":{"supported":false`) {
				t.Errorf("%s", r.raw)
			}
		},
		"filter-ignored": func(t *testing.T, s *sandbox) {
			if r := s.want(200, s.do("GET", "/Users?filter=userName+eq+%22x%22", "")); r.total() != 25 {
				t.Errorf("total %d", r.total())
			}
		},
		"filter-case-sensitive": func(t *testing.T, s *sandbox) {
			for name, want := range map[string]int{"ada.okafor@acme.example": 1, "Ada.okafor@acme.example": 0} {
				if r := s.do("GET", "/Users?filter=userName+eq+%22"+name+"%22", ""); r.total() != want {
					t.Errorf("%s: %d", name, r.total())
				}
			}
		},
		"stale-reads":        func(t *testing.T, s *sandbox) { testStale(t, s, "stale-reads", true) },
		"stale-reads-always": func(t *testing.T, s *sandbox) { testStale(t, s, "stale-reads-always", false) },
	}
}

// testStale reads after every kind of write while reads lag two behind.
func testStale(t *testing.T, s *sandbox, fault string, noCacheHelps bool) {
	ada, group := s.State().Users[0], s.group("PPLX_Members")
	read := func(path string, headers ...string) string { return string(s.do("GET", path, "", headers...).raw) }
	reset := func() { s.SetFaults(fault + "=2") }

	reset()
	before := read("/Users/" + ada.ID)
	s.want(200, s.do("PATCH", "/Users/"+ada.ID, setActive(false)))
	fresh := read("/Users/"+ada.ID, "Cache-Control: no-cache")
	if (fresh != before) != noCacheHelps {
		t.Errorf("no-cache helps: %t", fresh != before)
	}
	reset()
	s.want(200, s.do("PATCH", "/Users/"+ada.ID, setActive(true)))
	if first, second, third := read("/Users?count=1"), read("/Users/"+ada.ID), read("/Users/"+ada.ID); !strings.Contains(first, `"active":false`) ||
		!strings.Contains(second, `"active":false`) || !strings.Contains(third, `"active":true`) {
		t.Errorf("reads: %s\n%s\n%s", first, second, third)
	}

	reset()
	s.want(200, s.do("PATCH", "/Groups/"+group.ID, patch(addOp(ada.ID))))
	if strings.Contains(read("/Groups/"+group.ID), ada.ID) || strings.Contains(read("/Users/"+ada.ID), group.ID) || !strings.Contains(read("/Groups/"+group.ID), ada.ID) {
		t.Error("a new member")
	}
	reset()
	s.want(201, s.do("POST", "/Users", `{"userName":"late@acme.example"}`))
	late := s.user("late@acme.example").ID
	s.want(404, s.do("GET", "/Users/"+late, ""))
	if n := s.do("GET", "/Users", "").total(); n != 25 {
		t.Errorf("the list shows %d users", n)
	}
	s.want(200, s.do("GET", "/Users/"+late, ""))
	reset()
	s.want(204, s.do("DELETE", "/Groups/"+group.ID, ""))
	s.want(200, s.do("GET", "/Groups/"+group.ID, ""))
	if n := s.do("GET", "/Groups", "").total(); n != 3 {
		t.Errorf("the list shows %d groups", n)
	}
	s.want(404, s.do("GET", "/Groups/"+group.ID, ""))
}

func memberTests() map[string]func(*testing.T, *sandbox) {
	// members returns the members of Engineering in the list and in the group itself.
	members := func(s *sandbox) (listed, alone any) {
		s.t.Helper()
		g := s.group("Engineering").ID
		r := s.want(200, s.do("GET", "/Groups?filter=id+eq+%22"+g+"%22", ""))
		return r.resources()[0]["members"], s.want(200, s.do("GET", "/Groups/"+g, "")).JSON["members"]
	}
	shows := func(inList, alone int) func(*testing.T, *sandbox) { // -1: absent
		return func(t *testing.T, s *sandbox) {
			l, a := members(s)
			for where, c := range map[string]struct {
				got  any
				want int
			}{"list": {l, inList}, "alone": {a, alone}} {
				list, present := c.got.([]any)
				if present != (c.want >= 0) || present && len(list) != c.want {
					t.Errorf("%s: members %v, want %d", where, c.got, c.want)
				}
			}
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"members-absent":            shows(-1, 7),
		"members-absent-everywhere": shows(-1, -1),
		"members-empty":             shows(0, 7),
		"members-empty-everywhere":  shows(0, 0),
		"members-truncated":         shows(5, 5),
		"nested-groups": func(t *testing.T, s *sandbox) {
			shows(8, 8)(t, s)
			l, _ := members(s)
			last := l.([]any)[7].(map[string]any)
			if admins := s.group("PPLX_Admin").ID; last["type"] != "Group" || last["value"] != admins || !strings.HasSuffix(last["$ref"].(string), "/Groups/"+admins) {
				t.Errorf("member %v", last)
			}
		},
		"unknown-members": func(t *testing.T, s *sandbox) {
			shows(8, 8)(t, s)
			_, a := members(s)
			id := a.([]any)[7].(map[string]any)["value"].(string)
			s.want(404, s.do("GET", "/Users/"+id, ""))
		},
		"no-groups-attribute": func(t *testing.T, s *sandbox) {
			if r := s.do("GET", "/Users/"+s.State().Users[0].ID, ""); r.JSON["groups"] != nil || r.JSON["id"] == nil {
				t.Errorf("%s", r.raw)
			}
		},
		"big-group-500": func(t *testing.T, s *sandbox) {
			big := "/Groups/" + s.group("Engineering").ID
			s.want(500, s.do("GET", big, ""))
			s.want(500, s.do("GET", "/Groups", ""))
			s.want(200, s.do("GET", "/Groups?excludedAttributes=members", ""))
			s.want(200, s.do("GET", "/Groups/"+s.group("PPLX_Admin").ID, ""))
		},
	}
}

func attributeTests() map[string]func(*testing.T, *sandbox) {
	first := func(s *sandbox) map[string]any {
		s.t.Helper()
		return s.want(200, s.do("GET", "/Users/"+s.State().Users[0].ID, "")).JSON
	}
	return map[string]func(*testing.T, *sandbox){
		"missing-id": func(t *testing.T, s *sandbox) {
			if rows, _ := s.page(1, 3); rows[0] == "" || rows[1] != "" || rows[2] == "" {
				t.Errorf("ids %q", rows)
			}
		},
		"string-booleans": func(t *testing.T, s *sandbox) {
			if u := first(s); u["active"] != "True" || !strings.Contains(fmt.Sprint(u["emails"]), "primary:True") {
				t.Errorf("user %v", u)
			}
		},
		"missing-active": func(t *testing.T, s *sandbox) {
			if u := first(s); u["active"] != nil || u["userName"] == nil {
				t.Errorf("user %v", u)
			}
		},
		"no-email": func(t *testing.T, s *sandbox) {
			if u := first(s); u["emails"] != nil || u["userName"] == nil {
				t.Errorf("user %v", u)
			}
		},
		"null-values": func(t *testing.T, s *sandbox) {
			if title, present := first(s)["title"]; title != nil || !present {
				t.Errorf("title %v, present %t", title, present)
			}
			if id, present := s.do("GET", "/Groups/"+s.group("Engineering").ID, "").JSON["externalId"]; id != nil || !present {
				t.Errorf("externalId %v, present %t", id, present)
			}
		},
		"upper-case-attributes": func(t *testing.T, s *sandbox) {
			if got := keys(first(s)); got != "ACTIVE DISPLAYNAME EMAILS EXTERNALID GROUPS ID META NAME SCHEMAS USERNAME" {
				t.Errorf("attributes %s", got)
			}
			if r := s.do("GET", "/Groups", ""); r.total() != 3 || !strings.Contains(string(r.raw), `"MEMBERS":[{"VALUE":`) {
				t.Errorf("groups %s", r.raw)
			}
		},
		"single-object-arrays": func(t *testing.T, s *sandbox) {
			email, ok := first(s)["emails"].(map[string]any)
			if !ok || email["value"] != "ada.okafor@acme.example" {
				t.Errorf("emails %v", first(s)["emails"])
			}
			if r := s.do("GET", "/Users?count=1", ""); len(r.resources()) != 1 {
				t.Errorf("the list itself lost its brackets: %s", r.raw)
			}
		},
	}
}
