package postgres_test

import (
	"testing"

	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// TestRPC runs the suite of the Baton plane's store.
func TestRPC(t *testing.T) {
	rpctest.Suite(t, func(t *testing.T) rpc.Store { return rpcstore.New(store.New(fresh(t).Open(t), nil)) })
}
