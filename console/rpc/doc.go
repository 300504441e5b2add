// Package rpc is the server side of the Baton protocol: what connectors that run as a
// service talk to.
//
// # Words
//
// A connector is a configured connection to one application; its id is opaque here. A
// host is a process that serves a connector; several may share the work. A [Task] is one
// piece of work for a connector: this package's word for the protocol's Task message,
// without protobuf. What people ask the console for is called a request elsewhere.
//
// # Storage
//
// All state is in a [Store]: servers are replicas of each other. The rules of tasks are
// functions of values (rules.go) that stores apply inside their transactions.
package rpc
