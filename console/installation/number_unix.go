//go:build unix

package installation

import (
	"fmt"
	"io/fs"
	"syscall"
)

// fileNumber returns the inode of a file. It does not include the device number, which may change
// with a restart.
func fileNumber(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(s.Ino)
	}
	return ""
}
