// Package installation opens one installation of the console: its data folder, its keys and its
// database.
//
//	console.db the SQLite database, unless a PostgreSQL database is configured
//	keys the keys that seal secrets, see [readKeys]
//	instance identifies the database of the folder, to detect copies
//	serve.lock held by the process that serves the SQLite database
//	moved marks a console that was moved to a PostgreSQL database
//	scratch temporary files
//	tls the self-signed certificate and its authority
package installation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/sqlite"
	"baton/internal/disk"
)

// Config defines which installation to open.
type Config struct {
	Data     string       // folder
	Database baton.Secret // postgres://…; zero: SQLite in the data folder
	Keys     string       // file; default: in the data folder
	Now      func() time.Time
	Create   bool // create missing files; otherwise NotFound
}

// Installation is an open installation.
type Installation struct {
	Store *store.Store
	Dir   string // the data folder
	Now   func() time.Time

	keys string
	lock *disk.Lock
}

// Open opens an installation, and checks that its keys open its secrets.
func Open(ctx context.Context, c Config) (*Installation, error) {
	in, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := in.Store.ProveKeys(ctx, in.by()); err != nil {
		in.Store.Close()
		return nil, err
	}
	return in, nil
}

// open opens an installation without reading its database.
func open(ctx context.Context, c Config) (*Installation, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	in := &Installation{Dir: c.Data, Now: c.Now, keys: c.Keys}
	if in.keys == "" {
		in.keys = filepath.Join(c.Data, "keys")
	}
	if c.Database.IsZero() && !c.Create {
		info, err := os.Stat(in.databasePath())
		if err == nil && info.Size() == 0 {
			return nil, baton.Errorf(baton.Corrupt, "%s is empty", in.databasePath()).WithFix("Restore a backup into a new folder.")
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, baton.Errorf(baton.NotFound, "there is no console in %s", c.Data).WithFix("Name its folder with --data, or its database with --database.")
		}
	}
	if err := makeDir(c.Data); err != nil {
		return nil, err
	}
	if c.Database.IsZero() {
		if err := in.checkMoved(); err != nil {
			return nil, err
		}
	}
	keys, err := in.openKeys(c.Create)
	if err != nil {
		return nil, err
	}
	in.Store, err = openStore(ctx, c.Database, in.databasePath(), keys, c.Now())
	return in, err
}

func openStore(ctx context.Context, database baton.Secret, path string, keys *store.Keyring, now time.Time) (*store.Store, error) {
	if database.IsZero() {
		s, err := sqlite.Open(ctx, sqlite.Config{Path: path, Now: now}, keys)
		if baton.KindOf(err) == baton.Storage && baton.FixOf(err) == "" {
			err = baton.Errorf(baton.Storage, "%w", err).WithFix("Let this user read and write %s and its folder, and see that the disk has space.", path)
		}
		return s, err
	}
	s, err := postgres.Open(ctx, postgres.Config{URL: database, Now: now}, keys)
	if baton.KindOf(err) == baton.Unavailable && baton.FixOf(err) == "" {
		err = baton.Errorf(baton.Unavailable, "%w", err).WithFix("Check that the database of --database runs and can be reached from here.")
	}
	return s, err
}

func (in *Installation) databasePath() string { return filepath.Join(in.Dir, "console.db") }

func (in *Installation) by() console.By { return console.By{At: in.Now(), Actor: console.Console} }

// Close closes the database and releases the lock.
func (in *Installation) Close() error {
	err := in.Store.Close()
	if in.lock != nil { // removed before it is released
		err = errors.Join(err, in.lock.Remove())
	}
	return err
}

// Lock makes this process the only one that serves or makes large changes on the SQLite database.
// Refused while another process holds the lock. With PostgreSQL it does nothing: replicas share the
// work.
func (in *Installation) Lock() error {
	if in.Store.Database() != "sqlite" {
		return nil
	}
	lock, err := acquire(in.Dir)
	in.lock = lock
	return err
}

func acquire(dir string) (*disk.Lock, error) {
	path := filepath.Join(dir, "serve.lock")
	lock, err := disk.Acquire(disk.OS{}, path)
	if errors.Is(err, disk.ErrLocked) {
		return nil, baton.Errorf(baton.Refused, "another process of the console works in %s", dir).
			WithFix("Stop it, or name another folder with --data. Several processes need --database.")
	}
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "lock %s: %w", path, err)
	}
	return lock, nil
}

// Scratch returns an empty folder for temporary files and a function that removes it. The process
// with the lock removes the folders of killed processes.
func (in *Installation) Scratch() (dir string, remove func(), err error) {
	parent := filepath.Join(in.Dir, "scratch")
	if in.lock != nil {
		if err := os.RemoveAll(parent); err != nil {
			return "", nil, baton.Errorf(baton.Storage, "remove old temporary files: %w", err)
		}
	}
	if err := makeDir(parent); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(parent, ""); err != nil {
		return "", nil, baton.Errorf(baton.Storage, "make a temporary folder: %w", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// makeDir creates a folder that only this user can read, if it does not exist. Its parent must
// exist.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		info, e := os.Stat(dir)
		if e == nil && !info.IsDir() {
			return baton.Errorf(baton.Invalid, "%s is a file and no folder", dir).WithFix("Name another folder with --data.")
		}
		err = e
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return baton.Errorf(baton.NotFound, "%s cannot be made: its parent folder does not exist", dir).WithFix("Make the parent folder, or name another one with --data.")
	case err != nil:
		return baton.Errorf(baton.Storage, "make the folder %s: %w", dir, err).WithFix("Let this user write there, or name another folder with --data.")
	}
	return nil
}
