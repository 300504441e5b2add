package c1z

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"baton"
	"baton/c1z/internal/database"
	"baton/internal/disk"
)

// Types of syncs.
const (
	Full             = "full"              // everything
	Partial          = "partial"           // some resources, by name
	ResourcesOnly    = "resources_only"    // no entitlements and no grants
	PartialUpserts   = "partial_upserts"   // what was added or changed since another sync
	PartialDeletions = "partial_deletions" // what was deleted since another sync
)

// ErrNoSync reports a file without a finished sync.
var ErrNoSync = errors.New("no finished sync")

// EngineError reports a file of a storage engine other than SQLite, such as Pebble. Errors that
// wrap it are of kind [baton.Unsupported].
type EngineError struct {
	Version int    // of the container: 3
	Engine  string // the name in the file, such as "pebble3"; empty if that cannot be read
}

func (e *EngineError) Error() string { return (*database.EngineError)(e).Error() }

// Opener holds the options of opening a file. The zero Opener is ready for use.
type Opener struct {
	// TempDir is the directory for the unpacked database, which takes about ten times the
	// size of the file until Close. Empty is [os.TempDir].
	TempDir string
	// Disk is the file system. Nil is that of the operating system. Only tests of this module
	// use another one.
	Disk disk.FS
}

// File is an open c1z file. It is not safe for concurrent use, but iterators may be nested.
type File struct {
	db    *database.DB
	syncs []*Sync
}

// Open opens the file at path. Errors are of kind NotFound (missing or empty), Invalid (not
// a regular file), Corrupt (cut short, damaged, or not a c1z), Unsupported (see
// [EngineError]; or beyond the limits, which are 10 GiB unpacked and a zstd window of 128
// MiB), Storage, or that of the context.
func Open(ctx context.Context, path string) (*File, error) { return Opener{}.Open(ctx, path) }

// Open opens the file at path, as the function [Open] does.
func (o Opener) Open(ctx context.Context, path string) (*File, error) {
	return newFile(database.OpenFile(ctx, disk.Of(o.Disk), path, o.dir()))
}

// OpenReaderAt opens a file with that size, in bytes. Errors are those of [Open] and contain the
// name.
func (o Opener) OpenReaderAt(ctx context.Context, in io.ReaderAt, size int64, name string) (*File, error) {
	return newFile(database.Open(ctx, disk.Of(o.Disk), io.NewSectionReader(in, 0, size), name, o.dir()))
}

func (o Opener) dir() string {
	if o.TempDir == "" {
		return os.TempDir()
	}
	return o.TempDir
}

func newFile(db *database.DB, err error) (*File, error) {
	var engine *database.EngineError
	if errors.As(err, &engine) {
		return nil, baton.Errorf(baton.KindOf(err), "%w", &engineError{err, (*EngineError)(engine)}).WithFix("%s", baton.FixOf(err))
	}
	if err != nil {
		return nil, err
	}
	f := &File{db: db}
	for _, s := range db.Syncs {
		f.syncs = append(f.syncs, &Sync{SyncInfo: SyncInfo(s), file: f})
	}
	return f, nil
}

// engineError is an error with an EngineError in its chain.
type engineError struct {
	error
	engine *EngineError
}

func (e *engineError) Unwrap() error { return e.engine }

// Close removes the unpacked database.
func (f *File) Close() error { return f.db.Close() }

// Syncs lists the syncs in the file in the order of their rows, unfinished ones included.
func (f *File) Syncs() []*Sync { return slices.Clone(f.syncs) }

// Latest returns the full sync that ended last or, if there is none, the sync of any other type
// that ended last. If no sync is finished, the error is [ErrNoSync], of kind NotFound.
func (f *File) Latest() (*Sync, error) {
	if s := newest(f.syncs, (*Sync).isFull); s != nil {
		return s, nil
	}
	if s := newest(f.syncs, (*Sync).Finished); s != nil {
		return s, nil
	}
	return nil, baton.Errorf(baton.NotFound, "c1z: %s holds %w", f.db.Name, ErrNoSync).WithFix("Sync first.")
}

// Sync returns the sync with that id, finished or not. If there is none, the error is of kind
// NotFound.
func (f *File) Sync(id string) (*Sync, error) {
	for _, s := range f.syncs {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, baton.Errorf(baton.NotFound, "c1z: there is no sync %q in %s", id, f.db.Name).
		WithFix("Use the id of a sync in the file.")
}

// SyncInfo describes a sync.
type SyncInfo struct {
	ID       string // a KSUID
	Type     string // Full, Partial, …, or a type that this program does not know
	ParentID string // for a partial sync, the previous full sync
	Started  time.Time
	Ended    time.Time // zero if the sync is not finished
}

// Finished reports whether the sync is finished.
func (s SyncInfo) Finished() bool { return !s.Ended.IsZero() }

// Sync is a sync of an open file. It can be used until the file is closed.
type Sync struct {
	SyncInfo
	file *File
}

// File returns the file of the sync.
func (s *Sync) File() *File { return s.file }

func (s *Sync) isFull() bool { return s.Finished() && s.Type == Full }

// Finished reports whether the sync is finished.
func (s *Sync) Finished() bool { return s.SyncInfo.Finished() }

// Previous returns the last finished full sync that ended before this one; nil if the file has
// none.
func (s *Sync) Previous() *Sync {
	return newest(s.file.syncs, func(other *Sync) bool { return other != s && other.isFull() && s.isAfter(other) })
}

// isAfter reports whether the sync ended after another one. If both ended at the same time, the
// ids decide, as in the official programs.
func (s *Sync) isAfter(other *Sync) bool {
	order := s.Ended.Compare(other.Ended)
	return order > 0 || order == 0 && s.ID > other.ID
}

// newest returns the wanted sync that ended last; nil if there is none.
func newest(syncs []*Sync, wanted func(*Sync) bool) (last *Sync) {
	for _, s := range syncs {
		if wanted(s) && (last == nil || s.isAfter(last)) {
			last = s
		}
	}
	return last
}
