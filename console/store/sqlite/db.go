package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"baton"
	"baton/console/store/internal/engine"
)

// Config defines which database to open.
type Config struct {
	Path    string    // main file; "-wal" and "-shm" are beside it
	Readers int       // number of connections for readers; 0: 4
	Now     time.Time // stored with the migrations that are applied
	// NoFlush makes commits return before they are on the disk: they survive the death of the
	// process, but not of the machine. For tests.
	NoFlush bool
}

// DB is an SQLite database with one connection for writing and several for reading.
type DB struct {
	path     string
	writer   *sqlite.Conn
	turn     chan struct{} // holds a token while nobody writes; waiters are served in order
	readers  chan *sqlite.Conn
	opened   int // number of readers
	watchers engine.Watchers
	close    sync.Once
	closed   chan struct{}
}

var _ engine.DB = (*DB)(nil)

// busyTimeout is how long a transaction waits for another process that writes, for example a backup.
const busyTimeout = 10 * time.Second

// pragmas configure a connection. With synchronous=FULL, a commit is on the disk when it returns.
// The log file is truncated after bulk work.
var pragmas = []string{
	"PRAGMA page_size = 8192", // of a new file; syncs need less work than with 4096
	"PRAGMA journal_mode = WAL",
	"PRAGMA synchronous = FULL",
	"PRAGMA foreign_keys = ON",
	"PRAGMA temp_store = MEMORY",
	"PRAGMA journal_size_limit = 67108864",
}

// applicationID marks the files of this store ("bcon").
const applicationID = 0x62636f6e

// OpenDB opens a database, creates it if it does not exist, and brings its schema up to
// date.
func OpenDB(ctx context.Context, c Config) (*DB, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	return openDB(ctx, c, all)
}

func openDB(ctx context.Context, c Config, all []engine.Migration) (*DB, error) {
	if c.Readers == 0 {
		c.Readers = 4
	}
	// Created before SQLite does it, so that nobody else can read it.
	f, err := os.OpenFile(c.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "store: open %s: %w", c.Path, err)
	}
	f.Close()
	db := &DB{path: c.Path, turn: make(chan struct{}, 1), readers: make(chan *sqlite.Conn, c.Readers), closed: make(chan struct{})}
	if err := db.open(ctx, c, all); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, c Config, all []engine.Migration) error {
	var err error
	if db.writer, err = openConn(c, sqlite.OpenReadWrite, 16<<10); err != nil {
		return err
	}
	db.turn <- struct{}{}
	if err := db.mark(); err != nil {
		return err
	}
	if err := engine.Migrate(ctx, db, all, c.Now, migrationTable, script); err != nil {
		return err
	}
	for range c.Readers {
		conn, err := openConn(c, sqlite.OpenReadOnly, 8<<10)
		if err != nil {
			return err
		}
		db.readers <- conn
		db.opened++
	}
	return nil
}

// openConn opens a connection with a page cache of so many KiB.
func openConn(c Config, mode sqlite.OpenFlags, cacheKiB int) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(c.Path, mode)
	if err != nil {
		return nil, classify(err, "open %s", c.Path)
	}
	conn.SetBusyTimeout(busyTimeout)
	settings := slices.Concat(pragmas, []string{fmt.Sprintf("PRAGMA cache_size = -%d", cacheKiB)})
	if c.NoFlush {
		settings = append(settings, "PRAGMA synchronous = OFF")
	}
	for _, p := range settings {
		if err := execScript(conn, p); err != nil {
			conn.Close()
			return nil, classify(err, "open %s", c.Path)
		}
	}
	return conn, nil
}

// mark refuses a file of another program, and marks a new file.
func (db *DB) mark() error {
	var id, tables int64
	err := query(db.writer, "PRAGMA application_id", func(s *sqlite.Stmt) { id = s.ColumnInt64(0) })
	if err == nil {
		err = query(db.writer, "SELECT count(*) FROM sqlite_schema", func(s *sqlite.Stmt) { tables = s.ColumnInt64(0) })
	}
	switch {
	case err != nil:
		return classify(err, "open %s", db.path)
	case id == applicationID:
		return nil
	case tables > 0:
		return baton.Errorf(baton.Refused, "store: %s is a database of another program", db.path).WithFix("Name another file.")
	}
	return classify(execScript(db.writer, fmt.Sprintf("PRAGMA application_id = %d", applicationID)), "open %s", db.path)
}

// Name implements [engine.DB].
func (db *DB) Name() string { return "sqlite" }

// Analyze implements [engine.DB]. It does nothing: SQLite's plans do not depend on table sizes here.
func (db *DB) Analyze(context.Context, ...string) error { return nil }

// Wake implements [engine.DB].
func (db *DB) Wake(topics ...string) { db.watchers.Wake(topics...) }

// Watch implements [engine.DB].
func (db *DB) Watch(topic string) (<-chan struct{}, func()) { return db.watchers.Watch(topic) }

// Write implements [engine.DB].
func (db *DB) Write(ctx context.Context, fn func(engine.Tx) error) error {
	select {
	case <-db.turn:
	case <-db.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { db.turn <- struct{}{} }()
	return db.inTx(ctx, db.writer, "BEGIN IMMEDIATE", fn)
}

// Read implements [engine.DB].
func (db *DB) Read(ctx context.Context, fn func(engine.Tx) error) error {
	var conn *sqlite.Conn
	select {
	case conn = <-db.readers:
	case <-db.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { db.readers <- conn }()
	return db.inTx(ctx, conn, "BEGIN", fn)
}

// inTx runs fn between begin and COMMIT. ctx interrupts statements, but not the COMMIT, so its
// result is always known.
func (db *DB) inTx(ctx context.Context, conn *sqlite.Conn, begin string, fn func(engine.Tx) error) (err error) {
	conn.SetInterrupt(ctx.Done())
	defer conn.SetInterrupt(nil)
	if err := execScript(conn, begin); err != nil {
		return ctxOr(ctx, classify(err, "begin"))
	}
	done := false
	defer func() {
		if !done { // an error or a panic
			conn.SetInterrupt(nil)
			if rollback := execScript(conn, "ROLLBACK"); rollback != nil && !conn.AutocommitEnabled() && err != nil {
				err = errors.Join(err, classify(rollback, "roll back"))
			}
		}
	}()
	if err := fn(&tx{conn: conn}); err != nil {
		return ctxOr(ctx, err)
	}
	conn.SetInterrupt(nil)
	if err := execScript(conn, "COMMIT"); err != nil {
		return classify(err, "commit")
	}
	done = true
	return nil
}

// ctxOr returns the context's error for the error of a statement that it interrupted.
func ctxOr(ctx context.Context, err error) error {
	if ctx.Err() != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultInterrupt {
		return ctx.Err()
	}
	return err
}

var errClosed = baton.Errorf(baton.Canceled, "store: the database is closed")

// Close waits for transactions to end and closes the database.
func (db *DB) Close() error {
	var err error
	db.close.Do(func() {
		close(db.closed)
		for range db.opened {
			err = errors.Join(err, (<-db.readers).Close())
		}
		if db.writer != nil {
			<-db.turn
			err = errors.Join(err, db.writer.Close())
		}
	})
	return err
}

// classify converts an error of SQLite to a kind.
func classify(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := "store: " + fmt.Sprintf(format, args...)
	code := sqlite.ErrCode(err)
	switch code.ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return baton.Errorf(baton.Unavailable, "%s: another process is writing: %w", what, err)
	case sqlite.ResultFull:
		return baton.Errorf(baton.Storage, "%s: %w", what, &engine.Away{Says: "The disk of the console is full.", Cause: err}).WithFix("Free space on the disk of the data folder.")
	case sqlite.ResultIOErr, sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultPerm:
		return baton.Errorf(baton.Storage, "%s: %w", what, &engine.Away{Says: "The console cannot use its disk.", Cause: err})
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return baton.Errorf(baton.Corrupt, "%s: %w", what, err).WithFix("Restore a backup.")
	}
	switch code {
	case sqlite.ResultConstraintUnique, sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintRowID:
		return fmt.Errorf("%s: %w: %w", what, engine.ErrUnique, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
