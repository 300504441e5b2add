// Package govern is the one way in which people read and change the console. Each command
// and query knows who asks and decides whether that person may; a command is one
// transaction together with its events. Web pages and the REST interface call it and
// decide nothing.
//
// What a person may not see does not exist for that person: the error is NotFound. What
// the person sees but may not do is PermissionDenied, with the roles that may.
package govern

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"baton"
	"baton/console"
	"baton/console/mail"
	"baton/console/oidc"
	"baton/console/store"
)

// Console is the console on a store.
type Console struct {
	store    *store.Store
	hosts    []string
	products []Product
	allow    func(netip.Addr) error
	mail     mail.Sender
	now      func() time.Time
	receive  Receive

	minInterval time.Duration
	oidc        *oidc.Client
}

// Config configures a [Console].
type Config struct {
	Store *store.Store
	// Hosts are the names under which connectors reach the console, host[:port]. The first
	// becomes part of new client ids.
	Hosts []string
	// Products are the connectors that the catalogue names.
	Products []Product
	// Allow judges the network addresses that hosted connectors and providers of logins have;
	// nil: every address that is public.
	Allow func(netip.Addr) error
	Now   func() time.Time // nil: time.Now
	// MinInterval is the shortest time between the syncs of a connector; 0: one minute.
	MinInterval time.Duration
	Log         *slog.Logger // nil: none
	// Receive stores sync files that people bring; nil: none are taken.
	Receive Receive
	// Mail sends the mails of tests. Its rules for addresses are those of Allow.
	Mail mail.Sender
}

// New returns a console.
func New(c Config) *Console {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Allow == nil {
		c.Allow = Networks{}.Allow
	}
	c.Mail.Allow, c.Mail.Public = c.Allow, Public
	if c.MinInterval == 0 {
		c.MinInterval = time.Minute
	}
	return &Console{minInterval: c.MinInterval, store: c.Store, hosts: c.Hosts, products: c.Products, allow: c.Allow, mail: c.Mail, now: c.Now, receive: c.Receive, oidc: oidc.New(c.Allow, c.Now, c.Log)}
}

// Now returns the time by the console's clock.
func (c *Console) Now() time.Time { return c.now() }

// Caller is who asks.
type Caller struct {
	Person  console.Person
	Session console.Session // of a browser; zero for a client
	// Client is the credential that a program calls with; nil for a browser.
	Client  *console.Client
	Request string // id of the call, as in logs
	Address string // network address that the call came from
	Source  string // what a client says that it runs, for example "cone:task:approve"
	Route   string // method and pattern of the call, for example "GET /people/{person}"
	Object  string // the path that was asked for, with escapes
	// BreakGlass is how the login for emergencies is used: everybody is told.
	BreakGlass console.BreakGlassUse
	token      tokenHash
}

// by returns who runs a command of the caller.
func (c *Console) by(caller Caller) console.By {
	by := console.By{At: c.now(), Actor: console.ByPerson(caller.Person.Canonical()), Request: caller.Request, Address: caller.Address, Source: caller.Source}
	if caller.Client != nil {
		by.Client = caller.Client.ID
	}
	return by
}

// update runs a command of a caller who is signed in to the pages. Clients may not: see
// [Console.change].
func (c *Console) update(ctx context.Context, caller Caller, fn func(tx *store.Tx, me console.Person) error) error {
	return c.change(ctx, caller, session, fn)
}

// change runs a command of the caller, which clients with a permit may run, too. The person
// is read again in its transaction, and so is the client: somebody who was disabled or lost a
// role meanwhile may not.
func (c *Console) change(ctx context.Context, caller Caller, p permit, fn func(tx *store.Tx, me console.Person) error) error {
	return c.denied(ctx, caller, c.store.Update(ctx, c.by(caller), func(tx *store.Tx) error {
		me, err := c.active(tx, caller, p)
		if err != nil {
			return err
		}
		return fn(tx, me)
	}))
}

// view runs a query of the caller, which clients that may read may run, too.
func (c *Console) view(ctx context.Context, caller Caller, fn func(tx *store.Tx, me console.Person) error) error {
	return c.read(ctx, caller, reading, fn)
}

// read runs a query of the caller, which clients with a permit may run, too.
func (c *Console) read(ctx context.Context, caller Caller, p permit, fn func(tx *store.Tx, me console.Person) error) error {
	return c.denied(ctx, caller, c.store.View(ctx, func(tx *store.Tx) error {
		me, err := c.active(tx, caller, p)
		if err != nil {
			return err
		}
		return fn(tx, me)
	}))
}

// Require refuses a caller who has no right for an object, for pages that show nothing but a
// form.
func (c *Console) Require(ctx context.Context, caller Caller, right console.Right, o console.Object) error {
	return c.read(ctx, caller, session, func(_ *store.Tx, me console.Person) error { return right.Check(me, o) })
}

// denied records a call that was refused for want of a right, and returns its error. A call
// whose denial cannot be recorded fails with that.
func (c *Console) denied(ctx context.Context, caller Caller, err error) error {
	hidden := (*hiddenError)(nil)
	if err == nil || errors.Is(err, ErrStepUp) || !errors.As(err, &hidden) && baton.KindOf(err) != baton.PermissionDenied {
		return err
	}
	d := console.Denial{Route: caller.Route, Object: caller.Object, Why: err.Error(), Hidden: hidden != nil}
	if hidden != nil {
		d.Why = hidden.why.Error()
	}
	if e := c.store.Update(context.WithoutCancel(ctx), c.by(caller), func(tx *store.Tx) error { return tx.Deny(d) }); e != nil {
		return e
	}
	return err
}

// active returns the person who calls, as it is now. Unauthenticated if the person or the
// client does not count any more; PermissionDenied if the client has no permit.
func (c *Console) active(tx *store.Tx, caller Caller, p permit) (console.Person, error) {
	if caller.Client != nil {
		client, me, err := tx.ClientOfToken(caller.token, c.now())
		if err == nil {
			err = p.check(tx, &client)
		}
		return me, err
	}
	me, err := tx.Person(caller.Person.ID)
	if err == nil && (me.Status != console.PersonActive || me.MergedInto != "") {
		err = baton.Errorf(baton.Unauthenticated, "%s is not active", me.Name)
	}
	return me, err
}

// recent refuses a sensitive command of a caller who signed in some time ago. It refuses
// every client: see [Console.recentOrClient].
func (c *Console) recent(caller Caller) error {
	if caller.Client != nil {
		return errClient
	}
	return c.recentOrClient(caller)
}

// recentOrClient refuses a sensitive command of a caller who signed in to the pages some time
// ago. Clients prove their key for every token, and somebody proved more when they were made.
func (c *Console) recentOrClient(caller Caller) error {
	if caller.Client != nil {
		return nil
	}
	if caller.Session.Recent(c.now()) {
		return nil
	}
	return ErrStepUp
}

// ErrStepUp is the error of sensitive commands when the caller signed in too long ago.
var ErrStepUp = baton.Errorf(baton.PermissionDenied, "this needs a login that is less than 10 minutes old").
	WithFix("Confirm your password and a one-time code, then try again.")

// hidden turns a refusal to see something into the error for what does not exist.
func hidden(what string, err error) error {
	if baton.KindOf(err) == baton.PermissionDenied {
		return &hiddenError{baton.Errorf(baton.NotFound, "no %s", what), err}
	}
	return err
}

// hiddenError reads like the error for what does not exist.
type hiddenError struct {
	error
	why error
}

func (e *hiddenError) Unwrap() error { return e.error }
