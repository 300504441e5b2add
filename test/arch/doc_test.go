// Package arch tests the structure of the repository: the imports of each package, the files that open
// connections, the words in use, and that planted defects make a test fail.
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
