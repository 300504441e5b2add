// Package console holds the nouns of the console and its rules. The rules are functions
// over values: no database, no clock, no protobuf. A noun has a file of its own name
// here and in package console/store.
//
// # Facts, reasons, operations
//
// A [Fact] is what a sync showed: an account held an entitlement from one sync until
// another. Only an applied [Sync] writes facts. A [Reason] says why somebody should hold
// an entitlement, and until when; only people and rules write reasons. An [Operation] is
// one attempt to make the facts follow the reasons. [Access] joins the three for one
// account and entitlement, and [Access.State] names the result: explained, unexplained,
// came back, pending, was undone and so on. Every change of state is also an [Event].
//
// # Keys
//
// Rows that the console creates have an [ID]. Rows that a sync shows are many, so they
// have small numbers: [ResourceKey], [EntitlementKey], [SyncNumber]. An account is a
// resource whose type has the user trait. Having an account is an entitlement too: the
// key [AccountItself] in every app.
//
// # Guards
//
// [Proposal.Check] applies every guard to a proposed change, whatever its cause. A guard
// that refuses returns a [Refusal], which names the guard, the reason and the fix.
package console
