package database

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton/c1z/internal/schema"
)

// Columns holds the column names of each table.
type Columns map[string]map[string]bool

// required holds the columns without which a table cannot be read. Tables other than v1_sync_runs
// may be missing.
var required = map[string][]string{
	schema.SyncRuns:      {"sync_id", "started_at", "ended_at"},
	schema.ResourceTypes: {"id", "sync_id", "external_id", "data"},
	schema.Resources:     {"id", "sync_id", "external_id", "data", "resource_type_id"},
	schema.Entitlements:  {"id", "sync_id", "external_id", "data", "resource_type_id"},
	schema.Grants:        {"id", "sync_id", "external_id", "data", "resource_type_id", "entitlement_id"},
}

// columnsOf reads the tables of a database and their columns.
func columnsOf(conn *sqlite.Conn, name string) (Columns, error) {
	found := Columns{}
	err := sqlitex.ExecuteTransient(conn, `select m.name, c.name from sqlite_schema m
		join pragma_table_info(m.name) c where m.type = 'table'`, &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			table := s.ColumnText(0)
			if found[table] == nil {
				found[table] = map[string]bool{}
			}
			found[table][s.ColumnText(1)] = true
			return nil
		},
	})
	if err != nil {
		return nil, Unreadable(name, err)
	}
	if found[schema.SyncRuns] == nil {
		return nil, Damaged(name, fmt.Errorf("it has no table %s", schema.SyncRuns))
	}
	for table, columns := range required {
		for _, column := range columns {
			if found[table] != nil && !found[table][column] {
				return nil, Damaged(name, fmt.Errorf("table %s has no column %s", table, column))
			}
		}
	}
	return found, nil
}

// Or returns the column for a SELECT, or the expression if the table has no such column.
func (c Columns) Or(table, column, expression string) string {
	if c[table][column] {
		return column
	}
	return expression
}

// Sync is a row of v1_sync_runs.
type Sync struct {
	ID       string
	Type     string
	ParentID string
	Started  time.Time
	Ended    time.Time // zero: not finished
}

// syncsOf lists the syncs of a database. Programs before 2025 wrote no sync types: their syncs are
// full.
func syncsOf(conn *sqlite.Conn, name string, has Columns) (syncs []Sync, err error) {
	const table = schema.SyncRuns
	text := func(column, otherwise string) string {
		return `coalesce(` + has.Or(table, column, `null`) + `, '` + otherwise + `')`
	}
	err = sqlitex.ExecuteTransient(conn, `select sync_id, started_at, ended_at, `+
		text("sync_type", "full")+`, `+text("parent_sync_id", "")+` from `+table+` order by rowid`,
		&sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) (err error) {
			sync := Sync{ID: s.ColumnText(0), Type: s.ColumnText(3), ParentID: s.ColumnText(4)}
			if sync.Started, err = timeOf(s, 1); err != nil {
				return Damaged(name, err)
			}
			if sync.Ended, err = timeOf(s, 2); err != nil {
				return Damaged(name, err)
			}
			syncs = append(syncs, sync)
			return nil
		}})
	return syncs, Unreadable(name, err)
}

// timeOf returns a column that holds a time. NULL and an empty text mean the zero time, a number
// means seconds since 1970.
func timeOf(s *sqlite.Stmt, column int) (time.Time, error) {
	switch s.ColumnType(column) {
	case sqlite.TypeNull:
		return time.Time{}, nil
	case sqlite.TypeInteger, sqlite.TypeFloat:
		seconds, fraction := math.Modf(s.ColumnFloat(column))
		if math.Abs(seconds) > 1<<40 {
			return time.Time{}, fmt.Errorf("%q is not a time", s.ColumnText(column))
		}
		return time.Unix(int64(seconds), int64(fraction*1e9)).UTC(), nil
	}
	text := s.ColumnText(column)
	if text == "" {
		return time.Time{}, nil
	}
	return ParseTime(text)
}

// ParseTime parses a time in one of the forms in which SQLite drivers for Go store times. A time
// without a zone is in UTC.
func ParseTime(text string) (time.Time, error) {
	const fraction = ".999999999"
	plain, _, _ := strings.Cut(text, " m=") // as time.Time.String has it
	for _, layout := range []string{
		schema.TimeFormat, time.DateTime + fraction + "Z07:00", time.DateTime + fraction + " Z07:00",
		time.DateTime + fraction + " -0700 MST", time.DateTime + fraction + " -0700 -0700", time.DateTime + fraction + " -0700",
		time.RFC3339Nano, "2006-01-02T15:04:05" + fraction, "2006-01-02 15:04Z07:00", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.Parse(layout, plain); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", text)
}

// Newest returns the sync that ended last, among those of the types, or of any type if none is
// given. If two ended at the same time, it is the one with the greater id.
func Newest(syncs []Sync, types ...string) (newest Sync, ok bool) {
	for _, s := range syncs {
		if s.Ended.IsZero() || len(types) > 0 && !slices.Contains(types, s.Type) {
			continue
		}
		if later := s.Ended.Compare(newest.Ended); !ok || later > 0 || later == 0 && s.ID > newest.ID {
			newest, ok = s, true
		}
	}
	return newest, ok
}
