package scim

import (
	"encoding/json"
	"strings"

	"baton"
)

const (
	maxPages    = 100_000
	maxRows     = 1 << 40 // beyond any list; keeps startIndex far from overflow
	maxRestarts = 3
	maxBarren   = 10 // pages of a cursor without a new row
	maxEmpty    = 3  // empty pages in place of one that was to begin with a known row
)

// Position is where a list stands, small enough to be stored with every page and
// complete enough for another process to go on. The zero Position is the start.
// Its fields are the list's own business.
type Position struct {
	Pages    int    `json:"pages,omitempty"`    // read in this pass
	Received int    `json:"received,omitempty"` // rows, repeated ones included
	Distinct int    `json:"distinct,omitempty"` // rows, each once
	Total    int    `json:"total,omitempty"`    // as the first page claimed, 0 if it did not
	First    string `json:"first,omitempty"`    // id of the very first row
	Last     string `json:"last,omitempty"`     // id of the last row so far, that the next page is to begin with
	Aligned  bool   `json:"aligned,omitempty"`  // the next page begins behind the last row: repeating it leads nowhere here
	Check    bool   `json:"check,omitempty"`    // next: does the server heed startIndex?
	Cursor   string `json:"cursor,omitempty"`
	Barren   int    `json:"barren,omitempty"`   // pages without a new row, in a row
	Restarts int    `json:"restarts,omitempty"` // passes given up so far
	Sorted   bool   `json:"sorted,omitempty"`   // the server is asked for an order, its own did not hold
}

// ParsePosition reads what String wrote. Invalid for anything else.
func ParsePosition(s string) (Position, error) {
	var p Position
	if s == "" {
		return p, nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	err := d.Decode(&p)
	within := func(n, limit int) bool { return 0 <= n && n <= limit }
	sane := within(p.Pages, maxPages) && within(p.Received, maxRows) && within(p.Distinct, p.Received) &&
		within(p.Total, maxRows) && within(p.Barren, maxBarren) && within(p.Restarts, maxRestarts)
	if err != nil || d.More() || !sane {
		return Position{}, baton.Errorf(baton.Invalid, "scim: not a position in a list").
			WithFix("begin the list anew")
	}
	return p, nil
}

// String is the position as JSON, or empty at the start.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	b, _ := json.Marshal(p) // strings, integers and booleans only
	return string(b)
}

// answer is what one page says about the list.
type answer struct {
	rows, fresh int
	total       int    // 0 when not said
	next        string // cursor
	first, last string // ids of the first row and the last one
	skips       bool   // the first row is one that was not seen before
	refused     bool   // the server refuses to go on, and that is credible

	formal, named bool // see ListStep
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
// from the one behind it. If rows that were read already have gone meanwhile, those
// behind have moved up, and the page begins with a row that nobody has seen: the rows
// in between would be missed, with a total that may be right all the same.
func (p Position) overlaps() bool {
	return p.Pages > 0 && p.Last != "" && p.Cursor == "" && !p.Aligned && !p.Check
}

// startIndex is where the next page is to begin.
func (p Position) startIndex() int {
	switch {
	case p.Check:
		return 2
	case p.overlaps():
		return p.Received
	}
	return p.Received + 1
}

// after judges a page by the table in the package comment. asked is the number of
// rows that were asked for.
func (p Position) after(a answer, asked int) (Position, verdict, error) {
	if p.Check {
		return p.checked(a)
	}
	next := p
	next.Pages++
	next.Received += a.rows
	next.Distinct += a.fresh
	next.Cursor = a.next
	if a.rows > 0 {
		next.Last = a.last
		if p.overlaps() {
			next.Received-- // the row that came again
		}
	}
	switch {
	case p.Pages == 0:
		next.Total, next.First, next.Aligned = a.total, a.first, a.rows == 1 || p.Aligned
	case p.counted() && a.total > 0 && a.total != p.Total && (p.Distinct < p.Total || a.total >= next.Distinct):
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: the total went from %d to %d", p.Total, a.total))
	}
	complete := next.counted() && next.Distinct == next.Total
	switch {
	case next.Pages >= maxPages || next.Received > maxRows:
		return p, more, baton.Errorf(baton.Incomplete, "the list has no end: %d pages and %d different rows so far", next.Pages, next.Distinct)
	case p.overlaps() && a.skips:
		return p.moved()
	case a.next != "":
		next.Barren++
		if a.fresh > 0 {
			next.Barren = 0
		}
		if next.Barren < maxBarren {
			return next, more, nil
		}
		if complete {
			return next, end, nil
		}
		return p, more, baton.Errorf(baton.Incomplete, "%d pages in a row held no new row, and the server still gives a cursor", next.Barren)
	case p.overlaps() && !a.refused:
		return p.overlapped(next, a, complete)
	case p.Cursor != "" || a.rows == 0:
		return p.ended(next, a)
	case a.fresh == 0 && next.counted() && !complete && p.Pages <= 1:
		err := baton.Errorf(baton.Incomplete, "the server repeats rows: %d of %d were received, then none that was new; it may ignore startIndex", next.Distinct, next.Total)
		if p.Sorted {
			return p, more, err
		}
		return p.inOrder(err)
	case a.fresh == 0 && p.Pages == 1 && p.Received == asked:
		p.Check = true
		return p, more, nil
	case a.fresh == 0:
		return p.ended(next, a)
	}
	return next, more, nil
}

// overlapped judges a page that was to begin with the last row of the page before.
func (p Position) overlapped(next Position, a answer, complete bool) (Position, verdict, error) {
	switch {
	case a.rows == 0 && !next.counted() && a.total == 0:
		return p.moved()
	case a.fresh > 0:
		next.Barren = 0
		return next, more, nil
	case complete && a.rows > 0 && a.first == p.Last:
		return next, end, nil
	case a.rows == 0 && !complete && p.Received == p.Distinct:
		// A hiccup, perhaps. To go on behind it would miss what has moved meanwhile.
		if p.Barren < maxEmpty {
			p.Barren++
			return p, more, nil
		}
		return p.ended(next, a)
	}
	p.Aligned = true // nothing is proved: some servers count in whole pages, or send one row at a time
	return p, more, nil
}

// checked judges the answer to startIndex=2.
func (p Position) checked(a answer) (Position, verdict, error) {
	switch {
	case a.fresh > 0:
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: rows appeared"))
	case a.rows == 0 || a.first == p.First:
		return p, more, baton.Errorf(baton.Incomplete, "the server ignores startIndex and returned a full page of %d rows, so there may be more", p.Received).
			WithFix("ask for larger pages than there are rows")
	}
	return p, end, nil
}

// ended is the verdict when nothing new follows.
func (p Position) ended(next Position, a answer) (Position, verdict, error) {
	claim := a.total
	if next.counted() {
		claim = next.Total
	}
	if next.Distinct >= claim {
		return next, end, nil
	}
	err := baton.Errorf(baton.Incomplete, "the list ended after %d different rows, but the server says there are %d", next.Distinct, claim)
	switch {
	case next.Received > next.Distinct:
		return p.inOrder(err)
	case p.Pages == 0:
		return p.again(err) // nothing at all in place of a first page: a hiccup, perhaps
	}
	return p, more, err
}

// moved begins a new pass, for rows were skipped.
func (p Position) moved() (Position, verdict, error) {
	err := baton.Errorf(baton.Incomplete, "the list kept changing while it was read: row %d is not what it was", p.Received)
	if p.Restarts > 0 {
		return p.inOrder(err)
	}
	return p.again(err)
}

// inOrder begins a new pass that asks for sorted rows: a server whose order changes
// from page to page repeats some rows and leaves others out.
func (p Position) inOrder(err error) (Position, verdict, error) {
	if p.Sorted {
		return p.again(err)
	}
	next, v, err := p.again(err)
	next.Sorted = v == restart
	return next, v, err
}

// again begins a new pass, or gives up with err after too many.
func (p Position) again(err error) (Position, verdict, error) {
	if p.Restarts >= maxRestarts {
		return p, more, err
	}
	return Position{Restarts: p.Restarts + 1, Sorted: p.Sorted, Aligned: p.Aligned}, restart, nil
}
