package config_test

import (
	"testing"
	"time"

	"baton/console/config"
	"baton/console/store"
)

// TestSeats applies the purchased seats of an app once, and refuses those that cannot be meant.
func TestSeats(t *testing.T) {
	d := newDesk(t)
	const text = "apps: [{name: App, seats: {purchased: 64, renewal: 2027-01-31, block: true, otherwise: [SCIM]}}]"
	for range 2 {
		if _, err := d.apply(text); err != nil {
			t.Fatal(err)
		}
	}
	d.view(func(tx *store.Tx) error {
		a, err := tx.AppByName("App")
		if err != nil {
			return err
		}
		s, err := tx.Seats(a.ID)
		if s.Version != 1 || s.Purchased != 64 || s.RenewalDay() != "2027-01-31" || !s.Block || len(s.Otherwise) != 1 {
			t.Errorf("%+v", s)
		}
		return err
	})
	if _, err := d.apply("apps: [{name: App}]"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"{purchased: -1}", "{renewal: 2027-01-31}", "{purchased: 1, renewal: soon}", "{purchased: 1, price: 2}"} {
		if _, err := config.Read(d.write("bad.yaml", "apps: [{name: App, seats: "+bad+"}]"), time.Minute, nil); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
