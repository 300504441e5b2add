// Package rpcstore implements [rpc.Store] on the console's store: tasks and their leases, uploads,
// hosts, credentials and tokens. The rules are in package rpc; this package reads a row, applies a
// rule and writes the row, in one transaction.
//
// Operations become tasks here when a host asks for work, and their answers are recorded here; see
// operation.go.
//
// Other tasks with an [rpc.Task.Ref] add a due row of kind [EndedKind] in the transaction that ends
// them, so that its worker reacts exactly once.
package rpcstore

import (
	"context"
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// Store implements [rpc.Store].
type Store struct{ s *store.Store }

var _ rpc.Store = Store{}

// New returns an [rpc.Store] on a store.
func New(s *store.Store) Store { return Store{s} }

// SyncRef is the [rpc.Task.Ref] of syncs whose files the console applies.
const SyncRef = "sync"

// EndedKind is the kind of the due rows for ended tasks: finished, cancelled or lost. Their ref is
// the task's ID.
const EndedKind = "task.ended"

// TaskTopic is woken when a task was queued for a connector.
func TaskTopic(connector string) string { return "task:" + connector }

// update runs a transaction with events of the connector.
func (s Store) update(ctx context.Context, now time.Time, connector string, fn func(*store.Tx) error) error {
	return s.s.Update(ctx, console.By{At: now, Actor: console.Actor{Kind: console.ActorConnector, ID: connector}}, fn)
}

// updateByConsole runs a transaction with events of the console itself.
func (s Store) updateByConsole(ctx context.Context, now time.Time, fn func(*store.Tx) error) error {
	return s.s.Update(ctx, console.By{At: now, Actor: console.Console}, fn)
}

// at returns the time in a column; zero for NULL.
func at(r engine.Row, column int) time.Time {
	if r.Null(column) {
		return time.Time{}
	}
	return engine.Time(r.Int(column))
}

func encode(what string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode %s: %w", what, err)
	}
	return b, nil
}
