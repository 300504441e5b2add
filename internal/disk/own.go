package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"baton"
)

// OwnDir makes a directory that only this user can enter, or checks an existing one. In a folder
// that others can write to, such as /tmp, an existing directory may belong to another user, or be
// a link; that user could read and replace the files in it. The parent folder must exist:
// otherwise a typing error in a path would start with an empty state.
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
		return nil // fsys is not the file system of the operating system
	case err != nil:
		return Errorf(err, dir, "check %s", dir)
	case !info.IsDir():
		return foreign("%s is no folder but a link or a file", dir)
	case !ours(info):
		return foreign("%s belongs to another user of this machine", dir)
	case info.Mode().Perm()&0o077 == 0 || !chmodable(info):
		return nil
	}
	return Errorf(os.Chmod(dir, 0o700), dir, "restrict %s to this user", dir)
}

// Planted reports whether another user of the machine owns the file, in a folder that everybody
// can write to.
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
