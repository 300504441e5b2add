// Package rpc is the server side of the Baton protocol: what connectors that run as a
// service talk to.
//
// # Words
//
// A connector is a configured connection to one application. Its id is opaque here. A
// host is a process that serves a connector; several may share the work. A [Task] is one
// piece of work for a connector, without protobuf. (What people ask the console for is a
// request, and what the console does about it is an operation; one operation may need
// several tasks.) A lease is the right of one host to work on a task until a time.
//
// # One task, from its queue to its result
//
//  1. The console makes a task with [NewTask] and adds it with [Store.AddTask], or with a
//     transaction of its own that has the same effect. [Task.Ref] says what it is for.
//  2. A host exchanges a signed [Assertion] for a bearer token ([Server.ServeToken]). Every
//     call carries the token; the token's [Credential] names the connector, and a call
//     sees nothing of other connectors.
//  3. The host asks for tasks (GetTask). [Store.Lease] leases it the tasks that are due;
//     [Pick] decides which. The server translates them to messages (translate.go).
//  4. While the host works, it sends heartbeats, and [Store.Extend] prolongs the lease. The
//     response says if the console cancelled the task.
//  5. For a sync, the host uploads a file. The server stores it in chunks, verifies the
//     checksum and hands it to [Config.Received], which takes it or refuses it.
//  6. The host reports the end (FinishTask). [Store.Finish] stores the [Result], and
//     [Task.Outcome] says what it means. The first report counts.
//  7. If the lease ends before, the next host that asks gets the task. A write is different:
//     nobody knows whether it was done, so [Store.Expire] makes the task [Lost]. It is not
//     leased again unless the console puts it back with [Store.RequeueTask].
//
// # Files
//
//	server.go, service.go, receive.go, auth.go, token.go   the protocol
//	translate.go, validate.go                              its messages
//	store.go                                               what the database must do
//	rules.go                                               the rules, as functions of values
//	task.go, work.go, result.go, hello.go, credential.go   the values
//
// A [Server] keeps no state: any number of them may share a [Store].
package rpc
