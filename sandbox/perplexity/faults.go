package perplexity

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a named way to differ from a faultless server: a dialect seen in the
// field, or something breaking. It is switched on by its name; where Value is not
// empty, "name=value" overrides the default.
type Fault struct {
	Name        string `json:"name"`
	Value       string `json:"value,omitempty"`   // what the value is: N, a duration, a URL
	Default     string `json:"default,omitempty"` // the value when none is given
	Description string `json:"description"`
}

// What the values of faults are.
const (
	valueCount    = "N"
	valueDuration = "DURATION"
	valueURL      = "URL"
)

// Faults is the table of all faults, grouped by what they touch.
func Faults() []Fault {
	return slices.Concat(transportFaults(), listFaults(), memberFaults(), attributeFaults(), writeFaults(), organisationFaults())
}

func transportFaults() []Fault {
	return []Fault{
		{"rate-limit", valueCount, "3", "every Nth request is answered 429 without Retry-After"},
		{"rate-limit-seconds", valueCount, "3", "every Nth request is answered 429 with Retry-After in seconds"},
		{"rate-limit-date", valueCount, "3", "every Nth request is answered 429 with Retry-After as an HTTP date"},
		{"retry-after", valueCount, "1", "what Retry-After asks for, with the two rate limits that send it: N seconds"},
		{"throttle-in-500", valueCount, "3", "every Nth request is throttled, hidden in a 500"},
		{"server-error", valueCount, "3", "every Nth request is answered 503"},
		{"drop-connection", valueCount, "3", "every Nth answer breaks off in the middle, after the work was done"},
		{"truncated-body", valueCount, "3", "every Nth answer is complete HTTP around half the JSON"},
		{"slow", valueDuration, "2s", "every answer waits"},
		{"html-200", "", "", "everything is answered 200 with an HTML page"},
		{"redirect", valueURL, "https://redirected.invalid/", "everything is redirected to the address"},
		{"bare-errors", "", "", "errors come without a body"},
		{"odd-content-type", "", "", "JSON is labelled text/plain"},
		{"huge-body", valueCount, "128", "answers are followed by N MiB of blanks"},
		{"gzip-bomb", valueCount, "128", "answers are compressed, and followed by N MiB of blanks inside"},
		{"body-limit", valueCount, "64", "request bodies over N bytes are answered 413 (2000 KiB otherwise)"},
		{"token-revoked-after", valueCount, "3", "the token is revoked after N more requests"},
		{"forbidden", "", "", "the token may do nothing: 403"},
		{"no-provider-config", "", "", "ServiceProviderConfig, ResourceTypes and Schemas do not exist"},
	}
}

func listFaults() []Fault {
	return []Fault{
		{"page-cap", valueCount, "10", "a page never holds more than N rows"},
		{"total-is-page-size", "", "", "totalResults is the number of rows in the page"},
		{"total-missing", "", "", "totalResults is left out"},
		{"total-lies-high", "", "", "totalResults is 7 too high"},
		{"wrap-around", "", "", "a startIndex past the end starts over"},
		{"ignore-start-index", "", "", "every page is the first page"},
		{"zero-based-start", "", "", "startIndex counts from 0"},
		{"items-per-page-echo", "", "", "itemsPerPage is the count that was asked for"},
		{"items-per-page-zero", "", "", "itemsPerPage is 0"},
		{"resources-absent", "", "", "an empty list has no Resources at all"},
		{"duplicate-rows", "", "", "every fifth row is listed twice, which totalResults does not count"},
		{"overlap-pages", "", "", "pages after the first begin with the last row of the page before"},
		{"short-page", "", "", "the third row of the list is counted but never listed"},
		{"rows-shift-delete", valueCount, "1", "after the first page of users somebody on it is deleted, N times"},
		{"rows-shift-insert", valueCount, "1", "after the first page of users somebody is inserted before it, N times"},
		{"cursor", "", "", "lists also offer cursors (RFC 9865)"},
		{"cursor-only", "", "", "lists offer cursors, refuse a startIndex and have no totalResults"},
		{"expire-cursor", valueCount, "1", "lists offer cursors, of which the first N that come back have expired"},
		{"filter-unsupported", "", "", "filters are answered 501"},
		{"filter-ignored", "", "", "filters are ignored: the whole list comes back"},
		{"filter-case-sensitive", "", "", "filters regard case in every attribute"},
		{"stale-reads", valueCount, "1", "the N reads after a write see the old state, unless they say no-cache"},
		{"stale-reads-always", valueCount, "1", "the N reads after a write see the old state, no-cache or not"},
	}
}

func memberFaults() []Fault {
	return []Fault{
		{"members-absent", "", "", "groups in lists have no members attribute"},
		{"members-absent-everywhere", "", "", "groups never have a members attribute"},
		{"members-empty", "", "", "groups in lists have an empty members attribute"},
		{"members-empty-everywhere", "", "", "groups always have an empty members attribute"},
		{"members-truncated", valueCount, "5", "groups show their first N members only"},
		{"nested-groups", "", "", "every group also has another group as a member"},
		{"unknown-members", "", "", "every group also has a member that no user is"},
		{"no-groups-attribute", "", "", "users have no groups attribute"},
		{"big-group-500", valueCount, "5", "reading a group of more than N members fails with 500"},
	}
}

func attributeFaults() []Fault {
	return []Fault{
		{"missing-id", "", "", "the second row of every page has no id"},
		{"string-booleans", "", "", `booleans are "True" and "False"`},
		{"missing-active", "", "", "users have no active attribute"},
		{"no-email", "", "", "users have no emails"},
		{"null-values", "", "", "attributes without a value are null instead of left out"},
		{"upper-case-attributes", "", "", "attribute names are in capitals"},
		{"single-object-arrays", "", "", "a list of one is written without its brackets"},
	}
}

func writeFaults() []Fault {
	return []Fault{
		{"drop-member-on-add", "", "", "members that are added are silently dropped: 200, and nothing happened"},
		{"remove-wipes-all", "", "", "removing one member removes them all"},
		{"remove-collateral", "", "", "removing one member removes another one too"},
		{"duplicate-add-409", "", "", "adding a member again is answered 409"},
		{"absent-remove-404", "", "", "removing somebody who is no member is answered 404"},
		{"absent-remove-412", "", "", "removing somebody who is no member is answered 412"},
		{"patch-204", "", "", "PATCH is answered 204"},
		{"patch-200-empty", "", "", "PATCH is answered 200 without a body"},
		{"patch-202", "", "", "PATCH is answered 202, and never carried out"},
		{"patch-ignored", "", "", "PATCH is answered 200, and nothing changes"},
		{"held-row-on-reject", "", "", "a refused creation leaves a row behind, that a corrected one merges with"},
		{"conflict-without-scimtype", "", "", "409 has no scimType"},
		{"conflict-by-email", "", "", "creation conflicts by e-mail before userName, also with the e-mail of disabled users"},
	}
}

func organisationFaults() []Fault {
	return []Fault{
		{"soft-delete-on", "", "", "disabled users stay visible with active false (the default, spelt out)"},
		{"soft-delete-off", "", "", "disabled users vanish: 404, and absent from lists and groups"},
		{"deactivated-keeps-groups", "", "", "disabled users stay in their groups (the default, spelt out)"},
		{"deactivated-loses-groups", "", "", "disabling a user ends all memberships"},
		{"member-first", "", "", "the Member role has priority over the Admin role"},
		{"unverified-domain", "", "", "no domain is verified: creations are refused"},
		{"not-in-plan", "", "", "the plan does not include SCIM: 403"},
		{"seats-full", "", "", "no seat is left: nobody can be created or enabled"},
	}
}

// opposite is the fault that switching this one on switches off, if any.
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

// faultSet is what is switched on, with what each needs to remember.
type faultSet map[string]*setting

type setting struct {
	value string
	n     int
	wait  time.Duration
	hits  int
}

func parseFaults(names []string) (faultSet, error) {
	known := map[string]Fault{}
	for _, f := range Faults() {
		known[f.Name] = f
	}
	set := faultSet{}
	for _, given := range names {
		name, value, hasValue := strings.Cut(strings.TrimSpace(given), "=")
		f, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("perplexity: there is no fault %q", name)
		}
		if hasValue && f.Value == "" {
			return nil, fmt.Errorf("perplexity: the fault %s takes no value", name)
		}
		if !hasValue {
			value = f.Default
		}
		s := &setting{value: value}
		var err error
		switch f.Value {
		case valueCount:
			s.n, err = strconv.Atoi(value)
			if err == nil && (s.n < 0 || s.n == 0 && name != "token-revoked-after") {
				err = errors.New("it must be positive")
			}
		case valueDuration:
			s.wait, err = time.ParseDuration(value)
		case valueURL:
			if u, bad := url.Parse(value); bad != nil || u.Scheme == "" {
				err = errors.New("it is none")
			}
		}
		if err != nil {
			return nil, fmt.Errorf("perplexity: the fault %s needs %s for its value: %w", name, f.Value, err)
		}
		delete(set, opposite(name))
		set[name] = s
	}
	return set, nil
}

func (f faultSet) on(name string) bool { return f[name] != nil }

// number is the value of a fault that is on, else 0.
func (f faultSet) number(name string) int {
	if s := f[name]; s != nil {
		return s.n
	}
	return 0
}

// every is true for each Nth time that it is asked.
func (f faultSet) every(name string) bool {
	s := f[name]
	if s == nil {
		return false
	}
	s.hits++
	return s.hits%s.n == 0
}

// first is true for the first N times that it is asked.
func (f faultSet) first(name string) bool {
	s := f[name]
	if s == nil || s.hits >= s.n {
		return false
	}
	s.hits++
	return true
}

// SetFaults replaces the faults that are on, and forgets what they counted. On an
// error, which names the fault that does not exist or has a wrong value, nothing
// changes.
func (s *Server) SetFaults(names ...string) error {
	set, err := parseFaults(names)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.past = set, past{}
	return nil
}

// ActiveFaults are the faults that are on, with their values, sorted.
func (s *Server) ActiveFaults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for name, st := range s.faults {
		if st.value != "" {
			name += "=" + st.value
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// interrupt is the answer of a fault that keeps a request from being carried out.
func (s *Server) interrupt() *answer {
	f := s.faults
	switch {
	case f.every("rate-limit"):
		return throttled("")
	case f.every("rate-limit-seconds"):
		return throttled(strconv.Itoa(s.retryAfter()))
	case f.every("rate-limit-date"):
		// A date has whole seconds: one more, so that it is never in the past.
		at := s.now().Add(time.Duration(s.retryAfter())*time.Second + time.Second - 1).Truncate(time.Second)
		return throttled(at.UTC().Format(http.TimeFormat))
	case f.every("throttle-in-500"):
		return fail(500, "", "internal error: too many requests in flight, rate limit exceeded").answer()
	case f.every("server-error"):
		return fail(503, "", "the service is unavailable").answer()
	case f.on("forbidden"):
		return fail(403, "", "this token may not use SCIM").answer()
	}
	return nil
}

func (s *Server) retryAfter() int { return max(1, s.faults.number("retry-after")) }

func throttled(after string) *answer {
	a := fail(429, "", "too many requests").answer()
	if after != "" {
		a.header.Set("Retry-After", after)
	}
	return a
}
