// Package pagelog makes pages durable. It keeps one append-only file for each feed
// of a running sync, and guarantees one thing: what is read back is exactly what
// was appended before the last commit of that feed.
//
// # Layout
//
//	DIR/lock          held by the process that writes
//	DIR/header        what this sync is, opaque here; written once, atomically
//	DIR/FEED.pages    magic, then frames
//
//	frame   = length uint32 | crc32c uint32 | kind byte | payload
//	payload of kind 'r' = records, each: uvarint length | bytes
//	payload of kind 'c' = the feed's state after the page, opaque here
//
// Integers are little-endian; length counts the payload; the checksum covers kind
// and payload. A page is its 'r' frames and the 'c' frame that ends it. Whatever
// follows the last 'c' frame that can be reached through valid frames is a page
// that did not finish: it is cut off when the file is opened. Because the state is
// written with the rows, cutting off more than was needed is safe, too: the feed
// reads those pages again.
//
// A commit survives the death of the process at once, and of the machine after at
// most [syncEvery].
package pagelog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"baton"
)

// Log is the durable state of one running sync. Its feeds may be used from one
// goroutine each.
type Log struct {
	dir  string
	lock *os.File
}

const (
	lockName   = "lock"
	headerName = "header"
	pagesExt   = ".pages"
)

// Open takes possession of the directory, creating it if need be. It is Refused
// while another process has it.
func Open(dir string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, storage(err, "create %s", dir)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if errors.Is(err, errLocked) {
		return nil, baton.Errorf(baton.Refused, "another process is using %s", dir).
			WithFix("Wait for it to end, or write to another file.")
	}
	if err != nil {
		return nil, storage(err, "lock %s", dir)
	}
	return &Log{dir: dir, lock: lock}, nil
}

// Dir is the directory, where the owner may keep scratch files of its own.
func (l *Log) Dir() string { return l.dir }

// Header is what Begin wrote, or nil when no sync was begun.
func (l *Log) Header() ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(l.dir, headerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storage(err, "read the header in %s", l.dir)
	}
	return b, nil
}

// Begin forgets everything and starts a new sync with that header.
func (l *Log) Begin(header []byte) error {
	if err := l.clear(); err != nil {
		return err
	}
	tmp := filepath.Join(l.dir, headerName+".tmp")
	if err := writeSynced(tmp, header); err != nil {
		return storage(err, "write the header in %s", l.dir)
	}
	if err := os.Rename(tmp, filepath.Join(l.dir, headerName)); err != nil {
		return storage(err, "write the header in %s", l.dir)
	}
	return nil
}

// clear removes the header first, so that a crash in between leaves files that no
// header vouches for, and those are cleared by the next Begin.
func (l *Log) clear() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return storage(err, "read %s", l.dir)
	}
	names := []string{headerName}
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != headerName {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(l.dir, name)); err != nil {
			return storage(err, "clear %s", l.dir)
		}
	}
	return nil
}

// Close gives the directory up and leaves it for a later process.
func (l *Log) Close() error {
	if err := l.lock.Close(); err != nil {
		return storage(err, "release the lock")
	}
	return nil
}

// Remove gives the directory up and deletes it.
func (l *Log) Remove() error {
	err := l.clear()
	// Deleted while still held, so that another process sees a lock or no file;
	// Windows deletes no open file and gets a second try.
	path := filepath.Join(l.dir, lockName)
	removed := os.Remove(path)
	err = errors.Join(err, l.lock.Close())
	if removed != nil {
		err = errors.Join(err, os.Remove(path))
	}
	if err = errors.Join(err, os.Remove(l.dir)); err != nil {
		return storage(err, "remove %s", l.dir)
	}
	return nil
}

// lockFile opens and locks the file at path, making sure that the file it locked
// is still the one at path: the previous holder may have removed it meanwhile.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := tryLock(f); err != nil {
			f.Close()
			return nil, err
		}
		held, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, there) {
			return f, nil
		}
		f.Close()
		if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			return nil, err2
		}
	}
}

var feedName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// Feed opens the feed's file and recovers it to its last commit.
func (l *Log) Feed(name string) (*Feed, error) {
	if !feedName.MatchString(name) {
		return nil, baton.Errorf(baton.Internal, "pagelog: %q is not a feed name", name)
	}
	return openFeed(filepath.Join(l.dir, name+pagesExt))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func storage(err error, format string, args ...any) error {
	fix := "Check free space and permissions of that folder; what was read so far is kept."
	if errors.Is(err, fs.ErrPermission) {
		fix = "Write to a folder that this user may write to (--file), or correct its permissions."
	}
	what := strings.TrimSpace(fmt.Sprintf(format, args...))
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err // what names the file already
	}
	return baton.Errorf(baton.Storage, "page log: %s: %w", what, err).WithFix("%s", fix)
}
