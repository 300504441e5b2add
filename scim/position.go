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
	Check    bool   `json:"check,omitempty"`    // next: does the server heed startIndex?
	Cursor   string `json:"cursor,omitempty"`
	Barren   int    `json:"barren,omitempty"`   // pages of the cursor without a new row, in a row
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
	first       string // id of the first row
}

type verdict int

const (
	more verdict = iota
	end
	restart
)

// counted reports whether there is a total that the rows have not contradicted.
func (p Position) counted() bool { return p.Total > 0 && p.Distinct <= p.Total }

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
	firstPage := p.Pages == 0
	switch {
	case firstPage:
		next.Total, next.First = a.total, a.first
	case p.counted() && a.total > 0 && a.total != p.Total && (p.Distinct < p.Total || a.total >= next.Distinct):
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: the total went from %d to %d", p.Total, a.total))
	}
	complete := next.counted() && next.Distinct == next.Total
	switch {
	case next.Pages >= maxPages || next.Received > maxRows:
		return p, more, baton.Errorf(baton.Incomplete, "the list has no end: %d pages and %d different rows so far", next.Pages, next.Distinct)
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
	case complete && !firstPage:
		return next, end, nil
	}
	return next, more, nil
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
	if next.Received > next.Distinct {
		return p.inOrder(err)
	}
	return p, more, err
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
	return Position{Restarts: p.Restarts + 1, Sorted: p.Sorted}, restart, nil
}
