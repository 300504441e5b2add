package console_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
)

var scimThreshold = console.SeatThreshold{Name: "SCIM", Seats: 50, Otherwise: "at least one Enterprise Max user", Sentence: "Ask Perplexity first."}

func TestSeatChange(t *testing.T) {
	tests := []struct {
		name    string
		seats   console.Seats
		use     console.SeatUse
		delta   int
		unknown string
		text    string
		crossed bool
		warns   []string // parts of the warnings
	}{
		{"one more", console.Seats{Purchased: 64}, console.SeatUse{Shown: 61}, 1, "", "+1 seat, at least 61 → 62 of 64", false, nil},
		{"reserved ones count", console.Seats{Purchased: 64}, console.SeatUse{Shown: 58, Made: 1, Underway: 1, Waiting: 1}, 1, "", "+1 seat, at least 61 → 62 of 64", false, nil},
		{"the last one", console.Seats{Purchased: 64}, console.SeatUse{Shown: 63}, 1, "", "+1 seat, at least 63 → 64 of 64", false, nil},
		{"none is left", console.Seats{Purchased: 64}, console.SeatUse{Shown: 64}, 1, "", "+1 seat, at least 64 → 65 of 64", false, []string{"at least 65 of 64. The supplier may charge"}},
		{"none is left, and that is refused", console.Seats{Purchased: 64, Block: true}, console.SeatUse{Shown: 64}, 1, "", "+1 seat, at least 64 → 65 of 64", false, []string{"this is refused"}},
		{"not known", console.Seats{Purchased: 64}, console.SeatUse{Shown: 64}, 1, "the newest sync is held", "+1 seat, unknown of 64", false, []string{"not known how many seats are used: the newest sync is held."}},
		{"it counts already", console.Seats{Purchased: 64}, console.SeatUse{Shown: 64, Waiting: 1}, 0, "", "no further seat, at least 65 of 64", false, nil},
		{"up to the threshold", console.Seats{Purchased: 64}, console.SeatUse{Shown: 49}, 1, "", "+1 seat, at least 49 → 50 of 64", true, []string{"It reaches 50 seats. Ask Perplexity first."}},
		{"above the threshold", console.Seats{Purchased: 64}, console.SeatUse{Shown: 50}, 1, "", "+1 seat, at least 50 → 51 of 64", false, nil},
		{"below the threshold", console.Seats{Purchased: 64}, console.SeatUse{Shown: 50}, -1, "", "−1 seat, at least 50 → 49 of 64", true, []string{"It goes below 50 seats."}},
		{"the threshold is met otherwise", console.Seats{Purchased: 64, Otherwise: []string{"SCIM"}}, console.SeatUse{Shown: 50}, -1, "", "−1 seat, at least 50 → 49 of 64", false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.seats.Change(tt.use, tt.delta, []console.SeatThreshold{scimThreshold})
			c.Unknown = tt.unknown
			if c.String() != tt.text || (len(c.Crossed) > 0) != tt.crossed {
				t.Errorf("%q, crossed %v", c, c.Crossed)
			}
			warns := c.Warnings()
			if len(warns) != len(tt.warns) || !slices.EqualFunc(warns, tt.warns, strings.Contains) {
				t.Errorf("warnings %q", warns)
			}
		})
	}
}

func TestSeatsState(t *testing.T) {
	day := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	s := console.Seats{Purchased: 64, Renewal: day}
	for used, want := range map[int][2]bool{60: {false, false}, 61: {true, false}, 64: {true, false}, 65: {false, true}} {
		u := console.SeatUse{Shown: used - 1, Waiting: 1}
		if got := [2]bool{s.NearlyFull(u), s.Exceeded(u)}; got != want {
			t.Errorf("%d of 64: nearly full and exceeded %v, want %v", used, got, want)
		}
	}
	for when, want := range map[time.Time]bool{day.AddDate(0, 0, -31): false, day.AddDate(0, 0, -30): true, day.Add(23 * time.Hour): true, day.AddDate(0, 0, 1): false} {
		if got := s.RenewalNear(when); got != want {
			t.Errorf("on %s: near %v", when, got)
		}
	}
	if (console.Seats{}).NearlyFull(console.SeatUse{}) || (console.Seats{}).Exceeded(console.SeatUse{Shown: 9}) {
		t.Error("nobody typed seats in")
	}
	if below := (console.Seats{Purchased: 49}).Below([]console.SeatThreshold{scimThreshold}); len(below) != 1 {
		t.Errorf("below %v", below)
	}
	if below := (console.Seats{Purchased: 49, Otherwise: []string{"SCIM"}}).Below([]console.SeatThreshold{scimThreshold}); len(below) != 0 {
		t.Errorf("met otherwise: %v", below)
	}
	for _, bad := range []console.Seats{{Purchased: -1}, {Purchased: 1 << 30}, {Block: true}, {Renewal: day}} {
		if err := bad.Check(); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if got, err := console.ParseRenewal(" 2027-01-31 "); err != nil || !got.Equal(day) || s.RenewalDay() != "2027-01-31" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := console.ParseRenewal("31.1.2027"); baton.KindOf(err) != baton.Invalid {
		t.Errorf("no day: %v", err)
	}
}

// TestSeatsBlock refuses an account without a seat only where an owner chose that.
func TestSeatsBlock(t *testing.T) {
	for s, want := range map[*console.Seats]bool{{}: false, {Purchased: 5}: false, {Purchased: 5, Block: true}: true, {Purchased: 6, Block: true}: false} {
		err := s.CheckSeats(5)
		if (err != nil) != want {
			t.Errorf("%+v: %v", s, err)
		}
		grant := console.Proposal{Change: console.Change{Verb: console.Grant}, Seats: err}
		revoke := console.Proposal{Change: console.Change{Verb: console.Revoke}, Seats: err}
		if got := grant.Check(); (got != nil) != want || revoke.Check() != nil {
			t.Errorf("%+v: %v, %v", s, got, revoke.Check())
		}
	}
}
