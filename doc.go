// Package baton defines the nouns of the project: what a connector reads, what it can change, and the errors
// of both. It imports only the standard library, and every other package imports it.
//
// A [Connector] is a struct, not an interface. Its fields are data and functions; a nil function means
// "cannot". Every description of a connector (capabilities, config, help, tables in the documentation) is
// generated from the struct.
//
// # Reading
//
// A connector offers [Feed]s. A feed is a resumable stream of pages, and a page is a transaction: the rows of
// one upstream response and the [Cursor] after it are committed together or not at all. The feed writes rows
// into the [Page] that it receives and returns its new position.
//
// # Changing
//
// Grant, Revoke, account creation and actions are functions from a request to an [Outcome]. They are
// idempotent: a request for the present state succeeds and sets [Outcome.Already]. They verify: before
// returning an Outcome they read the upstream again, and never rely on a status code.
//
// # Identity
//
// Identities are plain joins and a public contract, because ConductorOne keys its configuration on their
// bytes: a resource is "type:id", an entitlement "type:id:slug", a grant
// "type:id:slug:principaltype:principalid".
package baton
