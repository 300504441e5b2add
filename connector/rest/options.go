package rest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Options are client settings that belong to the program rather than to the connector; see [Config].
type Options struct {
	UserAgent string
	Timeout   time.Duration
	RetryFor  time.Duration
	CAFile    string
	Log       *slog.Logger
	Observe   func(Attempt)
	// Allow, if set, is called with every network address, after its name was resolved and before a
	// connection is made. An error refuses the connection. No proxy is used then, because the proxy would
	// make the connection.
	Allow func(netip.Addr) error
}

// With returns a copy of the configuration with the program's options.
func (c Config) With(o Options) Config {
	c.UserAgent, c.Timeout, c.RetryFor, c.CAFile, c.Log, c.Observe, c.Allow = o.UserAgent, o.Timeout, o.RetryFor, o.CAFile, o.Log, o.Observe, o.Allow
	return c
}

// Dialer returns a dialer that connects to allowed addresses only. If allow is nil, it allows all.
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
			return &addressError{err}
		}
		return nil
	}
	return d
}

// ErrAddress is in the chain of errors about an address that [Options].Allow refuses.
var ErrAddress = errors.New("the address is not allowed")

// addressError reports a refused network address. Its text is part of a [net.OpError], which names the
// address.
type addressError struct{ err error }

func (e *addressError) Error() string { return e.err.Error() }

func (e *addressError) Unwrap() error { return e.err }

func (e *addressError) Is(target error) bool { return target == ErrAddress }
