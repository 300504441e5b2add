package postgres_test

import (
	"testing"

	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// TestRPC runs the conformance suite of rpc.Store.
func TestRPC(t *testing.T) {
	rpctest.Suite(t, func(t *testing.T) rpc.Store { return rpcstore.New(store.New(fresh(t).Open(t), nil)) })
}
