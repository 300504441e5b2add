//go:build !race

package process_test

const shadow = 1
