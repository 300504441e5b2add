// Package scim is a SCIM 2.0 client (RFC 7643, RFC 7644, cursors of RFC 9865) that copes with real servers:
// it reads leniently, writes strictly, and calls a list complete only if package paging can prove it. A row
// without an id is an error, because rows cannot be counted then. So is a response with neither totalResults
// nor Resources: it is never an empty list.
package scim

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/internal/jsonscan"
)

const (
	defaultPageSize = 100
	mediaType       = "application/scim+json"
	accept          = "application/scim+json, application/json"
	plainType       = "application/json"
)

// Config configures a Client.
type Config struct {
	REST     *rest.Client // its base URL is the SCIM base, above /Users
	PageSize int          // rows requested per page; 0 means 100
}

// Client speaks SCIM to one server. It is safe for concurrent use. Its errors are *baton.Error of the kinds
// that package rest assigns, except that a 404 and a list that cannot be proved complete are Incomplete: no
// error says that something does not exist. See proof.go.
type Client struct {
	rest     *rest.Client
	pages    paging.Server
	answered atomic.Bool // a read succeeded
	plain    atomic.Bool // the server does not know mediaType
}

// QueryParameters returns the query parameters that SCIM uses and the base URL must not set.
func QueryParameters() []string {
	return []string{"attributes", "excludedAttributes", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"}
}

// New returns a client. It sends nothing.
func New(cfg Config) *Client {
	c := &Client{rest: cfg.REST}
	c.pages.Rows, c.pages.Start, c.pages.Sorts = cfg.PageSize, "startIndex", true
	if c.pages.Rows <= 0 {
		c.pages.Rows = defaultPageSize
	}
	c.pages.Advertised, c.pages.LargeRow = c.advertised, fixTooLarge
	return c
}

// advertised returns the page size limit that the server announces, or 0.
func (c *Client) advertised(ctx context.Context) int {
	says, err := c.ServiceProviderConfig(ctx)
	if err != nil {
		return 0
	}
	if says.MaxPageSize > 0 {
		return says.MaxPageSize
	}
	return says.FilterMaxResults
}

// fixTooLarge is the advice for a user or group that exceeds the size limit of one response.
const fixTooLarge = "Have whoever runs the SCIM server leave out what it need not send, such as $ref and display of members, or split the group."

// ErrorType returns the scimType of the error response behind err, such as "uniqueness", or "". Servers often
// leave it out: decide by the error's kind and use this as a hint.
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

// get sends a GET with the headers of SCIM and decodes the response as it arrives.
func (c *Client) get(ctx context.Context, path string, query url.Values, noCache bool, decode func(*jsonscan.Scanner) error) error {
	return c.getPage(ctx, path, query, noCache, false, decode)
}

// getPage is like get, for a caller that may be able to request fewer rows.
func (c *Client) getPage(ctx context.Context, path string, query url.Values, noCache, canShrink bool, decode func(*jsonscan.Scanner) error) error {
	err := c.negotiate(true, func(accept, _ string) error {
		return c.rest.Decode(ctx, rest.Request{
			Path:    path,
			Query:   query,
			Header:  http.Header{"Accept": {accept}},
			NoCache: noCache, CanShrink: canShrink,
		}, func(_ http.Header, s *jsonscan.Scanner) error { return decode(s) })
	})
	if err == nil {
		c.answered.Store(true)
	}
	return c.notShown(err)
}

// negotiate calls send with media types for Accept and Content-Type. If the server does not know those of
// SCIM, negotiate repeats the request with those of JSON, which the client then always uses.
//
// A server sends 415 before it carries out the request. It may send 406 afterwards, when it writes the
// response, so only a repeatable request is sent again.
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

// explain adds the operation to an error, and advice where a SCIM administrator needs more than package rest
// says.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	e := baton.Errorf(baton.KindOf(err), "scim: %s: %w", doing, err)
	switch {
	case errors.Is(err, rest.ErrHTML):
		return e.WithFix("check the SCIM URL: it leads to a web page, or something between here and the server answered, such as a proxy, a firewall or a login page")
	case errors.Is(err, rest.ErrAddress): // nobody was asked, so it is not about the token
	case e.Kind == baton.Unauthenticated:
		return e.WithFix("check the SCIM token; it may have expired, been rotated or been revoked")
	case e.Kind == baton.PermissionDenied:
		return e.WithFix("check that the token is a SCIM token and that SCIM is switched on")
	case errors.Is(err, rest.ErrTooLarge):
		return e.WithFix(fixTooLarge)
	case baton.FixOf(err) != "":
	case e.Kind == baton.Unsupported:
		return e.WithFix("make the change in the console; this SCIM server cannot")
	case e.Kind == baton.Invalid:
		return e.WithFix("correct what the server objects to; if that is how the request is written, show this line to whoever runs the SCIM server")
	case e.Kind == baton.DeadlineExceeded:
		return e.WithFix("try again later, or allow more time")
	case e.Kind == baton.AlreadyExists || e.Kind == baton.Refused:
		return e.WithFix("check the current state; if it is not as requested, try again")
	case e.Kind == baton.Incomplete:
		return e.WithFix("try again; if it keeps failing, show this line to whoever runs the SCIM server")
	case e.Kind == baton.Unavailable || e.Kind == baton.RateLimited:
		return e.WithFix("try again later; if it keeps failing, show this line to whoever runs the SCIM server")
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

// filterRejected reports whether the server rejects the filter, so that the whole list must be read.
func filterRejected(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest:
		return baton.KindOf(err) == baton.Invalid // but not a 400 for throttling
	case http.StatusNotImplemented:
		return true
	}
	return errors.Is(err, ErrNotShown) // some servers answer so where nothing matches
}
