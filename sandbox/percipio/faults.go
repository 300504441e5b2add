package percipio

import (
	"baton/sandbox/fault"
	"fmt"
	"slices"
)

// Fault is a row of the table of faults.
type Fault = fault.Fault

// Faults returns the table of all faults, grouped by the part that they affect.
func Faults() []Fault {
	return slices.Concat(transportFaults(), accessFaults(), listFaults(), reportFaults(), rowFaults())
}

func transportFaults() []Fault {
	return []Fault{
		fault.Row("rate-limit", fault.Count, "3", "every Nth request is answered 429 without Retry-After"),
		fault.Row("rate-limit-seconds", fault.Count, "3", "every Nth request is answered 429 with Retry-After in seconds"),
		fault.Row("rate-limit-date", fault.Count, "3", "every Nth request is answered 429 with Retry-After as an HTTP date"),
		fault.Row("retry-after", fault.Count, "1", "what Retry-After asks for, with the two rate limits that send it: N seconds"),
		fault.Row("server-error", fault.Count, "3", "every Nth request is answered 503"),
		fault.Row("bad-gateway", fault.Count, "3", "every Nth request is answered 502 with an HTML page"),
		fault.Row("error-in-200", fault.Count, "3", "every Nth request is answered 200 with an error, and not carried out"),
		fault.Row("empty-200", fault.Count, "3", "every Nth request is answered 200 without a body, and not carried out"),
		fault.Row("stall", fault.Count, "5", "every Nth request is never answered, nor carried out"),
		fault.Row("drop-connection", fault.Count, "3", "every Nth answer breaks off in the middle, after the work was done"),
		fault.Row("truncated-body", fault.Count, "3", "every Nth answer that is not a report is complete HTTP around half the JSON"),
		fault.Row("slow", fault.Duration, "2s", "every answer waits"),
		fault.Row("slow-body", fault.Duration, "50ms", "every answer comes in parts of 16 KiB with a wait after each"),
		fault.Row("html-200", fault.Count, "1", "every Nth request is answered 200 with an HTML page"),
		fault.Row("redirect", fault.URL, "https://redirected.invalid/", "everything is redirected to the address"),
		fault.Row("bare-errors", "", "", "errors come without a body"),
		fault.Row("huge-body", fault.Count, "128", "answers are followed by N MiB of blanks"),
		fault.Row("gzip", "", "", "answers are compressed for clients that accept it"),
		fault.Row("latin-1", "", "", "lists are in ISO-8859-1, and say so"),
		fault.Row("latin-1-undeclared", "", "", "lists are in ISO-8859-1, and do not say so"),
	}
}

func accessFaults() []Fault {
	return []Fault{
		fault.Row("token-revoked-after", fault.CountOrZero, "3", "the token is refused after N more requests; 0 refuses them all"),
		fault.Row("token-expiring", fault.Duration, "24h", "the token that the sandbox hands out expires so soon"),
		fault.Row("foreign-org", "", "", "the token belongs to another organisation: 403"),
		fault.Row("missing-permission", "users|content|reporting", "reporting", "the service account lacks the permission for these APIs, joined by +: 403"),
	}
}

func listFaults() []Fault {
	return []Fault{
		fault.Row("no-total", "", "", "lists have no x-total-count"),
		fault.Row("total-lies-high", "", "", "x-total-count is 7 too high"),
		fault.Row("total-lies-low", "", "", "x-total-count is 7 too low, but never negative"),
		fault.Row("no-link", "", "", "the catalogue has no link header"),
		fault.Row("odd-link", "", "", "the link header has relative addresses, no quotes and other parameters"),
		fault.Row("no-paging-id", "", "", "the catalogue has no x-paging-request-id"),
		fault.Row("stale-paging-id", fault.Count, "1", "the first N paging ids that come back have expired: 400"),
		fault.Row("page-cap", fault.Count, "5", "a page never holds more than N rows"),
		fault.Row("max-over-1000-is-400", "", "", "a max over 1000 is refused instead of taken for 1000"),
		fault.Row("empty-page", fault.Count, "3", "every Nth page of a list has no rows, though it counts them"),
		fault.Row("users-shift-both", fault.Count, "1", "after the first of several pages of users the first on it is deleted and somebody else added at the end, N times"),
		fault.Row("users-shift-delete", fault.Count, "1", "after the first of several pages of users somebody on it is deleted, N times"),
		fault.Row("users-shift-insert", fault.Count, "1", "after the first of several pages of users somebody is inserted before it, N times"),
		fault.Row("duplicate-users", "", "", "every fifth user is listed twice, which x-total-count does not count"),
		fault.Row("search-fail", fault.Count, "1", "every Nth search is answered 500"),
		fault.Row("search-429", fault.Count, "2", "every Nth search is answered 429"),
		fault.Row("search-locale", "", "", "search finds an item in its own language only"),
		fault.Row("search-crowded", "", "", "search lists 30 other items before those that match"),
	}
}

func reportFaults() []Fault {
	return []Fault{
		fault.Row("pending", fault.Count, "2", "a report is ready after N polls"),
		fault.Row("report-never-finishes", "", "", "a report is in progress for ever"),
		fault.Row("report-failed", fault.CountOrZero, "1", "the first N reports requested end FAILED"),
		fault.Row("report-completed-status", "COMPLETED|FAILED", "COMPLETED", "the request for a report is answered with this status, and not PENDING"),
		fault.Row("report-completed-poll", "", "", "the first poll of a finished report says COMPLETED, the second has the rows"),
		fault.Row("report-vanishes", fault.CountOrZero, "1", "the first N reports requested are 404 once they are ready"),
		fault.Row("report-gone", fault.CountOrZero, "1", "the first N reports requested are 410 once they are ready"),
		fault.Row("report-expires-mid-body", fault.Rows, "10/1", "a download breaks off after ROWS rows, and the report is 404 from then on"),
		fault.Row("truncated-report", fault.Rows, "10/1", "a download breaks off in the middle of a row after ROWS rows"),
		fault.Row("truncated-report-clean", fault.Rows, "10/1", "a download ends after ROWS rows, in complete HTTP"),
		fault.Row("report-id-only-as-reportId", "", "", "status objects spell the id reportId, that of the request too"),
		fault.Row("status-lower-case", "", "", "statuses of reports and of rows are in lower case"),
	}
}

func rowFaults() []Fault {
	return []Fault{
		fault.Row("report-reversed", "", "", "rows come oldest first, whatever was asked for"),
		fault.Row("report-unsorted", "", "", "rows come in no order, a different one for each download"),
		fault.Row("dup-pairs", fault.Count, "5", "every Nth row has a second one of the same pair, started only, before it or some rows after it"),
		fault.Row("unknown-status", fault.Count, "5", "every Nth row is followed by one of the same pair with a status that nobody knows"),
		fault.Row("unknown-users", fault.Count, "5", "every Nth row is followed by one of a user who does not exist"),
		fault.Row("unknown-courses", fault.Count, "5", "every Nth row is followed by one of an item that does not exist"),
		fault.Row("empty-ids", fault.Count, "5", "every Nth row is followed by one with an empty userUuid or contentUuid, or without"),
		fault.Row("odd-dates", "", "", "dates of users, items and rows are empty, null or garbage"),
		fault.Row("null-values", "", "", "whatever has no value is null, and so is all that may be, here and there"),
		fault.Row("custom-attributes-collide", "", "", "users have custom attributes called id, email, role and is_active"),
	}
}

func parseFaults(names []string) (fault.Set, error) {
	set, err := fault.Parse(Faults(), names)
	if err != nil {
		return nil, fmt.Errorf("percipio: %w", err)
	}
	return set, nil
}

// SetFaults replaces the active faults and resets their counts. The error names a fault that does not exist
// or has an invalid value; then nothing changes. Reports requested before keep their faults, such as failing
// or vanishing.
func (s *Server) SetFaults(names ...string) error {
	set, err := parseFaults(names)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.useFaults(set)
	return nil
}

func (s *Server) useFaults(set fault.Set) {
	s.faults, s.expiring = set, token{}
	if set.Has("token-expiring") {
		s.expiring = makeToken(s.opts.Org, s.now().Add(set.Wait("token-expiring")))
	}
}

// FaultsMet returns the number of answers that each active fault has affected since it was switched on, if
// any.
func (s *Server) FaultsMet() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.Met()
}

// ActiveFaults returns the active faults with their values, sorted.
func (s *Server) ActiveFaults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.Names()
}
