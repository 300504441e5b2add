package govern

import (
	"context"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// AbilitiesView lists the capabilities of a connector, and whether changes are enabled.
type AbilitiesView struct {
	Described bool // a host has introduced itself
	rpc.Description
	// ReadOnly means that its newest change was refused because provisioning is disabled where it
	// runs.
	ReadOnly bool
	// Continues are the connectors of the same app that this one can replace: they have syncs and it
	// has none.
	Continues []console.Connector
}

// changeTypes are the tasks that change something in an application.
var changeTypes = []rpc.Type{rpc.GrantType, rpc.RevokeType, rpc.CreateAccountType, rpc.DeleteResourceType, rpc.RunActionType}

// Abilities returns what a connector supports, as its last host reported.
func (c *Console) Abilities(ctx context.Context, caller Caller, id console.ID) (v AbilitiesView, err error) {
	err = c.read(ctx, caller, reading.at(id), func(tx *store.Tx, me console.Person) error {
		v = AbilitiesView{}
		con, a, err := seeConnector(tx, me, id, console.SeeConnectors)
		if err != nil {
			return err
		}
		hosts, err := rpcstore.Hosts(tx, string(id))
		if err != nil {
			return err
		}
		var newest rpc.Host
		for _, h := range hosts {
			if h.Last.After(newest.Last) {
				newest = h
			}
		}
		v.Described, v.Description = newest.ID != "", newest.Hello.Connector
		var last rpc.Result
		for _, t := range changeTypes {
			_, finished, err := rpcstore.LastTasks(tx, string(id), t)
			if err != nil {
				return err
			}
			if finished != nil && finished.Result.At.After(last.At) {
				last = finished.Result
			}
		}
		v.ReadOnly = console.ProvisioningOff(last.Code, last.Message)
		v.Continues, err = continues(tx, con, a)
		return err
	})
	return v, err
}

// continues returns the connectors that a new one can replace.
func continues(tx *store.Tx, con console.Connector, a console.App) (all []console.Connector, err error) {
	head, err := tx.HeadSync(con.Stream)
	if err != nil || head != nil {
		return nil, err
	}
	others, err := tx.Connectors(a.ID)
	for _, o := range others {
		if o.ID == con.ID {
			continue
		}
		if head, err := tx.HeadSync(o.Stream); err != nil {
			return nil, err
		} else if head != nil {
			all = append(all, o)
		}
	}
	return all, err
}

// ContinueConnector makes a connector without syncs replace another one of the same app, such as a
// hosted one by a self-hosted one. Accounts, entitlements and grants remain the same rows, with
// their reasons and history. The replaced connector is paused.
func (c *Console) ContinueConnector(ctx context.Context, caller Caller, id, former console.ID) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if _, _, err := seeConnector(tx, me, id, console.ConfigureConnectors); err != nil {
			return err
		}
		if _, _, err := seeConnector(tx, me, former, console.ConfigureConnectors); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		return tx.ContinueConnector(id, former)
	})
}
