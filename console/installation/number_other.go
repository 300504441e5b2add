//go:build !unix

package installation

import "io/fs"

// fileNumber returns "": files have no inode on this system.
func fileNumber(fs.FileInfo) string { return "" }
