// Package syncfile opens sync files of all versions that connectors write: SQLite (version 1,
// package c1z) and Pebble (version 3, package c1z3).
package syncfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"baton"
	"baton/c1z"
	"baton/c1z/facts"
	"baton/console/c1z3"
)

// File is an open sync file. It is not safe for concurrent use.
type File struct {
	Version int // 1 or 3
	Syncs   []Sync
	name    string
	close   func() error
}

// Sync is one sync of a file, finished or not.
type Sync struct {
	c1z.SyncInfo
	facts.Rows
}

// Open opens the file at path; name is used in errors. It unpacks the file in scratch until Close.
// Errors are of kind NotFound (missing or empty), Corrupt, Unsupported (an unknown engine, or larger
// than the limits), Storage, or that of the context. It never changes the file.
func Open(ctx context.Context, path, name, scratch string) (*File, error) {
	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, baton.Errorf(baton.NotFound, "%s does not exist", name).WithFix("Check the path; a relative one begins in the folder in which the command runs.")
	}
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "open %s: %w", name, err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "open %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, baton.Errorf(baton.Invalid, "%s is not a regular file", name).WithFix("Name another file.")
	}
	version, err := versionOf(in, name)
	if err != nil {
		return nil, err
	}
	if version == 3 {
		f, err := c1z3.Open(in, info.Size(), name, scratch, c1z3.DefaultLimits)
		if err != nil {
			return nil, err
		}
		file := &File{Version: 3, name: name, close: f.Close}
		if info, ok := f.Sync(); ok {
			file.Syncs = []Sync{{info, f}}
		}
		return file, nil
	}
	f, err := c1z.Opener{TempDir: scratch}.OpenReaderAt(ctx, in, info.Size(), name)
	if err != nil {
		return nil, err
	}
	file := &File{Version: 1, name: name, close: f.Close}
	for _, s := range f.Syncs() {
		file.Syncs = append(file.Syncs, Sync{s.SyncInfo, s})
	}
	return file, nil
}

// versionOf returns 3 for a file that begins like one, and 1 otherwise, because the reader of
// version 1 describes what is wrong with a file.
func versionOf(in io.ReaderAt, name string) (int, error) {
	head := make([]byte, len(c1z3.Magic))
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, baton.Errorf(baton.Storage, "read %s: %w", name, err)
	}
	if string(head[:n]) == c1z3.Magic {
		return 3, nil
	}
	return 1, nil
}

// Close removes the unpacked files.
func (f *File) Close() error { return f.close() }

// Latest returns the full sync that ended last or, without one, the finished sync of another
// type that ended last. The error is of kind NotFound if no sync is finished.
func (f *File) Latest() (Sync, error) {
	s, ok := newest(f.Syncs, func(s Sync) bool { return s.Finished() && s.Type == c1z.Full })
	if !ok {
		s, ok = newest(f.Syncs, func(s Sync) bool { return s.Finished() })
	}
	if !ok {
		return Sync{}, baton.Errorf(baton.NotFound, "%s holds no finished sync", f.name).WithFix("Let the connector finish a sync first.")
	}
	return s, nil
}

// Any returns the finished sync of any type that ended last or, without one, the unfinished
// one that began last. The error is of kind NotFound if the file holds no sync.
func (f *File) Any() (Sync, error) {
	s, ok := newest(f.Syncs, func(s Sync) bool { return s.Finished() })
	if !ok {
		s, ok = newest(f.Syncs, func(Sync) bool { return true })
	}
	if !ok {
		return Sync{}, baton.Errorf(baton.NotFound, "%s holds no sync", f.name).WithFix("Let the connector sync first.")
	}
	return s, nil
}

// newest returns the matching sync that ended last, or began last if none has ended.
func newest(syncs []Sync, wanted func(Sync) bool) (Sync, bool) {
	found := slices.DeleteFunc(slices.Clone(syncs), func(s Sync) bool { return !wanted(s) })
	if len(found) == 0 {
		return Sync{}, false
	}
	return slices.MaxFunc(found, func(a, b Sync) int {
		return cmp.Or(a.Ended.Compare(b.Ended), a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	}), true
}

// WriteFacts writes the facts of the sync that [File.Any] returns.
func (f *File) WriteFacts(ctx context.Context, w io.Writer, scratch string) error {
	s, err := f.Any()
	if err != nil {
		return err
	}
	if err := facts.Write(ctx, w, s.SyncInfo, s.Rows, scratch); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}
