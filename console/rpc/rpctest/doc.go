// Package rpctest tests what speaks the Baton protocol's server side: [Suite] tests an
// implementation of rpc.Store, and [Memory] is one.
package rpctest
