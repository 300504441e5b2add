package disk

import (
	"errors"
	"io/fs"
	"os"
)

// ErrLocked reports that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock is a lock that this process holds. The system releases it when the process ends, however it
// ends. A file that is left over is not a lock.
type Lock struct {
	file File
	fsys FS
}

// Acquire locks the file at path. It fails with ErrLocked at once if another process holds the lock.
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
		// The previous holder may have removed the file that was just locked.
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

// Release releases the lock and leaves its file.
func (l *Lock) Release() error { return l.file.Close() }

// Remove removes the file and releases the lock, in this order, so that another process finds
// either a lock or no file. Windows cannot remove open files: there, it tries again after the
// release. Remove of a nil Lock does nothing.
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
