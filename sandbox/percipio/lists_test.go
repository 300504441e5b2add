package percipio_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/sandbox/percipio"
)

func userIDs(st percipio.State) []string {
	var all []string
	for _, u := range st.Users {
		all = append(all, u.ID)
	}
	return all
}

func courseIDs(st percipio.State) []string {
	var all []string
	for _, c := range st.Courses {
		all = append(all, c.ID)
	}
	return all
}

func TestUserPages(t *testing.T) {
	s := start(t, percipio.Options{Users: 1007})
	var all []string
	for _, offset := range []string{"", "?offset=1000", "?offset=2000"} {
		r := s.want(200, s.users(offset))
		if r.Header.Get("X-Total-Count") != "1007" {
			t.Errorf("total %q", r.Header.Get("X-Total-Count"))
		}
		all = append(all, field(r.list, "id")...)
	}
	if !slices.Equal(all, userIDs(s.State())) {
		t.Errorf("%d users", len(all))
	}
	if r := s.users("?offset=5&max=3"); !slices.Equal(field(r.list, "id"), all[5:8]) {
		t.Errorf("%s", r.raw)
	}
	if r := s.users("?max=5000"); len(r.list) != 1000 {
		t.Errorf("%d users", len(r.list))
	}
	if r := s.users("?offset=99999"); string(r.raw) != "[]\n" {
		t.Errorf("%s", r.raw)
	}
	for _, bad := range []string{"?max=0", "?max=-1", "?max=x", "?offset=-1", "?updatedSince=yesterday", "?max=%zz"} {
		s.want(400, s.users(bad))
	}
}

func TestUserAttributes(t *testing.T) {
	s := start(t, percipio.Options{Users: 50})
	roles, withoutLogin, inactive, apart := map[any]int{}, 0, 0, 0
	for _, u := range s.users("").list {
		roles[u["role"]]++
		if u["loginName"] == nil {
			withoutLogin++
		}
		if u["isActive"] == false {
			inactive++
		}
		if u["hasEnterpriseCoaching"] != u["hasEnterpriseCoachingDashboard"] {
			apart++
		}
		if _, err := time.Parse(time.RFC3339, u["updatedAt"].(string)); err != nil {
			t.Error(err)
		}
		if n := len(u["customAttributes"].([]any)); n != 12 {
			t.Errorf("%d custom attributes", n)
		}
	}
	if len(roles) != 6 || withoutLogin == 0 || inactive == 0 || apart == 0 {
		t.Errorf("roles %v, %d without a login name, %d inactive, %d with only one of the coaching flags", roles, withoutLogin, inactive, apart)
	}
}

func TestUserLookUps(t *testing.T) {
	s := start(t, percipio.Options{})
	u := s.State().Users[3]
	for _, path := range []string{u.ID, "external-user-id/" + url.PathEscape(u.ExternalID), "login-name/" + strings.ToUpper(u.LoginName)} {
		if r := s.want(200, s.do("GET", s.path("user-management/v1", "/users/"+path), "")); r.one["id"] != u.ID {
			t.Errorf("%s: %s", path, r.raw)
		}
	}
	s.want(404, s.do("GET", s.path("user-management/v1", "/users/nobody"), ""))
}

func TestUpdatedSince(t *testing.T) {
	s := start(t, percipio.Options{})
	id := s.State().Users[7].ID
	s.SetActive(id, false)
	since := "?updatedSince=" + time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
	if r := s.users(since); len(r.list) != 1 || r.list[0]["id"] != id || r.list[0]["isActive"] != false || r.Header.Get("X-Total-Count") != "1" {
		t.Errorf("%s", r.raw)
	}
	course := s.State().Courses[0].ID
	s.RetireCourse(course)
	if r := s.catalogue(since); len(r.list) != 1 || r.list[0]["id"] != course || r.list[0]["lifecycle"].(map[string]any)["status"] != "INACTIVE" {
		t.Errorf("%s", r.raw)
	}
}

func TestCatalogueIsFrozenBehindItsPagingID(t *testing.T) {
	s := start(t, percipio.Options{Courses: 25})
	before := courseIDs(s.State())
	first := s.want(200, s.catalogue("?max=10"))
	id := first.Header.Get("X-Paging-Request-Id")
	removed := before[2]
	s.RemoveCourse(removed)
	added := s.AddCourse(percipio.Item{Title: "Brand New"})
	all := field(first.list, "id")
	for _, offset := range []int{20, 10} { // pages are independent
		r := s.want(200, s.catalogue("?max=10&pagingRequestId="+id+"&offset="+strconv.Itoa(offset)))
		if r.Header.Get("X-Total-Count") != "25" || r.Header.Get("X-Paging-Request-Id") != id {
			t.Errorf("%v", r.Header)
		}
		all = append(all, field(r.list, "id")...)
	}
	slices.Sort(all)
	slices.Sort(before)
	if !slices.Equal(all, before) {
		t.Errorf("the set was not frozen")
	}
	fresh := field(s.catalogue("").list, "id")
	if len(fresh) != 25 || !slices.Contains(fresh, added) || slices.Contains(fresh, removed) {
		t.Errorf("a new listing is an old one")
	}
	s.want(400, s.catalogue("?pagingRequestId=00000000-0000-4000-8000-000000000000"))
}

func TestCatalogueLinks(t *testing.T) {
	s := start(t, percipio.Options{Courses: 25})
	r := s.catalogue("?max=10")
	last := ""
	for l := range strings.SplitSeq(r.Header.Get("Link"), ", ") {
		if target, ok := strings.CutSuffix(l, `>; rel="last"`); ok {
			last = strings.TrimPrefix(target, "<")
		}
	}
	path, ok := strings.CutPrefix(last, s.url)
	if !ok {
		t.Fatalf("link %q", r.Header.Get("Link"))
	}
	if r := s.want(200, s.do("GET", path, "")); len(r.list) != 5 {
		t.Errorf("the last page has %d items", len(r.list))
	}
}

func TestCatalogueItems(t *testing.T) {
	s := start(t, percipio.Options{Courses: 200})
	listed := map[string]bool{}
	for _, c := range s.State().Courses {
		listed[c.ID] = c.Listed
	}
	types := map[any]int{}
	for _, c := range s.catalogue("").list {
		kind := c["contentType"].(map[string]any)["percipioType"]
		types[kind]++
		active := c["lifecycle"].(map[string]any)["status"] == "ACTIVE"
		if want := active && (kind == "COURSE" || kind == "ASSESSMENT"); want != listed[c["id"].(string)] {
			t.Errorf("%v is %v, active %t, and listed %t", c["id"], kind, active, !want)
		}
		title := c["localizedMetadata"].([]any)[0].(map[string]any)["title"]
		if title == "" || c["code"] == "" || c["link"] == "" {
			t.Errorf("%v", c)
		}
	}
	if len(types) != 8 {
		t.Errorf("types %v", types)
	}
}

func TestSearch(t *testing.T) {
	s := start(t, percipio.Options{Courses: 400})
	for _, c := range s.State().Courses[:15] {
		for _, q := range []string{c.ID, c.Code} {
			r := s.want(200, s.search("?q="+q+"&typeFilter[]=COURSE&typeFilter[]=ASSESSMENT"))
			if found := len(r.list) == 1 && r.list[0]["id"] == c.ID; found != c.Listed {
				t.Errorf("%s, a %s: %s", q, c.Type, r.raw)
			}
		}
	}
	if r := s.search("?q=to"); len(r.list) != 25 || r.Header.Get("X-Total-Count") == "25" {
		t.Errorf("%d of %s items", len(r.list), r.Header.Get("X-Total-Count"))
	}
	all := s.search("?q=" + url.QueryEscape("INTRODUCTION kubernetes") + "&max=1000&typeFilter=COURSE,VIDEO")
	if len(all.list) == 0 {
		t.Error("nothing has the words in its title")
	}
	if r := s.search("?q=to&offset=20&max=10"); len(r.list) != 10 || r.list[5]["id"] != s.search("?q=to&offset=25").list[0]["id"] {
		t.Errorf("%d items", len(r.list))
	}
	s.want(400, s.search(""))
	if r := s.want(http.StatusOK, s.search("?q=nothingofthekind")); string(r.raw) != "[]\n" {
		t.Errorf("%s", r.raw)
	}
}
