package disk

import (
	"errors"
	"io/fs"
	"os"
)

// ErrLocked is what Acquire fails with while another process has the lock.
var ErrLocked = errors.New("locked by another process")

// Lock is a lock that is held. The system releases it when the process ends, however
// it ends; a file that stays behind locks nobody out.
type Lock struct {
	file File
	fsys FS
}

// Acquire takes the lock that is the file at path. It fails with ErrLocked at once
// when another has it.
func Acquire(fsys FS, path string) (*Lock, error) {
	for {
		f, err := fsys.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := tryLock(f); err != nil {
			f.Close()
			return nil, err
		}
		// The holder before may have removed the file that was just locked.
		held, err1 := f.Stat()
		there, err2 := fsys.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, there) {
			return &Lock{f, fsys}, nil
		}
		f.Close()
		if err := errors.Join(err1, err2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// Release gives the lock up and leaves its file.
func (l *Lock) Release() error { return l.file.Close() }

// Remove gives the lock up and removes its file: while it is still held, so that
// another process sees a lock or no file. Windows removes no open file and gets a
// second try. There is nothing to do for no lock.
func (l *Lock) Remove() error {
	if l == nil {
		return nil
	}
	removed := l.fsys.Remove(l.file.Name())
	err := l.file.Close()
	if removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		if e := l.fsys.Remove(l.file.Name()); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
