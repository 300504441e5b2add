package console

import (
	"testing"
	"time"

	"baton"
)

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ text, want string }{
		{"2026-03-03", "2026-03-04T00:00:00Z"},
		{"2026-03-09", "2026-03-10T00:00:00Z"},
		{"2026-02-28", "2026-03-01T00:00:00Z"},
		{"2026-03-03T14:02", "2026-03-03T14:02:00Z"},
		{" 2026-03-03 14:02 ", "2026-03-03T14:02:00Z"},
		{"2026-03-03T14:02:05", "2026-03-03T14:02:05Z"},
		{"2026-03-03T14:02:05.25Z", "2026-03-03T14:02:05.25Z"},
		{"2026-03-03T14:02:05+02:00", "2026-03-03T12:02:05Z"},
		{"2026-03-10T12:00", "2026-03-10T12:00:00Z"},
	} {
		got, err := ParseMoment(tt.text, now)
		if err != nil || got.Format(time.RFC3339Nano) != tt.want {
			t.Errorf("%q: %s, %v, want %s", tt.text, got.Format(time.RFC3339Nano), err, tt.want)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-02-30", "2026-13-01", "2026-03-03T25:00", "03/03/2026", "0001-01-01", "1969-12-30", "2026-03-10", "2026-03-10T12:01", "2026-03-10T13:30:00+01:00", "99999-01-01"} {
		if got, err := ParseMoment(text, now); err == nil || baton.KindOf(err) != baton.Invalid || baton.FixOf(err) == "" {
			t.Errorf("%q: %s, %v, want Invalid with a fix", text, got, err)
		}
	}
}
