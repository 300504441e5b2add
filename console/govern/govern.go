// Package govern is the only way in which people and programs read and change the console. Every
// command and query identifies its caller and checks the caller's rights. A command is one
// transaction that includes its events. The web pages and the REST interface call this package and
// make no decisions of their own.
//
// An object that a person may not see does not exist for that person: the error is NotFound. If the
// person may see but not change it, the error is PermissionDenied, with the roles that may.
package govern

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/mail"
	"baton/console/oidc"
	"baton/console/store"
	"baton/console/telemetry"
)

// Console implements the commands and queries on a store.
type Console struct {
	store    *store.Store
	hosts    []string
	products []Product
	allow    func(netip.Addr) error
	mail     mail.Sender
	now      func() time.Time
	receive  Receive

	configuration Configuration
	minInterval   time.Duration
	oidc          *oidc.Client
	at            time.Time // the moment of [Console.AsOf]; zero for now
}

// Config configures a [Console].
type Config struct {
	Store *store.Store
	// Hosts are the names at which connectors reach the console, host[:port]. The first becomes part
	// of new client ids.
	Hosts []string
	// Products are the connectors in the catalogue.
	Products []Product
	// Allow checks the network addresses that hosted connectors and identity providers connect to;
	// nil: only public addresses.
	Allow func(netip.Addr) error
	Now   func() time.Time // nil: time.Now
	// MinInterval is the shortest interval between syncs of a connector; 0: one minute.
	MinInterval time.Duration
	Log         *slog.Logger // nil: none
	// Receive stores uploaded sync files; nil: uploads are refused.
	Receive Receive
	// Configuration reads configuration files; nil: there are none.
	Configuration Configuration
	// Mail sends test mails. It checks addresses like Allow.
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
	if c.Configuration == nil {
		c.Configuration = noConfiguration{}
	}
	c.Mail.Allow, c.Mail.Public = c.Allow, Public
	if c.MinInterval == 0 {
		c.MinInterval = time.Minute
	}
	made := &Console{minInterval: c.MinInterval, store: c.Store, hosts: c.Hosts, products: c.Products, allow: c.Allow, mail: c.Mail, now: c.Now, receive: c.Receive, configuration: c.Configuration, oidc: oidc.New(c.Allow, c.Now, c.Log)}
	c.Store.SetMasters(made.masters)
	return made
}

// masters returns where who holds the entitlements of a type of resources is decided, for the
// product of a connector.
func (c *Console) masters(product, resourceType string) string {
	p, err := c.Product(strings.TrimPrefix(product, "baton-"))
	if err != nil || p.Roles.Type != resourceType {
		return ""
	}
	return p.Roles.MasteredIn
}

// Now returns the current time of the console's clock.
func (c *Console) Now() time.Time { return c.now() }

// Caller identifies who calls, and how.
type Caller struct {
	Person  console.Person
	Session console.Session // of a browser; zero for a client
	// Client is the credential of a program; nil for a browser.
	Client  *console.Client
	Request string // id of the call, as in logs
	Address string // network address that the call came from
	Source  string // the program that a client says it is, for example "cone:task:approve"
	Route   string // method and pattern of the call, for example "GET /people/{person}"
	Object  string // the requested path, with escapes
	// BreakGlass is the recent use of the emergency login, which every page displays.
	BreakGlass console.BreakGlassUse
	token      tokenHash
}

// by returns the attribution of the caller's changes.
func (c *Console) by(caller Caller) console.By {
	by := console.By{At: c.now(), Actor: console.ByPerson(caller.Person.Canonical()), Request: caller.Request, Address: caller.Address, Source: caller.Source}
	switch {
	case caller.Client != nil:
		by.Client = caller.Client.ID
	case !caller.Session.Began.IsZero():
		by.Login = cmp.Or(caller.Session.Provider, console.LoginPassword)
	}
	return by
}

// update runs a command of a caller who is signed in to the pages. Clients may not: see
// [Console.change].
func (c *Console) update(ctx context.Context, caller Caller, fn func(tx *store.Tx, me console.Person) error) error {
	return c.change(ctx, caller, session, fn)
}

// change runs a command of a caller; clients need the permit. Its transaction reads the person and
// the client again, so that a person who was disabled or lost a role cannot continue.
func (c *Console) change(ctx context.Context, caller Caller, p permit, fn func(tx *store.Tx, me console.Person) error) error {
	if !c.at.IsZero() {
		return errPast
	}
	ctx, span := telemetry.Start(ctx, "command")
	err := c.denied(ctx, caller, c.store.Update(ctx, c.by(caller), func(tx *store.Tx) error {
		me, err := c.active(tx, caller, p)
		if err != nil {
			return err
		}
		return fn(tx, me)
	}))
	span.End(err)
	return err
}

// view runs a query of a caller; clients need a scope for reading.
func (c *Console) view(ctx context.Context, caller Caller, fn func(tx *store.Tx, me console.Person) error) error {
	return c.read(ctx, caller, reading, fn)
}

// read runs a query of a caller; clients need the permit.
func (c *Console) read(ctx context.Context, caller Caller, p permit, fn func(tx *store.Tx, me console.Person) error) error {
	ctx, span := telemetry.Start(ctx, "query")
	err := c.denied(ctx, caller, c.store.View(ctx, func(tx *store.Tx) error {
		me, err := c.active(tx, caller, p)
		if err != nil {
			return err
		}
		return fn(tx, me)
	}))
	span.End(err)
	return err
}

// Require returns an error if the caller lacks a right for an object. It is for pages that only
// display a form.
func (c *Console) Require(ctx context.Context, caller Caller, right console.Right, o console.Object) error {
	return c.read(ctx, caller, session, func(_ *store.Tx, me console.Person) error { return right.Check(me, o) })
}

// denied records a call that was refused for lack of a right, and returns its error. If that cannot
// be recorded, it returns the error of recording.
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

// active returns the calling person in the current state. Unauthenticated if the person or the
// client is no longer valid; PermissionDenied if the client lacks the permit.
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

// recent refuses a sensitive command if the caller signed in too long ago, and always for clients:
// see [Console.recentOrClient].
func (c *Console) recent(caller Caller) error {
	if caller.Client != nil {
		return errClient
	}
	return c.recentOrClient(caller)
}

// recentOrClient refuses a sensitive command if the caller signed in to the pages too long ago.
// Clients may pass: they prove their key for every token, and creating them needed a recent login.
func (c *Console) recentOrClient(caller Caller) error {
	if caller.Client != nil {
		return nil
	}
	if caller.Session.Recent(c.now()) {
		return nil
	}
	return ErrStepUp
}

// ErrStepUp is the error of sensitive commands if the caller signed in too long ago.
var ErrStepUp = baton.Errorf(baton.PermissionDenied, "this needs a login that is less than 10 minutes old").
	WithFix("Confirm your password and a one-time code, then try again.")

// hidden replaces a refusal to see an object by the error for an object that does not exist.
func hidden(what string, err error) error {
	if baton.KindOf(err) == baton.PermissionDenied {
		return &hiddenError{baton.Errorf(baton.NotFound, "no %s", what), err}
	}
	return err
}

// hiddenError has the text and the kind of the error for an object that does not exist.
type hiddenError struct {
	error
	why error
}

func (e *hiddenError) Unwrap() error { return e.error }
