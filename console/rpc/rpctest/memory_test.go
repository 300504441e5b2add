package rpctest_test

import (
	"testing"

	"baton/console/rpc"
	"baton/console/rpc/rpctest"
)

func TestMemory(t *testing.T) {
	rpctest.Suite(t, func(*testing.T) rpc.Store { return rpctest.NewMemory() })
}
