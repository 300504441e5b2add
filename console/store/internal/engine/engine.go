// Package engine defines what the store needs from a database: transactions over statements with
// numbered parameters, a bulk copy, a clock and wake-ups. Package sqlite and package postgres
// implement it; the rest of the store is written once.
//
// # Statements
//
// Statements are written in the dialect of PostgreSQL with parameters $1, $2, … and must mean the
// same in SQLite after [ForSQLite]. Row locks (FOR UPDATE, FOR SHARE, SKIP LOCKED …) are allowed:
// SQLite has one writer and needs none. Types are bigint, text, bytea and boolean. Text columns only
// hold the console's own words; outside data is bytea, because ids with NUL and invalid UTF-8 exist.
// Times are bigint, microseconds since 1970.
package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// DB is a database.
type DB interface {
	// Read runs fn in a read-only transaction on one snapshot.
	Read(ctx context.Context, fn func(Tx) error) error
	// Write runs fn in a transaction that commits if fn returns nil. After a deadlock or a
	// serialization failure, fn runs again in a new transaction, so it must not change anything
	// else.
	Write(ctx context.Context, fn func(Tx) error) error
	// Analyze updates the statistics of tables after bulk writes. Without it, PostgreSQL plans
	// queries as for empty tables until its own update, up to a minute later.
	Analyze(ctx context.Context, tables ...string) error
	// Wake wakes the watchers of topics in all processes. It is called outside transactions and does
	// not wait for other processes. Wake-ups are hints: watchers must also poll.
	Wake(topics ...string)
	// Watch returns a channel that receives after a Wake of the topic, and a function that ends the
	// watch. Several unread wake-ups are merged.
	Watch(topic string) (<-chan struct{}, func())
	// Name returns "sqlite" or "postgres".
	Name() string
	Close() error
}

// Tx is a transaction. It is used by one goroutine, and not while the rows of a query are being
// read.
type Tx interface {
	// Exec runs a statement and returns the number of rows that it changed.
	Exec(sql string, args ...any) (int64, error)
	// Query runs a statement and calls row for each result. The row is only valid during the call.
	Query(row func(Row) error, sql string, args ...any) error
	// Each runs a statement without results once for each row of arguments.
	Each(sql string, rows func(Writer) error) error
	// Copy inserts rows into a table. Rows in the order of its primary key are fastest.
	Copy(table string, columns []string, rows func(Writer) error) error
	// Now returns the time for comparison with leases and due times: the database's clock if several
	// processes share the database, and given if one process has it alone.
	Now(given time.Time) (time.Time, error)
}

// Row is one result of a query. Columns count from 0.
type Row interface {
	Int(column int) int64
	Bool(column int) bool
	Text(column int) string
	Bytes(column int) []byte // a copy; nil for NULL
	Null(column int) bool
}

// Writer receives the values of rows. A row ends with its last column.
type Writer interface {
	Int(v int64)
	Bool(v bool)
	Text(v string)
	Bytes(v []byte) // nil is an empty value, not NULL
	Null()
	// End ends a row.
	End() error
}

// ErrUnique is wrapped by errors of statements that violate a unique constraint.
var ErrUnique = errors.New("a unique constraint is violated")

// Away is the error of a database that does nothing for now: nothing is wrong with the statement, and
// it may be run again later.
type Away struct {
	// Says is for everybody. Cause may name addresses and files.
	Says  string
	Cause error
}

func (a *Away) Error() string { return a.Cause.Error() }
func (a *Away) Unwrap() error { return a.Cause }

// Micros returns the stored form of a time.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time returns a stored time.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// Arg returns an argument as one of the types that engines bind: nil, int64, string,
// []byte or bool. A time becomes microseconds, and the zero time NULL.
func Arg(v any) any {
	switch v := v.(type) {
	case nil, int64, string, []byte, bool:
		return v
	case int:
		return int64(v)
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return Micros(v)
	case time.Duration:
		return v.Microseconds()
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Bool:
		return r.Bool()
	case reflect.Slice, reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, r.Len())
			reflect.Copy(reflect.ValueOf(b), r)
			return b
		}
	}
	panic(fmt.Sprintf("store: an argument has type %T", v))
}
