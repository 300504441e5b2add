//go:build unix

package disk

import (
	"io/fs"
	"os"
	"syscall"
)

// ours reports whether the file belongs to this user, or to root, who has access anyway and owns
// many mounted volumes.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid() || st.Uid == 0
}

func chmodable(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid()
}
