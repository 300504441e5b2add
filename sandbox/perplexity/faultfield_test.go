package perplexity_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"baton/sandbox/perplexity"
)

// fieldTests has tests of faults for test/field and test/storm.
func fieldTests() map[string]func(*testing.T, *sandbox) {
	tests := map[string]func(*testing.T, *sandbox){}
	maps.Copy(tests, fieldTransportTests())
	maps.Copy(tests, fieldListTests())
	maps.Copy(tests, fieldWriteTests())
	return tests
}

func fieldTransportTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"bad-gateway": func(t *testing.T, s *sandbox) {
			if r := throttled(t, s, 502); !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%v", r.Header)
			}
		},
		"error-in-200": func(t *testing.T, s *sandbox) {
			s.SetFaults("error-in-200=1")
			if r := s.want(200, s.do("GET", "/Users", "")); r.JSON["status"] != "500" || r.JSON["Resources"] != nil {
				t.Errorf("%s", r.raw)
			}
			if s.want(200, s.do("POST", "/Users", `{"userName":"x@acme.example"}`)); len(s.State().Users) != 27 {
				t.Error("the write was carried out")
			}
		},
		"empty-200": func(t *testing.T, s *sandbox) {
			s.SetFaults("empty-200=1")
			if r := s.want(200, s.do("GET", "/Users", "")); len(r.raw) != 0 {
				t.Errorf("%s", r.raw)
			}
		},
		"stall": func(t *testing.T, s *sandbox) {
			s.SetFaults("stall=1")
			ctx, cancel := context.WithCancel(t.Context())
			req := httptest.NewRequestWithContext(ctx, "GET", s.URLPath()+"/Users", nil)
			req.Header.Set("Authorization", "Bearer "+s.Token())
			cancel() // a client waits until its own timeout
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, req)
			if rec.Body.Len() != 0 || s.FaultsMet()["stall"] != 1 {
				t.Errorf("%s", rec.Body)
			}
		},
		"crossed-answers": func(t *testing.T, s *sandbox) {
			s.SetFaults("crossed-answers=2")
			g := s.group("Engineering")
			if r := s.want(200, s.do("GET", "/Groups/"+g.ID, "")); r.JSON["id"] != g.ID {
				t.Errorf("%v", r.JSON["id"])
			}
			if r := s.want(200, s.do("GET", "/Groups/"+g.ID, "")); r.JSON["id"] == g.ID {
				t.Errorf("%v", r.JSON["id"])
			}
		},
	}
}

func fieldListTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"total-lies-low": func(t *testing.T, s *sandbox) {
			if _, r := s.page(1, 10); r.total() != 18 {
				t.Errorf("total %d", r.total())
			}
		},
		"total-zero-past-end": func(t *testing.T, s *sandbox) {
			if _, r := s.page(25, 10); r.total() != 25 {
				t.Errorf("total %d", r.total())
			}
			if rows, r := s.page(26, 10); len(rows) != 0 || r.total() != 0 {
				t.Errorf("total %d", r.total())
			}
		},
		"string-numbers": func(t *testing.T, s *sandbox) {
			if _, r := s.page(1, 10); r.JSON["totalResults"] != "25" || r.JSON["startIndex"] != "1" {
				t.Errorf("%v", r.JSON["totalResults"])
			}
		},
		"empty-page": func(t *testing.T, s *sandbox) {
			s.SetFaults("empty-page=2")
			first, _ := s.page(1, 10)
			second, r := s.page(11, 10)
			again, _ := s.page(11, 10)
			if len(first) != 10 || len(second) != 0 || r.total() != 25 || len(again) != 10 {
				t.Errorf("%d, %d and %d rows", len(first), len(second), len(again))
			}
		},
		"rows-shift-both": func(t *testing.T, s *sandbox) {
			before := plain(s)
			_, r := s.page(1, 10)
			after, again := s.page(1, 100)
			if r.total() != 25 || again.total() != 25 || !slices.Equal(after[:24], before[1:]) || slices.Contains(before, after[24]) {
				t.Errorf("from %q to %q", before, after)
			}
		},
		"cursor-loops": func(t *testing.T, s *sandbox) {
			r := s.want(200, s.do("GET", "/Users?count=20", ""))
			next, _ := r.JSON["nextCursor"].(string)
			r = s.want(200, s.do("GET", "/Users?count=20&cursor="+next, ""))
			next, _ = r.JSON["nextCursor"].(string)
			if again := s.want(200, s.do("GET", "/Users?count=20&cursor="+next, "")); next == "" || !slices.Equal(ids(again.resources()), plain(s)[:20]) {
				t.Errorf("cursor %q", next)
			}
		},
		"members-by-reference": func(t *testing.T, s *sandbox) {
			g := s.group("Engineering")
			r := s.want(200, s.do("GET", "/Groups/"+g.ID, ""))
			m, _ := r.JSON["members"].([]any)[0].(map[string]any)
			if ref, _ := m["$ref"].(string); len(m) != 1 || !strings.HasSuffix(ref, "/Users/"+g.Members[0]) {
				t.Errorf("%v", m)
			}
		},
		"bare-members": func(t *testing.T, s *sandbox) {
			g := s.group("Engineering")
			r := s.want(200, s.do("GET", "/Groups/"+g.ID, ""))
			u := s.want(200, s.do("GET", "/Users/"+g.Members[0], ""))
			if r.JSON["members"].([]any)[0] != g.Members[0] || !slices.Contains(u.JSON["groups"].([]any), any(g.ID)) {
				t.Errorf("%v, %v", r.JSON["members"], u.JSON["groups"])
			}
		},
	}
}

func fieldWriteTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"patch-unsupported": func(t *testing.T, s *sandbox) {
			g := s.group("Engineering")
			s.want(501, s.do("PATCH", "/Groups/"+g.ID, patch(addOp(s.State().Users[1].ID))))
			s.want(501, s.do("PATCH", "/Users/"+g.Members[0], patch(`{"op":"replace","path":"active","value":false}`)))
		},
		"patch-no-filter": func(t *testing.T, s *sandbox) {
			g := s.group("Engineering")
			s.want(400, s.do("PATCH", "/Groups/"+g.ID, patch(removeOp(g.Members[0]))))
			s.want(200, s.do("PATCH", "/Groups/"+g.ID, patch(addOp(s.State().Users[1].ID))))
		},
		"patch-no-path": func(t *testing.T, s *sandbox) {
			id := s.State().Users[3].ID
			s.want(400, s.do("PATCH", "/Users/"+id, patch(`{"op":"replace","path":"active","value":false}`)))
			s.want(200, s.do("PATCH", "/Users/"+id, patch(`{"op":"replace","value":{"active":false}}`)))
			s.want(200, s.do("PATCH", "/Groups/"+s.group("Engineering").ID, patch(addOp(s.State().Users[1].ID))))
		},
		"create-empty": func(t *testing.T, s *sandbox) {
			if r := s.want(201, s.do("POST", "/Users", `{"userName":"x@acme.example"}`)); len(r.raw) != 0 {
				t.Errorf("%s", r.raw)
			}
			s.user("x@acme.example")
		},
		"error-after-work": func(t *testing.T, s *sandbox) {
			s.want(201, s.do("POST", "/Users", `{"userName":"x@acme.example"}`))
			s.want(500, s.do("POST", "/Users", `{"userName":"y@acme.example"}`))
			s.user("y@acme.example")
		},
		"duplicate-delivery": func(t *testing.T, s *sandbox) {
			s.want(409, s.do("POST", "/Users", `{"userName":"x@acme.example"}`))
			s.user("x@acme.example")
		},
	}
}

// TestWrites: the record holds the changes made by SCIM and nothing else.
func TestWrites(t *testing.T) {
	s := start(t, perplexity.Options{Faults: []string{"remove-collateral"}})
	g, outsider := s.group("Engineering"), s.State().Users[1].ID
	s.AddMember(s.group("PPLX_Admin").ID, s.State().Users[7].ID)
	s.want(200, s.do("GET", "/Users", ""))
	s.want(200, s.do("PATCH", "/Groups/"+g.ID, patch(addOp(outsider))))
	s.want(200, s.do("PATCH", "/Groups/"+g.ID, patch(addOp(outsider))))
	s.want(200, s.do("PATCH", "/Groups/"+g.ID, patch(removeOp(outsider))))
	s.want(200, s.do("PATCH", "/Users/"+outsider, patch(`{"op":"replace","path":"active","value":false}`)))
	s.want(404, s.do("PATCH", "/Users/nobody", patch(`{"op":"replace","path":"active","value":false}`)))
	s.want(201, s.do("POST", "/Users", `{"userName":"x@acme.example"}`))
	membership := "group:" + g.ID + ":member:user:"
	want := [][]string{
		{"+" + membership + outsider}, nil, {"-" + membership + g.Members[0], "-" + membership + outsider}, {"=user:" + outsider + " disabled"}, nil,
		{"+user:" + s.user("x@acme.example").ID},
	}
	var got [][]string
	for _, w := range s.Writes() {
		got = append(got, w.Effects)
	}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("%q, want %q", got, want)
	}
	if w := s.Writes()[4]; w.Status != http.StatusNotFound || w.Path != "/Users/nobody" || w.Method != "PATCH" || !json.Valid([]byte(w.Body)) {
		t.Errorf("%+v", w)
	}
	if met := s.FaultsMet(); met["remove-collateral"] != 1 {
		t.Errorf("met %v", met)
	}
}
