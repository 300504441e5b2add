// Package scim is a SCIM 2.0 client (RFC 7643, RFC 7644, cursors of RFC 9865) for
// servers as they are: it reads leniently, writes strictly, and calls a list
// complete only if that can be proved.
//
// # When is a list complete?
//
// Servers cap pages, repeat rows, wrap around at the end, report the size of the
// page as the total, and change while they are read. A list that came out short
// would look as if people had left, so each page is judged by rows, never by
// itemsPerPage, and the next one is asked for at the cursor given or at startIndex =
// rows received: it is to begin with the last row of the page before. While a list is
// read, people leave and come, and where as many come as leave no total tells.
// Distinct is the number of different ids so far; a total is what the first page
// claimed.
//
//	the page                                    means
//	not a list (no totalResults, no Resources)  error; never an empty list
//	no rows on the first page, total not 0      restart
//	a row without an id                         error: rows cannot be counted
//	empty list, total 0                         done, if it has the schema of a list
//	distinct = total                            probe: the total may be the page size, or old
//	begins with a row not seen before, not      rows before it have gone, and some were
//	with the last one of the page before        skipped: restart, the second time sorted
//	no rows, not even that last one, no total   the same
//	the same, total not reached, none twice     ask again, three times; then it has ended
//	nothing but that last row, all counted      done
//	nothing new otherwise                       ask for what is behind the last row
//	no total, or one below distinct             uncounted: go on until nothing is new
//	probe: no rows, or none new                 done (see below for full pages)
//	probe: refused with 400                     done: the server rejects a start past the total
//	probe: new rows, total ≥ distinct           the list grew: restart
//	probe: new rows, total < distinct           the total is no count: uncounted
//	total differs from the first page's         the list changed: restart
//	no rows, distinct < total, no duplicates    Incomplete, with both numbers
//	nothing new left, distinct < total, dups    rows moved while being read: restart, sorted
//	second page repeats the first, < total      restart, sorted; again: Incomplete
//	nothing new, uncounted                      done, unless a total above distinct is claimed
//	nextCursor                                  go on there, whatever the total
//	no nextCursor after a cursor                done if distinct ≥ total
//	ten pages of a cursor with nothing new      done if distinct = total, else Incomplete
//	cursor expired or invalid                   restart
//	first page refused with 400                 asked for again by an empty cursor
//	probe refused, no total, no startIndex      done: the server advertises cursors only
//
// If the first page was as full as asked for and the second repeats it, the server
// either wraps around (complete) or ignores startIndex (cut off). Then
// startIndex = 2 is asked for: if that answer begins with the same row as
// startIndex = 1 did, the list is Incomplete. What remains unprovable is a server
// that ignores startIndex, caps pages below what is asked for, and claims the
// capped size as the total.
//
// A list restarts at most three times; then it is Incomplete, for it keeps changing.
package scim

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"

	"baton"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

const (
	defaultPageSize = 100
	mediaType       = "application/scim+json"
	accept          = "application/scim+json, application/json"
	plainType       = "application/json"
)

// Config says which server to speak to and how.
type Config struct {
	REST     *rest.Client // its base URL is the SCIM base, above /Users
	PageSize int          // rows asked for per page; 100 when zero
}

// Client speaks SCIM to one server. It is safe for concurrent use. Its errors are
// *baton.Error of the kinds that package rest assigns, except that a 404 is Incomplete, as
// an unproved list is: no error says that something does not exist. See proof.go.
type Client struct {
	rest     *rest.Client
	pageSize int
	answered atomic.Bool // a read succeeded
	plain    atomic.Bool // the server does not know mediaType
}

// QueryParameters returns the query parameters of SCIM, which the base URL must not set.
func QueryParameters() []string {
	return []string{"attributes", "excludedAttributes", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"}
}

// New makes a client; it sends nothing.
func New(cfg Config) *Client {
	c := &Client{rest: cfg.REST, pageSize: cfg.PageSize}
	if c.pageSize <= 0 {
		c.pageSize = defaultPageSize
	}
	return c
}

// ErrorType is the scimType of the error answer behind err, such as "uniqueness",
// or empty. Servers often leave it out: decide on the kind, use this as a hint.
func ErrorType(err error) string {
	var status *rest.StatusError
	if !errors.As(err, &status) {
		return ""
	}
	s := jsonscan.New(bytes.NewReader(status.Body))
	defer s.Free()
	scimType := ""
	each(s, func(name []byte) {
		if string(name) == "scimtype" {
			text(s, &scimType)
		} else {
			s.Skip()
		}
	})
	if s.End() != nil {
		return ""
	}
	return scimType
}

// get sends a GET with the headers of SCIM and decodes the answer as it arrives.
func (c *Client) get(ctx context.Context, path string, query url.Values, noCache bool, decode func(*jsonscan.Scanner) error) error {
	err := c.negotiate(true, func(accept, _ string) error {
		return c.rest.Decode(ctx, rest.Request{
			Path:    path,
			Query:   query,
			Header:  http.Header{"Accept": {accept}},
			NoCache: noCache,
		}, func(_ http.Header, s *jsonscan.Scanner) error { return decode(s) })
	})
	if err == nil {
		c.answered.Store(true)
	}
	return c.notShown(err)
}

// negotiate sends a request by its media types, Accept and Content-Type. A server that does not know those of
// SCIM is asked again by that of JSON, and from then on always.
//
// A 415 comes before the request is carried out. A 406 may come after, when the answer is written, so that
// only a request that can be repeated is sent again.
func (c *Client) negotiate(repeatable bool, send func(accept, content string) error) error {
	if c.plain.Load() {
		return send(plainType, plainType)
	}
	err := send(accept, mediaType)
	switch statusOf(err) {
	case http.StatusUnsupportedMediaType:
	case http.StatusNotAcceptable:
		if !repeatable {
			c.plain.Store(true)
			return baton.Errorf(baton.KindOf(err), "%w; it may have been carried out all the same", err)
		}
	default:
		return err
	}
	again := send(plainType, plainType)
	if s := statusOf(again); s == http.StatusUnsupportedMediaType || s == http.StatusNotAcceptable {
		return err
	}
	c.plain.Store(true)
	return again
}

// explain says what was being done and, where a SCIM administrator would know more
// than package rest, what to do about it.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	e := baton.Errorf(baton.KindOf(err), "scim: %s: %w", doing, err)
	switch {
	case errors.Is(err, rest.ErrHTML):
		return e.WithFix("check the SCIM URL: it leads to a web page, or something between here and the server answered, such as a proxy, a firewall or a login page")
	case e.Kind == baton.Unauthenticated:
		return e.WithFix("check the SCIM token; it may have expired, been rotated or been revoked")
	case e.Kind == baton.PermissionDenied:
		return e.WithFix("check that the token is a SCIM token and that SCIM is switched on")
	case baton.FixOf(err) != "":
	case e.Kind == baton.Unsupported:
		return e.WithFix("make the change in the console; this SCIM server cannot")
	case e.Kind == baton.Invalid:
		return e.WithFix("correct what the server objects to; if that is how the request is written, show this line to whoever runs the SCIM server")
	case e.Kind == baton.DeadlineExceeded:
		return e.WithFix("try again later, or allow more time")
	case e.Kind == baton.AlreadyExists || e.Kind == baton.Refused:
		return e.WithFix("look at what is there now; if it is not as asked, try again")
	case e.Kind == baton.Incomplete:
		return e.WithFix("try again; if it stays so, show this line to whoever runs the SCIM server")
	case e.Kind == baton.Unavailable || e.Kind == baton.RateLimited:
		return e.WithFix("try again later; if it stays so, show this line to whoever runs the SCIM server")
	}
	return e
}

func statusOf(err error) int {
	var status *rest.StatusError
	if errors.As(err, &status) {
		return status.Status
	}
	return 0
}

// filterRejected reports whether the server does not take the filter, so that the
// whole list has to be read instead.
func filterRejected(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest:
		return baton.KindOf(err) == baton.Invalid // and not throttling in disguise
	case http.StatusNotImplemented:
		return true
	}
	return errors.Is(err, ErrNotShown) // some servers answer so where nothing matches
}
