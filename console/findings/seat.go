package findings

import (
	"strconv"

	"baton/console"
	"baton/console/store"
)

// seatsExceeded finds an app with more seats used or reserved than were purchased.
func seatsExceeded(l *look) ([]store.FindingCause, error) { return l.seats(console.Seats.Exceeded) }

// seatsNear finds an app with nearly no seat left.
func seatsNear(l *look) ([]store.FindingCause, error) { return l.seats(console.Seats.NearlyFull) }

func (l *look) seats(needs func(console.Seats, console.SeatUse) bool) ([]store.FindingCause, error) {
	s, err := l.tx.Seats(l.app.ID)
	if err != nil || !s.Known() {
		return nil, err
	}
	u, err := l.tx.SeatUse(l.app.ID)
	if err != nil || !needs(s, u) {
		return nil, err
	}
	return []store.FindingCause{{Subject: "seats", FindingAbout: console.FindingAbout{
		Detail: map[string]string{"used": strconv.Itoa(u.Committed()), "purchased": strconv.Itoa(s.Purchased)}}}}, nil
}

// renewalNear finds an app whose seats are renewed soon. Each renewal is a finding of its own.
func renewalNear(l *look) ([]store.FindingCause, error) {
	s, err := l.tx.Seats(l.app.ID)
	if err != nil || !s.RenewalNear(l.now) {
		return nil, err
	}
	return []store.FindingCause{{Subject: s.RenewalDay(), FindingAbout: console.FindingAbout{
		Detail: map[string]string{"renewal": s.Renewal.Format("2 Jan 2006"), "purchased": strconv.Itoa(s.Purchased)}}}}, nil
}
