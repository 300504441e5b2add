// Package crash has no code but tests: it kills syncs, cuts their power and fills their
// disks, and compares what the next one seals with what an undisturbed one does.
//
//   - The sweep kills the real process, at every request and at seeded instants, in
//     both modes, and often enough the one that resumes as well (sweep_test.go).
//   - The disk fails at each of its operations, for once or for good, and loses its
//     power at each, with whatever was not flushed (disk_test.go).
//   - The page log is cut and flipped byte by byte (torn_test.go).
//   - Defects that were planted on purpose must turn each of these red (planted_test.go).
//
// Each takes a sample in go test ./..., a larger one with -tags long, and every point with
// -every; `make crash-sweep` does that, and prints what was counted.
package crash
