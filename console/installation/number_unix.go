//go:build unix

package installation

import (
	"fmt"
	"io/fs"
	"syscall"
)

// fileNumber returns the number of a file in its file system. The number of the file system
// is no part of it: it may change when the machine starts again.
func fileNumber(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(s.Ino)
	}
	return ""
}
