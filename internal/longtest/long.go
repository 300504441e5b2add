//go:build long

package longtest

// Enabled reports whether the run is long.
const Enabled = true
