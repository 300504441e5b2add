package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"baton"
	"baton/connector/paging"
	"baton/internal/jsonscan"
)

// listing describes one of the two lists.
type listing[T any] struct {
	path string
	rows func(*jsonscan.Scanner) func() T // returns a reader of rows
	id   func(T) string
	sink paging.Sink[T]
}

// listPage reads and judges one page.
func listPage[T any](ctx context.Context, c *Client, l listing[T], at paging.Position) (paging.Step, error) {
	var page *paging.Page
	var lost error // the paging id
	begun := false
	at, err := c.pages.Read(ctx, at, true, func(ask paging.Ask) (int, error) {
		page = paging.NewPage(at, l.sink.Seen)
		query := url.Values{"offset": {strconv.Itoa(ask.Start - 1)}, "max": {strconv.Itoa(ask.Count)}}
		if ask.Handle != "" {
			query.Set("pagingRequestId", ask.Handle)
		}
		err := c.get(ctx, l.path, query, ask.CanShrink(), func(h http.Header, s *jsonscan.Scanner) error {
			if begun {
				l.sink.Discard()
			}
			begun = true
			page = paging.NewPage(at, l.sink.Seen)
			return readPage(h, s, l, page)
		})
		if ask.Handle != "" && handleLost(err) {
			lost, err = err, nil
		}
		return page.Rows, err
	})
	switch {
	case err != nil:
		return paging.Step{}, err
	case lost != nil:
		return c.pages.Again(at, baton.Errorf(baton.Incomplete, "the paging id does not hold: %w", lost))
	}
	return c.pages.After(at, page)
}

// readPage reads the rows of one page.
func readPage[T any](h http.Header, s *jsonscan.Scanner, l listing[T], page *paging.Page) error {
	page.Handle = h.Get("X-Paging-Request-Id")
	page.Total, _ = totalOf(h)
	read := l.rows(s)
	return readRows(s, func() {
		item := read()
		id := l.id(item)
		if s.Err() != nil {
			s.Locate(page.Rows+1, id)
			return
		}
		if page.Add(id) {
			l.sink.Row(item)
		}
	})
}

// handleLost reports whether the API refused a paging id. The lifetime of a paging id, and the response after
// it, are not documented.
func handleLost(err error) bool {
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return baton.KindOf(err) != baton.RateLimited
	}
	return false
}
