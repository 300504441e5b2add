package govern

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// Version identifies the state of a page: if it differs, the page is out of date. It has no other
// meaning.
type Version string

// Watch returns a channel that receives after something changed, and a function that ends the watch.
// Wake-ups can be lost, so the caller must also poll.
func (c *Console) Watch() (<-chan struct{}, func()) { return c.store.Watch(store.EventTopic) }

// ConnectorVersion returns the version of a connector as the caller sees it: its state, syncs, tasks
// and hosts. Unauthenticated if the caller's session has ended; the call does not extend the
// session.
func (c *Console) ConnectorVersion(ctx context.Context, caller Caller, id console.ID) (v Version, err error) {
	err = c.look(ctx, caller, func(tx *store.Tx, me console.Person) error {
		con, a, err := seeConnector(tx, me, id, console.SeeConnectors)
		if err != nil {
			return err
		}
		h := sha256.New()
		if err := c.hashConnector(tx, h, con, a); err != nil {
			return err
		}
		syncs, err := tx.Syncs(id, store.SyncBefore{}, 10)
		if err != nil {
			return err
		}
		for _, s := range syncs {
			fmt.Fprintln(h, s.ID, s.State)
		}
		tasks, _, err := rpcstore.TasksBefore(tx, string(id), 0, 10)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			fmt.Fprintln(h, t.ID, t.State, t.Cancelled)
		}
		hosts, err := rpcstore.Hosts(tx, string(id))
		for _, host := range hosts {
			fmt.Fprintf(h, "%q\n", host.ID)
		}
		v = versionOf(h)
		return err
	})
	return v, err
}

// ConnectorsVersion returns the version of the list of connectors that the caller sees.
func (c *Console) ConnectorsVersion(ctx context.Context, caller Caller) (v Version, err error) {
	err = c.look(ctx, caller, func(tx *store.Tx, me console.Person) error {
		h := sha256.New()
		connectors, err := tx.Connectors("")
		if err != nil {
			return err
		}
		for _, con := range connectors {
			a, err := tx.App(con.App)
			if err != nil {
				return err
			}
			if console.SeeConnectors.Of(me, console.Object{App: &a, Connector: &con}) {
				if err := c.hashConnector(tx, h, con, a); err != nil {
					return err
				}
			}
		}
		v = versionOf(h)
		return nil
	})
	return v, err
}

func (c *Console) hashConnector(tx *store.Tx, h hash.Hash, con console.Connector, a console.App) error {
	s, err := c.connectorSummary(tx, con, a)
	fmt.Fprintf(h, "%s %q %q\n", con.ID, s.State, s.Sentence)
	return err
}

func versionOf(h hash.Hash) Version { return Version(hex.EncodeToString(h.Sum(nil)[:8])) }

// look runs a query if the caller's session has not ended.
func (c *Console) look(ctx context.Context, caller Caller, fn func(tx *store.Tx, me console.Person) error) error {
	return c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		if _, _, err := tx.Session(caller.token, c.now()); err != nil {
			if baton.KindOf(err) == baton.NotFound {
				err = baton.Errorf(baton.Unauthenticated, "the session has ended")
			}
			return err
		}
		return fn(tx, me)
	})
}
