package paging

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"

	"baton"
	"baton/connector/rest"
)

const (
	goodPages = 8  // successful pages before a larger size is tried
	leastSlow = 2  // smallest size after slow pages; a page of one row needs another request as proof
	leastBare = 10 // smallest first page whose unexplained refusal may be about the number of rows
)

// count returns how many rows to request for the page at p.
func (s *Server) count(p Position) int {
	n := s.Rows
	for _, limit := range []int{int(s.limit.Load()), p.Limit, p.Count} {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	return n
}

// CanShrink reports whether a slow page may be requested with fewer rows.
func (a Ask) CanShrink() bool { return a.Count > leastSlow }

// grow tries larger pages again after several pages of the reduced size.
func (s *Server) grow(p Position) Position {
	switch {
	case p.Count == 0:
		return p
	case p.Count > 1:
		if p.Good++; p.Good < goodPages {
			return p
		}
	}
	p.Good, p.Count = 0, 2*p.Count
	if p.Count >= s.Rows {
		p.Count = 0
	}
	return p
}

// Read calls get for the page at p, and again for fewer rows while a response is too large or too slow, or
// the server refuses that many. get returns how many rows it read. plain means that the request has no other
// parameters, so an unexplained refusal of a first page may be about the number of rows. Read returns the
// position with the number of rows of the successful request.
func (s *Server) Read(ctx context.Context, p Position, plain bool, get func(Ask) (rows int, err error)) (Position, error) {
	var refused error // the first refusal
	for {
		ask := s.Ask(p)
		rows, err := get(ask)
		if err == nil {
			if refused != nil {
				s.limit.Store(int64(ask.Count)) // from now on
			}
			return p, nil
		}
		why := objectionOf(err, plain && p.Pages == 0)
		smaller := p
		switch why {
		case tooMany:
			if n := s.accepted(ctx, err, ask.Count, refused == nil); n > 0 {
				smaller.Limit = n
			}
			if refused == nil {
				refused = err
			}
		case tooLarge:
			smaller.Count, smaller.Good = max(1, min(rows, ask.Count/2)), 0
			if rows == 0 && !errors.Is(err, rest.ErrTooLarge) {
				smaller.Count = max(1, ask.Count/2) // the right size is unknown
			}
		case tooSlow:
			smaller.Count, smaller.Good = max(leastSlow, ask.Count/2), 0
		}
		switch {
		case s.count(smaller) < ask.Count:
			p = smaller
		case why == tooMany:
			return p, refused // later attempts do not matter
		case why == tooLarge:
			return p, baton.Errorf(baton.KindOf(err), "row %d of the list alone: %w", ask.Start, err).WithFix("%s", s.LargeRow)
		case why == tooSlow:
			return p, baton.Errorf(baton.KindOf(err), "%d rows from row %d on: %w", ask.Count, ask.Start, err).
				WithFix("Try again later. If it keeps failing, raise http-timeout-seconds, or have whoever runs the server find out why it takes so long.")
		default:
			return p, err
		}
	}
}

// objection is the reason why a server may answer a request for fewer rows.
type objection int

const (
	none     objection = iota
	tooMany            // it refuses that many, or may have done so
	tooLarge           // the response exceeds this client's limit or the server's
	tooSlow
)

// aboutCount matches a refusal of the number of rows.
var aboutCount = regexp.MustCompile(`(?i)\bcount\b|\blimit\b|max[ _]?results|too[ _]?many|invalid[ _]?count|page[ _]?size|per[ _]?page|\bmax(imum)?\b|too large|exceed`)

// IsAboutCount reports whether the error is a page's refusal whose text mentions the number of rows.
func IsAboutCount(err error) bool {
	var status *rest.StatusError
	return errors.As(err, &status) && baton.KindOf(err) == baton.Invalid && aboutCount.Match(status.Body) &&
		(status.Status == http.StatusBadRequest || status.Status == http.StatusUnprocessableEntity)
}

// objectionOf classifies the error for a page. plain means that any refusal may be about the number of rows.
func objectionOf(err error, plain bool) objection {
	var status *rest.StatusError
	switch {
	case errors.Is(err, rest.ErrTooLarge):
		return tooLarge
	case errors.Is(err, rest.ErrSlow):
		return tooSlow
	case !errors.As(err, &status):
		return none
	case status.Status == http.StatusRequestEntityTooLarge:
		return tooLarge
	case status.Status != http.StatusBadRequest && status.Status != http.StatusUnprocessableEntity || baton.KindOf(err) != baton.Invalid:
		return none
	case plain || IsAboutCount(err):
		return tooMany
	}
	return none
}

// named matches the number of rows that a refusal allows.
var named = regexp.MustCompile(`(?i)(?:max\w*|most|exceed\w*|and|limit\w*|than|up to|<=?|≤)\D{0,20}(\d{1,6})\b`)

// accepted returns a smaller number of rows that the server may accept: the number that it announces or names
// in the error, else half. It returns 0 if fewer rows will not help.
func (s *Server) accepted(ctx context.Context, err error, count int, first bool) int {
	if first && s.Advertised != nil {
		if n := s.Advertised(ctx); n > 0 && n < count {
			return n
		}
	}
	least := leastBare
	if IsAboutCount(err) {
		var status *rest.StatusError
		errors.As(err, &status)
		least = 1
		for _, m := range named.FindAllStringSubmatch(status.Detail, -1) {
			if n, _ := strconv.Atoi(m[1]); n > 0 && n < count {
				return n
			}
		}
	}
	if count <= least {
		return 0
	}
	return max(least, count/2)
}
