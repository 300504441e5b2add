// Package longtest decides how much a test does.
//
// Tests have two sizes. "go test ./..." is for everybody who changes something, and takes
// about two minutes of CPU. "go test -tags long ./..." runs every test in full size; make
// test-all and CI do that. A test that needs more than a second of CPU has a short size,
// which covers the same code with fewer cases, or is skipped there:
//
//	for _, seed := range seeds[:longtest.Pick(3, len(seeds))] { … }
//	longtest.Only(t)
package longtest

import "testing"

// Pick returns the short size, or the long one in a long run.
func Pick[T any](short, long T) T {
	if Enabled {
		return long
	}
	return short
}

// Only skips a test unless the run is long.
func Only(t testing.TB) {
	t.Helper()
	if !Enabled {
		t.Skip("runs with -tags long (make test-all)")
	}
}
