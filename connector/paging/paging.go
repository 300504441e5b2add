// Package paging reads lists that servers hand out in pages, and decides when a list is complete. It knows the rows by
// their ids only; a client of one API sends the requests, and tells it what each page said.
//
// # When is a list complete?
//
// Servers cap pages, repeat rows, start over behind the end, report the size of the page as the total, and change while
// they are read. A list that came out short would look as if people had left. So a page is judged by its rows, and
// nothing that a server says about its pages is believed unless the rows agree.
//
// The place of a row is its number in the list, from 1 on. Each page is asked for from the place of the last row on: it
// is to begin with that row. If rows have gone meanwhile, those behind have moved up, and the page begins with a row that
// nobody has seen; as many rows may have come elsewhere, so that no total tells. Where a page cannot begin with the last
// row, because pages have one row each or begin at multiples of their size only, it is asked for from the next place on,
// and then the place of the last row is asked for once more: that row must still be there.
//
// Distinct is the number of different ids so far. A total is what the first page claimed. It is not believed once there
// are more rows; then, and without one, the list is uncounted. A total that is the number of rows of the first page may be
// the size of the page, and so it proves less than another one.
//
//	the page from the last row on             means
//	no rows on the first page, total not 0    restart
//	no rows on the first page, no total or 0  done
//	new rows behind a known one               go on
//	begins with a new row                     rows before it have gone, and some were skipped: restart, the second time sorted
//	no rows, uncounted                        the same
//	no rows, total not reached                ask again, three times; then the list has ended
//	nothing but the last row, total reached   done
//	nothing but the last row, page full       the row is listed more than once: go on behind it
//	nothing new otherwise                     ask for what is behind the last row
//
//	the page from the next place on           means
//	new rows                                  the last row must still be in its place; else restart
//	no rows, total reached                    done
//	no rows, uncounted                        the last row must still be in its place, unless it was the only one on a page; then done
//	no rows, total not reached                Incomplete; if rows came twice: restart, sorted
//	refused, total reached                    as no rows: the server rejects a start behind the end
//	nothing new, total not reached            restart, sorted; then Incomplete
//	nothing new otherwise                     go on, three times; then the last new row must be in its place: done
//	the same, all rows came in one page       see below
//
//	any page
//	the total is not that of the first page   the list changed: restart
//	it names a cursor                         go on there, whatever the total
//	no cursor after a cursor                  done if distinct ≥ total
//	ten pages of a cursor with nothing new    done if distinct = total, else Incomplete
//
// Where known rows came instead of the next ones, places do not count rows. Then the end needs a total that is more than
// the size of a page, or a page that had the last row alone; else the list is Incomplete.
//
// If all rows came in one page and that page comes again wherever the next one is to begin, the server has no other
// rows, or it ignores the start. If the page was as full as asked for, or claims no total, place 2 is asked for: a server
// that then answers with the first row ignores the start, and the list is Incomplete. Otherwise a page of exactly as many
// rows is asked for behind the last row, for some servers count in pages, and then one more: if both repeat the rows, the
// list is done. What remains unprovable is a server that ignores the start, caps pages below what is asked for, and claims
// the capped size as the total: it answers like one that has no other rows.
//
// A list restarts at most three times; then it is Incomplete, for it keeps changing.
//
// # How many rows are asked for?
//
//	the server                                  next
//	refuses the number of rows, or a first      as many as it advertises or names in the error, else half, and no
//	page for no stated reason                   more for any list of the client
//	sends more than is read, or answers 413     as many as arrived, or half, down to one; an error names the row
//	takes too long, or a gateway gives up       half, down to two
//	sent eight pages of a smaller size          twice as many
package paging

import (
	"context"
	"sync/atomic"

	"baton/internal/intern"
)

// Server holds what is known about how one server pages. All lists of a client share it. It is safe for concurrent use.
type Server struct {
	Rows  int    // to ask for in one page
	Start string // name of the parameter that says where a page begins, for messages
	Sorts bool   // the server can be asked for an order
	// Advertised returns how many rows a page may have by what the server says of itself, or 0. It may be nil. It is
	// called when the server refuses a page.
	Advertised func(context.Context) int
	// LargeRow is what to do about a row that alone is more than is read of an answer.
	LargeRow string

	limit atomic.Int64 // rows that the server accepts in one page, 0 if all
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
	// Restart voids all rows of this pass: the list changed and begins anew at Next.
	Restart bool
	Total   int // rows in all as the server claims, 0 if it does not or cannot be believed
	Rows    int // rows in this page
	Fresh   int // rows in this page that were not seen before
}

// Sink takes the rows of one page as they arrive.
type Sink[T any] struct {
	// Seen reports whether a row with that id came with an earlier page of this pass,
	// also if another process read that page. Nothing was seen when it is nil.
	Seen func(id string) bool
	// Row gets the rows that were not seen, each once; those without an id all. They count
	// only if the whole page does: after an error, or with Step.Restart, they are void.
	Row func(T)
	// Void says that the rows of this page so far are void: the answer broke off and is
	// read anew. It may be nil.
	Void func()
}

// Discard calls Void, if there is one.
func (s Sink[T]) Discard() {
	if s.Void != nil {
		s.Void()
	}
}

// Page is what one page says about its list.
type Page struct {
	Rows, Fresh int
	Total       int    // that it claims, 0 if it does not
	Cursor      string // of the next page
	Handle      string // names the result that the pages are cut from
	First, Last string // ids of its first and last row
	Skips       bool   // the first row was not seen before
	Refused     bool   // there is no page: the server refused to go on behind the end

	at   Position
	seen func(id string) bool
	here *intern.Table
}

// NewPage returns a page at p without rows. Seen is that of a Sink.
func NewPage(p Position, seen func(id string) bool) *Page {
	return &Page{at: p, seen: seen, here: new(intern.Table)}
}

// IsNew reports whether no row with that id came in this pass.
func (a *Page) IsNew(id string) bool {
	if id == "" {
		return true // nobody can tell
	}
	if id == a.at.Last || id == a.at.Before {
		return false // whether the caller had a use for it or not
	}
	_, here := a.here.Find([]byte(id))
	return !here && (a.seen == nil || !a.seen(id))
}

// Add counts a row. It reports whether the row is new.
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
