//go:build unix

package disk_test

import (
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/internal/disk"
)

// TestEveryErrno: each error code becomes a Storage error with the right advice.
func TestEveryErrno(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC:       "Free some space",
		syscall.EDQUOT:       "quota",
		syscall.EFBIG:        "limit on the size of a file",
		syscall.EROFS:        "read-only",
		syscall.EACCES:       "writable for this user",
		syscall.EPERM:        "writable for this user",
		syscall.ENOENT:       "Create the folder /of first",
		syscall.ENOTDIR:      "is a file and no folder",
		syscall.EMFILE:       "Too many files are open",
		syscall.ENFILE:       "Too many files are open",
		syscall.EBUSY:        "Another program has the file open",
		syscall.EIO:          "is failing",
		syscall.ESTALE:       "is failing",
		syscall.ENXIO:        "is failing",
		syscall.ENODEV:       "is failing",
		syscall.EXDEV:        "Check the disk",
		syscall.ENAMETOOLONG: "Check the disk",
		syscall.ENOLCK:       "Check the disk",
	} {
		err := disk.Errorf(&fs.PathError{Op: "write", Path: "/of/file", Err: errno}, "/of/file", "write %s", "/of/file")
		if got, text := err.Error(), "write /of/file: "+errno.Error(); got != text || baton.KindOf(err) != baton.Storage {
			t.Errorf("%d became %q, a %v error", errno, got, baton.KindOf(err))
		}
		if fix := baton.FixOf(err); !strings.Contains(fix, want) {
			t.Errorf("%v is fixed by %q, not by %q", errno, fix, want)
		}
	}
}
