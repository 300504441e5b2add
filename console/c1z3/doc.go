// Package c1z3 reads c1z files of version 3: a manifest followed by the files of one closed
// Pebble database, which holds at most one sync. Newer official connectors write this version by
// default. The package never writes it.
//
// Open unpacks the database into a private folder, opens it read-only, and checks what it
// is: engine, key layout, the one sync. The rows are read in key order, each as the message
// that a version 1 file would hold, so that the rest of the program needs one decoder.
//
// A file that cannot be trusted as a whole is refused: a damaged container, table, key or
// record is an error of kind baton.Corrupt, an unknown engine, encoding or layout one of kind
// baton.Unsupported. Pebble is linked by the console only, because it adds 12 MB to a binary.
package c1z3
