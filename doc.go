// Package baton is the vocabulary of the project: what a connector reads, what
// it can change, and how the two are said. It imports the standard library only
// and everything else imports it.
//
// A [Connector] is a struct, not an interface. Its fields are data and functions;
// a nil function means "cannot", and every description of a connector
// (capabilities, config, help, documentation tables) is printed from the struct.
//
// # Reading
//
// A connector offers [Feed]s. A feed is a resumable stream of pages, and a page is
// a transaction: the rows that one upstream answer teaches, together with the
// [Cursor] after it, become durable in one step or not at all. The feed writes
// rows into the [Page] it is handed and returns where it now stands.
//
// # Changing
//
// Grant, Revoke, account creation and actions are functions from a request to an
// [Outcome]. They are idempotent: asking for what already holds succeeds and says
// so in [Outcome.Already]. They verify: an Outcome is returned after the upstream
// was read again, never on the strength of a status code.
//
// # Identity
//
// Identities are plain joins and are a public contract, for ConductorOne keys its
// configuration on their bytes: a resource is "type:id", an entitlement
// "type:id:slug", a grant "type:id:slug:principaltype:principalid".
package baton
