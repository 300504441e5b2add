//go:build !linux

package crash_test

import "testing"

// watch sees no changes on this system: processes are killed at requests and at instants only.
func watch(testing.TB, string, func(int)) (stop func() int) { return func() int { return 0 } }
