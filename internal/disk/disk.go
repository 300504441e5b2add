// Package disk writes files, through an interface to the file system ([FS]) that tests replace.
//
//   - [Replace] replaces a file atomically.
//   - [NewScratch] makes a private file that is removed with its owner.
//   - [Acquire] takes a lock that ends with the process.
//
// For other files, the caller flushes what it relies on: data is durable after Sync, and a name
// after SyncDir.
//
// [Errorf] turns errors of the file system into errors for users, with a fix.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// FS is the part of a file system that this module uses. [OS] is the real one.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Mkdir(name string, perm fs.FileMode) error // fs.ErrExist if the name exists
	Rename(from, to string) error
	Remove(name string) error // fs.ErrNotExist if it does not exist
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
	Fd() uintptr // for locks
}

// OS is the file system of the operating system.
type OS struct{}

// Of returns fsys, or OS if fsys is nil.
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
		return nil, err // not a File that holds a nil *os.File
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
		return nil // directories cannot be opened there, and the file system logs renames
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // this file system cannot flush directories
	}
	return errors.Join(err, d.Close())
}

// ReadFile returns the content of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
