// Package schedule computes when connectors sync: at an interval, or by a cron expression in a time
// zone.
package schedule

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // for images without a time zone database

	"github.com/robfig/cron/v3"

	"baton"
	"baton/console"
	"baton/internal/english"
)

// Schedule runs by Cron if it is set, else every Every. The zero value never runs.
type Schedule struct {
	Every time.Duration
	Cron  string // five fields: minute, hour, day of the month, month, day of the week
	Zone  string // of Cron, "Europe/Berlin"; "" means UTC
}

// Of returns the schedule of a connector's syncs.
func Of(c console.Connector) Schedule { return Schedule{c.Interval, c.Cron, c.Zone} }

// OfTrigger returns the schedule of an automation; the zero value for another trigger.
func OfTrigger(t console.AutomationTrigger) Schedule {
	return Schedule{time.Duration(t.Every), t.Cron, t.Zone}
}

// Never reports whether the schedule never runs.
func (s Schedule) Never() bool { return s.Cron == "" && s.Every <= 0 }

// maxCron limits a cron expression, in bytes.
const maxCron = 200

// maxEvery is the longest interval.
const maxEvery = 31 * 24 * time.Hour

// parser accepts the five classic fields, but no abbreviations such as @hourly.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parse returns the fields of a cron expression and its time zone.
func (s Schedule) parse() (*cron.SpecSchedule, *time.Location, error) {
	// The parser accepts a time zone before the fields, which belongs in Zone.
	if len(s.Cron) > maxCron || strings.ContainsAny(s.Cron, "=@") {
		return nil, nil, baton.Errorf(baton.Invalid, "the cron expression %q is none", shortened(s.Cron)).WithFix("%s", cronFix)
	}
	parsed, err := parser.Parse(s.Cron)
	fields, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, nil, baton.Errorf(baton.Invalid, "the cron expression %q is none", s.Cron).WithFix("%s", cronFix)
	}
	location := time.UTC
	if s.Zone != "" && s.Zone != "UTC" {
		if location, err = time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
			return nil, nil, baton.Errorf(baton.Invalid, "there is no time zone %q", shortened(s.Zone)).WithFix("Name one as Europe/Berlin, or leave it empty for UTC.")
		}
	}
	fields.Location = time.UTC
	return fields, location, nil
}

const cronFix = "Write five fields: minute, hour, day of the month, month, day of the week. 30 2 * * 1-5 is 02:30 on workdays."

func shortened(s string) string { return s[:min(len(s), 60)] }

// Check returns an Invalid error if a schedule is invalid. shortest is the shortest allowed
// interval.
func (s Schedule) Check(shortest time.Duration) error {
	if s.Cron == "" {
		if s.Every < shortest || s.Every > maxEvery {
			return baton.Errorf(baton.Invalid, "the time between two syncs is from %s to %s", lengthOf(shortest), lengthOf(maxEvery))
		}
		return nil
	}
	if _, _, err := s.parse(); err != nil {
		return err
	}
	if s.Next(time.Time{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return baton.Errorf(baton.Invalid, "the cron expression %q names a day that never comes", s.Cron)
	}
	return nil
}

// First returns the first run of a schedule that starts now: at once for an interval. ok is false if
// there is none.
func (s Schedule) First(now time.Time) (first time.Time, ok bool) {
	if s.Cron != "" {
		first = s.Next(now, now)
		return first, !first.IsZero()
	}
	return now, s.Every > 0
}

// Next returns the first run after now. last is when the previous run was due. It returns zero if
// there is none. Missed runs are not made up for.
//
// For a cron expression that names hours, a run in the hour that is skipped in spring happens an
// hour later, and a run in the hour that is repeated in autumn happens once, the first time. For an
// expression that includes every hour, every hour counts.
func (s Schedule) Next(last, now time.Time) time.Time {
	if s.Cron == "" {
		if s.Every <= 0 {
			return time.Time{}
		}
		if !now.After(last) {
			return last.Add(s.Every)
		}
		return last.Add(now.Sub(last).Truncate(s.Every) + s.Every)
	}
	fields, location, err := s.parse()
	if err != nil {
		return time.Time{}
	}
	if everyHour(fields) {
		fields.Location = location
		return fields.Next(now).UTC()
	}
	// When clocks are put forward, later clock times can be earlier in time, so all candidates
	// within one change are compared.
	var next time.Time
	for clock := asClock(now, location).Add(-maxChange); ; {
		clock = fields.Next(clock)
		if clock.IsZero() || !next.IsZero() && clock.After(asClock(next, location).Add(maxChange)) {
			return next
		}
		if t := fromClock(clock, location); t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
}

// maxChange is longer than any change of clocks.
const maxChange = 3 * time.Hour

// star is the bit that the parser sets for a field that is *.
const star = 1 << 63

func everyHour(f *cron.SpecSchedule) bool { return f.Hour&star != 0 }

// asClock returns the local clock time of a place as a time in UTC.
func asClock(t time.Time, place *time.Location) time.Time {
	_, offset := t.In(place).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// fromClock returns the time at which clocks in a place show a clock time: the first one if there
// are two. If there is none, it is later by the amount of the change.
func fromClock(clock time.Time, place *time.Location) time.Time {
	at := func(offsetOf time.Time) time.Time {
		_, offset := offsetOf.In(place).Zone()
		return clock.Add(-time.Duration(offset) * time.Second)
	}
	before, after := at(clock.Add(-24*time.Hour)), at(clock.Add(24*time.Hour))
	switch {
	case asClock(before, place).Equal(clock):
		return before
	case asClock(after, place).Equal(clock):
		return after
	}
	return before
}

// Sentence describes the schedule: "Every hour", "Every day at 02:30 UTC".
func (s Schedule) Sentence() string {
	if s.Cron == "" {
		if s.Every <= 0 {
			return "Never by itself"
		}
		length := lengthOf(s.Every)
		if unit, one := strings.CutPrefix(length, "1 "); one && !strings.Contains(unit, " ") {
			length = unit
		}
		return "Every " + length
	}
	zone := s.Zone
	if zone == "" {
		zone = "UTC"
	}
	fields, _, err := s.parse()
	if err != nil {
		return fmt.Sprintf("By the cron expression %q, which cannot be read", s.Cron)
	}
	minutes, hours := values(fields.Minute, 59), values(fields.Hour, 23)
	days := ""
	switch {
	case fields.Dom&star == 0 || fields.Month&star == 0:
	case fields.Dow&star != 0:
		days = "Every day"
	case slices.Equal(values(fields.Dow, 6), []int{1, 2, 3, 4, 5}):
		days = "Every workday"
	default:
		var names []string
		for _, d := range values(fields.Dow, 6) {
			names = append(names, time.Weekday(d).String())
		}
		days = "Every " + english.And(names)
	}
	switch {
	case days == "" || len(minutes) != 1:
		return fmt.Sprintf("By the cron expression %s in the time zone %s", s.Cron, zone)
	case everyHour(fields):
		if days == "Every day" {
			return fmt.Sprintf("Every hour at minute %d", minutes[0])
		}
		return fmt.Sprintf("%s, every hour at minute %d, %s", days, minutes[0], zone)
	case len(hours) <= 4:
		var times []string
		for _, h := range hours {
			times = append(times, fmt.Sprintf("%02d:%02d", h, minutes[0]))
		}
		return fmt.Sprintf("%s at %s %s", days, english.And(times), zone)
	}
	return fmt.Sprintf("By the cron expression %s in the time zone %s", s.Cron, zone)
}

// values returns the numbers in a field, up to a maximum.
func values(field uint64, highest int) (all []int) {
	for field &^= star; field != 0; field &= field - 1 {
		if n := bits.TrailingZeros64(field); n <= highest {
			all = append(all, n)
		}
	}
	return all
}

// lengthOf returns a duration in words: "1 hour", "1 hour and 30 minutes".
func lengthOf(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.length; n > 0 {
			parts = append(parts, english.Count(int(n), unit.name))
			d -= n * unit.length
		}
	}
	if d > 0 || len(parts) == 0 {
		parts = append(parts, d.String())
	}
	return english.And(parts)
}
