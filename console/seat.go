package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
)

// Seats are the seats that a company purchased of an app, as an owner typed them in: no connector
// reads them. Every change is a version of its own.
type Seats struct {
	App       ID
	Version   int64     // 0 before the first one
	Purchased int       // 0: nobody typed them in, and nothing is counted
	Renewal   time.Time // the day on which the contract is renewed, in UTC; zero if nobody said so
	// Block refuses to make or enable an account that would need more seats than were purchased.
	// Otherwise people are warned.
	Block bool
	// Otherwise lists the names of the thresholds that are met in another way than by seats.
	Otherwise []string
	By        Actor
	At        time.Time
}

// maxSeats limits the purchased seats of an app.
const maxSeats = 10_000_000

// Known reports whether somebody typed seats in.
func (s Seats) Known() bool { return s.Purchased > 0 }

// Check refuses seats that cannot be meant.
func (s Seats) Check() error {
	switch {
	case s.Purchased < 0 || s.Purchased > maxSeats:
		return baton.Errorf(baton.Invalid, "the purchased seats are a number from 0 to %d", maxSeats)
	case s.Purchased == 0 && (s.Block || !s.Renewal.IsZero()):
		return baton.Errorf(baton.Invalid, "the purchased seats are missing").WithFix("Write how many seats were purchased, or leave everything empty.")
	case len(s.Otherwise) > 20:
		return baton.Errorf(baton.Invalid, "there are too many thresholds")
	}
	return nil
}

// Same reports whether two versions say the same.
func (s Seats) Same(o Seats) bool {
	return s.Purchased == o.Purchased && s.Renewal.Equal(o.Renewal) && s.Block == o.Block && slices.Equal(s.Otherwise, o.Otherwise)
}

// SeatThreshold is a number of seats that matters to the supplier of an app.
type SeatThreshold struct {
	Name  string // names it in [Seats.Otherwise]
	Seats int
	// Otherwise names a condition that meets it without this number of seats, such as "at least one
	// Enterprise Max user"; "" if none does.
	Otherwise string
	Sentence  string // what depends on it, and what to do before going below it
}

// SeatUse is how many seats of an app are used, as far as the console sees. It is a lower bound: the
// supplier may count accounts that no sync shows.
type SeatUse struct {
	Shown    int // enabled accounts in the newest syncs
	Made     int // accounts that a connector or a person made or enabled, which no sync shows as enabled yet
	Underway int // of operations that make or enable an account: a host has them, and has not answered
	Waiting  int // of operations that are not handed out yet
}

// Used returns the seats that are used now. What was made counts at once.
func (u SeatUse) Used() int { return u.Shown + u.Made }

// Reserved returns the seats that operations are about to use.
func (u SeatUse) Reserved() int { return u.Underway + u.Waiting }

// Committed returns the seats that are used or reserved.
func (u SeatUse) Committed() int { return u.Used() + u.Reserved() }

// Free returns how many purchased seats are left; negative if more are committed.
func (s Seats) Free(u SeatUse) int { return s.Purchased - u.Committed() }

// NearlyFull reports whether at most one seat in twenty is left, or one.
func (s Seats) NearlyFull(u SeatUse) bool {
	free := s.Free(u)
	return s.Known() && free >= 0 && free <= max(1, s.Purchased/20)
}

// Exceeded reports whether more seats are committed than were purchased.
func (s Seats) Exceeded(u SeatUse) bool { return s.Known() && s.Free(u) < 0 }

// RenewalWarning is how long before the renewal somebody should look at the seats.
const RenewalWarning = 30 * 24 * time.Hour

// RenewalNear reports whether the contract is renewed soon. A day that is over is not near.
func (s Seats) RenewalNear(now time.Time) bool {
	return s.Known() && !s.Renewal.IsZero() && now.Before(s.Renewal.AddDate(0, 0, 1)) && !now.Before(s.Renewal.Add(-RenewalWarning))
}

// SeatChange holds the effect of a change of access on the seats of an app.
type SeatChange struct {
	Seats
	Delta  int // 1, 0 or -1
	Before int
	// Unknown is why the numbers are not established; "" if they are.
	Unknown string
	// Crossed lists the thresholds that the change reaches, or goes below.
	Crossed []SeatThreshold
}

// Change returns what a change by some seats does.
func (s Seats) Change(u SeatUse, delta int, thresholds []SeatThreshold) SeatChange {
	c := SeatChange{Seats: s, Delta: delta, Before: u.Committed()}
	for _, t := range thresholds {
		low, high := min(c.Before, c.After()), max(c.Before, c.After())
		if low < t.Seats && t.Seats <= high && !slices.Contains(s.Otherwise, t.Name) {
			c.Crossed = append(c.Crossed, t)
		}
	}
	return c
}

// After returns the committed seats after the change.
func (c SeatChange) After() int { return c.Before + c.Delta }

// Exceeds reports whether the change needs a seat that was not purchased.
func (c SeatChange) Exceeds() bool { return c.Delta > 0 && c.Unknown == "" && c.After() > c.Purchased }

// String returns the change for display: "+1 seat, at least 61 → 62 of 64".
func (c SeatChange) String() string {
	sign := "+"
	switch {
	case c.Delta < 0:
		sign = "−"
	case c.Delta == 0:
		sign = ""
	}
	count := fmt.Sprintf("%s%d seat", sign, max(c.Delta, -c.Delta))
	if c.Delta == 0 {
		count = "no further seat"
	}
	if c.Unknown != "" {
		return fmt.Sprintf("%s, unknown of %d", count, c.Purchased)
	}
	if c.Delta == 0 {
		return fmt.Sprintf("%s, at least %d of %d", count, c.Before, c.Purchased)
	}
	return fmt.Sprintf("%s, at least %d → %d of %d", count, c.Before, c.After(), c.Purchased)
}

// Warnings returns what a person should know before the change is made.
func (c SeatChange) Warnings() (w []string) {
	if c.Unknown != "" && c.Delta > 0 {
		w = append(w, "It is not known how many seats are used: "+c.Unknown+".")
	}
	if c.Exceeds() {
		text := fmt.Sprintf("It needs more seats than were purchased: at least %d of %d.", c.After(), c.Purchased)
		if c.Block {
			text += " An owner chose that this is refused."
		} else {
			text += " The supplier may charge for it."
		}
		w = append(w, text)
	}
	for _, t := range c.Crossed {
		if c.Delta > 0 {
			w = append(w, fmt.Sprintf("It reaches %d seats. %s", t.Seats, t.Sentence))
		} else {
			w = append(w, fmt.Sprintf("It goes below %d seats. %s", t.Seats, t.Sentence))
		}
	}
	return w
}

// CheckSeats refuses an account that needs a seat which was not purchased, if an owner chose that.
// ahead is how many seats are committed before it.
func (s Seats) CheckSeats(ahead int) error {
	if !s.Known() || !s.Block || ahead < s.Purchased {
		return nil
	}
	return notNow(GuardSeats, "Free a seat, or let an owner of the application enter more purchased seats.",
		"no seat is left: at least %d of %d are used or reserved", ahead, s.Purchased)
}

// Below returns the thresholds that the purchased seats do not reach, and that are met in no other
// way.
func (s Seats) Below(thresholds []SeatThreshold) (below []SeatThreshold) {
	for _, t := range thresholds {
		if s.Known() && s.Purchased < t.Seats && !slices.Contains(s.Otherwise, t.Name) {
			below = append(below, t)
		}
	}
	return below
}

// renewalFormat is how days are written.
const renewalFormat = "2006-01-02"

// ParseRenewal reads a day; "" is the zero time.
func ParseRenewal(text string) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(renewalFormat, text, time.UTC)
	if err != nil {
		return t, baton.Errorf(baton.Invalid, "the renewal %q is no day", text).WithFix("Write it as 2027-01-31.")
	}
	return t, nil
}

// RenewalDay returns the renewal as [ParseRenewal] reads it.
func (s Seats) RenewalDay() string {
	if s.Renewal.IsZero() {
		return ""
	}
	return s.Renewal.UTC().Format(renewalFormat)
}
