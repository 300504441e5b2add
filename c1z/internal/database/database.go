package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"zombiezen.com/go/sqlite"

	"baton"
	"baton/internal/disk"
)

// DB is an unpacked c1z file. It is not safe for concurrent use.
type DB struct {
	Name    string // of the file, for errors
	Conn    *sqlite.Conn
	Columns Columns
	Syncs   []Sync // in the order of their rows

	scratch *disk.Scratch
	plain   map[string]*PlainTable
	info    fs.FileInfo // of the file that was unpacked; nil if it was not a file
}

// OpenFile unpacks the file at path into dir. Errors are of kind NotFound (missing or
// empty), Invalid (not a regular file), Corrupt, Unsupported (another storage engine, or
// beyond the limits) or Storage.
func OpenFile(ctx context.Context, fsys disk.FS, path, dir string) (*DB, error) {
	in, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, baton.Errorf(baton.NotFound, "c1z: %s does not exist", path).
			WithFix("Sync first, or name another file.")
	}
	if err != nil {
		return nil, Storage("open", path, err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, Storage("read", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, baton.Errorf(baton.Invalid, "c1z: %s is not a regular file", path).WithFix("Name another file.")
	}
	d, err := Open(ctx, fsys, in, path, dir)
	if err != nil {
		return nil, err
	}
	d.info = info
	return d, nil
}

// Open unpacks the file that in reads. Errors contain the name.
func Open(ctx context.Context, fsys disk.FS, in io.Reader, name, dir string) (_ *DB, err error) {
	scratch, kinds, err := unpack(ctx, fsys, in, name, dir, defaultLimits)
	if e := ctx.Err(); e != nil && err != nil {
		err = fmt.Errorf("c1z: read %s: %w", name, e)
	}
	if err != nil {
		return nil, err
	}
	d := &DB{Name: name, scratch: scratch}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.Conn, err = openDatabase(scratch, kinds, dir, name); err != nil {
		return nil, err
	}
	if d.Columns, err = columnsOf(d.Conn, name); err != nil {
		return nil, err
	}
	scratch.Hide()
	if d.Syncs, err = syncsOf(d.Conn, name, d.Columns); err != nil {
		return nil, err
	}
	return d, nil
}

// Scratch returns the content of the database, and its size.
func (d *DB) Scratch() (in io.ReaderAt, size int64, err error) {
	info, err := d.scratch.Stat()
	if err != nil {
		return nil, 0, disk.Errorf(err, d.scratch.Name(), "read %s", d.scratch.Name())
	}
	return d.scratch, info.Size(), nil
}

// Hidden reports whether the scratch file has no name in its directory.
func (d *DB) Hidden() bool { return d.scratch.Hidden() }

// Is reports whether the file at path, with this info, is the file that was unpacked.
func (d *DB) Is(path string, info fs.FileInfo) bool {
	return d.Name == path && d.info != nil && os.SameFile(d.info, info) && d.info.Size() == info.Size() && d.info.ModTime().Equal(info.ModTime())
}

// Close removes the scratch file. It can be called more than once.
func (d *DB) Close() (err error) {
	if d.Conn != nil {
		err = classify("close "+d.Name, d.Conn.Close())
		d.Conn = nil
	}
	if d.scratch != nil {
		err = errors.Join(err, d.scratch.Close())
		d.scratch = nil
	}
	return err
}
