// Package pagelog makes pages durable. It keeps one append-only file for each feed of a
// running sync. Reading returns exactly the records that were appended before the last
// commit of the feed.
//
// # Layout
//
//	DIR/lock          locked by the process that writes
//	DIR/header        describes the sync, opaque here; written once, atomically
//	DIR/FEED.pages    magic, then frames
//
//	frame   = length uint32 | crc32c uint32 | kind byte | payload
//	payload of kind 'r' = records, each: uvarint length | bytes
//	payload of kind 'c' = the feed's state after the page, opaque here
//
// Integers are little-endian; length counts the payload; the checksum covers kind
// and payload. A page is its 'r' frames and the 'c' frame that ends it. Everything after
// the last 'c' frame that can be reached through valid frames is an unfinished page and
// is removed when the file is opened. Because the state is written with the rows, removing
// more is safe as well: the feed reads those pages again.
//
// A commit survives the end of the process at once, and a power cut after at most
// [syncEvery].
package pagelog

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"

	"baton"
	"baton/internal/disk"
)

// Log is the durable state of one running sync. Its feeds may be used from one
// goroutine each.
type Log struct {
	dir  string
	fsys disk.FS
	lock *disk.Lock
}

const (
	lockName   = "lock"
	headerName = "header"
	pagesExt   = ".pages"
)

// Open locks the directory and creates it if necessary. It fails with Refused while another
// process has the lock.
func Open(fsys disk.FS, dir string) (*Log, error) {
	if err := disk.OwnDir(fsys, dir); err != nil {
		return nil, storage(err, dir, "create %s", dir)
	}
	path := filepath.Join(dir, lockName)
	lock, err := disk.Acquire(fsys, path)
	if errors.Is(err, disk.ErrLocked) {
		return nil, baton.Errorf(baton.Refused, "another process is using %s", dir).
			WithFix("Wait for it to end, or write to another file.")
	}
	if err != nil {
		return nil, storage(err, path, "lock %s", dir)
	}
	return &Log{dir: dir, fsys: fsys, lock: lock}, nil
}

// Dir returns the directory, in which the caller may keep scratch files.
func (l *Log) Dir() string { return l.dir }

// Header returns the header of the sync, or nil if there is no sync.
func (l *Log) Header() ([]byte, error) {
	path := filepath.Join(l.dir, headerName)
	b, err := disk.ReadFile(l.fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storage(err, path, "read the header in %s", l.dir)
	}
	return b, nil
}

// Begin removes everything and starts a new sync with a header. The names of old pages are
// durably removed before, so that a power cut cannot leave them with the new header.
func (l *Log) Begin(header []byte) error {
	if err := l.clear(); err != nil {
		return err
	}
	if err := l.fsys.SyncDir(l.dir); err != nil {
		return storage(err, filepath.Join(l.dir, headerName), "clear %s", l.dir)
	}
	_, err := disk.Replace(l.fsys, filepath.Join(l.dir, headerName), func(w io.Writer) error {
		_, err := w.Write(header)
		return err
	})
	return err
}

// clear removes the header first. After a crash, the next Begin removes files without a
// header.
func (l *Log) clear() error {
	entries, err := l.fsys.ReadDir(l.dir)
	if err != nil {
		return storage(err, filepath.Join(l.dir, headerName), "read %s", l.dir)
	}
	names := []string{headerName}
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != headerName {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		path := filepath.Join(l.dir, name)
		if err := l.fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return storage(err, path, "clear %s", l.dir)
		}
	}
	return nil
}

// Close unlocks the directory and keeps it for a later process.
func (l *Log) Close() error {
	return storage(l.lock.Release(), filepath.Join(l.dir, lockName), "release the lock of %s", l.dir)
}

// Remove unlocks the directory and deletes it.
func (l *Log) Remove() error {
	err := l.clear()
	if e := l.lock.Remove(); err == nil {
		err = e
	}
	if err == nil {
		err = l.fsys.Remove(l.dir)
	}
	return storage(err, l.dir, "remove %s", l.dir)
}

var feedName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// Feed opens the file of a feed and recovers it to its last commit.
func (l *Log) Feed(name string) (*Feed, error) {
	if !feedName.MatchString(name) {
		return nil, baton.Errorf(baton.Internal, "pagelog: %q is not a feed name", name)
	}
	return openFeed(l.fsys, filepath.Join(l.dir, name+pagesExt))
}

func storage(err error, path, format string, args ...any) error {
	return disk.Errorf(err, path, "page log: "+format, args...)
}
