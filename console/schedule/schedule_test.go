package schedule

import (
	"testing"
	"time"

	"baton"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04:05 -0700", text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNext computes successive times, including days on which clocks change.
func TestNext(t *testing.T) {
	const berlin, sydney, lordHowe, newYork = "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe", "America/New_York"
	for _, tt := range []struct {
		name string
		s    Schedule
		from string
		want []string
	}{
		{"UTC", Schedule{Cron: "30 2 * * *"}, "2026-11-29 02:30:00 +0000", []string{"2026-11-30 02:30:00 +0000", "2026-12-01 02:30:00 +0000"}},
		{"just before", Schedule{Cron: "30 2 * * *"}, "2026-11-29 02:29:59 +0000", []string{"2026-11-29 02:30:00 +0000"}},
		{"workdays", Schedule{Cron: "0 9 * * 1-5"}, "2026-11-27 09:00:00 +0000", []string{"2026-11-30 09:00:00 +0000"}},
		{"a zone", Schedule{Cron: "30 2 * * *", Zone: berlin}, "2026-11-29 12:00:00 +0000", []string{"2026-11-30 02:30:00 +0100"}},
		{"an hour that spring leaves out", Schedule{Cron: "30 2 * * *", Zone: berlin}, "2026-03-28 12:00:00 +0000", []string{"2026-03-29 03:30:00 +0200", "2026-03-30 02:30:00 +0200"}},
		{"an hour that autumn repeats", Schedule{Cron: "30 2 * * *", Zone: berlin}, "2026-10-24 12:00:00 +0000", []string{"2026-10-25 02:30:00 +0200", "2026-10-26 02:30:00 +0100"}},
		{"from within the repeated hour", Schedule{Cron: "30 2 * * *", Zone: berlin}, "2026-10-25 02:15:00 +0100", []string{"2026-10-26 02:30:00 +0100"}},
		{"between the two", Schedule{Cron: "30 2 * * *", Zone: berlin}, "2026-10-25 02:45:00 +0200", []string{"2026-10-26 02:30:00 +0100"}},
		{"every hour, in spring", Schedule{Cron: "0 * * * *", Zone: berlin}, "2026-03-29 01:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-29 04:00:00 +0200"}},
		{"every hour, in autumn", Schedule{Cron: "0 * * * *", Zone: berlin}, "2026-10-25 02:00:00 +0200", []string{"2026-10-25 02:00:00 +0100", "2026-10-25 03:00:00 +0100"}},
		{"every second hour, in autumn", Schedule{Cron: "0 */2 * * *", Zone: berlin}, "2026-10-25 00:00:00 +0200", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 04:00:00 +0100"}},
		{"two in the hour that is left out", Schedule{Cron: "0,30 2 * * *", Zone: berlin}, "2026-03-29 00:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-29 03:30:00 +0200", "2026-03-30 02:00:00 +0200"}},
		{"the southern half, spring", Schedule{Cron: "30 2 * * *", Zone: sydney}, "2026-10-03 12:00:00 +1000", []string{"2026-10-04 03:30:00 +1100", "2026-10-05 02:30:00 +1100"}},
		{"half an hour, spring", Schedule{Cron: "15 2 * * *", Zone: lordHowe}, "2026-10-03 12:00:00 +1030", []string{"2026-10-04 02:45:00 +1100", "2026-10-05 02:15:00 +1100"}},
		{"half an hour, two times", Schedule{Cron: "15,40 2 * * *", Zone: lordHowe}, "2026-10-03 12:00:00 +1030", []string{"2026-10-04 02:40:00 +1100", "2026-10-04 02:45:00 +1100", "2026-10-05 02:15:00 +1100"}},
		{"half an hour, autumn", Schedule{Cron: "45 1 * * *", Zone: lordHowe}, "2026-04-04 12:00:00 +1100", []string{"2026-04-05 01:45:00 +1100", "2026-04-06 01:45:00 +1030"}},
		{"west of Greenwich", Schedule{Cron: "30 1 * * *", Zone: newYork}, "2026-10-31 12:00:00 -0400", []string{"2026-11-01 01:30:00 -0400", "2026-11-02 01:30:00 -0500"}},
		{"a leap day", Schedule{Cron: "0 0 29 2 *"}, "2026-11-29 00:00:00 +0000", []string{"2028-02-29 00:00:00 +0000"}},
		{"an interval", Schedule{Every: time.Hour}, "2026-11-29 02:10:00 +0000", []string{"2026-11-29 03:10:00 +0000", "2026-11-29 04:10:00 +0000"}},
	} {
		now := at(t, tt.from)
		for _, want := range tt.want {
			got := tt.s.Next(now, now)
			if !got.Equal(at(t, want)) {
				t.Errorf("%s: after %s comes %s, want %s", tt.name, now, got, want)
				break
			}
			now = got
		}
	}
}

// TestNextAfterMissed checks that missed runs are not made up for.
func TestNextAfterMissed(t *testing.T) {
	last, now := at(t, "2026-11-29 02:00:00 +0000"), at(t, "2026-11-29 05:10:00 +0000")
	if got := (Schedule{Every: time.Hour}).Next(last, now); !got.Equal(at(t, "2026-11-29 06:00:00 +0000")) {
		t.Errorf("an interval: %s", got)
	}
	for _, tt := range []struct{ from, now, want int }{{0, 0, 60}, {0, 59, 60}, {0, 60, 120}, {0, 601, 660}, {30, 0, 90}} {
		minute := func(n int) time.Time { return last.Add(time.Duration(n) * time.Minute) }
		if got := (Schedule{Every: time.Hour}).Next(minute(tt.from), minute(tt.now)); !got.Equal(minute(tt.want)) {
			t.Errorf("from %d at %d: %v, want %v", tt.from, tt.now, got, minute(tt.want))
		}
	}
	if got := (Schedule{Cron: "0 2 * * *"}).Next(last, now); !got.Equal(at(t, "2026-11-30 02:00:00 +0000")) {
		t.Errorf("cron: %s", got)
	}
	if got := (Schedule{}).Next(last, now); !got.IsZero() || !(Schedule{}).Never() {
		t.Errorf("never: %s", got)
	}
	if first, ok := (Schedule{Every: time.Hour}).First(now); !ok || !first.Equal(now) {
		t.Errorf("first of an interval: %s, %v", first, ok)
	}
	if first, ok := (Schedule{Cron: "0 2 * * *"}).First(now); !ok || !first.Equal(at(t, "2026-11-30 02:00:00 +0000")) {
		t.Errorf("first by cron: %s, %v", first, ok)
	}
	if _, ok := (Schedule{}).First(now); ok {
		t.Error("first of never")
	}
}

func TestCheck(t *testing.T) {
	for name, s := range map[string]Schedule{
		"too short": {Every: time.Minute - 1}, "too long": {Every: 32 * 24 * time.Hour}, "never": {}, "negative": {Every: -time.Hour},
		"no expression": {Cron: "daily"}, "four fields": {Cron: "0 2 * *"}, "six fields": {Cron: "0 0 2 * * *"}, "an abbreviation": {Cron: "@hourly"}, "every": {Cron: "@every 1s"},
		"a zone in front": {Cron: "TZ=UTC 0 2 * * *"}, "what the parser stumbles over": {Cron: "TZ=0"}, "minute 60": {Cron: "60 2 * * *"}, "a day that never comes": {Cron: "0 0 30 2 *"},
		"a long one": {Cron: "0 0 * * " + string(make([]byte, 500))}, "no zone": {Cron: "0 2 * * *", Zone: "Berlin"}, "the machine's zone": {Cron: "0 2 * * *", Zone: "Local"},
		"a path": {Cron: "0 2 * * *", Zone: "../../etc/passwd"}, "blank": {Cron: " "},
	} {
		if err := s.Check(time.Minute); err == nil || baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]Schedule{
		"a minute": {Every: time.Minute}, "a month": {Every: 31 * 24 * time.Hour}, "every minute": {Cron: "* * * * *"}, "names": {Cron: "0 2 * jan-mar mon"}, "a zone": {Cron: "0 2 * * *", Zone: "Asia/Kathmandu"},
		"UTC": {Cron: "0 2 * * *", Zone: "UTC"}, "cron beside an interval": {Cron: "0 2 * * *", Every: 1},
	} {
		if err := s.Check(time.Minute); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Schedule{Every: time.Second}).Check(time.Second); err != nil {
		t.Errorf("a second, where that is allowed: %v", err)
	}
}

func TestSentence(t *testing.T) {
	for want, s := range map[string]Schedule{
		"Every hour": {Every: time.Hour}, "Every 15 minutes": {Every: 15 * time.Minute}, "Every second": {Every: time.Second}, "Every day": {Every: 24 * time.Hour}, "Every 1 hour and 30 minutes": {Every: 90 * time.Minute},
		"Never by itself": {}, "Every day at 02:30 UTC": {Cron: "30 2 * * *"}, "Every day at 02:30 and 14:30 Europe/Berlin": {Cron: "30 2,14 * * *", Zone: "Europe/Berlin"},
		"Every workday at 09:00 UTC": {Cron: "0 9 * * mon-fri"}, "Every Sunday and Saturday at 09:00 UTC": {Cron: "0 9 * * 0,6"}, "Every hour at minute 5": {Cron: "5 * * * *"},
		"By the cron expression */7 * * * * in the time zone UTC": {Cron: "*/7 * * * *"}, "By the cron expression 0 2 1 * * in the time zone UTC": {Cron: "0 2 1 * *"},
		`By the cron expression "x", which cannot be read`: {Cron: "x"},
	} {
		if got := s.Sentence(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
