package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// Deny records that a call of the command's actor was denied. The first denial of a route and an
// object is an event; further ones within [console.DenialQuiet] are counted.
func (t *Tx) Deny(d console.Denial) error {
	first, err := t.countDenial(&d)
	if err != nil || !first {
		return err
	}
	return t.event(console.Event{Kind: "call.denied", Object: d.Object}, map[string]any{"route": d.Route, "why": d.Why, "hidden": d.Hidden})
}

// RefuseLogin records that a login with a provider was refused. The first of an identity and a
// reason is an event; what follows within [console.DenialQuiet] is counted.
func (t *Tx) RefuseLogin(l console.RefusedLogin) error {
	d := console.Denial{Route: "login " + l.Provider, Object: l.Issuer + " " + l.Subject + ": " + l.Why, Why: l.Why}
	if l.Subject == "" {
		d.Object = t.by.Address + ": " + l.Why
	}
	first, err := t.countDenial(&d)
	if err != nil || !first {
		return err
	}
	return t.event(console.Event{Kind: "login.refused", Person: l.Person, Object: string(l.Person)},
		map[string]any{"provider": l.Provider, "issuer": l.Issuer, "subject": l.Subject, "email": l.Email, "why": d.Why})
}

// countDenial counts a denial and reports whether it is the first for some time. Those beyond
// [console.MaxDenials] lose their object.
func (t *Tx) countDenial(d *console.Denial) (first bool, err error) {
	actor := actorText(t.by.Actor)
	type row struct{ last time.Time }
	known := func() (*row, error) {
		return find(t, func(r engine.Row) row { return row{at(r, 0)} }, "SELECT last FROM denial WHERE actor = $1 AND route = $2 AND object = $3 FOR UPDATE",
			actor, d.Route, d.Object)
	}
	k, err := known()
	if err != nil {
		return false, err
	}
	if k == nil {
		recent, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "denials", "SELECT count(*) FROM denial WHERE actor = $1 AND began > $2", actor, t.by.At.Add(-time.Hour))
		if err != nil {
			return false, err
		}
		if recent >= console.MaxDenials {
			d.Object, d.Why = "", "many others like it"
			if k, err = known(); err != nil {
				return false, err
			}
		}
	}
	_, err = t.e.Exec(`INSERT INTO denial (actor, route, object, began, last, calls) VALUES ($1, $2, $3, $4, $4, 1)
		ON CONFLICT (actor, route, object) DO UPDATE SET last = $4, calls = denial.calls + 1`, actor, d.Route, d.Object, t.by.At)
	return k == nil || !t.by.At.Before(k.last.Add(console.DenialQuiet)), err
}

// Denials returns the number of denied calls of an actor to a route and an object.
func (t *Tx) Denials(actor console.Actor, route, object string) (int64, error) {
	n, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT calls FROM denial WHERE actor = $1 AND route = $2 AND object = $3", actorText(actor), route, object)
	if err != nil || n == nil {
		return 0, err
	}
	return *n, nil
}

// ForgetDenials removes up to n counts that did not change for [console.DenialKept].
func (t *Tx) ForgetDenials(now time.Time, n int) (int, error) {
	k, err := t.e.Exec(`DELETE FROM denial WHERE (actor, route, object) IN (SELECT actor, route, object FROM denial WHERE last <= $1 ORDER BY last LIMIT $2)`, now.Add(-console.DenialKept), n)
	return int(k), err
}
