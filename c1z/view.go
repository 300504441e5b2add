package c1z

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/wire"
)

// columns are those of each table in a database, by table.
type columns map[string]map[string]bool

// needed are the columns without which a table cannot be read. The table itself may be
// missing, but for the first.
var needed = columns{
	"v1_sync_runs":      set("id", "sync_id", "started_at", "ended_at"),
	"v1_resource_types": set("id", "sync_id", "external_id", "data"),
	"v1_resources":      set("id", "sync_id", "external_id", "data", "resource_type_id"),
	"v1_entitlements":   set("id", "sync_id", "external_id", "data", "resource_type_id"),
	"v1_grants":         set("id", "sync_id", "external_id", "data", "resource_type_id", "entitlement_id"),
}

func set(names ...string) map[string]bool {
	s := map[string]bool{}
	for _, name := range names {
		s[name] = true
	}
	return s
}

// columnsOf reads the shape of an attached database, which came out of the file at
// path.
func columnsOf(conn *sqlite.Conn, schema, path string) (columns, error) {
	found := columns{}
	err := sqlitex.ExecuteTransient(conn, `select m.name, c.name from `+schema+`.sqlite_schema m
		join pragma_table_info(m.name, ?1) c where m.type = 'table'`, &sqlitex.ExecOptions{
		Args: []any{schema},
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
		return nil, unreadable(path, err)
	}
	if found["v1_sync_runs"] == nil {
		return nil, damaged(path, errors.New("it has no table v1_sync_runs"))
	}
	for table, columns := range needed {
		for column := range columns {
			if found[table] != nil && !found[table][column] {
				return nil, damaged(path, fmt.Errorf("table %s has no column %s", table, column))
			}
		}
	}
	return found, nil
}

// Sync is one sync in a file.
type Sync struct {
	ID       string
	Type     string // Full, Partial, ResourcesOnly, or another writer's
	ParentID string // of a partial sync: the full one before it
	Started  time.Time
	Ended    time.Time // zero: it was never finished
}

// syncsOf lists the syncs of an attached database, oldest row first.
func syncsOf(conn *sqlite.Conn, schema, path string, has columns) ([]Sync, error) {
	const table = "v1_sync_runs"
	or := func(column, otherwise string) string {
		if has[table][column] {
			return column
		}
		return otherwise
	}
	var syncs []Sync
	err := sqlitex.ExecuteTransient(conn, `select sync_id, started_at, ended_at, `+
		or("sync_type", "'full'")+`, `+or("parent_sync_id", "''")+` from `+schema+`.`+table+` order by id`,
		&sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) (err error) {
			sync := Sync{ID: s.ColumnText(0), Type: s.ColumnText(3), ParentID: s.ColumnText(4)}
			if sync.Started, err = parseTime(s.ColumnText(1)); err != nil {
				return damaged(path, err)
			}
			if !s.ColumnIsNull(2) {
				if sync.Ended, err = parseTime(s.ColumnText(2)); err != nil {
					return damaged(path, err)
				}
			}
			syncs = append(syncs, sync)
			return nil
		}})
	return syncs, unreadable(path, err)
}

func parseTime(text string) (t time.Time, err error) {
	for _, layout := range []string{timeFormat, "2006-01-02 15:04:05.999999999Z07:00", time.RFC3339Nano} {
		if t, err = time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", text)
}

// newest is the sync with one of the types (any, if none is named) that was the last
// to be finished, and of two that ended together the one with the greater id.
func newest(syncs []Sync, types ...string) (newest Sync, ok bool) {
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

// view reads the rows of one sync.
type view struct {
	path   string // of the file, for errors
	conn   *sqlite.Conn
	has    columns
	syncID string
}

// each calls fn with every row of the table whose column has the value, or with every
// row when no column is given. Errors of fn come back as they are.
func each[T any](v view, t Table, column, value string, decode func([]byte) (T, error), fn func(T) error) error {
	if v.has[t.name()] == nil {
		return nil // an older writer had nothing to put there
	}
	query := `select data from ` + t.name() + ` where sync_id = ?1`
	if column != "" {
		query += ` and ` + column + ` = ?2`
	}
	// A statement of its own, for fn may ask for rows in turn.
	stmt, _, err := v.conn.PrepareTransient(query + ` order by id`)
	if err != nil {
		return unreadable(v.path, err)
	}
	defer stmt.Finalize()
	stmt.BindText(1, v.syncID)
	if column != "" {
		stmt.BindText(2, value)
	}
	var data []byte
	for {
		more, err := stmt.Step()
		if err != nil {
			return unreadable(v.path, err)
		}
		if !more {
			return nil
		}
		data = slices.Grow(data[:0], stmt.ColumnLen(0))[:stmt.ColumnLen(0)]
		stmt.ColumnBytes(0, data)
		row, err := decode(data)
		if err != nil {
			return damaged(v.path, err)
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}

// one is the row with that external id.
func one[T any](v view, t Table, id string, decode func([]byte) (T, error)) (row T, found bool, err error) {
	err = each(v, t, "external_id", id, decode, func(r T) error {
		row, found = r, true
		return nil
	})
	return row, found, err
}

func (v view) resources(resourceType string, fn func(baton.Resource) error) error {
	return each(v, Resources, "resource_type_id", resourceType, wire.UnmarshalResource, fn)
}

func (v view) entitlements(resourceType string, fn func(baton.Entitlement) error) error {
	return each(v, Entitlements, "resource_type_id", resourceType, wire.UnmarshalEntitlement, fn)
}

func (v view) grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	return each(v, Grants, "entitlement_id", e.String(), wire.UnmarshalGrant, fn)
}

// count is the number of rows by resource type; a grant belongs to the type of its
// entitlement's resource.
func (v view) count(t Table) (map[string]int, error) {
	counts := map[string]int{}
	if v.has[t.name()] == nil {
		return counts, nil
	}
	err := sqlitex.ExecuteTransient(v.conn, `select resource_type_id, count(*) from `+t.name()+`
		where sync_id = ?1 group by resource_type_id`, &sqlitex.ExecOptions{
		Args: []any{v.syncID},
		ResultFunc: func(s *sqlite.Stmt) error {
			counts[s.ColumnText(0)] = s.ColumnInt(1)
			return nil
		},
	})
	return counts, unreadable(v.path, err)
}
