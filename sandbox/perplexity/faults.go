package perplexity

import (
	"baton/sandbox/fault"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Fault is a row of the table of faults.
type Fault = fault.Fault

// Faults returns the table of all faults, grouped by the part that they affect.
func Faults() []Fault {
	return slices.Concat(transportFaults(), listFaults(), memberFaults(), attributeFaults(), writeFaults(), organisationFaults(), foreignFaults(), recordFaults(), formFaults(), kindFaults())
}

func transportFaults() []Fault {
	return []Fault{
		fault.Row("rate-limit", fault.Count, "3", "every Nth request is answered 429 without Retry-After"),
		fault.Row("rate-limit-seconds", fault.Count, "3", "every Nth request is answered 429 with Retry-After in seconds"),
		fault.Row("rate-limit-date", fault.Count, "3", "every Nth request is answered 429 with Retry-After as an HTTP date"),
		fault.Row("retry-after", fault.Count, "1", "what Retry-After asks for, with the two rate limits that send it: N seconds"),
		fault.Row("throttle-in-500", fault.Count, "3", "every Nth request is throttled, hidden in a 500"),
		fault.Row("server-error", fault.Count, "3", "every Nth request is answered 503"),
		fault.Row("crossed-answers", fault.Count, "3", "every Nth read of one resource shows another one"),
		fault.Row("bad-gateway", fault.Count, "3", "every Nth request is answered 502 with an HTML page"),
		fault.Row("error-in-200", fault.Count, "3", "every Nth request is answered 200 with a SCIM error, and not carried out"),
		fault.Row("empty-200", fault.Count, "3", "every Nth request is answered 200 without a body, and not carried out"),
		fault.Row("stall", fault.Count, "5", "every Nth request is never answered, nor carried out"),
		fault.Row("drop-connection", fault.Count, "3", "every Nth answer breaks off in the middle, after the work was done"),
		fault.Row("truncated-body", fault.Count, "3", "every Nth answer is complete HTTP around half the JSON"),
		fault.Row("slow", fault.Duration, "2s", "every answer waits"),
		fault.Row("html-200", "", "", "everything is answered 200 with an HTML page"),
		fault.Row("redirect", fault.URL, "https://redirected.invalid/", "everything is redirected to the address"),
		fault.Row("bare-errors", "", "", "errors come without a body"),
		fault.Row("odd-content-type", "", "", "JSON is labelled text/plain"),
		fault.Row("huge-body", fault.Count, "128", "answers are followed by N MiB of blanks"),
		fault.Row("gzip-bomb", fault.Count, "128", "answers are compressed, and followed by N MiB of blanks inside"),
		fault.Row("body-limit", fault.Count, "64", "request bodies over N bytes are answered 413 (2000 KiB otherwise)"),
		fault.Row("token-revoked-after", fault.Count, "3", "the token is revoked after N more requests"),
		fault.Row("forbidden", "", "", "the token may do nothing: 403"),
		fault.Row("no-provider-config", "", "", "ServiceProviderConfig, ResourceTypes and Schemas do not exist"),
	}
}

func listFaults() []Fault {
	return []Fault{
		fault.Row("page-cap", fault.Count, "10", "a page never holds more than N rows"),
		fault.Row("total-is-page-size", "", "", "totalResults is the number of rows in the page"),
		fault.Row("total-missing", "", "", "totalResults is left out"),
		fault.Row("total-lies-high", "", "", "totalResults is 7 too high"),
		fault.Row("total-lies-low", "", "", "totalResults is 7 too low, but never negative"),
		fault.Row("total-zero-past-end", "", "", "a startIndex past the end makes totalResults 0"),
		fault.Row("string-numbers", "", "", "the numbers of a list are strings"),
		fault.Row("wrap-around", "", "", "a startIndex past the end starts over"),
		fault.Row("ignore-start-index", "", "", "every page is the first page"),
		fault.Row("zero-based-start", "", "", "startIndex counts from 0"),
		fault.Row("items-per-page-echo", "", "", "itemsPerPage is the count that was asked for"),
		fault.Row("items-per-page-zero", "", "", "itemsPerPage is 0"),
		fault.Row("resources-absent", "", "", "an empty list has no Resources at all"),
		fault.Row("duplicate-rows", "", "", "every fifth row is listed twice, which totalResults does not count"),
		fault.Row("overlap-pages", "", "", "pages after the first begin with the last row of the page before"),
		fault.Row("short-page", "", "", "the third row of the list is counted but never listed"),
		fault.Row("empty-page", fault.Count, "3", "every Nth page of a list has no rows, though it counts them"),
		fault.Row("rows-shift-both", fault.Count, "1", "after the first page of users somebody on it is deleted and somebody else added at the end, N times"),
		fault.Row("rows-shift-delete", fault.Count, "1", "after the first page of users somebody on it is deleted, N times"),
		fault.Row("rows-shift-insert", fault.Count, "1", "after the first page of users somebody is inserted before it, N times"),
		fault.Row("cursor", "", "", "lists also offer cursors (RFC 9865)"),
		fault.Row("cursor-only", "", "", "lists offer cursors, refuse a startIndex and have no totalResults"),
		fault.Row("expire-cursor", fault.Count, "1", "lists offer cursors, of which the first N that come back have expired"),
		fault.Row("cursor-loops", "", "", "lists offer cursors, and that of the last page leads back to the first"),
		fault.Row("filter-unsupported", "", "", "filters are answered 501"),
		fault.Row("filter-ignored", "", "", "filters are ignored: the whole list comes back"),
		fault.Row("filter-case-sensitive", "", "", "filters regard case in every attribute"),
		fault.Row("stale-reads", fault.Count, "1", "the N reads after a write see the old state, unless they say no-cache"),
		fault.Row("stale-reads-always", fault.Count, "1", "the N reads after a write see the old state, no-cache or not"),
	}
}

func memberFaults() []Fault {
	return []Fault{
		fault.Row("members-absent", "", "", "groups in lists have no members attribute"),
		fault.Row("members-absent-everywhere", "", "", "groups never have a members attribute"),
		fault.Row("members-empty", "", "", "groups in lists have an empty members attribute"),
		fault.Row("members-empty-everywhere", "", "", "groups always have an empty members attribute"),
		fault.Row("members-truncated", fault.Count, "5", "groups show their first N members only"),
		fault.Row("members-by-reference", "", "", "members of groups are given by $ref alone"),
		fault.Row("bare-members", "", "", "members of groups, and groups of users, are bare ids"),
		fault.Row("nested-groups", "", "", "every group also has another group as a member"),
		fault.Row("unknown-members", "", "", "every group also has a member that no user is"),
		fault.Row("no-groups-attribute", "", "", "users have no groups attribute"),
		fault.Row("big-group-500", fault.Count, "5", "reading a group of more than N members fails with 500"),
	}
}

func attributeFaults() []Fault {
	return []Fault{
		fault.Row("missing-id", "", "", "the second row of every page has no id"),
		fault.Row("string-booleans", "", "", `booleans are "True" and "False"`),
		fault.Row("missing-active", "", "", "users have no active attribute"),
		fault.Row("no-email", "", "", "users have no emails"),
		fault.Row("null-values", "", "", "attributes without a value are null instead of left out"),
		fault.Row("upper-case-attributes", "", "", "attribute names are in capitals"),
		fault.Row("single-object-arrays", "", "", "a list of one is written without its brackets"),
	}
}

func writeFaults() []Fault {
	return []Fault{
		fault.Row("drop-member-on-add", "", "", "members that are added are silently dropped: 200, and nothing happened"),
		fault.Row("remove-wipes-all", "", "", "removing one member removes them all"),
		fault.Row("remove-collateral", "", "", "removing one member removes another one too"),
		fault.Row("duplicate-add-409", "", "", "adding a member again is answered 409"),
		fault.Row("absent-remove-404", "", "", "removing somebody who is no member is answered 404"),
		fault.Row("absent-remove-412", "", "", "removing somebody who is no member is answered 412"),
		fault.Row("patch-204", "", "", "PATCH is answered 204"),
		fault.Row("patch-200-empty", "", "", "PATCH is answered 200 without a body"),
		fault.Row("patch-202", "", "", "PATCH is answered 202, and never carried out"),
		fault.Row("patch-ignored", "", "", "PATCH is answered 200, and nothing changes"),
		fault.Row("patch-unsupported", "", "", "PATCH is answered 501"),
		fault.Row("patch-no-filter", "", "", "a PATCH whose path has a filter is answered 400"),
		fault.Row("patch-no-path", "", "", "a PATCH of users whose operations have a path is answered 400"),
		fault.Row("create-empty", "", "", "a creation is answered 201 without a body"),
		fault.Row("error-after-work", fault.Count, "2", "every Nth write that succeeds is answered 500 afterwards"),
		fault.Row("duplicate-delivery", "", "", "every write is carried out twice, and the second answer sent"),
		fault.Row("held-row-on-reject", "", "", "a refused creation leaves a row behind, that a corrected one merges with"),
		fault.Row("conflict-without-scimtype", "", "", "409 has no scimType"),
		fault.Row("conflict-by-email", "", "", "creation conflicts by e-mail before userName, also with the e-mail of disabled users"),
	}
}

func organisationFaults() []Fault {
	return []Fault{
		fault.Row("soft-delete-on", "", "", "disabled users stay visible with active false (the default, spelt out)"),
		fault.Row("soft-delete-off", "", "", "disabled users vanish: 404, and absent from lists and groups"),
		fault.Row("deactivated-keeps-groups", "", "", "disabled users stay in their groups (the default, spelt out)"),
		fault.Row("deactivated-loses-groups", "", "", "disabling a user ends all memberships"),
		fault.Row("member-first", "", "", "the Member role has priority over the Admin role"),
		fault.Row("unverified-domain", "", "", "no domain is verified: creations are refused"),
		fault.Row("not-in-plan", "", "", "the plan does not include SCIM: 403"),
		fault.Row("seats-full", "", "", "no seat is left: nobody can be created or enabled"),
	}
}

// opposite returns the fault that switching this one on switches off, if any.
func opposite(name string) string {
	switch name {
	case "soft-delete-on":
		return "soft-delete-off"
	case "soft-delete-off":
		return "soft-delete-on"
	case "deactivated-keeps-groups":
		return "deactivated-loses-groups"
	case "deactivated-loses-groups":
		return "deactivated-keeps-groups"
	}
	return ""
}

func parseFaults(names []string) (fault.Set, error) {
	set, err := fault.Parse(Faults(), names)
	if err != nil {
		return nil, fmt.Errorf("perplexity: %w", err)
	}
	for name := range set {
		if other := opposite(name); set.Has(other) && slices.Index(names, name) < slices.Index(names, other) {
			delete(set, name) // the later one applies
		}
	}
	return set, nil
}

// SetFaults replaces the active faults and resets their counts. The error names a fault that does not exist
// or has an invalid value; then nothing changes.
func (s *Server) SetFaults(names ...string) error {
	set, err := parseFaults(names)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrange(set)
	s.faults, s.past = set, past{}
	return nil
}

// ActiveFaults returns the active faults with their values, sorted.
func (s *Server) ActiveFaults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.Names()
}

// FaultsMet returns the number of answers that each active fault has affected since it was switched on, if
// any.
func (s *Server) FaultsMet() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.Met()
}

// interrupt returns the answer of a fault that prevents a request from being carried out, or nil.
func (s *Server) interrupt() *answer {
	f := s.faults
	switch {
	case f.Every("rate-limit"):
		return throttled("")
	case f.Every("rate-limit-seconds"):
		return throttled(strconv.Itoa(s.retryAfter()))
	case f.Every("rate-limit-date"):
		// A date has whole seconds. Add one second, so that it is never in the past.
		at := s.now().Add(time.Duration(s.retryAfter())*time.Second + time.Second - 1).Truncate(time.Second)
		return throttled(at.UTC().Format(http.TimeFormat))
	case f.Every("throttle-in-500"):
		return fail(500, "", "internal error: too many requests in flight, rate limit exceeded").answer()
	case f.Every("server-error"):
		return fail(503, "", "the service is unavailable").answer()
	case f.Every("bad-gateway"):
		return &answer{status: http.StatusBadGateway, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
			body: []byte("<!doctype html><html lang=en><title>Bad gateway</title><h1>502 Bad gateway</h1></html>\n")}
	case f.Every("error-in-200"):
		a := fail(500, "", "internal error").answer()
		a.status = http.StatusOK
		return a
	case f.Every("empty-200"):
		return &answer{status: http.StatusOK, header: http.Header{}}
	case f.Every("stall"):
		return &answer{status: http.StatusOK, header: http.Header{}, stall: true}
	case f.On("forbidden"):
		return fail(403, "", "this token may not use SCIM").answer()
	}
	return nil
}

func (s *Server) retryAfter() int { return max(1, s.faults.Number("retry-after")) }

func throttled(after string) *answer {
	a := fail(429, "", "too many requests").answer()
	if after != "" {
		a.header.Set("Retry-After", after)
	}
	return a
}
