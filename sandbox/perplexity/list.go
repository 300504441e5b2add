package perplexity

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"baton/internal/scim"
)

const (
	listURN      = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	defaultCount = 100
	maxCount     = 1000
)

// row is a resource that can be listed.
type row interface {
	ident() string
	attribute(name string) any // the name in lower case
	size() int                 // about how many bytes of JSON it is
}

// window is the part of a list on one page.
type window struct {
	start, count int // 0-based start and maximum number of rows
	shown        int // startIndex in the answer
	requested    int // count in the request
	byCursor     bool
}

// listOf answers a list request over rows. candidates narrows the rows for a filter that is a single
// equality, if an index exists; the filter is still evaluated. It also returns the rows of the page if that
// is the first of an unfiltered list.
func listOf[T row](x *exchange, rows []T, candidates func(scim.Path, string) ([]T, bool), render func(T) object) (*answer, []T) {
	faults := x.s.faults
	source := x.query.Get("filter")
	if source != "" && !faults.On("filter-ignored") {
		if faults.On("filter-unsupported") {
			return fail(501, "", "filters are not supported").answer(), nil
		}
		f, err := scim.ParseFilter(source)
		if err != nil {
			return fail(400, "invalidFilter", "%v", err).answer(), nil
		}
		rows = choose(rows, f, candidates, faults.On("filter-case-sensitive"))
	}
	total := len(rows)
	if len(rows) >= 5 && faults.On("duplicate-rows") {
		rows = doubled(rows)
	}
	win, f := x.window(len(rows))
	if f != nil {
		return f.answer(), nil
	}
	end := min(win.start+win.count, len(rows))
	page := rows[min(win.start, end):end]
	next := ""
	switch {
	case !x.s.offersCursors() || win.count == 0:
	case end < len(rows):
		next = cursorAt(end)
	case faults.On("cursor-loops"):
		next = cursorAt(0)
	}
	if len(page) > 0 && faults.Every("empty-page") {
		page = nil
	}
	if len(page) > 0 && win.start <= 2 && end > 2 && faults.On("short-page") {
		page = slices.Delete(slices.Clone(page), 2-win.start, 3-win.start)
	}
	var first []T
	if source == "" && win.start == 0 && len(page) > 0 {
		first = page
	}
	if total > 0 && win.start >= len(rows) && faults.On("total-zero-past-end") {
		total = 0
	}
	return x.listAnswer(win, total, len(page), next, func(e *encoder) {
		size := 0
		for _, r := range page {
			size += r.size()
		}
		e.buf = slices.Grow(e.buf, size)
		for i, r := range page {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			doc := x.fields.Apply(render(r))
			if i == 1 && faults.On("missing-id") {
				doc.Remove("id")
			}
			e.value(doc)
		}
	}), first
}

func choose[T row](rows []T, f *scim.Filter, candidates func(scim.Path, string) ([]T, bool), exact bool) []T {
	if value, ok := f.Value.(string); ok && f.Op == "eq" && !exact {
		if narrowed, ok := candidates(f.Path, value); ok {
			rows = narrowed
		}
	}
	var chosen []T
	for _, r := range rows {
		if f.Matches(r.attribute, exact) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// doubled returns the list with every fifth row repeated.
func doubled[T any](rows []T) []T {
	var twice []T
	for i, r := range rows {
		twice = append(twice, r)
		if i%5 == 4 {
			twice = append(twice, r)
		}
	}
	return twice
}

// window reads the paging parameters. As the standard requires, it corrects numbers out of range and refuses
// anything else.
func (x *exchange) window(rows int) (window, *failure) {
	faults := x.s.faults
	start, f := x.number("startIndex", 1)
	if f != nil {
		return window{}, f
	}
	requested, f := x.number("count", defaultCount)
	if f != nil {
		return window{}, f
	}
	requested = max(0, requested)
	win := window{count: min(requested, maxCount), shown: max(1, start), requested: requested}
	if faults.Has("page-cap") {
		win.count = min(win.count, faults.Number("page-cap"))
	}
	if x.s.offersCursors() && x.query.Has("cursor") {
		win.byCursor = true
		win.start, f = x.cursor(rows)
		return win, f
	}
	if start > 1 && faults.On("cursor-only") {
		return window{}, fail(400, "invalidValue", "startIndex is not supported; follow nextCursor")
	}
	win.start = max(0, start-1)
	switch {
	case start > 1 && faults.On("ignore-start-index"):
		win.start, win.shown = 0, 1
	case faults.On("zero-based-start"):
		win.start = max(0, start)
	}
	if rows > 0 && win.start >= rows && faults.On("wrap-around") {
		win.start %= rows
	}
	if win.start > 0 && win.start < rows && faults.On("overlap-pages") {
		win.start--
	}
	return win, nil
}

func (x *exchange) number(name string, absent int) (int, *failure) {
	s := x.query.Get(name)
	if s == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fail(400, "invalidValue", "%s is %q, not a number", name, s)
	}
	return n, nil
}

func (s *Server) offersCursors() bool {
	f := s.faults
	return f.On("cursor") || f.Has("cursor-only") || f.Has("expire-cursor") || f.Has("cursor-loops")
}

func cursorAt(offset int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("after " + strconv.Itoa(offset)))
}

// cursor returns the offset of the cursor. An empty cursor is the first page.
func (x *exchange) cursor(rows int) (int, *failure) {
	given := x.query.Get("cursor")
	if given == "" {
		return 0, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(given)
	offset, err2 := strconv.Atoi(strings.TrimPrefix(string(plain), "after "))
	if err != nil || err2 != nil || offset < 0 || given != cursorAt(offset) {
		return 0, fail(400, "invalidCursor", "the cursor is not one of this server")
	}
	if x.s.faults.First("expire-cursor") {
		return 0, fail(400, "expiredCursor", "the cursor has expired; start over")
	}
	return min(offset, rows), nil
}

// listAnswer wraps a page of rows, which write appends, in a ListResponse.
func (x *exchange) listAnswer(win window, total, rows int, next string, write func(*encoder)) *answer {
	faults := x.s.faults
	e := x.encoder()
	e.stringNumbers = faults.On("string-numbers")
	e.buf = append(e.buf, `{"schemas":["`+listURN+`"]`...)
	switch {
	case faults.On("total-missing") || faults.On("cursor-only"):
	case faults.On("total-is-page-size"):
		e.number("totalResults", rows)
	case faults.On("total-lies-high"):
		e.number("totalResults", total+7)
	case faults.On("total-lies-low"):
		e.number("totalResults", max(0, total-7))
	default:
		e.number("totalResults", total)
	}
	if !win.byCursor && !faults.On("cursor-only") {
		e.number("startIndex", win.shown)
	}
	switch {
	case faults.On("items-per-page-echo"):
		e.number("itemsPerPage", win.requested)
	case faults.On("items-per-page-zero"):
		e.number("itemsPerPage", 0)
	default:
		e.number("itemsPerPage", rows)
	}
	if next != "" {
		e.buf = append(e.buf, `,"nextCursor":"`+next+`"`...)
	}
	if rows > 0 || !faults.On("resources-absent") {
		e.buf = append(e.buf, `,"Resources":[`...)
		write(e)
		e.buf = append(e.buf, ']')
	}
	e.buf = append(e.buf, '}')
	return &answer{status: http.StatusOK, header: scimHeader(), body: e.buf, inserts: e.inserts}
}

func (e *encoder) number(name string, n int) {
	e.buf = append(e.buf, `,"`+name+`":`...)
	if e.stringNumbers {
		e.buf = append(e.buf, `"`+strconv.Itoa(n)+`"`...)
		return
	}
	e.buf = strconv.AppendInt(e.buf, int64(n), 10)
}

func (x *exchange) parseFields() *failure {
	var err *scim.Error
	if x.fields, err = scim.ParseFields(x.query.Get("attributes"), x.query.Get("excludedAttributes")); err != nil {
		return refused(err)
	}
	return nil
}
