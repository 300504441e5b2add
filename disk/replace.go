package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts what write produces in the place of the file at path: all of it or,
// after an error, nothing. It returns the size. Until the last step, a rename, the
// new file is at path + ".tmp"; one that a killed process left there is removed
// first, so one process at a time may replace a file, which the caller sees to.
//
// The one error that comes too late to undo is that of flushing the directory: the
// new file is there and whole, and a power cut may bring the old one back.
func Replace(fsys FS, path string, write func(io.Writer) error) (size int64, err error) {
	tmp := path + ".tmp"
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, Errorf(err, tmp, "remove %s", tmp)
	}
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, Errorf(err, tmp, "create %s", tmp)
	}
	open := true
	defer func() {
		if err == nil {
			return
		}
		if open {
			f.Close()
		}
		fsys.Remove(tmp) // what is left of a failure is not worth a second one
	}()
	if err := write(f); err != nil {
		return 0, Errorf(err, tmp, "write %s", tmp)
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, Errorf(err, tmp, "write %s", tmp)
	}
	if err := f.Sync(); err != nil {
		return 0, Errorf(err, tmp, "flush %s", tmp)
	}
	open = false
	if err := f.Close(); err != nil {
		return 0, Errorf(err, tmp, "close %s", tmp)
	}
	if err := fsys.Rename(tmp, path); err != nil {
		return 0, Errorf(err, path, "rename %s", tmp)
	}
	if err := fsys.SyncDir(filepath.Dir(path)); err != nil {
		return 0, Errorf(err, path, "flush the folder of %s", path)
	}
	return size, nil
}
