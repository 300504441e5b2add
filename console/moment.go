package console

import (
	"strings"
	"time"

	"baton"
)

// ParseMoment reads a moment of the past, as people and addresses write it: a day, which means
// its end, or a day and a time, in UTC unless it says otherwise.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	at, err := time.Parse(time.DateOnly, text)
	if err == nil {
		at = at.AddDate(0, 0, 1)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if err == nil {
			break
		}
		at, err = time.Parse(layout, text)
	}
	const how = "Write a day and a time in UTC, like 2026-03-03T14:00, or a day, like 2026-03-03, for its end."
	switch {
	case err != nil:
		return time.Time{}, baton.Errorf(baton.Invalid, "%q is no moment", text).WithFix(how)
	case at.Year() < 1970 || at.Year() > 9999:
		return time.Time{}, baton.Errorf(baton.Invalid, "%q is a moment that no sync can be of", text).WithFix(how)
	case at.After(now):
		return time.Time{}, baton.Errorf(baton.Invalid, "%q is not over yet", text).WithFix("It is %s UTC. Choose a moment before that.", now.UTC().Format("2006-01-02T15:04:05"))
	}
	return at.UTC(), nil
}
