package config

import (
	"baton/console"
	"baton/console/store"
)

// Seats describes the purchased seats of an app. If it is missing, they are not changed.
type Seats struct {
	Purchased int      `yaml:"purchased"`
	Renewal   string   `yaml:"renewal"`   // "2027-01-31"
	Block     bool     `yaml:"block"`     // refuse accounts without a free seat
	Otherwise []string `yaml:"otherwise"` // thresholds that are met in another way, such as SCIM
}

// seats returns the described seats.
func (s Seats) seats() (console.Seats, error) {
	renewal, err := console.ParseRenewal(s.Renewal)
	return console.Seats{Purchased: s.Purchased, Renewal: renewal, Block: s.Block, Otherwise: s.Otherwise}, err
}

// checkSeats reports the problems of the seats of apps.
func (f *File) checkSeats(bad func(format string, args ...any)) {
	for _, a := range f.Apps {
		if a.Seats == nil {
			continue
		}
		s, err := a.Seats.seats()
		if err == nil {
			err = s.Check()
		}
		if err != nil {
			bad("the seats of app %s: %v", a.Name, err)
		}
	}
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
