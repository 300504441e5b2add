// Package rpc is the server side of the Baton protocol: what a connector
// that runs as a service talks to. It issues credentials, exchanges signed
// assertions for bearer tokens, hands out tasks under leases, takes uploads, and
// keeps how every task ended.
//
// # Layers
//
//	HTTP    handler.go, token.go, auth.go    one port: gRPC beside POST /auth/v1/token
//	gRPC    service.go, upload.go            BatonService, held to validate.go
//	tasks   queue.go, credential.go          leases, hellos, credentials; knows no gRPC
//	storage store.go, dirstore.go            the four methods a database would have
//
// State is kept in memory and written through to a [Store] before it counts, so a
// server that comes back from a [DirStore] knows its credentials, tasks and leases.
// Tokens and the nonces of assertions live in memory only: after a restart every
// connector asks for a new token.
//
// # Tasks
//
// A task is handed out once, to whichever host of its connector asks first, and is
// leased to that host. Heartbeats extend the lease; when it lapses the next host that
// asks gets the task. Of the syncs of one connector only one is out at a time. Only
// the host that holds a task may say that it works on it, upload for it or finish it;
// finishing again, because the answer was lost, changes nothing and succeeds.
//
// # Faults
//
// [Server.SetFault] makes the server misbehave on purpose, by the names of [Faults];
// [Local.Down] takes it away altogether.
package rpc
