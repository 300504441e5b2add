// Package crash contains only tests: it kills syncs, cuts their power and fills their disks, and compares the
// file of the next sync with that of an undisturbed one.
//
//   - The sweep kills the real process, at every request and at random moments, in
//     both modes, and often also the process that resumes (process_test.go).
//   - The disk fails at each of its operations, once or permanently, and loses its
//     power at each, with all data that was not flushed (disk_test.go).
//   - The page log is cut and flipped byte by byte (torn_test.go).
//   - Planted defects must make each of these fail (planted_test.go).
//
// go test ./... takes a sample of the points, -tags long a larger one, and -every all of them; `make
// crash-sweep` does the latter and prints the counts.
package crash
