//go:build race

package process_test

// shadow is the memory that a process takes per byte of its own under the race detector, which tracks every
// word.
const shadow = 4
