package rpcstore

import (
	"context"
	"time"

	"baton/console/rpc"
	"baton/console/store"
)

// Clients implements [rpc.Clients] for clients of the REST interface.
type Clients struct{ s *store.Store }

var _ rpc.Clients = Clients{}

// NewClients returns the clients of a store.
func NewClients(s *store.Store) Clients { return Clients{s} }

// Credential implements [rpc.Clients].
func (s Clients) Credential(ctx context.Context, clientID string) (c rpc.Credential, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) error {
		found, err := tx.ClientByClientID(clientID)
		c = rpc.Credential{ClientID: found.ClientID, PublicKey: found.PublicKey, Created: found.Created, Expires: found.Expires, Revoked: found.Revoked, LastUsed: found.LastUsed}
		return err
	})
	return c, err
}

// AddToken implements [rpc.Clients].
func (s Clients) AddToken(ctx context.Context, now time.Time, t rpc.Token) error {
	return New(s.s).updateByConsole(ctx, now, func(tx *store.Tx) error {
		return tx.AddClientToken(t.ClientID, store.ClientToken{Hash: t.Hash, Expires: t.Expires, Assertion: t.Assertion, AssertionExpires: t.AssertionExpires}, now)
	})
}
