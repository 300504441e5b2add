package perplexity_test

import (
	"fmt"
	"strings"
	"testing"

	"baton/sandbox/perplexity"
)

// foreignTests has tests of faults in front of the server.
func foreignTests() map[string]func(*testing.T, *sandbox) {
	plain := func(t *testing.T, r response) {
		t.Helper()
		if r.StatusCode != 404 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") || !strings.Contains(string(r.raw), "default backend") {
			t.Errorf("%d %v %s", r.StatusCode, r.Header, r.raw)
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"foreign-404": func(t *testing.T, s *sandbox) {
			plain(t, response{Response: throttled(t, s, 404), raw: []byte("default backend")})
		},
		"foreign-404-html": func(t *testing.T, s *sandbox) {
			if r := throttled(t, s, 404); r.Header.Get("Content-Type") != "text/html" {
				t.Errorf("%v", r.Header)
			}
		},
		"foreign-404-writes": func(t *testing.T, s *sandbox) {
			user := s.State().Users[0]
			s.want(200, s.do("GET", "/Users/"+user.ID, ""))
			plain(t, s.do("PATCH", "/Users/"+user.ID, setActive(false)))
			plain(t, s.do("POST", "/Users", `{"userName":"x@acme.example"}`))
			if !s.user(user.ID).Active || len(s.State().Users) != 27 {
				t.Error("a write was carried out")
			}
		},
		"foreign-404-one": func(t *testing.T, s *sandbox) {
			id := s.State().Groups[0].ID
			s.want(200, s.do("GET", "/Groups/"+id, ""))
			plain(t, s.do("GET", "/Groups/"+id, ""))
			s.want(200, s.do("GET", "/Groups", ""))
		},
		"denied-one": func(t *testing.T, s *sandbox) {
			id := s.State().Users[0].ID
			s.want(200, s.do("GET", "/Users/"+id, ""))
			if r := s.want(404, s.do("GET", "/Users/"+id, "")); !strings.Contains(r.detail(), id) {
				t.Errorf("%s", r.raw)
			}
			s.want(200, s.do("GET", "/Users", ""))
		},
		"lookalike-list": func(t *testing.T, s *sandbox) {
			s.want(200, s.do("GET", "/Users", ""))
			s.want(200, s.do("GET", "/Groups", ""))
			if r := s.want(200, s.do("GET", "/Users", "")); r.total() != 0 || r.JSON["schemas"] != nil {
				t.Errorf("%s", r.raw)
			}
		},
	}
}

const newcomer = "Jack.Kosk@acme.example"

func search(name string) string { return "/Users?filter=userName+eq+%22" + name + "%22" }

// recordTests has tests of faults of records.
func recordTests() map[string]func(*testing.T, *sandbox) {
	creation := `{"userName":"` + newcomer + `"}`
	return map[string]func(*testing.T, *sandbox){
		"any-member": func(t *testing.T, s *sandbox) {
			id := s.State().Groups[2].ID
			shows := func() bool { return strings.Contains(string(s.do("GET", "/Groups/"+id, "").raw), `"nobody"`) }
			s.want(200, s.do("PATCH", "/Groups/"+id, patch(addOp("nobody"))))
			s.want(200, s.do("PATCH", "/Groups/"+id, patch(addOp(s.State().Users[9].ID))))
			if w := s.Writes(); !shows() || fmt.Sprint(w[0].Effects) != "[+group:"+id+":member:user:nobody]" {
				t.Errorf("%+v", w)
			}
			s.want(200, s.do("PATCH", "/Groups/"+id, patch(`{"op":"remove","path":"members[value eq \"nobody\"]"}`)))
			if w := s.Writes(); shows() || fmt.Sprint(w[2].Effects) != "[-group:"+id+":member:user:nobody]" {
				t.Errorf("%+v", w)
			}
		},
		"create-other": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", creation)); r.JSON["id"] != s.State().Users[0].ID || len(s.State().Users) != 27 {
				t.Errorf("%s", r.raw)
			}
		},
		"create-other-id": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", creation)); r.JSON["id"] != s.State().Users[0].ID || r.JSON["userName"] != newcomer || len(s.State().Users) != 28 {
				t.Errorf("%s", r.raw)
			}
		},
		"create-ignored-body": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", creation)); r.JSON["userName"] != "user-1" || r.JSON["emails"] != nil {
				t.Errorf("%s", r.raw)
			}
			s.want(201, s.do("POST", "/Users", creation))
		},
		"create-suffix": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", creation)); r.JSON["userName"] != newcomer+".tenant" || s.user(newcomer+".tenant").Email != newcomer {
				t.Errorf("%s", r.raw)
			}
		},
		"create-lower-case": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", creation)); r.JSON["userName"] != strings.ToLower(newcomer) {
				t.Errorf("%s", r.raw)
			}
		},
		"create-id-only": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", creation)); len(r.JSON) != 1 || r.JSON["id"] != s.user(newcomer).ID {
				t.Errorf("%s", r.raw)
			}
		},
		"create-200": func(t *testing.T, s *sandbox) {
			if r := s.want(200, s.do("POST", "/Users", creation)); r.JSON["id"] != s.user(newcomer).ID {
				t.Errorf("%s", r.raw)
			}
		},
		"borrowed-address": func(t *testing.T, s *sandbox) {
			first := s.State().Users[0].ID
			s.SetFaults("borrowed-address", "filter-ignored")
			s.want(200, s.do("GET", search(newcomer), ""))
			if r := s.do("GET", "/Users/"+first, ""); !strings.Contains(string(r.raw), `"value":"`+newcomer+`","type":"other","primary":false`) {
				t.Errorf("%s", r.raw)
			}
		},
		"look-alike": func(t *testing.T, s *sandbox) {
			r := s.want(200, s.do("GET", search(newcomer), ""))
			if rows := r.resources(); len(rows) != 1 || rows[0]["id"] != s.State().Users[0].ID || rows[0]["userName"] == newcomer || !strings.Contains(fmt.Sprint(rows[0]["userName"]), "\u212a") {
				t.Errorf("%s", r.raw)
			}
			if r := s.do("GET", search(s.State().Users[1].UserName), ""); r.total() != 1 || r.resources()[0]["id"] != s.State().Users[1].ID {
				t.Errorf("%s", r.raw)
			}
		},
	}
}

// TestStrangersGo: without the fault, the next write drops members that the server does not know.
func TestStrangersGo(t *testing.T) {
	s := start(t, perplexity.Options{})
	s.SetFaults("any-member")
	id := s.State().Groups[2].ID
	s.want(200, s.do("PATCH", "/Groups/"+id, patch(addOp("nobody"))))
	s.SetFaults()
	s.want(200, s.do("PATCH", "/Groups/"+id, patch(addOp(s.State().Users[9].ID))))
	if r := s.do("GET", "/Groups/"+id, ""); strings.Contains(string(r.raw), `"nobody"`) {
		t.Errorf("%s", r.raw)
	}
}
