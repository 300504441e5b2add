package field

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"baton/internal/longtest"
)

// crowd returns an organisation with n accounts, all in one group.
func crowd(n int) *organisation {
	o := small()
	for i := range n - len(o.accounts) {
		o.accounts = append(o.accounts, &account{id: fmt.Sprint("p", i), userName: fmt.Sprintf("person%d@acme.example", i)})
	}
	everyone := &team{id: "g3", name: "Everyone"}
	for _, u := range o.accounts {
		everyone.members = append(everyone.members, u.id)
	}
	o.teams = append(o.teams, everyone)
	return o
}

// countOf returns the number of rows that a request asks for, or 0 if it is not for a list.
func countOf(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Query().Get("count"))
	return n
}

// isList reports whether a request is for the list of users or groups.
func isList(r *http.Request) bool {
	return r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, "/Users") || strings.HasSuffix(r.URL.Path, "/Groups"))
}

// advertises answers the request for the service provider configuration.
func advertises(config string) answering {
	return onRequest("/ServiceProviderConfig$", reply(200, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],`+config+`}`))
}

// refusing answers requests for more than limit rows in the given way, and counts these answers.
func refusing(limit int, refused *int, with answering) answering {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !isList(r) || countOf(r) <= limit {
			return false
		}
		*refused++
		return with(w, r)
	}
}

// scimSays answers with a SCIM error.
func scimSays(status int, scimType, detail string) answering {
	return reply(status, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","scimType":%q,"detail":%q}`, status, scimType, detail))
}

// TestPagesOfARefusedSize: if the server refuses the number of rows, the client requests fewer from then on.
func TestPagesOfARefusedSize(t *testing.T) {
	for name, tt := range map[string]struct {
		front   func(refused *int) answering
		refused int // maximum number of refused requests
		count   int // final page size, 0 if it does not matter
	}{
		"tooMany": {func(n *int) answering { return refusing(30, n, scimSays(400, "tooMany", "too many results")) }, 4, 25},
		"invalidValue, advertised": {func(n *int) answering {
			return either(advertises(`"filter":{"supported":true,"maxResults":30}`), refusing(30, n, scimSays(400, "invalidValue", "bad request")))
		}, 4, 30},
		"advertised as the size of pages": {func(n *int) answering {
			return either(advertises(`"pagination":{"index":true,"maxPageSize":40}`), refusing(40, n, scimSays(422, "", "")))
		}, 2, 40},
		"advertised wrongly": {func(n *int) answering {
			return either(advertises(`"filter":{"supported":true,"maxResults":50}`), refusing(30, n, scimSays(400, "invalidValue", "count")))
		}, 4, 25},
		"422, by name": {func(n *int) answering {
			return refusing(30, n, reply(422, `{"errors":["count must be between 1 and 30"]}`))
		}, 2, 30},
		"400 in other words": {func(n *int) answering {
			return refusing(30, n, reply(400, `{"message":"Page size exceeds the maximum of 20"}`))
		}, 2, 20},
		"400 without a word": {func(n *int) answering { return refusing(30, n, reply(400, ``)) }, 8, 25},
		"422 without a word": {func(n *int) answering { return refusing(12, n, reply(422, `{"status":422}`)) }, 10, 12},
		"down to one row":    {func(n *int) answering { return refusing(1, n, scimSays(400, "tooMany", "count")) }, 14, 1},
	} {
		t.Run(name, func(t *testing.T) {
			refused := 0
			o := crowd(120)
			o.front = tt.front(&refused)
			p := perplexity(t, o.serve(t))
			p.run(t).succeeds(t)
			if t.Failed() {
				return
			}
			if got, want := p.grants(t), o.memberships(); !slices.Equal(got, want) {
				t.Errorf("%d grants, want %d", len(got), len(want))
			}
			if refused > tt.refused {
				t.Errorf("%d requests were refused, want %d at the most", refused, tt.refused)
			}
			if last := o.requests[len(o.requests)-1]; !strings.Contains(last, fmt.Sprintf("count=%d&", tt.count)) {
				t.Errorf("the last request is %s, want it for %d rows", last, tt.count)
			}
			p.run(t, "--invoke-action", "disable_user", "--invoke-action-args", `{"user_id":"u2"}`).succeeds(t)
			p.run(t, "doctor").succeeds(t)
		})
	}
	t.Run("for another reason", func(t *testing.T) {
		o := small()
		o.front = func(w http.ResponseWriter, r *http.Request) bool {
			return reply(400, `{"detail":"the tenant is suspended"}`)(w, r)
		}
		p := perplexity(t, o.serve(t))
		p.refuses(t, p.run(t), "400 Bad Request: the tenant is suspended")
		// Two lists are read at the same time, until one fails or both have been requested in every size and
		// by cursor.
		if o.requestCount() > 2*11 {
			t.Errorf("%d requests", o.requestCount())
		}
	})
}

// padded adds a text of that many bytes to the documents of groups with that many members.
func padded(o *organisation, members, bytes int) {
	pad := strings.Repeat("x", bytes)
	o.shape = func(g *team) string {
		if len(g.members) == members {
			return usual(g) + `,"notes":"` + pad + `"`
		}
		return usual(g)
	}
}

// heavy answers 413 to pages with more than limit groups whose names begin with Large.
func heavy(o *organisation, limit int) answering {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !isList(r) || !strings.HasSuffix(r.URL.Path, "/Groups") {
			return false
		}
		start, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
		large := 0
		for i, g := range o.teams {
			if strings.HasPrefix(g.name, "Large") && i+1 >= start && i+1 < start+countOf(r) {
				large++
			}
		}
		return large > limit && reply(413, ``)(w, r)
	}
}

// TestPagesThatAreTooLarge: pages that exceed the size limit of the client or the server are requested with
// fewer rows, and later pages with more again.
func TestPagesThatAreTooLarge(t *testing.T) {
	groups := func(large int) *organisation {
		o := small()
		for i := range 60 {
			g := &team{id: fmt.Sprint("t", i), name: fmt.Sprint("Team ", i), members: []string{"u2"}}
			if i >= 10 && i < 10+large {
				g.name, g.members = fmt.Sprint("Large ", i), []string{"u1", "u2", "u3"}
			}
			o.teams = append(o.teams, g)
		}
		return o
	}
	for name, tt := range map[string]struct {
		prepare  func() *organisation
		requests int // requests for groups
	}{
		"413":                          {func() *organisation { o := groups(40); o.front = heavy(o, 20); return o }, 12},
		"413, two of them at a time":   {func() *organisation { o := groups(3); o.front = heavy(o, 2); return o }, 25},
		"413, one of them at a time":   {func() *organisation { o := groups(3); o.front = heavy(o, 1); return o }, 40},
		"more bytes than are read":     {func() *organisation { o := groups(30); padded(o, 3, 5<<19); return o }, 12},
		"large rows, each by itself":   {func() *organisation { o := groups(2); padded(o, 3, 40<<20); return o }, 30},
		"answers that come in no time": {func() *organisation { return groups(0) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "large rows") {
				longtest.Only(t)
			}
			o := tt.prepare()
			p := perplexity(t, o.serve(t))
			p.run(t).succeeds(t)
			if t.Failed() {
				return
			}
			if got, want := p.grants(t), o.memberships(); !slices.Equal(got, want) {
				t.Errorf("%d grants, want %d", len(got), len(want))
			}
			requests := 0
			for _, r := range o.requests {
				if strings.Contains(r, "/Groups?") {
					requests++
				}
			}
			if requests > tt.requests {
				t.Errorf("%d requests for groups, want %d at the most: %q", requests, tt.requests, o.requests)
			}
		})
	}
}

// TestARowThatIsTooLarge: the error names the row and gives advice.
func TestARowThatIsTooLarge(t *testing.T) {
	for name, prepare := range map[string]func(*organisation){
		"413":   func(o *organisation) { o.front = heavy(o, 0) },
		"bytes": func(o *organisation) { padded(o, 5, 70<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "bytes" {
				longtest.Only(t)
			}
			o := crowd(5)
			o.teams[2].name = "Large"
			prepare(o)
			p := perplexity(t, o.serve(t))
			got := p.run(t)
			p.refuses(t, got, "list groups", "row 3 of the list alone", "$ref and display of members")
			if strings.Contains(got.stderr, "per page") {
				t.Errorf("it names a setting that does not exist:\n%s", got.stderr)
			}
		})
	}
}

// TestPagesThatTakeTooLong: the client requests fewer rows while a page times out, here or at a gateway.
func TestPagesThatTakeTooLong(t *testing.T) {
	never := func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	for name, with := range map[string]answering{"no answer": never, "504": reply(504, ``), "524": reply(524, `error code: 524`)} {
		t.Run(name, func(t *testing.T) {
			var slow atomic.Int64
			o := crowd(120)
			server := unlocked(o, func(w http.ResponseWriter, r *http.Request) bool {
				if countOf(r) <= 30 {
					return false
				}
				slow.Add(1)
				return with(w, r)
			}, t)
			p := perplexity(t, server, "BATON_HTTP_TIMEOUT_SECONDS=1")
			p.run(t).succeeds(t)
			if t.Failed() {
				return
			}
			if got, want := p.grants(t), o.memberships(); !slices.Equal(got, want) {
				t.Errorf("%d grants, want %d", len(got), len(want))
			}
			if n := slow.Load(); n > 8 {
				t.Errorf("%d requests were in vain", n)
			}
		})
	}
}

// unlocked serves the organisation behind a front that may wait, and returns the SCIM URL.
func unlocked(o *organisation, front answering, t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		if !isList(r) || !front(w, r) {
			o.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/scim/v2"
}

// TestPagesThatRepeatRows: a list that repeats rows in place of the next ones, without a total as proof, does
// not count as complete.
func TestPagesThatRepeatRows(t *testing.T) {
	for name, cap := range map[string]int{"one row a page": 1, "two rows a page": 2} {
		t.Run(name, func(t *testing.T) {
			o := crowd(6)
			o.front = func(w http.ResponseWriter, r *http.Request) bool {
				if !isList(r) || !strings.HasSuffix(r.URL.Path, "/Users") {
					return false
				}
				from, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
				if from--; from > 0 && from < len(o.accounts) {
					from-- // each page begins with the last row of the previous one, whatever the request
				}
				from = min(from, len(o.accounts))
				rows := o.accounts[from:min(len(o.accounts), from+cap)]
				fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"Resources":[`, len(rows))
				for i, u := range rows {
					if i > 0 {
						io.WriteString(w, ",")
					}
					io.WriteString(w, u.document())
				}
				io.WriteString(w, `]}`)
				return true
			}
			p := perplexity(t, o.serve(t))
			p.refuses(t, p.run(t), "list users")
		})
	}
}

// TestPagesOfPercipio: pages of 1,000 rows are requested with fewer rows if they are refused, too large or
// too slow.
func TestPagesOfPercipio(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		limit  int
		failed int // failed requests of a full sync
	}{
		"400 by name":        {400, `{"message":"max must not be greater than 200"}`, 200, 2},
		"400 without a word": {400, ``, 200, 6},
		"422":                {422, `{"error":"too many results"}`, 200, 6},
		"413":                {413, ``, 200, 6},
		"504":                {504, ``, 200, 6},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcademy()
			users := []string{strings.Trim(a.users, "[]")}
			for i := range 499 {
				users = append(users, fmt.Sprintf(`{"id":"9ab1c2d3-1111-4222-8333-%012d","loginName":"p%d","isActive":true}`, i, i))
			}
			a.users = "[" + strings.Join(users, ",") + "]"
			var mu sync.Mutex
			vain := 0
			u := serveUpstream(t, a, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n, _ := strconv.Atoi(r.URL.Query().Get("max")); n > tt.limit {
						mu.Lock()
						vain++
						mu.Unlock()
						reply(tt.status, tt.body)(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
			p := percipio(t, u.URL)
			p.run(t).succeeds(t)
			if t.Failed() {
				return
			}
			if got := p.resources(t, "user"); len(got) != 500 {
				t.Errorf("%d accounts, want 500", len(got))
			}
			if vain > tt.failed {
				t.Errorf("%d requests were in vain, want %d at the most", vain, tt.failed)
			}
			q := percipio(t, u.URL, "BATON_LIMITED_COURSES="+courseID)
			q.run(t).succeeds(t)
		})
	}
	t.Run("a row that is too large", func(t *testing.T) {
		a := newAcademy()
		a.courses = "[" + course(courseID, "Safety", "ACTIVE") + "," + course(otherID, "Large", "ACTIVE") + "]"
		u := serveUpstream(t, a, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
				limit, _ := strconv.Atoi(r.URL.Query().Get("max"))
				if strings.HasSuffix(r.URL.Path, "/catalog-content") && offset <= 1 && offset+limit > 1 {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		p := percipio(t, u.URL)
		p.refuses(t, p.run(t), "list the catalogue", "row 2 of the list alone", "Skillsoft support")
	})
}
