package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"baton"
	"baton/internal/jsonscan"
)

const (
	maxRestarts = 3
	maxRows     = 1 << 40
	maxEmpty    = 3 // empty pages in place of one that was to begin with a known row
)

// Position is where a list stands, small enough to be stored with every page and
// complete enough for another process to go on. The zero Position is the start.
// Its fields are the list's own business.
type Position struct {
	Received int    `json:"received,omitempty"` // rows, repeated ones included
	Distinct int    `json:"distinct,omitempty"` // rows, each once
	Total    int    `json:"total,omitempty"`    // as the first page said, 0 if it did not
	First    string `json:"first,omitempty"`    // id of the very first row
	Last     string `json:"last,omitempty"`     // id of the last row so far, that the next page is to begin with
	Aligned  bool   `json:"aligned,omitempty"`  // the next page begins behind the last row: repeating it leads nowhere here
	Empty    int    `json:"empty,omitempty"`    // pages without any row, in a row
	Handle   string `json:"handle,omitempty"`   // names the result that the pages are cut from
	Restarts int    `json:"restarts,omitempty"` // passes given up so far
}

// ParsePosition reads what String wrote. Corrupt for anything else.
func ParsePosition(s string) (Position, error) {
	var p Position
	if s == "" {
		return p, nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	err := d.Decode(&p)
	within := func(n, limit int) bool { return 0 <= n && n <= limit }
	if err != nil || d.More() || !within(p.Received, maxRows) || !within(p.Distinct, p.Received) ||
		!within(p.Total, maxRows) || !within(p.Empty, maxEmpty) || !within(p.Restarts, maxRestarts) {
		return Position{}, baton.Errorf(baton.Corrupt, "percipio: not a position in a list").WithFix("Run with --fresh to start over.")
	}
	return p, nil
}

// String is the position as JSON, or empty at the start.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	b, _ := json.Marshal(p) // strings and integers only
	return string(b)
}

// ListStep is the state of a list after a page.
type ListStep struct {
	Next Position
	Done bool // the list is complete, and proved to be
	// Restart voids all rows of this pass: the list changed and begins anew at Next.
	Restart bool
	Total   int // rows in all, 0 if the API does not say
}

// Sink takes the rows of one page as they arrive.
type Sink[T any] struct {
	// Seen reports whether a row with that id came with an earlier page of this pass,
	// also if another process read that page. Nothing was seen when it is nil.
	Seen func(id string) bool
	// Row gets the rows that were not seen, each once; those without an id all. They
	// count only if the whole page does: after an error, or with ListStep.Restart, they
	// are void.
	Row func(T)
	// Void says that the rows of this page so far are void: the answer broke off and is
	// read anew.
	Void func()
}

// listing is one of the two lists.
type listing[T any] struct {
	path string
	rows func(*jsonscan.Scanner) func() T // makes a reader of rows
	id   func(T) string
	sink Sink[T]
}

// listPage reads and judges one page.
func listPage[T any](ctx context.Context, c *Client, l listing[T], at Position) (ListStep, error) {
	query := url.Values{"offset": {strconv.Itoa(at.offset())}, "max": {strconv.Itoa(maxPage)}}
	if at.Handle != "" {
		query.Set("pagingRequestId", at.Handle)
	}
	var a page
	begun := false
	err := c.get(ctx, l.path, query, func(h http.Header, s *jsonscan.Scanner) (err error) {
		if begun && l.sink.Void != nil {
			l.sink.Void()
		}
		begun = true
		a, err = readPage(h, s, l, at)
		return err
	})
	if at.Handle != "" && handleLost(err) {
		next, v, err := at.again(baton.Errorf(baton.Incomplete, "the paging id does not hold: %w", err))
		return ListStep{Next: next, Restart: v == restart}, err
	}
	if err != nil {
		return ListStep{}, err
	}
	next, v, err := at.after(a)
	if err != nil {
		return ListStep{}, err
	}
	step := ListStep{Next: next, Done: v == end, Restart: v == restart}
	if next.counted() {
		step.Total = next.Total
	}
	return step, nil
}

// readPage reads the rows of one page.
func readPage[T any](h http.Header, s *jsonscan.Scanner, l listing[T], at Position) (page, error) {
	a := page{handle: h.Get("X-Paging-Request-Id")}
	a.total, _ = totalOf(h)
	inPage := make(map[string]bool, maxPage)
	read := l.rows(s)
	err := readRows(s, func() {
		item := read()
		id := l.id(item)
		if s.Err() != nil {
			s.Locate(a.rows+1, id)
			return
		}
		// The row that comes again is known, even to a caller who had no use for it.
		again := a.rows == 0 && at.overlaps() && id == at.Last
		known := id != "" && (again || inPage[id] || l.sink.Seen != nil && l.sink.Seen(id))
		if a.rows++; a.rows == 1 {
			a.first, a.skips = id, !known
		}
		if a.last = id; known {
			return
		}
		inPage[strings.Clone(id)] = true // and not all that came with it
		a.fresh++
		l.sink.Row(item)
	})
	return a, err
}

// handleLost reports whether a paging id was refused. How long one lives, and what
// is answered then, is documented nowhere.
func handleLost(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return baton.KindOf(err) != baton.RateLimited
	}
	return false
}

// page is what one page says about the list.
type page struct {
	rows, fresh int
	total       int // 0 when not said
	first, last string
	skips       bool // the first row is one that was not seen before
	handle      string
}

type verdict int

const (
	more verdict = iota
	end
	restart
)

// counted reports whether there is a total that the rows have not contradicted.
func (p Position) counted() bool { return p.Total > 0 && p.Distinct <= p.Total }

// overlaps reports whether the next page is asked for from the last row on and not
// from the one behind it. Accounts are a live table: if some that were read have gone
// meanwhile, those behind have moved up, and the page begins with a row that nobody has
// seen; as many may have come elsewhere, so that the total tells nothing.
func (p Position) overlaps() bool { return p.Last != "" && !p.Aligned }

func (p Position) offset() int {
	if p.overlaps() {
		return p.Received - 1
	}
	return p.Received
}

// after judges a page by the table in the package comment.
func (p Position) after(a page) (Position, verdict, error) {
	next := p
	next.Received += a.rows
	next.Distinct += a.fresh
	if a.rows > 0 {
		next.Last = a.last
		if p.overlaps() {
			next.Received-- // the row that came again
		}
	}
	if p.Received == 0 {
		next.Total, next.First, next.Handle, next.Aligned = a.total, a.first, a.handle, p.Aligned || a.rows == 1
	} else if p.Total > 0 && a.total > 0 && a.total != p.Total {
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: the total went from %d to %d", p.Total, a.total))
	}
	complete := next.counted() && next.Distinct == next.Total
	switch {
	case p.overlaps():
		return p.overlapped(next, a, complete)
	case a.rows == 0 && !next.counted(), complete && a.fresh == 0:
		return next, end, nil
	case a.rows == 0 && p.Received == 0:
		return p.again(baton.Errorf(baton.Incomplete, "the list has no rows, but there should be %d", next.Total)) // a hiccup, perhaps
	case a.rows == 0 && next.Received == next.Distinct:
		return p, more, baton.Errorf(baton.Incomplete, "the list ended after %d rows, but there should be %d", next.Distinct, next.Total)
	case a.rows == 0:
		return p.again(baton.Errorf(baton.Incomplete, "rows kept moving while they were read: %d of %d were found", next.Distinct, next.Total))
	case p.Received > 0 && a.first == p.First && a.first != "", a.fresh == 0:
		return p.again(baton.Errorf(baton.Incomplete, "the same rows come again after %d; the offset may be ignored", next.Distinct))
	case next.Received > maxRows:
		return p, more, baton.Errorf(baton.Incomplete, "the list has no end: %d rows so far", next.Received)
	}
	return next, more, nil
}

// overlapped judges a page that was to begin with the last row of the page before.
func (p Position) overlapped(next Position, a page, complete bool) (Position, verdict, error) {
	switch {
	case a.skips, a.rows == 0 && !next.counted():
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: row %d is not what it was", p.Received))
	case a.fresh > 0:
		next.Empty = 0
		return next, more, nil
	case complete && a.rows > 0 && a.first == p.Last:
		return next, end, nil
	case a.rows == 0 && !complete && p.Received == p.Distinct:
		// A hiccup, perhaps. To go on behind it would miss what has moved meanwhile.
		if p.Empty < maxEmpty {
			p.Empty++
			return p, more, nil
		}
		return p, more, baton.Errorf(baton.Incomplete, "the list ended after %d rows, but there should be %d", next.Distinct, next.Total)
	}
	p.Aligned = true // nothing is proved: some servers count in whole pages, or send one row at a time
	return p, more, nil
}

// again begins a new pass, or gives up with err after too many.
func (p Position) again(err error) (Position, verdict, error) {
	if p.Restarts >= maxRestarts {
		return p, more, err
	}
	return Position{Restarts: p.Restarts + 1, Aligned: p.Aligned}, restart, nil
}
