// Package rpctest has the conformance suite of [rpc.Store], an implementation in memory,
// and a server for tests of connectors.
//
// [Suite] tests an implementation of the store. [Memory] is one that ends with the
// process. [Listen] starts a [Server] on it: a real server of package rpc over TLS that
// hands out any message of the protocol as a task, keeps what connectors send, and fails
// on demand ([Faults]). The faults are interceptors, a handler and a store around the
// real ones.
package rpctest
