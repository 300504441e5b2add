// Package arch tests the structure of the repository: which package imports which, which
// files open connections, and that planted defects turn a test red.
package arch

import (
	"fmt"
	"os"
	"testing"
)

// TestMain changes to the root of the repository, because the tables name files from there.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
