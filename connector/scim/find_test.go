package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton"
	"baton/connector/rest"
	"baton/connector/scim"
)

// serveRetrying is like serve, with a client that retries.
func serveRetrying(t *testing.T, handler http.HandlerFunc) *scim.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := rest.New(rest.Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return scim.New(scim.Config{REST: c})
}

// directory answers lists of users from rows, in pages of two. It treats filters in one of the ways in which
// servers do.
type directory struct {
	rows    []string // JSON
	filter  func(w http.ResponseWriter, filter string) (rows []string, done bool)
	filters []string
	lists   int // requests without a filter
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rows := d.rows
	if filter := r.URL.Query().Get("filter"); filter != "" {
		d.filters = append(d.filters, filter)
		var done bool
		if rows, done = d.filter(w, filter); done {
			return
		}
	} else {
		d.lists++
	}
	var start int
	fmt.Sscan(r.URL.Query().Get("startIndex"), &start)
	from := min(start-1, len(rows))
	reply(w, 200, fmt.Sprintf(`{`+listSchema+`"totalResults":%d,"Resources":[%s]}`, len(rows), strings.Join(rows[from:min(from+2, len(rows))], ",")))
}

func rejects(code int) func(http.ResponseWriter, string) ([]string, bool) {
	return func(w http.ResponseWriter, _ string) ([]string, bool) {
		scimError(w, code, "invalidFilter", "no filters")
		return nil, true
	}
}

func selects(rows ...string) func(http.ResponseWriter, string) ([]string, bool) {
	return func(http.ResponseWriter, string) ([]string, bool) { return rows, false }
}

func ids(users []scim.User) string {
	var all []string
	for _, u := range users {
		all = append(all, u.ID)
	}
	return strings.Join(all, " ")
}

func TestFindUsers(t *testing.T) {
	ann := `{"id":"1","userName":"Ann@Example.com"}`
	bob := `{"id":"2","userName":"bob","emails":[{"value":"bob@example.com"},{"value":"ANN@example.com"}]}`
	carl := `{"id":"3","userName":"carl@example.com"}`
	all := []string{carl, bob, ann}
	for name, tt := range map[string]struct {
		filter         func(http.ResponseWriter, string) ([]string, bool)
		want           string
		filters, lists int
	}{
		"honoured":      {selects(ann), "1", 1, 0},
		"finds nothing": {selects(), "", 1, 0},
		"ignored":       {selects(all...), "2 1", 3, 0},
		"wrong rows":    {selects(carl), "", 2, 0},
		"400":           {rejects(400), "2 1", 1, 3},
		"501":           {rejects(501), "2 1", 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := &directory{rows: all, filter: tt.filter}
			got, err := serve(t, 2, d.ServeHTTP).FindUsers(t.Context(), "ann@example.com")
			if err != nil || ids(got) != tt.want {
				t.Errorf("found %q, %v; want %q", ids(got), err, tt.want)
			}
			if len(d.filters) != tt.filters || d.lists != tt.lists {
				t.Errorf("%d filters, %d lists; want %d, %d", len(d.filters), d.lists, tt.filters, tt.lists)
			}
		})
	}
	t.Run("other errors are errors", func(t *testing.T) {
		for code, kind := range map[int]baton.Kind{401: baton.Unauthenticated, 403: baton.PermissionDenied, 500: baton.Unavailable} {
			d := &directory{filter: rejects(code)}
			_, err := serve(t, 2, d.ServeHTTP).FindUsers(t.Context(), "ann")
			wantError(t, err, kind, "find user", "")
			if d.lists > 0 {
				t.Errorf("%d was taken for a rejected filter", code)
			}
		}
		throttled := func(w http.ResponseWriter, _ string) ([]string, bool) {
			scimError(w, 400, "", "Rate limit exceeded")
			return nil, true
		}
		d := &directory{filter: throttled}
		_, err := serve(t, 2, d.ServeHTTP).FindUsers(t.Context(), "ann")
		wantError(t, err, baton.RateLimited, "find user", "")
	})
	t.Run("scan", func(t *testing.T) {
		d := &directory{rows: all}
		got, err := serve(t, 2, d.ServeHTTP).ScanUsers(t.Context(), "ANN@EXAMPLE.COM")
		if err != nil || ids(got) != "2 1" || len(d.filters) != 0 {
			t.Errorf("found %q, %v", ids(got), err)
		}
	})
	t.Run("quoting", func(t *testing.T) {
		for in, want := range map[string]string{
			`a"b`:             `userName eq "a\"b"`,
			`a\`:              `userName eq "a\\"`,
			`" or id pr or "`: `userName eq "\" or id pr or \""`,
			"a\nb\x00":        `userName eq "a\u000ab\u0000"`,
			"ü@x.y":           `userName eq "ü@x.y"`,
		} {
			d := &directory{filter: selects()}
			if _, err := serve(t, 2, d.ServeHTTP).FindUsers(t.Context(), in); err != nil {
				t.Error(err)
			}
			if len(d.filters) != 1 || d.filters[0] != want {
				t.Errorf("filter for %q: %q, want %q", in, d.filters, want)
			}
		}
	})
}

func TestUsersInGroup(t *testing.T) {
	in := func(id string) string { return `{"id":"` + id + `","groups":[{"value":"g0"},{"value":"g1"}]}` }
	out := `{"id":"9","groups":[{"value":"G1"}]}`
	none := `{"id":"8","groups":[]}`
	mute := `{"id":"7"}`
	for name, tt := range map[string]struct {
		rows   []string
		filter func(http.ResponseWriter, string) ([]string, bool)
		want   string
		err    string
	}{
		"honoured":                   {nil, selects(in("1"), in("2"), in("3")), "1 2 3", ""},
		"ignored":                    {nil, selects(out, in("1"), none, mute, in("2")), "1 2", ""},
		"rejected":                   {[]string{out, in("1"), mute, in("2")}, rejects(400), "1 2", ""},
		"not implemented":            {[]string{in("1")}, rejects(501), "1", ""},
		"finds nobody, rightly":      {[]string{out, none, mute}, selects(), "", ""},
		"finds nobody, wrongly":      {[]string{out, in("1")}, selects(), "1", ""},
		"finds nobody, unverifiable": {[]string{mute, `{"id":"6"}`}, selects(), "", "users do not say"},
		"honoured, unverifiable":     {[]string{mute}, selects(mute), "", "users do not say"},
		"no users at all":            {nil, selects(), "", "shows no users and no groups"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &directory{rows: tt.rows, filter: tt.filter}
			var got []scim.User
			err := serve(t, 2, d.ServeHTTP).UsersInGroup(t.Context(), "g1", func(u scim.User) { got = append(got, u) })
			if tt.err != "" {
				kind := baton.Unsupported
				if tt.err != "users do not say" {
					kind = baton.Incomplete
				}
				wantError(t, err, kind, tt.err, "")
			} else if err != nil {
				t.Error(err)
			}
			if ids(got) != tt.want {
				t.Errorf("found %q, want %q", ids(got), tt.want)
			}
			if d.filters[0] != `groups.value eq "g1"` {
				t.Errorf("filter %q", d.filters[0])
			}
		})
	}
	t.Run("nobody before the list is complete", func(t *testing.T) {
		broken := func(w http.ResponseWriter, r *http.Request) {
			reply(w, 200, `{"totalResults":9,"Resources":[`+in(r.URL.Query().Get("startIndex"))+`]}`)
			if r.URL.Query().Get("startIndex") == "3" {
				panic(http.ErrAbortHandler)
			}
		}
		err := serve(t, 1, broken).UsersInGroup(t.Context(), "g1", func(u scim.User) { t.Errorf("%s of an unfinished list", u.ID) })
		wantError(t, err, baton.Unavailable, "find users of a group", "")
	})
}

// TestFindRestarts changes the list during the search.
func TestFindRestarts(t *testing.T) {
	requests := 0
	moving := func(w http.ResponseWriter, r *http.Request) {
		requests++
		total := 3
		if requests == 1 {
			total = 4
		}
		row := ""
		if id := r.URL.Query().Get("startIndex"); id < "4" {
			row = fmt.Sprintf(`{"id":"%s","userName":"ann"}`, id)
		}
		reply(w, 200, fmt.Sprintf(`{"totalResults":%d,"Resources":[%s]}`, total, row))
	}
	got, err := serve(t, 1, moving).ScanUsers(t.Context(), "ann")
	if err != nil || ids(got) != "1 2 3" || requests != 8 {
		t.Errorf("found %q after %d requests, %v", ids(got), requests, err)
	}
}
