package scim

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"baton"
	"baton/connector/paging"
	"baton/internal/jsonscan"
)

// ListStep is the state of a list after a page.
type ListStep struct {
	paging.Step

	// The evidence that rows outside the list are gone; see evidence.
	formal  bool // the page has the schema of a list response
	named   bool // a row has the name attribute of its type
	refused bool // there is no page: the server refused to read past the end
}

// ListUsers reads one page of users with one request. After an error the same position may be read again. The
// error is Incomplete if the list cannot be proved complete; see package paging.
func (c *Client) ListUsers(ctx context.Context, at paging.Position, sink paging.Sink[User]) (ListStep, error) {
	step, err := listPage(ctx, c, "Users", search{}, &at, sink, newUserReader(sink.Row))
	return step, explain("list users", err)
}

// ListGroups reads one page of groups, as ListUsers reads users.
func (c *Client) ListGroups(ctx context.Context, at paging.Position, sink GroupSink) (ListStep, error) {
	return c.listGroups(ctx, search{}, at, sink)
}

func (c *Client) listGroups(ctx context.Context, by search, at paging.Position, sink GroupSink) (ListStep, error) {
	rows := newGroupReader(sink.Row, sink.Member)
	step, err := listPage(ctx, c, "Groups", by, &at, sink.Sink, rows)
	for err == nil && rows.readAgain() {
		sink.Discard()
		step, err = listPage(ctx, c, "Groups", by, &at, sink.Sink, rows)
	}
	if err == nil && rows.late {
		err = errLate()
	}
	if err != nil {
		step = ListStep{}
	}
	return step, explain("list groups", err)
}

// search selects the rows of a list request.
type search struct {
	filter string
	fresh  bool // bypass caches
}

// listPage reads and judges one page. It stores the number of rows that were finally requested in at.
func listPage[T any](ctx context.Context, c *Client, endpoint string, by search, at *paging.Position, sink paging.Sink[T], rows rowReader) (ListStep, error) {
	var page *listReader
	var own error // a response that is not a list
	begun := false
	read := func(ask paging.Ask) error {
		page = nil
		return c.persist(ctx, func() error {
			return c.getPage(ctx, "/"+endpoint, pageQuery(endpoint, ask, by.filter), by.fresh, ask.CanShrink(), func(s *jsonscan.Scanner) error {
				if begun {
					sink.Discard()
				}
				begun = true
				rows.begin()
				page = &listReader{Page: paging.NewPage(*at, sink.Seen), rows: rows}
				own = page.readList(s)
				return own
			})
		})
	}
	byCursor, refused := false, false
	var lost error // the cursor no longer works
	end, err := c.pages.Read(ctx, *at, by.filter == "", func(ask paging.Ask) (int, error) {
		err := read(ask)
		if at.Pages == 0 && by.filter == "" && statusOf(err) == http.StatusBadRequest && !paging.IsAboutCount(err) {
			// Some servers support cursors only (RFC 9865). An empty cursor requests the first page.
			first := ask
			first.Cursor = beginning
			if failed := read(first); failed == nil || failed == own {
				err, byCursor = failed, true
			}
		}
		switch {
		case err == nil:
		case at.Cursor != "" && cursorLost(err):
			lost, err = err, nil
		case behindTheEnd(*at, ask, err), c.cursorsOnly(ctx, *at, err):
			refused, err = true, nil
		}
		if page == nil {
			return 0, err
		}
		return page.Rows, err
	})
	if err != nil {
		return ListStep{}, err
	}
	if *at = end; byCursor {
		at.Cursor = beginning
	}
	if lost != nil {
		step, err := c.pages.Again(*at, baton.Errorf(baton.Incomplete, "the list kept changing: %w", lost))
		return ListStep{Step: step}, err
	}
	if refused {
		page = &listReader{Page: paging.NewPage(*at, sink.Seen)}
		page.Refused = true
	}
	step, err := c.pages.After(*at, page.Page)
	if err != nil {
		return ListStep{}, err
	}
	if by.filter == "" && !page.formal && !refused {
		// Something other than the server may have answered, with an empty list or in the middle of one. A
		// list that was complete by its own total before cannot be affected.
		if step.Done && step.Next.Distinct == 0 || at.Formal && (at.Total == 0 || at.Distinct != at.Total) {
			return ListStep{}, c.notSCIM(endpoint)
		}
	}
	step.Next.Formal = at.Formal || page.formal
	return ListStep{Step: step, formal: page.formal, named: page.named, refused: refused}, nil
}

// beginning represents the empty cursor of a first page.
const beginning = "-"

// sortKeys lists attributes that every server has and can sort by.
var sortKeys = map[string]string{"Users": "userName", "Groups": "displayName"}

func pageQuery(endpoint string, ask paging.Ask, filter string) url.Values {
	q := url.Values{"count": {strconv.Itoa(ask.Count)}}
	if ask.Sorted {
		q.Set("sortBy", sortKeys[endpoint])
	}
	switch ask.Cursor {
	case "":
		q.Set("startIndex", strconv.Itoa(ask.Start))
	case beginning:
		q.Set("cursor", "")
	default:
		q.Set("cursor", ask.Cursor)
	}
	if filter != "" {
		q.Set("filter", filter)
	}
	return q
}

// cursorLost recognises the RFC 9865 errors for a cursor that no longer works.
func cursorLost(err error) bool {
	t := ErrorType(err)
	return statusOf(err) == http.StatusBadRequest && (t == "invalidCursor" || t == "expiredCursor")
}

// behindTheEnd reports whether a server that claimed no more rows than it had sent refused a request for
// later rows. The RFC requires an empty page there.
func behindTheEnd(at paging.Position, ask paging.Ask, err error) bool {
	return at.Cursor == "" && at.Total > 0 && at.Distinct == at.Total && ask.Start > at.Received &&
		statusOf(err) == http.StatusBadRequest && baton.KindOf(err) == baton.Invalid
}

// cursorsOnly reports whether the first page is the whole list although it had no total and no cursor, and
// the server refuses to continue from it. That is so if the server announces cursors and does not support
// startIndex.
func (c *Client) cursorsOnly(ctx context.Context, at paging.Position, err error) bool {
	if at.Pages != 1 || at.Cursor != "" || at.Total > 0 || statusOf(err) != http.StatusBadRequest {
		return false
	}
	says, err := c.ServiceProviderConfig(ctx)
	return err == nil && says.CursorPaging != nil && *says.CursorPaging && says.IndexPaging != nil && !*says.IndexPaging
}

// listReader reads a list response.
type listReader struct {
	*paging.Page
	rows          rowReader
	formal, named bool
}

// readList reads a ListResponse. Anything else is an error, whatever its status: an empty list must say that
// it is a list.
func (p *listReader) readList(s *jsonscan.Scanner) error {
	if !isObject(s) {
		return notAList()
	}
	counted, listed := false, false
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
			counted = number(s, &p.Total) || counted
		case "nextcursor":
			text(s, &p.Cursor)
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
	if err == nil && !listed && !counted {
		err = notAList()
	}
	return err
}

func (p *listReader) read(s *jsonscan.Scanner) error {
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

// maxPageRows limits the rows of a page. Servers that ignore count send all rows at once; a directory with
// more rows does not fit into memory.
const maxPageRows = 1 << 17

func (p *listReader) row(s *jsonscan.Scanner) error {
	if p.Rows == maxPageRows {
		return baton.Errorf(baton.Incomplete, "a page has more than %d rows", maxPageRows)
	}
	id, err := readRow(s, p.rows, p.IsNew)
	s.Locate(p.Rows+1, id)
	switch {
	case err != nil || s.Err() != nil:
		return err
	case len(id) > maxID:
		return baton.Errorf(baton.Incomplete, "row %d of the page has an id of more than %d bytes", p.Rows+1, maxID)
	case id == "":
		return baton.Errorf(baton.Incomplete, "row %d of the page has no id, so the list cannot be proved complete", p.Rows+1)
	}
	p.named = p.named || p.rows.named()
	if p.Add(id) {
		p.rows.deliver()
	}
	return nil
}

func notAList() error {
	return baton.Errorf(baton.Incomplete, "the answer is not a SCIM list: it has neither totalResults nor Resources").
		WithFix("check the SCIM URL; it ends above /Users")
}
