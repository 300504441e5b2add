package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts what write produces in the place of the file at path: all of it or,
// after an error, nothing. It returns the size.
func Replace(fsys FS, path string, write func(io.Writer) error) (size int64, err error) {
	r, err := Begin(fsys, path)
	if err != nil {
		return 0, err
	}
	if err := write(r); err != nil {
		r.Abort()
		return 0, Errorf(err, r.Name(), "write %s", r.Name())
	}
	return r.Commit()
}

// Replacement is a file that is going to be in the place of another. It is ended by
// Commit or by Abort.
type Replacement struct {
	File
	fsys   FS
	path   string
	closed bool
	ended  bool
}

// Begin begins to replace the file at path. Until Commit, whose last step is a rename, the
// new file is at path + ".tmp"; one that a killed process left there is removed
// first, so one process at a time may replace a file, which the caller sees to.
func Begin(fsys FS, path string) (*Replacement, error) {
	tmp := path + ".tmp"
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, Errorf(err, tmp, "remove %s", tmp)
	}
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, Errorf(err, tmp, "create %s", tmp)
	}
	return &Replacement{File: f, fsys: fsys, path: path}, nil
}

// Abort leaves the file at path as it is. It does nothing after Commit.
func (r *Replacement) Abort() {
	if r.ended {
		return
	}
	r.ended = true
	if !r.closed {
		r.Close()
	}
	r.fsys.Remove(r.Name()) // what is left of a failure is not worth a second one
}

// Commit puts the file in its place and returns its size; after an error it is aborted.
//
// The one error that comes too late to undo is that of flushing the directory: the
// new file is there and whole, and a power cut may bring the old one back.
func (r *Replacement) Commit() (size int64, err error) {
	defer r.Abort()
	tmp := r.Name()
	if size, err = r.Seek(0, io.SeekEnd); err != nil {
		return 0, Errorf(err, tmp, "write %s", tmp)
	}
	if err := r.Sync(); err != nil {
		return 0, Errorf(err, tmp, "flush %s", tmp)
	}
	r.closed = true
	if err := r.Close(); err != nil {
		return 0, Errorf(err, tmp, "close %s", tmp)
	}
	if err := r.fsys.Rename(tmp, r.path); err != nil {
		return 0, Errorf(err, r.path, "rename %s", tmp)
	}
	r.ended = true
	if err := r.fsys.SyncDir(filepath.Dir(r.path)); err != nil {
		return 0, Errorf(err, r.path, "flush the folder of %s", r.path)
	}
	return size, nil
}
