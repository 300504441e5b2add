package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"baton"
)

// OwnDir makes a directory that only this user can enter, or checks the one that is
// there. In a folder that others can write to, such as /tmp, it might be theirs, or a link
// to somewhere else: they could read what is put there, and replace it. The folder that
// the directory goes into must exist: a path with a slip in it would otherwise begin a new
// state beside the old one.
func OwnDir(fsys FS, dir string) error {
	err := Of(fsys).Mkdir(dir, 0o700)
	switch parent := filepath.Dir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return baton.Errorf(baton.Storage, "the folder %s does not exist", parent).
			WithFix("Create it, or use another place (--file, --c1z-temp-dir).")
	case err != nil && !errors.Is(err, fs.ErrExist):
		return Errorf(err, dir, "create %s", dir)
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // of a file system that is not the system's
	case err != nil:
		return Errorf(err, dir, "look at %s", dir)
	case !info.IsDir():
		return foreign("%s is no folder but a link or a file", dir)
	case !ours(info):
		return foreign("%s belongs to another user of this machine", dir)
	case info.Mode().Perm()&0o077 == 0 || !chmodable(info):
		return nil
	}
	return Errorf(os.Chmod(dir, 0o700), dir, "close %s to others", dir)
}

// Planted reports whether a file was put there by another user of the machine, in a
// folder that everybody can write to.
func Planted(path string) bool {
	info, err := os.Stat(path)
	if err != nil || ours(info) {
		return false
	}
	dir, err := os.Stat(filepath.Dir(path))
	return err == nil && dir.Mode().Perm()&0o002 != 0
}

func foreign(format, dir string) error {
	return baton.Errorf(baton.Storage, format+", and is not used", dir).
		WithFix("Remove it, or use another place (--file, --c1z-temp-dir).")
}
