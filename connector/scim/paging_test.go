package scim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"baton"
	"baton/connector/paging"
	"baton/connector/scim"
)

// query is a request for a page. nth counts requests from 1.
type query struct {
	start, count, nth int
	cursor            string
	sorted, byCursor  bool // sortBy, cursor were given
}

// page is a response. A nil total is left out. rows holds ids.
type page struct {
	rows   []int
	total  any
	next   string
	status int
	error  string // scimType
}

// dialect implements a server in one function.
type dialect func(q query) page

func (d dialect) handler() http.HandlerFunc {
	nth := 0
	return func(w http.ResponseWriter, r *http.Request) {
		nth++
		q := query{nth: nth, cursor: r.URL.Query().Get("cursor"), sorted: r.URL.Query().Has("sortBy"), byCursor: r.URL.Query().Has("cursor")}
		q.start, _ = strconv.Atoi(r.URL.Query().Get("startIndex"))
		q.count, _ = strconv.Atoi(r.URL.Query().Get("count"))
		p := d(q)
		if p.status != 0 {
			scimError(w, p.status, p.error, "refused")
			return
		}
		rows := []map[string]any{}
		for _, id := range p.rows {
			rows = append(rows, map[string]any{"id": fmt.Sprint("u", id), "userName": fmt.Sprintf("user%d@example.com", id)})
		}
		// Wrong values of itemsPerPage and startIndex have misled other clients.
		body := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, "Resources": rows, "itemsPerPage": q.count, "startIndex": 1}
		if p.total != nil {
			body["totalResults"] = p.total
		}
		if p.next != "" {
			body["nextCursor"] = p.next
		}
		reply(w, 200, body)
	}
}

func (d dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler()(w, r) }

// span returns the ids from one number to another, both included.
func span(from, to int) []int {
	var ids []int
	for id := from; id <= to; id++ {
		ids = append(ids, id)
	}
	return ids
}

// window returns the rows that a correct server with n rows and a page cap returns.
func window(q query, n, limit int) []int {
	start := max(q.start, 1)
	return span(start, min(n, start+min(q.count, limit)-1))
}

func honest(n, limit int) dialect {
	return func(q query) page { return page{rows: window(q, n, limit), total: n} }
}

// wrapping starts over past the end.
func wrapping(n, limit int) func(q query) []int {
	return func(q query) []int {
		q.start = (max(q.start, 1)-1)%n + 1
		return window(q, n, limit)
	}
}

// cursors names its pages c2, c3 and so on.
func cursors(n, limit int, total any) dialect {
	return func(q query) page {
		at := 1
		if q.cursor != "" {
			fmt.Sscanf(q.cursor, "c%d", &at)
			q.start = (at-1)*limit + 1
		}
		p := page{rows: window(q, n, limit), total: total}
		if at*limit < n {
			p.next = fmt.Sprint("c", at+1)
		}
		return p
	}
}

// shifted makes pages begin one row early, except past the end.
func shifted(q query, n int) query {
	if q.start > 1 && q.start <= n {
		q.start--
	}
	return q
}

// repeated returns a page of a list of n rows in which every fifth appears twice.
func repeated(q query, n, limit int) []int {
	var all []int
	for id := range n {
		all = append(all, id+1)
		if id%5 == 4 {
			all = append(all, id+1)
		}
	}
	from := min(q.start-1, len(all))
	return all[from:min(len(all), from+min(q.count, limit))]
}

type outcome struct {
	ids                []string
	requests, restarts int
	err                error
}

// drain reads a list to its end as a careful process would: it discards the rows of a failed page and stores
// the position between pages.
func drain(t testing.TB, c *scim.Client) outcome {
	t.Helper()
	var out outcome
	seen := map[string]bool{}
	for written := ""; ; {
		at, err := paging.ParsePosition(written)
		if err != nil {
			t.Fatal(err)
		}
		given := 0
		if out.requests++; out.requests > 1000 {
			t.Fatal("the list does not end")
		}
		step, err := listUsers(c, t.Context(), at, func(id string) bool { return seen[id] }, func(u scim.User) {
			if seen[u.ID] {
				t.Errorf("%s came twice", u.ID)
			}
			seen[u.ID] = true
			given++
			out.ids = append(out.ids, u.ID)
		})
		if err != nil {
			out.err = err
			return out
		}
		if step.Restart {
			if given > 0 {
				t.Errorf("%d rows of a page that restarts the list", given)
			}
			out.restarts++
			out.ids = nil
			clear(seen)
		}
		if step.Done {
			return out
		}
		if written = step.Next.String(); written == "" || len(written) > 300 {
			t.Fatalf("position %q", written)
		}
	}
}

func TestPaging(t *testing.T) {
	wrap250, wrap100, wrap20 := wrapping(250, 100), wrapping(100, 100), wrapping(20, 100)
	for name, tt := range map[string]struct {
		server             dialect
		rows               int
		requests, restarts int
		err                string // then rows do not matter
	}{
		"empty":                        {honest(0, 100), 0, 1, 0, ""},
		"one":                          {honest(1, 100), 1, 2, 0, ""},
		"less than a page":             {honest(20, 100), 20, 2, 0, ""},
		"exactly a page":               {honest(100, 100), 100, 2, 0, ""},
		"three pages":                  {honest(250, 100), 250, 4, 0, ""},
		"exactly three pages":          {honest(300, 100), 300, 5, 0, ""},
		"pages capped":                 {honest(120, 50), 120, 4, 0, ""},
		"pages capped at all there is": {honest(50, 50), 50, 2, 0, ""},
		"pages larger than requested":  {func(q query) page { return page{rows: span(1, 150), total: 150} }, 150, 5, 0, ""},

		"total is a string": {func(q query) page { return page{rows: window(q, 250, 100), total: "250"} }, 250, 4, 0, ""},
		"total is the page's": {func(q query) page {
			rows := window(q, 250, 100)
			return page{rows: rows, total: len(rows)}
		}, 250, 5, 0, ""},
		"total is the page's, list of full pages": {func(q query) page {
			rows := window(q, 200, 100)
			return page{rows: rows, total: len(rows)}
		}, 200, 5, 0, ""},
		"total is the page's, wraps": {func(q query) page {
			rows := wrap250(q)
			return page{rows: rows, total: len(rows)}
		}, 250, 6, 0, ""},
		"total is the page's, growing pages": {func(q query) page {
			rows := window(q, 250, 20+q.start)
			return page{rows: rows, total: len(rows)}
		}, 250, 7, 0, ""},
		"total is the requested count": {func(q query) page { return page{rows: window(q, 250, 100), total: q.count} }, 250, 5, 0, ""},
		"total missing":                {func(q query) page { return page{rows: window(q, 250, 100)} }, 250, 5, 0, ""},
		"total negative":               {func(q query) page { return page{rows: window(q, 250, 100), total: -1} }, 250, 5, 0, ""},
		"total null":                   {func(q query) page { return page{rows: window(q, 20, 100), total: []any{}} }, 20, 3, 0, ""},
		"total zero":                   {func(q query) page { return page{rows: window(q, 250, 100), total: 0} }, 250, 5, 0, ""},
		"total below the first page":   {func(q query) page { return page{rows: window(q, 250, 100), total: 10} }, 250, 5, 0, ""},
		"total below the list":         {func(q query) page { return page{rows: window(q, 250, 100), total: 150} }, 250, 5, 0, ""},
		"total above the list":         {func(q query) page { return page{rows: window(q, 250, 100), total: 300} }, 0, 5, 0, "ended after 250 different rows, but the server says there are 300"},
		"total above the list, silent at the end": {func(q query) page {
			if q.start > 250 {
				return page{}
			}
			return page{rows: window(q, 250, 100), total: 300}
		}, 0, 5, 0, "ended after 250 different rows, but the server says there are 300"},
		"total but no rows": {func(q query) page { return page{total: 3} }, 0, 4, 3, "ended after 0 different rows, but the server says there are 3"},
		"total zero past the end": {func(q query) page {
			if q.start > 100 {
				return page{total: 0}
			}
			return page{rows: span(1, 100), total: 100}
		}, 100, 4, 0, ""},
		"total on later pages only": {func(q query) page {
			if q.nth < 3 {
				return page{rows: window(q, 200, 100)}
			}
			return page{total: 300}
		}, 0, 6, 0, "199 different rows, but the server says there are 300"},
		"a row was dropped": {func(q query) page {
			rows := window(q, 250, 100)
			return page{rows: slices.DeleteFunc(rows, func(id int) bool { return id == 250 }), total: 250}
		}, 0, 5, 0, "249 different rows, but the server says there are 250"},
		"totals run ahead": {func(q query) page {
			rows := window(q, 250, 100)
			return page{rows: rows, total: q.start - 1 + len(rows)}
		}, 0, 8, 3, "kept changing"},

		"wraps":              {func(q query) page { return page{rows: wrap250(q), total: 250} }, 250, 4, 0, ""},
		"wraps, full page":   {func(q query) page { return page{rows: wrap100(q), total: 100} }, 100, 2, 0, ""},
		"wraps, part page":   {func(q query) page { return page{rows: wrap20(q), total: 20} }, 20, 2, 0, ""},
		"wraps, no total":    {func(q query) page { return page{rows: wrap250(q)} }, 250, 6, 0, ""},
		"wraps, full, mute":  {func(q query) page { return page{rows: wrap100(q)} }, 100, 4, 0, ""},
		"wraps inside pages": {func(q query) page { return page{rows: append(wrap20(q), span(1, 20)...), total: 20} }, 20, 2, 0, ""},

		"ignores startIndex, all there is": {func(q query) page { return page{rows: span(1, 20), total: 20} }, 20, 6, 0, ""},
		"ignores startIndex":               {func(q query) page { return page{rows: span(1, 100), total: 250} }, 0, 6, 1, "100 of 250 were received, then none that was new; it may ignore startIndex"},
		"ignores startIndex, page total":   {func(q query) page { return page{rows: span(1, 100), total: 100} }, 0, 4, 0, "ignores startIndex and returned a full page of 100"},
		"ignores startIndex, no total":     {func(q query) page { return page{rows: span(1, 100)} }, 0, 4, 0, "ignores startIndex"},
		"order changes unless sorted": {func(q query) page {
			rows := window(q, 250, 100)
			if !q.sorted && q.start > 1 && len(rows) > 1 {
				rows[1] = 1 // hides a row
			}
			return page{rows: rows, total: 250}
		}, 250, 9, 1, ""},
		"cursors only": {func(q query) page {
			if !q.byCursor {
				return page{status: 400}
			}
			return cursors(250, 100, nil)(q)
		}, 250, 3, 0, ""},
		"cursors only, one page": {func(q query) page {
			if !q.byCursor {
				return page{status: 400}
			}
			return cursors(20, 100, nil)(q)
		}, 20, 1, 0, ""},
		"refuses a start past the end": {func(q query) page {
			if q.start > 20 {
				return page{status: 400, error: "invalidValue"}
			}
			return page{rows: span(1, 20), total: 20}
		}, 20, 4, 0, ""},
		"refuses to go on": {func(q query) page {
			if q.start > 100 {
				return page{status: 400}
			}
			return page{rows: span(1, 100), total: 250}
		}, 0, 3, 0, "400 Bad Request"},
		"refuses to go on, no total": {func(q query) page {
			if q.start > 100 {
				return page{status: 400}
			}
			return page{rows: span(1, 100)}
		}, 0, 3, 0, "400 Bad Request"},

		"refuses the check": {func(q query) page {
			if q.start == 2 {
				return page{status: 400}
			}
			return page{rows: span(1, 100), total: 100}
		}, 0, 4, 0, "400 Bad Request"},
		"has nothing to say to the check": {func(q query) page {
			if q.start == 2 {
				return page{total: 100}
			}
			return page{rows: span(1, 100), total: 100}
		}, 0, 4, 0, "there may be more"},
		"grows during the check": {func(q query) page {
			if q.nth < 4 {
				return page{rows: span(1, 100), total: 100}
			}
			return page{rows: wrapping(101, 100)(q), total: 101}
		}, 101, 7, 1, ""},

		"grows": {func(q query) page {
			n := 250
			if q.nth > 1 {
				n++
			}
			return page{rows: window(q, n, 100), total: n}
		}, 251, 6, 1, ""},
		"grows past a page": {func(q query) page {
			n := 100
			if q.nth > 1 {
				n++
			}
			return page{rows: window(q, n, 100), total: n}
		}, 101, 5, 1, ""},
		"shrinks": {func(q query) page {
			n := 250
			if q.nth > 2 {
				n--
			}
			return page{rows: window(q, n, 100), total: n}
		}, 249, 7, 1, ""},
		"shrinks below what was read": {func(q query) page {
			switch q.nth {
			case 1:
				return page{rows: window(q, 250, 100), total: 250}
			case 2:
				return page{rows: window(q, 250, 100), total: 150}
			}
			return page{rows: window(q, 150, 100), total: 150}
		}, 150, 5, 1, ""},
		"shrinks after the only page": {func(q query) page {
			n := 100
			if q.nth > 1 {
				n--
			}
			return page{rows: window(q, n, 100), total: n}
		}, 99, 6, 1, ""},
		"never settles": {func(q query) page { return page{rows: window(q, 250, 100), total: 250 + q.nth} }, 0, 8, 3, "kept changing while it was read: the total went from 257 to 258"},
		"rows move once": {func(q query) page {
			if q.nth == 2 {
				q.start++ // a user left the first page, another one joined
			}
			return page{rows: window(q, 250, 100), total: 250}
		}, 250, 6, 1, ""},
		"rows move once, wraps": {func(q query) page {
			if q.nth == 2 {
				q.start++
			}
			return page{rows: wrap250(q), total: 250}
		}, 250, 6, 1, ""},
		"rows move once, no total": {func(q query) page {
			if q.nth == 2 {
				q.start++
			}
			return page{rows: window(q, 250, 100)}
		}, 250, 7, 1, ""},
		"cursors begin half-way, and rows move": {func(q query) page {
			if q.nth == 2 {
				return page{rows: span(q.start+1, q.start+100), total: 250, next: "c3"}
			}
			return page{rows: window(q, 250, 100), total: 250}
		}, 250, 6, 1, ""},
		"rows always move": {func(q query) page {
			if q.start > 1 {
				q.start++
			}
			return page{rows: window(q, 250, 100), total: 250}
		}, 0, 8, 3, "row 100 is not what it was"},
		"rows move back": {func(q query) page {
			if q.start > 1 {
				q.start-- // a user joined on the first page, one left the last page
			}
			return page{rows: window(q, 250, 100), total: 250}
		}, 250, 4, 0, ""},
		"a page comes out empty": {func(q query) page {
			if q.nth == 2 {
				return page{total: 250}
			}
			return page{rows: window(q, 250, 100), total: 250}
		}, 250, 5, 0, ""},
		"a page comes out empty, and rows move": {func(q query) page {
			if q.nth == 2 {
				return page{total: 250}
			}
			rows := window(q, 250, 100)
			for i := range rows {
				if q.nth > 2 {
					rows[i]++ // the first user left, another one joined at the end
				}
			}
			return page{rows: rows, total: 250}
		}, 250, 7, 1, ""},
		"all pages but the first come out empty": {func(q query) page {
			if q.start > 1 {
				return page{total: 250}
			}
			return page{rows: window(q, 250, 100), total: 250}
		}, 0, 5, 0, "ended after 100 different rows, but the server says there are 250"},
		"a page comes out empty, no total": {func(q query) page {
			if q.nth == 2 {
				return page{}
			}
			return page{rows: window(q, 250, 100)}
		}, 250, 7, 1, ""},
		"total below the list by a page": {func(q query) page { return page{rows: window(q, 250, 100), total: 200} }, 250, 5, 0, ""},
		"counts in whole pages": {func(q query) page {
			q.start = (q.start-1)/100*100 + 1
			return page{rows: window(q, 250, 100), total: 250}
		}, 250, 8, 0, ""},
		"counts in whole pages, no total": {func(q query) page {
			q.start = (q.start-1)/100*100 + 1
			return page{rows: window(q, 250, 100)}
		}, 250, 9, 0, ""},
		"one row a page, begins with the row before, page total": {func(q query) page {
			rows := window(shifted(q, 30), 30, 1)
			return page{rows: rows, total: len(rows)}
		}, 0, 61, 0, "the server repeats rows where the next ones should be"},
		"two rows a page, begins with the row before, page total": {func(q query) page {
			rows := window(shifted(q, 4), 4, 2)
			return page{rows: rows, total: len(rows)}
		}, 0, 20, 3, "kept changing"},
		"one row a page, rows twice, page total": {func(q query) page {
			rows := repeated(q, 20, 1)
			return page{rows: rows, total: len(rows)}
		}, 0, 48, 0, "the server repeats rows where the next ones should be"},
		"one row a page, rows twice":                 {func(q query) page { return page{rows: repeated(q, 20, 1), total: 20} }, 20, 48, 0, ""},
		"two rows a page, rows twice, total too low": {func(q query) page { return page{rows: repeated(q, 12, 2), total: 5} }, 12, 15, 0, ""},
		"one row a page, rows twice, total too low":  {func(q query) page { return page{rows: repeated(q, 12, 1), total: 5} }, 0, 28, 0, "the server repeats rows where the next ones should be"},
		"counts in pages of the requested size, capped": {func(q query) page {
			q.start = (q.start-1)/q.count*min(q.count, 50) + 1
			rows := window(q, 120, 50)
			return page{rows: rows, total: len(rows)}
		}, 120, 11, 0, ""},
		"one row a page, and rows move": {func(q query) page {
			if q.nth > 3 {
				q.start++ // the first user left, another one joined at the end
			}
			return page{rows: window(q, 5, 1), total: 4}
		}, 4, 13, 1, ""},
		"the only row of a page goes": {func(q query) page {
			rows := window(q, 2, 1)
			if q.nth > 1 {
				q.start++ // the first user left
				rows = window(q, 2, 1)
			}
			return page{rows: rows, total: len(rows)}
		}, 1, 6, 1, ""},
		"pages overlap": {func(q query) page {
			q.start -= min(q.start-1, 5)
			return page{rows: window(q, 250, 100), total: 250}
		}, 250, 4, 0, ""},
		"cursors":                              {cursors(250, 100, nil), 250, 3, 0, ""},
		"cursors and total":                    {cursors(250, 100, 250), 250, 3, 0, ""},
		"cursors, page total":                  {cursors(250, 100, 100), 250, 3, 0, ""},
		"cursors end too early":                {cursors(250, 100, 260), 0, 3, 0, "250 different rows, but the server says there are 260"},
		"cursors, no need":                     {cursors(100, 100, 100), 100, 2, 0, ""},
		"cursors, no need, startIndex ignored": {func(q query) page { return cursors(100, 100, 100)(query{count: q.count}) }, 0, 4, 0, "ignores startIndex"},
		"cursors, list grows": {func(q query) page {
			if q.nth == 2 {
				return cursors(251, 100, 251)(q)
			}
			return cursors(251, 100, 250+min(q.nth-1, 1))(q)
		}, 251, 5, 1, ""},
		"cursor expires once": {func(q query) page {
			if q.nth == 2 {
				return page{status: 400, error: "expiredCursor"}
			}
			return cursors(250, 100, 250)(q)
		}, 250, 5, 1, ""},
		"cursor never valid": {func(q query) page {
			if q.cursor != "" {
				return page{status: 400, error: "invalidCursor"}
			}
			return cursors(250, 100, 250)(q)
		}, 0, 8, 3, "kept changing: GET /Users: 400"},
		"cursor refused otherwise": {func(q query) page {
			if q.cursor != "" {
				return page{status: 400}
			}
			return cursors(250, 100, 250)(q)
		}, 0, 2, 0, "400 Bad Request"},
		"cursor refused otherwise, page total": {func(q query) page {
			if q.cursor != "" {
				return page{status: 400}
			}
			return cursors(250, 100, 100)(q)
		}, 0, 2, 0, "400 Bad Request"},
		"cursor goes round": {func(q query) page {
			p := cursors(250, 100, nil)(q)
			if p.next == "" {
				p.next = "c1"
			}
			return p
		}, 0, 13, 0, "10 pages in a row held no new row"},
		"cursor on the last page": {func(q query) page {
			p := cursors(250, 100, 250)(q)
			p.next = "c3"
			if q.cursor == "" {
				p.next = "c2"
			}
			return p
		}, 250, 13, 0, ""},
		"cursor with empty pages": {func(q query) page {
			var at int
			fmt.Sscanf(q.cursor, "c%d", &at)
			p := page{total: 30, next: fmt.Sprint("c", at+1)}
			if at%10 == 9 {
				p.rows = span(at-8, at+1)
			}
			if at == 29 {
				p.next = ""
			}
			return p
		}, 30, 30, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := drain(t, serve(t, 100, tt.server.handler()))
			switch {
			case strings.HasPrefix(tt.err, "400"):
				wantError(t, got.err, baton.Invalid, tt.err, "")
			case tt.err != "":
				wantError(t, got.err, baton.Incomplete, tt.err, "")
			case got.err != nil:
				t.Error(got.err)
			case len(got.ids) != tt.rows:
				t.Errorf("%d rows, want %d", len(got.ids), tt.rows)
			}
			if got.requests != tt.requests || got.restarts != tt.restarts {
				t.Errorf("%d requests and %d restarts, want %d and %d", got.requests, got.restarts, tt.requests, tt.restarts)
			}
		})
	}
}

// TestEverySmallServer tries all combinations of size, cap, page size and variants of servers that honour
// startIndex: each list must come out complete.
func TestEverySmallServer(t *testing.T) {
	totals := map[string]func(n int, rows []int) any{
		"true":        func(n int, _ []int) any { return n },
		"true or 0":   func(n int, rows []int) any { return n * min(len(rows), 1) },
		"page's":      func(_ int, rows []int) any { return len(rows) },
		"missing":     func(int, []int) any { return nil },
		"always 1":    func(int, []int) any { return 1 },
		"from page 2": nil,
	}
	lists := 0
	for totalsName, total := range totals {
		for _, past := range []string{"empty", "wrap", "refuse"} {
			for n := range 10 {
				for limit := 1; limit <= 5; limit++ {
					for size := 1; size <= 6; size++ {
						server := dialect(func(q query) page {
							rows := window(q, n, limit)
							if past == "wrap" && n > 0 {
								rows = wrapping(n, limit)(q)
							}
							p := page{rows: rows}
							switch {
							case past == "refuse" && q.start > max(n, 1):
								return page{status: 400}
							case total != nil:
								p.total = total(n, rows)
							case q.start > 1:
								p.total = n
							}
							return p
						})
						mute := totalsName == "missing"
						provable := !(past == "wrap" && n == 1 && (size == 1 || mute)) && // startIndex=2 requests nothing new
							!(n == 0 && totalsName == "always 1") && // the total is never reached
							!(past == "refuse" && totalsName != "true" && totalsName != "true or 0")
						if !provable {
							continue
						}
						lists++
						got := drain(t, connect(t, "https://scim.example.com", inProcess(server.handler()), size))
						if got.err != nil || len(got.ids) != n || got.restarts != 0 {
							t.Errorf("%d rows, cap %d, page size %d, total %s, past the end %s: %d rows, %d restarts, %v",
								n, limit, size, totalsName, past, len(got.ids), got.restarts, got.err)
						}
						// One row of an overlapping page is not new. A page with one row takes two requests.
						need := n/max(1, min(limit, size)-1) + 4
						if n == 1 || min(limit, size) == 1 {
							need = 2*n + 5
						}
						if got.requests > need {
							t.Errorf("%d requests for %d rows in pages of %d", got.requests, n, min(limit, size))
						}
					}
				}
			}
		}
	}
	if lists < 3000 {
		t.Errorf("only %d lists", lists)
	}
}

// TestForeignEndOfList checks that a response that is not a SCIM list does not end a list whose own pages
// have the schema, at any page, and also after the position was stored. It may end a list that is complete by
// its own total.
func TestForeignEndOfList(t *testing.T) {
	const lookalike = `{"totalResults":0,"Resources":[]}`
	for _, tt := range []struct {
		name     string
		server   dialect
		from     int // the request from which something else answers
		complete bool
	}{
		{"by cursor", func(q query) page {
			n, _ := strconv.Atoi(strings.TrimPrefix(q.cursor, "at"))
			p := page{rows: span(n+1, min(n+3, 9))}
			if n+3 < 9 {
				p.next = fmt.Sprint("at", n+3)
			}
			return p
		}, 2, false},
		{"without a total", func(q query) page { return page{rows: window(q, 9, 3)} }, 2, false},
		{"short of the total", honest(9, 3), 3, false},
		{"behind the total", honest(9, 3), 5, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own, requests := tt.server.handler(), 0
			c := serve(t, 3, func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests >= tt.from {
					reply(w, 200, lookalike)
					return
				}
				own(w, r)
			})
			seen := map[string]bool{}
			var at paging.Position
			for range 20 {
				step, err := listUsers(c, t.Context(), at, func(id string) bool { return seen[id] }, func(u scim.User) { seen[u.ID] = true })
				if err != nil {
					if tt.complete || baton.KindOf(err) != baton.Incomplete {
						t.Errorf("after %d rows: %v (%v)", len(seen), err, baton.KindOf(err))
					}
					return
				}
				if step.Done {
					if !tt.complete || len(seen) != 9 {
						t.Errorf("the list ends with %d rows", len(seen))
					}
					return
				}
				if at, err = paging.ParsePosition(step.Next.String()); err != nil { // as after a restart
					t.Fatal(err)
				}
			}
			t.Error("the list does not end")
		})
	}
}
