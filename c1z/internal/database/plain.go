package database

import (
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// PlainTable describes how to read a table without the library: from its root page, in the order of the
// column id, which is an alias of the rowid.
type PlainTable struct {
	Root    int64
	Columns []string // in the order of stored records
}

// Plain returns how a table can be read without the library; nil if it cannot, because it has no
// rowids, has no column id that is an alias of the rowid, or has a computed column.
func (d *DB) Plain(table string) (*PlainTable, error) {
	if p, ok := d.plain[table]; ok {
		return p, nil
	}
	p, err := plainTable(d.Conn, table)
	if err != nil {
		return nil, Unreadable(d.Name, err)
	}
	if d.plain == nil {
		d.plain = map[string]*PlainTable{}
	}
	d.plain[table] = p
	return p, nil
}

func plainTable(conn *sqlite.Conn, table string) (*PlainTable, error) {
	p, plain, keys := &PlainTable{}, true, 0
	err := sqlitex.ExecuteTransient(conn, `select m.rootpage, c.name, c.type, c.pk, c.hidden, l.wr from sqlite_schema m
		join pragma_table_list(m.name) l on l.schema = 'main' join pragma_table_xinfo(m.name) c
		where m.type = 'table' and m.name = ?1 order by c.cid`, &sqlitex.ExecOptions{
		Args: []any{table},
		ResultFunc: func(s *sqlite.Stmt) error {
			p.Root = s.ColumnInt64(0)
			name := s.ColumnText(1)
			p.Columns = append(p.Columns, name)
			if s.ColumnInt(3) > 0 { // part of the primary key
				keys++
				plain = plain && name == "id" && strings.EqualFold(s.ColumnText(2), "integer")
			}
			plain = plain && s.ColumnInt(4) == 0 && s.ColumnInt(5) == 0
			return nil
		},
	})
	if err != nil || !plain || keys != 1 || p.Root < 2 {
		return nil, err
	}
	return p, nil
}
