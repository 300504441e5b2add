package percipio_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/sandbox/percipio"
)

// faultTests has a test of every fault on the demo organisation.
func faultTests() map[string]func(*testing.T, *sandbox) {
	tests := map[string]func(*testing.T, *sandbox){}
	for _, part := range []map[string]func(*testing.T, *sandbox){transportTests(), accessTests(), listTests(), reportTests(), rowTests(), fieldTests()} {
		maps.Copy(tests, part)
	}
	return tests
}

func TestFaults(t *testing.T) {
	tests := faultTests()
	for _, f := range percipio.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			test := tests[f.Name]
			if test == nil {
				t.Fatal("no test shows what it does")
			}
			if f.Description == "" || (f.Value == "") != (f.Default == "") {
				t.Errorf("described as %+v", f)
			}
			test(t, start(t, percipio.Options{Faults: []string{f.Name}}))
		})
		delete(tests, f.Name)
	}
	for name := range tests {
		t.Errorf("there is a test, but no fault %s", name)
	}
}

// faults replaces the active faults.
func (s *sandbox) faults(names ...string) {
	s.t.Helper()
	if err := s.SetFaults(names...); err != nil {
		s.t.Fatal(err)
	}
}

// everyThird checks a fault that affects every third request.
func everyThird(t *testing.T, s *sandbox, status int) *http.Response {
	t.Helper()
	s.want(200, s.users(""))
	s.want(200, s.catalogue(""))
	r := s.want(status, s.post(allTime))
	s.want(200, s.post(allTime))
	return r.Response
}

func transportTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"rate-limit": func(t *testing.T, s *sandbox) {
			if after := everyThird(t, s, 429).Header.Get("Retry-After"); after != "" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"rate-limit-seconds": func(t *testing.T, s *sandbox) {
			if after := everyThird(t, s, 429).Header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"rate-limit-date": func(t *testing.T, s *sandbox) {
			if after := everyThird(t, s, 429).Header.Get("Retry-After"); after != "Tue, 10 Mar 2026 12:00:01 GMT" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"retry-after": func(t *testing.T, s *sandbox) {
			s.faults("rate-limit-seconds=1", "retry-after=7")
			if after := s.want(429, s.users("")).Header.Get("Retry-After"); after != "7" {
				t.Errorf("Retry-After %q", after)
			}
		},
		"server-error": func(t *testing.T, s *sandbox) { everyThird(t, s, 503) },
		"drop-connection": func(t *testing.T, s *sandbox) {
			s.faults("drop-connection=2")
			s.want(200, s.users(""))
			if r, err := s.try("POST", s.path("reporting/v1", "/report-requests/learning-activity"), allTime); !errors.Is(err, io.ErrUnexpectedEOF) || len(r.raw) == 0 {
				t.Errorf("error %v after %d bytes", err, len(r.raw))
			}
			id := s.State().Reports[0].ID // was requested although the answer was lost
			s.faults("drop-connection=1")
			if r, err := s.try("GET", s.reportPath(id), ""); !errors.Is(err, io.ErrUnexpectedEOF) || len(r.raw) != 4000 {
				t.Errorf("error %v after %d bytes", err, len(r.raw))
			}
		},
		"truncated-body": func(t *testing.T, s *sandbox) {
			s.faults("truncated-body=1")
			if r := s.want(200, s.users("")); len(r.raw) == 0 || json.Valid(r.raw) {
				t.Errorf("body %s", r.raw)
			}
		},
		"slow": func(t *testing.T, s *sandbox) {
			s.faults("slow=30ms")
			began := time.Now()
			s.want(200, s.users("?max=1"))
			if took := time.Since(began); took < 30*time.Millisecond {
				t.Errorf("took %v", took)
			}
		},
		"slow-body": func(t *testing.T, s *sandbox) {
			s.faults("slow-body=10ms")
			id := s.request()
			res, err := s.open("GET", s.reportPath(id), "")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			began := time.Now() // the header has arrived: measure the body
			raw, err := io.ReadAll(res.Body)
			if took := time.Since(began); err != nil || !json.Valid(raw) || took < time.Duration(len(raw)>>14-1)*10*time.Millisecond {
				t.Errorf("%d bytes took %v, %v", len(raw), took, err)
			}
		},
		"html-200": func(t *testing.T, s *sandbox) {
			r := s.want(200, s.users(""))
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(r.raw), "<html") {
				t.Errorf("%v %s", r.Header, r.raw)
			}
			s.faults("html-200=2")
			if first, second := s.users(""), s.users(""); len(first.list) != 20 || len(second.list) != 0 {
				t.Errorf("%d and %d users", len(first.list), len(second.list))
			}
		},
		"redirect": func(t *testing.T, s *sandbox) {
			if to := s.want(307, s.users("")).Header.Get("Location"); to != "https://redirected.invalid/" {
				t.Errorf("to %q", to)
			}
			s.faults("redirect=http://127.0.0.1:1/x?a=b")
			if to := s.want(307, s.post(allTime)).Header.Get("Location"); to != "http://127.0.0.1:1/x?a=b" {
				t.Errorf("to %q", to)
			}
		},
		"bare-errors": func(t *testing.T, s *sandbox) {
			if r := s.want(404, s.poll("x")); len(r.raw) != 0 {
				t.Errorf("body %s", r.raw)
			}
		},
		"huge-body": func(t *testing.T, s *sandbox) {
			s.faults("huge-body=2")
			if r := s.want(200, s.users("")); len(r.raw) < 2<<20 || len(r.list) != 20 {
				t.Errorf("%d bytes", len(r.raw))
			}
		},
		"gzip": func(t *testing.T, s *sandbox) {
			for _, path := range []string{s.path("user-management/v1", "/users"), s.reportPath(s.request())} {
				r := s.want(200, s.do("GET", path, "", "Accept-Encoding: gzip"))
				z, err := gzip.NewReader(strings.NewReader(string(r.raw)))
				if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
					t.Fatalf("%v %v", r.Header, err)
				}
				if raw, err := io.ReadAll(z); err != nil || !json.Valid(raw) {
					t.Errorf("%v: %s", err, raw)
				}
				s.want(200, s.do("GET", path, "", "Accept-Encoding: identity"))
			}
		},
	}
}

func accessTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"token-revoked-after": func(t *testing.T, s *sandbox) {
			for range 3 {
				s.want(200, s.users(""))
			}
			s.want(401, s.users(""))
			s.want(401, s.catalogue(""))
			s.faults("token-revoked-after=0")
			s.want(401, s.users(""))
		},
		"token-expiring": func(t *testing.T, s *sandbox) {
			if exp := claims(t, s.Token())["exp"]; exp != float64(time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC).Unix()) {
				t.Errorf("it says %v", exp)
			}
			s.want(200, s.users(""))
			s.faults("token-expiring=0s")
			s.want(401, s.users(""))
		},
		"foreign-org": func(t *testing.T, s *sandbox) { s.want(403, s.users("")) },
		"missing-permission": func(t *testing.T, s *sandbox) {
			s.want(403, s.post(allTime))
			s.want(200, s.users(""))
			s.want(200, s.catalogue(""))
			s.faults("missing-permission=users+content")
			s.want(200, s.post(allTime))
			s.want(403, s.users(""))
			s.want(403, s.catalogue(""))
			s.want(403, s.search("?q=x"))
		},
	}
}

func listTests() map[string]func(*testing.T, *sandbox) {
	total := func(t *testing.T, r response, want ...string) {
		t.Helper()
		if got := r.Header.Values("X-Total-Count"); !slices.Equal(got, want) {
			t.Errorf("total %q, want %q", got, want)
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"no-total": func(t *testing.T, s *sandbox) {
			total(t, s.users(""))
			total(t, s.catalogue(""))
		},
		"total-lies-high": func(t *testing.T, s *sandbox) { total(t, s.users(""), "27"); total(t, s.catalogue(""), "17") },
		"total-lies-low":  func(t *testing.T, s *sandbox) { total(t, s.users(""), "13"); total(t, s.catalogue(""), "3") },
		"no-link": func(t *testing.T, s *sandbox) {
			if l := s.catalogue("").Header.Values("Link"); len(l) != 0 {
				t.Errorf("%q", l)
			}
		},
		"odd-link": func(t *testing.T, s *sandbox) {
			l := s.catalogue("?max=4").Header.Get("Link")
			if !strings.Contains(l, "offset=8") || !strings.Contains(l, "REL=last") || !strings.HasPrefix(l, "</content-discovery/") || strings.Contains(l, `rel="last"`) {
				t.Errorf("%s", l)
			}
		},
		"no-paging-id": func(t *testing.T, s *sandbox) {
			if h := s.catalogue("?max=3").Header.Values("X-Paging-Request-Id"); len(h) != 0 {
				t.Errorf("%q", h)
			}
		},
		"stale-paging-id": func(t *testing.T, s *sandbox) {
			id := s.catalogue("?max=3").Header.Get("X-Paging-Request-Id")
			s.want(400, s.catalogue("?max=3&offset=3&pagingRequestId="+id))
			s.want(400, s.catalogue("?max=3&offset=3&pagingRequestId="+id)) // it stays expired
			id = s.catalogue("?max=3").Header.Get("X-Paging-Request-Id")
			s.want(200, s.catalogue("?max=3&offset=3&pagingRequestId="+id))
		},
		"page-cap": func(t *testing.T, s *sandbox) {
			if u, c := s.users(""), s.catalogue("?max=7"); len(u.list) != 5 || len(c.list) != 5 || u.Header.Get("X-Total-Count") != "20" {
				t.Errorf("%d users, %d items", len(u.list), len(c.list))
			}
		},
		"max-over-1000-is-400": func(t *testing.T, s *sandbox) {
			s.want(200, s.users("?max=1000"))
			s.want(400, s.users("?max=1001"))
			s.want(400, s.catalogue("?max=1001"))
		},
		"users-shift-delete": func(t *testing.T, s *sandbox) {
			before := userIDs(s.State())
			first := s.users("?max=10")
			second := s.users("?max=10&offset=10")
			if len(second.list) != 9 || second.list[0]["id"] != before[11] || first.list[9]["id"] != before[9] {
				t.Errorf("%d users on the second page, and nobody was skipped", len(second.list))
			}
			if s.users("?max=10"); len(s.State().Users) != 19 {
				t.Errorf("%d users are left", len(s.State().Users))
			}
		},
		"users-shift-insert": func(t *testing.T, s *sandbox) {
			first := s.users("?max=10")
			second := s.users("?max=10&offset=10")
			if second.list[0]["id"] != first.list[9]["id"] || second.Header.Get("X-Total-Count") != "21" {
				t.Errorf("nobody was seen twice")
			}
		},
		"duplicate-users": func(t *testing.T, s *sandbox) {
			all := field(s.users("").list, "id")
			if len(all) != 24 || all[4] != all[5] || all[10] != all[11] {
				t.Errorf("%d users", len(all))
			}
			total(t, s.users(""), "20")
			if again := field(s.users("?offset=5&max=4").list, "id"); !slices.Equal(again, all[5:9]) {
				t.Error("pages do not add up")
			}
		},
		"search-fail": func(t *testing.T, s *sandbox) {
			s.want(500, s.search("?q=x"))
			s.want(200, s.catalogue(""))
		},
		"search-429": func(t *testing.T, s *sandbox) {
			s.want(200, s.search("?q=x"))
			s.want(429, s.search("?q=x"))
			s.want(200, s.search("?q=x"))
		},
		"search-locale": func(t *testing.T, s *sandbox) {
			german := s.State().Courses[6]
			if german.Locale != "de-DE" || !german.Listed {
				t.Fatalf("%+v", german)
			}
			if r := s.search("?q=" + german.ID); len(r.list) != 0 {
				t.Errorf("found in English: %s", r.raw)
			}
			for _, code := range []string{"de", "de-DE"} {
				if r := s.search("?localeCode=" + code + "&q=" + german.ID); len(r.list) != 1 {
					t.Errorf("not found in %s", code)
				}
			}
		},
		"search-crowded": func(t *testing.T, s *sandbox) {
			id := s.State().Courses[0].ID
			if r := s.search("?q=" + id); len(r.list) != 25 || slices.Contains(field(r.list, "id"), id) {
				t.Errorf("%d items", len(r.list))
			}
			if r := s.search("?max=1000&q=" + id); len(r.list) != 31 || r.list[30]["id"] != id {
				t.Errorf("%d items", len(r.list))
			}
		},
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	s := percipio.New(percipio.Options{})
	var shown struct {
		Active []string
		Faults []percipio.Fault
	}
	visit := func(method, path, body, site string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	read := func(code int, text string) {
		t.Helper()
		shown.Active, shown.Faults = nil, nil
		if err := json.Unmarshal([]byte(text), &shown); err != nil || code != 200 {
			t.Fatalf("status %d: %s", code, text)
		}
	}
	read(visit("GET", "/sandbox/faults", "", "none"))
	if len(shown.Active) != 0 || !reflect.DeepEqual(shown.Faults, percipio.Faults()) {
		t.Errorf("shown %v", shown)
	}
	read(visit("PUT", "/sandbox/faults", `["page-cap=2","no-link"]`, "same-origin"))
	if !reflect.DeepEqual(shown.Active, []string{"no-link", "page-cap=2"}) {
		t.Errorf("active %v", shown.Active)
	}
	for _, wrong := range []string{`["nonsense"]`, `{`, `"page-cap"`} {
		if code, _ := visit("PUT", "/sandbox/faults", wrong, "none"); code != 400 {
			t.Errorf("%s: status %d", wrong, code)
		}
	}
	if code, _ := visit("PUT", "/sandbox/faults", `[]`, "cross-site"); code != http.StatusForbidden {
		t.Errorf("another site: status %d", code)
	}
	read(visit("DELETE", "/sandbox/faults", "", "none"))
	if len(shown.Active) != 0 {
		t.Errorf("active %v", shown.Active)
	}
	code, text := visit("GET", "/sandbox/state", "", "none")
	if want := `{"users":20,"catalogue":10,"courses":7,"completed":25,"inProgress":15,"sftpFiles":0,"reports":[]}` + "\n"; code != 200 || text != want {
		t.Errorf("%d %s", code, text)
	}
	progress := `{"user": "new@acme.example", "course": "Security Basics", "status": "Completed", "at": "2020-05-01T08:00:00Z"}`
	if code, text := visit("PUT", "/sandbox/progress", progress, "none"); code != 200 {
		t.Errorf("%d %s", code, text)
	}
	var found []percipio.Progress
	for p := range s.State().Expected() {
		if p.At.Year() == 2020 {
			found = append(found, p)
		}
	}
	if len(found) != 1 || found[0].Status != percipio.Completed || len(s.State().Users) != 21 || len(s.State().Courses) != 11 {
		t.Errorf("%+v", found)
	}
	visit("PUT", "/sandbox/progress", strings.Replace(progress, "Completed", "", 1), "none")
	if code, text := visit("GET", "/sandbox/state", "", "none"); !strings.Contains(text, `"completed":25,"inProgress":15`) {
		t.Errorf("%d %s", code, text)
	}
	if code, _ := visit("PUT", "/sandbox/progress", `{"user": "x"}`, "none"); code != 400 {
		t.Errorf("status %d", code)
	}
	if len(s.Requests()) != 0 {
		t.Errorf("counted %v", s.Requests())
	}
}

func TestFaultNames(t *testing.T) {
	s := percipio.New(percipio.Options{Faults: []string{"pending", "truncated-report=5", "slow=1ms"}})
	want := []string{"pending=2", "slow=1ms", "truncated-report=5"}
	for _, wrong := range []string{"", "nonsense", "no-link=1", "pending=0", "pending=-1", "pending=x", "report-failed=-1", "slow=x", "slow=-1s", "redirect=", "redirect=x",
		"truncated-report=1/2/3", "truncated-report=-1", "truncated-report=1/-1", "missing-permission=", "missing-permission=users+all", "report-completed-status=DONE"} {
		if err := s.SetFaults("no-total", wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		} else if name, _, _ := strings.Cut(wrong, "="); !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", wrong, err)
		}
		if got := s.ActiveFaults(); !slices.Equal(got, want) {
			t.Errorf("active %v", got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New did not panic")
		}
	}()
	percipio.New(percipio.Options{Faults: []string{"nonsense"}})
}

func FuzzSetFaults(f *testing.F) {
	f.Add("truncated-report=10/2")
	f.Add("missing-permission=users+content")
	f.Add("slow=1h2m")
	f.Fuzz(func(t *testing.T, name string) {
		s := percipio.New(percipio.Options{Empty: true})
		if s.SetFaults(name) != nil {
			return
		}
		if again := s.ActiveFaults(); len(again) != 1 || s.SetFaults(again...) != nil {
			t.Errorf("%q is shown as %q", name, again)
		}
	})
}
