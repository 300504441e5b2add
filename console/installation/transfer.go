package installation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/sqlite"
	"baton/internal/disk"
)

// Backup writes everything except the keys to a new file: an SQLite database that [Restore] reads. An
// event, the last one in the file, says so. Others may work at the same time.
func (in *Installation) Backup(ctx context.Context, path string) (done store.Transferred, err error) {
	if _, err := os.Lstat(path); err == nil {
		return done, baton.Errorf(baton.AlreadyExists, "%s exists", path).WithFix("Name a new file.")
	}
	partial := path + ".partial"
	if err := removeDatabase(partial); err != nil {
		return done, err
	}
	defer func() {
		if e := removeDatabase(partial); err == nil {
			err = e
		}
	}()
	to, err := sqlite.Open(ctx, sqlite.Config{Path: partial, Now: in.Now(), Readers: 1}, nil)
	if err != nil {
		return done, baton.Errorf(baton.KindOf(err), "back up: %w", err).WithFix("Name a file in a folder that this user can write to, with enough space.")
	}
	// The event is written first: no copy of everything leaves without it.
	err = in.Store.Update(ctx, in.by(), func(t *store.Tx) error {
		t.Append(console.Event{Kind: "console.backed-up"})
		return nil
	})
	if err == nil {
		done, err = store.Transfer(ctx, in.Store, to, false)
	}
	if err := errors.Join(err, to.Close()); err != nil { // closing moves the write-ahead log into the file
		return done, err
	}
	if err := os.Rename(partial, path); err != nil {
		return done, baton.Errorf(baton.Storage, "back up: %w", err)
	}
	return done, nil
}

// removeDatabase removes an SQLite database, if it is there.
func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return baton.Errorf(baton.Storage, "%w", err).WithFix("Name a file in a folder that this user can write to, with enough space.")
		}
	}
	return nil
}

// Restored is the result of Restore.
type Restored struct {
	store.Transferred
	Lost  []store.LostSecret // must be entered again
	Erase []console.Erasure  // must be erased again
}

// Restore creates an installation from a backup, whose name is for messages. It begins a new epoch of the audit chain, and
// pauses writes, mail and webhooks. It removes and lists secrets that the keys of the installation
// cannot open.
//
// erased are erasures that may be newer than the backup; those that it undoes are listed.
func Restore(ctx context.Context, c Config, backup io.Reader, name string, erased []console.Erasure) (done Restored, err error) {
	if c.Database.IsZero() {
		if _, err := os.Stat(filepath.Join(c.Data, "console.db")); err == nil {
			return done, baton.Errorf(baton.AlreadyExists, "%s holds a console already", c.Data).WithFix("Name a new folder with --data.")
		}
	}
	c.Create = true
	in, err := open(ctx, c)
	if err != nil {
		return done, err
	}
	defer func() {
		if e := in.Close(); err == nil {
			err = e
		} else if c.Database.IsZero() { // a partial console must not remain
			err = errors.Join(err, removeDatabase(in.databasePath()))
		}
	}()
	if err := in.Lock(); err != nil {
		return done, err
	}
	scratch, remove, err := in.Scratch()
	if err != nil {
		return done, err
	}
	defer remove()
	from, err := openBackup(ctx, in, backup, name, scratch)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if done.Transferred, err = store.Transfer(ctx, from, in.Store, false); err != nil {
		return done, err
	}
	place, err := in.place(ctx)
	if err != nil {
		return done, err
	}
	return done, in.Store.Update(ctx, in.by(), func(t *store.Tx) error {
		if err := beginCopy(t, "restored from a backup that ended with event "+fmt.Sprint(done.Head.Number)); err != nil {
			return err
		}
		if done.Lost, err = t.ForgetLostSecrets(); err != nil {
			return err
		}
		if done.Erase, err = t.ToErase(erased); err != nil {
			return err
		}
		return t.SetSetting(instanceSetting, []byte(place))
	})
}

// openBackup opens a copy of a backup, because opening migrates the schema.
func openBackup(ctx context.Context, in *Installation, backup io.Reader, name, scratch string) (*store.Store, error) {
	path := filepath.Join(scratch, "backup.db")
	dst, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.Copy(dst, backup)
		err = errors.Join(err, dst.Close())
	}
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "copy the backup: %w", err)
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path, Now: in.Now(), Readers: 1}, nil)
	if err != nil {
		return nil, baton.Errorf(baton.KindOf(err), "%s is no backup that can be read: %w", name, err).WithFix("Name a backup that baton-console backup wrote, of this version or an older one.")
	}
	report, err := s.VerifyChain(ctx)
	if err == nil && len(report.Faults) > 0 {
		err = baton.Errorf(baton.Corrupt, "%s was altered: %s", name, report.Faults[0].Detail).WithFix("Use another backup.")
	}
	if err == nil && report.Head.Number == 0 {
		err = baton.Errorf(baton.Invalid, "%s holds no console", name).WithFix("Name a backup that baton-console backup wrote.")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// movedFile marks the data folder of a console that was moved to PostgreSQL.
const movedFile = "moved"

// Move copies an installation on SQLite to an empty PostgreSQL database, and marks the folder, so
// that nobody serves the old database by mistake. The keys stay in the folder.
func Move(ctx context.Context, c Config, database baton.Secret) (done store.Transferred, err error) {
	c.Database = baton.Secret{}
	in, err := Open(ctx, c)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := in.Lock(); err != nil {
		return done, err
	}
	if _, err := in.Identify(ctx); err != nil {
		return done, err
	}
	to := c
	to.Database = database
	target, err := open(ctx, to)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, target.Store.Close()) }()
	if done, err = store.Transfer(ctx, in.Store, target.Store, true); err != nil {
		return done, err
	}
	place, err := target.place(ctx)
	if err != nil {
		return done, err
	}
	err = target.Store.Update(ctx, in.by(), func(t *store.Tx) error {
		t.Append(console.Event{Kind: "console.moved"})
		return t.SetSetting(instanceSetting, []byte(place))
	})
	if err != nil {
		return done, err
	}
	_, err = disk.Replace(disk.OS{}, filepath.Join(in.Dir, movedFile), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "This console moved to a PostgreSQL database on %s. Start it with --database.\n", in.Now().UTC().Format("2006-01-02"))
		return err
	})
	return done, err
}

// checkMoved refuses the SQLite database of a console that was moved.
func (in *Installation) checkMoved() error {
	if _, err := os.Stat(filepath.Join(in.Dir, movedFile)); err == nil {
		return baton.Errorf(baton.Refused, "the console in %s moved to a PostgreSQL database", in.Dir).
			WithFix("Name that database with --database. To use the old one again, remove the file %s.", filepath.Join(in.Dir, movedFile))
	}
	return nil
}
