//go:build unix

package disk

import (
	"io/fs"
	"os"
	"syscall"
)

// ours reports whether the file is this user's, or the administrator's, who can do
// anything anyway: volumes are often mounted as theirs.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid() || st.Uid == 0
}

func chmodable(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid()
}
