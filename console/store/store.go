package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
	"baton/console/telemetry"
)

// Store is the console's database.
type Store struct {
	db      *observed
	keys    *Keyring
	masters Masters
}

// New returns a store on a database. keys seals secrets; nil if the program uses none.
func New(db engine.DB, keys *Keyring) *Store { return &Store{db: &observed{DB: db}, keys: keys} }

// Engine returns the database, for the packages below this one.
func (s *Store) Engine() engine.DB { return s.db.DB }

// Observe counts transactions and operations with a meter from now on, and records operations in the
// traces that they belong to. Both may be nil. It must be called before the store is used by several
// goroutines.
func (s *Store) Observe(m *telemetry.Meter, t *telemetry.Tracer) { s.db.meter, s.db.tracer = m, t }

// Close waits for running transactions and closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Database returns "sqlite" or "postgres".
func (s *Store) Database() string { return s.db.Name() }

// Away returns what to tell people about the error of a database that does nothing for now: that it does
// not answer, takes no changes, or has no space. ok is false for other errors.
func Away(err error) (text, fix string, ok bool) {
	away := (*engine.Away)(nil)
	if !errors.As(err, &away) {
		return "", "", false
	}
	return away.Says, "A change is in the database completely, or not at all: nothing is lost or done twice. Try again in a minute. The console's log has the cause.", true
}

// View runs fn in a read-only transaction that sees one snapshot.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	return s.db.Read(ctx, func(e engine.Tx) error { return fn(&Tx{e: e, s: s}) })
}

// Update runs a command. If fn returns nil, it commits the changes and their events. fn may run more
// than once, so it must not change anything outside the transaction.
func (s *Store) Update(ctx context.Context, by console.By, fn func(*Tx) error) error {
	var topics []string
	var moved []movedOperation
	trace := telemetry.Traceparent(ctx)
	err := s.db.Write(ctx, func(e engine.Tx) error {
		tx := &Tx{e: e, s: s, by: by, trace: trace}
		if err := fn(tx); err != nil {
			return err
		}
		topics, moved = tx.topics, tx.moved
		return tx.appendEvents()
	})
	if err != nil {
		return err
	}
	s.db.Wake(topics...)
	for _, m := range moved {
		m.observe(ctx, s.db.meter, s.db.tracer, by.At)
	}
	return nil
}

// Watch returns a channel that receives after a command woke a topic, and a function that ends the
// watch. Wake-ups can be lost, so the caller must also poll.
func (s *Store) Watch(topic string) (<-chan struct{}, func()) { return s.db.Watch(topic) }

// Tx is a transaction of [Store.View] or [Store.Update].
type Tx struct {
	e      engine.Tx
	s      *Store
	by     console.By
	events []console.Event
	topics []string
	trace  string               // of the command, to be continued by its operations
	moved  []movedOperation     // by the command
	dueBy  map[dueKey]time.Time // rows that [Tx.DueBy] has handled
	// needsChanged lists the apps for which [Tx.ownersChanged] has done its work.
	needsChanged []console.ID
}

// Engine returns the transaction of the database, for the packages below this one.
func (t *Tx) Engine() engine.Tx { return t.e }

// By returns who runs the command, and when.
func (t *Tx) By() console.By { return t.by }

// Wake wakes the watchers of a topic after the commit.
func (t *Tx) Wake(topic string) {
	if !slices.Contains(t.topics, topic) {
		t.topics = append(t.topics, topic)
	}
}

// Numbers returns the first of n new numbers of a counter.
func (t *Tx) Numbers(counter string, n int64) (first int64, err error) {
	return get(t, func(r engine.Row) int64 { return r.Int(0) - n }, "counter "+counter, "UPDATE counter SET next = next + $1 WHERE name = $2 RETURNING next", n, counter)
}

func get[T any](t *Tx, scan func(engine.Row) T, what, sql string, args ...any) (T, error) {
	return engine.Get(t.e, scan, what, sql, args...)
}

func find[T any](t *Tx, scan func(engine.Row) T, sql string, args ...any) (*T, error) {
	return engine.Find(t.e, scan, sql, args...)
}

func list[T any](t *Tx, scan func(engine.Row) T, sql string, args ...any) ([]T, error) {
	return engine.List(t.e, scan, sql, args...)
}

func (t *Tx) change(what, sql string, args ...any) error {
	return engine.Change(t.e, what, sql, args...)
}

func (t *Tx) insert(what, sql string, args ...any) error {
	return engine.Insert(t.e, what, sql, args...)
}

// endInterval ends the open interval of a row in a table with the columns from_at and until_at. It
// deletes an interval that began at the same microsecond, because intervals are not empty.
func (t *Tx) endInterval(table, column string, key any) error {
	if _, err := t.e.Exec("DELETE FROM "+table+" WHERE "+column+" = $1 AND from_at >= $2", key, t.by.At); err != nil {
		return err
	}
	_, err := t.e.Exec("UPDATE "+table+" SET until_at = $2 WHERE "+column+" = $1 AND (until_at IS NULL OR until_at > $2)", key, t.by.At)
	return err
}

// checkVersion refuses a change that is based on an older version of a row.
func checkVersion(what string, have, want int64) error {
	if have != want {
		return baton.Errorf(baton.Refused, "%s was changed meanwhile", what).WithFix("Reload it and try again.")
	}
	return nil
}

func need(what, value string) error {
	if value == "" {
		return baton.Errorf(baton.Invalid, "%s is missing", what)
	}
	return nil
}

// at returns the time in a column; zero for NULL.
func at(r engine.Row, column int) time.Time {
	if r.Null(column) {
		return time.Time{}
	}
	return engine.Time(r.Int(column))
}

// str returns a bytea column as a string.
func str(r engine.Row, column int) string { return string(r.Bytes(column)) }

// null returns the text as an argument, or NULL if it is empty.
func null[S ~string](s S) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// PageSize limits the rows of one page.
const PageSize = 1000

// limit returns the number of rows to read for a page of n.
func limit(n int) (int, error) {
	if n < 1 || n > PageSize {
		return 0, baton.Errorf(baton.Invalid, "a page has 1 to %d rows, not %d", PageSize, n)
	}
	return n, nil
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
