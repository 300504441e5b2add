// Package storm lets connectors loose on sandboxes that misbehave in every way they
// know, alone and in combinations, and holds what comes of it against what the sandbox
// has.
//
// A run is made from one number, its seed: which upstream, a tenant of what shape,
// which faults, when they are switched, what others change meanwhile, what is asked.
// It takes place in a bubble of testing/synctest, over connections that are pipes: a
// wait costs nothing, whatever the upstream asks for, and a run that hangs is found out.
//
// # Syncs
//
// While a sync reads, the organisation may change. What it must find lies between two
// sets: whatever was there, and shown by the side that a reader must rely on, at every
// look from the first request to the last must be in the file; what was never there
// must not be. Without changes the two are the same.
//
// A sync ends in one of three ways, and in no other: with the right facts; held, by the
// removal guard; or with an error of a stated kind that is one line and says what to do. Then
// the file is what it was. Where it failed, the same sync is run again without faults,
// and goes on from what is left: it must find the right facts, though it may first have
// to find a list that the storm has cut short incomplete.
//
// # Changes
//
// A change ends with what was asked for, done once, or with an error; and if the
// upstream has changed all the same, the error says that it may have. The sandbox's audit
// of writes tells what was done: nothing on a dry run, nothing to anybody else unless
// the server itself did it, which must be reported. Where somebody was Admin before,
// somebody is after.
//
// # Blind spots
//
// Some servers cannot be seen through, by any client: see [blind]. There, a list may be
// short; everything else is held against the server all the same.
package storm
