// Package storm runs connectors against sandboxes with all their faults, alone and in
// combinations, and compares the results with what the sandbox has.
//
// Everything in a run follows from its seed: the upstream, the shape of the tenant, the
// faults and when they are switched, the changes that others make, and what is asked for. A
// run takes place in a bubble of testing/synctest, over connections that are pipes. Waiting
// costs no time, and a run that hangs is noticed.
//
// # Syncs
//
// The organisation may change while a sync reads it. The file must have every row that was
// there, and visible where a reader must rely on it, in each snapshot from the first request
// to the last. It must have no row that was in no snapshot. Without changes the two sets are
// the same.
//
// A sync ends in one of three ways: with the right facts; held by the removal guard; or with
// an error of a stated kind, on one line, that says what to do. After an error the file is
// unchanged, and the same sync runs again without faults, from what is left. Then it must find
// the right facts, though it may first have to notice that a list was cut short.
//
// # Changes
//
// A change ends with the requested effect, once, or with an error. If the upstream has changed
// although there was an error, the error says that it may have. The sandbox's audit of writes
// shows the effects: none on a dry run, and none on anybody else unless the server caused it,
// which must be reported. Where somebody was Admin before, somebody is Admin afterwards.
//
// # Blind spots
//
// Some servers can hide rows from every client, see [blind]. There, a list may be short.
// Everything else is judged as usual.
package storm
