package console

import "time"

// Device is a program that asks for a credential of whoever runs it: the person types a code,
// which the program shows, on a page of the console.
type Device struct {
	Client  string // what the program calls itself
	Address string // from which it asked
	Created time.Time
	Expires time.Time
	State   DeviceState
	Person  ID // who confirmed it
	Scopes  []Scope
}

// DeviceState says what a person decided about a device.
type DeviceState string

// The states of devices.
const (
	DeviceWaiting  DeviceState = "waiting"
	DeviceAllowed  DeviceState = "allowed" // a person confirmed it
	DeviceRefused  DeviceState = "refused"
	DeviceAnswered DeviceState = "answered" // the program has the token for its credential
)

// DeviceLife is how long a code can be typed, and DeviceLook how often a program asks whether
// it was.
const (
	DeviceLife = 10 * time.Minute
	DeviceLook = 2 * time.Second
)

// DeviceClientLife is how long the credential is good for that a program gets.
const DeviceClientLife = 90 * 24 * time.Hour

// MaxDevices limits the codes that can be typed at the same time.
const MaxDevices = 1000
