package scim

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"baton"
	"baton/internal/intern"
	"baton/internal/jsonscan"
)

// ListStep is the state of a list after a page.
type ListStep struct {
	Next Position
	Done bool // the list is complete, and proved to be
	// Restart voids all rows of this pass: the list changed and begins anew at Next.
	Restart bool
	Total   int // rows in all as the server claims, 0 if it does not or cannot be believed
	Rows    int // rows in this page
	Fresh   int // rows in this page that were not seen before

	// What the page proves about rows that are not in the list; see testimony.
	formal  bool // it has the schema of a list response
	named   bool // it has a row with the name that such rows have
	refused bool // there is no page: the server refused to go on behind the end
}

// Sink takes the rows of one page as they arrive.
type Sink[T any] struct {
	// Seen reports whether a row with that id came with an earlier page of this pass,
	// also if another process read that page. Nothing was seen when it is nil.
	Seen func(id string) bool
	// Row gets the rows that were not seen, each once. They count only if the whole page
	// does: after an error, or with ListStep.Restart, they are void. A row's lists are good
	// during the call.
	Row func(T)
	// Void says that the rows of this page so far are void: the answer broke off and is
	// read anew.
	Void func()
}

func (s Sink[T]) void() {
	if s.Void != nil {
		s.Void()
	}
}

// ListUsers reads one page of users, with one request. After an error the same
// position may be read again. Incomplete if the list cannot be proved complete; see
// the package comment.
func (c *Client) ListUsers(ctx context.Context, at Position, sink Sink[User]) (ListStep, error) {
	step, err := listPage(ctx, c, "Users", search{}, at, sink, newUserReader(sink.Row))
	return step, explain("list users", err)
}

// ListGroups reads one page of groups, as ListUsers does users.
func (c *Client) ListGroups(ctx context.Context, at Position, sink GroupSink) (ListStep, error) {
	return c.listGroups(ctx, search{}, at, sink)
}

func (c *Client) listGroups(ctx context.Context, by search, at Position, sink GroupSink) (ListStep, error) {
	rows := newGroupReader(sink.Row, sink.Member)
	step, err := listPage(ctx, c, "Groups", by, at, sink.Sink, rows)
	for err == nil && rows.readAgain() {
		sink.void()
		step, err = listPage(ctx, c, "Groups", by, at, sink.Sink, rows)
	}
	if err == nil && rows.late {
		err = errLate()
	}
	if err != nil {
		step = ListStep{}
	}
	return step, explain("list groups", err)
}

// search says how a list is asked for.
type search struct {
	filter string
	fresh  bool // past any cache
}

// listPage reads and judges one page.
func listPage[T any](ctx context.Context, c *Client, endpoint string, by search, at Position, sink Sink[T], rows rowReader) (ListStep, error) {
	var a answer
	var own error // of an answer that is no list
	begun := false
	read := func(query url.Values) error {
		return c.persist(ctx, func() error {
			return c.get(ctx, "/"+endpoint, query, by.fresh, func(s *jsonscan.Scanner) error {
				if begun {
					sink.void()
				}
				begun = true
				rows.begin()
				a, own = readList(s, rows, sink.Seen)
				return own
			})
		})
	}
	err := read(c.pageQuery(endpoint, at, by.filter))
	if at.Pages == 0 && by.filter == "" && statusOf(err) == http.StatusBadRequest {
		// Some servers page by cursor only (RFC 9865); an empty one asks for the first page.
		if failed := read(url.Values{"count": {strconv.Itoa(c.pageSize)}, "cursor": {""}}); failed == nil || failed == own {
			err, at.Cursor = failed, beginning
		}
	}
	switch {
	case err == nil:
	case at.Cursor != "" && cursorLost(err):
		next, v, err := at.again(baton.Errorf(baton.Incomplete, "the list kept changing: %w", err))
		return ListStep{Next: next, Restart: v == restart}, err
	case !probeRefused(at, err) && !c.cursorsOnly(ctx, at, err):
		return ListStep{}, err
	default:
		a.refused = true
	}
	next, v, err := at.after(a, c.pageSize)
	if err != nil {
		return ListStep{}, err
	}
	if v == end && next.Distinct == 0 && by.filter == "" && !a.formal {
		return ListStep{}, c.notSCIM(endpoint)
	}
	step := ListStep{Next: next, Done: v == end, Restart: v == restart, Rows: a.rows, Fresh: a.fresh,
		formal: a.formal, named: a.named, refused: a.refused}
	if next.counted() {
		step.Total = next.Total
	}
	return step, nil
}

// beginning stands for the empty cursor of a first page.
const beginning = "-"

// sortKeys are attributes that every server has and can compare.
var sortKeys = map[string]string{"Users": "userName", "Groups": "displayName"}

func (c *Client) pageQuery(endpoint string, at Position, filter string) url.Values {
	q := url.Values{"count": {strconv.Itoa(c.pageSize)}}
	if at.Sorted {
		q.Set("sortBy", sortKeys[endpoint])
	}
	switch {
	case at.Cursor != "":
		q.Set("cursor", at.Cursor)
	default:
		q.Set("startIndex", strconv.Itoa(at.startIndex()))
	}
	if filter != "" {
		q.Set("filter", filter)
	}
	return q
}

// cursorLost recognises the errors of RFC 9865 for a cursor that no longer works.
func cursorLost(err error) bool {
	t := ErrorType(err)
	return statusOf(err) == http.StatusBadRequest && (t == "invalidCursor" || t == "expiredCursor")
}

// probeRefused reports whether a server that claimed no more rows than it had sent
// refused to be asked for more. The RFC wants an empty page there.
func probeRefused(at Position, err error) bool {
	return at.Cursor == "" && !at.Check && at.counted() && at.Distinct == at.Total &&
		statusOf(err) == http.StatusBadRequest && baton.KindOf(err) == baton.Invalid
}

// cursorsOnly reports whether a first page that came without total and cursor, and
// that the server refuses to go on from, is all there is: so it is where the server
// says that it knows cursors and no startIndex.
func (c *Client) cursorsOnly(ctx context.Context, at Position, err error) bool {
	if at.Pages != 1 || at.Cursor != "" || at.Total > 0 || statusOf(err) != http.StatusBadRequest {
		return false
	}
	says, err := c.ServiceProviderConfig(ctx)
	return err == nil && says.CursorPaging != nil && *says.CursorPaging && says.IndexPaging != nil && !*says.IndexPaging
}

// readList reads a ListResponse. Anything else, however successful its status, is an
// error: an empty list is one that says so.
func readList(s *jsonscan.Scanner, rows rowReader, seen func(id string) bool) (answer, error) {
	if !isObject(s) {
		return answer{}, notAList()
	}
	p := pageReader{rows: rows, seen: seen, inPage: new(intern.Table)}
	said, listed := false, false
	var err error
	for s.Object(); err == nil && s.Field(); {
		switch string(s.Lower()) {
		case "schemas":
			list(s, func() {
				var urn string
				text(s, &urn)
				p.formal = p.formal || isListSchema(urn)
			})
		case "totalresults":
			said = number(s, &p.total) || said
		case "nextcursor":
			text(s, &p.next)
		case "resources":
			switch kind := s.Kind(); {
			case kind == 'n':
				s.Skip()
			case kind != '[' && kind != '{':
				s.Skip()
				err = notAList()
			case listed:
				err = baton.Errorf(baton.Incomplete, "the answer has Resources twice")
			default:
				listed = true
				err = p.read(s)
			}
		default:
			s.Skip()
		}
	}
	if err == nil && !listed && !said {
		err = notAList()
	}
	return p.answer, err
}

// pageReader reads the rows of one page.
type pageReader struct {
	answer
	rows   rowReader
	seen   func(id string) bool
	inPage *intern.Table
}

func (p *pageReader) read(s *jsonscan.Scanner) error {
	if s.Kind() == '{' {
		return p.row(s) // one object in place of the array
	}
	for s.Array(); s.Element(); {
		if err := p.row(s); err != nil {
			return err
		}
	}
	return nil
}

// maxPageRows is how many rows a page may have. Servers that ignore count send all rows at
// once; what has more is no directory that fits into memory.
const maxPageRows = 1 << 17

func (p *pageReader) row(s *jsonscan.Scanner) error {
	if p.answer.rows == maxPageRows {
		return baton.Errorf(baton.Incomplete, "a page has more than %d rows", maxPageRows)
	}
	id, err := readRow(s, p.rows, p.isFresh)
	p.answer.rows++
	s.Locate(p.answer.rows, id)
	switch {
	case err != nil || s.Err() != nil:
		return err
	case len(id) > maxID:
		return baton.Errorf(baton.Incomplete, "row %d of the page has an id of more than %d bytes", p.answer.rows, maxID)
	case id == "":
		return baton.Errorf(baton.Incomplete, "row %d of the page has no id, so the list cannot be proved complete", p.answer.rows)
	}
	fresh := p.isFresh(id)
	if p.answer.rows == 1 {
		p.first, p.skips = id, fresh
	}
	p.last = id
	p.named = p.named || p.rows.named()
	if fresh {
		p.inPage.Add([]byte(id))
		p.fresh++
		p.rows.deliver()
	}
	return nil
}

func (p *pageReader) isFresh(id string) bool {
	_, here := p.inPage.Find([]byte(id))
	return !here && (p.seen == nil || !p.seen(id))
}

func notAList() error {
	return baton.Errorf(baton.Incomplete, "the answer is not a SCIM list: it has neither totalResults nor Resources").
		WithFix("check the SCIM URL; it ends above /Users")
}
