package rpcstore

import (
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// ConnectionOf returns the connection of a connector.
func ConnectionOf(t *store.Tx, con console.Connector) (n console.Connection, err error) {
	n.Paused, n.Hosted = con.Paused, con.Hosting == console.Hosted
	hosts, err := Hosts(t, string(con.ID))
	if err != nil {
		return n, err
	}
	for _, h := range hosts {
		if h.Seen.After(n.Seen) {
			n.Seen = h.Seen
		}
	}
	running, finished, err := LastTasks(t, string(con.ID), rpc.SyncType)
	if err != nil {
		return n, err
	}
	n.Running = running != nil
	if finished != nil {
		n.Finished, n.Code, n.Problem = finished.Result.At, finished.Result.Code, finished.Result.Message
	}
	if n.Applied, err = t.HeadSync(con.Stream); err != nil {
		return n, err
	}
	if n.Held, err = t.HeldSync(con.ID); err != nil {
		return n, err
	}
	newest, err := t.Syncs(con.ID, store.SyncBefore{}, 1)
	if err == nil && len(newest) == 1 && newest[0].State == console.SyncRefused {
		n.Refused = &newest[0]
	}
	return n, err
}
