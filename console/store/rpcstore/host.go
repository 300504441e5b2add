package rpcstore

import (
	"context"
	"encoding/json"
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// Hello implements [rpc.Store].
func (s Store) Hello(ctx context.Context, now time.Time, connector string, h rpc.Hello) error {
	hello, err := encode("the hello of host "+h.Host, h)
	if err != nil {
		return err
	}
	return s.update(ctx, now, connector, func(tx *store.Tx) error {
		if h.Task != "" {
			if _, err := finish(tx, rpc.Holder{Connector: connector, Host: h.Host, Task: h.Task}, rpc.Result{}); err != nil {
				return err
			}
		}
		e := tx.Engine()
		first, err := engine.Get(e, func(r engine.Row) bool { return r.Int(0) == 1 }, "host", `INSERT INTO host (connector, id, first, last, seen, hellos, hello) VALUES ($1, $2, $3, $3, $3, 1, $4)
			ON CONFLICT (connector, id) DO UPDATE SET last = excluded.last, seen = excluded.seen, hellos = host.hellos + 1, hello = excluded.hello RETURNING hellos`,
			connector, []byte(h.Host), now, hello)
		if err == nil && first {
			tx.Append(console.Event{Kind: "host.appeared", Connector: console.ID(connector), Data: hello})
		}
		return err
	})
}

// Hosts implements [rpc.Store].
func (s Store) Hosts(ctx context.Context, connector string) (hosts []rpc.Host, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) error {
		hosts, err = Hosts(tx, connector)
		return err
	})
	return hosts, err
}

// Hosts returns the hosts of a connector, by id.
func Hosts(t *store.Tx, connector string) (hosts []rpc.Host, err error) {
	err = t.Engine().Query(func(r engine.Row) error {
		h := rpc.Host{Connector: connector, ID: string(r.Bytes(0)), First: at(r, 1), Last: at(r, 2), Seen: at(r, 3), Hellos: int(r.Int(4))}
		hosts = append(hosts, h)
		return json.Unmarshal(r.Bytes(5), &hosts[len(hosts)-1].Hello)
	}, "SELECT id, first, last, seen, hellos, hello FROM host WHERE connector = $1 ORDER BY id", connector)
	return hosts, err
}
