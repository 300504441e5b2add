//go:build race

package process_test

// shadow is how much memory a process takes for each byte of its own: the race detector
// keeps account of every word.
const shadow = 4
