package config

import (
	"baton/console"
	"baton/console/store"
)

// Seats describes the purchased seats of an app. If it is missing, they are not changed.
type Seats struct {
	Purchased int      `yaml:"purchased,omitempty"`
	Renewal   string   `yaml:"renewal,omitempty"`   // "2027-01-31"
	Block     bool     `yaml:"block,omitempty"`     // refuse accounts without a free seat
	Otherwise []string `yaml:"otherwise,omitempty"` // thresholds that are met in another way, such as SCIM
}

// seats returns the described seats.
func (s Seats) seats() (console.Seats, error) {
	renewal, err := console.ParseRenewal(s.Renewal)
	return console.Seats{Purchased: s.Purchased, Renewal: renewal, Block: s.Block, Otherwise: s.Otherwise}, err
}

// checkSeats reports the problems of the seats of an app.
func checkSeats(bad *problems, at place, a App) {
	if a.Seats == nil {
		return
	}
	s, err := a.Seats.seats()
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		bad.add(at, "the seats of app %s: %v", a.Name, err)
	}
}

// describeSeats returns the purchased seats of an app as a file describes them; nil if nobody typed any
// in.
func describeSeats(s console.Seats) *Seats {
	if s.Same(console.Seats{}) {
		return nil
	}
	return &Seats{Purchased: s.Purchased, Renewal: s.RenewalDay(), Block: s.Block, Otherwise: s.Otherwise}
}

func applySeats(t *store.Tx, app console.ID, described Seats) error {
	s, err := described.seats()
	if err != nil {
		return err
	}
	before, err := t.Seats(app)
	if err != nil {
		return err
	}
	s.App, s.Version = app, before.Version
	return t.SetSeats(s)
}
