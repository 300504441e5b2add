package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"baton"
)

// Errorf classifies an error of the file system as baton.Storage, with a fix. The text names the
// operation and the file or directory at path; the cause follows. An error that is already
// classified is returned unchanged.
func Errorf(err error, path, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var classified *baton.Error
	if errors.As(err, &classified) {
		return err
	}
	return baton.Errorf(baton.Storage, "%s: %w", fmt.Sprintf(format, args...), plain(err)).WithFix("%s", fix(err, path))
}

// plain returns the error without the path, which the text contains already.
func plain(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	var between *os.LinkError
	if errors.As(err, &between) {
		return between.Err
	}
	return err
}

// fix returns the advice for an error. It depends on the error code, never on the text.
func fix(err error, path string) string {
	dir := filepath.Dir(path)
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case is(full...):
		return fmt.Sprintf("Free some space on the disk of %s, or put the file (--file) or the scratch files (--c1z-temp-dir) on another one.", dir)
	case is(overQuota...):
		return fmt.Sprintf("This user's quota on the disk of %s is used up: free some space, or have it raised.", dir)
	case is(tooBig...):
		return "A limit on the size of a file is in the way: raise it (ulimit -f), or use a disk that takes larger ones."
	case is(readOnly...):
		return fmt.Sprintf("The disk of %s is mounted read-only: use another place (--file, --c1z-temp-dir), or mount it for writing.", dir)
	case is(fs.ErrPermission):
		return fmt.Sprintf("Make %s writable for this user, or use another place (--file, --c1z-temp-dir).", dir)
	case is(syscall.ENOTDIR):
		return fmt.Sprintf("A part of %s is a file and no folder: use another place (--file, --c1z-temp-dir).", dir)
	case is(fs.ErrNotExist):
		return fmt.Sprintf("Create the folder %s first, and let nothing remove it meanwhile.", dir)
	case is(tooMany...):
		return "Too many files are open: raise the limit (ulimit -n), or end what else is running."
	case is(inUse...):
		return "Another program has the file open: end it, and run again."
	case is(failing...):
		return fmt.Sprintf("The disk of %s is failing: look at the system's log, and use another one.", dir)
	}
	return fmt.Sprintf("Check the disk of %s, or use another place (--file, --c1z-temp-dir).", dir)
}
