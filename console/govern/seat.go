package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// SeatThreshold is a number of seats that matters to the supplier of a product.
type SeatThreshold = console.SeatThreshold

// seatsNow holds the purchased seats of an app, and how many are used. It is the zero value, apart
// from the thresholds, if nobody typed seats in.
type seatsNow struct {
	console.Seats
	Use        console.SeatUse
	Unknown    string // why the use is not established; "" if it is
	Thresholds []console.SeatThreshold
}

// seatsOf returns the seats of an app.
func (c *Console) seatsOf(tx *store.Tx, app console.ID) (s seatsNow, err error) {
	if s.Seats, err = tx.Seats(app); err != nil || !s.Known() {
		return s, err
	}
	connectors, err := tx.Connectors(app)
	if err != nil {
		return s, err
	}
	s.Thresholds = c.seatThresholds(connectors)
	if s.Unknown, err = seatsUnknown(tx, connectors, c.now()); err != nil {
		return s, err
	}
	s.Use, err = tx.SeatUse(app)
	return s, err
}

// seatThresholds returns the thresholds that the products of connectors have.
func (c *Console) seatThresholds(connectors []console.Connector) (all []console.SeatThreshold) {
	for _, con := range connectors {
		p, err := c.Product(strings.TrimPrefix(con.Product, "baton-"))
		if err != nil {
			continue
		}
		for _, t := range p.Seats {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// seatsUnknown returns why nobody knows how many seats are used: a sync of one of the connectors is
// missing, failed or held. "" if none is.
func seatsUnknown(tx *store.Tx, connectors []console.Connector, now time.Time) (string, error) {
	if len(connectors) == 0 {
		return "the application has no connector", nil
	}
	for _, con := range connectors {
		n, err := rpcstore.ConnectionOf(tx, con, now)
		if err != nil {
			return "", err
		}
		switch {
		case n.Held != nil:
			return "the newest sync of “" + con.Name + "” is held", nil
		case n.Applied == nil:
			return "no sync of “" + con.Name + "” is applied yet", nil
		case n.Refused != nil:
			return "the newest sync of “" + con.Name + "” was refused", nil
		case n.Code != 0 && !n.Files:
			return "the last sync of “" + con.Name + "” failed", nil
		}
	}
	return "", nil
}

// change returns what a change by some seats does; nil if nobody typed seats in.
func (s seatsNow) change(delta int) *console.SeatChange {
	if !s.Known() {
		return nil
	}
	change := s.Seats.Change(s.Use, delta, s.Thresholds)
	if change.Unknown = s.Unknown; s.Unknown != "" {
		change.Crossed = nil
	}
	return &change
}

// seatsForGrant returns what granting something does to the seats: it needs one if an account is made
// or enabled for it. nil if it needs none.
func (s seatsNow) seatsForGrant(tx *store.Tx, o console.Operation) (*console.SeatChange, error) {
	if !s.Known() || o.Account != 0 && o.Entitlement != console.AccountItself {
		return nil, nil
	}
	needs, reserved, err := tx.NeedsSeat(o)
	switch {
	case err != nil || !needs:
		return nil, err
	case reserved:
		return s.change(0), nil
	}
	return s.change(1), nil
}

// seatChange returns what a request does to the seats of its app; nil if it does nothing, nobody typed
// seats in, or the request is decided.
func (c *Console) seatChange(tx *store.Tx, s *approve.Situation, r console.Request) (*console.SeatChange, error) {
	decided := r.ID != "" && !r.State.Deciding() && r.State != console.RequestScheduled
	if decided || r.Kind == console.RequestReview {
		return nil, nil
	}
	if r.Kind != console.RequestGrant && (r.Entitlement != console.AccountItself || s.Account == nil || !console.HasAccount(true, s.Account.Status)) {
		return nil, nil
	}
	now, err := c.seatsOf(tx, s.App.ID)
	if err != nil {
		return nil, err
	}
	if r.Kind != console.RequestGrant {
		return now.change(-1), nil
	}
	return now.seatsForGrant(tx, grantOf(s, r.Entitlement))
}

// grantOf returns the operation that grants something to the subject.
func grantOf(s *approve.Situation, e console.EntitlementKey) console.Operation {
	o := console.Operation{App: s.App.ID, Connector: s.Connector.ID, Person: s.Subject.ID, Entitlement: e, Verb: console.Grant}
	if s.Account != nil {
		o.Account = s.Account.Key
	}
	return o
}

// seatOfAccount adds what enabling or disabling an account by hand does to the seats.
func (c *Console) seatOfAccount(tx *store.Tx, o console.Operation, q *Consequence) error {
	seats, err := c.seatsOf(tx, o.App)
	if err != nil || !seats.Known() {
		return err
	}
	if o.Verb == console.Grant {
		if q.Seat, err = seats.seatsForGrant(tx, o); err != nil {
			return err
		}
	} else {
		o.Verb = console.Grant
		disabled, _, err := tx.NeedsSeat(o)
		if err != nil {
			return err
		}
		if !disabled {
			q.Seat = seats.change(-1)
		}
	}
	if q.Seat != nil {
		q.Warnings = append(q.Warnings, q.Seat.Warnings()...)
	}
	return nil
}

// SeatsVersion is a version of the purchased seats of an app.
type SeatsVersion struct {
	console.Seats
	Author console.Person // zero for the console itself
}

// SeatsView holds the seats of an app.
type SeatsView struct {
	App        console.App
	Seats      console.Seats
	Use        console.SeatUse
	Unknown    string // why the use is not established; "" if it is
	Data       time.Time
	Thresholds []console.SeatThreshold
	Versions   []SeatsVersion // the newest first
	// Unshown are the people for whom accounts were made that no sync shows.
	Unshown []UnshownAccount
	Free    []SeatToFree
	// MoreFree means that further accounts could be freed than Free lists.
	MoreFree     bool
	MayConfigure bool
}

// UnshownAccount is an account that was made and that two full syncs do not show.
type UnshownAccount struct {
	Operation console.ID
	Person    console.Person
}

// maxSeatsVersions limits the versions that are displayed.
const maxSeatsVersions = 20

// Seats returns the seats of an app, and which could be freed.
func (c *Console) Seats(ctx context.Context, caller Caller, app console.ID) (v SeatsView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = SeatsView{}
		if v.App, err = seeApp(tx, me, app, console.SeeAccess); err != nil {
			return err
		}
		v.MayConfigure = console.ConfigureApps.Of(me, console.Object{App: &v.App})
		now, err := c.seatsOf(tx, app)
		if err != nil {
			return err
		}
		connectors, err := tx.Connectors(app)
		if err != nil {
			return err
		}
		v.Seats, v.Use, v.Unknown, v.Thresholds = now.Seats, now.Use, now.Unknown, c.seatThresholds(connectors)
		if v.Versions, err = seatsVersions(tx, app); err != nil || !v.Seats.Known() {
			return err
		}
		s, err := c.summarize(tx, v.App)
		if err != nil {
			return err
		}
		v.Data = s.Data
		if v.Unshown, err = unshownAccounts(tx, app); err != nil {
			return err
		}
		v.Free, v.MoreFree, err = c.seatsToFree(tx, v.App)
		return err
	})
	return v, err
}

func seatsVersions(tx *store.Tx, app console.ID) (all []SeatsVersion, err error) {
	versions, err := tx.SeatsVersions(app, maxSeatsVersions)
	if err != nil {
		return nil, err
	}
	for _, s := range versions {
		author, err := personOr(tx, s.By.Person())
		if err != nil {
			return nil, err
		}
		all = append(all, SeatsVersion{s, author})
	}
	return all, nil
}

func unshownAccounts(tx *store.Tx, app console.ID) (all []UnshownAccount, err error) {
	operations, err := tx.UnshownAccounts(app)
	if err != nil {
		return nil, err
	}
	for _, o := range operations {
		p, err := personOr(tx, o.Person)
		if err != nil {
			return nil, err
		}
		all = append(all, UnshownAccount{o.ID, p})
	}
	return all, nil
}

// SetSeats sets the purchased seats of an app. s.Version is the version that the caller saw.
func (c *Console) SetSeats(ctx context.Context, caller Caller, s console.Seats) error {
	return c.change(ctx, caller, configuring.in(s.App), func(tx *store.Tx, me console.Person) error {
		if _, err := seeApp(tx, me, s.App, console.ConfigureApps); err != nil {
			return err
		}
		connectors, err := tx.Connectors(s.App)
		if err != nil {
			return err
		}
		thresholds := c.seatThresholds(connectors)
		for _, name := range s.Otherwise {
			if !slices.ContainsFunc(thresholds, func(t console.SeatThreshold) bool { return t.Name == name && t.Otherwise != "" }) {
				return baton.Errorf(baton.Invalid, "the application has no threshold %q that is met in another way", name)
			}
		}
		return tx.SetSeats(s)
	})
}
