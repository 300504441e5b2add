package rest

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Options are what a program lends to the client of its connector; see [Config].
type Options struct {
	UserAgent string
	Timeout   time.Duration
	RetryFor  time.Duration
	CAFile    string
	Log       *slog.Logger
	Observe   func(Attempt)
	// Allow, when set, is asked about every network address before a connection to it is
	// made, after its name was looked up; its error refuses the connection. No proxy is
	// used then: it would connect in the client's place.
	Allow func(netip.Addr) error
}

// With returns a configuration with the options of a program.
func (c Config) With(o Options) Config {
	c.UserAgent, c.Timeout, c.RetryFor, c.CAFile, c.Log, c.Observe, c.Allow = o.UserAgent, o.Timeout, o.RetryFor, o.CAFile, o.Log, o.Observe, o.Allow
	return c
}

// Dialer returns what connects to addresses that are allowed; nil allows all.
func Dialer(allow func(netip.Addr) error) *net.Dialer {
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	if allow == nil {
		return d
	}
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err == nil {
			err = allow(a.Addr().Unmap().WithZone(""))
		}
		if err != nil {
			return &addressError{address, err}
		}
		return nil
	}
	return d
}

// addressError is the refusal to connect to an address.
type addressError struct {
	address string
	err     error
}

func (e *addressError) Error() string { return e.address + ": " + e.err.Error() }

func (e *addressError) Unwrap() error { return e.err }
