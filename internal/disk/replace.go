package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace replaces the file at path by what write writes, and returns the size. After an error the
// file is unchanged.
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

// Replacement is a new file that replaces another one. Commit or Abort ends it.
type Replacement struct {
	File
	fsys   FS
	path   string
	closed bool
	ended  bool
}

// Begin begins to replace the file at path. Until Commit, which renames it, the new file is at path
// + ".tmp". Begin removes one that a killed process left there. The caller must make sure that
// only one process at a time replaces a file.
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

// Abort removes the new file. It does nothing after Commit.
func (r *Replacement) Abort() {
	if r.ended {
		return
	}
	r.ended = true
	if !r.closed {
		r.Close()
	}
	r.fsys.Remove(r.Name()) // Begin removes what is left over
}

// Commit renames the new file to its path and returns its size. After an error the file at path is
// unchanged, unless flushing the directory has failed: then the new file is in place, and a power
// cut may bring the old one back.
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
