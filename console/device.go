package console

import "time"

// Device is a program that requests a credential of its user. It displays a code, which the person
// types on a page of the console.
type Device struct {
	Client  string // what the program calls itself
	Address string // network address of the request
	Created time.Time
	Expires time.Time
	State   DeviceState
	Person  ID // who confirmed it
	Scopes  []Scope
}

// DeviceState is the state of a device's request.
type DeviceState string

// The states of devices.
const (
	DeviceWaiting  DeviceState = "waiting"
	DeviceAllowed  DeviceState = "allowed" // a person confirmed it
	DeviceRefused  DeviceState = "refused"
	DeviceAnswered DeviceState = "answered" // the program has the token for its credential
)

// DeviceLife is how long a code is valid, and DeviceLook the interval at which a program polls.
const (
	DeviceLife = 10 * time.Minute
	DeviceLook = 2 * time.Second
)

// DeviceClientLife is the lifetime of a credential that a program gets.
const DeviceClientLife = 90 * 24 * time.Hour

// MaxDevices limits the codes that are valid at the same time.
const MaxDevices = 1000
