//go:build !unix

package installation

import "io/fs"

// fileNumber returns nothing: files have no number here.
func fileNumber(fs.FileInfo) string { return "" }
