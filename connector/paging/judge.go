package paging

import (
	"cmp"

	"baton"
)

// verdict says how reading continues after a page.
type verdict int

const (
	more verdict = iota
	end
	restart
)

// After judges the page at p by the table in the package comment. The error is Incomplete if the list cannot
// be proved complete.
func (s *Server) After(p Position, a *Page) (Step, error) {
	if a.Total < 0 || a.Total > maxRows {
		a.Total = 0
	}
	next, v, err := s.judge(p, a)
	if err != nil {
		return Step{}, err
	}
	if v == more && next.Proof == 0 && (a.Fresh > 0 || p.Proof > 0) {
		next = s.grow(next)
	}
	step := Step{Next: next, Done: v == end, Restart: v == restart, Rows: a.Rows, Fresh: a.Fresh}
	if next.counted() {
		step.Total = next.Total
	}
	return step, nil
}

// Again begins a new pass because of err, or returns err after too many passes.
func (s *Server) Again(p Position, err error) (Step, error) {
	next, _, err := p.again(err)
	if err != nil {
		return Step{}, err
	}
	return Step{Next: next, Restart: true}, nil
}

func (s *Server) judge(p Position, a *Page) (Position, verdict, error) {
	if p.Check {
		return s.checked(p, a)
	}
	ask := s.Ask(p)
	next := p
	next.Pages++
	next.Distinct += a.Fresh
	next.Most = max(p.Most, a.Rows)
	next.Cursor = a.Cursor
	if a.Rows > 0 {
		next.Last = a.Last
		next.Received = ask.Start + a.Rows - 1
		if p.Cursor != "" {
			next.Received = p.Received + a.Rows
		}
	}
	switch {
	case p.Pages == 0:
		next.Total, next.Opening, next.First, next.Handle = a.Total, a.Rows, a.First, a.Handle
	case p.counted() && a.Total > 0 && a.Total != p.Total && (p.Distinct < p.Total || a.Total >= next.Distinct):
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: the total went from %d to %d", p.Total, a.Total))
	}
	overlaps := p.overlaps(ask.Count)
	switch {
	case next.Pages >= maxPages || next.Received > maxRows:
		return p, more, baton.Errorf(baton.Incomplete, "the list has no end: %d pages and %d different rows so far", next.Pages, next.Distinct)
	case p.Proof > 0:
		return s.confirmed(p, next, a)
	case overlaps && a.Skips:
		return s.moved(p)
	case a.Cursor != "":
		return cursored(p, next, a)
	case overlaps && !a.Refused:
		return s.overlapped(p, next, a, ask.Count)
	case p.Cursor != "" || a.Rows == 0:
		return s.ended(p, next, a)
	case a.Fresh == 0:
		return s.repeated(p, next, a, ask)
	case p.Pages > 0:
		return stepped(p, next, a)
	}
	return next, more, nil
}

// cursored judges a page that names the next one.
func cursored(p, next Position, a *Page) (Position, verdict, error) {
	next.Barren++
	if a.Fresh > 0 {
		next.Barren = 0
	}
	switch {
	case next.Barren < maxBarren:
		return next, more, nil
	case next.complete():
		return next, end, nil
	}
	return p, more, baton.Errorf(baton.Incomplete, "%d pages in a row held no new row, and the server still gives a cursor", next.Barren)
}

// overlapped judges a page that was to begin with the last row of the page before, and does not begin with a new one.
func (s *Server) overlapped(p, next Position, a *Page, count int) (Position, verdict, error) {
	full := a.Rows >= min(p.Most, count) // more may follow
	next.Barren, next.Empty = 0, 0
	switch {
	case a.Fresh > 0:
		next.Odd = p.Odd || a.First != p.Last
		return next, more, nil
	case a.Rows == 0 && !next.counted() && a.Total == 0:
		return s.moved(p)
	case a.Rows == 0 && !next.complete():
		// It may be a temporary failure. Reading past the row would miss rows that moved meanwhile.
		if p.Empty < maxEmpty {
			p.Empty++
			return p, more, nil
		}
		if !next.counted() && a.Total <= next.Distinct {
			return s.moved(p)
		}
		return s.ended(p, next, a)
	case a.Rows > 1 && full && a.First == p.Last && a.Last == p.Last:
		if next.Barren = p.Barren + 1; next.Barren < maxBarren {
			return next, more, nil
		}
		return p, more, baton.Errorf(baton.Incomplete, "the server repeats row %d on %d pages", p.Received, next.Barren)
	case a.Rows > 0 && a.First == p.Last && next.complete():
		return next, end, nil
	}
	// This proves nothing: some servers align pages to multiples of their size.
	p.Aligned, p.Barren, p.Empty = true, 0, 0
	p.Edge = a.Rows > 0 && a.First == p.Last && !full
	return p, more, nil
}

// stepped judges a page of new rows that was requested from behind the last row.
func stepped(p, next Position, a *Page) (Position, verdict, error) {
	next.Odd = p.Odd || p.Barren > 1
	next.Barren, next.Edge, next.Behind, next.LastNew = 0, false, 0, ""
	switch {
	case !a.Skips:
		next.Aligned, next.Odd = false, true // the server repeated the last row unasked
	case p.Last != "":
		next.Proof, next.Before = p.Received, p.Last
	}
	return next, more, nil
}

// confirmed judges the page that was requested to check that the row Before is still there, after the rows
// behind it were read. The row is the first of the page, or its last one if the server aligns pages to
// multiples of their size.
func (s *Server) confirmed(p, next Position, a *Page) (Position, verdict, error) {
	next.Pages, next.Cursor = p.Pages, ""
	beyond := max(0, p.Proof+a.Rows-1-p.Received) // rows behind the last one
	switch {
	case a.Rows == 0 && !p.Final && p.Empty < maxEmpty:
		p.Empty++
		return p, more, nil
	case p.Final && a.Fresh == 0 && (a.First == p.Before || p.Aligned && a.Last == p.Before):
		return next, end, nil
	case p.Final:
		return s.moved(p)
	case a.First == p.Before && a.Fresh <= beyond:
		next.Aligned = false // the next page can begin with the last row
	case a.Last == p.Before && a.Fresh == 0:
		beyond = 0
	default:
		p.Received = p.Proof
		return s.moved(p)
	}
	if next.Received = p.Received + beyond; beyond == 0 {
		next.Last = p.Last
	}
	next.Proof, next.Before, next.Empty = 0, "", 0
	return next, more, nil
}

// repeated judges a page without a new row that was requested from behind the last row.
func (s *Server) repeated(p, next Position, a *Page, ask Ask) (Position, verdict, error) {
	claim := a.Total
	if next.counted() {
		claim = next.Total
	}
	reached := claim > 0 && next.Distinct == claim
	goOn := func() (Position, verdict, error) {
		next.Pages = p.Pages
		next.Barren = max(p.Barren, 1) + 1 // 1 counts a smaller page at the same place
		if next.Behind += next.Received - p.Received; p.Behind == 0 {
			next.LastNew = p.Last
			if p.single(ask.Count) && p.Last != "" {
				// The row is listed twice, unless rows inserted before it have moved it.
				next.Proof, next.Before = p.Received, p.Last
			}
		}
		return next, more, nil
	}
	switch {
	case next.Distinct < claim:
		switch {
		case a.Rows == 1 && a.First == p.Last && p.Barren < maxRepeats:
			return goOn() // it is listed twice
		case p.Pages <= 1 && (p.Sorted || p.Restarts > 0 && !s.Sorts):
			return p, more, s.ignored(next, claim)
		case p.Pages <= 1:
			return s.inOrder(p, s.ignored(next, claim))
		}
		return s.ended(p, next, a)
	case p.Edge:
		return p.endIf(p.Received, p.Last)
	case p.Pages > 1 && p.Barren < maxRepeats:
		return goOn()
	case p.Pages > 1 && reached && claim > p.Opening:
		return next, end, nil
	case p.Pages > 1 && p.Odd:
		return p, more, s.odd(next)
	case p.Pages > 1:
		return p.endIf(p.Received-p.Behind, cmp.Or(p.LastNew, p.Last))
	case p.Barren == 0 && (!reached || p.Received == ask.Count):
		p.Check = true
		return p, more, nil
	case p.Barren == 0 && p.Most < ask.Count:
		p.Limit, p.Barren = p.Most, 1
		return p, more, nil
	case p.Barren <= 1:
		return goOn()
	}
	return p.endIf(1, p.First)
}

// endIf requests a check that the row at place still has that id; if so, the list is complete. Rows inserted
// before it would have moved the others, so that known rows appear in later places.
func (p Position) endIf(place int, id string) (Position, verdict, error) {
	p.Proof, p.Before, p.Final, p.Check, p.Barren, p.Aligned = place, id, true, false, 0, false
	return p, more, nil
}

// ignored returns the error for a second page that repeats the first.
func (s *Server) ignored(p Position, claim int) error {
	return baton.Errorf(baton.Incomplete, "the server repeats rows: %d of %d were received, then none that was new; it may ignore %s", p.Distinct, claim, s.Start)
}

// checked judges the response to a request for place 2.
func (s *Server) checked(p Position, a *Page) (Position, verdict, error) {
	switch {
	case a.Fresh > 0:
		return p.again(baton.Errorf(baton.Incomplete, "the list kept changing while it was read: rows appeared"))
	case a.Rows > 0 && a.First != p.First:
		p.Check, p.Barren = false, 1
		return p, more, nil
	}
	why := "gives no total"
	if p.complete() {
		why = "returned a full page"
	}
	return p, more, baton.Errorf(baton.Incomplete, "the server ignores %s and %s of %d rows, so there may be more", s.Start, why, p.Received).
		WithFix("Have whoever runs the server make it heed %s.", s.Start)
}

// ended judges a page after which nothing follows.
func (s *Server) ended(p, next Position, a *Page) (Position, verdict, error) {
	claim := a.Total
	if next.counted() {
		claim = next.Total
	}
	if next.Distinct >= claim {
		odd := p.Odd && !p.Edge || p.Barren > 1 && p.single(s.count(p))
		if odd && p.Cursor == "" && (claim <= p.Opening || next.Distinct != claim) {
			return p, more, s.odd(next)
		}
		counted := next.complete() && (claim > p.Opening || a.Total == p.Total)
		refused := a.Refused && p.overlaps(s.count(p)) // the client has checked the reason
		if counted || refused || p.Edge || p.Cursor != "" || p.Pages == 0 || p.Last == "" {
			return next, end, nil
		}
		// A deleted row has moved the others up, so that nothing is left at the next place.
		aligned := p.Aligned && !p.single(s.count(p))
		p, v, err := p.endIf(p.Received-p.Behind, cmp.Or(p.LastNew, p.Last))
		p.Aligned = aligned
		return p, v, err
	}
	err := baton.Errorf(baton.Incomplete, "the list ended after %d different rows, but the server says there are %d", next.Distinct, claim)
	switch {
	case next.Received > next.Distinct:
		return s.inOrder(p, err)
	case p.Pages == 0:
		return p.again(err) // an empty first page may be a temporary failure
	}
	return p, more, err
}

// odd returns the error for a list whose places do not count its rows, and that has no usable total.
func (s *Server) odd(p Position) error {
	return baton.Errorf(baton.Incomplete, "the server repeats rows where the next ones should be, and gives no total that could tell whether the %d different rows are all", p.Distinct).
		WithFix("Have whoever runs the server make %s count rows, or make it say how many there are.", s.Start)
}

// moved begins a new pass because rows were skipped.
func (s *Server) moved(p Position) (Position, verdict, error) {
	err := baton.Errorf(baton.Incomplete, "the list kept changing while it was read: row %d is not what it was", p.Received)
	if p.Restarts > 0 {
		return s.inOrder(p, err)
	}
	return p.again(err)
}

// inOrder begins a new pass that requests sorted rows. A server whose order changes between pages repeats
// some rows and leaves others out.
func (s *Server) inOrder(p Position, err error) (Position, verdict, error) {
	next, v, err := p.again(err)
	next.Sorted = v == restart && s.Sorts
	return next, v, err
}

// again begins a new pass, or gives up with err after too many passes.
func (p Position) again(err error) (Position, verdict, error) {
	if p.Restarts >= maxRestarts {
		return p, more, err
	}
	return Position{Restarts: p.Restarts + 1, Sorted: p.Sorted, Limit: p.Limit, Count: p.Count, Good: p.Good}, restart, nil
}
