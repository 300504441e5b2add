package perplexity_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/sandbox/perplexity"
)

// faultTests has a test of every fault on the demo organisation.
func faultTests() map[string]func(*testing.T, *sandbox) {
	tests := map[string]func(*testing.T, *sandbox){}
	for _, part := range []map[string]func(*testing.T, *sandbox){transportTests(), listTests(), memberTests(), attributeTests(), writeTests(), organisationTests(), fieldTests(), foreignTests(), recordTests(), formTests(), kindTests()} {
		maps.Copy(tests, part)
	}
	return tests
}

func TestFaults(t *testing.T) {
	tests := faultTests()
	for _, f := range perplexity.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			test := tests[f.Name]
			if test == nil {
				t.Fatal("no test shows what it does")
			}
			if f.Description == "" || (f.Value == "") != (f.Default == "") {
				t.Errorf("described as %+v", f)
			}
			test(t, withFaults(t, f.Name))
		})
		delete(tests, f.Name)
	}
	for name := range tests {
		t.Errorf("there is a test, but no fault %s", name)
	}
}

// throttled checks a fault that affects every third request.
func throttled(t *testing.T, s *sandbox, status int) *http.Response {
	t.Helper()
	s.want(200, s.do("GET", "/Users", ""))
	s.want(200, s.do("GET", "/Users", ""))
	r := s.want(status, s.do("GET", "/Users", ""))
	s.want(200, s.do("GET", "/Users", ""))
	return r.Response
}

func transportTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"rate-limit": func(t *testing.T, s *sandbox) {
			if after := throttled(t, s, 429).Header.Get("Retry-After"); after != "" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"rate-limit-seconds": func(t *testing.T, s *sandbox) {
			if after := throttled(t, s, 429).Header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"rate-limit-date": func(t *testing.T, s *sandbox) {
			if after := throttled(t, s, 429).Header.Get("Retry-After"); after != "Sun, 01 Mar 2026 12:00:01 GMT" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"retry-after": func(t *testing.T, s *sandbox) {
			s.SetFaults("rate-limit-seconds=1", "retry-after=7")
			if after := s.want(429, s.do("GET", "/Users", "")).Header.Get("Retry-After"); after != "7" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"throttle-in-500": func(t *testing.T, s *sandbox) { throttled(t, s, 500) },
		"server-error":    func(t *testing.T, s *sandbox) { throttled(t, s, 503) },
		"drop-connection": func(t *testing.T, s *sandbox) {
			s.SetFaults("drop-connection=2")
			s.want(200, s.do("GET", "/Users", ""))
			if _, err := s.try("POST", "/Users", `{"userName":"lost@acme.example"}`); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v", err)
			}
			s.user("lost@acme.example") // was created although the answer was lost
		},
		"truncated-body": func(t *testing.T, s *sandbox) {
			s.SetFaults("truncated-body=1")
			if r := s.want(200, s.do("GET", "/Users", "")); len(r.raw) == 0 || json.Valid(r.raw) {
				t.Errorf("body %s", r.raw)
			}
		},
		"slow": func(t *testing.T, s *sandbox) {
			s.SetFaults("slow=30ms")
			began := time.Now()
			s.want(200, s.do("GET", "/Users", ""))
			if took := time.Since(began); took < 30*time.Millisecond {
				t.Errorf("took %v", took)
			}
		},
		"html-200": func(t *testing.T, s *sandbox) {
			if r := s.want(200, s.do("GET", "/Users", "")); !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(r.raw), "<html") {
				t.Errorf("%v %s", r.Header, r.raw)
			}
		},
		"redirect": func(t *testing.T, s *sandbox) {
			if to := s.want(302, s.do("GET", "/Users", "")).Header.Get("Location"); to != "https://redirected.invalid/" {
				t.Errorf("to %q", to)
			}
			s.SetFaults("redirect=http://127.0.0.1:1/x?a=b")
			if to := s.want(307, s.do("POST", "/Users", "{}")).Header.Get("Location"); to != "http://127.0.0.1:1/x?a=b" {
				t.Errorf("to %q", to)
			}
		},
		"bare-errors": func(t *testing.T, s *sandbox) {
			if r := s.want(404, s.do("GET", "/Users/nobody", "")); len(r.raw) != 0 {
				t.Errorf("body %s", r.raw)
			}
		},
		"odd-content-type": func(t *testing.T, s *sandbox) {
			if r := s.want(200, s.do("GET", "/Users", "")); !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") || r.total() != 25 {
				t.Errorf("%v", r.Header)
			}
		},
		"huge-body": func(t *testing.T, s *sandbox) {
			s.SetFaults("huge-body=2")
			if r := s.want(200, s.do("GET", "/Users", "")); len(r.raw) < 2<<20 || r.total() != 25 {
				t.Errorf("%d bytes", len(r.raw))
			}
		},
		"gzip-bomb": func(t *testing.T, s *sandbox) {
			s.SetFaults("gzip-bomb=2")
			r := s.want(200, s.do("GET", "/Users", "", "Accept-Encoding: gzip"))
			z, err := gzip.NewReader(strings.NewReader(string(r.raw)))
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(z); err != nil || len(plain) < 2<<20 || len(r.raw) > 1<<19 {
				t.Errorf("%d bytes became %d: %v", len(r.raw), len(plain), err)
			}
		},
		"body-limit": func(t *testing.T, s *sandbox) {
			s.want(413, s.do("POST", "/Users", `{"userName":"`+strings.Repeat("x", 64)+`@acme.example"}`))
			s.want(201, s.do("POST", "/Users", `{"userName":"x@acme.example"}`))
		},
		"token-revoked-after": func(t *testing.T, s *sandbox) {
			for range 3 {
				s.want(200, s.do("GET", "/Users", ""))
			}
			s.want(401, s.do("GET", "/Users", ""))
			s.want(401, s.do("GET", "/Users", ""))
		},
		"forbidden": func(t *testing.T, s *sandbox) { s.want(403, s.do("GET", "/Users", "")) },
		"no-provider-config": func(t *testing.T, s *sandbox) {
			for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
				s.want(404, s.do("GET", path, ""))
			}
		},
	}
}

func writeTests() map[string]func(*testing.T, *sandbox) {
	// change sends one operation on Engineering and returns the members before and after.
	change := func(s *sandbox, status int, op func(g perplexity.GroupState, outsider string) string) (before, after []string, r response) {
		s.t.Helper()
		g := s.group("Engineering")
		outsider := s.State().Users[1].ID
		r = s.want(status, s.do("PATCH", "/Groups/"+g.ID, patch(op(g, outsider))))
		return g.Members, s.group("Engineering").Members, r
	}
	add := func(_ perplexity.GroupState, outsider string) string { return addOp(outsider) }
	addAgain := func(g perplexity.GroupState, _ string) string { return addOp(g.Members[0]) }
	remove := func(g perplexity.GroupState, _ string) string { return removeOp(g.Members[1]) }
	removeAbsent := func(_ perplexity.GroupState, outsider string) string { return removeOp(outsider) }
	answers := func(status int, carriedOut bool) func(*testing.T, *sandbox) {
		return func(t *testing.T, s *sandbox) {
			before, after, r := change(s, status, add)
			if len(r.raw) != 0 || (len(after) == len(before)+1) != carriedOut {
				t.Errorf("body %q, members %d to %d", r.raw, len(before), len(after))
			}
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"drop-member-on-add": func(t *testing.T, s *sandbox) {
			if before, after, _ := change(s, 200, add); !slices.Equal(before, after) {
				t.Errorf("members %d to %d", len(before), len(after))
			}
			if before, after, _ := change(s, 200, remove); len(after) != len(before)-1 {
				t.Errorf("removing: members %d to %d", len(before), len(after))
			}
		},
		"remove-wipes-all": func(t *testing.T, s *sandbox) {
			if before, after, _ := change(s, 200, add); len(after) != len(before)+1 {
				t.Errorf("adding: members %d to %d", len(before), len(after))
			}
			if _, after, _ := change(s, 200, remove); len(after) != 0 {
				t.Errorf("%d members stay", len(after))
			}
		},
		"remove-collateral": func(t *testing.T, s *sandbox) {
			if before, after, _ := change(s, 200, remove); len(after) != len(before)-2 || slices.Contains(after, before[0]) {
				t.Errorf("members %d to %d", len(before), len(after))
			}
		},
		"duplicate-add-409": func(t *testing.T, s *sandbox) {
			change(s, 409, addAgain)
			change(s, 200, add)
		},
		"absent-remove-404": func(t *testing.T, s *sandbox) {
			change(s, 404, removeAbsent)
			change(s, 200, remove)
		},
		"absent-remove-412": func(t *testing.T, s *sandbox) {
			change(s, 412, removeAbsent)
			change(s, 200, remove)
		},
		"patch-204":       answers(204, true),
		"patch-200-empty": answers(200, true),
		"patch-202":       answers(202, false),
		"patch-ignored": func(t *testing.T, s *sandbox) {
			if before, after, r := change(s, 200, add); !slices.Equal(before, after) || r.JSON["id"] == nil {
				t.Errorf("members %d to %d: %s", len(before), len(after), r.raw)
			}
			ada := s.State().Users[0].ID
			s.want(200, s.do("PATCH", "/Users/"+ada, setActive(false)))
			if !s.user(ada).Active {
				t.Error("the user was disabled")
			}
		},
		"held-row-on-reject": func(t *testing.T, s *sandbox) {
			s.want(400, s.do("POST", "/Users", `{"userName":"Held@acme.example","active":"true"}`))
			s.want(400, s.do("POST", "/Users", `{"userName":"far@away.example"}`))
			if held := s.State().Held; !slices.Equal(held, []string{"far@away.example", "held@acme.example"}) {
				t.Errorf("held %v", held)
			}
			s.want(201, s.do("POST", "/Users", `{"userName":"held@acme.example"}`))
			if held := s.State().Held; !slices.Equal(held, []string{"far@away.example"}) {
				t.Errorf("held %v", held)
			}
		},
		"conflict-without-scimtype": func(t *testing.T, s *sandbox) {
			for path, body := range map[string]string{"/Users": `{"userName":"ada.okafor@acme.example"}`, "/Groups": `{"displayName":"Engineering"}`} {
				if r := s.want(409, s.do("POST", path, body)); r.JSON["scimType"] != nil || r.detail() == "" {
					t.Errorf("%s", r.raw)
				}
			}
		},
		"conflict-by-email": func(t *testing.T, s *sandbox) {
			s.SetActive(s.State().Users[0].ID, false)
			if r := s.want(409, s.do("POST", "/Users", `{"userName":"ADA.okafor@acme.example"}`)); !strings.Contains(r.detail(), "this email") {
				t.Errorf("%s", r.raw)
			}
			s.want(409, s.do("POST", "/Users", `{"userName":"ada","emails":[{"value":"ada.okafor@acme.example","primary":true}]}`))
		},
	}
}

func organisationTests() map[string]func(*testing.T, *sandbox) {
	disable := func(s *sandbox) (admin perplexity.UserState, body string) {
		admin = s.State().Users[0]
		return admin, string(s.want(200, s.do("PATCH", "/Users/"+admin.ID, setActive(false))).raw)
	}
	keeps := func(want int) func(*testing.T, *sandbox) {
		return func(t *testing.T, s *sandbox) {
			admin, _ := disable(s)
			if n := len(s.user(admin.ID).Groups); n != want {
				t.Errorf("%d groups, want %d", n, want)
			}
			consistent(t, s.State())
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"soft-delete-on": func(t *testing.T, s *sandbox) {
			admin, _ := disable(s)
			if r := s.want(200, s.do("GET", "/Users/"+admin.ID, "")); r.JSON["active"] != false {
				t.Errorf("%s", r.raw)
			}
		},
		"soft-delete-off":          testSoftDeleteOff,
		"deactivated-keeps-groups": func(t *testing.T, s *sandbox) { keeps(2)(t, s) },
		"deactivated-loses-groups": func(t *testing.T, s *sandbox) { keeps(0)(t, s) },
		"member-first": func(t *testing.T, s *sandbox) {
			if both := s.State().Users[1]; both.Role != perplexity.Member {
				t.Errorf("the user in both is %s", both.Role)
			}
		},
		"unverified-domain": func(t *testing.T, s *sandbox) {
			if r := s.want(400, s.do("POST", "/Users", `{"userName":"x@acme.example"}`)); !strings.Contains(r.detail(), "not verified") {
				t.Errorf("%s", r.raw)
			}
		},
		"not-in-plan": func(t *testing.T, s *sandbox) {
			if r := s.want(403, s.do("GET", "/Groups", "")); !strings.Contains(r.detail(), "Enterprise") {
				t.Errorf("%s", r.raw)
			}
		},
		"seats-full": func(t *testing.T, s *sandbox) {
			s.want(403, s.do("POST", "/Users", `{"userName":"x@acme.example"}`))
			s.want(403, s.do("PATCH", "/Users/"+s.State().Users[2].ID, setActive(true)))
		},
	}
}

func testSoftDeleteOff(t *testing.T, s *sandbox) {
	admin, admins := s.State().Users[0], s.group("PPLX_Admin")
	total := s.do("GET", "/Users", "").total()
	s.do("PATCH", "/Users/"+admin.ID, setActive(false))
	s.want(404, s.do("GET", "/Users/"+admin.ID, ""))
	s.want(404, s.do("PATCH", "/Users/"+admin.ID, setActive(true)))
	if n := s.do("GET", "/Users", "").total(); n != total-1 {
		t.Errorf("%d users became %d", total, n)
	}
	if n := s.do("GET", "/Users?filter=userName+eq+%22"+admin.UserName+"%22", "").total(); n != 0 {
		t.Errorf("a filter finds %d", n)
	}
	if r := s.do("GET", "/Groups/"+admins.ID, ""); strings.Contains(string(r.raw), admin.ID) {
		t.Errorf("the group shows %s", r.raw)
	}
	if r := s.want(400, s.do("POST", "/Users", `{"userName":"x@acme.example","active":false}`)); len(r.raw) != 0 {
		t.Errorf("a reason is given: %s", r.raw)
	}
	s.want(200, s.do("PATCH", "/Groups/"+admins.ID, patch(addOp(s.State().Users[5].ID))))
	r := s.want(201, s.do("POST", "/Users", `{"userName":"`+admin.UserName+`"}`))
	if r.JSON["id"] != admin.ID || s.user(admin.ID).Role != perplexity.Admin {
		t.Errorf("created again: %s, %+v", r.raw, s.user(admin.ID))
	}
	consistent(t, s.State())
}

func TestSetFaults(t *testing.T) {
	s := start(t, perplexity.Options{})
	for _, wrong := range []string{"nonsense", "page-cap=ten", "page-cap=0", "page-cap=-1", "patch-204=1", "slow=fast", "redirect=", ""} {
		if err := s.SetFaults("patch-202", wrong); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
	if on := s.ActiveFaults(); len(on) != 0 {
		t.Errorf("after errors: %v", on)
	}
	if err := s.SetFaults("page-cap", " slow=1ms ", "patch-204", "soft-delete-off", "soft-delete-on"); err != nil {
		t.Fatal(err)
	}
	if on := fmt.Sprint(s.ActiveFaults()); on != "[page-cap=10 patch-204 slow=1ms soft-delete-on]" {
		t.Errorf("active %s", on)
	}
	if r := s.want(200, s.do("GET", "/Users", "")); len(r.resources()) != 10 {
		t.Errorf("%d rows", len(r.resources()))
	}
	s.SetFaults()
	if r := s.want(200, s.do("GET", "/Users", "")); len(r.resources()) != 25 {
		t.Errorf("%d rows", len(r.resources()))
	}
}

// TestFaultsCompose switches on one fault of every kind at the same time.
func TestFaultsCompose(t *testing.T) {
	s := withFaults(t, "page-cap=4", "total-missing", "cursor", "members-absent", "upper-case-attributes", "string-booleans", "rate-limit-seconds=2",
		"patch-204", "soft-delete-off", "duplicate-rows", "items-per-page-zero", "odd-content-type", "single-object-arrays")
	next, rows, active := "", map[string]bool{}, ""
	for range 40 {
		r := s.do("GET", "/Users?cursor="+next, "")
		if r.StatusCode == 429 {
			continue
		}
		for _, row := range s.want(200, r).resources() {
			rows[row["ID"].(string)] = true
			active = row["ACTIVE"].(string)
		}
		if next, _ = r.JSON["nextCursor"].(string); next == "" {
			break
		}
	}
	if len(rows) != 23 || active != "True" {
		t.Errorf("%d users, active %q", len(rows), active)
	}
}

func TestOnRequest(t *testing.T) {
	var s *sandbox
	var numbers []int
	s = start(t, perplexity.Options{OnRequest: func(n int, r *http.Request) {
		numbers = append(numbers, n)
		if n == 2 {
			s.AddUser(perplexity.Person{UserName: "late@acme.example"})
		}
	}})
	first, second := s.do("GET", "/Users", "").total(), s.do("GET", "/Users", "").total()
	if first != 25 || second != 26 || !slices.Equal(numbers, []int{1, 2}) {
		t.Errorf("%d, then %d, numbers %v", first, second, numbers)
	}
}
