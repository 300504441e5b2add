package rpcstore

import (
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// ConnectionOf returns the connection of a connector at a time.
func ConnectionOf(t *store.Tx, con console.Connector, now time.Time) (n console.Connection, err error) {
	n.Paused, n.Hosted, n.Files = con.Paused, con.Hosting == console.Hosted, con.Hosting == console.ByFile
	hosts, err := Hosts(t, string(con.ID))
	if err != nil {
		return n, err
	}
	for _, h := range hosts {
		if h.Seen.After(n.Seen) {
			n.Seen = h.Seen
		}
		n.Hosts = append(n.Hosts, console.ConnectionHost{Name: h.ID, Program: h.Hello.Build.Package, Version: h.Hello.Build.Version, Seen: h.Seen})
	}
	if !n.Hosted && !n.Files && n.Seen.IsZero() {
		credentials, err := Credentials(t, string(con.ID))
		if err != nil {
			return n, err
		}
		for _, c := range credentials {
			if c.Good(now) {
				n.Credentials++
			}
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
