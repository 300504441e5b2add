package store

import (
	"crypto/sha256"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// DeviceCode is the SHA-256 of a device's secret, of the code that a person types, or of the token
// that the program gets.
type DeviceCode [sha256.Size]byte

func scanDevice(r engine.Row) console.Device {
	d := console.Device{Client: r.Text(0), Address: r.Text(1), Created: at(r, 2), Expires: at(r, 3), State: console.DeviceState(r.Text(4)), Person: console.ID(r.Text(5))}
	for _, s := range strings.Fields(r.Text(6)) {
		d.Scopes = append(d.Scopes, console.Scope(s))
	}
	return d
}

const deviceColumns = "SELECT client, address, created, expires, state, person, scopes FROM device "

// AddDevice adds a device, and removes expired ones. RateLimited while there are too many;
// AlreadyExists if a code is taken.
func (t *Tx) AddDevice(code, typed DeviceCode, d console.Device) error {
	if _, err := t.e.Exec("DELETE FROM device WHERE expires <= $1", t.by.At); err != nil {
		return err
	}
	n, err := get(t, func(r engine.Row) int { return int(r.Int(0)) }, "devices", "SELECT count(*) FROM device")
	if err != nil {
		return err
	}
	if n >= console.MaxDevices {
		return baton.Errorf(baton.RateLimited, "%d programs ask for credentials already", n)
	}
	return t.insert("device", "INSERT INTO device (code, typed, client, address, created, expires, state, person, scopes, token) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, '', NULL)",
		code[:], typed[:], d.Client, d.Address, t.by.At, d.Expires, console.DeviceWaiting)
}

// TypedDevice returns the device with a typed code. NotFound if it has expired or was decided.
func (t *Tx) TypedDevice(typed DeviceCode, now time.Time) (console.Device, error) {
	return get(t, scanDevice, "program with this code", deviceColumns+"WHERE typed = $1 AND expires > $2 AND state = $3", typed[:], now, console.DeviceWaiting)
}

// DecideDevice records the decision about a device by the person who runs the command.
func (t *Tx) DecideDevice(typed DeviceCode, state console.DeviceState, scopes []console.Scope) error {
	d, err := t.TypedDevice(typed, t.by.At)
	if err != nil {
		return err
	}
	if err := t.change("program with this code", "UPDATE device SET state = $2, person = $3, scopes = $4 WHERE typed = $1 AND state = $5",
		typed[:], state, t.by.Actor.Person(), joinScopes(scopes), console.DeviceWaiting); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "device." + string(state), Person: t.by.Actor.Person()}, map[string]any{"client": d.Client, "from": d.Address, "scopes": scopes})
}

// Device returns a device by its own code, even if it has expired.
func (t *Tx) Device(code DeviceCode) (console.Device, error) {
	return get(t, scanDevice, "program", deviceColumns+"WHERE code = $1", code[:])
}

// AnswerDevice sets the token of an allowed device, once. NotFound if it was not allowed.
func (t *Tx) AnswerDevice(code, token DeviceCode) error {
	return t.change("program", "UPDATE device SET state = $2, token = $3 WHERE code = $1 AND state = $4 AND expires > $5",
		code[:], console.DeviceAnswered, token[:], console.DeviceAllowed, t.by.At)
}

// DeviceOfToken returns the device with a token. Unauthenticated if there is none, or it has
// expired.
func (t *Tx) DeviceOfToken(token DeviceCode, now time.Time) (console.Device, error) {
	d, err := find(t, scanDevice, deviceColumns+"WHERE token = $1 AND expires > $2", token[:], now)
	if err == nil && d == nil {
		err = errDeviceToken
	}
	if err != nil {
		return console.Device{}, err
	}
	return *d, nil
}

var errDeviceToken = baton.Errorf(baton.Unauthenticated, "the token is unknown, expired or used")

// TakeDevice returns and removes the device with a token. Unauthenticated if there is none, or it
// has expired.
func (t *Tx) TakeDevice(token DeviceCode) (console.Device, error) {
	d, err := find(t, scanDevice, "DELETE FROM device WHERE token = $1 AND expires > $2 RETURNING client, address, created, expires, state, person, scopes", token[:], t.by.At)
	if err == nil && d == nil {
		err = errDeviceToken
	}
	if err != nil {
		return console.Device{}, err
	}
	return *d, nil
}
