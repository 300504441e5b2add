package sqlitefile_test

import (
	"os"

	"baton/extsort"
)

// pool sorts in so many bytes, and beyond them in a file in dir.
func pool(dir string, memory int) *extsort.Pool {
	return extsort.NewPool(memory, func() (extsort.File, error) {
		f, err := os.CreateTemp(dir, ".sort-*")
		if err != nil {
			return nil, err // and no File that is not nil
		}
		return f, os.Remove(f.Name())
	})
}
