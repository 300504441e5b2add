package writer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"baton/c1z"
	"baton/c1z/internal/database"
	"baton/c1z/internal/sqlitefile"
)

// past reads the rows of a previous sync in a table, in the order of external ids. Tables that
// have the form that a [Writer] gives them are scanned page by page. All others are read through
// the SQLite library, which looks up each row by an index.
type past interface {
	// next goes to the next row and returns its external id; nil after the last row.
	next() (id []byte, err error)
	// named returns a column of the row as bytes; nil if there is no such column. The result is
	// valid until the next row.
	named(column string) []byte
	// values fills in the columns of the row as the new file stores them.
	values(row []sqlitefile.Value) error
	close()
}

// rows reads the rows of a sync in a table; nil if the file has no such table.
func (p *Previous) rows(t *layout, s c1z.SyncInfo) (past, error) {
	if root, ok := p.roots[t.name]; ok {
		in, _, err := p.db.Scratch()
		if err != nil {
			return nil, err
		}
		scan, err := sqlitefile.NewScan(in, p.size, root)
		if err != nil {
			return nil, unlike(err)
		}
		return &scanned{layout: t, scan: scan, syncID: []byte(s.ID), idAt: t.column("external_id"), syncAt: t.column("sync_id")}, nil
	}
	rows, err := p.query(t, s, "external_id collate binary")
	if rows == nil || err != nil {
		return nil, err
	}
	return rows, nil
}

// scanned reads the rows of a sync in a table page by page.
type scanned struct {
	layout       *layout
	scan         *sqlitefile.Scan
	syncID       []byte
	idAt, syncAt int
	last         []byte
}

// errUnlike reports that the content of a table is not as a Writer writes it. The table is then read
// through the SQLite library, which decides whether the file is damaged.
var errUnlike = errors.New("c1z: a table does not have the form that is written here")

func unlike(err error) error { return errors.Join(errUnlike, err) }

func (s *scanned) next() ([]byte, error) {
	for s.scan.Next() {
		row := s.scan.Row
		if len(row) != len(s.layout.columns) || !row[s.idAt].IsText() || !row[s.syncAt].IsText() {
			return nil, errUnlike
		}
		if !bytes.Equal(row[s.syncAt].Bytes(), s.syncID) {
			continue
		}
		id := row[s.idAt].Bytes()
		if bytes.Compare(id, s.last) <= 0 { // s.last is empty at first: an empty id is refused, too
			return nil, errUnlike
		}
		s.last = append(s.last[:0], id...)
		return id, nil
	}
	if err := s.scan.Err(); err != nil {
		return nil, unlike(err)
	}
	return nil, nil
}

func (s *scanned) named(column string) []byte { return s.scan.Row[s.layout.column(column)].Bytes() }

func (s *scanned) values(row []sqlitefile.Value) error {
	copy(row, s.scan.Row)
	for i, c := range s.layout.columns[1:] {
		v := &row[1+i]
		switch {
		case v.IsNull() && !c.required:
		case c.kind == "blob" && v.IsBlob(), c.kind == "integer" && v.IsInteger():
		case (c.kind == "text" || c.kind == "datetime") && v.IsText():
		default:
			return errUnlike
		}
	}
	return nil
}

func (s *scanned) close() {}

// queried reads the rows of a sync in a table through the SQLite library.
type queried struct {
	from    *Previous
	layout  *layout
	stmt    *sqlite.Stmt
	columns []int    // by column of the layout: its place in the statement, or -1
	read    [][]byte // by place in the statement: memory for its value
	last    []byte
}

// query reads the rows of a sync in a table; nil if the file has no such table.
func (p *Previous) query(t *layout, s c1z.SyncInfo, order string) (*queried, error) {
	if p.db.Columns[t.name] == nil {
		return nil, nil
	}
	rows := &queried{from: p, layout: t}
	var names []string
	for _, c := range t.columns {
		at := -1
		switch {
		case c.name == "id":
		case p.db.Columns[t.name][c.name]:
			at = len(names)
			names = append(names, c.name)
		case !c.optional:
			return nil, database.Damaged(p.db.Name, fmt.Errorf("table %s has no column %s", t.name, c.name))
		}
		rows.columns = append(rows.columns, at)
	}
	stmt, _, err := p.db.Conn.PrepareTransient(`select ` + strings.Join(names, ", ") + ` from ` + t.name +
		` where sync_id = ?1 order by ` + order)
	if err != nil {
		return nil, database.Unreadable(p.db.Name, err)
	}
	stmt.BindText(1, s.ID)
	rows.stmt, rows.read = stmt, make([][]byte, len(names))
	return rows, nil
}

func (p *queried) close() { p.stmt.Finalize() }

// step goes to the next row.
func (p *queried) step() (more bool, err error) {
	more, err = p.stmt.Step()
	if err != nil {
		return false, database.Unreadable(p.from.db.Name, err)
	}
	return more, nil
}

// next goes to the next row of a query that is ordered by external id.
func (p *queried) next() (id []byte, err error) {
	more, err := p.step()
	if !more || err != nil {
		return nil, err
	}
	id = p.bytes(p.columns[p.layout.column("external_id")])
	if len(id) == 0 || bytes.Compare(id, p.last) < 0 {
		return nil, database.Damaged(p.from.db.Name, fmt.Errorf("table %s has rows with impossible ids", p.layout.name))
	}
	p.last = append(p.last[:0], id...)
	return id, nil
}

// bytes returns a column of the statement. It is valid until the next row.
func (p *queried) bytes(at int) []byte {
	n := p.stmt.ColumnLen(at)
	b := slices.Grow(p.read[at][:0], max(n, 1))[:n]
	p.stmt.ColumnBytes(at, b)
	p.read[at] = b
	return b
}

// named returns a column of the row as bytes; nil if there is no such column.
func (p *queried) named(column string) []byte {
	if at := p.columns[p.layout.column(column)]; at >= 0 {
		return p.bytes(at)
	}
	return nil
}

// values fills in the columns of the row as the library would store them in a table of the new
// file: with the column's affinity, and with its default where the row has none.
func (p *queried) values(row []sqlitefile.Value) error {
	for i, c := range p.layout.columns {
		at := p.columns[i]
		if at < 0 {
			row[i] = c.absent
			continue
		}
		kind := p.stmt.ColumnType(at)
		switch {
		case kind == sqlite.TypeNull && c.required && c.optional:
			row[i] = c.absent
		case kind == sqlite.TypeNull && c.required:
			return database.Damaged(p.from.db.Name, fmt.Errorf("table %s has a row without %s", p.layout.name, c.name))
		case kind == sqlite.TypeNull:
			row[i] = sqlitefile.Value{}
		case kind == sqlite.TypeBlob:
			row[i] = sqlitefile.Blob(p.bytes(at))
		case kind == sqlite.TypeText && c.kind != "integer":
			row[i] = sqlitefile.TextOf(p.bytes(at))
		case c.kind == "text":
			row[i] = sqlitefile.Text(p.stmt.ColumnText(at))
		case kind == sqlite.TypeFloat && c.kind != "integer":
			row[i] = sqlitefile.Real(p.stmt.ColumnFloat(at))
		default:
			row[i] = sqlitefile.Int(p.stmt.ColumnInt64(at))
		}
	}
	return nil
}
