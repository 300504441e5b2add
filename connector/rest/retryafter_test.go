package rest_test

import (
	"net/http"
	"testing"
	"time"

	"baton/connector/rest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		field, value string
		want         time.Duration
		found        bool
	}{
		{"Retry-After", "120", 2 * time.Minute, true},
		{"Retry-After", " 120 ", 2 * time.Minute, true},
		{"Retry-After", `"120"`, 2 * time.Minute, true},
		{"Retry-After", "1.5", 1500 * time.Millisecond, true},
		{"Retry-After", "0", 0, true},
		{"Retry-After", "-5", 0, true},
		{"Retry-After", "99999999", day, true},
		{"Retry-After", "1e400", 0, false},
		{"Retry-After", "99999999999999999999", 0, false},
		{"Retry-After", "inf", 0, false},
		{"Retry-After", "NaN", 0, false},
		{"Retry-After", "0x10", 0, false},
		{"Retry-After", "1_000", 0, false},
		{"Retry-After", "soon", 0, false},
		{"Retry-After", "", 0, false},
		{"Retry-After", "Sun, 01 Mar 2026 12:00:30 GMT", 30 * time.Second, true},
		{"Retry-After", "Sunday, 01-Mar-26 12:00:30 GMT", 30 * time.Second, true},
		{"Retry-After", "Sun Mar  1 12:00:30 2026", 30 * time.Second, true},
		{"Retry-After", "2026-03-01T13:00:30+01:00", 30 * time.Second, true},
		{"Retry-After", "Sun, 01 Mar 2020 12:00:30 GMT", 0, true},
		{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT", day, true},
		{"Retry-After", "1772366430", 30 * time.Second, true},
		{"Retry-After-Ms", "2500", 2500 * time.Millisecond, true},
		{"RateLimit-Reset", "50", 50 * time.Second, true},
		{"RateLimit-Reset", "50, 100;w=60", 50 * time.Second, true},
		{"RateLimit", `"burst";r=0;t=7, "day";r=10;t=3600`, time.Hour, true},
		{"RateLimit", "limit=10, remaining=0, reset=8", 8 * time.Second, true},
		{"RateLimit", "reset", 0, false},
		{"X-RateLimit-Reset", "1772366430", 30 * time.Second, true},
		{"X-RateLimit-Reset", "1772366430500", 30500 * time.Millisecond, true},
		{"X-RateLimit-Reset", "2026-03-01T12:00:30Z", 30 * time.Second, true},
		{"X-RateLimit-Reset", "30", 30 * time.Second, true},
		{"X-Rate-Limit-Reset", "1772366430", 30 * time.Second, true},
		{"X-RateLimit-Reset-After", "0.25", 250 * time.Millisecond, true},
		{"X-RateLimit-Reset-Ms", "250", 250 * time.Millisecond, true},
		{"X-Other", "30", 0, false},
	} {
		h := http.Header{}
		h.Set(tt.field, tt.value)
		if wait, found := rest.RetryAfter(h, noon, true); wait != tt.want || found != tt.found {
			t.Errorf("%s: %s = %s, %v; want %s, %v", tt.field, tt.value, wait, found, tt.want, tt.found)
		}
	}
}

func TestRetryAfterPrecedence(t *testing.T) {
	h := http.Header{"Retry-After": {"5"}, "X-Ratelimit-Reset": {"90"}, "Ratelimit-Reset": {"60"}}
	if wait, _ := rest.RetryAfter(h, noon, true); wait != 5*time.Second {
		t.Errorf("Retry-After lost to another field: %s", wait)
	}
	h.Del("Retry-After")
	if wait, _ := rest.RetryAfter(h, noon, true); wait != 90*time.Second {
		t.Errorf("not the longer of two limits: %s", wait)
	}
	if wait, found := rest.RetryAfter(h, noon, false); wait != 0 || found {
		t.Errorf("quota fields of an answer that is not about quota: %s", wait)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "Sun, 01 Mar 2026 12:00:30 GMT", "100, 100;w=60", `"d";r=0;t=5`, "1e308", "-0", "9223372036854775807", "\x00"} {
		f.Add(seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, retryAfter, reset, date string) {
		h := http.Header{"Retry-After": {retryAfter, reset}, "X-Ratelimit-Reset": {reset}, "Ratelimit": {reset, retryAfter}, "Date": {date}}
		for _, throttled := range []bool{true, false} {
			if wait, found := rest.RetryAfter(h, noon, throttled); wait < 0 || wait > 24*time.Hour || !found && wait != 0 {
				t.Errorf("%s, %v", wait, found)
			}
		}
	})
}
