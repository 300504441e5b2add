package rest

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAsk is the longest accepted wait. Longer ones are clamped to it.
const maxAsk = 24 * time.Hour

// ask is a wait requested by the upstream, if found.
type ask struct {
	wait  time.Duration
	found bool
}

// RetryAfter returns how long a response asks the client to wait, between 0 and 24 hours, and whether it asks
// at all. It reads Retry-After (RFC 9110: seconds or any of the three date forms). If throttled is set and
// there is no Retry-After, it reads the RateLimit fields in their drafted and vendor-specific variants.
// Unreadable values are ignored. Dates count from the response's own Date, so that a wrong clock does not
// matter.
func RetryAfter(h http.Header, now time.Time, throttled bool) (wait time.Duration, found bool) {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if a := longest(h.Values("Retry-After"), time.Second, now); a.found {
		return a.wait, true
	}
	if a := longest(h.Values("Retry-After-Ms"), time.Millisecond, now); a.found || !throttled {
		return a.wait, a.found
	}
	var all ask
	for _, name := range []string{"RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "X-RateLimit-Reset-After"} {
		all = all.or(longest(h.Values(name), time.Second, now))
	}
	all = all.or(longest(h.Values("X-RateLimit-Reset-Ms"), time.Millisecond, now))
	for _, v := range h.Values("RateLimit") {
		for _, parameter := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' }) {
			key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if key == "reset" || key == "t" {
				all = all.or(parseWait(value, time.Second, now))
			}
		}
	}
	return all.wait, all.found
}

// or returns the longer of two waits.
func (a ask) or(b ask) ask {
	return ask{wait: max(a.wait, b.wait), found: a.found || b.found}
}

func longest(values []string, unit time.Duration, now time.Time) ask {
	var all ask
	for _, v := range values {
		all = all.or(parseWait(v, unit, now))
	}
	return all
}

// parseWait reads one value: a number of units, a time as seconds or milliseconds since 1970, or a date. The
// size of a number tells them apart: no wait is three years long.
func parseWait(value string, unit time.Duration, now time.Time) ask {
	value = strings.Trim(strings.TrimSpace(value), `"`)
	if at, err := http.ParseTime(value); err == nil {
		return askUntil(at, now)
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return askUntil(at, now)
	}
	// The first value of a weighted list such as "50, 100;w=60" is in force.
	if i := strings.IndexAny(value, ",;"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil, math.IsNaN(n), n > 1e15, strings.ContainsAny(value, "xX_"):
		return ask{} // letters in a number are Go syntax
	case n >= 1e11:
		return askUntil(time.UnixMilli(int64(n)), now)
	case n >= 1e8:
		return askUntil(time.Unix(int64(n), 0), now)
	}
	return ask{wait: clampWait(n * float64(unit)), found: true}
}

func askUntil(at, now time.Time) ask {
	return ask{wait: clampWait(float64(at.Sub(now))), found: true} // Sub saturates
}

func clampWait(d float64) time.Duration {
	return time.Duration(min(max(d, 0), float64(maxAsk)))
}
