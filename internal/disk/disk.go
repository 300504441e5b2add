// Package disk is how this project writes files: through a narrow view of the file
// system that a test can hand in another one for, and in three shapes.
//
//   - [Replace] puts a whole file in the place of another, or nothing.
//   - [Scratch] is a file that nobody else sees and that does not outlive its owner.
//   - [Acquire] is a lock that ends with its process.
//
// What is left, an open [File], is flushed by whoever relies on it: nothing that was
// written is taken for durable before Sync, and no name before SyncDir.
//
// Every error that leaves a room for a person is made by [Errorf], which knows what
// the system means and what to do about it.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// FS is the part of a file system that this project needs. [OS] is the real one.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Mkdir(name string, perm fs.FileMode) error // an error that is fs.ErrExist when there is something
	Rename(from, to string) error
	Remove(name string) error // an error that is fs.ErrNotExist when there is nothing
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
	Fd() uintptr // to lock it by
}

// OS is the file system of the system.
type OS struct{}

// Of is the file system that was handed in, or the system's where none was.
func Of(fsys FS) FS {
	if fsys == nil {
		return OS{}
	}
	return fsys
}

// OpenFile is os.OpenFile.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // and no File that is not nil
	}
	return f, nil
}

// Stat is os.Stat.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// ReadDir is os.ReadDir.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Mkdir is os.Mkdir.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// Rename is os.Rename.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove is os.Remove.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir flushes a directory.
func (OS) SyncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened there, and renames are logged
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // some file systems cannot, and none of those could do better
	}
	return errors.Join(err, d.Close())
}

// ReadFile is the content of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
