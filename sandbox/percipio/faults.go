package percipio

import (
	"errors"
	"fmt"
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
	Value       string `json:"value,omitempty"`   // what the value is: N, a duration, a URL, a choice
	Default     string `json:"default,omitempty"` // the value when none is given
	Description string `json:"description"`
}

// What the values of faults are. Any other value is a choice, its parts separated
// by bars.
const (
	valueCount    = "N"
	valueOrAll    = "N (0 for all)"
	valueRows     = "ROWS/TIMES" // TIMES is 1 if left out, 0 for always
	valueDuration = "DURATION"
	valueURL      = "URL"
)

// Faults is the table of all faults, grouped by what they touch.
func Faults() []Fault {
	return slices.Concat(transportFaults(), accessFaults(), listFaults(), reportFaults(), rowFaults())
}

func transportFaults() []Fault {
	return []Fault{
		{"rate-limit", valueCount, "3", "every Nth request is answered 429 without Retry-After"},
		{"rate-limit-seconds", valueCount, "3", "every Nth request is answered 429 with Retry-After in seconds"},
		{"rate-limit-date", valueCount, "3", "every Nth request is answered 429 with Retry-After as an HTTP date"},
		{"retry-after", valueCount, "1", "what Retry-After asks for, with the two rate limits that send it: N seconds"},
		{"server-error", valueCount, "3", "every Nth request is answered 503"},
		{"drop-connection", valueCount, "3", "every Nth answer breaks off in the middle, after the work was done"},
		{"truncated-body", valueCount, "3", "every Nth answer that is not a report is complete HTTP around half the JSON"},
		{"slow", valueDuration, "2s", "every answer waits"},
		{"slow-body", valueDuration, "50ms", "every answer comes in parts of 16 KiB with a wait after each"},
		{"html-200", valueCount, "1", "every Nth request is answered 200 with an HTML page"},
		{"redirect", valueURL, "https://redirected.invalid/", "everything is redirected to the address"},
		{"bare-errors", "", "", "errors come without a body"},
		{"huge-body", valueCount, "128", "answers are followed by N MiB of blanks"},
		{"gzip", "", "", "answers are compressed for clients that accept it"},
	}
}

func accessFaults() []Fault {
	return []Fault{
		{"token-revoked-after", valueOrAll, "3", "the token is refused after N more requests; 0 refuses them all"},
		{"token-expiring", valueDuration, "24h", "the token that the sandbox hands out expires so soon"},
		{"foreign-org", "", "", "the token belongs to another organisation: 403"},
		{"missing-permission", "users|content|reporting", "reporting", "the service account lacks the permission for these APIs, joined by +: 403"},
	}
}

func listFaults() []Fault {
	return []Fault{
		{"no-total", "", "", "lists have no x-total-count"},
		{"total-lies-high", "", "", "x-total-count is 7 too high"},
		{"total-lies-low", "", "", "x-total-count is 7 too low, but never negative"},
		{"no-link", "", "", "the catalogue has no link header"},
		{"odd-link", "", "", "the link header has relative addresses, no quotes and other parameters"},
		{"no-paging-id", "", "", "the catalogue has no x-paging-request-id"},
		{"stale-paging-id", valueCount, "1", "the first N paging ids that come back have expired: 400"},
		{"page-cap", valueCount, "5", "a page never holds more than N rows"},
		{"max-over-1000-is-400", "", "", "a max over 1000 is refused instead of taken for 1000"},
		{"users-shift-delete", valueCount, "1", "after the first of several pages of users somebody on it is deleted, N times"},
		{"users-shift-insert", valueCount, "1", "after the first of several pages of users somebody is inserted before it, N times"},
		{"duplicate-users", "", "", "every fifth user is listed twice, which x-total-count does not count"},
		{"search-fail", valueCount, "1", "every Nth search is answered 500"},
		{"search-429", valueCount, "2", "every Nth search is answered 429"},
		{"search-locale", "", "", "search finds an item in its own language only"},
		{"search-crowded", "", "", "search lists 30 other items before those that match"},
	}
}

func reportFaults() []Fault {
	return []Fault{
		{"pending", valueCount, "2", "a report is ready after N polls"},
		{"report-never-finishes", "", "", "a report is in progress for ever"},
		{"report-failed", valueOrAll, "1", "the first N reports requested end FAILED"},
		{"report-completed-status", "COMPLETED|FAILED", "COMPLETED", "the request for a report is answered with this status, and not PENDING"},
		{"report-completed-poll", "", "", "the first poll of a finished report says COMPLETED, the second has the rows"},
		{"report-vanishes", valueOrAll, "1", "the first N reports requested are 404 once they are ready"},
		{"report-gone", valueOrAll, "1", "the first N reports requested are 410 once they are ready"},
		{"report-expires-mid-body", valueRows, "10/1", "a download breaks off after ROWS rows, and the report is 404 from then on"},
		{"truncated-report", valueRows, "10/1", "a download breaks off in the middle of a row after ROWS rows"},
		{"truncated-report-clean", valueRows, "10/1", "a download ends after ROWS rows, in complete HTTP"},
		{"report-id-only-as-reportId", "", "", "status objects spell the id reportId, that of the request too"},
		{"status-lower-case", "", "", "statuses of reports and of rows are in lower case"},
	}
}

func rowFaults() []Fault {
	return []Fault{
		{"report-reversed", "", "", "rows come oldest first, whatever was asked for"},
		{"report-unsorted", "", "", "rows come in no order, a different one for each download"},
		{"dup-pairs", valueCount, "5", "every Nth row has a second one of the same pair, started only, before it or some rows after it"},
		{"unknown-status", valueCount, "5", "every Nth row is followed by one of the same pair with a status that nobody knows"},
		{"unknown-users", valueCount, "5", "every Nth row is followed by one of a user who does not exist"},
		{"unknown-courses", valueCount, "5", "every Nth row is followed by one of an item that does not exist"},
		{"empty-ids", valueCount, "5", "every Nth row is followed by one with an empty userUuid or contentUuid, or without"},
		{"odd-dates", "", "", "dates of users, items and rows are empty, null or garbage"},
		{"null-values", "", "", "whatever has no value is null, and so is all that may be, here and there"},
		{"custom-attributes-collide", "", "", "users have custom attributes called id, email, role and is_active"},
	}
}

// faultSet is what is switched on, with what each needs to remember.
type faultSet map[string]*setting

type setting struct {
	value    string
	n, times int
	wait     time.Duration
	hits     int
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
			return nil, fmt.Errorf("percipio: there is no fault %q", name)
		}
		if hasValue && f.Value == "" {
			return nil, fmt.Errorf("percipio: the fault %s takes no value", name)
		}
		if !hasValue {
			value = f.Default
		}
		s := &setting{value: value}
		if err := s.parse(f.Value); err != nil {
			return nil, fmt.Errorf("percipio: the fault %s needs %s for its value: %w", name, f.Value, err)
		}
		set[name] = s
	}
	return set, nil
}

func (s *setting) parse(kind string) error {
	var err error
	switch kind {
	case "":
	case valueCount, valueOrAll:
		s.n, err = strconv.Atoi(s.value)
		if err == nil && (s.n < 0 || s.n == 0 && kind == valueCount) {
			err = errors.New("it must be positive")
		}
	case valueRows:
		rows, times, ok := strings.Cut(s.value, "/")
		if s.times = 1; ok {
			s.times, err = strconv.Atoi(times)
		}
		n, bad := strconv.Atoi(rows)
		s.n, err = n, errors.Join(err, bad)
		if err == nil && (s.n < 0 || s.times < 0) {
			err = errors.New("neither may be negative")
		}
	case valueDuration:
		if s.wait, err = time.ParseDuration(s.value); err == nil && s.wait < 0 {
			err = errors.New("it must not be negative")
		}
	case valueURL:
		if u, bad := url.Parse(s.value); bad != nil || u.Scheme == "" {
			err = errors.New("it is none")
		}
	default:
		for _, chosen := range strings.Split(s.value, "+") {
			if !slices.Contains(strings.Split(kind, "|"), chosen) {
				err = fmt.Errorf("%q is none", chosen)
			}
		}
	}
	return err
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

// first is true for the first N times that it is asked, or always if N is 0.
func (f faultSet) first(name string) bool {
	s := f[name]
	return s != nil && s.within(s.n)
}

// cut is after how many rows this download ends early, or -1.
func (f faultSet) cut(name string) int {
	if s := f[name]; s != nil && s.within(s.times) {
		return s.n
	}
	return -1
}

func (s *setting) within(limit int) bool {
	if limit > 0 && s.hits >= limit {
		return false
	}
	s.hits++
	return true
}

// SetFaults replaces the faults that are on, and forgets what they counted. On an
// error, which names the fault that does not exist or has a wrong value, nothing
// changes. Reports that were requested before keep the fate that they were given
// then: whether they fail or vanish.
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

func (s *Server) useFaults(set faultSet) {
	s.faults, s.expiring = set, token{}
	if soon := set["token-expiring"]; soon != nil {
		s.expiring = makeToken(s.opts.Org, s.now().Add(soon.wait))
	}
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
