// Package paging reads paged lists and decides when a list is complete. It knows rows only by their ids. A client of one
// API sends the requests and passes on the facts of each page.
//
// # When is a list complete?
//
// Servers cap pages, repeat rows, start over past the end, report the size of the page as the total, and change while
// they are read. An incomplete list would look as if people had left. So this package judges a page by its rows, and
// believes nothing that a server claims about its pages unless the rows agree.
//
// The place of a row is its number in the list, from 1 on. Each page is requested from the place of the last row on, so
// that it begins with that row. If rows were deleted meanwhile, later rows have moved up and the page begins with an
// unknown row; the total does not show this if as many rows were added elsewhere. If a page cannot begin with the last
// row, because pages have one row each or are aligned to multiples of their size, it is requested from the next place on.
// Then the place of the last row is requested once more: that row must still be there.
//
// Distinct is the number of different ids so far. The total is the number that the first page claimed. It is ignored once
// there are more rows than that; then, and without a total, the list is uncounted. A total that equals the number of rows
// of the first page may be the size of the page, so it proves less than another one.
//
//	the page from the last row on             means
//	no rows on the first page, total not 0    restart
//	no rows on the first page, no total or 0  done
//	new rows behind a known one               go on
//	begins with a new row                     earlier rows were deleted and some skipped: restart, the second time sorted
//	no rows, uncounted                        the same
//	no rows, total not reached                request again, three times; then the list has ended
//	only the last row, total reached          done
//	only the last row, page full              the row is listed more than once: go on behind it
//	nothing new otherwise                     request the rows behind the last row
//
//	the page from the next place on           means
//	new rows                                  the last row must still be in its place; else restart
//	no rows, total reached                    done
//	no rows, uncounted                        the last row must still be in its place, unless it was the only one on a page; then done
//	no rows, total not reached                Incomplete; if rows came twice: restart, sorted
//	refused, total reached                    as no rows: the server rejects a start past the end
//	nothing new, total not reached            restart, sorted; then Incomplete
//	nothing new otherwise                     go on, three times; then the last new row must be in its place: done
//	the same, all rows came in one page       see below
//
//	any page
//	the total differs from the first page's   the list changed: restart
//	it has a cursor                           go on there, whatever the total
//	no cursor after a cursor                  done if distinct ≥ total
//	ten pages of a cursor with nothing new    done if distinct = total, else Incomplete
//
// If known rows appear where the next ones should be, places do not count rows. Then the end needs a total that is larger
// than a page, or a page with only the last row; else the list is Incomplete.
//
// If all rows came in one page and that page is repeated for every start, the server has no other rows, or it ignores the
// start. If the page was as full as requested, or claims no total, place 2 is requested: a server that answers with the
// first row ignores the start, and the list is Incomplete. Otherwise a page of exactly as many rows is requested behind
// the last row, because some servers count in pages, and then one more: if both repeat the rows, the list is done. One
// case cannot be detected: a server that ignores the start, caps pages below the requested size, and claims the capped
// size as the total answers like one that has no other rows.
//
// A list restarts at most three times. After that the error is Incomplete, because the list keeps changing.
//
// # How many rows are requested?
//
//	the server                                  next
//	refuses the number of rows, or a first      as many as it announces or names in the error, else half, and no
//	page for no stated reason                   more for any list of the client
//	exceeds the size limit, or answers 413      as many as arrived, or half, down to one; an error names the row
//	takes too long, or a gateway gives up       half, down to two
//	sent eight pages of a smaller size          twice as many
package paging

import (
	"context"
	"sync/atomic"

	"baton/internal/intern"
)

// Server holds what is known about the paging of one server. All lists of a client share it. It is safe for
// concurrent use.
type Server struct {
	Rows  int    // to request per page
	Start string // name of the parameter that says where a page begins, for messages
	Sorts bool   // the server can sort
	// Advertised returns the page size limit that the server announces, or 0. It may be nil. It is called
	// when the server refuses a page.
	Advertised func(context.Context) int
	// LargeRow is the advice for a single row that exceeds the size limit of a response.
	LargeRow string

	limit atomic.Int64 // rows that the server accepts per page, 0 if unlimited
}

// Ask is a request for a page.
type Ask struct {
	Start  int // place of its first row, from 1 on
	Count  int // rows
	Cursor string
	Handle string
	Sorted bool // in the order of an attribute
}

// Ask returns the request for the page at p.
func (s *Server) Ask(p Position) Ask {
	return Ask{Start: p.start(s.count(p)), Count: s.count(p), Cursor: p.Cursor, Handle: p.Handle, Sorted: p.Sorted}
}

// Step is the state of a list after a page.
type Step struct {
	Next Position
	Done bool // the list is complete, and proved to be
	// Restart voids all rows of this pass: the list changed, and reading starts over at Next.
	Restart bool
	Total   int // the total that the server claims, 0 if absent or not credible
	Rows    int // rows in this page
	Fresh   int // rows in this page that were not seen before
}

// Sink takes the rows of one page as they arrive.
type Sink[T any] struct {
	// Seen reports whether a row with that id came with an earlier page of this pass, even if another process
	// read that page. If it is nil, no row was seen.
	Seen func(id string) bool
	// Row gets each new row once, and all rows without an id. The rows count only if the whole page does: an
	// error or Step.Restart voids them.
	Row func(T)
	// Void voids the rows of this page so far: the response broke off and is read again. It may be nil.
	Void func()
}

// Discard calls Void if it is not nil.
func (s Sink[T]) Discard() {
	if s.Void != nil {
		s.Void()
	}
}

// Page collects the facts about one page that decide how the list continues.
type Page struct {
	Rows, Fresh int
	Total       int    // that the page claims, 0 if absent
	Cursor      string // of the next page
	Handle      string // names the result set that the pages belong to
	First, Last string // ids of its first and last row
	Skips       bool   // the first row was not seen before
	Refused     bool   // there is no page: the server refused to read past the end

	at   Position
	seen func(id string) bool
	here *intern.Table
}

// NewPage returns an empty page at p. seen is that of a Sink.
func NewPage(p Position, seen func(id string) bool) *Page {
	return &Page{at: p, seen: seen, here: new(intern.Table)}
}

// IsNew reports whether this is the first row with that id in this pass.
func (a *Page) IsNew(id string) bool {
	if id == "" {
		return true // unknown
	}
	if id == a.at.Last || id == a.at.Before {
		return false // even if the caller ignored it
	}
	_, here := a.here.Find([]byte(id))
	return !here && (a.seen == nil || !a.seen(id))
}

// Add counts a row and reports whether it is new.
func (a *Page) Add(id string) bool {
	fresh := a.IsNew(id)
	if a.Rows++; a.Rows == 1 {
		a.First, a.Skips = id, fresh
	}
	a.Last = id
	if fresh {
		a.Fresh++
		if id != "" {
			a.here.Add([]byte(id))
		}
	}
	return fresh
}
