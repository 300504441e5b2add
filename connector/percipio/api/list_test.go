package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"baton"
	"baton/connector/paging"
	"baton/connector/percipio/api"
	"baton/connector/rest"
)

// answers gives each request the next response, through the real rest client.
type answers struct {
	t        *testing.T
	pages    []page
	requests []string
}

type page struct {
	status int
	total  string
	handle string
	body   string
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(a.requests) == len(a.pages) {
		a.t.Errorf("a request too many: %s", r.URL)
		return nil, errors.New("no more answers")
	}
	p := a.pages[len(a.requests)]
	a.requests = append(a.requests, r.URL.RawQuery)
	w := httptest.NewRecorder()
	if p.total != "" {
		w.Header().Set("x-total-count", p.total)
	}
	if p.handle != "" {
		w.Header().Set("x-paging-request-id", p.handle)
	}
	w.WriteHeader(max(p.status, 200))
	io.WriteString(w, p.body)
	return w.Result(), nil
}

func (a *answers) client(t *testing.T) *api.Client {
	t.Helper()
	a.t = t
	client, err := rest.New(rest.Config{BaseURL: "https://percipio.example", Transport: a, RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	return api.New(client, "o")
}

func rows(ids ...string) string {
	var b strings.Builder
	for i, id := range ids {
		fmt.Fprintf(&b, `%c{"id":%q}`, "[,"[min(i, 1)], id)
	}
	if len(ids) == 0 {
		return "[]"
	}
	return b.String() + "]"
}

// TestWhenAListIsComplete goes through the table of the package comment.
func TestWhenAListIsComplete(t *testing.T) {
	for _, tc := range []struct {
		name  string
		pages []page
		want  string // ids, or the error
	}{
		{"one page", []page{{total: "2", body: rows("a", "b")}, {total: "2", body: rows("b")}}, "a b"},
		{"one row", []page{{total: "1", body: rows("a")}, {total: "1", body: "[]"}}, "a"},
		{"two pages", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: rows("b", "c")}, {total: "3", body: rows("c")}}, "a b c"},
		{"pages of one row", []page{{total: "2", body: rows("a")}, {total: "2", body: rows("b")}, {total: "2", body: rows("a")}, {total: "2", body: "[]"}}, "a b"},
		{"pages of one row, and rows move", []page{{total: "3", body: rows("a")}, {total: "3", body: rows("b")}, {total: "3", body: rows("a")}, {total: "3", body: rows("d")}, {total: "3", body: rows("c")},
			{total: "3", body: rows("b")}, {total: "3", body: rows("c")}, {total: "3", body: rows("b")}, {total: "3", body: rows("d")}, {total: "3", body: rows("c")}, {total: "3", body: "[]"}}, "b c d"},
		{"empty", []page{{total: "0", body: "[]"}}, ""},
		{"empty without a total", []page{{body: "[]"}}, ""},
		{"no total", []page{{body: rows("a", "b")}, {body: rows("b", "c")}, {body: rows("c")}, {body: "[]"}}, "a b c"},
		{"a page comes out empty", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: "[]"}, {total: "3", body: rows("b", "c")}, {total: "3", body: rows("c")}}, "a b c"},
		{"a page comes out empty, and rows move", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: "[]"}, {total: "3", body: rows("c", "d")}, {total: "3", body: rows("b", "c")}, {total: "3", body: rows("c", "d")}, {total: "3", body: rows("d")}}, "b c d"},
		{"all pages but the first come out empty", append([]page{{total: "3", body: rows("a", "b")}}, slices.Repeat([]page{{total: "3", body: "[]"}}, 4)...), "incomplete: the list ended after 2 different rows, but the server says there are 3"},
		{"a page comes out empty, no total", []page{{body: rows("a", "b")}, {body: "[]"}, {body: rows("a", "b")}, {body: rows("b", "c")}, {body: rows("c")}, {body: "[]"}}, "a b c"},
		{"counts in whole pages", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: rows("a", "b")}, {total: "3", body: rows("c")}, {total: "3", body: rows("a", "b")}, {total: "3", body: "[]"}}, "a b c"},
		{"a total of nonsense", []page{{total: "many", body: rows("a")}, {total: "-1", body: "[]"}, {body: rows("a")}}, "a"},
		{"total only on the first page", []page{{total: "2", body: rows("a")}, {body: rows("b")}, {body: rows("a")}, {body: "[]"}}, "a b"},
		{"total too low", []page{{total: "1", body: rows("a", "b")}, {total: "1", body: rows("b", "c")}, {total: "1", body: rows("c")}, {total: "1", body: "[]"}}, "a b c"},
		{"total too low by a page", []page{{total: "2", body: rows("a", "b")}, {total: "2", body: rows("b", "c")}, {total: "2", body: rows("c")}, {total: "2", body: "[]"}}, "a b c"},
		{"total too high", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: rows("b")}, {total: "3", body: "[]"}}, "incomplete: the list ended after 2 different rows, but the server says there are 3"},
		{"rows twice, none missing", []page{{total: "3", body: rows("a", "a", "b")}, {total: "3", body: rows("b", "c")}, {total: "3", body: rows("c")}}, "a b c"},
		{"rows moved", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: rows("c")}, {total: "3", body: rows("b", "c")}, {total: "3", body: rows("c", "x")}, {total: "3", body: rows("x")}}, "b c x"},
		{"rows moved back", []page{{total: "3", body: rows("a", "b")}, {total: "3", body: rows("a", "b", "c")}, {total: "3", body: "[]"}, {total: "3", body: "[]"}}, "a b c"},
		{"total changed", []page{{total: "3", body: rows("a", "b")}, {total: "2", body: rows("c")}, {total: "2", body: rows("a", "c")}, {total: "2", body: rows("c")}}, "a c"},
		{"total keeps changing", slices.Repeat([]page{{total: "3", body: rows("a")}, {total: "4", body: rows("b")}}, 4), "incomplete: the total went from 3 to 4"},
		{"offset ignored", slices.Repeat([]page{{body: rows("a", "b")}}, 4), "incomplete: the server ignores offset"},
		{"not a list", []page{{body: `{"users":[]}`}}, "incomplete: not a list"},
		{"null", []page{{body: `null`}}, "incomplete: not a list"},
		{"no body", []page{{body: ``}}, "incomplete: not a list"},
		{"rows that are none", []page{{body: `[{"id":"a"},null]`}}, "incomplete: row 2"},
		{"rows without an id", []page{{total: "3", body: `[{"id":"a"},{},{"id":null}]`}, {total: "3", body: "[]"}}, "a  "},
		{"wrong organisation", []page{{status: 404, body: "{}"}}, "incomplete: 404"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &answers{pages: tc.pages}
			got, err := list(t, a)
			if err != nil {
				got = []string{baton.KindOf(err).String() + ": " + err.Error()}
				kind, text, _ := strings.Cut(tc.want, ": ")
				if !strings.HasPrefix(got[0], kind+": ") || !strings.Contains(got[0], text) || baton.FixOf(err) == "" {
					t.Errorf("%s (fix: %s), want %s", got[0], baton.FixOf(err), tc.want)
				}
			} else if ids := strings.Join(got, " "); ids != tc.want {
				t.Errorf("%q, want %q", ids, tc.want)
			}
			if len(a.requests) != len(tc.pages) {
				t.Errorf("%d of %d requests", len(a.requests), len(tc.pages))
			}
		})
	}
}

// list reads users to the end and passes the position from call to call as text.
func list(t *testing.T, a *answers) ([]string, error) {
	c := a.client(t)
	var ids []string
	at := ""
	for {
		pos, err := paging.ParsePosition(at)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		step, err := c.ListUsers(t.Context(), pos, paging.Sink[api.User]{
			Seen: func(id string) bool { return slices.Contains(ids, id) },
			Row:  func(u api.User) { page = append(page, u.ID) },
			Void: func() { page = nil },
		})
		if err != nil {
			return ids, err
		}
		if ids = append(ids, page...); step.Done {
			return ids, nil
		}
		if step.Restart {
			ids = nil
		}
		at = step.Next.String()
	}
}

// TestPagingHandle: later pages use the handle of the first one, and the list starts over if the handle is
// refused.
func TestPagingHandle(t *testing.T) {
	a := &answers{pages: []page{
		{total: "3", handle: "h1", body: rows("a", "b")}, {status: 400, body: `{"message":"expired"}`},
		{total: "3", handle: "h2", body: rows("a", "b")}, {total: "3", handle: "other", body: rows("b", "c")}, {total: "3", handle: "other", body: rows("c")},
	}}
	c := a.client(t)
	var ids []string
	var pos paging.Position
	for done := false; !done; {
		step, err := c.ListCatalog(t.Context(), pos, paging.Sink[api.Item]{Seen: func(id string) bool { return slices.Contains(ids, id) }, Row: func(it api.Item) { ids = append(ids, it.ID) }})
		if err != nil {
			t.Fatal(err)
		}
		if step.Restart {
			ids = nil
		}
		pos, done = step.Next, step.Done
	}
	want := []string{"max=1000&offset=0", "max=1000&offset=1&pagingRequestId=h1", "max=1000&offset=0", "max=1000&offset=1&pagingRequestId=h2", "max=1000&offset=2&pagingRequestId=h2"}
	if !slices.Equal(ids, []string{"a", "b", "c"}) || !slices.Equal(a.requests, want) {
		t.Errorf("%q by %q", ids, a.requests)
	}
}

// TestOddUsers: a value of the wrong type counts as missing.
func TestOddUsers(t *testing.T) {
	a := &answers{pages: []page{{total: "2", body: `[
		{"id":7,"loginName":null,"email":["x"],"isActive":"TRUE","isInstructor":1,"approvalManager":[],"directHrManager":{"email":"m@x"},
		 "customAttributes":[{"name":"A","value":null},{"name":"B","value":3.5},7,{"id":"C","value":{"x":1}}]},
		{"id":"b","customAttributes":{"name":"A"},"isActive":false}]`}}}
	var users []api.User
	if _, err := a.client(t).ListUsers(t.Context(), paging.Position{}, paging.Sink[api.User]{Row: func(u api.User) { users = append(users, u) }}); err != nil {
		t.Fatal(err)
	}
	u := users[0]
	if u.ID != "7" || u.LoginName != "" || u.Email != "" || u.IsActive == nil || !*u.IsActive || u.IsInstructor != nil || u.ApprovalManager != (api.Manager{}) || u.DirectHRManager.Email != "m@x" {
		t.Errorf("%+v", u)
	}
	if got := fmt.Sprint(u.CustomAttributes); got != "[{ A } { B 3.5} {  } {C  }]" {
		t.Errorf("custom attributes %s", got)
	}
	if users[1].IsActive == nil || *users[1].IsActive || users[1].CustomAttributes != nil {
		t.Errorf("%+v", users[1])
	}
}

func TestDate(t *testing.T) {
	for in, want := range map[string]string{
		"2024-09-20T23:38:25.195Z":      "2024-09-20T23:38:25Z",
		"2024-09-20T23:38:25.195+02:00": "2024-09-20T21:38:25Z",
		"2024-09-20T23:38:25+0000":      "2024-09-20T23:38:25Z",
		"2024-09-20T23:38:25":           "2024-09-20T23:38:25Z",
		"2024-09-20 23:38:25":           "2024-09-20T23:38:25Z",
		" 2024-09-20 ":                  "2024-09-20T00:00:00Z",
		"":                              "",
		"null":                          "",
		"2024-02-30":                    "",
		"20/09/2024":                    "",
		"0000-01-01":                    "",
	} {
		if got := api.Date(in); got != want {
			t.Errorf("Date(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestWebPageInBetween: the client waits out a web page of a proxy, and reports one that stays.
func TestWebPageInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		html := page{body: "<html>one moment"}
		check, err := (&answers{pages: []page{html, html, {total: "9", body: rows("a")}}}).client(t).CheckUsers(t.Context())
		if err != nil || check != (api.Check{Rows: 1, Total: 9, HasTotal: true}) {
			t.Errorf("%+v, %v", check, err)
		}
		_, err = (&answers{pages: []page{html, html, html}}).client(t).CheckCatalog(t.Context())
		if !errors.Is(err, rest.ErrHTML) || baton.FixOf(err) == "" {
			t.Errorf("%v", err)
		}
	})
}

// TestStatusAnswers lists the valid responses to a poll, and invalid ones.
func TestStatusAnswers(t *testing.T) {
	for _, tc := range []struct {
		body, status string
		failed, ok   bool
	}{
		{`{"id":"r","status":"pending"}`, "PENDING", false, true},
		{` {"reportId":"r","status":" In_Progress "}`, "IN_PROGRESS", false, true},
		{`{"status":"FAILED","error":"x"}`, "FAILED", true, true},
		{`{"status":"expired"}`, "EXPIRED", true, true},
		{``, "NO ANSWER YET", false, true},
		{`{"id":"r"}`, "", false, false},
		{`{"data":[]}`, "", false, false},
		{`"rows"`, "", false, false},
		{`{"status":`, "", false, false},
		{`{"x":"` + strings.Repeat("x", 70<<10) + `","status":"PENDING"}`, "", false, false},
	} {
		r, err := (&answers{pages: []page{{body: tc.body}}}).client(t).ReadReport(t.Context(), "r")
		if r.Status != tc.status || r.Failed() != tc.failed || (err == nil) != tc.ok || err != nil && baton.KindOf(err) != baton.Incomplete {
			t.Errorf("%.40s: %+v, %v", tc.body, r, err)
		}
	}
}

// TestBrokenPageIsVoid: if a response breaks off, or a web page interferes, the rows of that page are void,
// and the page that replaces it is complete.
func TestBrokenPageIsVoid(t *testing.T) {
	whole := rows("a", "b", "c")
	for n := 1; n < len(whole); n++ {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{t: t, pages: []page{{total: "3", body: whole[:n]}, {total: "3", body: whole}}}
			client, err := rest.New(rest.Config{BaseURL: "https://percipio.example", Transport: a})
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			voided := 0
			_, err = api.New(client, "o").ListUsers(t.Context(), paging.Position{}, paging.Sink[api.User]{
				Row:  func(u api.User) { ids = append(ids, u.ID) },
				Void: func() { ids, voided = nil, voided+1 },
			})
			if err != nil || strings.Join(ids, " ") != "a b c" || len(a.requests) != 2 || voided != 1 {
				t.Errorf("cut at %d: %q after %d requests, %d times void, %v", n, ids, len(a.requests), voided, err)
			}
		})
	}
}
