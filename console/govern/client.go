package govern

import (
	"context"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// NewClient holds the settings of a new client.
type NewClient struct {
	Name    string
	Scopes  []console.Scope
	Life    time.Duration // time until it expires
	Service bool
	Roles   []console.ConsoleRole // of a service
}

// MadeClient is a new client with its secret, which is not stored.
type MadeClient struct {
	console.Client
	Secret baton.Secret
}

// AddClient creates a client: for the caller, or for a new service with roles of its own. Clients
// cannot call it.
func (c *Console) AddClient(ctx context.Context, caller Caller, n NewClient) (m MadeClient, err error) {
	for range 10 { // the number in a client id may be taken
		if m, err = c.addClient(ctx, caller, n); baton.KindOf(err) != baton.AlreadyExists {
			break
		}
	}
	return m, err
}

func (c *Console) addClient(ctx context.Context, caller Caller, n NewClient) (m MadeClient, err error) {
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if n.Service {
			if err := console.ManageClients.Check(me, console.Object{}); err != nil {
				return err
			}
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		switch l, err := tx.BreakGlass(); {
		case err != nil && baton.KindOf(err) != baton.NotFound:
			return err
		case err == nil && l.Person == me.Canonical():
			return baton.Errorf(baton.Refused, "the login for emergencies makes no credentials").WithFix("Sign in as yourself.")
		}
		for _, s := range n.Scopes {
			if s.App() == "" {
				continue
			}
			if _, err := seeApp(tx, me, s.App(), console.SeeAccessCounts); err != nil {
				return err
			}
		}
		m, err = c.makeClient(tx, me, n)
		return err
	})
	return m, err
}

// makeClient creates a client of a person.
func (c *Console) makeClient(tx *store.Tx, me console.Person, n NewClient) (m MadeClient, err error) {
	switch n.Name = strings.TrimSpace(n.Name); {
	case checkName(n.Name) != nil:
		return m, checkName(n.Name)
	case n.Life <= 0 || n.Life > console.MaxClientLife:
		return m, baton.Errorf(baton.Invalid, "a credential is good for up to %d days", int(console.MaxClientLife.Hours()/24))
	case len(c.hosts) == 0:
		return m, baton.Errorf(baton.Refused, "programs cannot reach this console over TLS").WithFix("Start it with --url https://… and a certificate, or behind a proxy.")
	}
	kind := console.PersonalClient
	m = MadeClient{Client: console.Client{Name: n.Name, Person: me.ID, Creator: me.ID, Scopes: n.Scopes, Service: n.Service, Created: c.now(), Expires: c.now().Add(n.Life)}}
	if n.Service {
		kind = console.ServiceClient
		if m.Person, err = tx.AddPerson(console.Person{Name: n.Name, Service: true, Roles: n.Roles}); err != nil {
			return m, err
		}
	}
	if m.ClientID, m.PublicKey, m.Secret, err = rpc.NewKey(rpc.CredentialName(n.Name), c.hosts[0], kind); err != nil {
		return m, err
	}
	m.ID, err = tx.AddClient(m.Client)
	return m, err
}

// IssueClient creates a personal client when the console starts, for the demo and for the env file.
func (c *Console) IssueClient(ctx context.Context, person console.ID, n NewClient) (m MadeClient, err error) {
	for range 10 {
		err = c.store.Update(ctx, console.By{At: c.now(), Actor: console.Console}, func(tx *store.Tx) error {
			p, err := tx.Person(person)
			if err == nil {
				m, err = c.makeClient(tx, p, n)
			}
			return err
		})
		if baton.KindOf(err) != baton.AlreadyExists {
			break
		}
	}
	return m, err
}

// ClientRow is a client in a list.
type ClientRow struct {
	console.Client
	As        console.Person // the person it acts as
	MayRevoke bool
}

// Clients returns up to n of the caller's own clients, the newest first, created before the given
// one, and whether there are more.
func (c *Console) Clients(ctx context.Context, caller Caller, before console.ID, n int) (rows []ClientRow, more bool, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		rows, more, err = clientRows(tx, me, me.ID, before, n)
		return err
	})
	return rows, more, err
}

// AllClients returns up to n clients of all people, if the caller may see the settings.
func (c *Console) AllClients(ctx context.Context, caller Caller, before console.ID, n int) (rows []ClientRow, more bool, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		rows, more, err = clientRows(tx, me, "", before, n)
		return err
	})
	return rows, more, err
}

func clientRows(tx *store.Tx, me console.Person, person, before console.ID, n int) (rows []ClientRow, more bool, err error) {
	all, err := tx.Clients(person, before, n+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(all) > n; more {
		all = all[:n]
	}
	for _, client := range all {
		r := ClientRow{Client: client, MayRevoke: client.Person == me.ID || console.ManageClients.Of(me, console.Object{})}
		if r.As, err = tx.Person(client.Person); err != nil {
			return nil, false, err
		}
		rows = append(rows, r)
	}
	return rows, more, nil
}

// RevokeClient revokes a client: one of the caller's, or any if the caller may manage clients. It
// also disables the person of a service.
func (c *Console) RevokeClient(ctx context.Context, caller Caller, id console.ID) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		client, err := tx.Client(id)
		if err != nil {
			return err
		}
		if client.Person != me.ID {
			if err := console.ManageClients.Check(me, console.Object{}); err != nil {
				if !console.SeeSettings.Of(me, console.Object{}) {
					err = hidden("credential", err)
				}
				return err
			}
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if err := tx.RevokeClient(id); err != nil || !client.Service {
			return err
		}
		service, err := tx.Person(client.Person)
		if err != nil || service.Status != console.PersonActive {
			return err
		}
		service.Status = console.PersonDisabled
		return tx.ChangePerson(service)
	})
}

// AuthenticateClient returns the caller of a client's bearer token. Unauthenticated if the token is
// not valid, or no longer.
func (c *Console) AuthenticateClient(ctx context.Context, token baton.Secret, request, address string) (Caller, error) {
	caller := Caller{Request: request, Address: address, token: hashToken(token), Client: &console.Client{}}
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		*caller.Client, caller.Person, err = tx.ClientOfToken(caller.token, c.now())
		return err
	})
	return caller, err
}

// Introspection describes the calling client.
type Introspection struct {
	Person console.Person
	Client console.Client
}

// Introspect returns the caller's client and person in their current state.
func (c *Console) Introspect(ctx context.Context, caller Caller) (i Introspection, err error) {
	err = c.read(ctx, caller, own, func(tx *store.Tx, me console.Person) error {
		i.Person = me
		if caller.Client != nil {
			i.Client, err = tx.Client(caller.Client.ID)
		}
		return err
	})
	return i, err
}
