// Package c1z3 reads c1z files of version 3: a manifest followed by the files of one closed Pebble
// database, which holds at most one sync. Newer official connectors write this version by default.
// The package never writes it.
//
// Open unpacks the database into a private folder, opens it read-only, and checks the engine, the
// key layout and that there is one sync. The rows are read in key order, each as the message that a
// version 1 file would hold, so that the rest of the program needs only one decoder.
//
// A damaged container, table, key or record is an error of kind baton.Corrupt; an unknown engine,
// encoding or layout is one of kind baton.Unsupported. Only the console links Pebble, because it
// adds 12 MB to a binary.
package c1z3
